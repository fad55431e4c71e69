// Owns the application of these specs: sums per key, every update emitted, exactly once. And what its output must be.
import { createBrokerClient } from '#libs/broker';
import type { BrokerClient } from '#libs/broker';
import type { MemoryCluster, SimulatedProcess } from '#libs/broker-memory';
import { silentLogger } from '#libs/core';
import type { Logger } from '#libs/core';
import { resolveRuntimeConfig, StreamsRuntime } from '#libs/runtime';
import type { RestoreListener, RuntimeOptions } from '#libs/runtime';
import { Serdes } from '#libs/serde';
import { createMemoryStateBackend } from '#libs/state';
import type { StateBackend } from '#libs/state';
import { checkPartitions, StreamsBuilder } from '#libs/topology';
import type { Topology } from '#libs/topology';

const text = Serdes.string();
const number = Serdes.json<number>();
const KEYS = 10;

export function sumsTopology(): Topology {
  const builder = new StreamsBuilder();
  builder
    .stream<string, number>('in', { keySerde: text, valueSerde: number })
    .groupByKey()
    .aggregate(
      () => 0,
      (_key, value, sum) => sum + value,
      { name: 'sums', keySerde: text, valueSerde: number },
    )
    .toStream()
    .to('out', { keySerde: text, valueSerde: number });
  return builder.build();
}

export interface SumsInstance {
  readonly process: SimulatedProcess;
  readonly runtime: StreamsRuntime;
  /** What the runtime ended with, if it did. */
  readonly failure: () => Error | undefined;
  /** Tasks that it runs. */
  readonly running: () => readonly string[];
}

export interface SumsOptions extends Partial<RuntimeOptions> {
  readonly requestTimeoutMs?: number;
  readonly logger?: Logger;
  readonly backend?: StateBackend;
  readonly onRestore?: RestoreListener;
  /** Stands between the runtime and its client. */
  readonly around?: (client: BrokerClient) => BrokerClient;
}

/** An instance in a process of its own. Resolved when the runtime has been started, which is before it has joined. */
export function startSums(
  cluster: MemoryCluster,
  instanceId: string,
  options: SumsOptions = {},
): SumsInstance {
  const {
    requestTimeoutMs = 2_000,
    logger = silentLogger,
    backend,
    onRestore,
    around = (client) => client,
    ...config
  } = options;
  const process = cluster.process(instanceId);
  const { clock } = process;
  const runtime = new StreamsRuntime({
    topology: sumsTopology(),
    config: resolveRuntimeConfig({ applicationId: 'app', instanceId, ...config }),
    client: around(createBrokerClient({ rpc: process.rpc(), clock, requestTimeoutMs, logger })),
    backend: backend ?? createMemoryStateBackend({ clock }),
    checkPartitions: (built, counts) => checkPartitions(built, counts).repartitionCounts,
    clock,
    logger,
    ...(onRestore === undefined ? {} : { onRestore }),
  });
  let failure: Error | undefined;
  runtime
    .start()
    .then(() => runtime.whenEnded())
    .catch((error: unknown) => {
      failure = error as Error;
    });
  return {
    process,
    runtime,
    failure: () => failure,
    running: () => runtime.figures?.runningTasks ?? [],
  };
}

export function createTopics(cluster: MemoryCluster, partitions = 2): void {
  // Records are of 1970.
  cluster.topics.create('in', partitions, { 'retention.ms': '-1' });
  cluster.topics.create('out', partitions, { 'retention.ms': '-1' });
}

/** `count` records of value 1 from number `from` on: key i mod 10, in partition key mod 2, so that each key has one partition. */
export function appendOnes(cluster: MemoryCluster, count: number, from = 0): void {
  const partitions = cluster.inspect.partitionCount('in');
  for (let partition = 0; partition < partitions; partition++) {
    const records = [];
    for (let i = from; i < from + count; i++) {
      const key = i % KEYS;
      if (key % partitions === partition) records.push({ key: `k${key}`, value: '1', timestamp: 1_000 + i });
    }
    cluster.topics.append('in', partition, records);
  }
}

export function outputCount(cluster: MemoryCluster): number {
  let count = 0;
  for (let partition = 0; partition < cluster.inspect.partitionCount('out'); partition++) {
    count += cluster.inspect.recordCount('out', partition);
  }
  return count;
}

/** Each key's committed values, in order. */
export function outputByKey(cluster: MemoryCluster): Map<string, number[]> {
  const byKey = new Map<string, number[]>();
  for (let partition = 0; partition < cluster.inspect.partitionCount('out'); partition++) {
    for (const { key, value } of cluster.inspect.records('out', partition)) {
      const list = byKey.get(String(key));
      if (list === undefined) byKey.set(String(key), [Number(value)]);
      else list.push(Number(value));
    }
  }
  return byKey;
}

/** What exactly once makes of `count` ones: every key counts 1, 2, 3 and so on. */
export function expectedByKey(count: number): Map<string, number[]> {
  const byKey = new Map<string, number[]>();
  for (let i = 0; i < count; i++) {
    const key = `k${i % KEYS}`;
    const list = byKey.get(key);
    if (list === undefined) byKey.set(key, [1]);
    else list.push(list.length + 1);
  }
  return byKey;
}

/** In order of keys, so that two of them can be compared. */
export function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}
