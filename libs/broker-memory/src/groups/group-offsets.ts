// Owns what groups have committed: offsets that count, and those that a transaction still holds pending. Who may commit is asked of
// the group (KIP-447); a pending offset is seen by nobody, and makes a stable read wait.
import type { OffsetCommitAnswer, OffsetCommitPartition, OffsetFetchAnswer, RpcRequests } from '#libs/broker';
import { formatTopicPartition } from '#libs/core';
import type { ClusterCore, RequestContext } from '../cluster-core.ts';
import type { Coordinators } from '../coordinators.ts';
import { Errors } from '../kafka-errors.ts';
import type { TransactionCoordinator } from '../transactions/transaction-coordinator.ts';
import type { GroupCoordinator } from './group-coordinator.ts';
import type { StreamsCoordinator } from './streams-coordinator.ts';

/** `offset.metadata.max.bytes`. */
const METADATA_LENGTH_MAX = 4_096;
const NO_GENERATION = -1;

export interface CommittedGroupOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string | null;
  /** Position in the order of all commits: the later one counts, transactional or not. */
  readonly order: number;
}

class OffsetsOfGroup {
  readonly committed = new Map<string, CommittedGroupOffset>();
  /** By producer, then by partition. */
  readonly pending = new Map<number, Map<string, CommittedGroupOffset>>();
  /** The newest epoch of each producer that has been here. */
  readonly epochs = new Map<number, number>();
}

type CommitTopics = RpcRequests['OffsetCommit']['topics'];

export class GroupOffsets {
  readonly #core: ClusterCore;
  readonly #coordinators: Coordinators;
  readonly #groups: GroupCoordinator;
  readonly #streams: StreamsCoordinator;
  readonly #byGroup = new Map<string, OffsetsOfGroup>();
  #order = 0;

  constructor(
    core: ClusterCore,
    coordinators: Coordinators,
    groups: GroupCoordinator,
    streams: StreamsCoordinator,
  ) {
    this.#streams = streams;
    this.#core = core;
    this.#coordinators = coordinators;
    this.#groups = groups;
  }

  /** By `topic-partition`. */
  committed(groupId: string): ReadonlyMap<string, CommittedGroupOffset> {
    return this.#byGroup.get(groupId)?.committed ?? new Map<string, CommittedGroupOffset>();
  }

  hasPending(groupId: string): boolean {
    return (this.#byGroup.get(groupId)?.pending.size ?? 0) > 0;
  }

  // --- committing ----------------------------------------------------------------------------------------------

  commit(request: RpcRequests['OffsetCommit'], { nodeId }: RequestContext): OffsetCommitAnswer {
    const { groupId, topics } = request;
    const refusal = this.#coordinators.refusal('group', groupId, nodeId);
    if (refusal !== Errors.NONE) return refused(topics, refusal);
    const denied = this.#denied(request, false);
    if (denied !== Errors.NONE) return refused(topics, denied);
    return this.#take(topics, this.#of(groupId).committed, groupId);
  }

  commitInTransaction(
    request: RpcRequests['TxnOffsetCommit'],
    { nodeId }: RequestContext,
    transactions: TransactionCoordinator,
  ): OffsetCommitAnswer {
    const { groupId, topics, transactionalId, producerEpoch } = request;
    const producerId = Number(request.producerId);
    const refusal = this.#coordinators.refusal('group', groupId, nodeId);
    if (refusal !== Errors.NONE) return refused(topics, refusal);
    const offsets = this.#of(groupId);
    const isOpen = offsets.pending.has(producerId) && offsets.epochs.get(producerId) === producerEpoch;
    if (!isOpen) {
      const joined = request.transactionVersion2
        ? transactions.joinImplicitly(transactionalId, producerId, producerEpoch, { groupId })
        : transactions.verify(transactionalId, producerId, producerEpoch, { groupId });
      if (joined !== Errors.NONE) return refused(topics, joined);
    }
    const denied = this.#denied(request, true);
    if (denied !== Errors.NONE) return refused(topics, denied);
    if (producerEpoch < (offsets.epochs.get(producerId) ?? -1))
      return refused(topics, Errors.INVALID_PRODUCER_EPOCH);
    offsets.epochs.set(producerId, producerEpoch);
    let pending = offsets.pending.get(producerId);
    if (pending === undefined) {
      pending = new Map<string, CommittedGroupOffset>();
      offsets.pending.set(producerId, pending);
    }
    return this.#take(topics, pending, groupId);
  }

  /** Why the group takes no offsets from this member. */
  #denied(
    request: Pick<
      RpcRequests['OffsetCommit'],
      'groupId' | 'memberId' | 'groupInstanceId' | 'generationId' | 'topics'
    >,
    isTransactional: boolean,
  ): number {
    const ofStreams = this.#streams.commitRefusal(request, isTransactional);
    if (ofStreams !== undefined) return ofStreams;
    const { groupId, memberId, groupInstanceId, generationId } = request;
    let group = this.#groups.get(groupId);
    if (group === undefined) {
      if (generationId >= 0) return isTransactional ? Errors.ILLEGAL_GENERATION : Errors.GROUP_ID_NOT_FOUND;
      group = this.#groups.getOrCreate(groupId);
    }
    if (generationId < 0 && group.phase === 'Empty') return Errors.NONE;
    if (generationId > NO_GENERATION || memberId !== '' || groupInstanceId !== null) {
      const refusal = group.memberRefusal(memberId, groupInstanceId);
      if (refusal !== Errors.NONE) return refusal;
      if (generationId !== group.generationId) return Errors.ILLEGAL_GENERATION;
    } else if (!isTransactional) {
      return Errors.UNKNOWN_MEMBER_ID;
    }
    // In a transaction the generation is enough: the writer knows what it still owned.
    if (!isTransactional && group.phase === 'CompletingRebalance') return Errors.REBALANCE_IN_PROGRESS;
    return Errors.NONE;
  }

