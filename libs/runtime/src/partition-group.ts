// Owns the order in which a task takes records from its input partitions: by timestamp, the partitions' heads compared.
// Retry topics stand apart: a record of theirs is taken when it is due, whatever its timestamp, and nobody waits for it.
// It never processes a record. The rule for an empty partition is Kafka Streams' `max.task.idle.ms` (KIP-695).
import type { RecordReader } from '#libs/broker';
import type { Clock } from '#libs/core';
import type { WaitingFailures } from './failure-counts.ts';
import type { RecordQueue } from './record-queue.ts';

export class PartitionGroup {
  readonly queues: readonly RecordQueue[];
  /** All but those of retry topics. */
  readonly ordered: readonly RecordQueue[];
  private readonly retries: readonly RecordQueue[];
  private readonly reader: RecordReader;
  private readonly clock: Clock;
  private readonly maxTaskIdleMs: number;
  /** When the task began to wait for an empty, caught-up partition; NaN: it does not wait. */
  private idleSince = Number.NaN;

  constructor(queues: readonly RecordQueue[], reader: RecordReader, clock: Clock, maxTaskIdleMs: number) {
    this.queues = queues;
    this.ordered = queues.filter(({ retry }) => retry === null);
    this.retries = queues.filter(({ retry }) => retry !== null);
    this.reader = reader;
    this.clock = clock;
    this.maxTaskIdleMs = maxTaskIdleMs;
  }

  /**
   * May the task go on in the order of time, although some partitions have nothing buffered? Yes when each of those is known to be read to its end,
   * and, with a positive limit, when it has been waited for so long.
   */
  isProcessable(): boolean {
    const queues = this.ordered;
    let empty = 0;
    for (const queue of queues) if (!queue.hasRecord) empty++;
    if (empty === 0 || empty === queues.length || this.maxTaskIdleMs < 0) {
      this.idleSince = Number.NaN;
      return empty < queues.length;
    }
    for (const queue of queues) if (!queue.hasRecord && !this.isCaughtUp(queue)) return false;
    if (this.maxTaskIdleMs === 0) return true;
    const now = this.clock.monotonic();
    if (Number.isNaN(this.idleSince)) this.idleSince = now;
    return now - this.idleSince >= this.maxTaskIdleMs;
  }

  /** The end is known and nothing lies between the reader's position and it. */
  isCaughtUp(queue: RecordQueue): boolean {
    if (!queue.isEmpty) return queue.retry !== null && queue.retry.dueOf(queue) > this.clock.now();
    const { highWatermark, lastStableOffset } = this.reader.endOffsets(queue.topic, queue.partition);
    const end = this.reader.isolation === 'read_committed' ? lastStableOffset : highWatermark;
    return end >= 0 && this.reader.position(queue.topic, queue.partition) >= end;
  }

  /** A retry topic whose next record is due; `null`: there is none. */
  dueRetry(): RecordQueue | null {
    const { retries } = this;
    if (retries.length === 0) return null;
    const now = this.clock.now();
    for (const queue of retries) if (queue.retry!.dueOf(queue) <= now) return queue;
    return null;
  }

  /** Wall clock at which a record of a retry topic is due; `Infinity`: none waits. */
  get retryDue(): number {
    let due = Infinity;
    for (const queue of this.retries) due = Math.min(due, queue.retry!.dueOf(queue));
    return due;
  }

  /** Retry topics whose next record has to wait, and until when. */
  get delayed(): WaitingFailures['delayed'] {
    const now = this.clock.now();
    return this.retries.flatMap((queue) => {
      const { topic, partition } = queue;
      const dueAt = queue.retry!.dueOf(queue);
      return dueAt === Infinity || dueAt <= now ? [] : [{ topic, partition, dueAt }];
    });
  }
}
