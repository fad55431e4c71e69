// Owns the commit of one epoch, in five steps that this file, docs/ARCHITECTURE.md and the tests name alike:
//
//   1. seal       outputs and changelogs are cut into batches, positions noted; the next epoch is open   (synchronous)
//   2. produce    every batch goes to the writer and is acknowledged
//   3. offsets    the input offsets go to the group under its current generation, in the same transaction
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
import { EpochAbortedError, TaskMigratedError, formatTopicPartition } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { encodeOffsetMetadata } from './offset-metadata.ts';
import type { OutputCollector, PendingBatch } from './output-collector.ts';
import type { Task } from './task.ts';

/** One task's share of a sealed epoch. */
interface SealedTask {
  readonly task: Task;
  readonly epochId: number;
  readonly streamTime: number;
  readonly expireBefore: ReadonlyMap<string, number>;
  /** Input offsets, by the stores that have a source topic as their changelog. */
  readonly sourceOffsets: ReadonlyMap<string, number>;
}

export interface SealedEpoch {
  readonly batches: readonly PendingBatch[];
  readonly offsets: readonly CommittableOffset[];
  readonly tasks: readonly SealedTask[];
}

/** Step 1. Nothing is awaited: the loop goes on with the next epoch at once. */
export function sealEpoch(
  tasks: Iterable<Task>,
  collector: OutputCollector,
  transactionalId: string,
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
    sealed.push({ task, epochId, streamTime, expireBefore, sourceOffsets: task.sourceOffsets });
  }
  collector.cutAll();
  return { batches: collector.takeBatches(), offsets, tasks: sealed };
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
   * `isCurrent` turns false when the epoch is abandoned: nothing more is sent for it then.
   * @throws as TransactionalWriter.commit
   */
  commit(epoch: SealedEpoch, isCurrent: () => boolean): Promise<ReadonlyMap<string, number>>;
}

/** Steps 2 to 4 for exactly-once: one transaction. */
export class TransactionalCommit implements CommitTarget {
  private readonly writer: TransactionalWriter;
  private readonly groupMetadata: () => GroupMetadata | null;

  constructor(writer: TransactionalWriter, groupMetadata: () => GroupMetadata | null) {
    this.writer = writer;
    this.groupMetadata = groupMetadata;
  }

  stream(batches: readonly PendingBatch[]): void {
    appendAll(this.writer, batches);
  }

  async commit(epoch: SealedEpoch, isCurrent: () => boolean): Promise<ReadonlyMap<string, number>> {
    this.stream(epoch.batches);
    await this.writer.flush();
    const group = generationToCommitUnder(isCurrent, this.groupMetadata);
    const { endOffsets } = await this.writer.commit(epoch.offsets, group);
    return endOffsets;
  }
}

/** Steps 2 to 4 for at-least-once: outputs first, then the offsets. */
export class AtLeastOnceCommit implements CommitTarget {
  private readonly writer: IdempotentWriter;
  private readonly admin: BrokerAdmin;
  private readonly groupMetadata: () => GroupMetadata | null;

  constructor(writer: IdempotentWriter, admin: BrokerAdmin, groupMetadata: () => GroupMetadata | null) {
    this.writer = writer;
    this.admin = admin;
    this.groupMetadata = groupMetadata;
  }

  stream(batches: readonly PendingBatch[]): void {
    appendAll(this.writer, batches);
  }

  async commit(epoch: SealedEpoch, isCurrent: () => boolean): Promise<ReadonlyMap<string, number>> {
    this.stream(epoch.batches);
    const { endOffsets } = await this.writer.flush();
    const group = generationToCommitUnder(isCurrent, this.groupMetadata);
    if (epoch.offsets.length > 0) await this.admin.commitOffsets(group.groupId, epoch.offsets, group);
    return endOffsets;
  }
}

function appendAll(writer: Pick<TransactionalWriter, 'append'>, batches: readonly PendingBatch[]): void {
  for (const { topic, partition, batch } of batches) writer.append(topic, partition, batch);
}

/**
 * Asked as late as can be, between steps 2 and 3: every partition of the epoch has been owned without a break, so a later
 * generation may carry it. @throws EpochAbortedError it was abandoned meanwhile, TaskMigratedError there is no generation.
 */
function generationToCommitUnder(
  isCurrent: () => boolean,
  groupMetadata: () => GroupMetadata | null,
): GroupMetadata {
  if (!isCurrent()) throw abandoned();
  const group = groupMetadata();
  if (group === null) throw generationLost();
  return group;
}

/** Step 5. */
export function settleEpoch(epoch: SealedEpoch, endOffsets: ReadonlyMap<string, number>): void {
  for (const { task, epochId, streamTime, expireBefore, sourceOffsets } of epoch.tasks) {
    task.claimPending = false;
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
      metadata: task.stateMetadata(streamTime),
      expireBefore,
    });
  }
}

function abandoned(): EpochAbortedError {
  return new EpochAbortedError({
    code: 'MILLRACE_EPOCH_ABORTED',
    message: 'The epoch was abandoned while its batches were on their way.',
    remedy: 'None needed: the worker goes on from the committed offsets.',
  });
}

function generationLost(): TaskMigratedError {
  return new TaskMigratedError({
    code: 'MILLRACE_GENERATION_LOST',
    message: 'The worker left its consumer group generation before the epoch could be committed.',
    remedy: 'None needed: the worker rejoins and goes on from the committed offsets.',
  });
}

/** What a failed commit asks of the worker. */
export function isEpochFailure(error: unknown): error is EpochAbortedError | TaskMigratedError {
  return error instanceof EpochAbortedError || error instanceof TaskMigratedError;
}
