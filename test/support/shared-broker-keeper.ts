// A process beside one Jest run. Owns the brokers its spec files share: each kind is started when first asked for, once for
// each of Jest's workers, and all end with this process, which ends with its parent (the end of stdin). Prints its port; answers
// POST /<worker> with a kind (LocalBrokerOptions as JSON) by the description of that worker's broker of that kind.
//
// One for each worker, because specs that run at once would meet on one broker: in its proxy listener, in topics whose names a service
// fixes, and in the list of its transactions.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

import { startLocalBroker } from '#libs/broker-local';
import type { LocalBroker, LocalBrokerOptions } from '#libs/broker-local';

const brokers = new Map<string, Promise<LocalBroker>>();

function brokerFor(worker: string, kind: string): Promise<LocalBroker> {
  const key = `${worker} ${kind}`;
  let broker = brokers.get(key);
  if (broker === undefined) {
    broker = startLocalBroker(JSON.parse(kind) as LocalBrokerOptions);
    brokers.set(key, broker);
    // A failed start is not remembered: the next spec that asks tries again.
    broker.catch(() => brokers.delete(key));
  }
  return broker;
}

const server = createServer((request, response) => {
  void text(request)
    .then((kind) => brokerFor(request.url ?? '/', kind))
    .then(
      (broker) => {
        const {
          bootstrapServers,
          version,
          source,
          endpoints,
          proxyListener,
          certificate,
          logFile,
          dataDir,
          pid,
        } = broker;
        response.end(
          JSON.stringify({
            ...{
              bootstrapServers,
              version,
              source,
              endpoints,
              proxyListener,
              certificate,
              logFile,
              dataDir,
              pid,
            },
          }),
        );
      },
      (error: unknown) => {
        response.statusCode = 500;
        const cause =
          error instanceof Error && error.cause instanceof Error ? `\n${error.cause.message}` : '';
        response.end(String(error) + cause);
      },
    );
});

async function finish(): Promise<void> {
  await Promise.allSettled([...brokers.values()].map(async (broker) => (await broker).stop()));
  process.exit(0);
}

// Ctrl-C goes to the whole group; Jest ends by its own means, and this process after it.
process.on('SIGINT', () => undefined);
process.stdin.on('end', () => void finish()).resume();
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
