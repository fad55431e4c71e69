// Owns the administration contract: a thin front over topic-admin and offset-admin.
import type { TopicPartition } from '#libs/core';
import type { Cluster } from '../cluster/index.ts';
import type {
  BrokerAdmin,
  CommittedOffset,
  GroupView,
  NewTopic,
  OffsetSpec,
  TopicDescription,
  TransactionIdentity,
  TransactionView,
} from '../contracts/broker-admin.ts';
import type { IsolationLevel } from '../contracts/record-reader.ts';
import type { StreamsGroupView } from '../contracts/streams-group-member.ts';
import { describeStreamsGroup, refuseWithoutStreams } from '../streams-group/index.ts';
import { adminRetry } from './admin-retry.ts';
import * as groups from './group-admin.ts';
import * as offsets from './offset-admin.ts';
import type { CommittingMember } from './offset-admin.ts';
import * as topics from './topic-admin.ts';
import * as transactions from './transaction-admin.ts';

export class KafkaBrokerAdmin implements BrokerAdmin {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  describeTopics(names: readonly string[]): Promise<ReadonlyMap<string, TopicDescription>> {
    return topics.describeTopics(this.#cluster, names);
  }

  listTopics(): Promise<readonly string[]> {
    return topics.listTopics(this.#cluster);
  }

  createTopics(newTopics: readonly NewTopic[]): Promise<void> {
    return topics.createTopics(this.#cluster, newTopics);
  }

  deleteTopics(names: readonly string[]): Promise<void> {
    return topics.deleteTopics(this.#cluster, names);
  }

  topicConfigs(names: readonly string[]): Promise<ReadonlyMap<string, Readonly<Record<string, string>>>> {
    return topics.topicConfigs(this.#cluster, names);
  }

  deleteRecords(before: readonly (TopicPartition & { readonly offset: number })[]): Promise<void> {
    return offsets.deleteRecords(this.#cluster, before);
  }

  offsets(
    partitions: readonly TopicPartition[],
    spec: OffsetSpec,
    isolation: IsolationLevel,
  ): Promise<ReadonlyMap<string, number>> {
    return offsets.listOffsets(this.#cluster, partitions, spec, isolation);
  }

  committedOffsets(
    groupId: string,
    partitions: readonly TopicPartition[] | null,
    options: { readonly requireStable?: boolean } = {},
  ): Promise<ReadonlyMap<string, CommittedOffset>> {
    return offsets.committedOffsets(this.#cluster, groupId, partitions, options.requireStable ?? true);
  }

  pendingOffsets(groupId: string, partitions: readonly TopicPartition[]): Promise<readonly TopicPartition[]> {
    return offsets.pendingOffsets(this.#cluster, groupId, partitions);
  }

  transactions(transactionalIds: readonly string[]): Promise<readonly TransactionView[]> {
    return transactions.transactions(this.#cluster, transactionalIds);
  }

  openTransactionalIds(prefix: string): Promise<readonly string[]> {
    return transactions.openTransactionalIds(this.#cluster, prefix);
  }

  abortTransaction(identity: TransactionIdentity): Promise<boolean> {
    return transactions.abortTransaction(this.#cluster, identity);
  }

  async describeStreamsGroup(groupId: string): Promise<StreamsGroupView | null> {
    return adminRetry(this.#cluster, `Describing the streams group "${groupId}"`, async (timeoutMs) => {
      await refuseWithoutStreams(this.#cluster);
      return describeStreamsGroup(this.#cluster, groupId, timeoutMs);
    });
  }

  describeGroup(groupId: string): Promise<GroupView> {
    return groups.describeGroup(this.#cluster, groupId);
  }

  removeMembers(group: GroupView): Promise<void> {
    return groups.removeMembers(this.#cluster, group);
  }

  commitOffsets(
    groupId: string,
    committed: readonly (TopicPartition & CommittedOffset)[],
    member: CommittingMember | null,
  ): Promise<void> {
    return offsets.commitOffsets(this.#cluster, groupId, committed, member);
  }
}
