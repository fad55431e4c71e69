// Owns where the fields of a magic v2 record batch lie (KIP-98) and what its attribute bits mean.

export const MAGIC = 2;

/** Byte offsets of the header's fields, from the batch's first byte. */
export const BASE_OFFSET = 0;
export const BATCH_LENGTH = 8;
export const PARTITION_LEADER_EPOCH = 12;
export const MAGIC_BYTE = 16;
export const CRC = 17;
export const ATTRIBUTES = 21;
export const LAST_OFFSET_DELTA = 23;
export const BASE_TIMESTAMP = 27;
export const MAX_TIMESTAMP = 35;
export const PRODUCER_ID = 43;
export const PRODUCER_EPOCH = 51;
export const BASE_SEQUENCE = 53;
export const RECORD_COUNT = 57;

/** Where the record section begins: the size of the header. */
export const RECORDS = 61;

/** `BATCH_LENGTH` counts the bytes behind itself. */
export const LENGTH_PREFIX_BYTES = 12;

/** The smallest record: its length, attributes, two deltas, two null lengths and no headers, a byte each. */
export const RECORD_BYTES_MIN = 7;

export const COMPRESSION_MASK = 0x07;
export const LOG_APPEND_TIME_BIT = 0x08;
export const TRANSACTIONAL_BIT = 0x10;
export const CONTROL_BIT = 0x20;

/** What producers of no idempotence put into id, epoch and sequence. */
export const NO_PRODUCER_ID = -1;
export const NO_PRODUCER_EPOCH = -1;
export const NO_SEQUENCE = -1;

const TWO_POW_32 = 0x1_0000_0000;

/** A signed 64-bit field as a number: exact within ±2^53, where every Kafka offset, timestamp and producer id lies. */
export function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * TWO_POW_32 + bytes.readUInt32BE(at + 4);
}

export function writeInt64(bytes: Buffer, value: number, at: number): void {
  const high = Math.floor(value / TWO_POW_32);
  bytes.writeInt32BE(high, at);
  bytes.writeUInt32BE(value - high * TWO_POW_32, at + 4);
}
