// Owns the contract of task state: what operators and the runtime may ask of the stores of one task.
//
// A task's stores share one database and one cache. The cache is layered by epoch:
//   open epoch ─seal─► sealed ─commit─► committed, not yet written ─write─► database
// 1. A value is encoded the moment it is set; what the caller does to the object afterwards changes nothing.
// 2. The newest value of a key is found in one look-up; older layers exist only as long as they can be needed.
// 3. The database holds committed epochs only, with the changelog offsets they reach, in one atomic batch.
// 4. A layer leaves memory only after its write resolved; a read-ahead never overwrites a newer layer.
// 5. Abandoning an epoch abandons all later ones; what was decoded is forgotten, only committed encodings stay.
import type { BinaryString } from '#libs/core';
import type { Serde } from '#libs/serde';

/** A store as declared by a topology. */
export interface KeyValueStoreSpec<K = unknown, V = unknown> {
  readonly kind: 'keyValue';
  readonly name: string;
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
  /** False: a store that starts empty after a restart and has no changelog. */
  readonly logged: boolean;
  /**
   * True: an object decoded for one record is given to later ones too, until it is set or an epoch is abandoned. Only for
   * an operator that alone sees the store's objects: what it changes in place without setting it would be seen. Default false.
   */
  readonly reuseDecoded?: boolean;
  /** Part of the store's identity. */
  readonly layout?: string;
}

/**
 * Rows in groups, ordered within a group by their suffix, byte by byte: windows, sessions, join sides, map state (a group per record
 * key), buffers and timers (one group, time first in the suffix). A row's key is `rowKey(group, suffix)`, also in the changelog.
 */
export interface OrderedStoreSpec<K = unknown, V = unknown> {
  readonly kind: 'ordered';
  readonly name: string;
  /** Of the group. */
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
  readonly logged: boolean;
  /** All rows are in memory as long as the task is open; no look-up misses, nothing is evicted. */
  readonly resident: boolean;
  /** Suffixes begin with a time (`orderedTime`) and rows below `EpochCommit.expireBefore` are dropped; `null`: never. */
  readonly expiry: { readonly retentionMs: number } | null;
  /** Part of the store's identity, such as `window(60000)`. */
  readonly layout?: string;
}

export type StateStoreSpec = KeyValueStoreSpec | OrderedStoreSpec;

/** One key of a store as the cache knows it. Owned by the store: read it, never keep it over a record. */
export interface StateEntry<V = unknown> {
  readonly key: BinaryString;
  /** `null`: no such key. */
  readonly encoded: BinaryString | null;
  /** Milliseconds since the Unix epoch of the record that set the value. Says nothing when there is no value. */
  readonly timestamp: number;
  /** Type carrier only; absent at run time. */
  readonly valueType?: V;
}

/** A range of a group that must be in memory: its rows from suffix `from` (`''`: all) on. */
export interface GroupRange {
  readonly group: BinaryString;
  readonly from: BinaryString;
}

/**
 * Thrown by look-ups whose answer is not in memory: the runtime undoes the scope, calls `TaskState.read(miss)`, awaits it and runs the
 * scope again.
 */
export class StateMiss extends Error {
  readonly store: string;
  /** Keys (row keys in an ordered store) to be read. */
  readonly keys: readonly BinaryString[];
  /** Of an ordered store. */
  readonly ranges: readonly GroupRange[];

  constructor(store: string, keys: readonly BinaryString[], ranges: readonly GroupRange[] = []) {
    super(`state of store "${store}" is not in memory`);
    this.name = 'StateMiss';
    this.store = store;
    this.keys = keys;
    this.ranges = ranges;
  }
}

