// Owns the shape of what a runtime tells of itself: plain data, JSON-safe, without secrets and without anything of a record but its
// place. Times ending in `At` are wall clock, milliseconds since the Unix epoch; those ending in `Ms` are durations.
import type { TaskIdText } from '#libs/core';
import type { SinkSpec, SourceSpec } from '#libs/topology';
import type { FailureFigures, WaitingFailures } from '../failure-counts.ts';
import type { CopyFigures } from '../standby-copy.ts';
import type { RestoreProgress } from '../store-restorer.ts';

/** The coarse figures of a worker: what health and tests ask for often. */
export interface WorkerFigures {
  readonly processedRecords: number;
  readonly droppedRecords: number;
  /** What became of failed records. */
  readonly failures: FailureFigures & WaitingFailures;
  readonly restoredRecords: number;
  readonly committedEpochs: number;
  /** Something is processed and not committed yet. */
  readonly uncommitted: boolean;
  /** Since the worker's loop last turned, milliseconds. It waits at most 100 ms for input; more is a slow record, a commit or a recovery. */
  readonly sinceTurnMs: number;
  /** Since an epoch was last committed; `null` before the first. Grows also where there is nothing to commit. */
  readonly sinceCommitMs: number | null;
  readonly runningTasks: readonly string[];
  readonly openingTasks: readonly TaskIdText[];
  readonly restores: readonly RestoreProgress[];
  /** Standby and warm-up copies kept here. */
  readonly copies: readonly CopyFigures[];
}

export interface RuntimeFigures extends WorkerFigures {
  /** Workers that died and were replaced since the start. */
  readonly workerReplacements: number;
  readonly lastWorkerFailure: { readonly code: string; readonly message: string } | null;
  /** The instance was asked to process nothing for now. */
  readonly paused: boolean;
}

/** One input partition of a task. */
export interface PartitionFigures {
  readonly topic: string;
  readonly partition: number;
  /** Name of the source node that reads it. */
  readonly source: string;
  /** Offset of the next record to be processed. */
  readonly position: number;
  /** Offset this instance last committed; `null`: none since the task is here. */
  readonly committed: number | null;
  /** Where what may be read ends, as of the last fetch; `null` before it. */
  readonly endOffset: number | null;
  /** Offsets from position to end; markers of transactions count too, until they are passed. */
  readonly lag: number | null;
  /** Age of the next record, or of the newest one processed while the next is not here yet; 0 without lag. */
  readonly lagMs: number | null;
  /** Fetched and not processed. */
  readonly bufferedBytes: number;
  /** Highest timestamp processed; `null`: none. */
  readonly partitionTime: number | null;
}

export interface StoreFigures {
  readonly name: string;
  readonly kind: 'keyValue' | 'ordered';
  /** `null`: the store is not logged, or its source topic is its changelog. */
  readonly changelog: string | null;
  /** Changelog offset that the database reaches; `null`: nothing written yet. */
  readonly changelogOffset: number | null;
  /** Every key is in memory, or known to be absent. */
  readonly resident: boolean;
}

/**
 *   opening ──► restoring ──► claiming ──► running            standby, warmup: copies, which process nothing
 * `claiming`: open, and not yet named as its owner by the group's offsets. `waiting`: runs, and waits for state it reads from disk.
 */
export type TaskPhase = 'opening' | 'restoring' | 'claiming' | 'running' | 'waiting' | 'standby' | 'warmup';

export interface TaskFigures {
  readonly taskId: TaskIdText;
  readonly subTopology: number;
  readonly partition: number;
  readonly phase: TaskPhase;
  /** Records processed here since the task was opened. */
  readonly records: number;
  /** Highest timestamp seen; `null`: none, or not known for this phase. */
  readonly streamTime: number | null;
  /** What timers and windows go by: the watermark, where the inputs have one. */
  readonly eventTime: number | null;
  readonly partitions: readonly PartitionFigures[];
  readonly stores: readonly StoreFigures[];
  /** Memory of the task's cache; `null` without state. */
  readonly cachedBytes: number | null;
  /** Committed or dirty, and not in the database yet. */
  readonly unwrittenBytes: number | null;
  /** Size of the database's files, as of some seconds ago; `null`: not known yet, or not on disk. */
  readonly diskBytes: number | null;
  /** Changelog offsets that are still to be brought in; `null` where nothing is restored or the end is not known. */
  readonly restoreLag: number | null;
}

