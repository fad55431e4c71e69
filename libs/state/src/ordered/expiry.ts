// Owns dropping expired rows of an ordered store from memory: those of groups that get new rows soon, of all others in time. It drops
// what is in the database and in no layer; it never writes a deletion (the database drops its rows itself).
//
// Suffixes begin with a time, so what is expired stands at the front of each group.
import { orderedTime } from '#libs/core';
import type { OrderedCache } from './ordered-cache.ts';
import { isSettled } from './group.ts';
import type { Group, Row } from './group.ts';
import { rankOf } from './row-key.ts';

/** Rows dropped per epoch, at least; twice as many as were added, if that is more. */
const ROWS_MIN = 10_000;
/** So many rows of a group are expired when it is due: fewer wait until it is looked at in passing. */
const DUE_ROWS = 16;
/** Groups looked at per epoch in passing, at least; of many groups a thousandth. */
const GROUPS_MIN = 256;

export class Expiry {
  private readonly store: OrderedCache;
  private readonly groups: ReadonlyMap<unknown, Group>;
  /** Of the time below which rows are expired. */
  private rank = 0;
  /** Groups that got a row while some of theirs were expired. */
  private due: Group[] = [];
  /** Since the last sweep. */
  private addedRows = 0;
  private cursor: Iterator<Group, undefined>;

  constructor(store: OrderedCache, groups: ReadonlyMap<unknown, Group>) {
    this.store = store;
    this.groups = groups;
    this.cursor = groups.values();
  }

  /** Rows whose time is below `time` are expired. */
  advance(time: number): void {
    this.rank = Math.max(this.rank, rankOf(orderedTime(time)));
  }

  isExpired(row: Row): boolean {
    return this.rank > 0 && rankOf(row.suffix) < this.rank;
  }

  /** The group got a row. */
  added(group: Group): void {
    this.addedRows++;
    if (!group.isBelow(DUE_ROWS, this.rank) || group.isDue) return;
    group.isDue = true;
    this.due.push(group);
  }

  /** No operator holds a row now. */
  sweep(): void {
    if (this.rank === 0) return;
    let rowsLeft = Math.max(ROWS_MIN, this.addedRows * 2);
    this.addedRows = 0;
    const { due } = this;
    this.due = [];
    for (const group of due) {
      if (rowsLeft <= 0) {
        this.due.push(group);
        continue;
      }
      group.isDue = false;
      rowsLeft -= this.sweepGroup(group, rowsLeft);
    }
    const groupsMax = Math.max(GROUPS_MIN, this.groups.size >> 10);
    for (let i = 0; i < groupsMax && rowsLeft > 0; i++) {
      const group = this.cursor.next().value;
      if (group === undefined) {
        this.cursor = this.groups.values();
        return;
      }
      rowsLeft -= this.sweepGroup(group, rowsLeft);
    }
  }

  /** @returns how many rows were looked at. */
  private sweepGroup(group: Group, rowsMax: number): number {
    if (group.firstRank >= this.rank || this.store.isBeingRead(group)) return 0;
    let count = 0;
    while (count < rowsMax) {
      const rows = group.takeFront(this.rank, rowsMax - count, isSettled);
      if (rows.length === 0) break;
      count += rows.length;
      for (const row of rows) this.store.expired(row);
    }
    this.store.left(group);
    return count;
  }
}