/** The synchronous face of a store, as operators see it. */
export interface KeyValueStoreCache<V = unknown> {
  readonly name: string;
  /** The entry of a key, also for a key that does not exist. @throws StateMiss */
  entry(key: BinaryString): StateEntry<V>;
  /** Decoded value; `undefined`: no such key. Objects are shared within a record, not between records (see `reuseDecoded`). */
  value(entry: StateEntry<V>): V | undefined;
  /** Sets the value in the open epoch; `null` deletes. @throws MillraceError MILLRACE_SERIALIZATION_FAILED, nothing changed. */
  set(entry: StateEntry<V>, value: V | null, timestamp: number): void;
  /**
   * The encoding made by the last `set` of this record, when it was given this very value; otherwise `undefined`. An object
   * changed in place since then is not noticed: ask only where no user code ran in between.
   */
  encodingOf(value: V): BinaryString | undefined;
  /** @throws StateMiss one for all keys that are not in memory. */
  require(keys: readonly BinaryString[]): void;
}

/** The synchronous face of an ordered store. Rows are entries: layers, undo, write-behind and eviction are those of any entry. */
export interface OrderedStoreCache<V = unknown> {
  readonly name: string;
  /** The row, also one that does not exist. @throws StateMiss */
  row(group: BinaryString, suffix: BinaryString): StateEntry<V>;
  value(row: StateEntry<V>): V | undefined;
  set(row: StateEntry<V>, value: V | null, timestamp: number): void;
  encodingOf(value: V): BinaryString | undefined;
  suffixOf(row: StateEntry): BinaryString;
  groupOf(row: StateEntry): BinaryString;
  /**
   * Visits the rows that exist with `from` <= suffix < `to` (`null`: no bound) in order, until `visit` gives `false`.
   * The visitor may set or delete the row it is given; rows that it adds may or may not be visited. @throws StateMiss
   */
  range(
    group: BinaryString,
    from: BinaryString | null,
    to: BinaryString | null,
    visit: (row: StateEntry<V>) => boolean | void,
    descending?: boolean,
  ): void;
  /** The first row that exists, `null`: the group is empty. @throws StateMiss */
  first(group: BinaryString): StateEntry<V> | null;
  /** @throws StateMiss one for all rows that are not in memory. */
  require(groups: readonly BinaryString[], suffixes: readonly BinaryString[]): void;
}

/** What a changelog sink is given at seal, once per dirty key of the epoch. `null` value: deleted. */
export type ChangelogVisitor = (
  storeIndex: number,
  key: BinaryString,
  value: BinaryString | null,
  timestamp: number,
) => void;

export interface CommittedValue {
  readonly value: BinaryString;
  /** Milliseconds since the Unix epoch. */
  readonly timestamp: number;
}

/** A bounded look at committed rows, in the byte order of their keys (row keys of an ordered store). Plain data: it may cross threads. */
export interface CommittedRange {
  readonly from?: BinaryString;
  /** Exclusive. */
  readonly to?: BinaryString;
  /** From the highest key down. */
  readonly descending?: boolean;
  /** Of a store whose suffixes begin with a time, milliseconds: rows from `fromTime` on and below `toTime`. */
  readonly fromTime?: number;
  readonly toTime?: number;
  /** Rows at most. A page may be shorter, or empty, and not the last. */
  readonly limit: number;
}

export interface CommittedPage {
  readonly rows: readonly (CommittedValue & { readonly key: BinaryString })[];
  /** The next page's `from`, or `to` if it descends; `null`: this was the last. */
  readonly next: BinaryString | null;
  /** The changelog offset that the rows are as of: the next to come; `null`: not known. */
  readonly offset: number | null;
}

/** What the database says of itself when opened. */
export interface StateCheckpoint {
  /** Epoch id of the last write, -1 for an empty database. */
  readonly epochId: number;
  /** Changelog offset each store reached: the next offset to replay. Absent store: replay from the start. */
  readonly changelogOffsets: ReadonlyMap<string, number>;
  /** Anything else the runtime keeps with the state (stream time, input offsets), JSON-safe. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface EpochCommit {
  /** By store name. A store not named keeps its offset. */
  readonly changelogOffsets: ReadonlyMap<string, number>;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** By store name: rows of an ordered store whose time is below may be dropped, as of this epoch. Never goes back for committed epochs. */
  readonly expireBefore?: ReadonlyMap<string, number>;
}

