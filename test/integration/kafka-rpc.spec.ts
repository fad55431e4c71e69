// The RPC port of libs/kafka against a real broker, API by API. What the answers mean is tested with the state machines.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  readRecordBatches,
  RecordBatchEncoder,
  stampBatch,
  type FetchAnswer,
  type ProduceAnswer,
  type ProducerIdentity,
  type RpcPort,
} from '#libs/broker';
import { silentLogger, sleep, systemClock, type BinaryString } from '#libs/core';
import { createKafkaRpc } from '#libs/kafka';

import { describeWithBroker, uniqueName } from '../support/broker.ts';

const UNKNOWN_TOPIC_OR_PARTITION = 3;
const NOT_LEADER_OR_FOLLOWER = 6;
const COORDINATOR_LOAD_IN_PROGRESS = 14;
const COORDINATOR_NOT_AVAILABLE = 15;
const NOT_COORDINATOR = 16;
const CONCURRENT_TRANSACTIONS = 51;
const INVALID_FETCH_SESSION_EPOCH = 71;
const MEMBER_ID_REQUIRED = 79;
const UNSTABLE_OFFSET_COMMIT = 88;
const PATIENCE = [
  UNKNOWN_TOPIC_OR_PARTITION,
  NOT_LEADER_OR_FOLLOWER,
  COORDINATOR_LOAD_IN_PROGRESS,
  COORDINATOR_NOT_AVAILABLE,
  NOT_COORDINATOR,
  CONCURRENT_TRANSACTIONS,
];

/** Of all records. A much older one would end its segment when a marker is appended, and a fetch with it. */
const TIMESTAMP_MS = systemClock.now();

interface Topic {
  readonly name: string;
  readonly topicId: string;
}

