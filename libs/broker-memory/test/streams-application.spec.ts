// A whole application on the simulated cluster: the real client, the real runtime, virtual time.
import { describe, expect, it } from '@jest/globals';
import { createBrokerClient } from '#libs/broker';
import { createMemoryCluster, VirtualClock } from '#libs/broker-memory';
import type { MemoryCluster, MemoryClusterOptions } from '#libs/broker-memory';
import { silentLogger, systemClock } from '#libs/core';
import type { Clock } from '#libs/core';
import { resolveRuntimeConfig, StreamsRuntime } from '#libs/runtime';
import { Serdes } from '#libs/serde';
import { createMemoryStateBackend } from '#libs/state';
import { checkPartitions, StreamsBuilder } from '#libs/topology';
import type { Topology } from '#libs/topology';

const text = Serdes.string();
const number = Serdes.json<number>();

function sums(): Topology {
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

function clusterWithInput(clock: Clock, options: Partial<MemoryClusterOptions> = {}): MemoryCluster {
  const cluster = createMemoryCluster({ clock, ...options });
  cluster.topics.create('in', 2);
  cluster.topics.create('out', 2);
  for (const partition of [0, 1]) {
    const records = [];
    for (let i = partition; i < 200; i += 2)
      records.push({ key: `k${i % 10}`, value: '1', timestamp: 1_000 + i });
    cluster.topics.append('in', partition, records);
  }
  return cluster;
}

function application(cluster: MemoryCluster, instanceId: string): StreamsRuntime {
  const process = cluster.process(instanceId);
  return new StreamsRuntime({
    topology: sums(),
    config: resolveRuntimeConfig({ applicationId: 'app', instanceId, until: 'latest' }),
    client: createBrokerClient({ rpc: process.rpc(), clock: process.clock }),
    backend: createMemoryStateBackend({ clock: process.clock }),
    checkPartitions: (built, counts) => checkPartitions(built, counts).repartitionCounts,
    clock: process.clock,
    logger: silentLogger,
  });
}

function latestByKey(cluster: MemoryCluster): Map<string, string> {
  const latest = new Map<string, string>();
  for (const partition of [0, 1]) {
    for (const { key, value } of cluster.inspect.records('out', partition))
      latest.set(String(key), String(value));
  }
  return latest;
}

const TWENTIES = Array.from({ length: 10 }, () => '20');

describe('a streams application on the simulated cluster', () => {
  it('runs to the end of its input on the system clock', async () => {
    const cluster = clusterWithInput(systemClock);
    const runtime = application(cluster, 'one');
    await runtime.start();
    await runtime.whenEnded();
    expect(runtime.lifecycle.state).toBe('NOT_RUNNING');
    expect([...latestByKey(cluster).values()]).toEqual(TWENTIES);
    expect(cluster.inspect.openTransactions()).toEqual([]);
  });

  it('runs to the end of its input in virtual time', async () => {
    const clock = new VirtualClock();
    const cluster = clusterWithInput(clock, { latencyMs: 1 });
    const runtime = application(cluster, 'one');
    await clock.run(runtime.start());
    await clock.run(runtime.whenEnded());
    expect([...latestByKey(cluster).values()]).toEqual(TWENTIES);
  });
});
