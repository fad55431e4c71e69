// Owns the handles on keyed state: synchronous views of the current key's rows in one store each.
// What is older than its TTL is as if it were not there; the rows themselves go when the operator's alarms look at them, through the
// store, so that store and changelog forget alike. A handle keeps nothing of its own.
import { orderedUint64, readOrderedUint64 } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { compileCodec } from '#libs/serde';
import type { Codec, Serde } from '#libs/serde';
import type { OrderedStorePort, StoreEntry, StorePort } from '../ports.ts';
import type { KeyCursor } from './key-cursor.ts';
import type {
  AggregatingState,
  ListState,
  MapState,
  StateDescriptor,
  StateTtl,
  ValueState,
} from './state-descriptors.ts';
import type { TimerTable } from './timer-table.ts';

const NO_SUFFIX = '' as BinaryString;

/** What a look at an entry whose TTL may be over needs to know. */
export interface ForgettingState {
  /** Deletes the entry if its time is over; else gives the time to look again, `null`: there is no such entry. */
  forget(key: BinaryString, suffix: BinaryString): number | null;
}

/** The clock of one state with a TTL. */
class Forgetting {
  readonly refreshesOnRead: boolean;
  private readonly ms: number;
  private readonly kind: 'event' | 'wall';
  private readonly state: string;
  private readonly cursor: KeyCursor;
  private readonly timers: TimerTable;

  constructor(ttl: StateTtl, state: string, cursor: KeyCursor, timers: TimerTable) {
    this.ms = ttl.ms;
    this.kind = ttl.time ?? 'event';
    this.refreshesOnRead = ttl.refreshOn === 'readAndWrite';
    this.state = state;
    this.cursor = cursor;
    this.timers = timers;
  }

  get now(): number {
    return this.kind === 'event' ? this.cursor.eventTime : this.cursor.wallTime();
  }

  isOver(row: StoreEntry): boolean {
    return row.encoded !== null && row.timestamp + this.ms <= this.now;
  }

  endOf(row: StoreEntry): number {
    return row.timestamp + this.ms;
  }

  /** A new entry: it is looked at when its time would be over. One that was there already has its look ahead of it. */
  written(suffix: BinaryString): void {
    this.timers.lookAt(this.kind, this.now + this.ms, this.state, this.cursor.key, suffix);
  }
}

interface Rows {
  value(row: StoreEntry): unknown;
  set(row: StoreEntry, value: unknown, timestamp: number): void;
}

/** Reads and writes one row under the rule of its TTL, if there is one. */
class RowAccess {
  private readonly rows: Rows;
  private readonly cursor: KeyCursor;
  private readonly forgetting: Forgetting | null;

  constructor(rows: Rows, cursor: KeyCursor, forgetting: Forgetting | null) {
    this.rows = rows;
    this.cursor = cursor;
    this.forgetting = forgetting;
  }

  get(row: StoreEntry): unknown {
    if (row.encoded === null) return null;
    const { forgetting } = this;
    if (forgetting === null) return this.rows.value(row) ?? null;
    if (forgetting.isOver(row)) return null;
    const value = this.rows.value(row) ?? null;
    if (forgetting.refreshesOnRead) this.rows.set(row, value, forgetting.now);
    return value;
  }

  set(row: StoreEntry, suffix: BinaryString, value: unknown): void {
    const { forgetting } = this;
    if (value === null || value === undefined) {
      this.clear(row);
      return;
    }
    const isNew = row.encoded === null;
    this.rows.set(row, value, forgetting === null ? Math.max(0, this.cursor.eventTime) : forgetting.now);
    if (isNew) forgetting?.written(suffix);
  }

  clear(row: StoreEntry): void {
    if (row.encoded !== null) this.rows.set(row, null, Math.max(0, this.cursor.eventTime));
  }

  forget(row: StoreEntry): number | null {
    if (row.encoded === null || this.forgetting === null) return null;
    if (!this.forgetting.isOver(row)) return this.forgetting.endOf(row);
    this.clear(row);
    return null;
  }
}

class ValueHandle implements ValueState<unknown>, ForgettingState {
  protected readonly cursor: KeyCursor;
  private readonly store: StorePort;
  private readonly access: RowAccess;

  constructor(store: StorePort, cursor: KeyCursor, forgetting: Forgetting | null) {
    this.store = store;
    this.cursor = cursor;
    this.access = new RowAccess(store, cursor, forgetting);
  }

  get(): unknown {
    return this.access.get(this.store.entry(this.cursor.key));
  }

  set(value: unknown): void {
    this.access.set(this.store.entry(this.cursor.key), NO_SUFFIX, value);
  }

  clear(): void {
    this.access.clear(this.store.entry(this.cursor.key));
  }

  forget(key: BinaryString): number | null {
    return this.access.forget(this.store.entry(key));
  }
}

class FoldHandle extends ValueHandle implements AggregatingState<unknown, unknown> {
  private readonly fold: (accumulator: unknown, value: unknown) => unknown;
  private readonly initial: (() => unknown) | null;

  constructor(
    store: StorePort,
    cursor: KeyCursor,
    forgetting: Forgetting | null,
    descriptor: StateDescriptor,
  ) {
    super(store, cursor, forgetting);
    this.fold = descriptor.fold as unknown as (accumulator: unknown, value: unknown) => unknown;
    this.initial = descriptor.initial;
  }

