// A copy of the sums application in a process of its own, with its queries served over HTTP. Its one argument is JSON: QueryProcessOptions.
// It prints a line per state, and drains on SIGTERM.
import { createQueryServer } from '#libs/control';
import { StreamsApplication, silentLogger } from '#libs/millrace';
import { sumsTopology } from './sums-application.ts';

export interface QueryProcessOptions {
  readonly applicationId: string;
  readonly instanceId: string;
  readonly brokers: readonly string[];
  readonly input: string;
  readonly output: string;
  readonly stateDir: string;
  readonly port: number;
  /** Of a group whose tasks the broker assigns it is a setting of the group. */
  readonly numStandbys?: number;
  readonly groupProtocol: 'classic' | 'streams';
  readonly sessionTimeoutMs?: number;
}

if (process.argv[2] !== undefined) await main(JSON.parse(process.argv[2]) as QueryProcessOptions);

async function main({ input, output, brokers, port, ...options }: QueryProcessOptions): Promise<void> {
  const application = new StreamsApplication({
    ...options,
    kafka: { brokers },
    topology: sumsTopology(input, output),
    applicationServer: `127.0.0.1:${port}`,
    heartbeatIntervalMs: 300,
    logger: silentLogger,
  });
  const server = await createQueryServer(application, { port });
  application.stopOnSignals();
  application.onStateChange((state) => process.stdout.write(`${state}\n`));
  await application.start();
  await application.whenEnded();
  await server.close();
}
