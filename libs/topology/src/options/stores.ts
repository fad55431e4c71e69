// Owns the state stores that users declare for their processors: the interfaces of the stores, and `Stores`, which makes their
// builders. A builder carries the store's type, so that `context.getStateStore(builder)` needs no cast.
import type { StoreSpec } from '../plan.ts';
import type { KeyValue, SerdeOf } from '../options.ts';
import type { StoreSite } from '../stores/store-site.ts';
import { keyValueStoreBuilder, orderedKeyValueStoreBuilder } from '../stores/key-value-store.ts';
import { sessionStoreBuilder } from '../stores/session-store.ts';
import { versionedKeyValueStoreBuilder } from '../stores/versioned-store.ts';
import { windowStoreBuilder } from '../stores/window-store.ts';

export interface StateStore {
  readonly name: string;
}

/** A value and the timestamp of the record that set it, milliseconds since the Unix epoch. */
export interface ValueAndTimestamp<V> {
  readonly value: V;
  readonly timestamp: number;
}

export interface ReadOnlyKeyValueStore<K, V> extends StateStore {
  /** `null`: no such key. */
  get(key: K): V | null;
  getWithTimestamp(key: K): ValueAndTimestamp<V> | null;
}

/** The store of a global table. It may be newer than the record in process. */
export interface ReadOnlyGlobalStore<K, V> extends ReadOnlyKeyValueStore<K, V> {
  /** Everything, in no promised order. */
  all(): Iterable<KeyValue<K, V>>;
}

/**
 * A value per key. Changes are part of the epoch: undone with a failed record, committed with its outputs. All calls are synchronous; one
 * whose answer is not in memory suspends the record, which is run again once it is read.
 */
export interface KeyValueStore<K, V> extends ReadOnlyKeyValueStore<K, V> {
  /** `null` deletes. `timestamp` default: that of the record in process. */
  put(key: K, value: V | null, timestamp?: number): void;
  /** The value there was, which then stays; `null`: there was none. */
  putIfAbsent(key: K, value: V, timestamp?: number): V | null;
  putAll(entries: Iterable<KeyValue<K, V | null>>): void;
  /** The value there was. */
  delete(key: K): V | null;
}

/**
 * Also in order of the keys' bytes: text by its UTF-8, `safeInteger` and other integers by their bytes, negative ones last. Results are
 * arrays of `[key, value]`; what they span is read into memory.
 */
export interface OrderedKeyValueStore<K, V> extends KeyValueStore<K, V> {
  /** Both ends belong to it; `null`: no bound. */
  range(from: K | null, to: K | null): KeyValue<K, V>[];
  reverseRange(from: K | null, to: K | null): KeyValue<K, V>[];
  all(): KeyValue<K, V>[];
  reverseAll(): KeyValue<K, V>[];
  /** Keys whose bytes begin with these: text as UTF-8. */
  prefixScan(prefix: string | Uint8Array): KeyValue<K, V>[];
}

/**
 * A value per key and window start. Rows older than the retention are not shown any more: those that start at or before the highest
 * window start ever put, less the retention.
 */
export interface WindowStore<K, V> extends StateStore {
  /** `null` deletes. `windowStart` in milliseconds. A row older than the retention is not kept. */
  put(key: K, value: V | null, windowStart: number): void;
  /** `null`: no such row. */
  fetch(key: K, windowStart: number): V | null;
  /** Both ends belong to it, in order of time: `[windowStart, value]`. */
  fetch(key: K, from: number, to: number): KeyValue<number, V>[];
  backwardFetch(key: K, from: number, to: number): KeyValue<number, V>[];
}

/** A session: both ends in milliseconds and part of it. */
export interface SessionBounds {
  readonly start: number;
  readonly end: number;
}

/** A value per key and session. Sessions that ended at or before the highest end ever put, less the retention, are not shown any more. */
export interface SessionStore<K, V> extends StateStore {
  /** `null` deletes. */
  put(key: K, session: SessionBounds, value: V | null): void;
  remove(key: K, session: SessionBounds): void;
  fetchSession(key: K, start: number, end: number): V | null;
  /** Sessions that end at or after `earliestEnd` and start at or before `latestStart`, by their end. */
  findSessions(key: K, earliestEnd: number, latestStart: number): KeyValue<SessionBounds, V>[];
  backwardFindSessions(key: K, earliestEnd: number, latestStart: number): KeyValue<SessionBounds, V>[];
  /** All sessions of the key. */
  fetch(key: K): KeyValue<SessionBounds, V>[];
  backwardFetch(key: K): KeyValue<SessionBounds, V>[];
}