  #take(topics: CommitTopics, into: Map<string, CommittedGroupOffset>, groupId: string): OffsetCommitAnswer {
    return {
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map((offset) => ({
          partition: offset.partition,
          errorCode: this.#takeOne(name, offset, into, groupId),
        })),
      })),
    };
  }

  #takeOne(
    topic: string,
    { partition, committedOffset, committedLeaderEpoch, committedMetadata }: OffsetCommitPartition,
    into: Map<string, CommittedGroupOffset>,
    groupId: string,
  ): number {
    if (this.#core.topics.log(topic, partition) === undefined) return Errors.UNKNOWN_TOPIC_OR_PARTITION;
    if ((committedMetadata?.length ?? 0) > METADATA_LENGTH_MAX) return Errors.OFFSET_METADATA_TOO_LARGE;
    const key = formatTopicPartition(topic, partition);
    into.set(key, {
      topic,
      partition,
      offset: committedOffset,
      leaderEpoch: committedLeaderEpoch,
      metadata: committedMetadata,
      order: this.#order++,
    });
    this.#core.trace.note('offset', `${groupId} ${key}`, committedOffset);
    return Errors.NONE;
  }

  /** A transaction has ended: its marker is written. */
  endTransaction(groupId: string, producerId: number, producerEpoch: number, committed: boolean): void {
    const offsets = this.#of(groupId);
    offsets.epochs.set(producerId, Math.max(producerEpoch, offsets.epochs.get(producerId) ?? -1));
    const pending = offsets.pending.get(producerId);
    if (pending === undefined) return;
    offsets.pending.delete(producerId);
    if (!committed) return;
    for (const [key, offset] of pending) {
      const before = offsets.committed.get(key);
      if (before === undefined || before.order < offset.order) offsets.committed.set(key, offset);
    }
  }

  forgetTopic(topic: string): void {
    for (const offsets of this.#byGroup.values()) {
      for (const map of [offsets.committed, ...offsets.pending.values()]) {
        for (const [key, offset] of map) if (offset.topic === topic) map.delete(key);
      }
    }
  }

  // --- reading -------------------------------------------------------------------------------------------------

  fetch(
    { groupId, topics, requireStable }: RpcRequests['OffsetFetch'],
    { nodeId }: RequestContext,
  ): OffsetFetchAnswer {
    const refusal = this.#coordinators.refusal('group', groupId, nodeId);
    if (refusal !== Errors.NONE) return { errorCode: refusal, topics: [] };
    const offsets = this.#byGroup.get(groupId);
    const asked = topics ?? allOf(offsets);
    return {
      errorCode: Errors.NONE,
      topics: asked.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map((partition) => readOne(offsets, name, partition, requireStable)),
      })),
    };
  }

  #of(groupId: string): OffsetsOfGroup {
    let offsets = this.#byGroup.get(groupId);
    if (offsets === undefined) this.#byGroup.set(groupId, (offsets = new OffsetsOfGroup()));
    return offsets;
  }
}

function readOne(
  offsets: OffsetsOfGroup | undefined,
  topic: string,
  partition: number,
  requireStable: boolean,
): OffsetFetchAnswer['topics'][number]['partitions'][number] {
  const key = formatTopicPartition(topic, partition);
  const none = { partition, committedOffset: -1, committedLeaderEpoch: -1, metadata: '' };
  if (requireStable && isPending(offsets, key)) return { ...none, errorCode: Errors.UNSTABLE_OFFSET_COMMIT };
  const committed = offsets?.committed.get(key);
  if (committed === undefined) return { ...none, errorCode: Errors.NONE };
  return {
    partition,
    errorCode: Errors.NONE,
    committedOffset: committed.offset,
    committedLeaderEpoch: committed.leaderEpoch,
    metadata: committed.metadata,
  };
}

function isPending(offsets: OffsetsOfGroup | undefined, key: string): boolean {
  if (offsets === undefined) return false;
  for (const pending of offsets.pending.values()) if (pending.has(key)) return true;
  return false;
}

/** What is committed, by topic. */
function allOf(offsets: OffsetsOfGroup | undefined): { name: string; partitions: number[] }[] {
  const byTopic = new Map<string, number[]>();
  for (const { topic, partition } of offsets?.committed.values() ?? []) {
    const list = byTopic.get(topic);
    if (list === undefined) byTopic.set(topic, [partition]);
    else list.push(partition);
  }
  return [...byTopic].map(([name, partitions]) => ({ name, partitions }));
}

function refused(topics: CommitTopics, errorCode: number): OffsetCommitAnswer {
  return {
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partition }) => ({ partition, errorCode })),
    })),
  };
}
