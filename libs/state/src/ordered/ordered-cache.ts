// Owns the synchronous face of an ordered store: rows by group and suffix, visits in order. It keeps an index only: a row is an entry,
// so layers, undo, abandon and write-behind are those of any entry. It never reads the database (range-reader.ts does).
//
// 1. What is known of a group is in its `Group`, and in the coverage of the whole store: the store is complete when that begins at ''.
// 2. When a row with a value is evicted, its group and the store cover only what is behind it.
// 3. While a group is being read none of its rows leaves: an answer cannot be older than what the cache knew meanwhile.
// 4. An expired row is as good as absent: who reads passes over it by its time.
// 5. A row that is deleted, here and in the database, leaves index and memory when an epoch ends, if its absence is known without it.
import { assert } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { detachBinary } from '#libs/serde';
import type { Codec } from '#libs/serde';
import { StateMiss } from '../contract.ts';
import type { OrderedStoreCache, OrderedStoreSpec, StateEntry } from '../contract.ts';
import { entryBytes } from '../entry.ts';
import type { Entry } from '../entry.ts';
import { EntryStore } from '../entry-store.ts';
import type { Layers } from '../layers.ts';
import type { Residency } from '../residency.ts';
import type { Resident } from '../resident.ts';
import { Coverage } from './coverage.ts';
import { Expiry } from './expiry.ts';
import { Group, Row, isSettled } from './group.ts';
import { groupOfKey, rankOf, rowKey, suffixOfKey } from './row-key.ts';

const ALL = '' as BinaryString;
/** Idle rows looked at when an epoch ends, at least; with many, a quarter of them. */
const IDLE_ROWS_MIN = 10_000;

type RowVisitor = (row: StateEntry) => boolean | void;

export class OrderedCache extends EntryStore implements OrderedStoreCache {
  /** All rows are in memory, beside the bound. */
  readonly resident: boolean;
  /** Of all groups, known or not. */
  private readonly coverage: Coverage;
  private readonly groups = new Map<BinaryString, Group>();
  /** How many reads of a group's rows are under way. */
  private readonly reading = new Map<BinaryString, number>();
  /** `null`: rows never expire. */
  private readonly expiry: Expiry | null;
  /** Rows without a value that may leave when the epoch ends. */
  private idle: Row[] = [];
  /** The row made last. Nearly all are given a value at once, and then never were idle. */
  private fresh: Row | null = null;

  constructor(
    spec: OrderedStoreSpec,
    index: number,
    complete: boolean,
    codec: Codec<unknown>,
    layers: Layers,
    residency: Residency,
  ) {
    super(spec, index, complete, codec, layers, residency);
    this.resident = spec.resident;
    this.coverage = new Coverage(complete);
    this.expiry = spec.expiry === null ? null : new Expiry(this, this.groups);
  }

  /** Do suffixes begin with a time? */
  get expires(): boolean {
    return this.expiry !== null;
  }

  row(groupKey: BinaryString, suffix: BinaryString): Row {
    const { batch } = this.residency;
    const rank = rankOf(suffix);
    let group = this.groups.get(groupKey);
    if (group === undefined) {
      if (!this.coverage.has(suffix, rank))
        throw this.layers.await(new StateMiss(this.name, [rowKey(groupKey, suffix)]));
      group = this.addGroup(groupKey);
    }
    group.usedAt = batch;
    const found = group.find(suffix, rank);
    if (found !== undefined) {
      found.usedAt = batch;
      return found;
    }
    if (!this.covers(group, suffix, rank))
      throw this.layers.await(new StateMiss(this.name, [rowKey(groupKey, suffix)]));
    const key = detachBinary((group.prefix + suffix) as BinaryString);
    const row = this.addRow(group, key, key.slice(group.prefix.length) as BinaryString, rank, null, -1);
    this.forgetFresh();
    this.fresh = row;
    return row;
  }

  override set(face: StateEntry, value: unknown, timestamp: number): void {
    const row = face as Row;
    assert(row.indexed, 'a row is not kept over a record');
    const before = row.encoded;
    super.set(row, value, timestamp);
    const after = row.encoded;
    if (before === null && after !== null) row.group.revived(row);
    if (this.resident) {
      this.residency.changeFixed((after === null ? 0 : after.length) - (before === null ? 0 : before.length));
    }
  }

  suffixOf(row: StateEntry): BinaryString {
    return (row as Row).suffix;
  }

