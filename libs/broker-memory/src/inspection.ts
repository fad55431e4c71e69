// Owns the look into the simulated cluster that no client has: logs as they are, groups, open transactions. It changes nothing.
import { RecordBatchView, RecordColumns } from '#libs/broker';
import type { RecordHeader } from '#libs/core';
import type { ClusterCore } from './cluster-core.ts';
import { formatTopicPartition } from '#libs/core';
import type { GroupCoordinator } from './groups/group-coordinator.ts';
import type { CommittedGroupOffset, GroupOffsets } from './groups/group-offsets.ts';
import type { StreamsCoordinator } from './groups/streams-coordinator.ts';
import type { Isolation, PartitionLog } from './log/partition-log.ts';
import type { TransactionCoordinator } from './transactions/transaction-coordinator.ts';
import type { TransactionPhase } from './transactions/transaction-state.ts';

/** Of whoever looks; each look overwrites it. */
const columns = new RecordColumns();

export interface LoggedRecord {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly RecordHeader[];
  /** -1 outside idempotence. */
  readonly producerId: number;
}

export interface LogEnds {
  readonly logStartOffset: number;
  readonly lastStableOffset: number;
  readonly highWatermark: number;
  readonly batchCount: number;
}

export interface TransactionView {
  readonly transactionalId: string;
  readonly phase: TransactionPhase;
  readonly producerId: number;
  readonly producerEpoch: number;
}

export interface GroupView {
  readonly groupId: string;
  readonly phase: string;
  readonly generationId: number;
  readonly leaderId: string | undefined;
  readonly members: readonly {
    readonly memberId: string;
    readonly groupInstanceId: string | null;
    readonly clientId: string;
    /** Of its last generation, as the leader encoded it; empty before. */
    readonly assignment: Buffer;
  }[];
}

export class Inspection {
  readonly #core: ClusterCore;
  readonly #groups: GroupCoordinator;
  readonly #offsets: GroupOffsets;
  readonly #transactions: TransactionCoordinator;
  readonly #streams: StreamsCoordinator;

  constructor(
    core: ClusterCore,
    groups: GroupCoordinator,
    offsets: GroupOffsets,
    transactions: TransactionCoordinator,
    streams: StreamsCoordinator,
  ) {
    this.#core = core;
    this.#streams = streams;
    this.#groups = groups;
    this.#offsets = offsets;
    this.#transactions = transactions;
  }

  topicNames(): string[] {
    return [...this.#core.topics.all()].map((topic) => topic.name);
  }

  /** -1: no such topic. */
  partitionCount(topic: string): number {
    return this.#core.topics.get(topic)?.logs.length ?? -1;
  }

  config(topic: string, name: string): string | undefined {
    return this.#core.topics.get(topic)?.config.value(name);
  }

  /** -1: none. */
  leader(topic: string, partition: number): number {
    return this.#log(topic, partition).leadership.leaderId;
  }

  ends(topic: string, partition: number): LogEnds {
    const { logStartOffset, lastStableOffset, highWatermark, batches } = this.#log(topic, partition);
    return { logStartOffset, lastStableOffset, highWatermark, batchCount: batches.length };
  }

  /** Does the record at `offset` belong to a transaction that may still be aborted? Not once its commit is prepared, markers or not. */
  isUndecided(topic: string, partition: number, offset: number): boolean {
    const log = this.#log(topic, partition);
    const batch = log.batches[log.indexOf(offset)];
    if (batch === undefined || batch.isControl || !batch.isTransactional) return false;
    const firstOffset = log.openTransactions.get(batch.producerId);
    return firstOffset !== undefined && firstOffset <= offset && !this.#isPreparedToCommit(batch.producerId);
  }

  #isPreparedToCommit(producerId: number): boolean {
    for (const transaction of this.#transactions.all()) {
      if (transaction.producerId === producerId) return transaction.phase === 'PrepareCommit';
    }
    return false;
  }

