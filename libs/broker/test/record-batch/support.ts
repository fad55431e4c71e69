// Owns the one way in which these specs make batches and read them back.
import {
  RecordBatchEncoder,
  RecordColumns,
  encodeHeaders,
  readRecordBatches,
  stampBatch,
} from '#libs/broker';
import type { BatchStamp } from '#libs/broker';
import type { BinaryString, RecordHeader } from '#libs/core';

export interface PlainRecord {
  readonly offset?: number;
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly RecordHeader[];
}

export const UNSTAMPED: BatchStamp = {
  producerId: -1,
  producerEpoch: -1,
  baseSequence: -1,
  isTransactional: false,
};

/** Keys and values are binary strings here. */
export function encodeBatch(records: readonly PlainRecord[], stamp: BatchStamp = UNSTAMPED): Buffer {
  const encoder = new RecordBatchEncoder();
  for (const { timestamp, key, value, headers } of records) {
    encoder.append(
      timestamp,
      key as BinaryString | null,
      value as BinaryString | null,
      encodeHeaders(headers),
    );
  }
  const batch = encoder.finish()!;
  stampBatch(batch, stamp);
  return batch.bytes;
}

export function decodeAll(bytes: Buffer, fromOffset = 0): PlainRecord[] {
  const columns = new RecordColumns();
  const records: PlainRecord[] = [];
  for (const batch of readRecordBatches(bytes)) {
    columns.decode(batch, fromOffset);
    for (let i = 0; i < columns.count; i++) {
      records.push({
        offset: columns.offsets[i]!,
        timestamp: columns.timestamps[i]!,
        key: columns.key(i),
        value: columns.value(i),
        headers: columns.readHeaders(i),
      });
    }
  }
  return records;
}

/** Rewrites the checksum after a spec has changed bytes. */
export function withCrc(bytes: Buffer, crc32c: (bytes: Uint8Array) => number): Buffer {
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17);
  return bytes;
}

export function moveTo(bytes: Buffer, baseOffset: number): Buffer {
  const moved = Buffer.from(bytes);
  moved.writeBigInt64BE(BigInt(baseOffset), 0);
  return moved;
}
