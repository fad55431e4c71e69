// A whole application on the simulated cluster: the real client, the real runtime.
import { describe, expect, it } from '@jest/globals';
import { createBrokerClient } from '#libs/broker';
import { createMemoryCluster, VirtualClock } from '#libs/broker-memory';
import type { MemoryCluster } from '#libs/broker-memory';
import { systemClock } from '#libs/core';
import { batchOf, RawClient } from './raw-client.ts';
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

function clusterWithInput(clock: VirtualClock | typeof systemClock, latencyMs = 0): MemoryCluster {
  const cluster = createMemoryCluster({ clock, latencyMs });
  createTopics(cluster);
  appendOnes(cluster, RECORDS);
  return cluster;
}

describe('a streams application on the simulated cluster', () => {
  it('runs to the end of its input on the system clock', async () => {
    const cluster = clusterWithInput(systemClock);
    const { runtime } = startSums(cluster, 'one', { until: 'latest' });
    await runtime.whenEnded();
    expect(runtime.lifecycle.state).toBe('NOT_RUNNING');
    expect(sorted(outputByKey(cluster))).toEqual(sorted(expectedByKey(RECORDS)));
    expect(cluster.inspect.openTransactions()).toEqual([]);
  });

  it('runs to the end of its input in virtual time, within few seconds of it', async () => {
    const clock = new VirtualClock();
    const cluster = clusterWithInput(clock, 1);
    const { runtime } = startSums(cluster, 'one', { until: 'latest' });
    await clock.run(runtime.whenEnded());
    expect(sorted(outputByKey(cluster))).toEqual(sorted(expectedByKey(RECORDS)));
    expect(clock.monotonic()).toBeLessThan(5_000);
  });

  it('shares its tasks among instances, and loses nothing when one leaves', async () => {
    const clock = new VirtualClock();
    const cluster = clusterWithInput(clock, 1);
    const one = startSums(cluster, 'one');
    const two = startSums(cluster, 'two');
    await clock.advance(5_000);
    expect(cluster.inspect.group('app')).toMatchObject({ phase: 'Stable', members: [{}, {}] });
    appendOnes(cluster, RECORDS, RECORDS);
    await clock.run(one.runtime.stop());
    appendOnes(cluster, RECORDS, 2 * RECORDS);
    await clock.runUntil(() => outputCount(cluster) >= 3 * RECORDS, 60_000);
    expect(two.failure()).toBeUndefined();
    expect(sorted(outputByKey(cluster))).toEqual(sorted(expectedByKey(3 * RECORDS)));
  });

  it('goes on after it was fenced in the commit that a rebalance asks for: that is one fencing, not two', async () => {
    const clock = new VirtualClock();
    const cluster = clusterWithInput(clock, 1);
    const options = { requestTimeoutMs: 30_000, sessionTimeoutMs: 30_000, heartbeatIntervalMs: 500 };
    const one = startSums(cluster, 'one', options);
    await clock.runUntil(() => outputCount(cluster) === RECORDS, 60_000);
    const held = cluster.fault({ api: 'TxnOffsetCommit', on: 'request', action: 'hold', clientId: 'one' });
    appendOnes(cluster, RECORDS, RECORDS);
    await clock.run(held.hit());
    await new RawClient(cluster, clock, 'intruder').initPatiently('app-one-0');
    const two = startSums(cluster, 'two', options);
    // Both ask for the commit: the epoch, and the hook before the next join.
    await clock.advance(2_000);
    held.release();
    await clock.runUntil(() => outputCount(cluster) >= 2 * RECORDS, 120_000);
    expect([one.failure(), two.failure()]).toEqual([undefined, undefined]);
    expect(sorted(outputByKey(cluster))).toEqual(sorted(expectedByKey(2 * RECORDS)));
  });

  it('hands over what a static member was to give up as it was killed, once that is back', async () => {
    const clock = new VirtualClock();
    const cluster = createMemoryCluster({ clock, latencyMs: 1 });
    createTopics(cluster, 4);
    const start = (name: string): ReturnType<typeof startSums> =>
      startSums(cluster, name, { groupInstanceId: name, sessionTimeoutMs: 60_000, heartbeatIntervalMs: 500 });
    start('one');
    await clock.advance(2_000);
    const two = start('two');
    await clock.runUntil(() => cluster.inspect.group('app')!.members.length === 2, 60_000);
    await clock.advance(5_000);
    // The third takes a task of each; the second never hears of it.
    const synced = cluster.fault({
      api: 'SyncGroup',
      on: 'answer',
      action: 'drop',
      times: Infinity,
      clientId: 'two',
    });
    start('three');
    await clock.run(synced.hit());
    two.process.kill();
    synced.remove();
    await clock.advance(1_000);
    start('two');
    await clock.advance(5_000);
    appendOnes(cluster, RECORDS);
    await clock.runUntil(() => outputCount(cluster) === RECORDS, 30_000);
    expect(sorted(outputByKey(cluster))).toEqual(sorted(expectedByKey(RECORDS)));
  });

  it('ends what a worker left open that died between its first batch and its offsets', async () => {
    const clock = new VirtualClock();
    const cluster = createMemoryCluster({ clock, latencyMs: 1 });
    createTopics(cluster);
    const options = { sessionTimeoutMs: 3_000, heartbeatIntervalMs: 500, transactionTimeoutMs: 60_000 };
    const one = startSums(cluster, 'one', options);
    startSums(cluster, 'two', options);
    await clock.advance(3_000);
    const held = cluster.fault({ api: 'TxnOffsetCommit', on: 'request', action: 'drop', clientId: 'one' });
    appendOnes(cluster, RECORDS);
    await clock.run(held.hit());
    one.process.kill();
    await clock.runUntil(() => outputCount(cluster) === RECORDS, 10_000);
    expect(cluster.inspect.openTransactions()).toEqual([]);
  });

  it.each(['in', 'app-sums-changelog'])(
    'says that %s is held back by a transaction that nobody ends, and goes on once it is ended',
    async (topic) => {
      const clock = new VirtualClock();
      const cluster = clusterWithInput(clock, 1);
      const options = { sessionTimeoutMs: 3_000, heartbeatIntervalMs: 500 };
      const one = startSums(cluster, 'one', options);
      await clock.runUntil(() => outputCount(cluster) === RECORDS, 60_000);
      one.process.kill();
      const foreign = new RawClient(cluster, clock, 'foreign');
      const numbers = await foreign.init('foreign', undefined, 600_000);
      const open = batchOf(['k0'], { numbers, sequence: 0, transactional: true });
      await foreign.produce(topic, open, { transactionalId: 'foreign' });
      appendOnes(cluster, RECORDS, RECORDS);
      const two = startSums(cluster, 'two', options);
      const heldBack = (): string[] =>
        two.runtime
          .insight()
          .issues.filter(({ kind }) => kind === 'heldBack')
          .map(({ where }) => where);
      await clock.advance(50_000);
      expect(heldBack()).toEqual([]);
      await clock.advance(30_000);
      expect(heldBack()).toEqual([`${topic}-0`]);
      expect(outputCount(cluster)).toBeLessThan(2 * RECORDS);
      await foreign.endTxn('foreign', numbers, false);
      await clock.runUntil(() => outputCount(cluster) >= 2 * RECORDS, 60_000);
      expect(two.failure()).toBeUndefined();
      expect(sorted(outputByKey(cluster))).toEqual(sorted(expectedByKey(2 * RECORDS)));
      await clock.advance(70_000);
      expect(heldBack()).toEqual([`${topic}-0`]);
    },
  );

  it('tells the end of a partition that is assigned anew where it was, though nothing came meanwhile', async () => {
    const clock = new VirtualClock();
    const cluster = createMemoryCluster({ clock, latencyMs: 1 });
    createTopics(cluster);
    const client = createBrokerClient({ rpc: cluster.rpc('reader'), clock });
    const reader = client.createReader({ isolation: 'read_committed' });
    reader.assign('in', 0, 0);
    await clock.runUntil(() => reader.endOffsets('in', 0).lastStableOffset === 0, 5_000);
    // As a task that is closed and opened again between two fetches.
    reader.unassign('in', 0);
    reader.assign('in', 0, 0);
    await clock.runUntil(() => reader.endOffsets('in', 0).lastStableOffset === 0, 5_000);
    await clock.run(client.close());
  });

  it('may share the cluster with other clients: what one commits another reads', async () => {
    const clock = new VirtualClock();
    const cluster = clusterWithInput(clock);
    startSums(cluster, 'one');
    const client = createBrokerClient({ rpc: cluster.rpc('reader'), clock });
    const reader = client.createReader({ isolation: 'read_committed' });
    for (const partition of [0, 1]) reader.assign('out', partition, 0);
    let batches = 0;
    await clock.runUntil(() => {
      batches += reader.take()?.batches.length ?? 0;
      return batches > 0 && outputCount(cluster) === RECORDS;
    }, 60_000);
    await clock.run(client.close());
    expect(batches).toBeGreaterThan(0);
  });
});
