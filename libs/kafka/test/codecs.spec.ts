import { describe, expect, it } from '@jest/globals';
import type { ApiName, RpcAnswers, RpcRequests } from '#libs/broker';
import { CODECS, type Codec } from '../src/codecs/index.ts';
import { apiVersions, saslAuthenticate, saslHandshake } from '../src/codecs/handshake.ts';
import { Reader } from '../src/wire/reader.ts';
import { Writer } from '../src/wire/writer.ts';
import { goldenHex } from './golden.ts';

const TOPIC_ID = '000102030405060708090a0b0c0d0e0f';
const NO_TOPIC_ID = '0'.repeat(32);
const EXACT_ID = 9007199254740993n;

function encoded<Request>(codec: Codec<Request, unknown>, request: Request, version: number): string {
  const writer = new Writer();
  codec.encode(writer, request, version);
  const frame = Buffer.concat(writer.finish());
  expect(frame.readInt32BE(0)).toBe(frame.length - 4);
  return frame.subarray(4).toString('hex');
}

function decoded<Answer>(codec: Codec<never, Answer>, hex: string, version: number): Answer {
  const reader = new Reader(Buffer.from(hex, 'hex'));
  const answer = codec.decode(reader, version);
  reader.end();
  return answer;
}

/** What a case says: with this version, at this place among the golden messages of its name. */
interface Case<T> {
  readonly version: number;
  readonly occurrence?: number;
  readonly message: T;
}

const REQUESTS: { readonly [K in ApiName]: readonly Case<RpcRequests[K]>[] } = {
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
  DescribeGroups: [{ version: 5, message: { groupIds: ['app'] } }],
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

const ANSWERS: { readonly [K in ApiName]: readonly Case<RpcAnswers[K]>[] } = {
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

const APIS = Object.keys(CODECS) as ApiName[];

describe('request codecs', () => {
  for (const api of APIS) {
    const codec = CODECS[api] as Codec<unknown, unknown>;
    for (const { version, occurrence, message } of REQUESTS[api]) {
      it(`write ${api} version ${version} (${occurrence ?? 0}) byte for byte as Kafka does`, () => {
        expect(encoded(codec, message as unknown, version)).toBe(
          goldenHex(`${api}Request`, version, occurrence),
        );
        if (codec.version !== undefined) expect(codec.version(message as unknown)).toBe(version);
      });
    }
  }
});

describe('answer codecs', () => {
  for (const api of APIS) {
    const codec = CODECS[api] as Codec<never, unknown>;
    for (const { version, occurrence, message } of ANSWERS[api]) {
      const hex = goldenHex(`${api}Response`, version, occurrence);
      it(`read ${api} version ${version} as Kafka writes it`, () => {
        expect(decoded(codec, hex, version)).toEqual(message);
      });
      it(`refuse ${api} version ${version} cut off at any byte`, () => {
        for (let length = 0; length < hex.length; length += 2) {
          expect(() => decoded(codec, hex.slice(0, length), version)).toThrow();
        }
      });
    }
  }

  it('give the records of a fetch as a view on the answer', () => {
    const frame = Buffer.from(goldenHex('FetchResponse', 17), 'hex');
    const records = CODECS.Fetch.decode(new Reader(frame), 17).topics[0]!.partitions[0]!.records!;
    expect(records.buffer).toBe(frame.buffer);
  });

  it('write record batches to the frame without copying them', () => {
    const batch = Buffer.alloc(1 << 20);
    const writer = new Writer();
    CODECS.Produce.encode(
      writer,
      {
        transactionalId: null,
        acks: -1,
        timeoutMs: 1,
        transactionVersion2: false,
        topics: [{ name: 't', partitions: [{ partition: 0, records: [batch] }] }],
      },
      11,
    );
    expect(writer.finish()[1]).toBe(batch);
  });
});

describe('handshake codecs', () => {
  it('write what Kafka reads', () => {
    const software = { clientSoftwareName: 'millrace', clientSoftwareVersion: '0.1.0' };
    expect(encoded(apiVersions, software, 4)).toBe(goldenHex('ApiVersionsRequest', 4));
    expect(encoded(saslHandshake, { mechanism: 'SCRAM-SHA-256' }, 1)).toBe(
      goldenHex('SaslHandshakeRequest', 1),
    );
    expect(encoded(saslAuthenticate, { authBytes: Buffer.from('\0a\0b') }, 2)).toBe(
      goldenHex('SaslAuthenticateRequest', 2),
    );
  });

  it('read what Kafka writes', () => {
    expect(decoded(apiVersions, goldenHex('ApiVersionsResponse', 4), 4)).toEqual({
      errorCode: 0,
      apiKeys: [
        { apiKey: 0, minVersion: 3, maxVersion: 13 },
        { apiKey: 18, minVersion: 0, maxVersion: 4 },
      ],
      finalizedFeatures: new Map([
        ['metadata.version', 29],
        ['transaction.version', 2],
      ]),
    });
    expect(decoded(saslHandshake, goldenHex('SaslHandshakeResponse', 1), 1)).toEqual({
      errorCode: 33,
      mechanisms: ['PLAIN', 'SCRAM-SHA-512'],
    });
    expect(decoded(saslAuthenticate, goldenHex('SaslAuthenticateResponse', 2), 2)).toEqual({
      errorCode: 0,
      errorMessage: null,
      authBytes: Buffer.from([1]),
      sessionLifetimeMs: 3_600_000,
    });
  });

  it('read the oldest form of ApiVersions, by which an old broker says that it is one', () => {
    expect(decoded(apiVersions, goldenHex('ApiVersionsResponse', 0), 4)).toMatchObject({
      errorCode: 35,
      apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 3 }],
    });
  });
});
