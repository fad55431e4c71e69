// Administration on a scripted cluster: what is retried, what is refused, what is answered.
import { describe, expect, it } from '@jest/globals';
import { RetriableError, silentLogger, TaskMigratedError } from '#libs/core';
import { KafkaBrokerAdmin } from '../../src/admin/index.ts';
import { Cluster } from '../../src/cluster/index.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { coordinators, metadataOf, ScriptedRpc } from '../support/scripted-rpc.ts';

function fixture() {
  const clock = new FakeClock();
  const rpc = new ScriptedRpc(clock)
    .on('Metadata', metadataOf({ a: [1, 2], b: [2] }))
    .on('FindCoordinator', coordinators)
    .on('ListOffsets', (request) => ({
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partition, timestamp }) => ({
          partition,
          errorCode: 0,
          timestamp: -1,
          offset: timestamp === -1 ? 100 + partition : timestamp === -2 ? 0 : -1,
          leaderEpoch: 5,
        })),
      })),
    }));
  const cluster = new Cluster({ rpc, clock, logger: silentLogger, requestTimeoutMs: 30_000 });
  return { clock, rpc, admin: new KafkaBrokerAdmin(cluster) };
}

const fetched = (
  partitions: { partition: number; errorCode: number; committedOffset: number }[],
  errorCode = 0,
) => ({
  errorCode,
  topics: [
    { name: 'a', partitions: partitions.map((p) => ({ ...p, committedLeaderEpoch: 2, metadata: 'm' })) },
  ],
});

describe('topics', () => {
  it('that do not exist are absent from the answer', async () => {
    const { clock, admin } = fixture();
    const found = await clock.run(admin.describeTopics(['a', 'nowhere']));
    expect([...found.keys()]).toEqual(['a']);
    expect(found.get('a')!.partitionCount).toBe(2);
  });

  it('are created once, although the answer was lost and the retry finds them there', async () => {
    const { clock, rpc, admin } = fixture();
    rpc
      .next('CreateTopics', 'lost')
      .on('CreateTopics', { topics: [{ name: 'a', errorCode: 36, errorMessage: null }] });
    await clock.run(
      admin.createTopics([{ name: 'a', partitionCount: 2, configs: { 'cleanup.policy': 'compact' } }]),
    );
    expect(rpc.callsOf('CreateTopics')[1]!.request.topics[0]).toEqual({
      name: 'a',
      numPartitions: 2,
      replicationFactor: -1,
      configs: [{ name: 'cleanup.policy', value: 'compact' }],
    });
  });

  it('are waited for until every partition has a leader', async () => {
    const { clock, rpc, admin } = fixture();
    rpc.on('CreateTopics', { topics: [{ name: 'a', errorCode: 0, errorMessage: null }] });
    rpc.next('Metadata', metadataOf({}), metadataOf({ a: [1, -1] }, 0));
    await clock.run(admin.createTopics([{ name: 'a', partitionCount: 2 }]));
    expect(rpc.callsOf('Metadata')).toHaveLength(3);
  });

  it('that the broker refuses say why', async () => {
    const { clock, rpc, admin } = fixture();
    rpc.on('CreateTopics', { topics: [{ name: 'a', errorCode: 38, errorMessage: 'only 1 broker' }] });
    await expect(clock.run(admin.createTopics([{ name: 'a', partitionCount: 2 }]))).rejects.toMatchObject({
      code: 'MILLRACE_REQUEST_FAILED',
      message: expect.stringContaining('only 1 broker'),
    });
  });

  it('give their configurations without null values', async () => {
    const { clock, rpc, admin } = fixture();
    rpc.on('DescribeConfigs', {
      topics: [
        {
          name: 'a',
          errorCode: 0,
          errorMessage: null,
          configs: [
            { name: 'retention.ms', value: '-1', isDefault: false },
            { name: 'follower.replication.throttled.replicas', value: null, isDefault: true },
          ],
        },
      ],
    });
    const configs = await clock.run(admin.topicConfigs(['a']));
    expect({ ...configs.get('a') }).toEqual({ 'retention.ms': '-1' });
  });
});

