// Who gets which tasks as instances come, go and come back, on the simulated cluster: the real assignor, group member and settler.
import { describe, expect, it } from '@jest/globals';
import { createBrokerClient, RecordBatchEncoder } from '#libs/broker';
import { createMemoryCluster, VirtualClock } from '#libs/broker-memory';
import type { MemoryCluster } from '#libs/broker-memory';
import type { BinaryString, Logger } from '#libs/core';
import { createMemoryStateBackend } from '#libs/state';
import {
  appendOnes,
  createTopics,
  expectedByKey,
  outputByKey,
  outputCount,
  sorted,
  startSums,
} from './sums.ts';

const RECORDS = 200;
const PARTITIONS = 6;

interface Bench {
  readonly clock: VirtualClock;
  readonly cluster: MemoryCluster;
}

function newBench(): Bench {
  const clock = new VirtualClock();
  const cluster = createMemoryCluster({ clock, latencyMs: 1 });
  createTopics(cluster, PARTITIONS);
  return { clock, cluster };
}

/** Gathers what is logged. */
function listening(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const note = (message: string): void => void lines.push(message);
  return { logger: { debug: note, info: note, warn: note, error: note }, lines };
}

describe('a static member that comes back within its session', () => {
  const options = { sessionTimeoutMs: 30_000, heartbeatIntervalMs: 500 };

  async function threeInstances(): Promise<
    Bench & { readonly all: Map<string, ReturnType<typeof startSums>> }
  > {
    const bench = newBench();
    const all = new Map<string, ReturnType<typeof startSums>>();
    for (const name of ['one', 'two', 'three']) {
      all.set(name, startSums(bench.cluster, name, { ...options, groupInstanceId: name }));
      await bench.clock.advance(3_000);
    }
    const settled = (): boolean => [...all.values()].every(({ running }) => running().length === 2);
    await bench.clock.runUntil(settled, 60_000);
    return { ...bench, all };
  }

  it('runs what it ran, and no other member hears of it', async () => {
    const { clock, cluster, all } = await threeInstances();
    const before = new Map([...all].map(([name, { running }]) => [name, [...running()].sort()]));
    const generation = cluster.inspect.group('app')!.generationId;
    for (const name of ['two', 'one']) {
      all.get(name)!.process.kill();
      await clock.advance(1_000);
      all.set(name, startSums(cluster, name, { ...options, groupInstanceId: name }));
      await clock.runUntil(() => all.get(name)!.running().length === 2, 20_000);
    }
    await clock.advance(5_000);
    for (const [name, { running, failure }] of all) {
      expect(failure()).toBeUndefined();
      expect([...running()].sort()).toEqual(before.get(name));
    }
    // The leader's own restart costs a round (KIP-814 spares members, not leaders); it moves nothing either.
    expect(cluster.inspect.group('app')!.generationId - generation).toBeLessThanOrEqual(1);
    appendOnes(cluster, RECORDS);
    await clock.runUntil(() => outputCount(cluster) === RECORDS, 30_000);
    expect(sorted(outputByKey(cluster))).toEqual(sorted(expectedByKey(RECORDS)));
  });

  it('asks to be seen when it comes back as another: from another rack', async () => {
    const { clock, cluster, all } = await threeInstances();
    const before = [...all.get('two')!.running()].sort();
    const generation = cluster.inspect.group('app')!.generationId;
    all.get('two')!.process.kill();
    await clock.advance(1_000);
    const { logger, lines } = listening();
    const again = startSums(cluster, 'two', {
      ...options,
      groupInstanceId: 'two',
      rack: 'elsewhere',
      logger,
    });
    await clock.runUntil(() => cluster.inspect.group('app')!.generationId > generation, 30_000);
    await clock.advance(10_000);
    expect([...again.running()].sort()).toEqual(before);
    expect(lines.filter((line) => line.startsWith('Assigned 2 task(s)')).length).toBeGreaterThan(1);
    // Seen once, it is content.
    expect(cluster.inspect.group('app')!.generationId).toBe(generation + 1);
  });
});

