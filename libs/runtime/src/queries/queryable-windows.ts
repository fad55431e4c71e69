// Owns the handles of window and session stores.
import { orderedTime } from '#libs/core';
import type { BinaryString } from '#libs/core';
import type { Codec, Window } from '#libs/serde';
import { rowKey, suffixOfKey } from '#libs/state';
import { queryInvalid } from './query-error.ts';
import { decoded, StoreHandle } from './store-handle.ts';
import type { KeyReadOptions, StorePage } from './store-handle.ts';
import type { EncodedRow } from './store-query.ts';
import type { StoreAccess } from './store-queries.ts';
import type { PageOptions, RowRange } from './store-reader.ts';

export interface WindowEntry<K, V> {
  readonly key: K;
  readonly window: Window;
  /** `null` only in a change: deleted. */
  readonly value: V;
  readonly timestamp: number;
  readonly partition: number;
}

/** Milliseconds since the Unix epoch, both included. */
export interface TimeRange {
  readonly fromTime?: number;
  readonly toTime?: number;
}

abstract class WindowedHandle<K, V> extends StoreHandle<K, WindowEntry<K, V>> {
  protected get valueCodec(): Codec<V> {
    return this.shape.valueCodec as Codec<V>;
  }

  protected override decode(
    { key, value, timestamp }: EncodedRow,
    partition: number,
    deleted: boolean,
  ): WindowEntry<K, V> {
    return {
      key: this.keyOf(key),
      window: this.shape.windows!.windowOf(suffixOfKey(key)),
      value: deleted ? (null as V) : this.valueCodec.fromBinary(value, false),
      timestamp,
      partition,
    };
  }

  protected async one(key: K, start: number, end: number, options: KeyReadOptions): Promise<V | null> {
    const suffix = this.shape.windows!.suffixOf(this.time(start), this.time(end));
    const { values } = await this.keyed(key, (encoded) => [rowKey(encoded, suffix)], options);
    const found = values[0] ?? null;
    return found === null ? null : decoded(() => this.valueCodec.fromBinary(found.value, false));
  }

  /** Rows of a key whose suffix begins with a time of the range. */
  async keyRange(key: K, { fromTime, toTime }: TimeRange): Promise<RowRange> {
    const { prefix, from, to } = await this.groupOf(key);
    return {
      from: fromTime === undefined ? from : ((prefix + orderedTime(this.time(fromTime))) as BinaryString),
      to: toTime === undefined ? to : ((prefix + orderedTime(this.time(toTime) + 1)) as BinaryString),
    };
  }

  /** Rows of all keys whose suffix begins with a time of the range. */
  timeRange({ fromTime, toTime }: TimeRange): RowRange {
    return {
      ...(fromTime === undefined ? {} : { fromTime: this.time(fromTime) }),
      ...(toTime === undefined ? {} : { toTime: this.time(toTime) + 1 }),
    };
  }

  protected async rowsOfKey(
    key: K,
    times: TimeRange,
    options: PageOptions & KeyReadOptions,
  ): Promise<StorePage<WindowEntry<K, V>>> {
    return this.page(await this.keyRange(key, times), await this.pageOfKey(key, options));
  }

  protected async rowsOfAll(times: TimeRange, options: PageOptions): Promise<StorePage<WindowEntry<K, V>>> {
    return this.page(this.timeRange(times), options);
  }

  protected time(time: number): number {
    if (Number.isSafeInteger(time) || time === Infinity) return time === Infinity ? 2 ** 52 - 2 : time;
    throw queryInvalid(this.name, `${String(time)} is no whole number of milliseconds`);
  }
}

/** A window store, read as committed: of an aggregation in windows, or one of a processor's. */
export class QueryableWindowStore<K = unknown, V = unknown> extends WindowedHandle<K, V> {
  constructor(access: StoreAccess, name: string) {
    super(access, name, ['window']);
  }

  /** The value of a key in the window that begins at `windowStart`; `null`: there is none. Of cumulative windows give the end too. */
  get(
    key: K,
    windowStart: number,
    options: KeyReadOptions & { readonly windowEnd?: number } = {},
  ): Promise<V | null> {
    return this.one(key, windowStart, options.windowEnd ?? windowStart, options);
  }

  /** Windows of a key that begin within a time range, in their order. */
  fetch(
    key: K,
    options: TimeRange & PageOptions & KeyReadOptions = {},
  ): Promise<StorePage<WindowEntry<K, V>>> {
    return this.rowsOfKey(key, options, options);
  }

  /** Windows of all keys that begin within a time range: by key (its length first), then by time. */
  fetchAll(options: TimeRange & PageOptions = {}): Promise<StorePage<WindowEntry<K, V>>> {
    return this.rowsOfAll(options, options);
  }
}

/** A session store, read as committed. */
export class QueryableSessionStore<K = unknown, V = unknown> extends WindowedHandle<K, V> {
  constructor(access: StoreAccess, name: string) {
    super(access, name, ['session']);
  }

  /** The session of a key that begins and ends so; `null`: there is none. */
  get(key: K, start: number, end: number, options: KeyReadOptions = {}): Promise<V | null> {
    return this.one(key, start, end, options);
  }

  /** Sessions of a key that end at `earliestEnd` or later and begin at `latestStart` or earlier, by their end. */
  async fetch(
    key: K,
    options: PageOptions &
      KeyReadOptions & { readonly earliestEnd?: number; readonly latestStart?: number } = {},
  ): Promise<StorePage<WindowEntry<K, V>>> {
    const { earliestEnd, latestStart = Infinity } = options;
    const page = await this.rowsOfKey(
      key,
      earliestEnd === undefined ? {} : { fromTime: earliestEnd },
      options,
    );
    return { ...page, entries: page.entries.filter(({ window }) => window.start <= latestStart) };
  }

  /** Sessions of all keys that end within a time range: by key (its length first), then by end. */
  fetchAll(options: TimeRange & PageOptions = {}): Promise<StorePage<WindowEntry<K, V>>> {
    return this.rowsOfAll(options, options);
  }
}