describeWithBroker('the RPC port on sockets', (broker) => {
  let rpc: RpcPort;
  let nodeId: number;
  let transactionVersion: number;

  beforeAll(async () => {
    rpc = createKafkaRpc(
      { brokers: broker().bootstrapServers, clientId: 'kafka-rpc-spec' },
      { clock: systemClock, logger: silentLogger },
    );
    const metadata = await rpc.call('bootstrap', 'Metadata', { topics: [] });
    rpc.learnNodes(metadata.brokers);
    nodeId = metadata.brokers[0]!.nodeId;
    transactionVersion = (await rpc.features()).transactionVersion;
  });

  afterAll(() => rpc.close());

  /** Asks again while the broker asks for patience. */
  async function patiently<T>(ask: () => Promise<T>, errorCode: (answer: T) => number): Promise<T> {
    let answer = await ask();
    for (let tries = 0; PATIENCE.includes(errorCode(answer)); tries++) {
      if (tries === 500) throw new Error(`the broker still answers error code ${errorCode(answer)}`);
      await sleep(systemClock, 20);
      answer = await ask();
    }
    return answer;
  }

  async function newTopic(configs: Record<string, string> = {}): Promise<Topic> {
    const name = uniqueName('rpc');
    const created = await rpc.call(nodeId, 'CreateTopics', {
      timeoutMs: 10_000,
      validateOnly: false,
      topics: [
        {
          name,
          numPartitions: 2,
          replicationFactor: -1,
          configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
        },
      ],
    });
    expect(created.topics).toEqual([{ name, errorCode: 0, errorMessage: null }]);
    for (;;) {
      const { topics } = await rpc.call(nodeId, 'Metadata', { topics: [name] });
      if (topics[0]!.errorCode === 0 && topics[0]!.partitions.every(({ leaderId }) => leaderId >= 0)) {
        return { name, topicId: topics[0]!.topicId };
      }
      await sleep(systemClock, 20);
    }
  }

  async function initProducer(transactionalId: string): Promise<ProducerIdentity> {
    // Asking for a coordinator also creates the topic it keeps its transactions in.
    const found = await patiently(
      () => rpc.call(nodeId, 'FindCoordinator', { keyType: 'transaction', key: transactionalId }),
      ({ errorCode }) => errorCode,
    );
    expect(found).toMatchObject({ errorCode: 0, nodeId });
    const initialised = await patiently(
      () =>
        rpc.call(nodeId, 'InitProducerId', {
          transactionalId,
          transactionTimeoutMs: 60_000,
          producerId: -1n,
          producerEpoch: -1,
        }),
      ({ errorCode }) => errorCode,
    );
    expect(initialised.errorCode).toBe(0);
    return initialised;
  }

  function batchOf(values: readonly string[], producer: ProducerIdentity | null, baseSequence = 0): Buffer {
    const encoder = new RecordBatchEncoder();
    for (const value of values) encoder.appendText(TIMESTAMP_MS, 'key' as BinaryString, value);
    const batch = encoder.finish()!;
    stampBatch(batch, {
      producerId: producer === null ? -1 : Number(producer.producerId),
      producerEpoch: producer?.producerEpoch ?? -1,
      baseSequence: producer === null ? -1 : baseSequence,
      isTransactional: producer !== null,
    });
    return batch.bytes;
  }

  const produce = (topic: Topic, records: Buffer, transactionalId: string | null): Promise<ProduceAnswer> =>
    patiently(
      () =>
        rpc.call(
          nodeId,
          'Produce',
          {
            transactionalId,
            acks: -1,
            timeoutMs: 10_000,
            transactionVersion2: transactionVersion >= 2,
            topics: [{ name: topic.name, partitions: [{ partition: 0, records: [records] }] }],
          },
          { lane: 'produce' },
        ),
      (answer) => answer.topics[0]!.partitions[0]!.errorCode,
    );

  /** As a client has to before transaction version 2. */
  async function addPartition(
    topic: Topic,
    transactionalId: string,
    producer: ProducerIdentity,
  ): Promise<void> {
    if (transactionVersion >= 2) return;
    const added = await patiently(
      () =>
        rpc.call(nodeId, 'AddPartitionsToTxn', {
          transactionalId,
          ...producer,
          topics: [{ name: topic.name, partitions: [0] }],
        }),
      (answer) => answer.topics[0]!.partitions[0]!.errorCode,
    );
    expect(added.topics).toEqual([{ name: topic.name, partitions: [{ partition: 0, errorCode: 0 }] }]);
  }

  const endTxn = (
    transactionalId: string,
    producer: ProducerIdentity,
    committed: boolean,
  ): Promise<ProducerIdentity & { readonly errorCode: number }> =>
    patiently(
      () =>
        rpc.call(nodeId, 'EndTxn', {
          transactionalId,
          ...producer,
          committed,
          transactionVersion2: transactionVersion >= 2,
        }),
      ({ errorCode }) => errorCode,
    );

  const fetchFrom = (
    topic: Topic,
    fetchOffset: number,
    session: { sessionId: number; sessionEpoch: number } = { sessionId: 0, sessionEpoch: -1 },
    isolation: 'read_committed' | 'read_uncommitted' = 'read_committed',
  ): Promise<FetchAnswer> =>
    rpc.call(
      nodeId,
      'Fetch',
      {
        maxWaitMs: 500,
        minBytes: 1,
        maxBytes: 50_000_000,
        isolation,
        ...session,
        topics: [
          {
            ...topic,
            partitions: [
              {
                partition: 0,
                currentLeaderEpoch: -1,
                fetchOffset,
                lastFetchedEpoch: -1,
                logStartOffset: -1,
                partitionMaxBytes: 10_000_000,
              },
            ],
          },
        ],
        forgottenTopics: [],
        rackId: '',
      },
      { lane: 'fetch' },
    );

  /** The partition from its start, once all below `offset` is decided. */
  async function stableUpTo(
    topic: Topic,
    offset: number,
  ): Promise<FetchAnswer['topics'][number]['partitions'][number]> {
    for (;;) {
      const partition = (await fetchFrom(topic, 0)).topics[0]!.partitions[0]!;
      if (partition.lastStableOffset >= offset) return partition;
    }
  }

  it('tells what the cluster can do', async () => {
    const features = await rpc.features();
    expect(features.apiVersions.Fetch).toBe(17);
    expect(features.transactionVersion).toBeGreaterThanOrEqual(0);
    if (features.transactionVersion >= 2)
      expect(features.apiVersions).toMatchObject({ Produce: 12, EndTxn: 5 });
    const metadata = await rpc.call('bootstrap', 'Metadata', { topics: null });
    expect(metadata.clusterId).not.toBe('');
    expect(metadata.brokers.map((node) => node.nodeId)).toContain(nodeId);
  });

  it('creates topics with their configuration, describes and deletes them', async () => {
    const topic = await newTopic({ 'cleanup.policy': 'compact' });
    const again = await rpc.call(nodeId, 'CreateTopics', {
      timeoutMs: 10_000,
      validateOnly: true,
      topics: [{ name: topic.name, numPartitions: 1, replicationFactor: -1, configs: [] }],
    });
    expect(again.topics[0]).toMatchObject({ name: topic.name, errorCode: 36 });
    const described = await rpc.call(nodeId, 'DescribeConfigs', {
      topics: [{ name: topic.name, keys: ['cleanup.policy', 'segment.bytes'] }],
    });
    expect(described.topics[0]!.configs).toEqual([
      { name: 'cleanup.policy', value: 'compact', isDefault: false },
      { name: 'segment.bytes', value: '1073741824', isDefault: true },
    ]);
    const deleted = await rpc.call(nodeId, 'DeleteTopics', {
      timeoutMs: 10_000,
      names: [topic.name, 'nowhere'],
    });
    expect(deleted.topics.map(({ name, errorCode }) => [name, errorCode]).sort()).toEqual(
      [
        [topic.name, 0],
        ['nowhere', 3],
      ].sort(),
    );
  });

  it('commits records and offsets in one transaction, and the next one goes on from the answered identity', async () => {
    const topic = await newTopic();
    const transactionalId = uniqueName('txn');
    const groupId = uniqueName('group');
    const found = await patiently(
      () => rpc.call(nodeId, 'FindCoordinator', { keyType: 'group', key: groupId }),
      ({ errorCode }) => errorCode,
    );
    expect(found).toMatchObject({ errorCode: 0, nodeId });
    let producer = await initProducer(transactionalId);

    for (const round of [1, 2]) {
      await addPartition(topic, transactionalId, producer);
      const sequence = transactionVersion >= 2 ? 0 : round - 1;
      const produced = await produce(topic, batchOf([`value ${round}`], producer, sequence), transactionalId);
      expect(produced.topics[0]!.partitions[0]).toMatchObject({ errorCode: 0, errorMessage: null });

      if (transactionVersion < 2) {
        const added = await rpc.call(nodeId, 'AddOffsetsToTxn', { transactionalId, ...producer, groupId });
        expect(added.errorCode).toBe(0);
      }
      const offsets = [
        {
          name: topic.name,
          partitions: [
            {
              partition: 1,
              committedOffset: round,
              committedLeaderEpoch: 0,
              committedMetadata: `epoch ${round}`,
            },
          ],
        },
      ];
      const committed = await patiently(
        () =>
          rpc.call(nodeId, 'TxnOffsetCommit', {
            transactionalId,
            groupId,
            ...producer,
            generationId: -1,
            memberId: '',
            groupInstanceId: null,
            topics: offsets,
            transactionVersion2: transactionVersion >= 2,
          }),
        (answer) => answer.topics[0]!.partitions[0]!.errorCode,
      );
      expect(committed.topics).toEqual([{ name: topic.name, partitions: [{ partition: 1, errorCode: 0 }] }]);

      const asked = { groupId, topics: [{ name: topic.name, partitions: [1] }] };
      const pending = await rpc.call(nodeId, 'OffsetFetch', { ...asked, requireStable: true });
      expect(pending.topics[0]!.partitions[0]!.errorCode).toBe(UNSTABLE_OFFSET_COMMIT);

      const ended = await endTxn(transactionalId, producer, true);
      expect(ended.errorCode).toBe(0);
      if (transactionVersion >= 2) {
        expect(ended.producerId).toBe(producer.producerId);
        expect(ended.producerEpoch).toBe(producer.producerEpoch + 1);
        producer = ended;
      }
      const stable = await patiently(
        () => rpc.call(nodeId, 'OffsetFetch', { ...asked, requireStable: true }),
        (answer) =>
          answer.topics[0]!.partitions[0]!.errorCode === UNSTABLE_OFFSET_COMMIT ? CONCURRENT_TRANSACTIONS : 0,
      );
      expect(stable.topics[0]!.partitions[0]).toMatchObject({
        errorCode: 0,
        committedOffset: round,
        committedLeaderEpoch: 0,
        metadata: `epoch ${round}`,
      });
    }
    // Two records and two markers; the markers are written after the end of a transaction is answered.
    const partition = await stableUpTo(topic, 4);
    const batches = readRecordBatches(partition.records!);
    expect(batches.filter((batch) => !batch.isControl).map((batch) => batch.recordCount)).toEqual([1, 1]);
    expect(batches.every((batch) => batch.hasValidCrc())).toBe(true);
    expect(partition.lastStableOffset).toBe(partition.highWatermark);
  });

  it('lists aborted transactions to those who read committed', async () => {
    const topic = await newTopic();
    const transactionalId = uniqueName('txn');
    const producer = await initProducer(transactionalId);
    await addPartition(topic, transactionalId, producer);
    await produce(topic, batchOf(['dropped'], producer), transactionalId);
    const open = (await fetchFrom(topic, 0, undefined, 'read_uncommitted')).topics[0]!.partitions[0]!;
    expect(open.highWatermark).toBe(1);
    expect(open.lastStableOffset).toBe(0);
    expect((await endTxn(transactionalId, producer, false)).errorCode).toBe(0);
    const aborted = await stableUpTo(topic, 2);
    expect(aborted.abortedTransactions).toEqual([{ producerId: producer.producerId, firstOffset: 0 }]);
  });

  it('refuses an older holder of a transactional id, and a batch that is too large, by their codes', async () => {
    const topic = await newTopic({ 'max.message.bytes': '1000' });
    const transactionalId = uniqueName('txn');
    const old = await initProducer(transactionalId);
    const young = await initProducer(transactionalId);
    expect(young.producerId).toBe(old.producerId);
    expect(young.producerEpoch).toBeGreaterThan(old.producerEpoch);
    expect([47, 90]).toContain((await endTxn(transactionalId, old, true)).errorCode);
    const tooLarge = await produce(topic, batchOf(['x'.repeat(2000)], null), null);
    expect(tooLarge.topics[0]!.partitions[0]!.errorCode).toBe(10);
  });

  it('reads within a fetch session that tells only what changed', async () => {
    const topic = await newTopic();
    await produce(topic, batchOf(['one'], null), null);
    const first = await fetchFrom(topic, 0, { sessionId: 0, sessionEpoch: 0 });
    expect(first.errorCode).toBe(0);
    expect(first.sessionId).toBeGreaterThan(0);
    expect(first.topics[0]!.topicId).toBe(topic.topicId);
    const inSession = {
      maxWaitMs: 100,
      minBytes: 1,
      maxBytes: 50_000_000,
      isolation: 'read_committed' as const,
      sessionId: first.sessionId,
      forgottenTopics: [],
      rackId: '',
    };
    const moved = await fetchFrom(topic, 1, { sessionId: first.sessionId, sessionEpoch: 1 });
    expect(
      moved.topics.flatMap(({ partitions }) => partitions).every(({ records }) => !records?.length),
    ).toBe(true);
    await produce(topic, batchOf(['two', 'three'], null), null);
    const changed = await rpc.call(
      nodeId,
      'Fetch',
      { ...inSession, sessionEpoch: 2, topics: [] },
      { lane: 'fetch' },
    );
    expect(readRecordBatches(changed.topics[0]!.partitions[0]!.records!)[0]).toMatchObject({
      baseOffset: 1,
      recordCount: 2,
    });
    const wrong = await rpc.call(
      nodeId,
      'Fetch',
      { ...inSession, sessionEpoch: 9, topics: [] },
      { lane: 'fetch' },
    );
    expect(wrong.errorCode).toBe(INVALID_FETCH_SESSION_EPOCH);
    const forgotten = await rpc.call(
      nodeId,
      'Fetch',
      { ...inSession, sessionEpoch: 3, topics: [], forgottenTopics: [{ ...topic, partitions: [0] }] },
      { lane: 'fetch' },
    );
    expect(forgotten.topics).toEqual([]);
    // A session that has nothing left to read is closed by the broker.
    expect(forgotten.sessionId).toBe(0);
  });

  it('answers offsets by end, start and time, deletes records below one, and knows the leader epoch', async () => {
    const topic = await newTopic();
    await produce(topic, batchOf(['one', 'two', 'three'], null), null);
    const offsetAt = async (timestamp: number): Promise<{ offset: number; leaderEpoch: number }> => {
      const answer = await rpc.call(nodeId, 'ListOffsets', {
        isolation: 'read_committed',
        topics: [{ name: topic.name, partitions: [{ partition: 0, currentLeaderEpoch: -1, timestamp }] }],
      });
      expect(answer.topics[0]!.partitions[0]!.errorCode).toBe(0);
      return answer.topics[0]!.partitions[0]!;
    };
    expect((await offsetAt(-1)).offset).toBe(3);
    expect((await offsetAt(-2)).offset).toBe(0);
    expect((await offsetAt(TIMESTAMP_MS)).offset).toBe(0);
    expect((await offsetAt(TIMESTAMP_MS + 1)).offset).toBe(-1);
    const deleted = await rpc.call(nodeId, 'DeleteRecords', {
      timeoutMs: 10_000,
      topics: [{ name: topic.name, partitions: [{ partition: 0, offset: 2 }] }],
    });
    expect(deleted.topics[0]!.partitions[0]).toEqual({ partition: 0, lowWatermark: 2, errorCode: 0 });
    expect((await offsetAt(-2)).offset).toBe(2);
    const { leaderEpoch } = await offsetAt(-1);
    const ended = await rpc.call(nodeId, 'OffsetForLeaderEpoch', {
      topics: [{ name: topic.name, partitions: [{ partition: 0, currentLeaderEpoch: -1, leaderEpoch }] }],
    });
    expect(ended.topics[0]!.partitions[0]).toEqual({ partition: 0, errorCode: 0, leaderEpoch, endOffset: 3 });
  });

  it('joins a group, is described in it, commits under its generation and leaves', async () => {
    const topic = await newTopic();
    const groupId = uniqueName('group');
    const join = (memberId: string): ReturnType<typeof rpc.call<'JoinGroup'>> =>
      patiently(
        () =>
          rpc.call(
            nodeId,
            'JoinGroup',
            {
              groupId,
              sessionTimeoutMs: 10_000,
              rebalanceTimeoutMs: 10_000,
              memberId,
              groupInstanceId: null,
              protocolType: 'consumer',
              protocols: [{ name: 'millrace', metadata: Buffer.from([0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 7, 7]) }],
              reason: 'spec',
            },
            { lane: 'group' },
          ),
        ({ errorCode }) => errorCode,
      );
    const asked = await join('');
    expect(asked.errorCode).toBe(MEMBER_ID_REQUIRED);
    const joined = await join(asked.memberId);
    expect(joined).toMatchObject({
      errorCode: 0,
      generationId: 1,
      protocolName: 'millrace',
      leader: asked.memberId,
      memberId: asked.memberId,
      skipAssignment: false,
    });
    expect(joined.members.map(({ memberId }) => memberId)).toEqual([asked.memberId]);
    const me = { groupId, generationId: 1, memberId: asked.memberId, groupInstanceId: null };
    const assignment = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    const synced = await rpc.call(
      nodeId,
      'SyncGroup',
      {
        ...me,
        protocolType: 'consumer',
        protocolName: 'millrace',
        assignments: [{ memberId: asked.memberId, assignment }],
      },
      { lane: 'group' },
    );
    expect(synced).toEqual({ errorCode: 0, assignment });
    expect(await rpc.call(nodeId, 'Heartbeat', me, { lane: 'group' })).toEqual({ errorCode: 0 });
    const described = await rpc.call(nodeId, 'DescribeGroups', { groupIds: [groupId] });
    expect(described.groups[0]).toMatchObject({
      errorCode: 0,
      groupId,
      groupState: 'Stable',
      protocolType: 'consumer',
      protocolName: 'millrace',
    });
    expect(described.groups[0]!.members[0]).toMatchObject({
      memberId: asked.memberId,
      clientId: 'kafka-rpc-spec',
    });
    const committed = await rpc.call(nodeId, 'OffsetCommit', {
      ...me,
      topics: [
        {
          name: topic.name,
          partitions: [
            { partition: 0, committedOffset: 5, committedLeaderEpoch: -1, committedMetadata: 'm' },
          ],
        },
      ],
    });
    expect(committed.topics[0]!.partitions).toEqual([{ partition: 0, errorCode: 0 }]);
    const all = await rpc.call(nodeId, 'OffsetFetch', { groupId, topics: null, requireStable: false });
    expect(all).toMatchObject({
      errorCode: 0,
      topics: [{ name: topic.name, partitions: [{ partition: 0, committedOffset: 5, metadata: 'm' }] }],
    });
    const left = await rpc.call(nodeId, 'LeaveGroup', {
      groupId,
      members: [{ memberId: asked.memberId, groupInstanceId: null, reason: 'done' }],
    });
    expect(left).toEqual({ errorCode: 0, members: [{ memberId: asked.memberId, errorCode: 0 }] });
    expect((await rpc.call(nodeId, 'Heartbeat', me, { lane: 'group' })).errorCode).toBe(25);
  });
});
