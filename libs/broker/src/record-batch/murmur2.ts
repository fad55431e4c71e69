// Owns the partition a key belongs to: the 32-bit murmur2 of Kafka's Java client, so that every producer agrees.
import type { BinaryString } from '#libs/core';

const SEED = 0x9747b28c | 0;
const MULTIPLIER = 0x5bd1e995;

/** Murmur2 of a binary string, as a signed 32-bit number like Java's. */
export function murmur2(key: BinaryString): number {
  const length = key.length;
  let hash = SEED ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    let k =
      key.charCodeAt(at) |
      (key.charCodeAt(at + 1) << 8) |
      (key.charCodeAt(at + 2) << 16) |
      (key.charCodeAt(at + 3) << 24);
    k = Math.imul(k, MULTIPLIER);
    k ^= k >>> 24;
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(k, MULTIPLIER);
  }
  const rest = length - at;
  if (rest > 2) hash ^= key.charCodeAt(at + 2) << 16;
  if (rest > 1) hash ^= key.charCodeAt(at + 1) << 8;
  if (rest > 0) hash = Math.imul(hash ^ key.charCodeAt(at), MULTIPLIER);
  return finish(hash);
}

/** Murmur2 of `bytes[start, end)`. */
export function murmur2OfBytes(bytes: Uint8Array, start = 0, end = bytes.length): number {
  const length = end - start;
  let hash = SEED ^ length;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    let k = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    k = Math.imul(k, MULTIPLIER);
    k ^= k >>> 24;
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(k, MULTIPLIER);
  }
  const rest = end - at;
  if (rest > 2) hash ^= bytes[at + 2]! << 16;
  if (rest > 1) hash ^= bytes[at + 1]! << 8;
  if (rest > 0) hash = Math.imul(hash ^ bytes[at]!, MULTIPLIER);
  return finish(hash);
}

function finish(hash: number): number {
  hash ^= hash >>> 13;
  hash = Math.imul(hash, MULTIPLIER);
  return hash ^ (hash >>> 15);
}

/** The partition of 0 to `partitions` - 1 where Kafka's built-in partitioner puts `key` (it masks the sign, not negates). */
export function partitionForKey(key: BinaryString, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}
