// Owns the application that specs of time kill: counts of windows once they have closed, and a timer of each key, both by watermarks.
// In a process of its own over the public API; its one argument is JSON: TimeProcessOptions. It also owns the model of its output.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import {
  BufferConfig,
  Consumed,
  Materialized,
  Serdes,
  State,
  StreamsApplication,
  StreamsBuilder,
  Suppressed,
  TimeWindows,
  WatermarkStrategy,
  silentLogger,
} from '#libs/millrace';
import type { Topology } from '#libs/millrace';

export const WINDOW_MS = 1_000;
export const BOUND_MS = 50;
/** A key that brings nothing for so long is reported. */
export const QUIET_MS = 400;

export interface TimedRecord {
  readonly key: string;
  readonly value: number;
  readonly timestamp: number;
}

export interface TimeProcessOptions {
  readonly applicationId: string;
  readonly instanceId: string;
  readonly brokers: readonly string[];
  readonly stateDir: string;
  readonly input: string;
  readonly output: string;
}

export function timeTopology(input: string, output: string): Topology {
  const text = Serdes.string();
  const number = Serdes.json<number>();
  const builder = new StreamsBuilder();
  const grouped = builder
    .stream(
      input,
      Consumed.with(text, number, { watermarks: WatermarkStrategy.boundedOutOfOrderness(BOUND_MS) }),
    )
    .groupByKey();
  grouped
    .windowedBy(TimeWindows.ofSizeWithNoGrace(WINDOW_MS))
    .count(Materialized.as('counts', { keySerde: text, valueSerde: number }))
    .suppress(Suppressed.untilWindowCloses(BufferConfig.unbounded()).withName('closed'))
    .toStream()
    .map((windowed, count): [string, string] => [windowed.key, `window ${windowed.window.start} ${count}`])
    .to(output, { keySerde: text, valueSerde: text });
  grouped
    .process({
      name: 'quiet',
      state: { sum: State.value(number) },
      onRecord(value: number, context) {
        context.state.sum.set((context.state.sum.get() ?? 0) + value);
        context.timers.setEventTime('quiet', context.timestamp + QUIET_MS);
      },
      onTimer(timer, context) {
        context.emit(`quiet ${timer.time} ${context.state.sum.get() ?? 0}`);
        context.state.sum.clear();
      },
    })
    .mapValues((line) => String(line))
    .to(output, { keySerde: text, valueSerde: text });
  return builder.build();
}

/** What one partition's records come to: every line once, in no order. */
export function expectedLines(records: readonly TimedRecord[]): string[] {
  const lines: string[] = [];
  const windows = new Map<string, { key: string; start: number; count: number }>();
  const quiet = new Map<string, { sum: number; due: number }>();
  let highest = -1;
  for (const { key, value, timestamp } of records) {
    const start = Math.floor(timestamp / WINDOW_MS) * WINDOW_MS;
    const window = windows.get(`${key} ${start}`) ?? { key, start, count: 0 };
    window.count++;
    windows.set(`${key} ${start}`, window);
    quiet.set(key, { sum: (quiet.get(key)?.sum ?? 0) + value, due: timestamp + QUIET_MS });
    highest = Math.max(highest, timestamp);
    const watermark = highest - BOUND_MS;
    for (const [id, { key: of, start: from, count }] of windows) {
      if (from + WINDOW_MS > watermark) continue;
      lines.push(`${of} window ${from} ${count}`);
      windows.delete(id);
    }
    for (const [of, { sum, due }] of quiet) {
      if (due > watermark) continue;
      lines.push(`${of} quiet ${due} ${sum}`);
      quiet.delete(of);
    }
  }
  return lines;
}

export function spawnTimeApplication(options: TimeProcessOptions): {
  readonly child: ChildProcess;
  running(): Promise<void>;
} {
  const file = fileURLToPath(import.meta.url);
  const child = spawn(process.execPath, ['--conditions=millrace-source', file, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  return {
    child,
    running: () =>
      new Promise((resolve, reject) => {
        lines.on('line', (line) => {
          if (line === 'RUNNING') resolve();
        });
        child.once('exit', (code) => reject(new Error(`the process ended (${String(code)})`)));
      }),
  };
}

async function main(argument: string): Promise<void> {
  const { input, output, brokers, ...options } = JSON.parse(argument) as TimeProcessOptions;
  const application = new StreamsApplication({
    ...options,
    kafka: { brokers },
    topology: timeTopology(input, output),
    commitIntervalMs: 20,
    sessionTimeoutMs: 6_000,
    heartbeatIntervalMs: 500,
    logger: silentLogger,
  });
  application.onStateChange((state) => console.log(state));
  application.stopOnSignals();
  await application.start();
  await application.whenEnded();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv[2]!);
