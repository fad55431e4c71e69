// Owns where results part from those of Kafka Streams, and how that is shown. It runs nothing.
import type { RecordHeader } from '#libs/core';
import type { Line, Vectors } from './vectors.ts';

export interface Difference {
  readonly run: number;
  /** Place of the input in its run, from 0 on. */
  readonly at: number;
  readonly expected: readonly string[];
  readonly actual: readonly string[];
}

interface Result {
  readonly key: unknown;
  readonly value: unknown;
  readonly timestamp: number;
  readonly headers: readonly RecordHeader[];
}

/** A result as the vectors write it. `output`: its topic's place in `Vectors.outputs`. */
export function shown(vectors: Vectors, output: number, result: Result): string {
  const topic = output === 0 ? '' : `${vectors.outputs[output]!}: `;
  const headers = result.headers.map(
    ({ key, value }) => ` ${key}:${value === null ? '' : Buffer.from(value).toString()}`,
  );
  return `${topic}${String(result.key)}=${String(result.value)}@${result.timestamp}${headers.join('')}`;
}

export const resultsOf = ([_topic, _key, _value, _time, ...results]: Line): readonly string[] => results;

export const numbered = (at: number): RecordHeader => ({ key: 'n', value: Buffer.from(String(at)) });

export function same(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The difference as a page to read: what came before, with its results, and where the ways part. */
export function explained(vectors: Vectors, { run, at, expected, actual }: Difference): string {
  const { profile, records } = vectors.runs[run]!;
  const lines = records.slice(0, at + 1).map(([topic, key, value, time, ...results], index) => {
    const arrow = results.length === 0 ? '' : `  →  ${results.join('  ')}`;
    return `${index === at ? '>' : ' '} ${topic} ${String(key)}=${String(value)}@${time}${arrow}`;
  });
  return [
    `${vectors.topology}, run ${run} (${profile}), input ${at}: results are not those of Kafka Streams.`,
    ...lines,
    `  Kafka Streams: ${expected.join('  ') || 'nothing'}`,
    `  Millrace:      ${actual.join('  ') || 'nothing'}`,
  ].join('\n');
}
