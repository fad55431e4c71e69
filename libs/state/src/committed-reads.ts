// Owns reads of what is committed, for queries: layers that are committed and not yet written, laid over the database. It never shows the open
// epoch nor a sealed one, brings nothing into the cache, and keeps nothing between two calls.
//
// 1. A call sees the state as of the newest epoch that was committed when it began, however long it takes: values in memory are taken at
//    once, and no write of a later epoch reaches the database before it has been opened, or read.
// 2. Each call is bounded, and gives other work a turn every few hundred rows.
// 3. Of a state that is being restored (a standby copy) there are no epochs here: a page is one moment of its database.
import { assert, readOrderedTime, yieldToIo } from '#libs/core';
import type { BinaryString, Clock } from '#libs/core';
import type { CommittedPage, CommittedRange, CommittedValue } from './contract.ts';
import type { DatabaseRow, StateDatabase } from './database.ts';
import { versionAt } from './entry.ts';
import type { Entry } from './entry.ts';
import type { EntryStore } from './entry-store.ts';
import { KeyHeap } from './key-heap.ts';
import { groupEnd, groupOfKey, groupPrefix, suffixOfKey } from './ordered/row-key.ts';
import { OrderedCache } from './ordered/ordered-cache.ts';
import type { WriteBehind } from './write-behind.ts';

/** Rows between two turns for others. */
const SLICE_ROWS = 256;
/** Rows looked at in one call, whatever becomes of them; and bytes given. */
const LOOKED_AT_MAX = 50_000;
const PAGE_BYTES_MAX = 8 * 1024 * 1024;
/** Of what lies over the database so many more are taken than a page has rows: some are deletions, some come twice. */
const LAID_OVER_SPARE = 256;
const TIME_BYTES = 8;

/** What a row held at the end of an epoch. */
interface LaidOver {
  readonly key: BinaryString;
  /** `null`: deleted. */
  readonly value: BinaryString | null;
  readonly timestamp: number;
}

export class CommittedReads {
  private readonly database: StateDatabase;
  private readonly writeBehind: WriteBehind;
  private readonly clock: Clock;
  private readonly running = new Set<Promise<unknown>>();
  private ended = false;

  constructor(database: StateDatabase, writeBehind: WriteBehind, clock: Clock) {
    this.database = database;
    this.writeBehind = writeBehind;
    this.clock = clock;
  }

  /** Values of keys (row keys of an ordered store), by position; all of one moment. */
  many(store: EntryStore, keys: readonly BinaryString[]): Promise<(CommittedValue | null)[]> {
    return this.tracked(this.readMany(store, keys));
  }

  page(store: EntryStore, range: CommittedRange): Promise<CommittedPage> {
    assert(range.limit > 0, 'a page has room for a row');
    return this.tracked(this.readPage(store, range));
  }

  /** No read goes on. Ends those that run. */
  async end(): Promise<void> {
    this.ended = true;
    await Promise.allSettled(this.running);
  }

  private async tracked<T>(read: Promise<T>): Promise<T> {
    this.running.add(read);
    try {
      return await read;
    } finally {
      this.running.delete(read);
    }
  }

