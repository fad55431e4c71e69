// Owns what the cache keeps of one group of an ordered store: its rows in order, and from where on they are all there, where more is known
// of it than of all groups (coverage.ts).
//
// 1. Every row of the database from `coveredFrom` on is in it, or is known to be deleted.
// 2. Rows stay in it when they are deleted or taken back: they then have no value and are passed over.
// 3. Before `frontier` no row has a value.
import type { BinaryString } from '#libs/core';
import { Entry, WriteState } from '../entry.ts';
import type { Resident } from '../resident.ts';
import type { OrderedCache } from './ordered-cache.ts';
import { groupPrefix, rankOf, successorOf } from './row-key.ts';
import { SortedRows } from './sorted-rows.ts';

/** Bytes a group takes besides its name and rows: the object, its first chunk, a slot in the map and in the ring. */
export const GROUP_BYTES = 400;

export class Row extends Entry {
  readonly group: Group;
  readonly suffix: BinaryString;
  /** False: it left the cache. Who holds it still holds it too long. */
  indexed = true;

  constructor(
    group: Group,
    key: BinaryString,
    suffix: BinaryString,
    encoded: BinaryString | null,
    timestamp: number,
    usedAt: number,
  ) {
    super(group.store, key, encoded, timestamp, usedAt);
    this.group = group;
    this.suffix = suffix;
  }
}

/** No layer and no write needs the row any more. */
export function isSettled(row: Row): boolean {
  return row.older === null && row.writeState === WriteState.CLEAN;
}

export class Group extends SortedRows<Row> implements Resident {
  readonly store: OrderedCache;
  readonly key: BinaryString;
  /** What the keys of its rows begin with. */
  readonly prefix: BinaryString;
  /** Besides what the whole store covers. Says nothing while `coveredRank` is infinite: none need be there. */
  coveredFrom = '' as BinaryString;
  coveredRank = Infinity;
  frontier: Row | null = null;
  usedAt: number;
  ringAt = -1;
  /** Rows from here on were asked for in batch `wantedAt`. */
  wantedFrom = '' as BinaryString;
  wantedAt = 0;
  /** It waits for its expired rows to be dropped. */
  isDue = false;

  constructor(store: OrderedCache, key: BinaryString, usedAt: number) {
    super();
    this.usedAt = usedAt;
    this.store = store;
    this.key = key;
    this.prefix = groupPrefix(key);
  }

  get bytes(): number {
    return GROUP_BYTES + 2 * this.key.length;
  }

  mayLeave(): boolean {
    return this.size === 0 && !this.store.isBeingRead(this);
  }

  leave(): void {
    this.store.forgetGroup(this);
  }

  covers(suffix: BinaryString, rank: number): boolean {
    return rank > this.coveredRank || (rank === this.coveredRank && suffix >= this.coveredFrom);
  }

  coverFrom(suffix: BinaryString): void {
    this.coveredFrom = suffix;
    this.coveredRank = rankOf(suffix);
  }

  /** The row left the cache and is in the database: only what is behind it may still be all there. */
  uncover(row: Row): void {
    if (this.covers(row.suffix, rankOf(row.suffix))) this.coverFrom(successorOf(row.suffix));
  }

  /** Rows from `from` on stay for this batch. */
  want(from: BinaryString, batch: number, pinnedFrom: number): void {
    if (this.wantedAt < pinnedFrom || this.wantedAt === 0 || from < this.wantedFrom) this.wantedFrom = from;
    this.wantedAt = batch;
    this.usedAt = batch;
  }

  /** A row that had no value has one. */
  revived(row: Row): void {
    const { frontier } = this;
    if (frontier !== null && row.suffix < frontier.suffix) this.frontier = row;
  }
}
