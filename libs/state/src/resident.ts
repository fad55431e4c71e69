// Owns what whatever takes memory in a task's cache has in common, so that one ring decides what stays (residency.ts).

export interface Resident {
  /** The batch number of the last use; 0: the clock's hand passed since. */
  usedAt: number;
  /** Place in the ring; -1: not in it, it stays until it is dropped. */
  ringAt: number;
  /** As estimated, without older versions. */
  readonly bytes: number;
  /** The database can give it back, and nothing needs it now. */
  mayLeave(): boolean;
  /** It is out of the ring and the account: its store forgets it. */
  leave(): void;
}
