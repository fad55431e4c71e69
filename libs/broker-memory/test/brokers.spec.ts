// Brokers that stop and start: who leads then, what clients are told, what is remembered.
import { describe, expect, it } from '@jest/globals';
import { RpcFailure } from '#libs/broker';
import type { FetchRequest } from '#libs/broker';
import { batchOf, keysIn, newBench } from './raw-client.ts';

const kindOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
    return 'answered';
  } catch (error) {
    return error instanceof RpcFailure ? error.kind : String(error);
  }
};

const fetchOf = (
  topicId: string,
  currentLeaderEpoch: number,
  options: Partial<FetchRequest> = {},
): FetchRequest => ({
  maxWaitMs: 0,
  minBytes: 1,
  maxBytes: 1_000,
  isolation: 'read_committed',
  sessionId: 0,
  sessionEpoch: 0,
  topics: [
    {
      name: 't',
      topicId,
      partitions: [
        {
          partition: 0,
          currentLeaderEpoch,
          fetchOffset: 0,
          lastFetchedEpoch: -1,
          logStartOffset: -1,
          partitionMaxBytes: 1_000,
        },
      ],
    },
  ],
  forgottenTopics: [],
  rackId: '',
  ...options,
});

describe('a broker that stops', () => {
  it('hands its partitions to another replica, under the next leader epoch, with all that was written', async () => {
    const { client, cluster } = newBench({ brokers: 3 });
    cluster.topics.create('t');
    const before = (await client.metadata('t')).partitions[0]!;
    await client.produce('t', batchOf(['a']), { target: before.leaderId });
    cluster.stopBroker(before.leaderId);
    const { brokers, topics } = await client.call('Metadata', { topics: ['t'] }, 'bootstrap');
    const after = topics[0]!.partitions[0]!;
    expect(brokers.map(({ nodeId }) => nodeId)).not.toContain(before.leaderId);
    expect([after.leaderId === before.leaderId, after.leaderEpoch]).toEqual([false, before.leaderEpoch + 1]);
    expect(await client.produce('t', batchOf(['b']), { target: after.leaderId })).toMatchObject({
      errorCode: 0,
      baseOffset: 1,
    });
    expect(keysIn(cluster, 't')).toEqual(['a', 'b']);
  });

  it('leaves what it alone had without a leader until it is back', async () => {
    const { client, cluster } = newBench({ brokers: 2, replicationFactor: 1 });
    cluster.topics.create('t');
    const { leaderId } = (await client.metadata('t')).partitions[0]!;
    cluster.stopBroker(leaderId);
    const ask = async (): Promise<unknown> =>
      (await client.call('Metadata', { topics: ['t'] }, 'bootstrap')).topics[0]!.partitions[0];
    expect(await ask()).toMatchObject({ leaderId: -1, errorCode: 5 });
    cluster.startBroker(leaderId);
    expect(await ask()).toMatchObject({ leaderId, errorCode: 0 });
  });

  it('has refused what comes now, and leaves what it was asked in doubt', async () => {
    const { client, clock, cluster } = newBench({ latencyMs: 5 });
    const sent = client.send('Metadata', { topics: null });
    await clock.advance(1);
    cluster.stopBroker(1);
    expect(await clock.run(kindOf(sent))).toBe('unknown');
    expect(await clock.run(kindOf(client.send('Metadata', { topics: null })))).toBe('not-sent');
    expect(await clock.run(kindOf(client.send('Metadata', { topics: null }, 'bootstrap')))).toBe('not-sent');
    cluster.startBroker(1);
    expect(await clock.run(kindOf(client.send('Metadata', { topics: null })))).toBe('answered');
  });

  it('never does in its next life what it was asked in the last', async () => {
    const { client, clock, cluster } = newBench({ latencyMs: 5 });
    cluster.topics.create('t');
    const sent = client.send('DeleteTopics', { timeoutMs: 0, names: ['t'] });
    await clock.advance(1);
    cluster.stopBroker(1);
    cluster.startBroker(1);
    await clock.advance(100);
    expect(await clock.run(kindOf(sent))).toBe('unknown');
    expect(cluster.inspect.topicNames()).toEqual(['t']);
  });

  it('has forgotten its fetch sessions', async () => {
    const { client, cluster } = newBench();
    cluster.topics.create('t');
    const { topicId } = await client.metadata('t');
    const { sessionId } = await client.call('Fetch', fetchOf(topicId, 0));
    cluster.stopBroker(1);
    cluster.startBroker(1);
    const next = fetchOf(topicId, 0, { sessionId, sessionEpoch: 1 });
    expect(await client.call('Fetch', next)).toMatchObject({ errorCode: 70 });
  });
});