  groupOf(row: StateEntry): BinaryString {
    return (row as Row).group.key;
  }

  range(
    groupKey: BinaryString,
    from: BinaryString | null,
    to: BinaryString | null,
    visit: RowVisitor,
    descending = false,
  ): void {
    const start = from ?? ALL;
    const rank = from === null ? 0 : rankOf(from);
    const group = this.coveredGroup(groupKey, start, rank, to);
    if (group === null) return;
    if (descending) this.visitDown(group, start, rank, to, visit);
    else this.visitUp(group, start, rank, to, visit);
  }

  first(groupKey: BinaryString): StateEntry | null {
    const group = this.coveredGroup(groupKey, ALL, 0, null);
    if (group === null) return null;
    const { frontier } = group;
    let row: Row | undefined = frontier ?? undefined;
    if (row === undefined || row.encoded === null || !row.indexed) {
      let position = row === undefined ? 0 : group.seek(row.suffix, rankOf(row.suffix));
      let last = frontier;
      for (row = group.at(position); row !== undefined && row.encoded === null; row = group.at(position)) {
        last = row;
        position = group.next(position);
      }
      group.frontier = row ?? last;
      if (row === undefined) return null;
    }
    row.usedAt = this.residency.batch;
    return row;
  }

  require(groups: readonly BinaryString[], suffixes: readonly BinaryString[]): void {
    if (this.complete) return;
    let missing: BinaryString[] | null = null;
    for (let i = 0; i < groups.length; i++) {
      const suffix = suffixes[i]!;
      if (!this.isKnown(groups[i]!, suffix)) (missing ??= []).push(rowKey(groups[i]!, suffix));
    }
    if (missing === null) return;
    // Where the others are read, something leaves: a row known to be absent must be known by itself then.
    const isMissing = new Set(missing);
    for (let i = 0; i < groups.length; i++) {
      if (!isMissing.has(rowKey(groups[i]!, suffixes[i]!))) this.row(groups[i]!, suffixes[i]!);
    }
    throw this.layers.await(new StateMiss(this.name, missing));
  }

  find(key: BinaryString): Row | undefined {
    const suffix = suffixOfKey(key);
    return this.groups.get(groupOfKey(key))?.find(suffix, rankOf(suffix));
  }

  knowsAbsent(key: BinaryString): boolean {
    if (this.complete) return true;
    const suffix = suffixOfKey(key);
    return this.covers(this.groups.get(groupOfKey(key)), suffix, rankOf(suffix));
  }

  touch(key: BinaryString, batch: number): boolean {
    const group = this.groups.get(groupOfKey(key));
    const suffix = suffixOfKey(key);
    const rank = rankOf(suffix);
    if (group !== undefined) {
      group.usedAt = batch;
      const row = group.find(suffix, rank);
      if (row !== undefined) {
        row.usedAt = batch;
        return true;
      }
    }
    return this.covers(group, suffix, rank);
  }

  admit(key: BinaryString, encoded: BinaryString | null, timestamp: number): void {
    const groupKey = groupOfKey(key);
    const group = this.groups.get(groupKey) ?? this.addGroup(groupKey);
    const suffix = suffixOfKey(key);
    const rank = rankOf(suffix);
    // Known already, as a row or as absent.
    if (group.find(suffix, rank) !== undefined || this.covers(group, suffix, rank)) return;
    const row = this.addRow(group, key, suffix, rank, encoded, timestamp);
    if (encoded !== null) group.revived(row);
  }

  *allEntries(): Generator<Row> {
    for (const rows of this.groups.values()) {
      for (let at = 0, row = rows.at(at); row !== undefined; at = rows.next(at), row = rows.at(at)) yield row;
    }
  }

  forget(entry: Entry): void {
    const row = entry as Row;
    this.removeFromIndex(row);
    if (row.encoded === null || this.expiry?.isExpired(row) === true) return;
    this.complete = false;
    this.coverage.startBehind(row.suffix);
    row.group.uncover(row);
  }

  forgetGroup(group: Group): void {
    this.groups.delete(group.key);
  }

  clear(): void {
    for (const row of this.allEntries()) {
      if (row.encoded !== null) this.unknown();
      row.indexed = false;
      this.residency.drop(row);
    }
    for (const group of this.groups.values()) this.residency.drop(group);
    this.groups.clear();
    this.idle = [];
    this.fresh = null;
  }