/** Restored records of one store, column-wise; `values[i] === null` deletes. Arrays may be longer than `count`. */
export interface RestoreBatch {
  readonly count: number;
  /** Section the columns point into. */
  readonly bytes: Uint8Array;
  readonly keyStart: Int32Array;
  readonly keyEnd: Int32Array;
  /** -1: null value. */
  readonly valueStart: Int32Array;
  readonly valueEnd: Int32Array;
  readonly timestamps: Float64Array;
}

export interface TaskStateOptions {
  readonly taskId: string;
  readonly applicationId: string;
  readonly stores: readonly StateStoreSpec[];
  /** Bytes of cached entries of this task, dirty ones included. */
  readonly cacheBytesMax: number;
  /** Committed and unwritten bytes that make a write due; and the longest time until one. */
  readonly writeBehindBytes: number;
  readonly writeBehindIntervalMs: number;
}

/**
 * The stores of one task.
 * Epoch ids ascend. At most two epochs are unsettled (one open, one sealed) besides those committed and unwritten.
 */
export interface TaskState {
  /** As found when it was opened. */
  readonly checkpoint: StateCheckpoint;
  /** What the database reaches once everything handed to it is written. */
  readonly reached: StateCheckpoint;
  /** In declaration order; `ChangelogVisitor` counts in it. */
  readonly stores: readonly StateStoreSpec[];
  store<V>(name: string): KeyValueStoreCache<V>;
  orderedStore<V>(name: string): OrderedStoreCache<V>;

  /** True: every key of the store is in memory or known to be absent, so nothing need be read ahead now. */
  isResident(store: string): boolean;
  /**
   * Makes the entries of `keys` (first `count`) resident for the epoch's batch. `undefined`: all are, nothing to await.
   * Row keys in an ordered store. Keys may repeat; absent ones become known as absent. Resident until the next call, also beyond `cacheBytesMax`.
   */
  readAhead(store: string, keys: readonly BinaryString[], count: number): Promise<void> | undefined;

  /** Makes ranges of an ordered store resident, as `readAhead` does keys. A range's group may repeat. */
  readAheadRanges(store: string, ranges: readonly GroupRange[]): Promise<void> | undefined;
  /** What a miss asks for. */
  read(miss: StateMiss): Promise<void> | undefined;

  /** Marks the start of a record, or of any other scope. */
  beginRecord(): void;
  /** Takes back all sets since `beginRecord`. */
  undoRecord(): void;
  /** Was anything set since `beginRecord`? */
  readonly recordChanged: boolean;
  /**
   * The first StateMiss or SchemaPending that a store threw since `beginRecord` or `undoRecord`. Whatever the record came to, it has to be
   * undone and run again: the code between store and runtime may have swallowed the signal and gone on without the answer.
   */
  readonly awaited: Error | null;

  /**
   * Ends the open epoch: visits each key it changed once, with its newest value, in unspecified order; then the next epoch is open. Left
   * out is a key that was absent before and is absent again, except in stores whose rows expire.
   */
  seal(epochId: number, changelog: ChangelogVisitor): void;
  /** The sealed epoch is committed in Kafka. Writes to the database follow in the background, coalesced over epochs. */
  commit(epochId: number, commit: EpochCommit): void;
  /** Drops the open epoch and every sealed one. */
  abandon(): void;
  /** Rejects with what a background write failed with; resolves when nothing committed is unwritten. @throws TaskCorruptedError MILLRACE_STATE_FAILED */
  flush(): Promise<void>;
  /** Set when a background write failed; the runtime looks at it every turn. */
  readonly failure: Error | null;
  /** Committed and unwritten plus dirty bytes, for backpressure. */
  readonly unwrittenBytes: number;
  /** Estimate of all that is in memory of its stores, for metrics. */
  readonly cachedBytes: number;

