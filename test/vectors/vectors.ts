// Owns the committed vectors: inputs, and what Kafka Streams makes of them. Reads the files that Vectors.java writes, nothing else.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const DATA = join(import.meta.dirname, 'data');

/** The topic of a step that advances the wall clock by `time` milliseconds. */
export const WALL_CLOCK = '(wall clock)';

export type Profile = 'in order' | 'out of order' | 'late' | 'null' | 'duplicate' | 'mixed';

/** Input and, behind it, what came out before the next one: `key=value@timestamp name:header …`, of all topics but the first with their name before. */
export type Line = readonly [
  topic: string,
  key: string | null,
  value: string | null,
  time: number,
  ...results: string[],
];

export interface Run {
  readonly profile: Profile;
  readonly records: readonly Line[];
  /** Records that Kafka Streams counted as dropped. */
  readonly dropped: number;
}

export interface Vectors {
  readonly topology: string;
  /** Kafka Streams ran with its record cache. */
  readonly cached?: true;
  /** `topology.optimization=all`. */
  readonly optimized?: true;
  /** Each input carries its place in the run as header `n`. */
  readonly headers?: true;
  /** Topics that results are read from. */
  readonly outputs: readonly string[];
  readonly runs: readonly Run[];
}

/** Names of the topologies there are vectors of. */
export function vectorNames(): string[] {
  return readdirSync(DATA)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort();
}

export function readVectors(topology: string): Vectors {
  return JSON.parse(readFileSync(join(DATA, `${topology}.json`), 'utf8')) as Vectors;
}
