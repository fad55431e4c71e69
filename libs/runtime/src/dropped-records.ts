// Owns the count of records that were left out by rule or policy, and says so in the log, at most once a second.
import type { Clock, ErrorCode, Logger } from '#libs/core';
import type { InsightLog } from './insight/insight-log.ts';

const LOG_INTERVAL_MS = 1_000;

export class DroppedRecords {
  /** All records dropped since the start. */
  total = 0;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly insight: InsightLog;
  private lastLog = -Infinity;
  private sinceLog = 0;

  constructor(clock: Clock, logger: Logger, insight: InsightLog) {
    this.insight = insight;
    this.clock = clock;
    this.logger = logger;
  }

  /** `where`: the task, and the node behind a space. */
  record(where: string, code: ErrorCode, reason: string, kind: 'dropped' | 'deadLetter' = 'dropped'): void {
    this.total++;
    this.insight.dropped(kind, where, code, reason);
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
