// Owns the messages whose bytes Kafka itself wrote: what our codecs must write and read. See fixtures/GoldenMessages.java.
import type { ApiName, RpcRequests } from '#libs/broker';

const TOPIC_ID = '000102030405060708090a0b0c0d0e0f';

/** A heartbeat of a streams group that says nothing new. */
const UNCHANGED: Omit<RpcRequests['StreamsGroupHeartbeat'], 'memberEpoch'> = {
  groupId: 'app',
  memberId: 'm-1',
  endpointInformationEpoch: 3,
  instanceId: null,
  rackId: null,
  rebalanceTimeoutMs: -1,
  topology: null,
  activeTasks: null,
  standbyTasks: null,
  warmupTasks: null,
  processId: null,
  userEndpoint: null,
  clientTags: null,
  taskOffsets: null,
  taskEndOffsets: null,
  shutdownApplication: false,
};

/** What a case says: with this version, at this place among the golden messages of its name. */
export interface Case<T> {
  readonly version: number;
  readonly occurrence?: number;
  readonly message: T;
}

export const REQUESTS: { readonly [K in ApiName]: readonly Case<RpcRequests[K]>[] } = {
  Metadata: [
    { version: 12, message: { topics: ['flights', 'Zürich'] } },
    { version: 12, occurrence: 1, message: { topics: null } },
  ],
  FindCoordinator: [{ version: 6, message: { keyType: 'transaction', key: 'app-0' } }],
  InitProducerId: [
    {
      version: 5,
      message: { transactionalId: 'app-0', transactionTimeoutMs: 60_000, producerId: -1n, producerEpoch: -1 },
    },
  ],
  Produce: [
    {
      version: 11,
      message: {
        transactionalId: null,
        acks: -1,
        timeoutMs: 30_000,
        transactionVersion2: false,
        topics: [
          { name: 'flights', partitions: [{ partition: 0, records: [Buffer.from([1, 2, 3, 4, 5])] }] },
        ],
      },
    },
    {
      version: 12,
      message: {
        transactionalId: 'app-0',
        acks: -1,
        timeoutMs: 30_000,
        transactionVersion2: true,
        topics: [
          {
            name: 'flights',
            partitions: [
              { partition: 0, records: [Buffer.from([1, 2, 3]), Buffer.from([4, 5])] },
              { partition: 7, records: [Buffer.from([6, 7])] },
            ],
          },
          { name: 'airports', partitions: [{ partition: 1, records: [Buffer.from([8])] }] },
        ],
      },
    },
  ],
  AddPartitionsToTxn: [
    {
      version: 3,
      message: {
        transactionalId: 'app-0',
        producerId: 77n,
        producerEpoch: 3,
        topics: [{ name: 'flights', partitions: [0, 5] }],
      },
    },
  ],
  AddOffsetsToTxn: [
    { version: 4, message: { transactionalId: 'app-0', producerId: 77n, producerEpoch: 3, groupId: 'app' } },
  ],
  TxnOffsetCommit: [
    {
      version: 5,
      message: {
        transactionalId: 'app-0',
        groupId: 'app',
        producerId: 77n,
        producerEpoch: 3,
        generationId: 8,
        memberId: 'm-1',
        groupInstanceId: 'i-1',
        transactionVersion2: true,
        topics: [
          {
            name: 'flights',
            partitions: [
              {
                partition: 2,
                committedOffset: 5_000_000_000,
                committedLeaderEpoch: 4,
                committedMetadata: 'epoch 9',
              },
              { partition: 3, committedOffset: 1, committedLeaderEpoch: -1, committedMetadata: null },
            ],
          },
        ],
      },
    },
    {
      version: 4,
      message: {
        transactionalId: 'app-0',
        groupId: 'app',
        producerId: 77n,
        producerEpoch: 3,
        generationId: -1,
        memberId: '',
        groupInstanceId: null,
        transactionVersion2: false,
        topics: [],
      },
    },
  ],
  EndTxn: [
    {
      version: 5,
      message: {
        transactionalId: 'app-0',
        producerId: 77n,
        producerEpoch: 3,
        committed: true,
        transactionVersion2: true,
      },
    },
    {
      version: 4,
      message: {
        transactionalId: 'app-0',
        producerId: 77n,
        producerEpoch: 3,
        committed: false,
        transactionVersion2: false,
      },
    },
  ],
  Fetch: [
    {
      version: 17,
      message: {
        maxWaitMs: 500,
        minBytes: 1,
        maxBytes: 52_428_800,
        isolation: 'read_committed',
        sessionId: 99,
        sessionEpoch: 3,
        topics: [
          {
            name: 'flights',
            topicId: TOPIC_ID,
            partitions: [
              {
                partition: 1,
                currentLeaderEpoch: 6,
                fetchOffset: 4_294_967_297,
                lastFetchedEpoch: 5,
                logStartOffset: -1,
                partitionMaxBytes: 1_048_576,
              },
            ],
          },
        ],
        forgottenTopics: [{ name: 'flights', topicId: TOPIC_ID, partitions: [2, 3] }],
        rackId: 'r1',
      },
    },
  ],
  ListOffsets: [
    {
      version: 9,
      message: {
        isolation: 'read_committed',
        topics: [
          {
            name: 'flights',
            partitions: [
              { partition: 0, currentLeaderEpoch: -1, timestamp: -1 },
              { partition: 1, currentLeaderEpoch: 3, timestamp: 1_700_000_000_000 },
            ],
          },
        ],
      },
    },
  ],
  OffsetForLeaderEpoch: [
    {
      version: 4,
      message: {
        topics: [{ name: 'flights', partitions: [{ partition: 0, currentLeaderEpoch: 4, leaderEpoch: 3 }] }],
      },
    },
  ],
  JoinGroup: [
    {
      version: 9,
      message: {
        groupId: 'app',
        sessionTimeoutMs: 45_000,
        rebalanceTimeoutMs: 300_000,
        memberId: 'm-1',
        groupInstanceId: null,
        protocolType: 'consumer',
        protocols: [{ name: 'millrace', metadata: Buffer.from([1, 2, 3]) }],
        reason: 'rejoin',
      },
    },
  ],
  SyncGroup: [
    {
      version: 5,
      message: {
        groupId: 'app',
        generationId: 4,
        memberId: 'm-1',
        groupInstanceId: 'i-1',
        protocolType: 'consumer',
        protocolName: 'millrace',
        assignments: [{ memberId: 'm-1', assignment: Buffer.from([9, 8]) }],
      },
    },
  ],
  Heartbeat: [
    { version: 4, message: { groupId: 'app', generationId: 4, memberId: 'm-1', groupInstanceId: null } },
  ],
  LeaveGroup: [
    {
      version: 5,
      message: {
        groupId: 'app',
        members: [{ memberId: 'm-1', groupInstanceId: 'i-1', reason: 'closing' }],
      },
    },
  ],
  OffsetFetch: [
    {
      version: 9,
      message: { groupId: 'app', topics: [{ name: 'flights', partitions: [0, 1] }], requireStable: true },
    },
    { version: 9, occurrence: 1, message: { groupId: 'app', topics: null, requireStable: false } },
  ],
  OffsetCommit: [
    {
      version: 9,
      message: {
        groupId: 'app',
        generationId: 4,
        memberId: 'm-1',
        groupInstanceId: null,
        topics: [
          {
            name: 'flights',
            partitions: [
              { partition: 0, committedOffset: 42, committedLeaderEpoch: 3, committedMetadata: '' },
            ],
          },
        ],
      },
    },
  ],
  DescribeTransactions: [{ version: 0, message: { transactionalIds: ['app-one-0', 'app-two-0'] } }],
  ListTransactions: [
    { version: 1, message: { states: ['Ongoing'], transactionalIdPattern: null } },
    { version: 2, message: { states: ['Ongoing', 'PrepareAbort'], transactionalIdPattern: 'app-.*' } },
    { version: 2, occurrence: 1, message: { states: [], transactionalIdPattern: null } },
  ],
  DescribeGroups: [{ version: 5, message: { groupIds: ['app'] } }],
  StreamsGroupHeartbeat: [
    {
      version: 0,
      message: {
        ...UNCHANGED,
        memberEpoch: 0,
        endpointInformationEpoch: -1,
        rackId: 'zone-a',
        rebalanceTimeoutMs: 300_000,
        topology: {
          epoch: 0,
          subtopologies: [
            {
              subtopologyId: '0',
              sourceTopics: ['flights', 'Zürich'],
              stateChangelogTopics: [],
              repartitionSinkTopics: ['app-by-carrier-repartition'],
              repartitionSourceTopics: [],
              copartitionGroups: [{ sourceTopics: [0, 1], repartitionSourceTopics: [] }],
            },
            {
              subtopologyId: '1',
              sourceTopics: ['carriers'],
              stateChangelogTopics: [
                {
                  name: 'app-sums-changelog',
                  partitions: 0,
                  replicationFactor: 0,
                  topicConfigs: [{ key: 'cleanup.policy', value: 'compact' }],
                },
              ],
              repartitionSinkTopics: [],
              repartitionSourceTopics: [
                {
                  name: 'app-by-carrier-repartition',
                  partitions: 4,
                  replicationFactor: 3,
                  topicConfigs: [
                    { key: 'cleanup.policy', value: 'delete' },
                    { key: 'retention.ms', value: '-1' },
                  ],
                },
              ],
              copartitionGroups: [{ sourceTopics: [0], repartitionSourceTopics: [0] }],
            },
          ],
        },
        activeTasks: [],
        standbyTasks: [],
        warmupTasks: [],
        processId: 'p-1',
        userEndpoint: { host: '127.0.0.1', port: 58_080 },
        clientTags: [{ key: 'zone', value: 'a' }],
      },
    },
    {
      version: 0,
      occurrence: 1,
      message: {
        ...UNCHANGED,
        memberEpoch: 7,
        instanceId: 'i-1',
        activeTasks: [
          { subtopologyId: '0', partitions: [0, 2] },
          { subtopologyId: '1', partitions: [5] },
        ],
        standbyTasks: [{ subtopologyId: '1', partitions: [3] }],
        warmupTasks: [],
        taskOffsets: [{ subtopologyId: '1', partition: 3, offset: 41 }],
        taskEndOffsets: [{ subtopologyId: '1', partition: 3, offset: Number.MAX_SAFE_INTEGER }],
        shutdownApplication: true,
      },
    },
    { version: 0, occurrence: 2, message: { ...UNCHANGED, memberEpoch: -1 } },
  ],
  StreamsGroupDescribe: [{ version: 0, message: { groupIds: ['app', 'other'] } }],
  CreateTopics: [
    {
      version: 7,
      message: {
        timeoutMs: 30_000,
        validateOnly: true,
        topics: [
          {
            name: 'flights',
            numPartitions: 4,
            replicationFactor: -1,
            configs: [
              { name: 'cleanup.policy', value: 'compact' },
              { name: 'retention.ms', value: null },
            ],
          },
        ],
      },
    },
  ],
  DeleteTopics: [{ version: 6, message: { timeoutMs: 30_000, names: ['flights'] } }],
  DeleteRecords: [
    {
      version: 2,
      message: {
        timeoutMs: 30_000,
        topics: [{ name: 'flights', partitions: [{ partition: 1, offset: 40 }] }],
      },
    },
  ],
  DescribeConfigs: [
    {
      version: 4,
      message: {
        topics: [
          { name: 'flights', keys: ['cleanup.policy'] },
          { name: 'airports', keys: null },
        ],
      },
    },
  ],
};
