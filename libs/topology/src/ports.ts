// Owns what a compiled topology asks of whoever runs it. libs/runtime implements these ports; nothing here does I/O.
//
// Everything an operator does happens in a *scope*: one record, one step of an alarm, one posted delivery. A scope's effects
// (state, outputs, operator time) are all there or all undone, and a miss of state undoes the scope, reads, and runs it again.
// So what runs in a scope is synchronous and keeps nothing outside of stores, clocks and what it can derive from them.
import type { BinaryString, ErrorCode, RecordHeader } from '#libs/core';

/** What is known of a record besides key and value. Given to functions of the user's as their last argument; never keep it. */
export interface RecordMetadata {
  /** '' where there is no source record: in alarms and posted deliveries. */
  readonly topic: string;
  readonly partition: number;
  /** -1 where there is no source record. */
  readonly offset: number;
  /** Milliseconds since the Unix epoch, of the source record; in an alarm the time it fires at. */
  readonly timestamp: number;
  /** Decoded on first use. */
  readonly headers: () => readonly RecordHeader[];
}

/** The record in process. One mutable object per task, valid while the scope lasts. */
export interface RecordContext extends RecordMetadata {
  /** Highest timestamp the task has seen. */
  readonly streamTime: number;
  /** Encoded key of the source record; `null` also where there is none. */
  readonly rawKey: BinaryString | null;
  /**
   * What outputs carry as headers; `null`: those of the source record. An operator that forwards other headers sets it before
   * and puts it back after; the runtime resets it at the start of every scope.
   */
  outputHeaders: readonly RecordHeader[] | null;
}

/** Structural twin of libs/state's StateEntry. */
export interface StoreEntry {
  readonly key: BinaryString;
  readonly encoded: BinaryString | null;
  readonly timestamp: number;
}

/** Structural twin of libs/state's KeyValueStoreCache. Every look-up may throw a miss. */
export interface StorePort {
  entry(key: BinaryString): StoreEntry;
  /** Decoded; `undefined`: no such key. */
  value(entry: StoreEntry): unknown;
  /** `null` deletes. */
  set(entry: StoreEntry, value: unknown, timestamp: number): void;
  /** One miss for all keys that are not in memory: ask before a loop of look-ups. */
  require(keys: readonly BinaryString[]): void;
}

/**
 * Structural twin of libs/state's OrderedStoreCache: rows in groups, ordered within a group by their suffix, byte by byte.
 * A window store has a group per record key and the window's start as suffix; a buffer has one group and time first in the suffix.
 */
export interface OrderedStorePort {
  /** The row, also one that does not exist. */
  row(group: BinaryString, suffix: BinaryString): StoreEntry;
  /** Decoded; `undefined`: no such row. */
  value(row: StoreEntry): unknown;
  /** `null` deletes. */
  set(row: StoreEntry, value: unknown, timestamp: number): void;
  /** The suffix of a row of any group. */
  suffixOf(row: StoreEntry): BinaryString;
  /** The group of a row. */
  groupOf(row: StoreEntry): BinaryString;
  /**
   * Visits the rows that exist with `from` <= suffix < `to` (`null`: no bound) in order, until `visit` gives `false`.
   * The visitor may set or delete the row it is given; rows that it adds may or may not be visited.
   */
  range(
    group: BinaryString,
    from: BinaryString | null,
    to: BinaryString | null,
    visit: (row: StoreEntry) => boolean | void,
    descending?: boolean,
  ): void;
  /** The first row that exists, `null`: the group is empty. */
  first(group: BinaryString): StoreEntry | null;
  /** One miss for all rows that are not in memory. `groups[i]` goes with `suffixes[i]`. */
  require(groups: readonly BinaryString[], suffixes: readonly BinaryString[]): void;
}

/** The table that every instance holds whole. Read only; what it says may be newer than the record in process. */
export interface GlobalStorePort {
  /** Decoded; `undefined`: no such key. */
  get(key: BinaryString): unknown;
  /** Of the value last got; -1 without. */
  timestampOf(key: BinaryString): number;
  /** Everything, decoded, in no promised order. */
  entries(): Iterable<readonly [key: BinaryString, value: unknown]>;
}

/** One sink or repartition topic of the sub-topology. Serialisation, partitioning and batching are behind it. */
export interface SinkPort {
  send(key: unknown, value: unknown, timestamp: number): void;
}

/**
 * Event time of one operator. By default Kafka Streams' observed stream time: the highest timestamp that the operator was shown.
 * Where a source has a watermark strategy: the task's watermark. Undone with the scope, committed with the epoch, restored at start.
 */
export interface OperatorClock {
  /** Milliseconds; -1 before the first record. */
  readonly now: number;
  /** To be called with each record's timestamp before it is looked at; gives the new `now`. */
  observe(timestamp: number): number;
}

export interface Alarm {
  /** Asks to be fired once the time is there; an earlier request stands. */
  due(time: number): void;
}

