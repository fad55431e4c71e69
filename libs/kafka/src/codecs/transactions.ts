// Codecs of the transaction coordinator's APIs: InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, TxnOffsetCommit,
// EndTxn, DescribeTransactions, ListTransactions. The newest version of TxnOffsetCommit and EndTxn belongs to transaction version 2 (KIP-890) and is chosen by the request.
import type {
  AddOffsetsToTxnAnswer,
  AddOffsetsToTxnRequest,
  AddPartitionsToTxnAnswer,
  AddPartitionsToTxnRequest,
  DescribeTransactionsAnswer,
  DescribeTransactionsRequest,
  EndTxnAnswer,
  EndTxnRequest,
  InitProducerIdAnswer,
  InitProducerIdRequest,
  ListTransactionsAnswer,
  ListTransactionsRequest,
  OffsetCommitAnswer,
  TxnOffsetCommitRequest,
} from '#libs/broker';
import type { Codec } from './codec.ts';
import { readPartitionErrors, writeOffsetCommitTopics } from './shared.ts';

export const initProducerId: Codec<InitProducerIdRequest, InitProducerIdAnswer> = {
  name: 'InitProducerId',
  apiKey: 22,
  minVersion: 5,
  maxVersion: 5,
  encode(writer, request) {
    writer
      .nullableString(request.transactionalId)
      .int32(request.transactionTimeoutMs)
      .int64Exact(request.producerId)
      .int16(request.producerEpoch)
      .noTags();
  },
  decode(reader) {
    reader.int32(); // throttle time
    const answer = {
      errorCode: reader.int16(),
      producerId: reader.int64Exact(),
      producerEpoch: reader.int16(),
    };
    reader.tags();
    return answer;
  },
};

export const addPartitionsToTxn: Codec<AddPartitionsToTxnRequest, AddPartitionsToTxnAnswer> = {
  name: 'AddPartitionsToTxn',
  apiKey: 24,
  // Versions 4 and 5 are spoken between brokers only.
  minVersion: 3,
  maxVersion: 3,
  encode(writer, request) {
    writer.string(request.transactionalId).int64Exact(request.producerId).int16(request.producerEpoch);
    writer.array(request.topics, (topic) => {
      writer
        .string(topic.name)
        .array(topic.partitions, (partition) => writer.int32(partition))
        .noTags();
    });
    writer.noTags();
  },
  decode(reader) {
    reader.int32(); // throttle time
    const topics = readPartitionErrors(reader);
    reader.tags();
    // Up to version 3 errors are told per partition only.
    return { errorCode: 0, topics };
  },
};

export const addOffsetsToTxn: Codec<AddOffsetsToTxnRequest, AddOffsetsToTxnAnswer> = {
  name: 'AddOffsetsToTxn',
  apiKey: 25,
  minVersion: 4,
  maxVersion: 4,
  encode(writer, request) {
    writer
      .string(request.transactionalId)
      .int64Exact(request.producerId)
      .int16(request.producerEpoch)
      .string(request.groupId)
      .noTags();
  },
  decode(reader) {
    reader.int32(); // throttle time
    const errorCode = reader.int16();
    reader.tags();
    return { errorCode };
  },
};

export const txnOffsetCommit: Codec<TxnOffsetCommitRequest, OffsetCommitAnswer> = {
  name: 'TxnOffsetCommit',
  apiKey: 28,
  minVersion: 4,
  maxVersion: 5,
  version: (request) => (request.transactionVersion2 ? 5 : 4),
  encode(writer, request) {
    writer
      .string(request.transactionalId)
      .string(request.groupId)
      .int64Exact(request.producerId)
      .int16(request.producerEpoch)
      .int32(request.generationId)
      .string(request.memberId)
      .nullableString(request.groupInstanceId);
    writeOffsetCommitTopics(writer, request.topics);
    writer.noTags();
  },
  decode(reader) {
    reader.int32(); // throttle time
    const topics = readPartitionErrors(reader);
    reader.tags();
    return { topics };
  },
};

export const endTxn: Codec<EndTxnRequest, EndTxnAnswer> = {
  name: 'EndTxn',
  apiKey: 26,
  minVersion: 4,
  maxVersion: 5,
  version: (request) => (request.transactionVersion2 ? 5 : 4),
  encode(writer, request) {
    writer
      .string(request.transactionalId)
      .int64Exact(request.producerId)
      .int16(request.producerEpoch)
      .boolean(request.committed)
      .noTags();
  },
  decode(reader, version) {
    reader.int32(); // throttle time
    const errorCode = reader.int16();
    const producerId = version >= 5 ? reader.int64Exact() : -1n;
    const producerEpoch = version >= 5 ? reader.int16() : -1;
    reader.tags();
    return { errorCode, producerId, producerEpoch };
  },
};

export const describeTransactions: Codec<DescribeTransactionsRequest, DescribeTransactionsAnswer> = {
  name: 'DescribeTransactions',
  apiKey: 65,
  minVersion: 0,
  maxVersion: 0,
  encode(writer, request) {
    writer.array(request.transactionalIds, (id) => writer.string(id)).noTags();
  },
  decode(reader) {
    reader.int32(); // throttle time
    const transactions = reader.array(() => {
      const transaction = {
        errorCode: reader.int16(),
        transactionalId: reader.string(),
        state: reader.string(),
        timeoutMs: reader.int32(),
        startTimeMs: reader.int64(),
        producerId: reader.int64Exact(),
        producerEpoch: reader.int16(),
        topics: reader.array(() => {
          const topic = { name: reader.string(), partitions: reader.array(() => reader.int32()) };
          reader.tags();
          return topic;
        }),
      };
      reader.tags();
      return transaction;
    });
    reader.tags();
    return { transactions };
  },
};

export const listTransactions: Codec<ListTransactionsRequest, ListTransactionsAnswer> = {
  name: 'ListTransactions',
  apiKey: 66,
  minVersion: 1,
  maxVersion: 2,
  encode(writer, request, version) {
    writer.array(request.states, (state) => writer.string(state));
    writer.array([], () => undefined); // producer ids: all
    writer.int64(-1); // however long they have been open
    if (version >= 2) writer.nullableString(request.transactionalIdPattern);
    writer.noTags();
  },
  decode(reader) {
    reader.int32(); // throttle time
    const errorCode = reader.int16();
    reader.array(() => reader.string()); // states that the broker does not know
    const transactions = reader.array(() => {
      const transaction = {
        transactionalId: reader.string(),
        producerId: reader.int64Exact(),
        state: reader.string(),
      };
      reader.tags();
      return transaction;
    });
    reader.tags();
    return { errorCode, transactions };
  },
};
