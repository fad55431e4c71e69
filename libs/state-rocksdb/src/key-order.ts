// Owns the order of a batch. RocksDB inserts ascending keys about twice as fast as random ones: an insertion into the
// memtable starts where the last one ended. A full sort in JavaScript would cost what that saves, so keys are ordered by
// the four bytes in which those of a store first differ: nearly sorted is all that is needed.
import type { NativeOperation } from './native-operation.ts';

/** Below this order changes nothing. */
const SORTED_OPERATIONS_MIN = 32;
/** Room for the position beside four bytes in a double's 53 bits. */
const POSITIONS_MAX = 2 ** 21;

let ranks = new Float64Array(1024);

/** The operations, store by store, nearly ascending by key; those on one key keep their order. */
export function sortedByKey(operations: readonly NativeOperation[]): readonly NativeOperation[] {
  const count = operations.length;
  if (count < SORTED_OPERATIONS_MIN || count > POSITIONS_MAX) return operations;
  const first = storeOf(operations[0]!);
  let i = 1;
  while (i < count && storeOf(operations[i]!) === first) i++;
  if (i === count) return sortedStore(operations);
  const byStore = new Map<number, NativeOperation[]>();
  for (const operation of operations) {
    const store = storeOf(operation);
    const known = byStore.get(store);
    if (known === undefined) byStore.set(store, [operation]);
    else known.push(operation);
  }
  return [...byStore.keys()].sort((a, b) => a - b).flatMap((store) => sortedStore(byStore.get(store)!));
}

function storeOf(operation: NativeOperation): number {
  return operation.key[0]! * 256 + operation.key[1]!;
}

function sortedStore(operations: readonly NativeOperation[]): readonly NativeOperation[] {
  const count = operations.length;
  if (ranks.length < count) ranks = new Float64Array(count * 2);
  const shared = sharedPrefix(operations);
  for (let i = 0; i < count; i++) ranks[i] = fourBytes(operations[i]!.key, shared) * POSITIONS_MAX + i;
  const order = ranks.subarray(0, count).sort();
  const sorted = new Array<NativeOperation>(count);
  for (let i = 0; i < count; i++) sorted[i] = operations[order[i]! % POSITIONS_MAX]!;
  return sorted;
}

function sharedPrefix(operations: readonly NativeOperation[]): number {
  const first = operations[0]!.key;
  let shared = first.length;
  for (let i = 1; i < operations.length && shared > 0; i++) {
    const key = operations[i]!.key;
    if (key.length < shared) shared = key.length;
    let at = 0;
    while (at < shared && key[at] === first[at]) at++;
    shared = at;
  }
  return shared;
}

// What is behind the end of a key counts as 0, so that a key stands before those it begins.
function fourBytes(key: Uint8Array, at: number): number {
  const length = key.length;
  if (at + 4 <= length) {
    return key[at]! * 0x1000000 + ((key[at + 1]! << 16) | (key[at + 2]! << 8) | key[at + 3]!);
  }
  let rank = 0;
  for (let i = 0; i < 4; i++) rank = rank * 256 + (at + i < length ? key[at + i]! : 0);
  return rank;
}
