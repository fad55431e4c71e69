// Owns when the records of a retry topic are due. The topic's records came in with the same delay, so the first is due first: until it is, the partition
// waits, and holds nothing else back.
import type { Clock } from '#libs/core';
import type { RetryTopicSpec } from '#libs/topology';
import { readRetryHeaders } from './retry-headers.ts';
import type { RecordHistory } from './retry-headers.ts';
import type { RecordQueue } from './record-queue.ts';

export class RetryWait {
  readonly level: number;
  /** The queue of the topic whose records wait here. */
  readonly of: RecordQueue;
  private readonly delayMs: number;
  private readonly clock: Clock;
  /** The head that was looked at last. */
  private offset = -1;
  private head: RecordHistory | null = null;
  private dueAt = 0;

  constructor(spec: RetryTopicSpec, of: RecordQueue, clock: Clock) {
    this.level = spec.level;
    this.delayMs = spec.delayMs;
    this.of = of;
    this.clock = clock;
  }

  /** Wall clock at which the head of `queue` may be tried; `Infinity`: there is none. */
  dueOf(queue: RecordQueue): number {
    if (!queue.hasRecord) return Infinity;
    this.look(queue);
    return this.dueAt;
  }

  /** What the head of `queue` went through. */
  historyOf(queue: RecordQueue): RecordHistory {
    this.look(queue);
    return this.head!;
  }

  private look(queue: RecordQueue): void {
    const offset = queue.columns.offsets[queue.index]!;
    if (offset === this.offset) return;
    const { history, notBefore } = readRetryHeaders(queue.columns, queue.index, this.of);
    this.offset = offset;
    this.head = history;
    // Whatever the clock of whoever wrote it: once here, a record waits for no longer than its delay.
    this.dueAt = Math.min(notBefore, this.clock.now() + this.delayMs);
  }
}
