// Which transactions a new owner of tasks ends before it reads their offsets, on the simulated cluster: the real client and coordinators.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { createBrokerClient, RecordBatchEncoder } from '#libs/broker';
import type { BrokerClient, CommittedOffset, TransactionalWriter, TransactionView } from '#libs/broker';
import { createMemoryCluster, VirtualClock } from '#libs/broker-memory';
import type { MemoryCluster } from '#libs/broker-memory';
import { silentLogger } from '#libs/core';
import type { BinaryString, TaskIdText, TopicPartition } from '#libs/core';
import type { ClusterLayout } from '../src/cluster-layout.ts';
import { resolveRuntimeConfig } from '../src/index.ts';
import { encodeOffsetMetadata } from '../src/offset-metadata.ts';
import { PredecessorSettler } from '../src/predecessor-settler.ts';

const TASK = '0_0' as TaskIdText;
const INPUT = { topic: 'in', partition: 0 };
const OWN = 'app-own-0';
const GROUP = { groupId: 'app', generationId: -1, memberId: '', groupInstanceId: null };
const VERSIONS = [1, 2] as const;

describe.each(VERSIONS)('a new owner of a task, under transaction version %d', (transactionVersion) => {
  let clock: VirtualClock;
  let cluster: MemoryCluster;
  let client: BrokerClient;

  beforeEach(() => {
    clock = new VirtualClock();
    cluster = createMemoryCluster({ clock, latencyMs: 1, transactionVersion });
    for (const topic of ['in', 'out']) cluster.topics.create(topic, 1, { 'retention.ms': '-1' });
    client = createBrokerClient({ rpc: cluster.rpc('own'), clock });
  });

  /** A worker of which nothing runs but its writer. */
  async function workerOf(transactionalId: string): Promise<TransactionalWriter> {
    const own = createBrokerClient({ rpc: cluster.rpc(transactionalId), clock });
    const writer = own.createTransactionalWriter({ transactionalId });
    await clock.run(writer.initialise());
    return writer;
  }

  const offset = (at: number, transactionalId: string): TopicPartition & CommittedOffset => ({
    ...INPUT,
    offset: at,
    leaderEpoch: 0,
    metadata: encodeOffsetMetadata({ epochId: at, streamTime: -1, transactionalId }),
  });

  /** Its first transaction, or a later one: offsets are in it, its end never arrives. */
  async function killedInCommit(transactionalId: string, writer?: TransactionalWriter): Promise<void> {
    const holder = writer ?? (await workerOf(transactionalId));
    const ends = cluster.fault({ api: 'EndTxn', on: 'request', action: 'hold', clientId: transactionalId });
    void holder.commit([offset(1, transactionalId)], GROUP).catch(() => undefined);
    await clock.run(ends.hit());
    ends.remove();
  }

  function write(writer: TransactionalWriter): Promise<void> {
    const encoder = new RecordBatchEncoder();
    encoder.appendText(1, 'k' as BinaryString, 'v');
    writer.append('out', 0, encoder.finish()!);
    return writer.flush();
  }

  function settling(
    live: readonly string[],
    by: BrokerClient = client,
    departed: readonly string[] = [],
    signal?: AbortSignal,
  ): Promise<void> {
    const config = resolveRuntimeConfig({ applicationId: 'app', instanceId: 'own' });
    const layout = { inputs: () => [INPUT] } as unknown as ClusterLayout;
    const settler = new PredecessorSettler(by, config, layout, OWN, clock, silentLogger);
    return settler.settle([TASK], departed, () => live, signal);
  }

  it('ends with the worker, whatever is pending', async () => {
    await killedInCommit('app-other-0');
    const ending = new AbortController();
    const settled = settling(['app-other-0'], client, [], ending.signal);
    await clock.advance(3_000);
    const startedAt = clock.monotonic();
    ending.abort();
    await clock.run(settled);
    expect(clock.monotonic() - startedAt).toBeLessThan(10);
  });

  const open = (): string[] =>
    cluster.inspect.openTransactions().map(({ transactionalId }) => transactionalId);

  /** Milliseconds until it is settled. */
  async function settled(live: readonly string[], by?: BrokerClient): Promise<number> {
    const from = clock.monotonic();
    await clock.run(settling(live, by));
    return clock.monotonic() - from;
  }

  /** The client, but for some of what an administrator does. */
  function restricted(changes: Partial<BrokerClient['admin']>): BrokerClient {
    const { admin } = client;
    const changed: Partial<BrokerClient['admin']> = {
      committedOffsets: (...of) => admin.committedOffsets(...of),
      pendingOffsets: (...of) => admin.pendingOffsets(...of),
      transactions: (ids) => admin.transactions(ids),
      openTransactionalIds: (prefix) => admin.openTransactionalIds(prefix),
      abortTransaction: (identity) => admin.abortTransaction(identity),
      ...changes,
    };
    return { admin: changed } as BrokerClient;
  }

  /** As with permissions on nothing but the application's own topics. */
  function withoutInternalTopics(): BrokerClient {
    const visible = (view: TransactionView): TransactionView => ({
      ...view,
      partitions: view.partitions.filter(({ topic }) => !topic.startsWith('__')),
    });
    const transactions = async (ids: readonly string[]): Promise<readonly TransactionView[]> =>
      (await client.admin.transactions(ids)).map(visible);
    return restricted({ transactions });
  }

  it('ends the first transaction of a worker that nobody has heard of, long before its timeout', async () => {
    await killedInCommit('app-x-0');
    expect(await settled([OWN])).toBeLessThan(1_200);
    expect(open()).toEqual([]);
    expect(cluster.inspect.committedOffsets('app').size).toBe(0);
  });

  it('ends it also where members are not all known', async () => {
    await killedInCommit('app-x-0');
    expect(await settled([])).toBeLessThan(1_200);
    expect(open()).toEqual([]);
  });

  it('ends it also where it may not see the offsets in it, if all members are known', async () => {
    await killedInCommit('app-x-0');
    expect(await settled([OWN], withoutInternalTopics())).toBeLessThan(1_200);
    expect(open()).toEqual([]);
  });

  it('goes on with the workers it knows where brokers list no transactions', async () => {
    const known = await workerOf('app-x-0');
    await clock.run(known.commit([offset(1, 'app-x-0')], GROUP));
    let listed = 0;
    const by = restricted({
      openTransactionalIds: () => Promise.reject(new Error(`not known ${++listed}`)),
    });
    await killedInCommit('other-x-0');
    const done = settling([OWN], by);
    await clock.advance(10_000);
    await killedInCommit('app-x-0', known);
    await clock.advance(10_000);
    expect(open()).toEqual(['other-x-0']);
    expect(listed).toBe(1);
    await clock.run(done);
  });

  it.each([
    ['is a member', 'app-x-0', [OWN, 'app-x-0'], false],
    ['is of another application', 'other-x-0', [OWN], false],
    ['may be a member, its offsets out of sight', 'app-x-0', [], true],
  ])('leaves alone who %s', async (_what, id, live, isRestricted) => {
    await killedInCommit(id);
    const done = settling(live, isRestricted ? withoutInternalTopics() : client);
    await clock.advance(20_000);
    expect(open()).toEqual([id]);
    await clock.run(done);
  });

  it('leaves alone a worker whose transactions come and go while an offset of ours is pending', async () => {
    await killedInCommit('other-x-0');
    const busy = await workerOf('app-y-0');
    const done = settling([]);
    for (let i = 0; i < 40; i++) {
      const ends = cluster.fault({ api: 'EndTxn', on: 'request', action: 250, clientId: 'app-y-0' });
      await clock.run(busy.commit([{ ...offset(i, 'app-y-0'), topic: 'out' }], GROUP));
      ends.remove();
    }
    expect(busy.state).toBe('READY');
    await clock.run(done);
  });

  it('leaves alone an epoch without offsets in it, however long it is open', async () => {
    await killedInCommit('other-x-0');
    const slow = await workerOf('app-y-0');
    await clock.run(write(slow));
    const done = settling([]);
    await clock.advance(20_000);
    expect(open()).toContain('app-y-0');
    await clock.run(slow.commit([], null));
    await clock.run(done);
  });

  it('takes the identity of who committed its tasks last and only slept: waking, it writes nothing', async () => {
    const asleep = await workerOf('app-x-0');
    await clock.run(asleep.commit([offset(1, 'app-x-0')], GROUP));
    await settled([OWN]);
    await expect(clock.run(write(asleep))).rejects.toMatchObject({ code: 'MILLRACE_PRODUCER_FENCED' });
    expect(open()).toEqual([]);
  });

  it.each([
    ['is a member', [OWN, 'app-x-0']],
    ['may be a member', []],
  ])('leaves who committed its tasks last its identity when it %s', async (_what, live) => {
    const before = await workerOf('app-x-0');
    await clock.run(before.commit([offset(1, 'app-x-0')], GROUP));
    await settled(live);
    await clock.run(write(before));
    await clock.run(before.commit([], null));
  });

  it('leaves the next transaction of who gave a task up alone, in a group too large for all to be known', async () => {
    const before = await workerOf('app-x-0');
    await clock.run(before.commit([offset(1, 'app-x-0')], GROUP));
    await clock.run(write(before));
    await settled([]);
    expect(open()).toEqual(['app-x-0']);
    await clock.run(before.commit([], null));
  });

  it('ends what a departed worker left open without offsets, also in such a group', async () => {
    const before = await workerOf('app-x-0');
    await clock.run(write(before));
    await clock.run(settling([], client, ['app-x-0']));
    expect(open()).toEqual([]);
  });

  it('leaves a worker that was started again its identity, before it has joined', async () => {
    const before = await workerOf('app-x-0');
    await clock.run(before.commit([offset(1, 'app-x-0')], GROUP));
    const again = await workerOf('app-x-0');
    await settled([OWN]);
    await clock.run(write(again));
    await clock.run(again.commit([], null));
  });
});
