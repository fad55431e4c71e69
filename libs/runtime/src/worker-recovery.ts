// Owns how a worker begins anew after a failure, from the committed offsets: what is closed, what is thrown away, what is opened again, and when the
// failure is one that does not pass. It runs in the loop, and never decides when.
import type { IdempotentWriter, TransactionalWriter } from '#libs/broker';
import { MillraceError, TaskCorruptedError, TaskMigratedError, sleep } from '#libs/core';
import type { Clock, Logger, TaskIdText } from '#libs/core';
import type { StateBackend, TaskState } from '#libs/state';
import type { EpochCoordinator } from './epoch-coordinator.ts';
import type { InsightLog } from './insight/insight-log.ts';
import type { Membership, WorkerMember } from './membership.ts';
import { RecoveryLimits } from './recovery-limits.ts';
import type { StandbyCopies } from './standby-copies.ts';
import type { TaskRegistry } from './task-registry.ts';
import { isFencing, isRecoverable } from './worker-errors.ts';

/** Between attempts to begin anew after an epoch failed. */
const RECOVERY_PAUSE_MS = 100;

export interface WorkerRecoveryParts {
  readonly applicationId: string;
  readonly transactionalId: string;
  readonly sessionTimeoutMs: number;
  /** One of the two. */
  readonly writer: TransactionalWriter | null;
  readonly idempotentWriter: IdempotentWriter | null;
  readonly epochs: EpochCoordinator;
  readonly registry: TaskRegistry;
  readonly copies: StandbyCopies;
  readonly backend: StateBackend;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly insight: InsightLog;
  readonly membership: Membership;
  readonly member: WorkerMember;
  /** The worker is to stop: nothing is waited for. */
  readonly stopping: AbortSignal;
  /** Beginning anew takes long, and the loop lives. */
  readonly onTry: () => void;
  /** No task runs any more. */
  readonly onAbandoned: () => void;
  /** What a task that is opened again meets. */
  readonly onFailed: (error: unknown) => void;
}

export class WorkerRecovery {
  private readonly parts: WorkerRecoveryParts;
  private readonly limits: RecoveryLimits;

  constructor(parts: WorkerRecoveryParts) {
    this.parts = parts;
    this.limits = new RecoveryLimits(parts.transactionalId, parts.sessionTimeoutMs, parts.clock);
  }

  /**
   * After a failure: begin anew from the committed offsets. `onClosed` is called once all is closed, before anything is opened again.
   * @throws what cannot be recovered from.
   */
  async recover(error: Error, onClosed: () => void): Promise<void> {
    const { logger, insight, epochs, registry, copies, backend, applicationId } = this.parts;
    logger.warn('The epoch is abandoned; the worker goes on from the committed offsets', {
      error: error.message,
    });
    const code = error instanceof MillraceError ? error.code : 'MILLRACE_EPOCH_ABORTED';
    insight.issue('recovered', code, '', error.message);
    const owned = registry.assignedNames;
    // Asked before the writer begins anew, which would fence the other process once more.
    if (isFencing(error)) this.limits.refuseDuel(error, this.parts.membership.losses);
    await this.abandon(error instanceof TaskMigratedError);
    onClosed();
    if (error instanceof TaskMigratedError) {
      this.parts.membership.reset();
      this.parts.member.requestRejoin('the generation of the epoch is gone');
      return;
    }
    if (error instanceof TaskCorruptedError) {
      this.limits.refuseEndlessCorruption(error, epochs.committedEpochs);
      for (const name of error.taskIds) await copies.discard(name as TaskIdText);
      for (const name of error.taskIds) await backend.setAside(applicationId, name, error.message);
    }
    registry.openAll(owned, this.parts.onFailed);
  }

  /**
   * Closes every task dirty: nothing of the open epoch, nor of one being committed, is kept. The writer begins anew too, before
   * anything is opened again: its transaction may hold outputs of what is abandoned.
   */
  async abandon(withOpenings: boolean): Promise<void> {
    const { epochs, idempotentWriter, copies, registry, onAbandoned } = this.parts;
    epochs.restart();
    idempotentWriter?.abandon();
    const keep = (name: TaskIdText, state: TaskState): void => copies.keep(name, state);
    // Told first: beginning anew waits for a broker that may be away for long.
    onAbandoned();
    await Promise.all([this.beginAnew(), registry.abandonAll(keep, withOpenings)]);
  }

  /** Gets the writer an identity that nothing hangs on. @throws what cannot be recovered from. */
  async beginAnew(): Promise<void> {
    const { writer, clock, stopping, onTry } = this.parts;
    if (writer === null) return;
    for (;;) {
      try {
        await writer.initialise();
        return;
      } catch (error) {
        if (!isRecoverable(error)) throw error;
        onTry();
        // Whoever stops needs no identity: nothing is begun under it any more.
        if (stopping.aborted) return;
        await sleep(clock, RECOVERY_PAUSE_MS, stopping);
      }
    }
  }
}
