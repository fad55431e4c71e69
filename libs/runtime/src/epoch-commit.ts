// Owns the commit of one epoch, in five steps that this file, docs/ARCHITECTURE.md and the tests name alike:
//
//   1. seal       outputs and changelogs are cut into batches, positions noted; the next epoch is open   (synchronous)
//   2. produce    every batch goes to the writer and is acknowledged
//   3. offsets    the input offsets go to the group under its newest generation (ownership.ts), in the same transaction
//   4. end        the transaction is committed
//   5. settle     the stores learn that the epoch is committed and which changelog offsets it reached    (synchronous)
//
// Steps 2 to 4 run beside the processing of the next epoch. A failure in any of them is the worker's to recover from:
// nothing of this epoch, nor of the one that was opened on top of it, is kept.
import type {
  BrokerAdmin,
  CommittableOffset,
  GroupMetadata,
  IdempotentWriter,
  TransactionalWriter,
} from '#libs/broker';
import {
  EpochAbortedError,
  RetriableError,
  TaskMigratedError,
  asError,
  formatTopicPartition,
  sleep,
} from '#libs/core';
import type { BinaryString, Clock } from '#libs/core';
import type { Claim } from './early-claims.ts';
import { encodeOffsetMetadata } from './offset-metadata.ts';
import type { OutputCollector, PendingBatch } from './output-collector.ts';
import type { Ownership } from './ownership.ts';
import type { Task } from './task.ts';

/** One task's share of a sealed epoch. */
interface SealedTask {
  readonly task: Task;
  readonly epochId: number;
  /** As of the seal: the answer to the commit may be read long after others have gone on. */
  readonly stateMetadata: Readonly<Record<string, unknown>>;
  readonly expireBefore: ReadonlyMap<string, number>;
  /** Input offsets, by the stores that have a source topic as their changelog. */
  readonly sourceOffsets: ReadonlyMap<string, number>;
}

export interface SealedEpoch {
  readonly batches: readonly PendingBatch[];
  readonly offsets: readonly CommittableOffset[];
  readonly tasks: readonly SealedTask[];
  /** Of tasks that do not run yet; their offsets are among `offsets`. */
  readonly claims: readonly Claim[];
}

/** Step 1. Nothing is awaited: the loop goes on with the next epoch at once. */
export function sealEpoch(
  tasks: Iterable<Task>,
  collector: OutputCollector,
  transactionalId: string,
  claims: readonly Claim[],
): SealedEpoch {
  const sealed: SealedTask[] = [];
  const offsets: CommittableOffset[] = [];
  collector.beginRecord();
  for (const task of tasks) {
    if (!task.touched) continue;
    task.touched = false;
    const epochId = task.epochId++;
    sealChangelog(task, epochId, collector);
    const { streamTime, expireBefore } = task;
    const metadata = encodeOffsetMetadata({
      epochId,
      streamTime,
      transactionalId,
      eventTime: task.eventTimeNow,
      clocks: task.clockTimes,
      stores: task.storeFingerprints,
    });
    for (const queue of task.group.queues) {
      queue.settlePosition();
      queue.sealedPosition = queue.position;
      offsets.push({
        topic: queue.topic,
        partition: queue.partition,
        offset: queue.position,
        leaderEpoch: queue.leaderEpoch,
        metadata,
      });
    }
    sealed.push({
      task,
      epochId,
      stateMetadata: task.stateMetadata(streamTime),
      expireBefore,
      sourceOffsets: task.sourceOffsets,
    });
  }
  for (const claim of claims) offsets.push(...claim.offsets);
  collector.cutAll();
  const batches = collector.takeBatches();
  collector.endEpoch();
  return { batches, offsets, tasks: sealed, claims };
}

function sealChangelog(task: Task, epochId: number, collector: OutputCollector): void {
  const state = task.state;
  if (state === null) return;
  const partition = task.id.partition;
  const outputs = task.changelogTopics.map((topic) =>
    topic === null ? null : collector.topic(topic).partitions[partition]!,
  );
  const noHeaders = '' as BinaryString;
  state.seal(epochId, (store, key, value, timestamp) => {
    const output = outputs[store]!;
    if (output === null) return;
    collector.open(output);
    collector.checkSize(output, output.encoder.append(timestamp, key, value, noHeaders));
  });
}

