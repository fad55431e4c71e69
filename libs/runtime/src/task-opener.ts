// Owns the way of a task from assigned to runnable: settle predecessors, read committed offsets, open state, restore, build.
// It runs beside the loop; the loop takes the finished task. A cancelled opening leaves nothing open.
//
// Order matters: predecessors' transactions are settled before offsets are read, and offsets are read (require_stable) before
// the changelogs' ends are, so that what was pending when we came is decided on both sides.
import type { BrokerClient } from '#libs/broker';
import { TaskCorruptedError, formatTopicPartition, parseTaskId } from '#libs/core';
import type { TaskIdText } from '#libs/core';
import type { StateBackend, TaskState } from '#libs/state';
import type { StoreChangelog } from './cluster-layout.ts';
import { readStartingPoint } from './starting-point.ts';
import type { StartingPoint } from './starting-point.ts';
import type { StoreRestorer } from './store-restorer.ts';
import { buildTask } from './task-builder.ts';
import type { TaskBuilderParts } from './task-builder.ts';
import type { Task } from './task.ts';

/** `delete.retention.ms` of a topic is 24 hours by default; an hour less, for clocks that differ. */
const STATE_AGE_MS_MAX = 23 * 3_600_000;
/** Below this a task would read every key anew for every batch. */
const CACHE_BYTES_MIN = 1024 * 1024;
/** Attempts at a task whose state turns out corrupted: the second starts from an empty directory. */
const OPEN_ATTEMPTS_MAX = 3;

export interface TaskOpenerParts extends Omit<TaskBuilderParts, 'resolveTopic'> {
  readonly client: BrokerClient;
  readonly backend: StateBackend;
  readonly restorer: StoreRestorer;
}

export class TaskOpener {
  private readonly parts: TaskOpenerParts & TaskBuilderParts;

  constructor(parts: TaskOpenerParts) {
    this.parts = {
      ...parts,
      resolveTopic: async (topic) => {
        parts.collector.addTopic(topic, await parts.client.partitionCount(topic));
      },
    };
  }

  /** @throws whatever stands in the way, OpeningCancelled once `signal` is aborted; nothing stays open then. */
  async open(name: TaskIdText, signal: AbortSignal): Promise<Task> {
    // Reading offsets may wait for a transaction of somebody else; a stop need not.
    const start = await unlessAborted(readStartingPoint(this.parts, name), signal, name);
    for (let attempt = 1; ; attempt++) {
      const state = await this.openState(name);
      try {
        if (signal.aborted) throw cancelled(name);
        if (state !== null) await this.restore(name, state, start, signal);
        await unlessAborted(this.parts.globals.ready, signal, name);
        if (signal.aborted) throw cancelled(name);
        return buildTask(this.parts, name, state, start);
      } catch (error) {
        await state?.closeDirty();
        if (!(error instanceof TaskCorruptedError) || attempt === OPEN_ATTEMPTS_MAX) throw error;
        this.parts.logger.warn(`The state of task ${name} is restored from scratch`, {
          error: error.message,
        });
        await this.parts.backend.setAside(this.parts.config.applicationId, name, error.message);
      }
    }
  }

  /** Gives a task's open restore up, if there is one. */
  cancel(name: TaskIdText): void {
    this.parts.restorer.cancel(name);
  }

  private async openState(name: TaskIdText): Promise<TaskState | null> {
    const { config, layout, backend } = this.parts;
    const stores = layout.subTopology(parseTaskId(name)).stores;
    if (stores.length === 0) return null;
    return backend.open({
      taskId: name,
      applicationId: config.applicationId,
      stores,
      cacheBytesMax: Math.max(CACHE_BYTES_MIN, Math.floor(config.cacheBytesMax / layout.statefulTaskCount)),
      writeBehindBytes: config.writeBehindBytes,
      writeBehindIntervalMs: config.writeBehindIntervalMs,
    });
  }

  private async restore(
    name: TaskIdText,
    state: TaskState,
    start: StartingPoint,
    signal: AbortSignal,
  ): Promise<void> {
    const changelogs = this.parts.layout.changelogIdentity(name);
    refuseOtherChangelogs(name, state, changelogs);
    this.refuseStale(name, state);
    const targets = this.parts.layout.changelogs(name).map((changelog) => ({
      ...changelog,
      committedOffset: committedOffset(start, changelog),
    }));
    await this.parts.restorer.restore(name, state, targets, signal);
    await state.restored({ streamTime: start.streamTime, changelogs, writtenAtMs: this.parts.clock.now() });
  }

  /**
   * State last written longer ago than a changelog keeps its tombstones: keys deleted since may have left no trace there, and
   * would come back to life here.
   */
  private refuseStale(name: TaskIdText, state: TaskState): void {
    const writtenAtMs = state.checkpoint.metadata['writtenAtMs'];
    if (typeof writtenAtMs !== 'number' || state.checkpoint.changelogOffsets.size === 0) return;
    const ageMs = this.parts.clock.now() - writtenAtMs;
    if (ageMs <= STATE_AGE_MS_MAX) return;
    throw new TaskCorruptedError([name], {
      code: 'MILLRACE_STATE_CORRUPTED',
      message: `The local state of task ${name} was last written ${Math.round(ageMs / 3_600_000)} hours ago, and its changelog may have dropped deletions since.`,
      remedy: 'None needed: the state is set aside and restored from the changelog.',
      context: { ageMs },
    });
  }
}

/**
 * Offsets say nothing of a topic that was deleted and created again, or of another cluster: state that goes back to such a one is
 * none of ours, however well its offsets fit.
 */
function refuseOtherChangelogs(
  name: TaskIdText,
  state: TaskState,
  current: Readonly<Record<string, string>>,
): void {
  const written = state.checkpoint.metadata['changelogs'];
  if (typeof written !== 'object' || written === null) return;
  for (const [store, topicId] of Object.entries(current)) {
    const before = (written as Readonly<Record<string, unknown>>)[store];
    if (before === undefined || before === topicId || !state.checkpoint.changelogOffsets.has(store)) continue;
    throw new TaskCorruptedError([name], {
      code: 'MILLRACE_STATE_CORRUPTED',
      message: `The local state of store "${store}" in task ${name} belongs to another changelog topic of the same name.`,
      remedy: 'None needed: the state is set aside and restored from the changelog that is there now.',
      context: { store, written: before, current: topicId },
    });
  }
}

/** Of a source topic that serves as changelog; nothing committed: nothing of it was processed. */
function committedOffset(start: StartingPoint, { topic, partition }: StoreChangelog): number {
  const key = formatTopicPartition(topic, partition);
  return start.committed.has(key) ? start.offsets.get(key)! : 0;
}

/** Thrown inside a cancelled opening. */
export class OpeningCancelled extends Error {}

/** Settles as `promise` does, or rejects with OpeningCancelled as soon as `signal` is aborted. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal, name: string): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(cancelled(name));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

function cancelled(name: string): OpeningCancelled {
  return new OpeningCancelled(`the opening of task ${name} was cancelled`);
}
