// Owns the command line of `npm run bench`.
import { parseArgs } from 'node:util';

import { SCENARIOS } from './steady-load.ts';
import type { Scenario } from './steady-load.ts';

export const WORKLOADS = [
  'aggregate',
  'passthrough',
  'restore',
  'windowed-count',
  'stream-table-join',
  'stream-stream-join',
  'latency',
  'rebalance',
] as const;
export type Workload = (typeof WORKLOADS)[number];

export interface BenchOptions {
  readonly workload: Workload;
  readonly records: number;
  readonly keys: number;
  readonly partitions: number;
  readonly repeat: number;
  /** Stream threads of the peer, workers of ours. */
  readonly threads: number;
  readonly peerHeap: string;
  /** The peer's garbage collector. */
  readonly peerCollector: string;
  /** Kafka Streams settings on top of the peer's own, to look for better ones. */
  readonly peerOverrides: Readonly<Record<string, string>>;
  readonly only: 'millrace' | 'kafka-streams' | undefined;
  /** Folder for a CPU profile of our side; such a run is slower and its figures count for nothing. */
  readonly cpuProf: string | undefined;
  /** Records a second of a steady load; each is measured by itself. */
  readonly rates: readonly number[];
  /** Seconds of a steady load that count. */
  readonly seconds: number;
  /** Seconds before that. */
  readonly warmUpSeconds: number;
  /** Runs of each side under a steady load that come first and do not count. */
  readonly discard: number;
  readonly scenarios: readonly Scenario[];
  /** Standby copies that the scenarios are run with, one after the other. */
  readonly standbys: readonly number[];
  /** Keys of state in `kill-large`. */
  readonly largeKeys: number;
  readonly sessionTimeoutMs: number;
  /** Of the group: `streams` is KIP-1071, where the broker assigns the tasks. */
  readonly protocol: 'classic' | 'streams';
  readonly json: boolean;
  /** Tries the peer's heaps instead of measuring both sides. */
  readonly tunePeerHeap: boolean;
}

export const PEER_HEAPS = ['256m', '512m', '1g'] as const;

export const USAGE = `npm run bench -- ${WORKLOADS.join(' | ')}
  --records N      default 2,000,000 (restore: as many as keys)
  --keys N         default 100,000 (restore: 1,000,000; latency, rebalance: 10,000)
  --partitions N   default 4
  --repeat R       runs of each side, interleaved; default 3 (rebalance: 1)
  --threads T      workers of ours, stream threads of the peer; default 1
  --peer NAME      kafka-streams (default)
  --peer-heap SIZE default: the smallest of 256m, 512m, 1g that costs the peer less than 3 % (see --tune-peer-heap)
  --peer-gc NAME   its garbage collector; default Parallel
  --peer-set K=V   a Kafka Streams setting, repeatable
  --only NAME      millrace or kafka-streams alone
  --rates N,N      latency, rebalance: records a second; default 5000,20000 (rebalance: 5000)
  --seconds N      latency: of steady load; default 30
  --warm-up N      latency, rebalance: seconds before that; default 10
  --discard N      latency, rebalance: runs of each side at each rate that come first and do not count; default 1
  --scenarios S,S  rebalance: of ${SCENARIOS.join(', ')}; default all
  --standbys N,N   rebalance: standby copies, one run after the other; default 0,1
  --large-keys N   rebalance: keys of state in kill-large; default 1,000,000
  --session MS     rebalance: session timeout of the group; default 6,000
  --protocol NAME  rebalance: classic (default) or streams (KIP-1071), for both; without standby copies
  --cpu-prof DIR   writes a CPU profile of our side there
  --tune-peer-heap runs the peer with each heap
  --json           the last line is one JSON object`;

/** The smallest heap that costs the peer under 3 %, as measured by --tune-peer-heap (README.md). */
const PEER_HEAP: Readonly<Record<Workload, string>> = {
  aggregate: '256m',
  passthrough: '256m',
  restore: '256m',
  'windowed-count': '256m',
  'stream-table-join': '256m',
  'stream-stream-join': '256m',
  latency: '256m',
  rebalance: '256m',
};

