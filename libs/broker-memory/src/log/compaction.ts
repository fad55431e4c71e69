// Owns compaction: of each key the newest committed record stays, at its offset. Rules as in Kafka's LogCleaner; records that stay keep
// their bytes.
//
// 1. Nothing at or behind the last stable offset is touched, and never the last batch: readers find the end of the log by it.
// 2. Aborted records go, and hide no older ones. Whole transactions go from the index of aborted ones, too: readers told of one whose
//    marker goes later would take what its producer wrote since for aborted.
// 3. A tombstone stays for `delete.retention.ms` after it was first met here, and so does a marker whose transaction has left nothing.
import { RecordBatchView, RecordColumns } from '#libs/broker';
import type { BinaryString } from '#libs/core';
import type { TopicConfig } from '../topics/topic-config.ts';
import {
  ATTRIBUTES,
  BATCH_LENGTH,
  COMPRESSION_MASK,
  LENGTH_PREFIX_BYTES,
  MAX_TIMESTAMP,
  RECORD_COUNT,
  RECORDS,
  writeChecksum,
} from './batch-header.ts';
import type { PartitionLog, StoredBatch } from './partition-log.ts';
import { recordBounds } from './record-scan.ts';

const columns = new RecordColumns();

/** True when anything was removed. */
export function compact(log: PartitionLog, config: TopicConfig, nowMs: number): boolean {
  const end = cleanableEnd(log, config, nowMs);
  const newest = newestOffsets(log, end);
  const kept: StoredBatch[] = [];
  /** Producers with data in their open or current transaction that stays. */
  const withData = new Set<number>();
  let changed = false;
  for (let i = 0; i < end; i++) {
    const batch = log.batches[i]!;
    const stays = batch.isControl
      ? keepMarker(batch, withData.delete(batch.producerId), config, nowMs)
      : keepRecords(log, batch, newest, config, nowMs);
    if (stays !== batch) changed = true;
    if (stays === undefined) continue;
    if (!batch.isControl && batch.isTransactional) withData.add(batch.producerId);
    kept.push(stays);
  }
  const cleanedTo = log.batches[end - 1]?.lastOffset ?? -1;
  log.aborted = log.aborted.filter(({ lastOffset }) => lastOffset > cleanedTo);
  if (changed) log.batches = [...kept, ...log.batches.slice(end)];
  return changed;
}

/** Index of the first batch that may not be cleaned. */
function cleanableEnd(log: PartitionLog, config: TopicConfig, nowMs: number): number {
  const bound = log.lastStableOffset;
  let end = 0;
  while (end < log.batches.length - 1) {
    const { lastOffset, maxTimestamp } = log.batches[end]!;
    if (lastOffset >= bound || maxTimestamp > nowMs - config.minCompactionLagMs) break;
    end++;
  }
  return end;
}

function newestOffsets(log: PartitionLog, end: number): Map<BinaryString, number> {
  const newest = new Map<BinaryString, number>();
  for (let i = 0; i < end; i++) {
    const batch = log.batches[i]!;
    if (batch.isControl || log.isAborted(batch)) continue;
    const count = columns.decode(new RecordBatchView(batch.bytes), log.logStartOffset);
    for (let j = 0; j < count; j++) {
      const key = columns.key(j);
      if (key !== null) newest.set(key, columns.offsets[j]!);
    }
  }
  return newest;
}

function keepMarker(
  batch: StoredBatch,
  hasData: boolean,
  config: TopicConfig,
  nowMs: number,
): StoredBatch | undefined {
  if (hasData) return batch;
  if (batch.deleteHorizonMs === undefined)
    return { ...batch, deleteHorizonMs: nowMs + config.deleteRetentionMs };
  return nowMs < batch.deleteHorizonMs ? batch : undefined;
}

/** The batch with what stays of it; the same object if all does, undefined if nothing. */
function keepRecords(
  log: PartitionLog,
  batch: StoredBatch,
  newest: ReadonlyMap<BinaryString, number>,
  config: TopicConfig,
  nowMs: number,
): StoredBatch | undefined {
  if (log.isAborted(batch)) return undefined;
  const view = new RecordBatchView(batch.bytes);
  const count = columns.decode(view, 0);
  const horizonMs = batch.deleteHorizonMs ?? nowMs + config.deleteRetentionMs;
  const staying: number[] = [];
  let tombstones = false;
  for (let i = 0; i < count; i++) {
    const key = columns.key(i);
    if (key === null || columns.offsets[i]! < (newest.get(key) ?? -1)) continue;
    if (columns.valueStart[i]! < 0) {
      if (nowMs >= horizonMs) continue;
      tombstones = true;
    }
    staying.push(i);
  }
  if (staying.length === 0) return undefined;
  const marked =
    tombstones && batch.deleteHorizonMs === undefined ? { ...batch, deleteHorizonMs: horizonMs } : batch;
  if (staying.length === count) return marked;
  return rewrite(marked, view, staying);
}

function rewrite(batch: StoredBatch, view: RecordBatchView, staying: readonly number[]): StoredBatch {
  const section = view.recordSection();
  const bounds = recordBounds(section, view.recordCount);
  let maxTimestamp = -1;
  const parts: Buffer[] = [Buffer.from(batch.bytes.subarray(0, RECORDS))];
  for (const i of staying) {
    const { start, end } = bounds[i]!;
    parts.push(section.subarray(start, end));
    maxTimestamp = Math.max(maxTimestamp, columns.timestamps[i]!);
  }
  const bytes = Buffer.concat(parts);
  bytes.writeInt32BE(bytes.length - LENGTH_PREFIX_BYTES, BATCH_LENGTH);
  bytes.writeInt16BE(bytes.readInt16BE(ATTRIBUTES) & ~COMPRESSION_MASK, ATTRIBUTES);
  bytes.writeInt32BE(staying.length, RECORD_COUNT);
  bytes.writeBigInt64BE(BigInt(maxTimestamp), MAX_TIMESTAMP);
  writeChecksum(bytes);
  return { ...batch, bytes, recordCount: staying.length, maxTimestamp };
}
