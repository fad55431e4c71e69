// Owns the key of one row of a range store: the record key, then time, then sequence, so that a key's rows lie together in
// the order of time. It never knows values.
//
//   length of the key (4 bytes) ++ key ++ timestamp (8 bytes, ordered) ++ sequence (8 bytes), all big-endian
//
// The length stands first: without it the rows of a key would mix with those of keys that begin with it.
import type { BinaryString } from '#libs/core';

const TWO_32 = 2 ** 32;
/** Added to a timestamp, so that negative ones sort before positive ones. */
const TIMESTAMP_BIAS = 2 ** 52;
const TAIL_BYTES = 16;

export const TIMESTAMP_MIN = -(2 ** 52);
/** Above every timestamp a row can have; the exclusive end of a key's rows. */
export const TIMESTAMP_END = 2 ** 52;

export function rowKey(key: BinaryString, timestamp: number, sequence: number): BinaryString {
  return (uint32(key.length) + key + uint64(timestamp + TIMESTAMP_BIAS) + uint64(sequence)) as BinaryString;
}

export function recordKeyOf(row: BinaryString): BinaryString {
  return row.slice(4, row.length - TAIL_BYTES) as BinaryString;
}

export function timestampOf(row: BinaryString): number {
  return readUint64(row, row.length - TAIL_BYTES) - TIMESTAMP_BIAS;
}

export function sequenceOf(row: BinaryString): number {
  return readUint64(row, row.length - TAIL_BYTES + 8);
}

function uint32(value: number): string {
  return String.fromCharCode(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

function uint64(value: number): string {
  const high = Math.floor(value / TWO_32);
  return uint32(high) + uint32(value - high * TWO_32);
}

function readUint64(text: string, at: number): number {
  return readUint32(text, at) * TWO_32 + readUint32(text, at + 4);
}

function readUint32(text: string, at: number): number {
  return (
    text.charCodeAt(at) * 0x1000000 +
    ((text.charCodeAt(at + 1) << 16) | (text.charCodeAt(at + 2) << 8) | text.charCodeAt(at + 3))
  );
}