  private async readMany(
    store: EntryStore,
    keys: readonly BinaryString[],
  ): Promise<(CommittedValue | null)[]> {
    const { committedEpoch } = this.writeBehind;
    const found: (CommittedValue | null)[] = new Array<null>(keys.length).fill(null);
    const unknown = new Map<BinaryString, number[]>();
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!;
      const entry = store.find(key);
      if (entry !== undefined) {
        const version = versionAt(entry, committedEpoch);
        if (version !== null && version.encoded !== null)
          found[i] = { value: version.encoded, timestamp: version.timestamp };
      } else if (!store.knowsAbsent(key)) {
        const places = unknown.get(key);
        if (places === undefined) unknown.set(key, [i]);
        else places.push(i);
      }
    }
    if (unknown.size === 0) return found;
    const missing = [...unknown.keys()];
    const release = this.writeBehind.holdWrites();
    try {
      const { values, timestamps } = await this.database.read(store.index, missing, missing.length);
      missing.forEach((key, at) => {
        const value = values[at] ?? null;
        if (value === null) return;
        for (const place of unknown.get(key)!) found[place] = { value, timestamp: timestamps[at]! };
      });
      return found;
    } finally {
      release();
    }
  }

  private async readPage(store: EntryStore, range: CommittedRange): Promise<CommittedPage> {
    const offset = this.writeBehind.committedOffset(store.name) ?? null;
    if (range.from !== undefined && range.to !== undefined && range.to <= range.from)
      return { rows: [], next: null, offset };
    const inMemory = this.pageInMemory(store, range);
    if (inMemory !== null) return { ...inMemory, offset };
    const { over, isCut } = this.laidOver(store, range);
    const release = this.writeBehind.holdWrites();
    const { from, to, descending = false, fromTime, toTime } = range;
    const rows = this.database.scan(store.index, {
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
      ...(fromTime === undefined ? {} : { fromTime }),
      ...(toTime === undefined ? {} : { toTime }),
      descending,
      // Rows below those laid over are passed by.
      limit: Math.min(range.limit, LOOKED_AT_MAX) + over.length + 1,
      expected: range.limit,
    });
    const scan = rows[Symbol.asyncIterator]();
    try {
      let head = await scan.next().finally(release);
      const page = new Page(range);
      let at = 0;
      for (let turns = 1; ; turns++) {
        const above = over[at];
        // Others that were not taken come next, and may lie over what the database has.
        if (above === undefined && isCut) return page.finishBehind(over.at(-1)!.key, offset);
        const row = head.done === true ? null : head.value;
        if (row === null && above === undefined) return page.finish(null, offset);
        const order =
          row === null ? -1 : above === undefined ? 1 : compareKeys(above.key, row.key, descending);
        if (page.isFull) return page.finish(order <= 0 ? above!.key : row!.key, offset);
        if (order <= 0) page.look(above!.key, above!.value, above!.timestamp);
        else page.look(row!.key, row!.value, row!.timestamp);
        if (order <= 0) at++;
        if (order >= 0) head = await scan.next();
        if (turns % SLICE_ROWS !== 0) continue;
        await yieldToIo(this.clock);
        if (this.ended) throw new ReadEnded();
      }
    } finally {
      release();
      await scan.return?.();
    }
  }

  /** `null`: the database has to be asked. */
  private pageInMemory(store: EntryStore, range: CommittedRange): CommittedPage | null {
    const { from, to, descending = false } = range;
    if (!(store instanceof OrderedCache) || from === undefined || to === undefined) return null;
    const group = groupOfKey(from);
    if (!from.startsWith(groupPrefix(group)) || to > groupEnd(group)) return null;
    const end = to.startsWith(groupPrefix(group)) ? suffixOfKey(to) : null;
    const page = new Page(range);
    let next: BinaryString | null = null;
    const isCovered = store.visitAll(group, suffixOfKey(from), end, descending, (row) => {
      if (page.isFull) {
        next = row.key;
        return false;
      }
      const version = versionAt(row, this.writeBehind.committedEpoch);
      page.look(row.key, version === null ? null : version.encoded, version?.timestamp ?? -1);
      return true;
    });
    return isCovered ? page.finish(next, null) : null;
  }

  /** The first of them in order: no more than a page needs as a rule. `isCut`: there are others behind. */
  private laidOver(
    store: EntryStore,
    range: CommittedRange,
  ): { readonly over: readonly LaidOver[]; readonly isCut: boolean } {
    const { from, to, descending = false } = range;
    const { committedEpoch } = this.writeBehind;
    const count = range.limit + LAID_OVER_SPARE;
    // The last of those that are kept stands first, to make room for one that is before it.
    const kept = new KeyHeap<Entry>([], (a, b) => -compareKeys(a.key, b.key, descending));
    let isCut = false;
    this.writeBehind.eachUnwritten((entry) => {
      if (entry.store !== store) return;
      const { key } = entry;
      if ((from !== undefined && key < from) || (to !== undefined && key >= to)) return;
      if (kept.size === count) isCut = true;
      kept.offer(entry, count);
    });
    const over: LaidOver[] = [];
    for (let entry = kept.pop(); entry !== undefined; entry = kept.pop()) {
      const { key } = entry;
      // One that is in two layers came twice.
      if (over.at(-1)?.key === key) continue;
      const version = versionAt(entry, committedEpoch);
      if (version !== null) over.push({ key, value: version.encoded, timestamp: version.timestamp });
    }
    return { over: over.reverse(), isCut: isCut && over.length > 0 };
  }
}

/** The state was closed under a read. */
export class ReadEnded extends Error {
  constructor() {
    super('the state was closed while it was read');
    this.name = 'ReadEnded';
  }
}

function compareKeys(a: BinaryString, b: BinaryString, descending: boolean): number {
  if (a === b) return 0;
  return a < b !== descending ? -1 : 1;
}

/** The rows of a page as they come. */
class Page {
  private readonly range: CommittedRange;
  private readonly rows: DatabaseRow[] = [];
  private readonly byTime: boolean;
  private lookedAt = 0;
  private bytes = 0;

  constructor(range: CommittedRange) {
    this.range = range;
    this.byTime = range.fromTime !== undefined || range.toTime !== undefined;
  }

  get isFull(): boolean {
    return (
      this.rows.length >= this.range.limit || this.lookedAt >= LOOKED_AT_MAX || this.bytes >= PAGE_BYTES_MAX
    );
  }

  look(key: BinaryString, value: BinaryString | null, timestamp: number): void {
    this.lookedAt++;
    if (value === null || (this.byTime && !this.isInTime(key))) return;
    this.rows.push({ key, value, timestamp });
    this.bytes += key.length + value.length;
  }

  /** `next`: the first row that was not looked at. */
  finish(next: BinaryString | null, offset: number | null): CommittedPage {
    const { rows, range } = this;
    if (next === null) return { rows, next, offset };
    return { rows, next: range.descending === true ? ((next + '\0') as BinaryString) : next, offset };
  }

  /** All up to a row was looked at, and more may come behind it. */
  finishBehind(last: BinaryString, offset: number | null): CommittedPage {
    const { rows, range } = this;
    return { rows, next: range.descending === true ? last : ((last + '\0') as BinaryString), offset };
  }

  private isInTime(key: BinaryString): boolean {
    const suffix = suffixOfKey(key);
    if (suffix.length < TIME_BYTES) return true;
    const time = readOrderedTime(suffix, 0);
    const { fromTime = -Infinity, toTime = Infinity } = this.range;
    return time >= fromTime && time < toTime;
  }
}
