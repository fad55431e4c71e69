// Owns the order in which a task takes records from its input partitions: by timestamp, the partitions' heads compared.
// It never processes a record. The rule for an empty partition is Kafka Streams' `max.task.idle.ms` (KIP-695).
import type { RecordReader } from '#libs/broker';
import type { Clock } from '#libs/core';
import type { RecordQueue } from './record-queue.ts';

export class PartitionGroup {
  readonly queues: readonly RecordQueue[];
  private readonly reader: RecordReader;
  private readonly clock: Clock;
  private readonly maxTaskIdleMs: number;
  /** When the task began to wait for an empty, caught-up partition; NaN: it does not wait. */
  private idleSince = Number.NaN;

  constructor(queues: readonly RecordQueue[], reader: RecordReader, clock: Clock, maxTaskIdleMs: number) {
    this.queues = queues;
    this.reader = reader;
    this.clock = clock;
    this.maxTaskIdleMs = maxTaskIdleMs;
  }

  /**
   * May the task go on although some partitions have nothing buffered? Yes when each of those is known to be read to its end,
   * and, with a positive limit, when it has been waited for so long.
   */
  isProcessable(): boolean {
    const queues = this.queues;
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
    if (!queue.isEmpty) return false;
    const { highWatermark, lastStableOffset } = this.reader.endOffsets(queue.topic, queue.partition);
    const end = this.reader.isolation === 'read_committed' ? lastStableOffset : highWatermark;
    return end >= 0 && this.reader.position(queue.topic, queue.partition) >= end;
  }
}
