// Owns the order of a batch. RocksDB inserts ascending keys about twice as fast as random ones: an insertion into the
// memtable starts where the last one ended. A full sort in JavaScript would cost what that saves, so keys are ordered by
// the four bytes in which those of a store first differ: nearly sorted is all that is needed.
import { STORE_NUMBER_BYTES } from './store-keys.ts';

/** Below this order changes nothing. */
const ORDERED_KEYS_MIN = 32;
/** Room for the position beside four bytes in a double's 53 bits. */
const POSITIONS_MAX = 2 ** 21;

let ranks = new Float64Array(1024);
let positions = new Int32Array(1024);

/**
 * Positions of the first `count` keys, store by store, nearly ascending; equal keys keep their order. Key i is
 * bytes[starts[i], ends[i]). `null`: as they are. Valid until the next call.
 */
export function orderByKey(
  bytes: Uint8Array,
  starts: Int32Array,
  ends: Int32Array,
  count: number,
): Int32Array | null {
  if (count < ORDERED_KEYS_MIN || count > POSITIONS_MAX) return null;
  if (ranks.length < count) {
    ranks = new Float64Array(count * 2);
    positions = new Int32Array(count * 2);
  }
  const stores = storesOf(bytes, starts, count);
  let done = 0;
  for (const store of stores) {
    const only = stores.length === 1;
    const shared = sharedPrefix(bytes, starts, ends, count, store, only);
    let found = 0;
    for (let i = 0; i < count; i++) {
      const start = starts[i]!;
      if (!only && storeAt(bytes, start) !== store) continue;
      ranks[found++] = fourBytes(bytes, start + shared, ends[i]!) * POSITIONS_MAX + i;
    }
    const order = ranks.subarray(0, found).sort();
    for (let at = 0; at < found; at++) positions[done++] = order[at]! % POSITIONS_MAX;
  }
  return positions;
}

function storeAt(bytes: Uint8Array, start: number): number {
  return bytes[start]! * 256 + bytes[start + 1]!;
}

function storesOf(bytes: Uint8Array, starts: Int32Array, count: number): number[] {
  const stores: number[] = [];
  let last = -1;
  for (let i = 0; i < count; i++) {
    const store = storeAt(bytes, starts[i]!);
    if (store === last) continue;
    last = store;
    if (!stores.includes(store)) stores.push(store);
  }
  return stores.sort((a, b) => a - b);
}

function sharedPrefix(
  bytes: Uint8Array,
  starts: Int32Array,
  ends: Int32Array,
  count: number,
  store: number,
  only: boolean,
): number {
  let first = -1;
  let shared = 0;
  for (let i = 0; i < count; i++) {
    const start = starts[i]!;
    if (!only && storeAt(bytes, start) !== store) continue;
    const length = ends[i]! - start;
    if (first < 0) {
      first = start;
      shared = length;
      continue;
    }
    if (length < shared) shared = length;
    let at = STORE_NUMBER_BYTES;
    while (at < shared && bytes[start + at] === bytes[first + at]) at++;
    shared = at;
  }
  return shared;
}

// What is behind the end of a key counts as 0, so that a key stands before those it begins.
function fourBytes(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 <= end) {
    return bytes[at]! * 0x1000000 + ((bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!);
  }
  let rank = 0;
  for (let i = 0; i < 4; i++) rank = rank * 256 + (at + i < end ? bytes[at + i]! : 0);
  return rank;
}
