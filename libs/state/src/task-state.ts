// Owns the stores of one task: it puts cache, layers, read-ahead, write-behind and database together, and its life.
// It never encodes for Kafka and never decides when to seal or commit: the runtime does.
//
//   RESTORING ─restored─► RUNNING ─close, closeDirty─► CLOSED
//       ▲────────restore────┘        (a restore drops the cache: the database is ahead of it)
import { MillraceError, assert, orderedTime, silentLogger, systemClock } from '#libs/core';
import type { BinaryString, Clock, Logger } from '#libs/core';
import { compileCodec } from '#libs/serde';
import type {
  ChangelogVisitor,
  CommittedPage,
  CommittedRange,
  CommittedValue,
  EpochCommit,
  GroupRange,
  KeyValueStoreCache,
  OrderedStoreCache,
  RestoreBatch,
  StateCheckpoint,
  StateMiss,
  StateStoreSpec,
  TaskState,
  TaskStateOptions,
} from './contract.ts';
import type { DatabaseRow, StateDatabase } from './database.ts';
import { ENTRY_BYTES } from './entry.ts';
import { CommittedReads } from './committed-reads.ts';
import { Layers } from './layers.ts';
import type { CacheAccount } from './layers.ts';
import type { EntryStore } from './entry-store.ts';
import { OrderedCache } from './ordered/ordered-cache.ts';
import { RangeReader } from './ordered/range-reader.ts';
import { ReadAhead } from './read-ahead.ts';
import { Residency } from './residency.ts';
import { StoreCache } from './store-cache.ts';
import { WriteBehind } from './write-behind.ts';

/** Estimated bytes up to which a store is read as a whole when it is restored: some 16,000 small entries, 40 ms. */
const PRELOAD_BYTES_MAX = 4 * 1024 * 1024;

export interface TaskStateEnvironment {
  readonly clock?: Clock;
  readonly logger?: Logger;
}

export class TaskStateImpl implements TaskState {
  readonly checkpoint: StateCheckpoint;
  readonly stores: readonly StateStoreSpec[];

  private readonly taskId: string;
  private readonly preloadBytesMax: number;
  /** By store position, since the state was opened. */
  private readonly restoredRecords: number[] = [];
  /** Stores that were not read as a whole, for their size. */
  private readonly foundLarge = new Set<number>();
  private readonly database: StateDatabase;
  private readonly account: CacheAccount = { cached: 0, fixed: 0, dirty: 0 };
  private readonly layers: Layers;
  private readonly residency: Residency;
  private readonly writeBehind: WriteBehind;
  private readonly reads: CommittedReads;
  /** By store name: rows of an earlier time are expired, as of the newest committed epoch. */
  private readonly expired = new Map<string, number>();
  private readonly caches: EntryStore[] = [];
  private readonly readers: ReadAhead[] = [];
  /** By store position; `null` where it is not ordered. */
  private readonly rangeReaders: (RangeReader | null)[] = [];
  private readonly byName = new Map<string, EntryStore>();
  /** The last of the restores handed to the database; they run one after the other. */
  private restoring: Promise<void> = Promise.resolve();
  /** Restores that wait for the cache to be dropped. */
  private waitingRestores = 0;
  /** Restores that are not written yet. */
  private restores = 0;
  private closed = false;

  constructor(options: TaskStateOptions, database: StateDatabase, environment: TaskStateEnvironment = {}) {
    const { clock = systemClock, logger = silentLogger } = environment;
    this.taskId = options.taskId;
    this.preloadBytesMax = Math.min(PRELOAD_BYTES_MAX, options.cacheBytesMax / 4);
    this.database = database;
    this.checkpoint = database.checkpoint;
    this.stores = options.stores;
    this.layers = new Layers(this.account);
    this.residency = new Residency(this.account, options.cacheBytesMax, options.stores.length);
    this.writeBehind = new WriteBehind(options, database, this.account, clock, logger);
    this.reads = new CommittedReads(database, this.writeBehind, clock);
    for (const [index, spec] of options.stores.entries()) {
      const codec = compileCodec(spec.valueSerde);
      const empty = database.isEmpty(index);
      let store: EntryStore;
      if (spec.kind === 'ordered') {
        const ordered = new OrderedCache(spec, index, empty, codec, this.layers, this.residency);
        this.rangeReaders.push(new RangeReader(database, ordered, this.residency));
        store = ordered;
      } else {
        this.rangeReaders.push(null);
        store = new StoreCache(spec, index, empty, codec, this.layers, this.residency);
      }
      this.caches.push(store);
      this.readers.push(new ReadAhead(database, store));
      this.byName.set(spec.name, store);
    }
  }

