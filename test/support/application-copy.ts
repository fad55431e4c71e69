// A copy of the sums application in a process of its own, over the public API. Its one argument is JSON: CopyOptions. It prints
// a line of JSON whenever its state, its tasks, its restores or its copies have changed, and drains on SIGTERM.
import { StreamsApplication, silentLogger } from '#libs/millrace';
import { groupProtocolUnderTest, sumsTopology } from './sums-application.ts';

export interface CopyOptions {
  readonly applicationId: string;
  readonly brokers: readonly string[];
  readonly input: string;
  readonly output: string;
  readonly stateDir: string;
  readonly instanceId?: string;
  readonly numStandbys?: number;
  /** Default 6,000. */
  readonly sessionTimeoutMs?: number;
}

/** A restore, or a copy, as it began. */
export interface BegunRestore {
  readonly taskId: string;
  readonly role: string;
  readonly startOffset: number;
  readonly endOffset: number;
}

/** One line. */
export interface CopyReport {
  readonly state: string;
  readonly instanceId: string | null;
  readonly tasks: readonly string[];
  readonly restoredRecords: number;
  /** Lags of the copies kept here, by task. */
  readonly copies: Readonly<Record<string, number | null>>;
  readonly begun: readonly BegunRestore[];
  /** From the last copy taken for its task until all tasks ran, milliseconds. */
  readonly promotedInMs: number;
}

if (process.argv[2] !== undefined) await main(JSON.parse(process.argv[2]) as CopyOptions);

async function main({ input, output, brokers, ...options }: CopyOptions): Promise<void> {
  const begun: BegunRestore[] = [];
  let takenAt = 0;
  let promotedInMs = 0;
  const application = new StreamsApplication({
    sessionTimeoutMs: 6_000,
    ...options,
    onRestore(event, { taskId, role, startOffset, endOffset }) {
      if (event === 'start') begun.push({ taskId, role, startOffset, endOffset });
      if (event === 'suspended' && role !== 'active') takenAt = performance.now();
    },
    kafka: { brokers },
    topology: sumsTopology(input, output),
    ...groupProtocolUnderTest(),
    commitIntervalMs: 20,
    heartbeatIntervalMs: 500,
    logger: silentLogger,
  });
  application.stopOnSignals();
  application.onStateChange((state) => {
    if (state === 'RUNNING' && takenAt > 0) promotedInMs = performance.now() - takenAt;
    takenAt = 0;
  });
  let last = '';
  const report = (): void => {
    const { state, instanceId, figures } = application.snapshot();
    const line = JSON.stringify({
      state,
      instanceId,
      tasks: figures?.runningTasks ?? [],
      restoredRecords: figures?.restoredRecords ?? 0,
      copies: Object.fromEntries((figures?.copies ?? []).map(({ taskId, lag }) => [taskId, lag])),
      begun,
      promotedInMs,
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
