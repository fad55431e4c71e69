// Owns dropping expired rows of an ordered store from memory: those of groups that get new rows soon, of all others in time. It drops
// what is in the database and in no layer; it never writes a deletion (the database drops its rows itself).
//
// Suffixes begin with a time, so what is expired stands at the front of each group.
import { orderedTime } from '#libs/core';
import type { OrderedCache } from './ordered-cache.ts';
import type { Group, Row } from './group.ts';
import { rankOf } from './row-key.ts';

/** Rows looked at per epoch. */
const ROWS_MAX = 20_000;
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

  /** The group gets a row. */
  touched(group: Group): void {
    if (!group.isBelow(DUE_ROWS, this.rank) || group.isDue) return;
    group.isDue = true;
    this.due.push(group);
  }

  /** No operator holds a row now. */
  sweep(): void {
    if (this.rank === 0) return;
    let rowsLeft = ROWS_MAX;
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
    const expired: Row[] = [];
    for (let at = 0; expired.length < rowsMax; at = group.next(at)) {
      const row = group.at(at);
      if (row === undefined || rankOf(row.suffix) >= this.rank) break;
      expired.push(row);
    }
    for (const row of expired) this.store.expire(row);
    return expired.length;
  }
}