  get reached(): StateCheckpoint {
    return this.writeBehind.reached;
  }

  get failure(): Error | null {
    return this.writeBehind.failure;
  }

  get unwrittenBytes(): number {
    return this.account.dirty + this.writeBehind.bytes;
  }

  /** Estimated bytes of all entries and versions in memory, for metrics. */
  get cachedBytes(): number {
    return this.account.cached;
  }

  store<V>(name: string): KeyValueStoreCache<V> {
    const store = this.storeCache(name);
    if (!(store instanceof StoreCache)) throw this.otherKind(name, 'a key-value store', 'orderedStore');
    return store as KeyValueStoreCache as KeyValueStoreCache<V>;
  }

  orderedStore<V>(name: string): OrderedStoreCache<V> {
    const store = this.storeCache(name);
    if (!(store instanceof OrderedCache)) throw this.otherKind(name, 'an ordered store', 'store');
    return store as OrderedStoreCache as OrderedStoreCache<V>;
  }

  isResident(store: string): boolean {
    return this.storeCache(store).complete;
  }

  readAhead(store: string, keys: readonly BinaryString[], count: number): Promise<void> | undefined {
    const cache = this.storeCache(store);
    this.residency.nextBatch();
    if (cache.complete) return undefined;
    return this.observed(this.readers[cache.index]!.fetch(keys, count, this.residency.batch));
  }

  readAheadRanges(store: string, ranges: readonly GroupRange[]): Promise<void> | undefined {
    const cache = this.storeCache(store);
    const reader = this.rangeReaders[cache.index]!;
    if (reader === null) throw this.otherKind(store, 'an ordered store', 'readAhead');
    this.residency.nextBatch();
    return this.observed(reader.fetch(ranges));
  }

  read(miss: StateMiss): Promise<void> | undefined {
    const { store, keys, ranges } = miss;
    const cache = this.storeCache(store);
    if (cache instanceof OrderedCache && cache.resident && !cache.complete) return this.load(cache);
    const rows = keys.length === 0 ? undefined : this.readAhead(store, keys, keys.length);
    const scans = ranges.length === 0 ? undefined : this.readAheadRanges(store, ranges);
    if (rows === undefined) return scans;
    return scans === undefined ? rows : Promise.all([rows, scans]).then(() => undefined);
  }

  beginRecord(): void {
    this.layers.beginRecord();
  }

  undoRecord(): void {
    this.layers.undoRecord();
  }

  get awaited(): Error | null {
    return this.layers.awaited;
  }

  get recordChanged(): boolean {
    return this.layers.recordChanged;
  }

  seal(epochId: number, changelog: ChangelogVisitor): void {
    this.layers.seal(epochId, changelog);
    for (const cache of this.caches) cache.sealed();
    this.residency.sealed();
  }

  commit(epochId: number, commit: EpochCommit): void {
    this.assertOpen();
    this.writeBehind.take(this.layers.takeCommitted(epochId), commit);
    for (const [store, time] of commit.expireBefore ?? []) {
      const cache = this.byName.get(store);
      if (!(cache instanceof OrderedCache) || !Number.isFinite(time)) continue;
      cache.expireBefore(time);
      this.expired.set(store, time);
    }
  }

  abandon(): void {
    this.layers.abandon();
  }

