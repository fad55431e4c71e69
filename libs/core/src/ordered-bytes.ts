// Owns numbers as bytes whose order is that of the numbers, for the keys of ordered stores. Big-endian, as in Kafka's windowed keys.
import type { BinaryString } from './binary-string.ts';

const TWO_32 = 2 ** 32;
/** Added to a time, so that times before 1970 sort before those after. */
const TIME_BIAS = 2 ** 52;

/** 4 bytes of an unsigned integer. */
export function orderedUint32(value: number): BinaryString {
  return String.fromCharCode(
    value >>> 24,
    (value >>> 16) & 255,
    (value >>> 8) & 255,
    value & 255,
  ) as BinaryString;
}

/** 8 bytes of an integer from 0 to 2^53 - 1. */
export function orderedUint64(value: number): BinaryString {
  const high = Math.floor(value / TWO_32);
  return (orderedUint32(high) + orderedUint32(value - high * TWO_32)) as BinaryString;
}

/** 8 bytes of a time in milliseconds, -2^52 to 2^52. */
export function orderedTime(timestamp: number): BinaryString {
  return orderedUint64(timestamp + TIME_BIAS);
}

export function readOrderedUint32(text: string, at: number): number {
  return (
    text.charCodeAt(at) * 0x1000000 +
    ((text.charCodeAt(at + 1) << 16) | (text.charCodeAt(at + 2) << 8) | text.charCodeAt(at + 3))
  );
}

export function readOrderedUint64(text: string, at: number): number {
  return readOrderedUint32(text, at) * TWO_32 + readOrderedUint32(text, at + 4);
}

/** The time that `orderedTime` wrote at `at`. */
export function readOrderedTime(text: string, at: number): number {
  return readOrderedUint64(text, at) - TIME_BIAS;
}
