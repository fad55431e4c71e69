// Owns ordered ranges within a record key: rows of (timestamp, sequence) → value, as windows, sessions and stream joins need
// them. It keeps an index only: every row is an entry of the store's cache, so layers, undo, abandon, write-behind and
// eviction are those of any entry.
//
// 1. The index of a key is right from `coveredFrom` on: every row of the database from there is in it, or is known deleted.
// 2. A row stays in the index when it is deleted or taken back: it then has no value and is passed over.
// 3. When a row with a value is evicted, its key covers nothing any more; what is left in memory stays in the index.
// 4. A sequence is never used again for the same key and timestamp, so a row may be put without having been looked for.
import { detachBinary } from '#libs/serde';
import type { BinaryString } from '#libs/core';
import { StateMiss } from '../contract.ts';
import type { DatabaseRow, StateDatabase } from '../database.ts';
import type { Entry } from '../entry.ts';
import type { Residency } from '../residency.ts';
import type { StoreCache } from '../store-cache.ts';
import { TIMESTAMP_END, TIMESTAMP_MIN, recordKeyOf, rowKey, sequenceOf, timestampOf } from './row-key.ts';

/** Scans under way at once. */
const SCANS_PARALLEL_MAX = 8;

/** All times inclusive, milliseconds since the Unix epoch. */
export interface KeyRange {
  readonly key: BinaryString;
  readonly from: number;
  readonly to: number;
}

/** A key whose rows are not all in memory from `from` on. */
export class RangeMiss extends StateMiss {
  readonly from: number;

  constructor(store: string, key: BinaryString, from: number) {
    super(store, [key]);
    this.name = 'RangeMiss';
    this.from = from;
  }
}

/** The rows of one record key. Owned by the store: never kept over a record. */
export class RangeEntry {
  readonly key: BinaryString;
  /** By timestamp, then sequence. */
  readonly rows: Entry[] = [];
  /** Of `rows`, so that a search touches one array. */
  readonly timestamps: number[] = [];
  coveredFrom: number;
  /** Rows that left the cache. */
  evictions = 0;

  constructor(key: BinaryString, coveredFrom: number) {
    this.key = key;
    this.coveredFrom = coveredFrom;
  }
}

export type RowVisitor<V> = (value: V, timestamp: number) => void;

export class RangeStoreCache<V = unknown> {
  readonly name: string;
  private readonly store: StoreCache;
  private readonly database: StateDatabase;
  private readonly residency: Residency;
  private readonly entries = new Map<BinaryString, RangeEntry>();
  /** Scans under way, by key. */
  private readonly scanning = new Map<BinaryString, Promise<void>>();

  constructor(store: StoreCache, database: StateDatabase, residency: Residency) {
    this.name = store.name;
    this.store = store;
    this.database = database;
    this.residency = residency;
    store.onEvict = (row) => this.evicted(row);
    for (const row of store.entries.values()) {
      this.index(this.entry(recordKeyOf(row.key)), row, timestampOf(row.key));
    }
  }

  /** The rows of a key, also of one that has none. One look-up. */
  entry(key: BinaryString): RangeEntry {
    return this.entries.get(key) ?? this.newEntry(key);
  }

  /** Visits the rows in [from, to], oldest first. @throws RangeMiss they are not all in memory. */
  range(entry: RangeEntry, from: number, to: number, visit: RowVisitor<V>): void {
    if (from < entry.coveredFrom) throw new RangeMiss(this.name, entry.key, from);
    const { rows, timestamps } = entry;
    const { batch } = this.residency;
    for (let i = lowerBound(timestamps, from); i < rows.length && timestamps[i]! <= to; i++) {
      const row = rows[i]!;
      row.usedAt = batch;
      if (row.encoded !== null) visit(this.store.value(row) as V, timestamps[i]!);
    }
  }

  /** Adds or replaces a row in the open epoch. */
  put(entry: RangeEntry, timestamp: number, sequence: number, value: V): void {
    this.store.set(this.rowOf(entry, timestamp, sequence), value, timestamp);
  }

  /** Deletes the rows before `before`, as far as they are in memory. */
  expire(entry: RangeEntry, before: number): void {
    const end = lowerBound(entry.timestamps, before);
    for (let i = 0; i < end; i++) {
      const row = entry.rows[i]!;
      if (row.encoded !== null) this.store.set(row, null, row.timestamp);
    }
  }

