// Owns a 128-bit hash of encoded values, by which two of them are taken for equal: MurmurHash3 (x86, 128 bits), in 32-bit arithmetic.
// It is no defence against values made to collide.
import { orderedUint32 } from '#libs/core';
import type { BinaryString } from '#libs/core';

const BLOCK_BYTES = 16;
const MULTIPLIERS = [0x239b961b, 0xab0e9789, 0x38b34ae5, 0xa1e38b93] as const;
const ROTATIONS = [15, 16, 17, 18] as const;

const rotated = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits));

function littleEndian(bytes: string, at: number, count: number): number {
  let word = 0;
  for (let index = count - 1; index >= 0; index--) word = (word << 8) | bytes.charCodeAt(at + index);
  return word;
}

function finished(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** What a word adds to the lane that it belongs to. */
function mixed(word: number, lane: 0 | 1 | 2 | 3): number {
  const spread = rotated(Math.imul(word, MULTIPLIERS[lane]), ROTATIONS[lane]);
  return Math.imul(spread, MULTIPLIERS[((lane + 1) & 3) as 0 | 1 | 2 | 3]);
}

/** 16 bytes. */
export function valueHash(bytes: BinaryString): BinaryString {
  const { length } = bytes;
  const blocksEnd = length - (length % BLOCK_BYTES);
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let at = 0; at < blocksEnd; at += BLOCK_BYTES) {
    a = (Math.imul(rotated(a ^ mixed(littleEndian(bytes, at, 4), 0), 19) + b, 5) + 0x561ccd1b) | 0;
    b = (Math.imul(rotated(b ^ mixed(littleEndian(bytes, at + 4, 4), 1), 17) + c, 5) + 0x0bcaa747) | 0;
    c = (Math.imul(rotated(c ^ mixed(littleEndian(bytes, at + 8, 4), 2), 15) + d, 5) + 0x96cd1c35) | 0;
    d = (Math.imul(rotated(d ^ mixed(littleEndian(bytes, at + 12, 4), 3), 13) + a, 5) + 0x32ac3b17) | 0;
  }
  const rest = length - blocksEnd;
  if (rest > 12) d ^= mixed(littleEndian(bytes, blocksEnd + 12, rest - 12), 3);
  if (rest > 8) c ^= mixed(littleEndian(bytes, blocksEnd + 8, Math.min(4, rest - 8)), 2);
  if (rest > 4) b ^= mixed(littleEndian(bytes, blocksEnd + 4, Math.min(4, rest - 4)), 1);
  if (rest > 0) a ^= mixed(littleEndian(bytes, blocksEnd, Math.min(4, rest)), 0);

  a ^= length;
  b ^= length;
  c ^= length;
  d ^= length;
  a = (a + b + c + d) | 0;
  b = (b + a) | 0;
  c = (c + a) | 0;
  d = (d + a) | 0;
  a = finished(a);
  b = finished(b);
  c = finished(c);
  d = finished(d);
  a = (a + b + c + d) | 0;
  return (orderedUint32(a) +
    orderedUint32((b + a) | 0) +
    orderedUint32((c + a) | 0) +
    orderedUint32((d + a) | 0)) as BinaryString;
}
