// Owns the store of a versioned table: every version of a key, from when to when it was valid, as far back as history is kept.
// Source of the rules: RocksDBVersionedStore of Kafka Streams (KIP-889).
//
// A row per version: group = the encoded key, suffix = the time up to which it was valid, so that the versions that are too old come first;
// the row's own timestamp = the time from which it was. The newest version has the end of time as suffix. A key whose newest version is a
// deletion has no such row, but one that ends where the deletion begins. Each put deletes what is too old of its key: rows that were
// dropped without a changelog record would stay in the changelog, which is compacted, for ever.
import { orderedTime, readOrderedTime } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { compileCodec, createBinarySerde } from '#libs/serde';
import type { AnySerde } from '../graph.ts';
import type { OperatorClock, OrderedStorePort, StoreEntry } from '../ports.ts';
import type { AggregateStore as TableStore } from './aggregate.ts';
import type { Operator, OperatorRead, Site, StreamFunction, TableFunction } from './operator.ts';
import { byKey } from './operator.ts';
import { PerTask } from './per-task.ts';

/** What a table's store needs besides its names and serdes, when it keeps history. */
export interface VersionedSpec {
  /** Milliseconds. Also how late an update may be. */
  readonly historyRetentionMs: number;
}

/** Is the change in process one of the newest version? Asked by those whose input is a versioned table, while they are called. */
export const changeOrder = new PerTask(() => ({ isLatest: true }));

const BEGIN = '' as BinaryString;
const END_OF_TIME = orderedTime(2 ** 52 - 1);
/** A version in which the key was deleted. */
const DELETED = Symbol('deleted');
const DELETED_BINARY = '\0' as BinaryString;
const VALUE_BYTE = '\x01';

export const Put = { TOO_OLD: 0, LATEST: 1, HISTORY: 2 } as const;
export type Put = (typeof Put)[keyof typeof Put];

/** One byte, deleted or not, then the value. */
export function versionSerde(values: AnySerde): AnySerde {
  const codec = compileCodec(values);
  return createBinarySerde<unknown>({
    name: `version(${values.name})`,
    inner: [{ serde: values }],
    toBinary: (value) =>
      value === DELETED ? DELETED_BINARY : ((VALUE_BYTE + codec.toBinary(value)) as BinaryString),
    fromBinary: (binary) =>
      binary === DELETED_BINARY ? DELETED : codec.fromBinary(binary.substring(1) as BinaryString, false),
  });
}

/** What is read ahead for updates (and the newest version), and for look-ups as of the record's time. */
export function readsOfStore(store: TableStore): OperatorRead[] {
  if (store.versioned === undefined) return [byKey(store)];
  return [
    {
      keySerde: store.keySerde,
      ahead: { kind: 'range', store: store.name, from: () => BEGIN },
    },
  ];
}

/** `Operator.value` of who has just put a value into the store. A version's encoding is not the value's alone. */
export function valueOfStore(store: TableStore): Operator['value'] {
  return store.versioned === undefined ? { fromStore: store.name, valueSerde: store.valueSerde } : 'kept';
}

export class VersionedRows {
  /** From when the version last got is valid; -1: none was got. */
  timestamp = -1;
  readonly #store: OrderedStorePort;
  readonly #retentionMs: number;
  readonly #clock: OperatorClock;
  readonly #forget: (row: StoreEntry) => void;
  readonly #takeFirst: (row: StoreEntry) => boolean;
  #first: StoreEntry | null = null;

