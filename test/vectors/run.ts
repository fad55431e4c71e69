// Runs a topology over the inputs of its vectors, on the driver of libs/topology, and finds the first input whose results are not
// those of Kafka Streams. It asserts nothing.
import type { RecordHeader } from '#libs/core';
import type { Topology } from '#libs/topology';
import { Driver } from '../../libs/topology/test/driver.ts';
import { effects } from './topologies/words.ts';
import { WALL_CLOCK } from './vectors.ts';
import type { Line, Run, Vectors } from './vectors.ts';

export interface Difference {
  readonly run: number;
  readonly profile: string;
  /** Place of the input in its run, from 0 on. */
  readonly at: number;
  readonly input: Line;
  readonly expected: readonly string[];
  readonly actual: readonly string[];
}

/** The first difference between a run's results and Kafka Streams', `null`: there is none. `build` gives a new topology each time. */
export function firstDifference(build: () => Topology, vectors: Vectors): Difference | null {
  for (const [index, run] of vectors.runs.entries()) {
    const difference = differenceOf(build(), vectors, run);
    if (difference !== null) return { run: index, profile: run.profile, ...difference };
  }
  return null;
}

function differenceOf(
  topology: Topology,
  vectors: Vectors,
  run: Run,
): Omit<Difference, 'run' | 'profile'> | null {
  const driver = new Driver(topology);
  const read = vectors.outputs.map(() => 0);
  effects.length = 0;
  for (const [at, input] of run.records.entries()) {
    const [topic, key, value, time, ...expected] = input;
    if (topic === WALL_CLOCK) driver.advanceWallClock(time);
    else driver.pipe(topic, key, value, time, undefined, vectors.headers === true ? [numbered(at)] : []);
    const actual: string[] = [];
    vectors.outputs.forEach((output, index) => {
      for (const record of driver.outputs(output).slice(read[index])) {
        actual.push(`${index === 0 ? '' : `${output}: `}${shown(record)}`);
      }
      read[index] = driver.outputs(output).length;
    });
    for (const effect of effects.splice(0)) actual.push(`effect: ${effect}`);
    if (!same(actual, expected)) return { at, input, expected, actual };
  }
  return null;
}

const numbered = (at: number): RecordHeader => ({ key: 'n', value: Buffer.from(String(at)) });

export function shown(record: {
  readonly key: unknown;
  readonly value: unknown;
  readonly timestamp: number;
  readonly headers: readonly RecordHeader[];
}): string {
  const headers = record.headers.map(
    ({ key, value }) => ` ${key}:${value === null ? '' : Buffer.from(value).toString()}`,
  );
  return `${String(record.key)}=${String(record.value)}@${record.timestamp}${headers.join('')}`;
}

function same(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The difference as a page to read: what came before, with its results, and where the ways part. */
export function explained(vectors: Vectors, difference: Difference): string {
  const { run, profile, at, expected, actual } = difference;
  const lines = vectors.runs[run]!.records.slice(0, at + 1).map((line, index) => {
    const [topic, key, value, time, ...results] = line;
    return `${index === at ? '>' : ' '} ${topic} ${String(key)}=${String(value)}@${time}${results.length === 0 ? '' : `  →  ${results.join('  ')}`}`;
  });
  return [
    `${vectors.topology}, run ${run} (${profile}), input ${at}: results are not those of Kafka Streams.`,
    ...lines,
    `  Kafka Streams: ${expected.join('  ') || 'nothing'}`,
    `  Millrace:      ${actual.join('  ') || 'nothing'}`,
  ].join('\n');
}
