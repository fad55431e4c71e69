// Codec of Fetch by topic id (KIP-516) with fetch sessions (KIP-227). Records stay bytes: views on the answer's frame.
import type { FetchAnswer, FetchRequest } from '#libs/broker';
import type { Codec } from './codec.ts';
import { isolationLevel, readLeaderIdAndEpoch, readNodeEndpoints, type NodeEndpoint } from './shared.ts';

type FetchedPartition = FetchAnswer['topics'][number]['partitions'][number];
type MutablePartition = { -readonly [K in keyof FetchedPartition]: FetchedPartition[K] };

export const fetch: Codec<FetchRequest, FetchAnswer> = {
  name: 'Fetch',
  apiKey: 1,
  minVersion: 17,
  maxVersion: 17,
  encode(writer, request) {
    writer
      .int32(request.maxWaitMs)
      .int32(request.minBytes)
      .int32(request.maxBytes)
      .int8(isolationLevel(request.isolation))
      .int32(request.sessionId)
      .int32(request.sessionEpoch);
    writer.array(request.topics, (topic) => {
      writer.uuid(topic.topicId);
      writer.array(topic.partitions, (partition) => {
        writer
          .int32(partition.partition)
          .int32(partition.currentLeaderEpoch)
          .int64(partition.fetchOffset)
          .int32(partition.lastFetchedEpoch)
          .int64(partition.logStartOffset)
          .int32(partition.partitionMaxBytes)
          .noTags();
      });
      writer.noTags();
    });
    writer.array(request.forgottenTopics, (topic) => {
      writer
        .uuid(topic.topicId)
        .array(topic.partitions, (partition) => writer.int32(partition))
        .noTags();
    });
    writer.string(request.rackId).noTags();
  },
  decode(reader) {
    const throttleTimeMs = reader.int32();
    const errorCode = reader.int16();
    const sessionId = reader.int32();
    const topics = reader.array(() => {
      const topic = {
        topicId: reader.uuid(),
        partitions: reader.array(() => {
          const partition: MutablePartition = {
            partition: reader.int32(),
            errorCode: reader.int16(),
            highWatermark: reader.int64(),
            lastStableOffset: reader.int64(),
            logStartOffset: reader.int64(),
            abortedTransactions:
              reader.nullableArray(() => {
                const aborted = { producerId: reader.int64Exact(), firstOffset: reader.int64() };
                reader.tags();
                return aborted;
              }) ?? [],
            preferredReadReplica: reader.int32(),
            records: reader.nullableBytes(),
          };
          reader.tags((tag) => {
            if (tag === 0) {
              partition.divergingEpoch = { epoch: reader.int32(), endOffset: reader.int64() };
            } else if (tag === 1) {
              partition.currentLeader = readLeaderIdAndEpoch(reader);
            }
          });
          return partition;
        }),
      };
      reader.tags();
      return topic;
    });
    let nodeEndpoints: NodeEndpoint[] = [];
    reader.tags((tag) => {
      if (tag === 0) nodeEndpoints = readNodeEndpoints(reader);
    });
    return { errorCode, sessionId, throttleTimeMs, topics, nodeEndpoints };
  },
};
