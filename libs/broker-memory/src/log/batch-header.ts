// Owns the few fields of a record batch (magic 2, KIP-98) that a broker writes itself, and the batches it makes: markers.
// Everything else of a header is read through RecordBatchView.
import { crc32c, RecordBatchEncoder, stampBatch } from '#libs/broker';
import type { BinaryString } from '#libs/core';

const BASE_OFFSET = 0;
export const BATCH_LENGTH = 8;
const PARTITION_LEADER_EPOCH = 12;
const CRC = 17;
export const ATTRIBUTES = 21;
export const BASE_TIMESTAMP = 27;
export const MAX_TIMESTAMP = 35;
export const RECORD_COUNT = 57;
/** Where the records begin. */
export const RECORDS = 61;
/** `BATCH_LENGTH` counts the bytes behind itself. */
export const LENGTH_PREFIX_BYTES = 12;
export const COMPRESSION_MASK = 0x07;
const LOG_APPEND_TIME_BIT = 0x08;
const CONTROL_BIT = 0x20;
const TWO_POW_32 = 0x1_0000_0000;

/** Where a batch lies in its log; outside the checksum. */
export function placeBatch(bytes: Buffer, baseOffset: number, leaderEpoch: number): void {
  const high = Math.floor(baseOffset / TWO_POW_32);
  bytes.writeInt32BE(high, BASE_OFFSET);
  bytes.writeUInt32BE(baseOffset - high * TWO_POW_32, BASE_OFFSET + 4);
  bytes.writeInt32BE(leaderEpoch, PARTITION_LEADER_EPOCH);
}

/** `message.timestamp.type=LogAppendTime`: all records have `timestampMs`. */
export function stampLogAppendTime(bytes: Buffer, timestampMs: number): void {
  bytes.writeInt16BE(bytes.readInt16BE(ATTRIBUTES) | LOG_APPEND_TIME_BIT, ATTRIBUTES);
  const high = Math.floor(timestampMs / TWO_POW_32);
  bytes.writeInt32BE(high, MAX_TIMESTAMP);
  bytes.writeUInt32BE(timestampMs - high * TWO_POW_32, MAX_TIMESTAMP + 4);
  writeChecksum(bytes);
}

/** Last of all: covers everything from the attributes on. */
export function writeChecksum(bytes: Buffer): void {
  bytes.writeUInt32BE(crc32c(bytes.subarray(ATTRIBUTES)), CRC);
}

export function checksumOf(bytes: Buffer): number {
  return bytes.readUInt32BE(CRC);
}

/** The control batch that ends a transaction in one partition. Key: version and type; value: version and coordinator epoch. */
export function markerBatch(
  producerId: number,
  producerEpoch: number,
  committed: boolean,
  coordinatorEpoch: number,
  timestampMs: number,
): Buffer {
  const encoder = new RecordBatchEncoder(undefined, 128);
  const value = Buffer.alloc(6);
  value.writeInt32BE(coordinatorEpoch, 2);
  encoder.append(
    timestampMs,
    (committed ? '\0\0\0\x01' : '\0\0\0\0') as BinaryString,
    value.toString('latin1') as BinaryString,
  );
  const batch = encoder.finish()!;
  stampBatch(batch, { producerId, producerEpoch, baseSequence: -1, isTransactional: true });
  const bytes = Buffer.from(batch.bytes);
  bytes.writeInt16BE(bytes.readInt16BE(ATTRIBUTES) | CONTROL_BIT, ATTRIBUTES);
  writeChecksum(bytes);
  return bytes;
}