  add(value: unknown): void {
    const before = this.get();
    if (before === null && this.initial === null) this.set(value);
    else this.set(this.fold(before ?? this.initial!(), value));
  }
}

abstract class GroupHandle implements ForgettingState {
  protected readonly store: OrderedStorePort;
  protected readonly cursor: KeyCursor;
  protected readonly access: RowAccess;

  constructor(store: OrderedStorePort, cursor: KeyCursor, forgetting: Forgetting | null) {
    this.store = store;
    this.cursor = cursor;
    this.access = new RowAccess(store, cursor, forgetting);
  }

  clear(): void {
    this.store.range(this.cursor.key, null, null, (row) => this.access.clear(row));
  }

  forget(key: BinaryString, suffix: BinaryString): number | null {
    return this.access.forget(this.store.row(key, suffix));
  }
}

class ListHandle extends GroupHandle implements ListState<unknown> {
  get(): unknown[] {
    const values: unknown[] = [];
    this.store.range(this.cursor.key, null, null, (row) => {
      const value = this.access.get(row);
      if (value !== null) values.push(value);
    });
    return values;
  }

  add(value: unknown): void {
    let next = 0;
    this.store.range(
      this.cursor.key,
      null,
      null,
      (row) => {
        next = readOrderedUint64(this.store.suffixOf(row), 0) + 1;
        return false;
      },
      true,
    );
    this.append(next, value);
  }

  set(values: readonly unknown[]): void {
    this.clear();
    for (let index = 0; index < values.length; index++) this.append(index, values[index]);
  }

  private append(position: number, value: unknown): void {
    if (value === null || value === undefined) throw new TypeError('a list state holds no null');
    const suffix = orderedUint64(position);
    this.access.set(this.store.row(this.cursor.key, suffix), suffix, value);
  }
}

class MapHandle extends GroupHandle implements MapState<unknown, unknown> {
  private readonly keys: Codec<unknown>;
  private readonly forgets: boolean;

  constructor(
    store: OrderedStorePort,
    cursor: KeyCursor,
    forgetting: Forgetting | null,
    descriptor: StateDescriptor,
  ) {
    super(store, cursor, forgetting);
    this.keys = compileCodec(descriptor.mapKeySerde as unknown as Serde<unknown>);
    this.forgets = forgetting !== null;
  }

  get(key: unknown): unknown {
    return this.access.get(this.row(key));
  }

  has(key: unknown): boolean {
    return this.get(key) !== null;
  }

  set(key: unknown, value: unknown): void {
    const suffix = this.keys.toBinary(key);
    this.access.set(this.store.row(this.cursor.key, suffix), suffix, value);
  }

  delete(key: unknown): void {
    this.access.clear(this.row(key));
  }

  first(): [key: unknown, value: unknown] | null {
    if (this.forgets) return this.firstRemembered();
    const row = this.store.first(this.cursor.key);
    return row === null ? null : this.entryOf(row, this.access.get(row));
  }

  entries(): [key: unknown, value: unknown][] {
    const entries: [unknown, unknown][] = [];
    this.store.range(this.cursor.key, null, null, (row) => {
      const value = this.access.get(row);
      if (value !== null) entries.push(this.entryOf(row, value));
    });
    return entries;
  }

  /** Rows whose time is over may still lie before it. */
  private firstRemembered(): [key: unknown, value: unknown] | null {
    let found: [unknown, unknown] | null = null;
    this.store.range(this.cursor.key, null, null, (row) => {
      const value = this.access.get(row);
      if (value !== null) found = this.entryOf(row, value);
      return found === null;
    });
    return found;
  }

  private entryOf(row: StoreEntry, value: unknown): [key: unknown, value: unknown] {
    return [this.keys.fromBinary(this.store.suffixOf(row), false), value];
  }

  private row(key: unknown): StoreEntry {
    return this.store.row(this.cursor.key, this.keys.toBinary(key));
  }
}

/** Stores as the site gives them, by name. */
export interface StateStores {
  store(name: string): StorePort;
  orderedStore(name: string): OrderedStorePort;
}

/** Value and fold states are key-value stores, the others are groups of rows. */
export function isGrouped({ kind }: StateDescriptor): boolean {
  return kind === 'list' || kind === 'map';
}

/** The handle of one state. `state`: its name within its function. */
export function makeHandle(
  descriptor: StateDescriptor,
  state: string,
  storeName: string,
  stores: StateStores,
  cursor: KeyCursor,
  timers: TimerTable | null,
): ForgettingState {
  const { ttl, kind } = descriptor;
  const forgetting = ttl === null ? null : new Forgetting(ttl, state, cursor, timers!);
  if (kind === 'list') return new ListHandle(stores.orderedStore(storeName), cursor, forgetting);
  if (kind === 'map') return new MapHandle(stores.orderedStore(storeName), cursor, forgetting, descriptor);
  const store = stores.store(storeName);
  if (kind === 'fold') return new FoldHandle(store, cursor, forgetting, descriptor);
  return new ValueHandle(store, cursor, forgetting);
}
