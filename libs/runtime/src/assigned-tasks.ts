// Owns what a new assignment means for the tasks at hand, whichever protocol it came by: what is taken away is committed and closed,
// what is new is opened beside the loop, what stays is not touched, copies are begun and given up. It runs in the loop.
import { asError } from '#libs/core';
import type { Clock, Logger, TaskIdText, Timer } from '#libs/core';
import type { StateBackend } from '#libs/state';
import type { TaskCopies } from './assignor/contract.ts';
import type { ClusterLayout } from './cluster-layout.ts';
import type { RuntimeConfig } from './config.ts';
import type { EpochCoordinator } from './epoch-coordinator.ts';
import type { InsightLog } from './insight/insight-log.ts';
import { otherChangelogs } from './local-state.ts';
import type { StandbyCopies } from './standby-copies.ts';
import type { TaskRegistry } from './task-registry.ts';

/** Since the last look at what other workers left open, for tasks that are still being opened. Each look doubles it. */
const SETTLE_AGAIN_MS = 1_000;
const SETTLE_AGAIN_MS_MAX = 30_000;

export interface AssignedTasksParts {
  readonly registry: TaskRegistry;
  readonly epochs: EpochCoordinator;
  readonly copies: StandbyCopies;
  readonly layout: ClusterLayout;
  readonly backend: StateBackend;
  readonly config: RuntimeConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly insight: InsightLog;
  /** Asks the group for another round. */
  readonly requestRound: (reason: string) => void;
  /** Something the loop recovers from, or stops for. */
  readonly onFailed: (error: unknown) => void;
}

export interface ApplyOptions {
  /** Said in the log: the generation, or epoch, of the assignment. */
  readonly source: string;
  /** Ends the transactions of earlier owners of tasks that are new here. Nothing of them is opened before. */
  readonly settle: (added: readonly TaskIdText[]) => Promise<void>;
  /** What is to run here in the end: a copy of it that has caught up asks for another round. */
  readonly expects?: readonly TaskIdText[];
  /** Another round is to be asked for then, because copies are being warmed up; `null`: not by this member. */
  readonly probeInMs?: number | null;
}

/** What a member has, as it tells the group. */
export interface OwnState {
  /** Run, or being opened. */
  readonly active: readonly TaskIdText[];
  readonly copies: readonly TaskIdText[];
  /** Sums of the changelog offsets reached, of copies and of state that lies on the disk; none of `active`. */
  readonly positions: ReadonlyMap<TaskIdText, number>;
}

/** What an assignment changed. */
export interface AssignmentChange {
  /** No longer run here, committed and closed: the group may give them to others. */
  readonly revoked: readonly TaskIdText[];
  readonly added: readonly TaskIdText[];
}

export class AssignedTasks {
  private readonly parts: AssignedTasksParts;
  private probing: Timer | null = null;
  private settlingAgain: Timer | null = null;

  constructor(parts: AssignedTasksParts) {
    this.parts = parts;
  }

  /** Of the tasks that run here or are being opened. */
  get names(): readonly TaskIdText[] {
    return this.parts.registry.assignedNames;
  }

  /** Resolves once what was taken away is given up; what is new may be restoring for long. */
  async apply(copies: TaskCopies, options: ApplyOptions): Promise<AssignmentChange> {
    const { registry, epochs, logger } = this.parts;
    const { active, standby, warmup } = copies;
    const before = new Set(registry.assignedNames);
    const wanted = new Set(active);
    const revoked = [...before].filter((name) => !wanted.has(name));
    const added = active.filter((name) => !before.has(name));
    logger.info(`Assigned ${active.length} task(s) in ${options.source}`, {
      tasks: active,
      revoked,
      added,
      standby,
      warmup,
    });
    this.parts.insight.assigned(options.source, copies, { revoked, added });
    if (revoked.length > 0) {
      const committed = await this.guarded(() => epochs.commitAll());
      const kept = new Set([...standby, ...warmup]);
      if (committed) {
        this.demote(revoked, kept);
        const gone = revoked.filter((name) => !kept.has(name));
        registry.retire(gone, this.parts.onFailed);
      }
      const owned = new Set(registry.assignedNames);
      await this.guarded(() => registry.close(revoked.filter((name) => owned.has(name))));
    }
    this.parts.copies.assign(standby, warmup, active, options.expects ?? []);
    if (added.length > 0) {
      // Beside the loop: tasks that stay go on meanwhile.
      const settled = options.settle(added);
      registry.openAll(added, this.parts.onFailed, settled);
      this.settleAgain(options.settle, settled, SETTLE_AGAIN_MS);
    }
    this.probe(options.probeInMs ?? null);
    return { revoked, added };
  }