  /** Data records in offset order, never markers; under `read_committed` without those of open and aborted transactions. */
  records(
    topic: string,
    partition: number,
    isolation: Isolation = 'read_committed',
    fromOffset = 0,
  ): LoggedRecord[] {
    const log = this.#log(topic, partition);
    const from = Math.max(fromOffset, log.logStartOffset);
    const bound = log.bound(isolation);
    const records: LoggedRecord[] = [];
    for (let i = log.indexOf(from); i < log.batches.length; i++) {
      const batch = log.batches[i]!;
      if (batch.baseOffset >= bound) break;
      if (batch.isControl) continue;
      if (isolation === 'read_committed' && log.isAborted(batch)) continue;
      const count = columns.decode(new RecordBatchView(batch.bytes), from);
      for (let j = 0; j < count; j++) records.push(recordOf(j, batch.producerId));
    }
    return records;
  }

  /** How many records `records` would give, counted by batches: records that DeleteRecords took from within one count still. */
  recordCount(topic: string, partition: number, isolation: Isolation = 'read_committed'): number {
    const log = this.#log(topic, partition);
    const bound = log.bound(isolation);
    let count = 0;
    for (const batch of log.batches) {
      if (batch.baseOffset >= bound) break;
      if (batch.isControl || (isolation === 'read_committed' && log.isAborted(batch))) continue;
      count += batch.recordCount;
    }
    return count;
  }

  /** Batches as bytes, in offset order. Not to be changed. */
  batches(topic: string, partition: number): readonly Buffer[] {
    return this.#log(topic, partition).batches.map((batch) => batch.bytes);
  }

  groups(): GroupView[] {
    return [...this.#groups.all()].map(({ groupId, phase, generationId, leaderId, members }) => ({
      groupId,
      phase,
      generationId,
      leaderId,
      members: [...members.values()].map(({ memberId, groupInstanceId, clientId, assignment }) => ({
        memberId,
        groupInstanceId,
        clientId,
        assignment,
      })),
    }));
  }

  group(groupId: string): GroupView | undefined {
    return this.groups().find((group) => group.groupId === groupId);
  }

  /**
   * Of a streams group: by input partition the client ids of members that run its task, or have yet to give it up. Empty for any other
   * group.
   */
  streamsOwners(groupId: string): ReadonlyMap<string, readonly string[]> {
    const owners = new Map<string, string[]>();
    const group = this.#streams.get(groupId);
    const subtopologies = group?.topology?.subtopologies ?? [];
    for (const { clientId, active, revokingActive } of group?.members.values() ?? []) {
      for (const task of [...active.keys(), ...revokingActive.keys()]) {
        const at = task.lastIndexOf('_');
        const subtopology = subtopologies.find(({ subtopologyId }) => subtopologyId === task.slice(0, at));
        if (subtopology === undefined) continue;
        const repartitions = subtopology.repartitionSourceTopics.map(({ name }) => name);
        for (const topic of [...subtopology.sourceTopics, ...repartitions]) {
          const key = formatTopicPartition(topic, Number(task.slice(at + 1)));
          owners.set(key, [...(owners.get(key) ?? []), clientId]);
        }
      }
    }
    return owners;
  }

  /** By `topic-partition`; of transactions only what they have committed. */
  committedOffsets(groupId: string): ReadonlyMap<string, CommittedGroupOffset> {
    return this.#offsets.committed(groupId);
  }

  transactions(): TransactionView[] {
    return [...this.#transactions.all()].map(({ transactionalId, phase, producerId, producerEpoch }) => ({
      transactionalId,
      phase,
      producerId,
      producerEpoch,
    }));
  }

  /** Transactional ids whose transaction has begun and is not completed. */
  openTransactions(): TransactionView[] {
    return this.transactions().filter(
      ({ phase }) => phase === 'Ongoing' || phase === 'PrepareCommit' || phase === 'PrepareAbort',
    );
  }

  #log(topic: string, partition: number): PartitionLog {
    const log = this.#core.topics.log(topic, partition);
    if (log === undefined) throw new Error(`There is no ${topic}-${partition}`);
    return log;
  }
}

function recordOf(i: number, producerId: number): LoggedRecord {
  const { bytes, keyStart, keyEnd, valueStart, valueEnd } = columns;
  return {
    offset: columns.offsets[i]!,
    timestamp: columns.timestamps[i]!,
    key: keyStart[i]! < 0 ? null : Buffer.from(bytes.subarray(keyStart[i], keyEnd[i])),
    value: valueStart[i]! < 0 ? null : Buffer.from(bytes.subarray(valueStart[i], valueEnd[i])),
    headers: columns.readHeaders(i),
    producerId,
  };
}
