// An application whose records fail, and the redrive of its dead letters, each in a process of its own that specs can kill. Its one argument is JSON:
// FailingProcessOptions. Records are `{ id, heals }`: they fail until the wall clock reaches `heals`; `null`: always, until `fixed`.
import {
  Consumed,
  FailurePolicy,
  Materialized,
  Produced,
  Serdes,
  StreamsApplication,
  StreamsBuilder,
  redriveDeadLetters,
  silentLogger,
} from '#libs/millrace';
import { groupProtocolUnderTest } from './sums-application.ts';

export interface FailingProcessOptions {
  readonly role: 'application' | 'redrive';
  readonly applicationId: string;
  readonly brokers: readonly string[];
  readonly input: string;
  readonly output: string;
  readonly deadLetters: string;
  readonly stateDir: string;
  /** The defect is mended: nothing fails for ever. */
  readonly fixed: boolean;
}

export interface FailingRecord {
  readonly id: string;
  /** Milliseconds since the Unix epoch. */
  readonly heals: number | null;
}

/** How many records of the key there were, and the last of them: a record that counted twice, or half, is seen by it. */
export interface Counted {
  readonly n: number;
  readonly id: string;
}

function topology({ input, output, deadLetters, fixed }: FailingProcessOptions): StreamsBuilder {
  const text = Serdes.string();
  const counted = Serdes.json<Counted>();
  const builder = new StreamsBuilder();
  builder
    .stream<string, FailingRecord>(
      input,
      Consumed.with(text, Serdes.json<FailingRecord>(), {
        failurePolicy: FailurePolicy.retry({
          attempts: 2,
          backoff: '20 ms',
          then: FailurePolicy.retryTopics({
            delays: ['200 ms', '400 ms', '800 ms'],
            then: FailurePolicy.deadLetter(deadLetters),
          }),
        }),
      }),
    )
    .groupByKey()
    .aggregate<Counted>(
      () => ({ n: 0, id: '' }),
      (_key, { id, heals }, { n }) => {
        if (heals === null ? !fixed : Date.now() < heals) throw new Error(`${id} fails`);
        return { n: n + 1, id };
      },
      Materialized.as('counted', { keySerde: text, valueSerde: counted }),
    )
    .toStream()
    .to(output, Produced.with(text, counted));
  return builder;
}

async function runApplication(options: FailingProcessOptions): Promise<void> {
  const application = new StreamsApplication({
    applicationId: options.applicationId,
    kafka: { brokers: options.brokers },
    topology: topology(options),
    stateDir: options.stateDir,
    instanceId: 'one',
    ...groupProtocolUnderTest(),
    commitIntervalMs: 20,
    sessionTimeoutMs: 6_000,
    heartbeatIntervalMs: 500,
    logger: silentLogger,
  });
  application.stopOnSignals();
  application.onStateChange((state) => console.log(state));
  await application.start();
  await application.whenEnded();
}

async function redrive({ applicationId, brokers, deadLetters }: FailingProcessOptions): Promise<void> {
  console.log('BEGUN');
  const report = await redriveDeadLetters({
    kafka: { brokers },
    applicationId,
    topic: deadLetters,
    batchRecords: 3,
    onProgress: ({ redriven }) => console.log(`REDRIVEN ${redriven}`),
  });
  console.log(JSON.stringify(report));
}

if (process.argv[2] !== undefined) {
  const options = JSON.parse(process.argv[2]) as FailingProcessOptions;
  try {
    await (options.role === 'redrive' ? redrive(options) : runApplication(options));
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  }
}
