// Owns the contract of administration: topics, configurations, offsets. It retries what is retriable and answers whole.
import type { TopicPartition } from '#libs/core';
import type { IsolationLevel } from './record-reader.ts';
import type { StreamsGroupView, StreamsTasks } from './streams-group-member.ts';

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

/** A transactional id and the identity that its coordinator knows it under. */
export interface TransactionIdentity {
  readonly transactionalId: string;
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/** The last transaction of an id, as its coordinator describes it. */
export interface TransactionView extends TransactionIdentity {
  /**
   * `unused`: the identity is new, nothing was written under it. `ending`: it ends without anybody's help. `ended`: committed or aborted;
   * its holder goes on under this identity.
   */
  readonly phase: 'unused' | 'open' | 'ending' | 'ended';
  /** By the coordinator's clock, milliseconds; -1: none is open. */
  readonly startedAtMs: number;
  /**
   * What it has reached; offsets of a group as a partition of `__consumer_offsets`. Topics that the caller may not describe are left
   * out, and with plain permissions `__consumer_offsets` is one (Kafka's KafkaApis).
   */
  readonly partitions: readonly TopicPartition[];
}

/** A member of a group as the coordinator describes it. */
export interface GroupMemberView {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  /** Of a classic group: what it was assigned. */
  readonly partitions: readonly TopicPartition[];
  /** Of a streams group: what it was told to run. */
  readonly tasks: StreamsTasks | null;
  /** Of a classic group: the assignor's own part of the assignment. */
  readonly userData: Uint8Array | null;
}

export interface GroupView {
  readonly groupId: string;
  readonly type: 'classic' | 'streams';
  /** As Kafka names it: `Empty`, `Stable`, `Dead` (there is none), … */
  readonly state: string;
  readonly members: readonly GroupMemberView[];
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
  /** Who is in a group, of the classic protocol or of KIP-1071. Consumer groups of KIP-848 read as absent. */
  describeGroup(groupId: string): Promise<GroupView>;
  /** Puts the members out that `group` names; who lives joins again. Members that are gone already are passed over. */
  removeMembers(group: GroupView): Promise<void>;
  /** Partitions with an offset in a transaction that is not over: it may be one that nobody will end. Does not wait for that. */
  pendingOffsets(groupId: string, partitions: readonly TopicPartition[]): Promise<readonly TopicPartition[]>;
  /** Of each id its last transaction; ids that no coordinator knows are absent. */
  transactions(transactionalIds: readonly string[]): Promise<readonly TransactionView[]>;
  /**
   * Ids that begin with `prefix` and have a transaction open, of all that the caller may describe. Every broker is asked once; what one
   * without an answer coordinates is missing.
   */
  openTransactionalIds(prefix: string): Promise<readonly string[]>;
  /**
   * Aborts what is open under this identity, and ends the identity: its holder writes no more under it. A holder that has begun anew since is
   * left alone: then it resolves to `false`. Below transaction version 2 it is left alone only while it has nothing open.
   */
  abortTransaction(identity: TransactionIdentity): Promise<boolean>;
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
