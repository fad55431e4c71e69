// Owns the key of a row of an ordered store, in its changelog and in the database, and the order of suffixes. It never knows values.
//
//   length of the group (4 bytes, big-endian) ++ group ++ suffix
//
// The length stands first: without it the rows of a group would mix with those of groups that begin with it.
import { orderedUint32, readOrderedUint32 } from '#libs/core';
import type { BinaryString } from '#libs/core';

const LENGTH_BYTES = 4;
const TWO_32 = 2 ** 32;
/** Bytes of a suffix that its rank is made of. */
const RANK_BYTES = 8;

/** The key of a row as changelogs, `committed` and misses have it. */
export function rowKey(group: BinaryString, suffix: BinaryString): BinaryString {
  return (orderedUint32(group.length) + group + suffix) as BinaryString;
}

/** What the keys of all rows of a group begin with. */
export function groupPrefix(group: BinaryString): BinaryString {
  return (orderedUint32(group.length) + group) as BinaryString;
}

export function groupOfKey(key: BinaryString): BinaryString {
  return key.slice(LENGTH_BYTES, suffixStart(key)) as BinaryString;
}

export function suffixOfKey(key: BinaryString): BinaryString {
  return key.slice(suffixStart(key)) as BinaryString;
}

/** Where the suffix of a row's key begins. */
export function suffixStart(key: BinaryString): number {
  return LENGTH_BYTES + readOrderedUint32(key, 0);
}

/** The smallest suffix above `suffix`. */
export function successorOf(suffix: BinaryString): BinaryString {
  return (suffix + '\0') as BinaryString;
}

/** The first key behind all rows of a group. */
export function groupEnd(group: BinaryString): BinaryString {
  const prefix = groupPrefix(group);
  for (let at = prefix.length - 1; ; at--) {
    // A length of 2^32 - 1 cannot be, so one of the first four bytes is below 255.
    const byte = prefix.charCodeAt(at);
    if (byte < 255) return (prefix.slice(0, at) + String.fromCharCode(byte + 1)) as BinaryString;
  }
}

/**
 * The first eight bytes of a suffix as a number, so that most comparisons are those of numbers: a lower rank is a lower suffix. Equal
 * ranks say nothing. A time of `orderedTime` has a rank of its own.
 */
export function rankOf(suffix: BinaryString): number {
  if (suffix.length < RANK_BYTES) return shortRank(suffix);
  return (
    (((suffix.charCodeAt(0) << 24) |
      (suffix.charCodeAt(1) << 16) |
      (suffix.charCodeAt(2) << 8) |
      suffix.charCodeAt(3)) >>>
      0) *
      TWO_32 +
    (((suffix.charCodeAt(4) << 24) |
      (suffix.charCodeAt(5) << 16) |
      (suffix.charCodeAt(6) << 8) |
      suffix.charCodeAt(7)) >>>
      0)
  );
}

// What is behind the end counts as 0: a suffix stands before those it begins, and shares their rank.
function shortRank(suffix: BinaryString): number {
  let rank = 0;
  for (let at = 0; at < RANK_BYTES; at++)
    rank = rank * 256 + (at < suffix.length ? suffix.charCodeAt(at) : 0);
  return rank;
}