export interface EpochFigures {
  /** Ascending from 1 since the instance started, over all its workers. */
  readonly number: number;
  readonly outcome: 'committing' | 'committed' | 'aborted';
  /** Of an abort. */
  readonly reason: string | null;
  /** When the epoch before it was sealed. */
  readonly openedAt: number;
  readonly sealedAt: number;
  readonly endedAt: number | null;
  /** Tasks that had something in it. */
  readonly tasks: number;
  readonly recordsIn: number;
  /** To topics, repartitions included; changelogs are counted apart. */
  readonly recordsOut: number;
  readonly changelogRecords: number;
  /** Encoded and compressed, changelogs included. */
  readonly bytesOut: number;
  /** Of its phases: open, then produce until all batches are acknowledged, then offsets and the end of the transaction. */
  readonly openMs: number;
  readonly produceMs: number | null;
  readonly commitMs: number | null;
}

/** Records that came in by one source node, by topic, since the instance started. Those processed again count again. */
export interface InputFlow {
  readonly subTopology: number;
  readonly source: string;
  readonly topic: string;
  readonly kind: SourceSpec['kind'];
  readonly records: number;
  /** Fetched, on the wire. */
  readonly bytes: number;
}

/** Records that committed epochs wrote to one topic since the instance started. */
export interface OutputFlow {
  readonly topic: string;
  readonly kind: SinkSpec['kind'] | 'changelog';
  /** Of a changelog. */
  readonly store: string | null;
  readonly records: number;
  readonly bytes: number;
}

/** A failure, or a record that was left out. Those alike that come within a second are one entry. */
export interface IssueFigures {
  readonly at: number;
  readonly kind: 'dropped' | 'deadLetter' | 'recovered' | 'workerDied' | 'heldBack';
  readonly code: string;
  /** Task, and node where known; the partition that is held back; '' where it is the worker's. */
  readonly where: string;
  readonly message: string;
  readonly count: number;
}

/** Records left out, by rule or policy, since the start. */
export interface DropCount {
  readonly code: string;
  readonly kind: 'dropped' | 'deadLetter';
  readonly where: string;
  readonly records: number;
}

export interface RebalanceFigures {
  readonly at: number;
  /** `lost`: the group gave the tasks away without asking. */
  readonly kind: 'assigned' | 'lost';
  /** Generation or member epoch; of a loss its reason. */
  readonly source: string;
  readonly active: readonly string[];
  readonly revoked: readonly string[];
  readonly added: readonly string[];
  readonly standby: readonly string[];
  readonly warmup: readonly string[];
}

/** A store that was restored here. */
export interface RestoreFigures {
  readonly endedAt: number;
  readonly outcome: 'end' | 'suspended';
  readonly progress: RestoreProgress;
}

/** Counts by upper bound; the last bucket has none. */
export interface HistogramFigures {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly count: number;
  readonly sum: number;
  readonly max: number;
}

export interface LoopFigures {
  readonly turns: number;
  /** Time in which records, timers and calls of operators held the event loop. */
  readonly busyMs: number;
  readonly longestTurnMs: number;
  readonly longestTurnAt: number | null;
}

/** An instance with its tasks, as the group's leader told of it at the last rebalance. */
export interface InstanceFigures {
  /** `host:port`; `null`: of this instance, which has not said. */
  readonly applicationServer: string | null;
  readonly isLocal: boolean;
  readonly active: readonly string[];
  readonly standby: readonly string[];
}

/** What an instance tells of its runtime at one moment. */
export interface RuntimeInsight {
  readonly at: number;
  readonly startedAt: number | null;
  /** Of the worker; `null` before there is one. */
  readonly transactionalId: string | null;
  /** `null` before the worker exists. */
  readonly figures: RuntimeFigures | null;
  readonly tasks: readonly TaskFigures[];
  /** Those that have an `applicationServer`, as far as this one knows. */
  readonly instances: readonly InstanceFigures[];
  readonly inputs: readonly InputFlow[];
  readonly outputs: readonly OutputFlow[];
  /** Oldest first. */
  readonly epochs: readonly EpochFigures[];
  /** Of all epochs since the start. */
  readonly commits: {
    readonly committed: number;
    readonly aborted: number;
    /** From seal to end. */
    readonly totalMs: number;
    readonly longestMs: number;
  };
  /** Milliseconds from a record's timestamp to its commit: the first and last record of each piece of a batch stand for the others. */
  readonly latency: HistogramFigures;
  readonly restored: readonly RestoreFigures[];
  readonly drops: readonly DropCount[];
  readonly issues: readonly IssueFigures[];
  readonly rebalances: {
    readonly total: number;
    readonly lost: number;
    readonly last: readonly RebalanceFigures[];
  };
  readonly loop: LoopFigures;
}
