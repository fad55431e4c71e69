// Codecs of offsets: ListOffsets, OffsetForLeaderEpoch, OffsetFetch, OffsetCommit.
import type {
  ListOffsetsAnswer,
  ListOffsetsRequest,
  OffsetCommitAnswer,
  OffsetCommitRequest,
  OffsetFetchAnswer,
  OffsetFetchRequest,
  OffsetForLeaderEpochAnswer,
  OffsetForLeaderEpochRequest,
} from '#libs/broker';
import { MalformedFrame } from '../wire/reader.ts';
import type { Codec } from './codec.ts';
import { isolationLevel, readPartitionErrors, writeOffsetCommitTopics } from './shared.ts';

/** What a consumer says in the place where a follower names itself. */
const CONSUMER_REPLICA_ID = -1;

export const listOffsets: Codec<ListOffsetsRequest, ListOffsetsAnswer> = {
  name: 'ListOffsets',
  apiKey: 2,
  minVersion: 9,
  maxVersion: 9,
  encode(writer, request) {
    writer.int32(CONSUMER_REPLICA_ID).int8(isolationLevel(request.isolation));
    writer.array(request.topics, (topic) => {
      writer.string(topic.name);
      writer.array(topic.partitions, (partition) => {
        writer
          .int32(partition.partition)
          .int32(partition.currentLeaderEpoch)
          .int64(partition.timestamp)
          .noTags();
      });
      writer.noTags();
    });
    writer.noTags();
  },
  decode(reader) {
    reader.int32(); // throttle time
    const topics = reader.array(() => {
      const topic = {
        name: reader.string(),
        partitions: reader.array(() => {
          const partition = {
            partition: reader.int32(),
            errorCode: reader.int16(),
            timestamp: reader.int64(),
            offset: reader.int64(),
            leaderEpoch: reader.int32(),
          };
          reader.tags();
          return partition;
        }),
      };
      reader.tags();
      return topic;
    });
    reader.tags();
    return { topics };
  },
};

export const offsetForLeaderEpoch: Codec<OffsetForLeaderEpochRequest, OffsetForLeaderEpochAnswer> = {
  name: 'OffsetForLeaderEpoch',
  apiKey: 23,
  minVersion: 4,
  maxVersion: 4,
  encode(writer, request) {
    writer.int32(CONSUMER_REPLICA_ID);
    writer.array(request.topics, (topic) => {
      writer.string(topic.name);
      writer.array(topic.partitions, (partition) => {
        writer
          .int32(partition.partition)
          .int32(partition.currentLeaderEpoch)
          .int32(partition.leaderEpoch)
          .noTags();
      });
      writer.noTags();
    });
    writer.noTags();
  },
  decode(reader) {
    reader.int32(); // throttle time
    const topics = reader.array(() => {
      const topic = {
        name: reader.string(),
        partitions: reader.array(() => {
          const errorCode = reader.int16();
          const partition = reader.int32();
          const leaderEpoch = reader.int32();
          const endOffset = reader.int64();
          reader.tags();
          return { partition, errorCode, leaderEpoch, endOffset };
        }),
      };
      reader.tags();
      return topic;
    });
    reader.tags();
    return { topics };
  },
};

export const offsetFetch: Codec<OffsetFetchRequest, OffsetFetchAnswer> = {
  name: 'OffsetFetch',
  apiKey: 9,
  minVersion: 9,
  maxVersion: 9,
  encode(writer, request) {
    writer.array([request], (group) => {
      // Member id and epoch are the newer group protocol's (KIP-848).
      writer.string(group.groupId).nullableString(null).int32(-1);
      writer.nullableArray(group.topics, (topic) => {
        writer
          .string(topic.name)
          .array(topic.partitions, (partition) => writer.int32(partition))
          .noTags();
      });
      writer.noTags();
    });
    writer.boolean(request.requireStable).noTags();
  },
  decode(reader) {
    reader.int32(); // throttle time
    const groups = reader.array(() => {
      reader.string(); // group id
      const topics = reader.array(() => {
        const topic = {
          name: reader.string(),
          partitions: reader.array(() => {
            const partition = reader.int32();
            const committedOffset = reader.int64();
            const committedLeaderEpoch = reader.int32();
            const metadata = reader.nullableString();
            const errorCode = reader.int16();
            reader.tags();
            return { partition, errorCode, committedOffset, committedLeaderEpoch, metadata };
          }),
        };
        reader.tags();
        return topic;
      });
      const errorCode = reader.int16();
      reader.tags();
      return { errorCode, topics };
    });
    reader.tags();
    const group = groups[0];
    if (group === undefined) throw new MalformedFrame('no group is answered for the one asked');
    return group;
  },
};

export const offsetCommit: Codec<OffsetCommitRequest, OffsetCommitAnswer> = {
  name: 'OffsetCommit',
  apiKey: 8,
  minVersion: 9,
  maxVersion: 9,
  encode(writer, request) {
    writer
      .string(request.groupId)
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