/** One version of a key's value. */
export interface VersionedRecord<V> {
  readonly value: V;
  /** Valid from here, milliseconds since the Unix epoch, */
  readonly timestamp: number;
  /** up to before here; `null`: it is the newest. */
  readonly validTo: number | null;
}

/** What `VersionedKeyValueStore.put` did: until when the version is valid; `null`: it is the newest; `false`: too old, it was not kept. */
export type VersionedPutResult = number | null | false;

/**
 * The values that a key had, by time, as far back as the history retention (KIP-889). A version older than the highest timestamp ever put,
 * less the retention, is not taken any more.
 */
export interface VersionedKeyValueStore<K, V> extends StateStore {
  /** `null` is a version too: from then on the key has no value. */
  put(key: K, value: V | null, timestamp: number): VersionedPutResult;
  /** Puts `null`; gives what was valid at that time. */
  delete(key: K, timestamp: number): VersionedRecord<V> | null;
  /** The newest version. */
  get(key: K): VersionedRecord<V> | null;
  /** The version valid at that time; `null`: none, or the time is older than the history retention. */
  get(key: K, asOf: number): VersionedRecord<V> | null;
}

/** Declares one store. Give it to `process`, `processValues` or `addStateStore`; the same builder given twice is one shared store. */
export interface StoreBuilder<S extends StateStore, N extends string = string> {
  readonly name: N;
  readonly spec: StoreSpec;
  /** What is wrong with its options; the build is refused then. */
  readonly problem: string | null;
  /** Makes the face of the store in one task. Called by the operator. */
  open(site: StoreSite): S;
}

export interface StoreOptions<K, V> {
  readonly keySerde: SerdeOf<K>;
  readonly valueSerde: SerdeOf<V>;
  /** Default true. False: no changelog, the store starts empty on a new machine. */
  readonly loggingEnabled?: boolean | undefined;
  /** Extra configuration of the changelog topic, by Kafka's names. */
  readonly changelogConfig?: Readonly<Record<string, string>> | undefined;
  /** `inMemory`: not kept on disk, restored whole from its changelog at every start. Default: the application's. */
  readonly storeType?: 'default' | 'inMemory' | undefined;
}

export interface WindowStoreOptions<K, V> extends StoreOptions<K, V> {
  /** Milliseconds. At least the window size. */
  readonly retentionMs: number;
  /** Milliseconds; part of the store's identity. */
  readonly windowSizeMs: number;
  /** True: several rows of one key and start, each put adds one; a null value is ignored. Default false. */
  readonly retainDuplicates?: boolean | undefined;
}

export interface SessionStoreOptions<K, V> extends StoreOptions<K, V> {
  /** Milliseconds. */
  readonly retentionMs: number;
}

export interface VersionedStoreOptions<K, V> extends StoreOptions<K, V> {
  /** Milliseconds. How far back in time versions are kept and taken. */
  readonly historyRetentionMs: number;
}

interface KeyValueStoreFactory {
  <K, V, const N extends string>(
    name: N,
    options: StoreOptions<K, V> & { readonly ordered?: true | undefined },
  ): StoreBuilder<OrderedKeyValueStore<K, V>, N>;
  /** `ordered: false`: no ranges, and cheaper: the keys of a batch can be read ahead of it. */
  <K, V, const N extends string>(
    name: N,
    options: StoreOptions<K, V> & { readonly ordered: false },
  ): StoreBuilder<KeyValueStore<K, V>, N>;
}

const keyValueStore = ((
  name: string,
  options: StoreOptions<unknown, unknown> & { readonly ordered?: boolean },
) =>
  options?.ordered === false
    ? keyValueStoreBuilder(name, options)
    : orderedKeyValueStoreBuilder(name, options ?? {})) as unknown as KeyValueStoreFactory;

/** Builders of stores: `Stores.keyValueStore('seen', { keySerde: Serdes.string(), valueSerde: Serdes.boolean() })`. */
export const Stores = {
  keyValueStore,
  windowStore: <K, V, const N extends string>(
    name: N,
    options: WindowStoreOptions<K, V>,
  ): StoreBuilder<WindowStore<K, V>, N> => windowStoreBuilder(name, options),
  sessionStore: <K, V, const N extends string>(
    name: N,
    options: SessionStoreOptions<K, V>,
  ): StoreBuilder<SessionStore<K, V>, N> => sessionStoreBuilder(name, options),
  versionedKeyValueStore: <K, V, const N extends string>(
    name: N,
    options: VersionedStoreOptions<K, V>,
  ): StoreBuilder<VersionedKeyValueStore<K, V>, N> => versionedKeyValueStoreBuilder(name, options),
};
