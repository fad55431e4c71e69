// A process beside one Jest run. Owns the brokers its spec files share: each kind is started when first asked for, and
// all end with this process, which ends with its parent (the end of stdin). Prints its port; answers POST / with a kind
// (LocalBrokerOptions as JSON) by the description of a running broker of that kind.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

import { startLocalBroker } from '#libs/broker-local';
import type { LocalBroker, LocalBrokerOptions } from '#libs/broker-local';

const brokers = new Map<string, Promise<LocalBroker>>();

function brokerOfKind(kind: string): Promise<LocalBroker> {
  let broker = brokers.get(kind);
  if (broker === undefined) {
    broker = startLocalBroker(JSON.parse(kind) as LocalBrokerOptions);
    brokers.set(kind, broker);
    // A failed start is not remembered: the next spec that asks tries again.
    broker.catch(() => brokers.delete(kind));
  }
  return broker;
}

const server = createServer((request, response) => {
  void text(request)
    .then(brokerOfKind)
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
