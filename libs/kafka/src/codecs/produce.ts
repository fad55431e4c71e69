// Codec of Produce. Version 12 (KIP-890) adds the partitions to the transaction implicitly; the wire format is that of 11.
import type { ProduceAnswer, ProduceRequest } from '#libs/broker';
import type { Codec } from './codec.ts';
import { readLeaderIdAndEpoch, type LeaderIdAndEpoch } from './shared.ts';

export const produce: Codec<ProduceRequest, ProduceAnswer> = {
  name: 'Produce',
  apiKey: 0,
  minVersion: 11,
  maxVersion: 12,
  version: (request) => (request.transactionVersion2 ? 12 : 11),
  encode(writer, request) {
    writer.nullableString(request.transactionalId).int16(request.acks).int32(request.timeoutMs);
    writer.array(request.topics, (topic) => {
      writer.string(topic.name);
      writer.array(topic.partitions, (partition) => {
        writer.int32(partition.partition).records(partition.records).noTags();
      });
      writer.noTags();
    });
    writer.noTags();
  },
  decode(reader) {
    const topics = reader.array(() => {
      const topic = {
        name: reader.string(),
        partitions: reader.array(() => {
          const partition: ProduceAnswer['topics'][number]['partitions'][number] = {
            partition: reader.int32(),
            errorCode: reader.int16(),
            baseOffset: reader.int64(),
            logAppendTimeMs: reader.int64(),
            logStartOffset: reader.int64(),
            recordErrors: reader.array(() => {
              const error = { batchIndex: reader.int32(), message: reader.nullableString() };
              reader.tags();
              return error;
            }),
            errorMessage: reader.nullableString(),
          };
          let currentLeader: LeaderIdAndEpoch | undefined;
          reader.tags((tag) => {
            if (tag === 0) currentLeader = readLeaderIdAndEpoch(reader);
          });
          return currentLeader === undefined ? partition : { ...partition, currentLeader };
        }),
      };
      reader.tags();
      return topic;
    });
    const throttleTimeMs = reader.int32();
    reader.tags();
    return { topics, throttleTimeMs };
  },
  unanswered: (request) => (request.acks === 0 ? { topics: [], throttleTimeMs: 0 } : undefined),
};
