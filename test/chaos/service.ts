// A process of the application under test. Its one argument is JSON: ServiceOptions. It prints a line of JSON whenever its state or its
// tasks have changed, logs to stderr with the time, and stops cleanly on SIGTERM.
import type { Socket } from 'node:net';
import { StreamsApplication } from '#libs/millrace';
import type { StreamsApplicationOptions } from '#libs/millrace';
import { chaosTopology } from './chaos-topology.ts';

export interface ServiceOptions {
  readonly instanceId: string;
  readonly brokers: readonly string[];
  readonly stateDir: string;
  /** Of the application, as the run has them. */
  readonly application: Omit<
    StreamsApplicationOptions,
    'kafka' | 'topology' | 'stateDir' | 'instanceId' | 'logger'
  >;
}

/** One line. */
export interface ServiceReport {
  readonly state: string;
  readonly error: string | null;
  readonly running: readonly string[];
  readonly opening: readonly string[];
  readonly restored: number;
}

const REPORT_MS = 50;

type Log = (message: string, fields?: Readonly<Record<string, unknown>>) => void;

const log =
  (level: string): Log =>
  (message, fields) => {
    const more = fields === undefined ? '' : ` ${JSON.stringify(fields)}`;
    process.stderr.write(`${new Date().toISOString()} ${level} ${message}${more}\n`);
  };

async function main({ instanceId, brokers, stateDir, application }: ServiceOptions): Promise<void> {
  const service = new StreamsApplication({
    ...application,
    instanceId,
    stateDir,
    kafka: { brokers, clientId: instanceId, requestTimeout: 3_000, connectionTimeout: 2_000 },
    topology: chaosTopology,
    logger: { debug: () => undefined, info: log('info'), warn: log('warn'), error: log('error') },
  });
  service.stopOnSignals();
  // The run holds the other end: when it is gone, nobody would ever stop this process.
  process.stdin.on('end', () => process.exit(1)).resume();
  (process.stdin as Socket).unref();
  let last = '';
  const report = (): void => {
    const { state, error, figures } = service.snapshot();
    const line = JSON.stringify({
      state,
      error: error?.code ?? null,
      running: figures?.runningTasks ?? [],
      opening: figures?.openingTasks ?? [],
      restored: figures?.restoredRecords ?? 0,
    } satisfies ServiceReport);
    if (line !== last) process.stdout.write(`${line}\n`);
    last = line;
  };
  const timer = setInterval(report, REPORT_MS);
  service.onStateChange(report);
  try {
    await service.start();
    await service.whenEnded();
  } catch (error) {
    log('error')('ended', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    process.exitCode = 1;
  }
  clearInterval(timer);
  report();
}

await main(JSON.parse(process.argv[2]!) as ServiceOptions);