describe('offsets of logs', () => {
  it('are asked of each leader', async () => {
    const { clock, rpc, admin } = fixture();
    const partitions = [
      { topic: 'a', partition: 0 },
      { topic: 'a', partition: 1 },
    ];
    const offsets = await clock.run(admin.offsets(partitions, 'latest', 'read_committed'));
    expect([...offsets].sort()).toEqual([
      ['a-0', 100],
      ['a-1', 101],
    ]);
    expect(
      rpc
        .callsOf('ListOffsets')
        .map((call) => call.target)
        .sort(),
    ).toEqual([1, 2]);
    expect(rpc.callsOf('ListOffsets')[0]!.request.isolation).toBe('read_committed');
  });

  it('for a time after all records are the latest', async () => {
    const { clock, admin } = fixture();
    const offsets = await clock.run(
      admin.offsets([{ topic: 'a', partition: 1 }], { timestampMs: 5 }, 'read_uncommitted'),
    );
    expect(offsets.get('a-1')).toBe(101);
  });

  it('follow a leader that moved', async () => {
    const { clock, rpc, admin } = fixture();
    rpc.next('ListOffsets', {
      topics: [
        {
          name: 'b',
          partitions: [{ partition: 0, errorCode: 6, timestamp: -1, offset: -1, leaderEpoch: -1 }],
        },
      ],
    });
    rpc.next('Metadata', metadataOf({ b: [2] }), metadataOf({ b: [1] }, 6));
    const offsets = await clock.run(
      admin.offsets([{ topic: 'b', partition: 0 }], 'latest', 'read_uncommitted'),
    );
    expect(offsets.get('b-0')).toBe(100);
    expect(rpc.callsOf('ListOffsets').map((call) => call.target)).toEqual([2, 1]);
  });

  it('of a topic that does not exist are refused after a grace', async () => {
    const { clock, admin } = fixture();
    await expect(
      clock.run(admin.offsets([{ topic: 'nowhere', partition: 0 }], 'latest', 'read_uncommitted')),
    ).rejects.toMatchObject({ code: 'MILLRACE_TOPIC_MISSING' });
  });
});

describe('offsets of a group', () => {
  it('are waited for while a transaction with them is pending', async () => {
    const { clock, rpc, admin } = fixture();
    rpc
      .next('OffsetFetch', fetched([{ partition: 0, errorCode: 88, committedOffset: -1 }]))
      .on('OffsetFetch', fetched([{ partition: 0, errorCode: 0, committedOffset: 7 }]));
    const offsets = await clock.run(admin.committedOffsets('app', [{ topic: 'a', partition: 0 }]));
    expect(offsets.get('a-0')).toEqual({ offset: 7, leaderEpoch: 2, metadata: 'm' });
    expect(rpc.callsOf('OffsetFetch').every((call) => call.request.requireStable)).toBe(true);
  });

  it('may be asked for as they are', async () => {
    const { clock, rpc, admin } = fixture();
    rpc.on('OffsetFetch', fetched([{ partition: 0, errorCode: 0, committedOffset: 7 }]));
    await clock.run(admin.committedOffsets('app', null, { requireStable: false }));
    expect(rpc.callsOf('OffsetFetch')[0]!.request).toEqual({
      groupId: 'app',
      topics: null,
      requireStable: false,
    });
  });

  it('that were never committed are absent', async () => {
    const { clock, rpc, admin } = fixture();
    rpc.on('OffsetFetch', fetched([{ partition: 0, errorCode: 0, committedOffset: -1 }]));
    expect((await clock.run(admin.committedOffsets('app', [{ topic: 'a', partition: 0 }]))).size).toBe(0);
  });

  it.each([
    ['loading', 14],
    ['moved', 16],
  ])('are asked again of a coordinator that is %s', async (_name, code) => {
    const { clock, rpc, admin } = fixture();
    rpc
      .next('OffsetFetch', fetched([], code))
      .on('OffsetFetch', fetched([{ partition: 0, errorCode: 0, committedOffset: 7 }]));
    const offsets = await clock.run(admin.committedOffsets('app', [{ topic: 'a', partition: 0 }]));
    expect(offsets.size).toBe(1);
    expect(rpc.callsOf('FindCoordinator')).toHaveLength(code === 16 ? 2 : 1);
  });

  it('are committed under the member given, and refused when the group knows it no more', async () => {
    const { clock, rpc, admin } = fixture();
    const offset = { topic: 'a', partition: 0, offset: 3, leaderEpoch: 1, metadata: '' };
    const member = { generationId: 4, memberId: 'm', groupInstanceId: null };
    const answer = (errorCode: number) => ({
      topics: [{ name: 'a', partitions: [{ partition: 0, errorCode }] }],
    });
    rpc.next('OffsetCommit', answer(0), answer(22), answer(27));
    await clock.run(admin.commitOffsets('app', [offset], member));
    expect(rpc.callsOf('OffsetCommit')[0]!.request).toMatchObject({
      groupId: 'app',
      generationId: 4,
      memberId: 'm',
    });
    await expect(clock.run(admin.commitOffsets('app', [offset], member))).rejects.toBeInstanceOf(
      TaskMigratedError,
    );
    await expect(clock.run(admin.commitOffsets('app', [offset], member))).rejects.toBeInstanceOf(
      RetriableError,
    );
  });

  it('give up at the deadline, say what stood in the way, and may be asked again', async () => {
    const { clock, rpc, admin } = fixture();
    rpc.on('OffsetFetch', fetched([{ partition: 0, errorCode: 88, committedOffset: -1 }]));
    const outcome = clock.run(admin.committedOffsets('app', [{ topic: 'a', partition: 0 }]));
    await expect(outcome).rejects.toBeInstanceOf(RetriableError);
    await expect(outcome).rejects.toMatchObject({
      code: 'MILLRACE_BROKER_UNREACHABLE',
      message: expect.stringContaining('pending transaction'),
    });
  });
});
