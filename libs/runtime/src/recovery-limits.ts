// Owns when a worker gives up beginning anew: what comes again and again is not the kind of failure that passes.
import { FatalError } from '#libs/core';
import type { Clock, TaskCorruptedError, TaskMigratedError } from '#libs/core';

/** So many within a session are no late requests of somebody's any more. */
const FENCINGS_OF_A_DUEL = 4;
/** Corrupted state in a row, without an epoch committed in between, that a worker restores from. */
const CORRUPTIONS_MAX = 3;

export class RecoveryLimits {
  private readonly transactionalId: string;
  private readonly sessionTimeoutMs: number;
  private readonly clock: Clock;
  private corruptions = 0;
  private epochsAtCorruption = -1;
  private lossesAtFencing = -1;
  /** Moments on the monotonic clock, of the last session. Two that fence each other do so at every request. */
  private fencedAt: number[] = [];

  constructor(transactionalId: string, sessionTimeoutMs: number, clock: Clock) {
    this.transactionalId = transactionalId;
    this.sessionTimeoutMs = sessionTimeoutMs;
    this.clock = clock;
  }

  /**
   * State that is found corrupted again and again without an epoch in between: the disk is full or broken.
   * @throws FatalError MILLRACE_STATE_FAILED
   */
  refuseEndlessCorruption(error: TaskCorruptedError, committedEpochs: number): void {
    if (committedEpochs > this.epochsAtCorruption) this.corruptions = 0;
    this.epochsAtCorruption = committedEpochs;
    this.corruptions++;
    if (this.corruptions > CORRUPTIONS_MAX) {
      throw new FatalError({
        code: 'MILLRACE_STATE_FAILED',
        message: `The state of task ${error.taskIds.join(', ')} failed ${this.corruptions} times without progress: ${error.message}`,
        remedy: 'Check the disk of the state directory: its space, its permissions, its health.',
        cause: error,
      });
    }
  }

  /**
   * A worker that was paused for longer than its session is fenced by its successor once, and the group tells it so. A request of a
   * successor that comes late may fence it once more, and again where it was sent again. Fenced on and on while the group keeps it:
   * another process runs under the same transactional id, and the two would fence each other for ever.
   * @throws FatalError MILLRACE_PRODUCER_FENCED
   */
  refuseDuel(error: TaskMigratedError, losses: number): void {
    const now = this.clock.monotonic();
    if (this.lossesAtFencing !== losses) this.fencedAt = [];
    this.lossesAtFencing = losses;
    this.fencedAt = this.fencedAt.filter((at) => now - at < this.sessionTimeoutMs);
    this.fencedAt.push(now);
    if (this.fencedAt.length < FENCINGS_OF_A_DUEL) return;
    throw new FatalError({
      code: 'MILLRACE_PRODUCER_FENCED',
      message: `Another process uses the transactional id "${this.transactionalId}".`,
      remedy: 'Give each instance of the application an instanceId and a state directory of its own.',
      cause: error,
      context: { transactionalId: this.transactionalId },
    });
  }
}
