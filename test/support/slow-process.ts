// Owns a process of its own that passes records on, each after blocking the event loop for as long as the record says; one with less
// than nothing fails. Its one argument is JSON: SlowProcessOptions. It prints its states, JOINED for each generation, SLOW for each
// slow record, and its warnings. As a service with a server would, it goes on when the application has failed.
import { StreamsApplication, StreamsBuilder, Serdes } from '#libs/millrace';
import type { StreamsApplicationOptions } from '#libs/millrace';
import { groupProtocolUnderTest } from './sums-application.ts';

export interface SlowRecord {
  readonly id: number;
  readonly blockMs: number;
}

export interface SlowProcessOptions extends Partial<StreamsApplicationOptions> {
  readonly applicationId: string;
  readonly brokers: readonly string[];
  readonly input: string;
  readonly output: string;
}

if (process.argv[2] !== undefined) await main(JSON.parse(process.argv[2]) as SlowProcessOptions);

async function main({ brokers, input, output, ...options }: SlowProcessOptions): Promise<void> {
  const key = Serdes.string();
  const value = Serdes.json<SlowRecord>();
  const builder = new StreamsBuilder();
  builder
    .stream<string, SlowRecord>(input, { keySerde: key, valueSerde: value })
    .mapValues((record) => {
      if (record.blockMs < 0) throw new Error(`record ${record.id} cannot be processed`);
      if (record.blockMs > 0) {
        console.log(`SLOW ${record.id}`);
        // Blocks the loop as a computation does, without taking the machine from others.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, record.blockMs);
      }
      return record;
    })
    .to(output, { keySerde: key, valueSerde: value });
  const say = (message: string, fields?: unknown): void =>
    console.log(`${message} ${JSON.stringify(fields)}`);
  const application = new StreamsApplication({
    sessionTimeoutMs: 6_000,
    heartbeatIntervalMs: 1_000,
    transactionTimeoutMs: 10_000,
    commitIntervalMs: 50,
    state: 'memory',
    ...groupProtocolUnderTest(),
    ...options,
    kafka: { brokers },
    topology: builder,
    logger: {
      debug: () => undefined,
      info: (message) => {
        if (message === 'Joined the group') console.log('JOINED');
      },
      warn: say,
      error: say,
    },
  });
  application.onStateChange((state) => console.log(state));
  application.stopOnSignals();
  await application.start();
  const server = setInterval(() => undefined, 1_000);
  await application.whenEnded().then(
    () => clearInterval(server),
    () => console.log('FAILED'),
  );
}
