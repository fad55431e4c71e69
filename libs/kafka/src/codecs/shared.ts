// Owns the structures that several APIs share.
import type { OffsetCommitPartition } from '#libs/broker';
import type { Reader } from '../wire/reader.ts';
import type { Writer } from '../wire/writer.ts';

export interface PartitionErrors {
  name: string;
  partitions: { partition: number; errorCode: number }[];
}

/** Topics with an error code for each partition. */
export function readPartitionErrors(reader: Reader): PartitionErrors[] {
  return reader.array(() => {
    const topic = {
      name: reader.string(),
      partitions: reader.array(() => {
        const partition = { partition: reader.int32(), errorCode: reader.int16() };
        reader.tags();
        return partition;
      }),
    };
    reader.tags();
    return topic;
  });
}

/** The offsets of OffsetCommit and TxnOffsetCommit. */
export function writeOffsetCommitTopics(
  writer: Writer,
  topics: readonly { readonly name: string; readonly partitions: readonly OffsetCommitPartition[] }[],
): void {
  writer.array(topics, (topic) => {
    writer.string(topic.name);
    writer.array(topic.partitions, (partition) => {
      writer
        .int32(partition.partition)
        .int64(partition.committedOffset)
        .int32(partition.committedLeaderEpoch)
        .nullableString(partition.committedMetadata)
        .noTags();
    });
    writer.noTags();
  });
}

export interface LeaderIdAndEpoch {
  leaderId: number;
  leaderEpoch: number;
}

/** The tagged field `CurrentLeader` of Produce and Fetch answers. */
export function readLeaderIdAndEpoch(reader: Reader): LeaderIdAndEpoch {
  const leader = { leaderId: reader.int32(), leaderEpoch: reader.int32() };
  reader.tags();
  return leader;
}

export interface NodeEndpoint {
  nodeId: number;
  host: string;
  port: number;
}

/** The tagged field `NodeEndpoints` of Produce and Fetch answers. */
export function readNodeEndpoints(reader: Reader): NodeEndpoint[] {
  return reader.array(() => {
    const endpoint = { nodeId: reader.int32(), host: reader.string(), port: reader.int32() };
    reader.nullableString(); // rack
    reader.tags();
    return endpoint;
  });
}

export function isolationLevel(isolation: 'read_uncommitted' | 'read_committed'): number {
  return isolation === 'read_committed' ? 1 : 0;
}
