// Owns the messages whose bytes Kafka itself wrote: what our codecs must write and read. See fixtures/GoldenMessages.java.
import type { Case } from './golden-requests.ts';
import type { ApiName, RpcAnswers } from '#libs/broker';

const TOPIC_ID = '000102030405060708090a0b0c0d0e0f';
const NO_TOPIC_ID = '0'.repeat(32);
const EXACT_ID = 9007199254740993n;

export const ANSWERS: { readonly [K in ApiName]: readonly Case<RpcAnswers[K]>[] } = {
  Metadata: [
    {
      version: 12,
      message: {
        clusterId: 'cluster',
        controllerId: 2,
        brokers: [
          { nodeId: 1, host: 'a.example', port: 9092, rack: 'r1' },
          { nodeId: 2, host: 'b.example', port: 9093, rack: null },
        ],
        topics: [
          {
            errorCode: 0,
            name: 'flights',
            topicId: TOPIC_ID,
            isInternal: false,
            partitions: [
              {
                errorCode: 0,
                partition: 0,
                leaderId: 1,
                leaderEpoch: 7,
                replicaNodes: [1, 2],
                isrNodes: [1],
              },
            ],
          },
          { errorCode: 3, name: 'gone', topicId: NO_TOPIC_ID, isInternal: false, partitions: [] },
        ],
      },
    },
  ],
  FindCoordinator: [
    { version: 6, message: { errorCode: 0, errorMessage: null, nodeId: 3, host: 'c.example', port: 9094 } },
  ],
  InitProducerId: [{ version: 5, message: { errorCode: 0, producerId: EXACT_ID, producerEpoch: 12 } }],
  Produce: [
    {
      version: 12,
      message: {
        throttleTimeMs: 17,
        topics: [
          {
            name: 'flights',
            partitions: [
              {
                partition: 0,
                errorCode: 0,
                errorMessage: null,
                baseOffset: 1_234_567_890_123,
                logAppendTimeMs: -1,
                logStartOffset: 5,
                recordErrors: [],
              },
              {
                partition: 1,
                errorCode: 6,
                errorMessage: 'not leader',
                baseOffset: -1,
                logAppendTimeMs: -1,
                logStartOffset: -1,
                recordErrors: [{ batchIndex: 2, message: 'bad' }],
                currentLeader: { leaderId: 4, leaderEpoch: 9 },
              },
            ],
          },
        ],
      },
    },
  ],
  AddPartitionsToTxn: [
    {
      version: 3,
      message: {
        errorCode: 0,
        topics: [
          {
            name: 'flights',
            partitions: [
              { partition: 0, errorCode: 0 },
              { partition: 5, errorCode: 51 },
            ],
          },
        ],
      },
    },
  ],
  AddOffsetsToTxn: [{ version: 4, message: { errorCode: 51 } }],
  TxnOffsetCommit: [
    {
      version: 5,
      message: {
        topics: [
          {
            name: 'flights',
            partitions: [
              { partition: 2, errorCode: 0 },
              { partition: 3, errorCode: 22 },
            ],
          },
        ],
      },
    },
  ],
  EndTxn: [
    { version: 5, message: { errorCode: 0, producerId: 78n, producerEpoch: 0 } },
    { version: 4, message: { errorCode: 90, producerId: -1n, producerEpoch: -1 } },
  ],
  Fetch: [
    {
      version: 17,
      message: {
        errorCode: 0,
        sessionId: 99,
        throttleTimeMs: 2,
        topics: [
          {
            topicId: TOPIC_ID,
            partitions: [
              {
                partition: 1,
                errorCode: 0,
                highWatermark: 20,
                lastStableOffset: 18,
                logStartOffset: 3,
                abortedTransactions: [
                  { producerId: 77n, firstOffset: 12 },
                  { producerId: EXACT_ID, firstOffset: 14 },
                ],
                preferredReadReplica: 2,
                records: Buffer.from([1, 2, 3, 4]),
              },
              {
                partition: 2,
                errorCode: 74,
                highWatermark: -1,
                lastStableOffset: -1,
                logStartOffset: -1,
                divergingEpoch: { epoch: 4, endOffset: 40 },
                currentLeader: { leaderId: 5, leaderEpoch: 11 },
                abortedTransactions: [],
                preferredReadReplica: -1,
                records: null,
              },
            ],
          },
        ],
        nodeEndpoints: [{ nodeId: 5, host: 'e.example', port: 9096 }],
      },
    },
  ],
  ListOffsets: [
    {
      version: 9,
      message: {
        topics: [
          {
            name: 'flights',
            partitions: [{ partition: 0, errorCode: 0, timestamp: -1, offset: 42, leaderEpoch: 3 }],
          },
        ],
      },
    },
  ],
  OffsetForLeaderEpoch: [
    {
      version: 4,
      message: {
        topics: [
          { name: 'flights', partitions: [{ partition: 0, errorCode: 0, leaderEpoch: 3, endOffset: 41 }] },
        ],
      },
    },
  ],
  JoinGroup: [
    {
      version: 9,
      message: {
        errorCode: 0,
        generationId: 4,
        protocolName: 'millrace',
        leader: 'm-1',
        memberId: 'm-1',
        skipAssignment: true,
        members: [
          { memberId: 'm-1', groupInstanceId: 'i-1', metadata: Buffer.from([1, 2, 3]) },
          { memberId: 'm-2', groupInstanceId: null, metadata: Buffer.alloc(0) },
        ],
      },
    },
  ],
  SyncGroup: [{ version: 5, message: { errorCode: 27, assignment: Buffer.from([9, 8]) } }],
  Heartbeat: [{ version: 4, message: { errorCode: 27 } }],
  LeaveGroup: [{ version: 5, message: { errorCode: 0, members: [{ memberId: 'm-1', errorCode: 25 }] } }],
  OffsetFetch: [
    {
      version: 9,
      message: {
        errorCode: 0,
        topics: [
          {
            name: 'flights',
            partitions: [
              {
                partition: 0,
                errorCode: 0,
                committedOffset: 42,
                committedLeaderEpoch: 3,
                metadata: 'epoch 9',
              },
              {
                partition: 1,
                errorCode: 88,
                committedOffset: -1,
                committedLeaderEpoch: -1,
                metadata: null,
              },
            ],
          },
        ],
      },
    },
  ],
  OffsetCommit: [
    { version: 9, message: { topics: [{ name: 'flights', partitions: [{ partition: 0, errorCode: 0 }] }] } },
  ],
  DescribeTransactions: [
    {
      version: 0,
      message: {
        transactions: [
          {
            errorCode: 0,
            transactionalId: 'app-one-0',
            state: 'Ongoing',
            timeoutMs: 60_000,
            startTimeMs: 1_700_000_000_000,
            producerId: 4_000n,
            producerEpoch: 7,
            topics: [{ name: 'flights', partitions: [0, 3] }],
          },
          {
            errorCode: 105,
            transactionalId: 'app-two-0',
            state: '',
            timeoutMs: 0,
            startTimeMs: -1,
            producerId: -1n,
            producerEpoch: -1,
            topics: [],
          },
        ],
      },
    },
  ],
  ListTransactions: [1, 2].map((version) => ({
    version,
    message: {
      errorCode: 0,
      transactions: [
        { transactionalId: 'app-one-0', producerId: 4_000n, state: 'Ongoing' },
        { transactionalId: 'app-two-0', producerId: -1n, state: 'PrepareAbort' },
      ],
    },
  })),
  DescribeGroups: [
    {
      version: 5,
      message: {
        groups: [
          {
            errorCode: 0,
            groupId: 'app',
            groupState: 'Stable',
            protocolType: 'consumer',
            protocolName: 'millrace',
            members: [
              {
                memberId: 'm-1',
                groupInstanceId: null,
                clientId: 'millrace',
                clientHost: '/127.0.0.1',
                metadata: Buffer.from([1, 2, 3]),
                assignment: Buffer.from([9, 8]),
              },
            ],
          },
        ],
      },
    },
  ],
  StreamsGroupHeartbeat: [
    {
      version: 0,
      message: {
        errorCode: 0,
        errorMessage: null,
        memberId: 'm-1',
        memberEpoch: 7,
        heartbeatIntervalMs: 5_000,
        acceptableRecoveryLag: 10_000,
        taskOffsetIntervalMs: 60_000,
        status: [{ statusCode: 1, statusDetail: 'Source topics flights are missing.' }],
        activeTasks: [{ subtopologyId: '0', partitions: [0, 2] }],
        standbyTasks: [{ subtopologyId: '1', partitions: [3] }],
        warmupTasks: [],
        endpointInformationEpoch: 4,
        partitionsByUserEndpoint: [
          {
            userEndpoint: { host: '127.0.0.1', port: 58_080 },
            activePartitions: [{ topic: 'flights', partitions: [0, 2] }],
            standbyPartitions: [{ topic: 'app-sums-changelog', partitions: [3] }],
          },
        ],
      },
    },
    {
      version: 0,
      occurrence: 1,
      message: {
        errorCode: 110,
        errorMessage: 'fenced',
        memberId: '',
        memberEpoch: 0,
        heartbeatIntervalMs: 0,
        acceptableRecoveryLag: 0,
        taskOffsetIntervalMs: 0,
        status: null,
        activeTasks: null,
        standbyTasks: null,
        warmupTasks: null,
        endpointInformationEpoch: 0,
        partitionsByUserEndpoint: null,
      },
    },
  ],
  StreamsGroupDescribe: [
    {
      version: 0,
      message: {
        groups: [
          {
            errorCode: 0,
            errorMessage: null,
            groupId: 'app',
            groupState: 'Stable',
            groupEpoch: 9,
            assignmentEpoch: 8,
            topology: {
              epoch: 0,
              subtopologies: [
                {
                  subtopologyId: '1',
                  sourceTopics: ['carriers'],
                  repartitionSinkTopics: ['app-x-repartition'],
                  stateChangelogTopics: [
                    { name: 'app-sums-changelog', partitions: 4, replicationFactor: 0, topicConfigs: [] },
                  ],
                  repartitionSourceTopics: [
                    {
                      name: 'app-by-carrier-repartition',
                      partitions: 4,
                      replicationFactor: 1,
                      topicConfigs: [{ key: 'retention.ms', value: '-1' }],
                    },
                  ],
                },
              ],
            },
            members: [
              {
                memberId: 'm-1',
                memberEpoch: 7,
                instanceId: null,
                rackId: 'zone-a',
                clientId: 'millrace',
                clientHost: '/127.0.0.1',
                topologyEpoch: 0,
                processId: 'p-1',
                userEndpoint: { host: '127.0.0.1', port: 58_080 },
                clientTags: [{ key: 'millrace.transactional.id', value: 'app-i-0' }],
                taskOffsets: [{ subtopologyId: '1', partition: 3, offset: 41 }],
                taskEndOffsets: [],
                assignment: {
                  activeTasks: [{ subtopologyId: '1', partitions: [0] }],
                  standbyTasks: [],
                  warmupTasks: [],
                },
                targetAssignment: {
                  activeTasks: [{ subtopologyId: '1', partitions: [0, 1] }],
                  standbyTasks: [{ subtopologyId: '1', partitions: [2] }],
                  warmupTasks: [{ subtopologyId: '1', partitions: [3] }],
                },
                isClassic: false,
              },
            ],
          },
          {
            errorCode: 69,
            errorMessage: 'Group other not found.',
            groupId: 'other',
            groupState: 'Dead',
            groupEpoch: 0,
            assignmentEpoch: 0,
            topology: null,
            members: [],
          },
        ],
      },
    },
  ],
  CreateTopics: [
    {
      version: 7,
      message: {
        topics: [
          { name: 'flights', errorCode: 36, errorMessage: 'exists' },
          { name: 'other', errorCode: 0, errorMessage: null },
        ],
      },
    },
  ],
  DeleteTopics: [
    { version: 6, message: { topics: [{ name: 'flights', errorCode: 3, errorMessage: 'unknown' }] } },
  ],
  DeleteRecords: [
    {
      version: 2,
      message: {
        topics: [{ name: 'flights', partitions: [{ partition: 1, lowWatermark: 40, errorCode: 0 }] }],
      },
    },
  ],
  DescribeConfigs: [
    {
      version: 4,
      message: {
        topics: [
          {
            name: 'flights',
            errorCode: 0,
            errorMessage: null,
            configs: [
              { name: 'cleanup.policy', value: 'compact', isDefault: false },
              { name: 'retention.ms', value: '604800000', isDefault: true },
            ],
          },
        ],
      },
    },
  ],
};