/**
 * Called in a scope of its own when the time asked for is reached, once after every start, and again when its scope was undone. Does at most one
 * thing that is due at `now` (one timer, one punctuation) and gives the time of the next (it is called again at once if that is reached
 * too); `Infinity`: none. It must find out what is due from stores, not from memory.
 * `skip`: the call before failed in the user's code and was undone, and the failure policy says to go on: the thing that was due is dropped
 * without running that code again.
 */
export type AlarmFunction = (now: number, skip?: boolean) => number;

/**
 * Trace contexts of what fed the state under a key, one object per place: so that what an operator emits for a key, in the scope of no
 * record or of another's, is linked with it. Bounded, in memory, a help for those who look on and nothing to rely on. While `enabled` is false
 * nothing is to be called. Keys are the operator's own.
 */
export interface LinksPort {
  /** Somebody looks on. May change between two scopes. */
  readonly enabled: boolean;
  /** The record in process goes into what is kept under the key. */
  feed(key: string): void;
  /** What was kept under `from` is part of what is kept under `to` now. */
  move(from: string, to: string): void;
  /** What is kept under `to` begins as what is kept under `from`. */
  copy(from: string, to: string): void;
  /**
   * As `feed`; until `done`, outputs are linked with what fed the key before this record. False: there is nothing to link with; `done` must
   * not be called.
   */
  through(key: string): boolean;
  /**
   * Until `done`, outputs carry the trace of what fed the key last, if that was since it was last emitted, with links to the others; and never
   * the trace of the record whose scope it is. False: as `through`.
   */
  emit(key: string): boolean;
  done(): void;
}

export interface TaskPorts {
  readonly context: RecordContext;
  /** `<sub-topology>_<partition>`. */
  readonly taskId: string;
  readonly applicationId: string;
  store(name: string): StorePort;
  orderedStore(name: string): OrderedStorePort;
  globalStore(name: string): GlobalStorePort;
  /** By index into `SubTopology.sinks`. */
  sink(index: number): SinkPort;
  /** A record dropped by rule (null key, late, join without key): counted and logged with a bounded rate. */
  drop(node: string, code: ErrorCode, reason: string): void;
  /**
   * One per operator that goes by event time; `name` is what its time is committed under, made of a store's name (clock-names.ts). `onAdvance` runs in a scope of its own when time moved without a
   * record (watermarks with idleness, a bound on quiet inputs): what is due by `now` is to be emitted. `own`: only `observe` moves it,
   * also where there are watermarks.
   */
  clock(name: string, onAdvance: ((now: number) => void) | null, own?: boolean): OperatorClock;
  /** `event`: the task's stream time, or its watermark. `wall`: the wall clock, looked at between records. */
  alarm(kind: 'event' | 'wall', fire: AlarmFunction): Alarm;
  /** Wall clock, milliseconds since the Unix epoch. */
  wallTime(): number;
  /**
   * Runs `deliver` in a scope of its own between two records. May be called at any time, also from outside a scope, while the task is open.
   * What is posted in a scope that is undone is forgotten, as are holds and releases.
   * `skip` runs instead, in a scope too, when `deliver` failed in the user's code and the failure policy says to go on. `record`: what is sent
   * where the policy says that it goes to a dead-letter topic; without it nothing is.
   */
  post(deliver: () => void, skip?: () => void, record?: PostedRecord): void;
  /** While at least one holder holds, the task takes no further record; alarms and posted deliveries go on. */
  readonly intake: { hold(holder: object): void; release(holder: object): void };
  /** For the keys of one place: a node, or a store that nodes share. Left out: nobody ever looks on. */
  links?(place: string): LinksPort;
  /** Says whether work that the operator began is under way outside of scopes: a bounded run does not end before it is done. */
  unfinished?(holder: object, isUnderWay: boolean): void;
}

/** The record that a delivery is about, encoded. */
export interface PostedRecord {
  readonly keyBytes: BinaryString | null;
  readonly valueBytes: BinaryString | null;
  /** Milliseconds since the Unix epoch. */
  readonly timestamp: number;
  readonly headers: readonly RecordHeader[];
}

/** Runs one record of one source through the sub-topology, depth first, synchronously. */
export type SourceFunction = (key: unknown, value: unknown, timestamp: number) => void;

export interface CompiledTask {
  /** By index into `SubTopology.sources`. */
  readonly sources: readonly SourceFunction[];
  /** Runs in the task's first scope, before any record: `init` of the user's processors. It is run again after a miss. */
  init(): void;
  /** The task is closed, cleanly or not: `close` of the user's processors; running calls are given up. Never throws. */
  close(): void;
  /**
   * The node whose user function threw `error`, when it is what was thrown last; `null`: it came from elsewhere (a serde, a store,
   * a sink). Errors of user functions come out as they were thrown, not wrapped.
   */
  locate(error: unknown): string | null;
}