describe('a client that lags behind', () => {
  it('is told who leads, whether it writes or reads', async () => {
    const { client, cluster } = newBench({ brokers: 2 });
    cluster.topics.create('t');
    const { topicId, partitions } = await client.metadata('t');
    const { leaderId } = partitions[0]!;
    const other = 3 - leaderId;
    const currentLeader = { leaderId, leaderEpoch: 0 };
    expect(await client.produce('t', batchOf(['a']), { target: other })).toMatchObject({
      errorCode: 6,
      currentLeader,
    });
    const fetched = await client.call('Fetch', fetchOf(topicId, 0), other);
    expect(fetched.topics[0]!.partitions[0]).toMatchObject({ errorCode: 6, currentLeader });
  });

  it('with an older or a newer leader epoch is refused (KIP-320)', async () => {
    const { client, cluster } = newBench({ brokers: 2 });
    cluster.topics.create('t');
    const { topicId, partitions } = await client.metadata('t');
    cluster.stopBroker(partitions[0]!.leaderId);
    const target = 3 - partitions[0]!.leaderId;
    for (const [epoch, errorCode] of [
      [0, 74],
      [1, 0],
      [2, 75],
    ] as const) {
      const answer = await client.call('Fetch', fetchOf(topicId, epoch), target);
      expect(answer.topics[0]!.partitions[0]!.errorCode).toBe(errorCode);
    }
  });

  it('can ask where the epoch ended that it knows', async () => {
    const { client, cluster } = newBench({ brokers: 2 });
    cluster.topics.create('t');
    const { leaderId } = (await client.metadata('t')).partitions[0]!;
    const other = 3 - leaderId;
    await client.produce('t', batchOf(['a', 'b']), { target: leaderId });
    cluster.stopBroker(leaderId);
    await client.produce('t', batchOf(['c']), { target: other });
    const ask = async (leaderEpoch: number): Promise<unknown> => {
      const topics = [{ name: 't', partitions: [{ partition: 0, currentLeaderEpoch: 1, leaderEpoch }] }];
      return (await client.call('OffsetForLeaderEpoch', { topics }, other)).topics[0]!.partitions[0];
    };
    expect(await ask(0)).toMatchObject({ leaderEpoch: 0, endOffset: 2 });
    expect(await ask(1)).toMatchObject({ leaderEpoch: 1, endOffset: 3 });
  });
});

it('a transaction whose coordinator stops is completed by the next', async () => {
  const { client, clock, cluster } = newBench({ brokers: 3, markerDelayMs: 50 });
  cluster.topics.create('t');
  const { nodeId } = await client.call('FindCoordinator', { keyType: 'transaction', key: 'id' });
  const { leaderId } = (await client.metadata('t')).partitions[0]!;
  const request = { transactionalId: 'id', transactionTimeoutMs: 10_000, producerId: -1n, producerEpoch: -1 };
  const { errorCode: _, ...numbers } = await client.call('InitProducerId', request, nodeId);
  const bytes = batchOf(['a'], { numbers, sequence: 0, transactional: true });
  await client.produce('t', bytes, { transactionalId: 'id', target: leaderId });
  const end = { transactionalId: 'id', ...numbers, committed: true, transactionVersion2: true };
  const ended = await client.call('EndTxn', end, nodeId);
  cluster.stopBroker(nodeId);
  await clock.advance(100);
  expect(keysIn(cluster, 't')).toEqual(['a']);
  const { nodeId: next } = await client.call(
    'FindCoordinator',
    { keyType: 'transaction', key: 'id' },
    'bootstrap',
  );
  expect(await client.call('EndTxn', end, next)).toEqual(ended);
});
