// Owns the names of the steps in which a task comes to run here, and their line in the log (debug): which of them a pause is made of.
//
//   told → joined → assigned → settled → offsets → opened → restored → admitted → committed
//                                              ╰──→ claimed ───────────╯
//
// `atMs` is on the monotonic clock of the process, so two lines of one process can be subtracted.
import type { Clock, Logger } from '#libs/core';

export type TakeoverPhase =
  /** The member asks to join: it was told of a rebalance, or wants one. */
  | 'told'
  | 'assigned'
  /** What earlier owners had left open has ended. */
  | 'settled'
  | 'offsets'
  /** Its database is open, or a copy was taken over. */
  | 'opened'
  | 'restored'
  /** It is in the worker's loop. */
  | 'admitted'
  /** The group's offsets name this worker as its owner: it may process. */
  | 'claimed'
  /** Its first epoch with records is committed. */
  | 'committed';

export function logPhase(
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  phase: TakeoverPhase,
  task: string | null = null,
): void {
  const atMs = Math.round(clock.monotonic() * 10) / 10;
  logger.debug(`Takeover: ${phase}`, task === null ? { atMs } : { task, atMs });
}
