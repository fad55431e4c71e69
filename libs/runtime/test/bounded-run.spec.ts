// Bounded runs of several instances, on a simulated cluster in virtual time.
import { describe, expect, it } from '@jest/globals';
import { createBrokerClient } from '#libs/broker';
import { VirtualClock, createMemoryCluster } from '#libs/broker-memory';
import type { MemoryCluster } from '#libs/broker-memory';
import { silentLogger } from '#libs/core';
import { Serdes } from '#libs/serde';
import { createMemoryStateBackend } from '#libs/state';
import { StreamsBuilder, checkPartitions } from '#libs/topology';
import type { Topology } from '#libs/topology';
import { StreamsRuntime, resolveRuntimeConfig } from '../src/index.ts';

const text = Serdes.string();
const number = Serdes.json<number>();
const RECORDS = 600;

/** Counts by value, then how many values have a count of each last digit: two repartition topics one behind the other. */
function countsOfCounts(): Topology {
  const builder = new StreamsBuilder();
  builder
    .stream('in', { keySerde: text, valueSerde: number })
    .groupBy((_key, value) => `v${value % 30}`, { name: 'by-value', keySerde: text, valueSerde: number })
    .count({ name: 'counts', keySerde: text, valueSerde: number })
    .toStream()
    .groupBy((key) => key.slice(-1), { name: 'by-digit', keySerde: text, valueSerde: number })
    .count({ name: 'digits', keySerde: text, valueSerde: number })
    .toStream()
    .to('out', { keySerde: text, valueSerde: number });
  return builder.build();
}

function copy(): Topology {
  const builder = new StreamsBuilder();
  builder.stream('in', { keySerde: text, valueSerde: number }).to('out');
  return builder.build();
}

function start(cluster: MemoryCluster, topology: Topology, instanceId: string): StreamsRuntime {
  const process = cluster.process(instanceId);
  const { clock } = process;
  return new StreamsRuntime({
    topology,
    config: resolveRuntimeConfig({ applicationId: 'app', instanceId, until: 'latest' }),
    client: createBrokerClient({ rpc: process.rpc(), clock }),
    backend: createMemoryStateBackend({ clock }),
    checkPartitions: (built, counts) => checkPartitions(built, counts).repartitionCounts,
    clock,
    logger: silentLogger,
  });
}

function cluster(clock: VirtualClock, seed: number): MemoryCluster {
  const made = createMemoryCluster({ clock, seed, latencyMs: 1 });
  made.topics.create('in', 3);
  made.topics.create('out', 2);
  for (let partition = 0; partition < 3; partition++) {
    const records = [];
    for (let i = partition; i < RECORDS; i += 3)
      records.push({ key: `k${i}`, value: String(i), timestamp: 1_000 + i });
    made.topics.append('in', partition, records);
  }
  return made;
}

function latest(made: MemoryCluster): Record<string, number> {
  const values: Record<string, number> = {};
  for (const partition of [0, 1]) {
    for (const { key, value } of made.inspect.records('out', partition)) values[String(key)] = Number(value);
  }
  return values;
}

const EXPECTED = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [String(i), RECORDS / 10]));

describe('a bounded run of several instances', () => {
  it.each([1, 2, 3])('ends when all that the input caused is processed, wherever (seed %i)', async (seed) => {
    const clock = new VirtualClock({ seed });
    const made = cluster(clock, seed);
    const instances = ['one', 'two', 'three'].map((id) => start(made, countsOfCounts(), id));
    const run = async (instance: StreamsRuntime, i: number): Promise<void> => {
      await new Promise<void>((resolve) => {
        clock.schedule(i * seed * 7, resolve);
      });
      await instance.start();
      await instance.whenEnded();
    };
    await clock.run(Promise.all(instances.map(run)));
    expect(latest(made)).toEqual(EXPECTED);
    expect(instances.map((instance) => instance.lifecycle.state)).toEqual(Array(3).fill('NOT_RUNNING'));
  });

  it('ends for an instance without a task too, once the others are done', async () => {
    const clock = new VirtualClock();
    const made = cluster(clock, 1);
    const instances = ['a', 'b', 'c', 'd', 'e'].map((id) => start(made, copy(), id));
    await clock.run(Promise.all(instances.map((instance) => instance.start())));
    await clock.run(Promise.all(instances.map((instance) => instance.whenEnded())));
    const written = [0, 1].reduce((sum, partition) => sum + made.inspect.records('out', partition).length, 0);
    expect(written).toBe(RECORDS);
  });

  it('ends although the input goes on', async () => {
    const clock = new VirtualClock();
    const made = cluster(clock, 1);
    const instance = start(made, countsOfCounts(), 'one');
    let added = RECORDS;
    const add = (): void => {
      made.topics.append('in', added % 3, [{ key: 'more', value: String(added), timestamp: 5_000 + added }]);
      added++;
      if (!instance.lifecycle.ended) clock.schedule(3, add);
    };
    clock.schedule(1, add);
    await clock.run(instance.start());
    await clock.run(instance.whenEnded());
    for (const count of Object.values(latest(made))) expect(count).toBeGreaterThanOrEqual(RECORDS / 10);
    expect(added).toBeLessThan(RECORDS + 5_000);
  });
});