export interface CommitTarget {
  /** Begins to send batches of the open epoch; only while no earlier epoch is being committed. */
  stream(batches: readonly PendingBatch[]): void;
  /**
   * `ownership` ends when the epoch is abandoned: nothing more is sent for it then. `onProduced`: step 2 is done.
   * @throws as TransactionalWriter.commit
   */
  commit(
    epoch: SealedEpoch,
    ownership: Ownership,
    onProduced: () => void,
  ): Promise<ReadonlyMap<string, number>>;
}

/** Steps 2 to 4 for exactly-once: one transaction. */
export class TransactionalCommit implements CommitTarget {
  private readonly writer: TransactionalWriter;

  constructor(writer: TransactionalWriter) {
    this.writer = writer;
  }

  stream(batches: readonly PendingBatch[]): void {
    appendAll(this.writer, batches);
  }

  async commit(
    epoch: SealedEpoch,
    ownership: Ownership,
    onProduced: () => void,
  ): Promise<ReadonlyMap<string, number>> {
    this.stream(epoch.batches);
    await this.writer.flush();
    const group = ownership.generation();
    onProduced();
    const renewed = (refused: GroupMetadata) => ownership.renewed(refused);
    const { endOffsets } = await this.writer.commit(epoch.offsets, group, renewed);
    return endOffsets;
  }
}

/** Steps 2 to 4 for at-least-once: outputs first, then the offsets. */
export class AtLeastOnceCommit implements CommitTarget {
  private readonly writer: IdempotentWriter;
  private readonly admin: BrokerAdmin;
  private readonly clock: Clock;

  constructor(writer: IdempotentWriter, admin: BrokerAdmin, clock: Clock) {
    this.writer = writer;
    this.admin = admin;
    this.clock = clock;
  }

  stream(batches: readonly PendingBatch[]): void {
    appendAll(this.writer, batches);
  }

  async commit(
    epoch: SealedEpoch,
    ownership: Ownership,
    onProduced: () => void,
  ): Promise<ReadonlyMap<string, number>> {
    this.stream(epoch.batches);
    const { endOffsets } = await this.writer.flush();
    onProduced();
    if (epoch.offsets.length > 0) await this.commitOffsets(epoch.offsets, ownership);
    return endOffsets;
  }

  /** Outside of a transaction the group takes no offsets from its answer to the joins on until the assignment is there. */
  private async commitOffsets(offsets: readonly CommittableOffset[], ownership: Ownership): Promise<void> {
    let group = ownership.generation();
    for (;;) {
      try {
        await this.admin.commitOffsets(group.groupId, offsets, group);
        return;
      } catch (error) {
        const next = isRebalancing(error)
          ? await sleep(this.clock, REBALANCE_PAUSE_MS).then(() => ownership.generation())
          : movedOn(error)
            ? await ownership.renewed(group)
            : null;
        if (next === null) throw asError(error);
        group = next;
      }
    }
  }
}

/** Between attempts at an offset commit while the group's leader assigns. */
const REBALANCE_PAUSE_MS = 10;

function isRebalancing(error: unknown): boolean {
  return error instanceof RetriableError && error.code === 'MILLRACE_REBALANCE_IN_PROGRESS';
}

/** The group knows the member, and another generation as its newest. */
function movedOn(error: unknown): boolean {
  return error instanceof TaskMigratedError && error.context['kafkaError'] === 'ILLEGAL_GENERATION';
}

function appendAll(writer: Pick<TransactionalWriter, 'append'>, batches: readonly PendingBatch[]): void {
  for (const { topic, partition, batch } of batches) writer.append(topic, partition, batch);
}

/** Step 5. */
export function settleEpoch(epoch: SealedEpoch, endOffsets: ReadonlyMap<string, number>): void {
  for (const { task, epochId, stateMetadata, expireBefore, sourceOffsets } of epoch.tasks) {
    task.onCommitted();
    if (task.state === null) continue;
    const changelogOffsets = new Map(sourceOffsets);
    for (const [index, store] of task.state.stores.entries()) {
      const topic = task.changelogTopics[index] ?? null;
      if (topic === null) continue;
      const end = endOffsets.get(formatTopicPartition(topic, task.id.partition));
      if (end !== undefined) changelogOffsets.set(store.name, end);
    }
    task.state.commit(epochId, {
      changelogOffsets,
      metadata: stateMetadata,
      expireBefore,
    });
  }
}

/** What a failed commit asks of the worker. */
export function isEpochFailure(error: unknown): error is EpochAbortedError | TaskMigratedError {
  return error instanceof EpochAbortedError || error instanceof TaskMigratedError;
}
