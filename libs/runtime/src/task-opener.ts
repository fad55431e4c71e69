// Owns the way of a task from assigned to runnable: settle predecessors, read committed offsets, open state, restore, build.
// It runs beside the loop; the loop takes the finished task. A cancelled opening leaves nothing open.
//
// Order matters: predecessors' transactions are settled before offsets are read, and offsets are read (require_stable) before
// the changelogs' ends are, so that what was pending when we came is decided on both sides.
import type { BrokerClient } from '#libs/broker';
import { TaskCorruptedError, formatTopicPartition } from '#libs/core';
import type { TaskIdText } from '#libs/core';
import type { StateBackend, TaskState } from '#libs/state';
import type { StoreChangelog } from './cluster-layout.ts';
import { claimOffsets } from './early-claims.ts';
import type { EarlyClaims } from './early-claims.ts';
import { openLocalState, refuseUntrustedUnlessWhole, restoringMetadata } from './local-state.ts';
import type { StandbyCopies } from './standby-copies.ts';
import { readStartingPoint } from './starting-point.ts';
import type { StartingPoint } from './starting-point.ts';
import type { StoreRestorer } from './store-restorer.ts';
import { logPhase } from './takeover-phases.ts';
import { buildTask } from './task-builder.ts';
import type { TaskBuilderParts } from './task-builder.ts';
import type { Task } from './task.ts';

/** Attempts at a task whose state turns out corrupted: the second starts from an empty directory. */
const OPEN_ATTEMPTS_MAX = 3;

export interface TaskOpenerParts extends Omit<TaskBuilderParts, 'resolveTopic'> {
  readonly client: BrokerClient;
  readonly backend: StateBackend;
  readonly restorer: StoreRestorer;
  readonly copies: StandbyCopies;
  readonly claims: () => EarlyClaims;
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
    logPhase(this.parts, 'offsets', name);
    const claimed = this.claim(name, start, signal);
    // Thrown where it is awaited.
    claimed.catch(() => undefined);
    for (let attempt = 1; ; attempt++) {
      // As late as can be: until now a copy has read on.
      const taken = await this.parts.copies.take(name);
      const state = taken?.state ?? (await openLocalState(this.parts, name));
      try {
        if (signal.aborted) throw cancelled(name);
        logPhase(this.parts, 'opened', name);
        if (state !== null) await this.restore(name, state, taken?.positions ?? new Map(), start, signal);
        await unlessAborted(this.parts.globals.ready, signal, name);
        const point = await unlessAborted(claimed, signal, name);
        if (signal.aborted) throw cancelled(name);
        return buildTask(this.parts, name, state, point);
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

  /** Beside the opening of its state. Resolves to where the task starts then. */
  private async claim(name: TaskIdText, start: StartingPoint, signal: AbortSignal): Promise<StartingPoint> {
    if (!start.needsClaim) return start;
    const { claims, layout, transactionalId, wake } = this.parts;
    const offsets = claimOffsets(start, layout.inputs(name), transactionalId);
    if (offsets === null) return start;
    const committed = claims().make(name, offsets, signal);
    wake();
    // In doubt its epoch may have been committed all the same: no other may be counted like it.
    if (!(await committed)) return unlessAborted(readStartingPoint(this.parts, name), signal, name);
    logPhase(this.parts, 'claimed', name);
    return { ...start, epochId: start.epochId + 1, needsClaim: false };
  }

  private async restore(
    name: TaskIdText,
    state: TaskState,
    positions: ReadonlyMap<string, number>,
    start: StartingPoint,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock } = this.parts;
    const changelogs = this.parts.layout.changelogIdentity(name);
    const isOld = await refuseUntrustedUnlessWhole(this.parts, name, state.reached, clock.now());
    const metadata = restoringMetadata(state.reached, changelogs, clock.now());
    state.describe(isOld ? { ...metadata, writtenAtMs: clock.now() } : metadata);
    const targets = this.parts.layout.changelogs(name).map((changelog) => ({
      ...changelog,
      committedOffset: committedOffset(start, changelog),
      position: positions.get(changelog.store) ?? 0,
    }));
    // As of when the ends are asked for, not as of now: whoever stands still in between has what the changelogs held then.
    const writtenAtMs = clock.now();
    await this.parts.restorer.restore(name, state, targets, signal);
    await state.restored({ streamTime: start.streamTime, changelogs, writtenAtMs });
    logPhase(this.parts, 'restored', name);
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