  /**
   * Applies changelog records behind everything cached (only while restoring: the cache is empty). May be called again before it
   * resolves, order is kept; the caller bounds what is in flight. `nextOffset` becomes the store's changelog offset with the same write.
   */
  restore(store: string, batch: RestoreBatch, nextOffset: number): Promise<void>;
  /** Replaces the metadata that later writes carry; writes nothing itself. For state that is restored and not run. */
  describe(metadata: Readonly<Record<string, unknown>>): void;
  /**
   * Rows of ordered stores, by store name, whose time is below may be dropped; for state that is restored and not run: a state that
   * runs learns it from `EpochCommit.expireBefore`.
   */
  expire(before: ReadonlyMap<string, number>): void;
  /** Restoring is over: reads are allowed. `metadata` is written with the checkpoint. */
  restored(metadata: Readonly<Record<string, unknown>>): Promise<void>;

  /** Committed value of a key, for tests; reads the database when it must. */
  committed(store: string, key: BinaryString): Promise<CommittedValue | undefined>;
  /** Committed values of keys, by position, all as of the newest epoch committed when it was called. `null`: no such key. */
  committedMany(store: string, keys: readonly BinaryString[]): Promise<(CommittedValue | null)[]>;
  /** A page of committed rows, all as of one moment as `committedMany`. Rows that are expired may be among them: see `expiredBefore`. */
  committedPage(store: string, range: CommittedRange): Promise<CommittedPage>;
  /** Rows of an ordered store of an earlier time are expired, as of the newest committed epoch; `undefined`: not known since it was opened. */
  expiredBefore(store: string): number | undefined;
  /** Changelog offset that the newest committed epoch reaches: the next to come. */
  committedOffset(store: string): number | undefined;
  /** About how many rows a store has, committed or not; `null`: it cannot be told cheaply. */
  approximateRows(store: string): Promise<number | null>;
  /** All committed pairs of a store in key order, for tests and tools. Flushes first. */
  scan(
    store: string,
  ): AsyncIterable<{ readonly key: BinaryString; readonly value: BinaryString; readonly timestamp: number }>;

  /** Clean: writes what is committed, flushes, releases the lock. */
  close(): Promise<void>;
  /** Dirty: drops what is unwritten, releases the lock; the database stays at its last write. */
  closeDirty(): Promise<void>;
}

/** Opens the state of tasks: RocksDB, or memory. One per process. */
export interface StateBackend {
  readonly name: string;
  /**
   * @throws MillraceError MILLRACE_STATE_LOCKED another process or task holds it. TaskCorruptedError is not thrown: a corrupted or foreign
   * directory is set aside (renamed, logged) and an empty one opened. MILLRACE_STATE_INCOMPATIBLE a store's serde identity or kind differs from what wrote it.
   */
  open(options: TaskStateOptions): Promise<TaskState>;
  /** Task ids with state on this machine, for sticky assignment. */
  localTasks(applicationId: string): Promise<readonly string[]>;
  /**
   * What the state on this machine reaches, by task id, without opening it. Of open state that is exact; of other state it may be what the
   * database reached a moment before its last write. A task of `localTasks` is missing where nothing is known.
   */
  localCheckpoints(applicationId: string): Promise<ReadonlyMap<string, StateCheckpoint>>;
  /** Renames a task's state away, so that the next `open` starts empty; for state that cannot be trusted. Refused while it is open. */
  setAside(applicationId: string, taskId: string, reason: string): Promise<void>;
  /** Size of a task's files; `null`: there are none. For metrics: what is being written may be counted or not. */
  diskBytes(applicationId: string, taskId: string): Promise<number | null>;
  /** Deletes a task's state. Refused while it is open. */
  destroy(applicationId: string, taskId: string): Promise<void>;
  close(): Promise<void>;
}
