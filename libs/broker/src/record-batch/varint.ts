// Owns the variable-length numbers of records: zigzag, seven bits a byte, little end first (as in Protocol Buffers).
// Writing and sizes only, and a reader for the cold path; the column decoder has its own reader inside its loop.
import { corruptBatch } from './corrupt-batch-error.ts';

const INT32_MAX = 0x7fffffff;
const INT32_MIN = -0x80000000;

/** Bytes that the int32 `value` takes: 1 to 5. */
export function varintSize(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  if (zigzag < 0x80) return 1;
  if (zigzag < 0x4000) return 2;
  if (zigzag < 0x200000) return 3;
  if (zigzag < 0x10000000) return 4;
  return 5;
}

/** Writes the int32 `value`; returns the position behind it. The room must be there. */
export function writeVarint(bytes: Uint8Array, value: number, at: number): number {
  let zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  while (zigzag >= 0x80) {
    bytes[at++] = (zigzag & 0x7f) | 0x80;
    zigzag >>>= 7;
  }
  bytes[at++] = zigzag;
  return at;
}

/** Bytes that the safe integer `value` takes: 1 to 8. */
export function varlongSize(value: number): number {
  if (value <= INT32_MAX && value >= INT32_MIN) return varintSize(value);
  // The first byte holds the sign and six bits: zigzag of a safe integer need not be safe, so it is never made.
  let rest = Math.floor((value < 0 ? -value - 1 : value) / 0x40);
  let size = 1;
  while (rest > 0) {
    rest = Math.floor(rest / 0x80);
    size++;
  }
  return size;
}

export function writeVarlong(bytes: Uint8Array, value: number, at: number): number {
  if (value <= INT32_MAX && value >= INT32_MIN) return writeVarint(bytes, value, at);
  const magnitude = value < 0 ? -value - 1 : value;
  let rest = Math.floor(magnitude / 0x40);
  bytes[at++] = ((magnitude - rest * 0x40) << 1) | (value < 0 ? 1 : 0) | 0x80;
  while (rest >= 0x80) {
    const higher = Math.floor(rest / 0x80);
    bytes[at++] = (rest - higher * 0x80) | 0x80;
    rest = higher;
  }
  bytes[at++] = rest;
  return at;
}

/** A reader of a few numbers where speed does not matter. Never reads at or behind `end`. */
export class VarintCursor {
  readonly bytes: Uint8Array;
  readonly end: number;
  position: number;

  constructor(bytes: Uint8Array, position: number, end: number) {
    this.bytes = bytes;
    this.position = position;
    this.end = end;
  }

  /** @throws MillraceError MILLRACE_CORRUPT_BATCH */
  next(): number {
    let zigzag = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.position >= this.end) throw corruptBatch('a number is cut off');
      const byte = this.bytes[this.position++]!;
      zigzag |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (zigzag >>> 1) ^ -(zigzag & 1);
    }
    throw corruptBatch('a number takes more than five bytes');
  }

  /** The bytes of a length-prefixed field; `null` for length -1. @throws MillraceError MILLRACE_CORRUPT_BATCH */
  nextBytes(): Uint8Array | null {
    const length = this.next();
    if (length === -1) return null;
    const start = this.position;
    if (length < 0 || start + length > this.end) throw corruptBatch('a length reaches out of its record');
    this.position = start + length;
    return this.bytes.subarray(start, start + length);
  }
}