  /** What a member tells the group of the state it has. */
  async describe(): Promise<OwnState> {
    const { registry, copies, layout, backend, config, logger } = this.parts;
    const active = registry.assignedNames;
    const running = new Set(active);
    const positions = new Map<TaskIdText, number>();
    try {
      for (const [task, checkpoint] of await backend.localCheckpoints(config.applicationId)) {
        const name = task as TaskIdText;
        if (running.has(name) || !layout.tasks.includes(name)) continue;
        // It would be set aside. What is old may be: it can still be whole, and then nobody else has it.
        if (otherChangelogs(name, checkpoint, layout.changelogIdentity(name)) !== null) continue;
        let sum = 0;
        for (const { store } of layout.changelogs(name)) sum += checkpoint.changelogOffsets.get(store) ?? 0;
        positions.set(name, sum);
      }
    } catch (error) {
      // State is then found where it lies only by chance; nothing else depends on it.
      logger.warn('What the local state reaches could not be found out', { error: asError(error).message });
    }
    for (const [name, position] of copies.positions) if (!running.has(name)) positions.set(name, position);
    return { active, copies: copies.names, positions };
  }

  /** Nothing of what was asked for later happens any more. */
  close(): void {
    this.probe(null);
    this.settlingAgain?.cancel();
    this.settlingAgain = null;
  }

  /**
   * A worker that died counts as alive until its session is over. Whoever gets a task of it before then finds nobody to settle after, and
   * reads its changelog no further than to where the dead one's transaction begins.
   */
  private settleAgain(settle: ApplyOptions['settle'], settled: Promise<void>, pauseMs: number): void {
    this.settlingAgain?.cancel();
    // What fails is told by those that wait to be opened; a look that fails is followed by the next.
    settled.catch(() => undefined);
    const timer = this.parts.clock.schedule(pauseMs, () => {
      const look = (): void => {
        const opening = this.parts.registry.openingNames;
        if (this.settlingAgain !== timer || opening.length === 0) return;
        this.settleAgain(settle, settle(opening), Math.min(2 * pauseMs, SETTLE_AGAIN_MS_MAX));
      };
      settled.then(look, look);
    });
    this.settlingAgain = timer;
  }

  /** Copies go on with the state of tasks that ran here, without closing it. */
  private demote(revoked: readonly TaskIdText[], wanted: ReadonlySet<TaskIdText>): void {
    for (const name of revoked) {
      if (!wanted.has(name)) continue;
      const state = this.parts.registry.release(name);
      if (state !== null) this.parts.copies.keep(name, state);
    }
  }

  private probe(inMs: number | null): void {
    this.probing?.cancel();
    this.probing = null;
    if (inMs === null) return;
    this.probing = this.parts.clock.schedule(inMs, () => {
      this.probing = null;
      this.parts.requestRound('copies are being warmed up');
    });
  }

  /** A failure in here is the loop's to recover from, in its next turn; the group knows nothing of it. */
  private async guarded(action: () => Promise<void>): Promise<boolean> {
    try {
      await action();
      return true;
    } catch (error) {
      this.parts.onFailed(error);
      return false;
    }
  }
}