  override loaded(): void {
    super.loaded();
    this.coverFrom(ALL);
  }

  override unknown(): void {
    super.unknown();
    this.coverage.lose();
  }

  /** All that the database holds from this suffix on is in memory. */
  coverFrom(suffix: BinaryString): void {
    this.coverage.startAt(suffix);
    for (const group of this.groups.values()) this.adopt(group);
  }

  override mayForget(entry: Entry): boolean {
    const { group, suffix } = entry as Row;
    return (
      !this.isBeingRead(group) &&
      (group.wantedAt < this.residency.pinnedFrom || group.wantedAt === 0 || suffix < group.wantedFrom)
    );
  }

  override takenBack(entry: Entry, lengthDelta: number): void {
    const row = entry as Row;
    if (this.resident) this.residency.changeFixed(lengthDelta);
    if (row.encoded !== null) row.group.revived(row);
    else if (isSettled(row)) this.idle.push(row);
  }

  override buried(entry: Entry): void {
    this.idle.push(entry as Row);
  }

  override sealed(): void {
    this.forgetFresh();
    const { idle } = this;
    let count = Math.max(IDLE_ROWS_MIN, idle.length >> 2);
    const kept: Row[] = [];
    while (count-- > 0) {
      const row = idle.pop();
      if (row === undefined) break;
      if (!row.indexed || row.encoded !== null || !isSettled(row)) continue;
      if (this.isBeingRead(row.group)) kept.push(row);
      else if (this.covers(row.group, row.suffix, rankOf(row.suffix))) this.drop(row);
    }
    for (const row of kept) idle.push(row);
    this.expiry?.sweep();
  }

  override isExpired(entry: Entry): boolean {
    return this.expiry !== null && this.expiry.isExpired(entry as Row);
  }

  /** Rows whose time is below `time` may be dropped. */
  expireBefore(time: number): void {
    this.expiry?.advance(time);
  }

  /** A row was taken out of the index, for it is expired. */
  expired(row: Row): void {
    row.indexed = false;
    this.residency.drop(row);
  }

  /** Rows left the group. Without its last row it may say no more than the store says; where it does, eviction decides. */
  left(group: Group): void {
    if (!group.mayLeave() || !this.saysAll(group)) return;
    this.residency.drop(group);
    this.groups.delete(group.key);
  }

  override readStarted(key: BinaryString): void {
    this.startReading(groupOfKey(key));
  }

  override readEnded(key: BinaryString): void {
    this.endReading(groupOfKey(key));
  }

  startReading(group: BinaryString): void {
    this.reading.set(group, (this.reading.get(group) ?? 0) + 1);
  }

  endReading(group: BinaryString): void {
    const readers = this.reading.get(group)! - 1;
    if (readers === 0) this.reading.delete(group);
    else this.reading.set(group, readers);
  }

  isBeingRead(group: Group): boolean {
    return this.reading.size > 0 && this.reading.has(group.key);
  }

  /** The group of which more is to be known than is; `undefined`: nothing, there are no rows from `from` on. */
  groupToCover(key: BinaryString, from: BinaryString): Group | undefined {
    return this.groups.get(key) ?? (this.coverage.has(from, rankOf(from)) ? undefined : this.addGroup(key));
  }

  /** Is every row of the group from there on in memory? */
  covers(group: Group | undefined, suffix: BinaryString, rank: number): boolean {
    return this.coverage.has(suffix, rank) || (group !== undefined && group.covers(suffix, rank));
  }

  /** What the store covers now the group covers, whatever leaves other groups. */
  adopt(group: Group): void {
    if (!this.saysAll(group)) return;
    group.coveredFrom = this.coverage.from;
    group.coveredRank = this.coverage.rank;
  }

  /** `null`: nothing to visit. @throws StateMiss */
  private coveredGroup(
    key: BinaryString,
    from: BinaryString,
    fromRank: number,
    to: BinaryString | null,
  ): Group | null {
    const group = this.groups.get(key);
    if (group !== undefined) {
      group.usedAt = this.residency.batch;
      if (this.covers(group, from, fromRank)) return group;
    } else if (this.coverage.has(from, fromRank)) {
      return null;
    }
    if (to !== null && to <= from) return null;
    throw this.layers.await(new StateMiss(this.name, [], [{ group: key, from }]));
  }

