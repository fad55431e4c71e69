// Owns what a worker does when its group has given its tasks away without asking, whichever protocol it speaks.
import type { Logger } from '#libs/core';
import type { ControlQueue } from './control-queue.ts';

export interface LostMembershipParts {
  readonly controls: ControlQueue;
  readonly logger: Logger;
  /** Drops the open epoch and closes all tasks dirty. */
  readonly abandon: () => Promise<void>;
  /** Something the loop recovers from, or stops for. */
  readonly onFailed: (error: unknown) => void;
}

/** Resolves once nothing of the tasks is kept. `note` runs first, in the loop: the membership's own account of it. */
export function closeAfterLoss(
  { controls, logger, abandon, onFailed }: LostMembershipParts,
  reason: string,
  note: () => void,
): Promise<void> {
  return controls.post(async () => {
    note();
    logger.warn('The worker lost its place in the group; its tasks are closed without a commit', { reason });
    try {
      await abandon();
    } catch (error) {
      // The loop's to recover from, in its next turn; the group member knows nothing of it.
      onFailed(error);
    }
  });
}