describe('the transaction of a worker that died', () => {
  const options = { sessionTimeoutMs: 6_000, heartbeatIntervalMs: 500, transactionTimeoutMs: 60_000 };

  it('is ended by its successor long before its timeout', async () => {
    const { clock, cluster } = newBench();
    const one = startSums(cluster, 'one', options);
    const two = startSums(cluster, 'two', options);
    await clock.runUntil(() => one.running().length === 3 && two.running().length === 3, 60_000);
    const held = cluster.fault({ api: 'EndTxn', on: 'request', action: 'hold', clientId: 'one' });
    appendOnes(cluster, RECORDS);
    await clock.run(held.hit());
    one.process.kill();
    await clock.runUntil(() => outputCount(cluster) === RECORDS, 15_000);
    expect(sorted(outputByKey(cluster))).toEqual(sorted(expectedByKey(RECORDS)));
    expect(two.failure()).toBeUndefined();
  });

  it('is left to itself when the worker has begun anew meanwhile, however late its successors are', async () => {
    const { clock, cluster } = newBench();
    const backend = createMemoryStateBackend({ clock });
    const one = startSums(cluster, 'one', { ...options, backend });
    const two = startSums(cluster, 'two', options);
    const three = startSums(cluster, 'three', options);
    const settled = (): boolean => [one, two, three].every(({ running }) => running().length === 2);
    await clock.runUntil(settled, 60_000);
    const ends = cluster.fault({ api: 'EndTxn', on: 'request', action: 'hold', clientId: 'one' });
    appendOnes(cluster, RECORDS);
    await clock.run(ends.hit());
    one.process.kill();
    // Both successors see the old transaction open; what they would do about it is held back on the way.
    const late = ['two', 'three'].map((clientId) =>
      cluster.fault({ api: 'DescribeTransactions', on: 'answer', action: 'hold', clientId }),
    );
    await clock.run(Promise.race(late.map((fault) => fault.hit())));
    ends.remove();
    const { logger, lines } = listening();
    const again = startSums(cluster, 'one', { ...options, logger });
    await clock.runUntil(() => again.running().length === 2, 60_000);
    appendOnes(cluster, RECORDS, RECORDS);
    await clock.advance(300);
    for (const fault of late) fault.release();
    await clock.runUntil(() => outputCount(cluster) >= 2 * RECORDS, 60_000);
    await clock.advance(5_000);
    expect(sorted(outputByKey(cluster))).toEqual(sorted(expectedByKey(2 * RECORDS)));
    expect([again, two, three].map(({ failure }) => failure())).toEqual([undefined, undefined, undefined]);
    // Nobody has ended an epoch of the worker that lives.
    expect(lines.filter((line) => line.includes('The epoch is abandoned'))).toEqual([]);
  });

  it('is not touched while its worker lives: a rebalance fences nobody', async () => {
    const { clock, cluster } = newBench();
    const { logger, lines } = listening();
    const one = startSums(cluster, 'one', { ...options, logger });
    await clock.runUntil(() => one.running().length === PARTITIONS, 60_000);
    for (let i = 0; i < 5; i++) {
      appendOnes(cluster, RECORDS, i * RECORDS);
      const next = startSums(cluster, `more-${i}`, { ...options, logger });
      await clock.runUntil(() => next.running().length > 0, 60_000);
    }
    await clock.runUntil(() => outputCount(cluster) >= 5 * RECORDS, 60_000);
    expect(sorted(outputByKey(cluster))).toEqual(sorted(expectedByKey(5 * RECORDS)));
    expect(lines.filter((line) => /Settled|abandoned/.test(line))).toEqual([]);
  });

  it('cannot be aborted under an identity that its holder has no more', async () => {
    const { clock, cluster } = newBench();
    const client = createBrokerClient({ rpc: cluster.rpc('successor'), clock });
    const encoder = new RecordBatchEncoder();
    const begin = async (): Promise<void> => {
      const writer = client.createTransactionalWriter({ transactionalId: 'app-x-0' });
      await clock.run(writer.initialise());
      encoder.appendText(1, 'k' as BinaryString, '1');
      writer.append('in', 0, encoder.finish()!);
      await clock.run(writer.flush());
    };
    await begin();
    const [old, ...more] = await clock.run(client.admin.transactions(['app-x-0', 'app-never-0']));
    expect(more).toEqual([]);
    await begin();
    expect(await clock.run(client.admin.abortTransaction(old!))).toBe(false);
    const [young] = await clock.run(client.admin.transactions(['app-x-0']));
    expect(young!.producerEpoch).toBeGreaterThan(old!.producerEpoch);
    expect(await clock.run(client.admin.abortTransaction(young!))).toBe(true);
    expect(await clock.run(client.admin.transactions(['app-x-0']))).not.toMatchObject([{ phase: 'open' }]);
    await clock.run(client.close());
  });
});