  flush(): Promise<void> {
    return this.writeBehind.flush();
  }

  restore(store: string, batch: RestoreBatch, nextOffset: number): Promise<void> {
    this.assertOpen();
    const cache = this.storeCache(store);
    assert(!this.layers.hasUnsettled, 'a store is restored only when no epoch is open or sealed');
    if (batch.count > 0) cache.unknown();
    this.restoredRecords[cache.index] = (this.restoredRecords[cache.index] ?? 0) + batch.count;
    if (this.account.cached === 0 && this.waitingRestores === 0) {
      return this.observedRestore(this.apply(cache, batch, nextOffset));
    }
    // What is cached is written first. The columns are the caller's again once this returns.
    if (this.waitingRestores++ === 0) this.restoring = this.restoring.then(() => this.dropCache());
    const copy = copyOf(batch);
    const done = this.restoring.then(() => {
      this.waitingRestores--;
      return this.apply(cache, copy, nextOffset);
    });
    return this.observedRestore(done);
  }

  describe(metadata: Readonly<Record<string, unknown>>): void {
    this.writeBehind.restoredTo({ ...this.writeBehind.reached, metadata });
  }

  expire(before: ReadonlyMap<string, number>): void {
    this.assertOpen();
    for (const [store, time] of before) {
      const cache = this.storeCache(store);
      if (!(cache instanceof OrderedCache) || !Number.isFinite(time)) continue;
      this.database.expire(cache.index, time);
      this.expired.set(store, time);
    }
  }

  async restored(metadata: Readonly<Record<string, unknown>>): Promise<void> {
    await this.restoring;
    this.writeBehind.setCheckpoint({ ...this.writeBehind.reached, metadata });
    await this.writeBehind.flush();
    for (const cache of this.caches) {
      if (cache.complete) continue;
      if (cache instanceof OrderedCache && cache.resident) {
        await this.load(cache);
        continue;
      }
      // As many keys as that, or many updates of few: the first is the common case, and not worth a look.
      const isLarge =
        this.foundLarge.has(cache.index) ||
        (this.restoredRecords[cache.index] ?? 0) * ENTRY_BYTES > this.preloadBytesMax;
      if (!isLarge) await this.load(cache, this.account.cached + this.preloadBytesMax);
      if (!cache.complete && cache instanceof OrderedCache && cache.expires) {
        const newest = this.database.newestTime(cache.index);
        if (newest !== null) cache.coverFrom(orderedTime(newest + 1));
      }
    }
  }

  async committed(store: string, key: BinaryString): Promise<CommittedValue | undefined> {
    return (await this.committedMany(store, [key]))[0] ?? undefined;
  }

  async committedMany(store: string, keys: readonly BinaryString[]): Promise<(CommittedValue | null)[]> {
    this.assertOpen();
    if (this.restores > 0) await this.whatIsRestored();
    return this.reads.many(this.storeCache(store), keys);
  }

  async committedPage(store: string, range: CommittedRange): Promise<CommittedPage> {
    this.assertOpen();
    if (this.restores > 0) await this.whatIsRestored();
    return this.reads.page(this.storeCache(store), range);
  }

  /** What was handed over before counts as there: of a copy, `reached` says so. */
  private async whatIsRestored(): Promise<void> {
    await this.restoring.catch(() => undefined);
    this.assertOpen();
  }

  expiredBefore(store: string): number | undefined {
    return this.expired.get(store);
  }

  committedOffset(store: string): number | undefined {
    return this.writeBehind.committedOffset(store);
  }

  async approximateRows(store: string): Promise<number | null> {
    this.assertOpen();
    const cache = this.storeCache(store);
    return cache instanceof StoreCache && cache.complete
      ? cache.size
      : this.database.estimateRows(cache.index);
  }

  async *scan(store: string): AsyncGenerator<DatabaseRow> {
    const cache = this.storeCache(store);
    await this.flush();
    this.assertOpen();
    yield* this.database.scan(cache.index);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    try {
      await this.restoring;
      await this.writeBehind.flush();
    } catch (error) {
      await this.release(false);
      throw error;
    }
    await this.release(true);
  }

