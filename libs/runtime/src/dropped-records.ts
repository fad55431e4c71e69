// Owns the count of records that were left out by rule or policy, and says so in the log, at most once a second.
import type { Clock, ErrorCode, Logger } from '#libs/core';

const LOG_INTERVAL_MS = 1_000;

export class DroppedRecords {
  /** All records dropped since the start. */
  total = 0;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private lastLog = -Infinity;
  private sinceLog = 0;

  constructor(clock: Clock, logger: Logger) {
    this.clock = clock;
    this.logger = logger;
  }

  record(where: string, code: ErrorCode, reason: string): void {
    this.total++;
    this.sinceLog++;
    const now = this.clock.monotonic();
    if (now - this.lastLog < LOG_INTERVAL_MS) return;
    this.logger.warn(`Skipped ${this.sinceLog} record(s), last in ${where}: ${reason}`, {
      code,
      where,
      total: this.total,
    });
    this.lastLog = now;
    this.sinceLog = 0;
  }
}
