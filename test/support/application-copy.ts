// A copy of the sums application in a process of its own, over the public API. Its one argument is JSON: CopyOptions. It prints
// a line of JSON whenever its state, its tasks or its restored records have changed, and drains on SIGTERM.
import { StreamsApplication, silentLogger } from '#libs/millrace';
import { groupProtocolUnderTest, sumsTopology } from './sums-application.ts';

export interface CopyOptions {
  readonly applicationId: string;
  readonly brokers: readonly string[];
  readonly input: string;
  readonly output: string;
  readonly stateDir: string;
  readonly instanceId?: string;
}

/** One line. */
export interface CopyReport {
  readonly state: string;
  readonly instanceId: string | null;
  readonly tasks: readonly string[];
  readonly restoredRecords: number;
}

if (process.argv[2] !== undefined) await main(JSON.parse(process.argv[2]) as CopyOptions);

async function main({ input, output, brokers, ...options }: CopyOptions): Promise<void> {
  const application = new StreamsApplication({
    ...options,
    kafka: { brokers },
    topology: sumsTopology(input, output),
    ...groupProtocolUnderTest(),
    commitIntervalMs: 20,
    sessionTimeoutMs: 6_000,
    heartbeatIntervalMs: 500,
    logger: silentLogger,
  });
  application.stopOnSignals();
  let last = '';
  const report = (): void => {
    const { state, instanceId, figures } = application.snapshot();
    const line = JSON.stringify({
      state,
      instanceId,
      tasks: figures?.runningTasks ?? [],
      restoredRecords: figures?.restoredRecords ?? 0,
    } satisfies CopyReport);
    if (line !== last) process.stdout.write(`${line}\n`);
    last = line;
  };
  const timer = setInterval(report, 50);
  try {
    await application.start();
    await application.whenEnded();
  } catch (error) {
    process.stderr.write(`${String(error)}\n`);
    process.exitCode = 1;
  }
  clearInterval(timer);
  report();
}