/** @throws Error with a sentence for the terminal. */
export function readOptions(args: readonly string[]): BenchOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      records: { type: 'string' },
      keys: { type: 'string' },
      partitions: { type: 'string', default: '4' },
      repeat: { type: 'string' },
      threads: { type: 'string', default: '1' },
      peer: { type: 'string', default: 'kafka-streams' },
      'peer-heap': { type: 'string' },
      'peer-gc': { type: 'string', default: 'Parallel' },
      'peer-set': { type: 'string', multiple: true, default: [] },
      only: { type: 'string' },
      'cpu-prof': { type: 'string' },
      rates: { type: 'string' },
      seconds: { type: 'string' },
      'warm-up': { type: 'string' },
      discard: { type: 'string' },
      scenarios: { type: 'string' },
      standbys: { type: 'string' },
      'large-keys': { type: 'string' },
      session: { type: 'string' },
      protocol: { type: 'string', default: 'classic' },
      'tune-peer-heap': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const workload = WORKLOADS.find((name) => name === positionals[0]);
  if (workload === undefined) {
    throw new Error(`Which workload?\n${USAGE}`);
  }
  if (values.peer !== 'kafka-streams') throw new Error(`There is no peer '${values.peer}'.\n${USAGE}`);
  if (values.only !== undefined && values.only !== 'millrace' && values.only !== 'kafka-streams') {
    throw new Error(`--only takes millrace or kafka-streams.\n${USAGE}`);
  }
  const isSteady = workload === 'latency' || workload === 'rebalance';
  const keysPreset = workload === 'restore' ? 1_000_000 : isSteady ? 10_000 : 100_000;
  const keys = count('keys', values.keys, keysPreset);
  const { protocol } = values;
  if (protocol !== 'classic' && protocol !== 'streams')
    throw new Error(`--protocol takes classic or streams.\n${USAGE}`);
  const standbys = list(values.standbys, protocol === 'streams' ? '0' : '0,1');
  if (protocol === 'streams' && standbys.join() !== '0')
    throw new Error('--protocol streams takes --standbys 0 alone: copies are a setting of the group there.');
  return {
    workload,
    keys,
    // Restoring is about a store of so many keys, each written once.
    records: workload === 'restore' ? keys : count('records', values.records, 2_000_000),
    partitions: count('partitions', values.partitions, 4),
    repeat: count('repeat', values.repeat, workload === 'rebalance' ? 1 : 3),
    threads: count('threads', values.threads, 1),
    peerHeap: values['peer-heap'] ?? PEER_HEAP[workload],
    peerCollector: values['peer-gc'],
    peerOverrides: Object.fromEntries(
      values['peer-set'].map((pair): [string, string] => {
        const [key = '', ...value] = pair.split('=');
        return [key, value.join('=')];
      }),
    ),
    only: values.only,
    rates: list(values.rates, workload === 'rebalance' ? '5000' : '5000,20000').map((rate) =>
      count('rates', rate, 0),
    ),
    seconds: count('seconds', values.seconds, 30),
    warmUpSeconds: count('warm-up', values['warm-up'], 10),
    discard: count('discard', values.discard, 1, 0),
    scenarios: list(values.scenarios, SCENARIOS.join()).map((name) => {
      const found = SCENARIOS.find((scenario) => scenario === name);
      if (found === undefined) throw new Error(`There is no scenario '${name}'.\n${USAGE}`);
      return found;
    }),
    standbys: standbys.map((text) => {
      if (text !== '0' && text !== '1') throw new Error(`--standbys takes 0, 1 or both, not '${text}'.`);
      return Number(text);
    }),
    largeKeys: count('large-keys', values['large-keys'], 1_000_000),
    sessionTimeoutMs: count('session', values.session, 6_000),
    protocol,
    cpuProf: values['cpu-prof'],
    json: values.json,
    tunePeerHeap: values['tune-peer-heap'],
  };
}

function list(text: string | undefined, preset: string): string[] {
  return (text ?? preset).split(',').map((part) => part.trim());
}

function count(name: string, text: string | undefined, preset: number, least = 1): number {
  if (text === undefined) return preset;
  const value = Number(text.replaceAll(/[,_]/g, '').trim() || NaN);
  if (!Number.isInteger(value) || value < least)
    throw new Error(`--${name} takes a whole number from ${least} on, not '${text}'.`);
  return value;
}
