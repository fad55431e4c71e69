// Owns the option of a versioned table.

/** How much history a versioned table keeps (KIP-889). */
export interface Versioned {
  /**
   * Milliseconds. Look-ups as of a time, and updates, reach so far behind the highest timestamp that the table has seen; an update that
   * is older than that is dropped (MILLRACE_LATE_RECORD).
   */
  readonly historyRetentionMs: number;
}
