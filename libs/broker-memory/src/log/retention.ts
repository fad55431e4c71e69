// Owns retention: old records go from the head of a log, by age and by size. Where a broker drops segments, this drops batches.
import type { TopicConfig } from '../topics/topic-config.ts';
import type { PartitionLog } from './partition-log.ts';

/** True when anything was removed. */
export function applyRetention(log: PartitionLog, config: TopicConfig, nowMs: number): boolean {
  const before = log.logStartOffset;
  if (config.retentionMs >= 0) {
    let offset = before;
    for (const { maxTimestamp, lastOffset } of log.batches) {
      if (nowMs - maxTimestamp <= config.retentionMs || lastOffset >= log.lastStableOffset) break;
      offset = lastOffset + 1;
    }
    log.deleteBefore(offset);
  }
  if (config.retentionBytes >= 0) {
    let bytes = log.batches.reduce((sum, batch) => sum + batch.bytes.length, 0);
    let offset = log.logStartOffset;
    for (const batch of log.batches) {
      if (bytes - batch.bytes.length < config.retentionBytes || batch.lastOffset >= log.lastStableOffset)
        break;
      bytes -= batch.bytes.length;
      offset = batch.lastOffset + 1;
    }
    log.deleteBefore(offset);
  }
  return log.logStartOffset > before;
}
