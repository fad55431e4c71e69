// Owns small batches for specs: built by the product's encoder, so that they are what travels in life.
import type { BinaryString } from '#libs/core';
import {
  crc32c,
  RecordBatchEncoder,
  RecordBatchView,
  RecordColumns,
  stampBatch,
} from '../../src/record-batch/index.ts';
import type { BatchStamp, EncodedBatch } from '../../src/record-batch/index.ts';

/** A batch with one record per value, keyed by its value, timestamps from 1,000 on. */
export function batchOf(...values: string[]): EncodedBatch {
  const encoder = new RecordBatchEncoder();
  values.forEach((value, i) => encoder.append(1_000 + i, value as BinaryString, value as BinaryString));
  return encoder.finish()!;
}

/** As a broker would store it: stamped, at `baseOffset`, written in `leaderEpoch`. */
export function storedBatch(
  baseOffset: number,
  values: readonly string[],
  options: Partial<BatchStamp> & { leaderEpoch?: number } = {},
): Buffer {
  const batch = batchOf(...values);
  stampBatch(batch, {
    producerId: options.producerId ?? -1,
    producerEpoch: options.producerEpoch ?? (options.producerId === undefined ? -1 : 0),
    baseSequence: options.baseSequence ?? (options.producerId === undefined ? -1 : 0),
    isTransactional: options.isTransactional ?? options.producerId !== undefined,
  });
  return atOffset(batch.bytes, baseOffset, options.leaderEpoch ?? 5);
}

/** A control batch: what ends a transaction. */
export function markerBatch(
  baseOffset: number,
  producerId: number,
  type: 'abort' | 'commit',
  leaderEpoch = 5,
): Buffer {
  const encoder = new RecordBatchEncoder();
  const key = type === 'abort' ? '\0\0\0\0' : '\0\0\0\x01';
  encoder.append(1_000, key as BinaryString, '\0\0\0\0\0\0' as BinaryString);
  const batch = encoder.finish()!;
  stampBatch(batch, { producerId, producerEpoch: 0, baseSequence: -1, isTransactional: true });
  const bytes = atOffset(batch.bytes, baseOffset, leaderEpoch);
  bytes.writeInt16BE(bytes.readInt16BE(21) | 0x20, 21);
  return withCrc(bytes);
}

function atOffset(batch: Uint8Array, baseOffset: number, leaderEpoch: number): Buffer {
  const bytes = Buffer.from(batch);
  bytes.writeBigInt64BE(BigInt(baseOffset), 0);
  bytes.writeInt32BE(leaderEpoch, 12);
  return bytes;
}

function withCrc(bytes: Buffer): Buffer {
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17);
  return bytes;
}

/** The values of a batch, from `fromOffset` on. */
export function valuesOf(batch: RecordBatchView, fromOffset = 0): string[] {
  const columns = new RecordColumns();
  const count = columns.decode(batch, fromOffset);
  const values: string[] = [];
  for (let i = 0; i < count; i++) {
    values.push(columns.text.substring(columns.valueStart[i]!, columns.valueEnd[i]));
  }
  return values;
}

export function viewOf(bytes: Buffer): RecordBatchView {
  return new RecordBatchView(bytes);
}
