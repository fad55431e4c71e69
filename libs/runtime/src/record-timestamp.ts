// Owns what a record's timestamp may be: not before 1970, and not further ahead of the wall clock than its source allows.
import { MillraceError } from '#libs/core';
import type { Clock } from '#libs/core';
import type { RecordQueue } from './record-queue.ts';

/**
 * Timestamp of a queue's next record, asking its extractor if it has one: what its place among the task's partitions goes by. One that
 * is too far ahead has no say in that: it is taken at once, and refused or clamped then.
 */
export function headTimestamp(queue: RecordQueue, clock: Clock): number {
  const timestamp = extractedTimestamp(queue);
  const { futureTimestamps: future } = queue.source;
  if (future === null) return timestamp;
  const now = clock.now();
  if (timestamp <= now + future.aheadMsMax) return timestamp;
  return future.policy === 'clamp' ? now : queue.partitionTime;
}

function extractedTimestamp(queue: RecordQueue): number {
  const recordTimestamp = queue.columns.timestamps[queue.index]!;
  const extractor = queue.source.timestampExtractor;
  if (extractor === null) return recordTimestamp;
  if (Number.isNaN(queue.extractedTimestamp)) {
    try {
      const { columns, index } = queue;
      const rawKey = columns.key(index);
      const rawValue = columns.value(index);
      queue.extractedTimestamp = extractor(
        rawValue === null ? null : queue.valueCodec.fromBinary(rawValue, columns.asciiValues),
        rawKey === null ? null : queue.keyCodec.fromBinary(rawKey, columns.asciiKeys),
        recordTimestamp,
        queue.partitionTime,
      );
    } catch {
      // It fails again when it is its turn, and is handled there; until then it keeps its place by its own timestamp.
      queue.extractedTimestamp = recordTimestamp;
    }
  }
  return queue.extractedTimestamp;
}

export function invalidTimestamp(timestamp: number): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_INVALID_TIMESTAMP',
    message: `its timestamp is ${timestamp}, not a number of milliseconds from 1970 on.`,
    remedy:
      'Give the source a timestamp extractor, or set exceptionHandlers.deserialization to continue or to dead-letter such records.',
    context: { timestamp },
  });
}

export function futureTimestamp(
  queue: RecordQueue,
  index: number,
  timestamp: number,
  wallTime: number,
): MillraceError {
  const aheadMs = timestamp - wallTime;
  const { topic, partition, columns } = queue;
  return new MillraceError({
    code: 'MILLRACE_FUTURE_TIMESTAMP',
    message: `its timestamp ${timestamp} is ${aheadMs} ms ahead of the clock here; ${queue.source.futureTimestamps!.aheadMsMax} ms are allowed.`,
    remedy:
      'Look at the clock of what produced it; set futureTimestamps.policy to drop or clamp, or exceptionHandlers.deserialization to continue or to dead-letter such records.',
    context: { topic, partition, offset: columns.offsets[index]!, timestamp, aheadMs },
  });
}