  /**
   * Makes the ranges resident. Ranges of one key become one scan, and what the index covers is not read again; the scan goes
   * on to the key's newest row, so that a window that moves with time is read once. `undefined`: nothing to await.
   */
  readAheadRanges(ranges: readonly KeyRange[]): Promise<void> | undefined {
    this.residency.nextBatch();
    const wanted = new Map<BinaryString, number>();
    for (const { key, from } of ranges) {
      const entry = this.entry(key);
      if (from >= entry.coveredFrom) {
        this.touch(entry);
        continue;
      }
      const before = wanted.get(entry.key);
      if (before === undefined || from < before) wanted.set(entry.key, from);
    }
    return wanted.size === 0 ? undefined : this.scanAll([...wanted]);
  }

  private async scanAll(wanted: (readonly [BinaryString, number])[]): Promise<void> {
    const next = async (): Promise<void> => {
      for (let job = wanted.pop(); job !== undefined; job = wanted.pop()) await this.cover(job[0], job[1]);
    };
    await Promise.all(Array.from({ length: Math.min(SCANS_PARALLEL_MAX, wanted.length) }, next));
  }

  private async cover(key: BinaryString, from: number): Promise<void> {
    for (;;) {
      const entry = this.entry(key);
      if (from >= entry.coveredFrom) return;
      // One scan per key at a time: two would both extend the same index.
      const running = this.scanning.get(key);
      if (running !== undefined) {
        await running;
        continue;
      }
      const scan = this.scan(entry, from);
      this.scanning.set(key, scan);
      try {
        await scan;
      } finally {
        this.scanning.delete(key);
      }
    }
  }

  private async scan(entry: RangeEntry, from: number): Promise<void> {
    const { key, evictions } = entry;
    const range = { from: rowKey(key, from, 0), to: rowKey(key, entry.coveredFrom, 0) };
    const found: DatabaseRow[] = [];
    for await (const row of this.database.scan(this.store.index, range)) found.push(row);
    // A row of this key left the cache meanwhile: it may have been written after the scan began. Read again.
    if (this.entries.get(key) !== entry || entry.evictions !== evictions) return;
    for (const row of found) {
      this.store.admit(row.key, row.value, row.timestamp);
      this.index(entry, this.store.entries.get(row.key)!, timestampOf(row.key));
    }
    entry.coveredFrom = from;
  }

  private newEntry(key: BinaryString): RangeEntry {
    const copy = detachBinary(key);
    const entry = new RangeEntry(copy, this.store.complete ? TIMESTAMP_MIN : TIMESTAMP_END);
    this.entries.set(copy, entry);
    return entry;
  }

  private rowOf(entry: RangeEntry, timestamp: number, sequence: number): Entry {
    const key = detachBinary(rowKey(entry.key, timestamp, sequence));
    let row = this.store.entries.get(key);
    if (row === undefined) {
      this.store.admit(key, null, -1);
      row = this.store.entries.get(key)!;
      this.index(entry, row, timestamp);
    }
    row.usedAt = this.residency.batch;
    return row;
  }

  private index(entry: RangeEntry, row: Entry, timestamp: number): void {
    const { rows, timestamps } = entry;
    let at = rows.length;
    if (at > 0 && timestamps[at - 1]! >= timestamp) {
      at = lowerBound(timestamps, timestamp);
      const sequence = sequenceOf(row.key);
      while (at < rows.length && timestamps[at] === timestamp && sequenceOf(rows[at]!.key) < sequence) at++;
      if (rows[at] === row) return;
    }
    rows.splice(at, 0, row);
    timestamps.splice(at, 0, timestamp);
  }

  private touch(entry: RangeEntry): void {
    const { batch } = this.residency;
    for (const row of entry.rows) row.usedAt = batch;
  }

  private evicted(row: Entry): void {
    const entry = this.entries.get(recordKeyOf(row.key));
    if (entry === undefined) return;
    entry.evictions++;
    const at = entry.rows.indexOf(row);
    if (at >= 0) {
      entry.rows.splice(at, 1);
      entry.timestamps.splice(at, 1);
    }
    // A row without a value is as absent in the database as it is here.
    if (row.encoded !== null) entry.coveredFrom = TIMESTAMP_END;
    if (entry.rows.length === 0) this.entries.delete(entry.key);
  }
}

/** Position of the first timestamp that is not below `timestamp`. */
function lowerBound(timestamps: readonly number[], timestamp: number): number {
  let low = 0;
  let high = timestamps.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (timestamps[middle]! < timestamp) low = middle + 1;
    else high = middle;
  }
  return low;
}
