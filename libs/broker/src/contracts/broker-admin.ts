// Owns the contract of administration: topics, configurations, offsets. It retries what is retriable and answers whole.
import type { TopicPartition } from '#libs/core';
import type { IsolationLevel } from './record-reader.ts';
import type { StreamsGroupView } from './streams-group-member.ts';

export interface TopicDescription {
  readonly name: string;
  readonly topicId: string;
  readonly partitionCount: number;
}

export interface NewTopic {
  readonly name: string;
  readonly partitionCount: number;
  /** -1: the broker's default. */
  readonly replicationFactor?: number;
  readonly configs?: Readonly<Record<string, string>>;
}

export interface CommittedOffset {
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

export type OffsetSpec = 'earliest' | 'latest' | { readonly timestampMs: number };

/** A transaction that is open, as its coordinator describes it. */
export interface OpenTransaction {
  readonly transactionalId: string;
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

export interface BrokerAdmin {
  /** By name; a topic that does not exist is absent from the answer. */
  describeTopics(names: readonly string[]): Promise<ReadonlyMap<string, TopicDescription>>;
  listTopics(): Promise<readonly string[]>;
  /** Creates what is missing; one that exists is left as it is (check it with `describeTopics` and `topicConfigs`). Waits until leaders exist. */
  createTopics(topics: readonly NewTopic[]): Promise<void>;
  deleteTopics(names: readonly string[]): Promise<void>;
  topicConfigs(names: readonly string[]): Promise<ReadonlyMap<string, Readonly<Record<string, string>>>>;
  /** Deletes records below the given offsets. */
  deleteRecords(before: readonly (TopicPartition & { readonly offset: number })[]): Promise<void>;
  /**
   * Keyed by `formatTopicPartition`. `latest` under read_committed is the last stable offset, under read_uncommitted the
   * high watermark. A timestamp later than all records answers the latest offset.
   */
  offsets(
    partitions: readonly TopicPartition[],
    spec: OffsetSpec,
    isolation: IsolationLevel,
  ): Promise<ReadonlyMap<string, number>>;
  /**
   * Waits while a transaction with offsets of these partitions is pending (require_stable), unless told not to: then the last
   * committed ones are answered, whatever is pending. Absent: none committed.
   */
  committedOffsets(
    groupId: string,
    partitions: readonly TopicPartition[] | null,
    options?: { readonly requireStable?: boolean },
  ): Promise<ReadonlyMap<string, CommittedOffset>>;
  /**
   * A group whose tasks the broker assigns (KIP-1071); `null`: there is none under this id.
   * @throws FatalError MILLRACE_STREAMS_PROTOCOL_UNSUPPORTED the cluster has no such groups.
   */
  describeStreamsGroup(groupId: string): Promise<StreamsGroupView | null>;
  /** Partitions with an offset in a transaction that is not over: it may be one that nobody will end. Does not wait for that. */
  pendingOffsets(groupId: string, partitions: readonly TopicPartition[]): Promise<readonly TopicPartition[]>;
  /** Those of the ids that have a transaction open. One that is being ended is not: it ends without anybody's help. */
  openTransactions(transactionalIds: readonly string[]): Promise<readonly OpenTransaction[]>;
  /**
   * Aborts this very transaction, in its holder's stead. A holder that has begun anew since is left alone: then it resolves to `false`.
   * Below transaction version 2 that cannot be told apart, and the holder is fenced whoever it is.
   */
  abortTransaction(transaction: OpenTransaction): Promise<boolean>;
  /** Non-transactional commit, for at-least-once and tools. `group` null: as an administrator of an empty group. */
  commitOffsets(
    groupId: string,
    offsets: readonly (TopicPartition & CommittedOffset)[],
    member: {
      readonly generationId: number;
      readonly memberId: string;
      readonly groupInstanceId: string | null;
    } | null,
  ): Promise<void>;
}