  async closeDirty(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.restoring.catch(() => undefined);
    await this.release(false);
  }

  private async release(clean: boolean): Promise<void> {
    await this.reads.end();
    await this.writeBehind.stop();
    await this.database.close(clean);
  }

  /** The checkpoint moves when the database is handed the records, not before: until then it would name what is not there. */
  private apply(cache: EntryStore, batch: RestoreBatch, nextOffset: number): Promise<void> {
    const { reached } = this.writeBehind;
    const changelogOffsets = new Map(reached.changelogOffsets).set(cache.name, nextOffset);
    const checkpoint = { ...reached, changelogOffsets };
    this.writeBehind.restoredTo(checkpoint);
    return this.database.restore(cache.index, batch, checkpoint);
  }

  private async observedRestore(done: Promise<void>): Promise<void> {
    this.restoring = Promise.all([this.restoring, done]).then(() => undefined);
    // Observed by the caller through `done`; the chain is looked at by `restored` and `close`.
    this.restoring.catch(() => undefined);
    this.restores++;
    try {
      await done;
    } catch (error) {
      throw this.writeBehind.fail(error);
    } finally {
      this.restores--;
    }
  }

  // A small store is read as a whole: a scan costs a third of the same keys looked up one by one as they come, and no batch
  // has to be looked through for its keys any more. A resident one is however large it is.
  private async load(cache: EntryStore, cachedBytesMax = Infinity): Promise<void> {
    try {
      for await (const { key, value, timestamp } of this.database.scan(cache.index)) {
        if (this.account.cached >= cachedBytesMax) {
          this.foundLarge.add(cache.index);
          return;
        }
        cache.admit(key, value, timestamp);
      }
    } catch (error) {
      throw this.writeBehind.fail(error);
    }
    cache.loaded();
  }

  private observed(answer: Promise<void> | undefined): Promise<void> | undefined {
    return answer?.catch((error: unknown) => {
      throw this.writeBehind.fail(error);
    });
  }

  private async dropCache(): Promise<void> {
    await this.writeBehind.flush();
    for (const reader of this.readers) reader.cleared();
    for (const reader of this.rangeReaders) reader?.cleared();
    for (const store of this.caches) store.clear();
    assert(this.account.cached === 0, `a cleared cache holds no bytes, but ${this.account.cached}`);
  }

  private storeCache(name: string): EntryStore {
    const store = this.byName.get(name);
    if (store !== undefined) return store;
    throw new MillraceError({
      code: 'MILLRACE_INVALID_CONFIG',
      message: `Task ${this.taskId} has no store "${name}"; it has ${[...this.byName.keys()].join(', ') || 'none'}.`,
      remedy: 'Name the store in the topology of the node that uses it.',
    });
  }

  private otherKind(name: string, asked: string, method: string): MillraceError {
    return new MillraceError({
      code: 'MILLRACE_INVALID_CONFIG',
      message: `Store "${name}" of task ${this.taskId} was asked for as ${asked}, which it is not.`,
      remedy: `Ask for it with \`${method}\`, or declare it with the other kind.`,
    });
  }

  private assertOpen(): void {
    if (!this.closed) return;
    throw new MillraceError({
      code: 'MILLRACE_ILLEGAL_STATE',
      message: `The state of task ${this.taskId} is closed.`,
      remedy: 'Open the task again before using its stores.',
    });
  }
}

function copyOf(batch: RestoreBatch): RestoreBatch {
  return {
    count: batch.count,
    bytes: batch.bytes.slice(),
    keyStart: batch.keyStart.slice(0, batch.count),
    keyEnd: batch.keyEnd.slice(0, batch.count),
    valueStart: batch.valueStart.slice(0, batch.count),
    valueEnd: batch.valueEnd.slice(0, batch.count),
    timestamps: batch.timestamps.slice(0, batch.count),
  };
}