  /**
   * Visits every row of the group that is in memory, those without a value too, until `visit` gives false. False: they are not all of the
   * range. Leaves no trace: what is asked from outside keeps nothing in memory.
   */
  visitAll(
    groupKey: BinaryString,
    from: BinaryString,
    to: BinaryString | null,
    descending: boolean,
    visit: (row: Row) => boolean,
  ): boolean {
    const group = this.groups.get(groupKey);
    const rank = rankOf(from);
    if (!this.covers(group, from, rank)) return false;
    if (group === undefined) return true;
    const start = group.seek(from, rank);
    const end = to === null ? group.end : group.seek(to, rankOf(to));
    let position = descending ? group.previous(end) : start;
    while (descending ? position >= start : position < end) {
      const row = group.at(position);
      if (row === undefined || !visit(row)) break;
      position = descending ? group.previous(position) : group.next(position);
    }
    return true;
  }

  private visitUp(
    group: Group,
    from: BinaryString,
    fromRank: number,
    to: BinaryString | null,
    visit: RowVisitor,
  ): void {
    const { batch } = this.residency;
    const toRank = to === null ? Infinity : rankOf(to);
    let position = group.seek(from, fromRank);
    const { frontier } = group;
    if (frontier !== null) {
      position = Math.max(position, group.seek(frontier.suffix, rankOf(frontier.suffix)));
    }
    let { changes } = group;
    let end = to === null ? Infinity : group.seek(to, toRank);
    while (position < end) {
      const row = group.at(position);
      if (row === undefined) return;
      if (row.encoded !== null) {
        row.usedAt = batch;
        if (visit(row) === false) return;
        if (group.changes !== changes) {
          ({ changes } = group);
          position = group.seek(row.suffix, rankOf(row.suffix));
          if (to !== null) end = group.seek(to, toRank);
        }
      }
      position = group.next(position);
    }
  }

  private visitDown(
    group: Group,
    from: BinaryString,
    fromRank: number,
    to: BinaryString | null,
    visit: RowVisitor,
  ): void {
    const { batch } = this.residency;
    let { changes } = group;
    let start = group.seek(from, fromRank);
    let position = group.previous(to === null ? group.end : group.seek(to, rankOf(to)));
    while (position >= start) {
      const row = group.at(position)!;
      if (row.encoded !== null) {
        row.usedAt = batch;
        if (visit(row) === false) return;
        if (group.changes !== changes) {
          ({ changes } = group);
          position = group.seek(row.suffix, rankOf(row.suffix));
          start = group.seek(from, fromRank);
        }
      }
      position = group.previous(position);
    }
  }

  private isKnown(groupKey: BinaryString, suffix: BinaryString): boolean {
    const group = this.groups.get(groupKey);
    const rank = rankOf(suffix);
    const row = group?.find(suffix, rank);
    if (row === undefined) return this.covers(group, suffix, rank);
    row.usedAt = this.residency.batch;
    return true;
  }

  /** Does the store cover all that the group covers? */
  private saysAll(group: Group): boolean {
    return group.coveredRank === Infinity || this.coverage.has(group.coveredFrom, group.coveredRank);
  }

  private addGroup(key: BinaryString): Group {
    const group = new Group(this, detachBinary(key), this.residency.batch);
    this.adopt(group);
    this.groups.set(group.key, group);
    this.account(group);
    return group;
  }

  private addRow(
    group: Group,
    key: BinaryString,
    suffix: BinaryString,
    rank: number,
    encoded: BinaryString | null,
    timestamp: number,
  ): Row {
    const row = new Row(group, key, suffix, encoded, timestamp, this.residency.batch);
    group.insert(row, rank);
    this.expiry?.added(group);
    if (this.resident) this.residency.addFixed(entryBytes(row));
    else this.residency.add(row, entryBytes(row));
    return row;
  }

  private forgetFresh(): void {
    if (this.fresh !== null && this.fresh.encoded === null) this.idle.push(this.fresh);
    this.fresh = null;
  }

  private account(group: Resident): void {
    if (this.resident) this.residency.addFixed(group.bytes);
    else this.residency.add(group, group.bytes);
  }

  private drop(row: Row): void {
    this.residency.drop(row);
    this.removeFromIndex(row);
    this.left(row.group);
  }

  private removeFromIndex(row: Row): void {
    const removed = row.group.remove(row, rankOf(row.suffix));
    assert(removed, 'a row that is in the cache is in the index');
    row.indexed = false;
  }
}