  constructor(store: OrderedStorePort, retentionMs: number, clock: OperatorClock) {
    this.#store = store;
    this.#retentionMs = retentionMs;
    this.#clock = clock;
    this.#forget = (row) => store.set(row, null, row.timestamp);
    this.#takeFirst = (row) => {
      this.#first = row;
      return false;
    };
  }

  /** The newest value; `null`: none. */
  latest(key: BinaryString): unknown {
    const row = this.#store.row(key, END_OF_TIME);
    return this.#got(row.encoded === null ? null : row);
  }

  /** The newest value as it is encoded by the table's own serde; `null`: none. */
  latestEncoded(key: BinaryString): BinaryString | null {
    const { encoded, timestamp } = this.#store.row(key, END_OF_TIME);
    this.timestamp = encoded === null ? -1 : timestamp;
    return encoded === null ? null : (encoded.substring(1) as BinaryString);
  }

  /** The value that was valid at a time; `null`: none, or history does not reach so far back. */
  asOf(key: BinaryString, time: number): unknown {
    const latest = this.#store.row(key, END_OF_TIME);
    if (latest.encoded !== null && latest.timestamp <= time) return this.#got(latest);
    if (time < this.#clock.now - this.#retentionMs) return this.#got(null);
    const row = this.#validBehind(key, time);
    return this.#got(row !== null && row.timestamp <= time ? row : null);
  }

  /** `null` deletes, from `timestamp` on until the next version. */
  put(key: BinaryString, value: unknown, timestamp: number): Put {
    const horizon = this.#clock.observe(timestamp) - this.#retentionMs;
    if (timestamp < horizon) return Put.TOO_OLD;
    const store = this.#store;
    const oldest = store.first(key);
    if (oldest !== null && readOrderedTime(store.suffixOf(oldest), 0) < horizon) {
      store.range(key, null, orderedTime(horizon), this.#forget);
    }
    const version = value === null ? DELETED : value;
    const latest = store.row(key, END_OF_TIME);
    const hasLatest = latest.encoded !== null;
    if (hasLatest && timestamp >= latest.timestamp) {
      if (timestamp > latest.timestamp) {
        store.set(store.row(key, orderedTime(timestamp)), store.value(latest), latest.timestamp);
      }
      store.set(latest, value, timestamp);
      return Put.LATEST;
    }

    const next = this.#validBehind(key, timestamp);
    if (next !== null && next !== latest && next.timestamp <= timestamp) {
      // The interval of `next` is cut in two, unless its begin is replaced.
      if (next.timestamp < timestamp) {
        store.set(store.row(key, orderedTime(timestamp)), store.value(next), next.timestamp);
      }
      store.set(next, version, timestamp);
      return Put.HISTORY;
    }
    if (next !== null) {
      // Nothing is known to have been valid: so the version is, until the next one begins.
      store.set(store.row(key, orderedTime(next.timestamp)), version, timestamp);
      return Put.HISTORY;
    }
    if (value !== null) store.set(latest, value, timestamp);
    else {
      const ends = store.row(key, orderedTime(timestamp));
      if (ends.encoded === null) store.set(ends, DELETED, timestamp);
    }
    return Put.LATEST;
  }

  /** The version that is valid at `time`, or else the next one to begin. */
  #validBehind(key: BinaryString, time: number): StoreEntry | null {
    this.#first = null;
    this.#store.range(key, orderedTime(time + 1), null, this.#takeFirst);
    return this.#first;
  }

  #got(row: StoreEntry | null): unknown {
    const value = row === null ? DELETED : this.#store.value(row);
    if (value === DELETED) {
      this.timestamp = -1;
      return null;
    }
    this.timestamp = row!.timestamp;
    return value;
  }
}

/** The versions that a look-up as of `timestamp` may find, and the newest one, lie from here on. */
export const afterTime = (timestamp: number): BinaryString => orderedTime(timestamp + 1);

/** The rows of a versioned store for who reads it. */
export function openVersionedRows(site: Site, name: string, spec: VersionedSpec): VersionedRows {
  return new VersionedRows(site.orderedStore(name), spec.historyRetentionMs, site.storeClock(name));
}

/**
 * Puts values into a versioned store and forwards the changes: those that go into history too, with the newest value as the old one
 * and marked as not the newest; not those that are too old (MILLRACE_LATE_RECORD).
 */
export function keepVersions(
  site: Site,
  store: TableStore,
  next: TableFunction,
  sendOldValues: boolean,
  skipsNothingToNothing: boolean,
): (key: unknown, newValue: unknown, timestamp: number) => void {
  const rows = openVersionedRows(site, store.name, store.versioned!);
  const { fromSource, codec } = site.keyEncoder(store.keySerde);
  const { context } = site;
  const order = changeOrder.of(site);
  return (key, newValue, timestamp) => {
    const encoded = fromSource ? context.rawKey! : codec.toBinary(key);
    const oldValue = sendOldValues ? rows.latest(encoded) : null;
    if (skipsNothingToNothing && oldValue === null && newValue === null) return;
    const put = rows.put(encoded, newValue, timestamp);
    if (put === Put.TOO_OLD) {
      site.drop('MILLRACE_LATE_RECORD', 'older than a versioned table keeps history');
      return;
    }
    const before = order.isLatest;
    order.isLatest = put === Put.LATEST;
    try {
      next(key, newValue, oldValue, timestamp);
    } finally {
      order.isLatest = before;
    }
  };
}

/** When the version in `row` stopped being valid; for tools and specs. */
export const validUntil = (suffix: BinaryString): number | null =>
  suffix === END_OF_TIME ? null : readOrderedTime(suffix, 0);

/** In front of an operator whose input is a versioned table and that takes no notice of changes of its past (KIP-914). */
export function latestOnly(operator: Operator, isCounted: boolean): Operator {
  if (operator.takes !== 'table') return operator;
  const guard = (site: Site, inner: TableFunction): TableFunction => {
    const order = changeOrder.of(site);
    return (key, newValue, oldValue, timestamp) => {
      if (order.isLatest) inner(key, newValue, oldValue, timestamp);
      else if (isCounted) {
        site.drop('MILLRACE_OUT_OF_ORDER_RECORD', 'an update of the past of a versioned table');
      }
    };
  };
  if (operator.gives === 'table') {
    return {
      ...operator,
      fold: (site: Site, children: readonly TableFunction[]) => guard(site, operator.fold(site, children)),
    };
  }
  return {
    ...operator,
    fold: (site: Site, children: readonly StreamFunction[]) => guard(site, operator.fold(site, children)),
  };
}
