// Owns the committed pairs of one store in memory: by key, or by group and suffix, so that a range of a group costs what it holds.
import { readOrderedTime } from '#libs/core';
import type { BinaryString } from '#libs/core';
import type { DatabaseRow, ScanRange } from './database.ts';
import { groupEnd, groupOfKey, groupPrefix, rankOf, suffixOfKey } from './ordered/row-key.ts';
import { KeyHeap } from './key-heap.ts';
import { SortedRows } from './ordered/sorted-rows.ts';

export interface Stored {
  readonly value: BinaryString;
  readonly timestamp: number;
}

export interface MemoryTable {
  readonly isEmpty: boolean;
  get(key: BinaryString): Stored | undefined;
  set(key: BinaryString, stored: Stored): void;
  delete(key: BinaryString): void;
  clear(): void;
  /** The highest suffix that was ever set. */
  readonly highest: BinaryString | null;
  /** In order of keys, as of now. */
  scan(range: ScanRange): DatabaseRow[];
  /** Drops rows whose suffix is below; looks at so many as were set meanwhile, and goes on from there the next time. */
  expire(before: BinaryString): void;
}

export class PlainTable implements MemoryTable {
  readonly highest = null;
  private readonly pairs = new Map<BinaryString, Stored>();

  get isEmpty(): boolean {
    return this.pairs.size === 0;
  }

  get(key: BinaryString): Stored | undefined {
    return this.pairs.get(key);
  }

  set(key: BinaryString, stored: Stored): void {
    this.pairs.set(key, stored);
  }

  delete(key: BinaryString): void {
    this.pairs.delete(key);
  }

  clear(): void {
    this.pairs.clear();
  }

  scan({ from, to, descending = false, limit = Infinity }: ScanRange): DatabaseRow[] {
    const keys: BinaryString[] = [];
    for (const key of this.pairs.keys())
      if ((from === undefined || key >= from) && (to === undefined || key < to)) keys.push(key);
    return lowest(keys, limit, descending).map((key) => ({ key, ...this.pairs.get(key)! }));
  }

  expire(): void {
    // Keys of key-value stores have no time.
  }
}

interface StoredRow extends Stored {
  readonly suffix: BinaryString;
}

/** Rows dropped at once, at least; twice as many as were added, if that is more. A group counts as one. */
const EXPIRED_ROWS_MIN = 2_000;

export class OrderedTable implements MemoryTable {
  highest: BinaryString | null = null;
  private readonly groups = new Map<BinaryString, SortedRows<StoredRow>>();
  /** Rows set since the last look for expired ones. */
  private added = 0;
  /** Where the last look for expired rows ended. */
  private cursor: Iterator<[BinaryString, SortedRows<StoredRow>], undefined> = this.groups.entries();

  get isEmpty(): boolean {
    return this.groups.size === 0;
  }

  get(key: BinaryString): Stored | undefined {
    const suffix = suffixOfKey(key);
    return this.groups.get(groupOfKey(key))?.find(suffix, rankOf(suffix));
  }

  set(key: BinaryString, { value, timestamp }: Stored): void {
    this.delete(key);
    const group = groupOfKey(key);
    let rows = this.groups.get(group);
    if (rows === undefined) this.groups.set(group, (rows = new SortedRows()));
    const suffix = suffixOfKey(key);
    rows.insert({ suffix, value, timestamp }, rankOf(suffix));
    this.added++;
    if (this.highest === null || suffix > this.highest) this.highest = suffix;
  }

  delete(key: BinaryString): void {
    const group = groupOfKey(key);
    const rows = this.groups.get(group);
    if (rows === undefined) return;
    const suffix = suffixOfKey(key);
    const rank = rankOf(suffix);
    const row = rows.find(suffix, rank);
    if (row !== undefined) rows.remove(row, rank);
    if (rows.size === 0) this.groups.delete(group);
  }

  clear(): void {
    this.groups.clear();
  }

  scan(range: ScanRange): DatabaseRow[] {
    const { from, to, descending = false, limit = Infinity } = range;
    const found: DatabaseRow[] = [];
    const first = from === undefined ? null : groupOfKey(from);
    if (from !== undefined && to !== undefined && first !== null && to <= groupEnd(first)) {
      this.collect(first, range, found);
    } else {
      const groups = [...this.groups.keys()].sort(byPrefix);
      if (descending) groups.reverse();
      for (const group of groups) {
        this.collect(group, range, found);
        if (found.length >= limit) break;
      }
    }
    return found;
  }

  expire(before: BinaryString): void {
    const rank = rankOf(before);
    let rowsLeft = Math.max(EXPIRED_ROWS_MIN, this.added * 2);
    this.added = 0;
    for (let i = this.groups.size; i > 0 && rowsLeft > 0; i--) {
      const { value } = this.cursor.next();
      if (value === undefined) {
        this.cursor = this.groups.entries();
        continue;
      }
      const [group, rows] = value;
      rowsLeft--;
      while (rowsLeft > 0) {
        const taken = rows.takeFront(rank, rowsLeft, () => true).length;
        if (taken === 0) break;
        rowsLeft -= taken;
      }
      if (rows.size === 0) this.groups.delete(group);
    }
  }

  private collect(group: BinaryString, range: ScanRange, found: DatabaseRow[]): void {
    const rows = this.groups.get(group);
    if (rows === undefined) return;
    const { from, to, descending = false, fromTime = -Infinity, toTime = Infinity, limit = Infinity } = range;
    const prefix = groupPrefix(group);
    if ((from !== undefined && groupEnd(group) <= from) || (to !== undefined && to <= prefix)) return;
    const within = (bound: BinaryString | undefined): BinaryString | null =>
      bound?.startsWith(prefix) === true ? (bound.slice(prefix.length) as BinaryString) : null;
    const low = within(from) ?? ('' as BinaryString);
    const high = within(to);
    let at = rows.seek(low, rankOf(low));
    const end = high === null ? rows.end : rows.seek(high, rankOf(high));
    const step = (position: number): number => (descending ? rows.previous(position) : rows.next(position));
    const isIn = descending
      ? (position: number, start: number) => position >= start
      : (position: number) => position < end;
    const start = at;
    if (descending) at = rows.previous(end);
    for (; isIn(at, start) && found.length < limit; at = step(at)) {
      const row = rows.at(at);
      if (row === undefined) return;
      const { suffix, value, timestamp } = row;
      const time = suffix.length < 8 ? Infinity : readOrderedTime(suffix, 0);
      if ((fromTime > -Infinity || toTime < Infinity) && !(time >= fromTime && time < toTime)) continue;
      found.push({ key: (prefix + suffix) as BinaryString, value, timestamp });
    }
  }
}

// As the keys of their rows are ordered: the length stands first.
function byPrefix(a: BinaryString, b: BinaryString): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

/** The first `limit` keys in order: not all are sorted where few are wanted. */
function lowest(keys: BinaryString[], limit: number, descending: boolean): BinaryString[] {
  const compare = descending
    ? (a: BinaryString, b: BinaryString) => (a > b ? -1 : a < b ? 1 : 0)
    : (a: BinaryString, b: BinaryString) => (a < b ? -1 : a > b ? 1 : 0);
  if (keys.length <= limit) return keys.sort(compare);
  const heap = new KeyHeap(keys, compare);
  const taken: BinaryString[] = [];
  while (taken.length < limit) taken.push(heap.pop()!);
  return taken;
}
