// Owns the handle of versioned stores: those of processors, whose rows begin with the time from which a version is valid, and those of
// versioned tables, whose rows begin with the time up to which it was.
// Source of the rules: VersionedKeyQuery and MultiVersionedKeyQuery of Kafka Streams (KIP-960, KIP-968).
import { orderedTime, readOrderedTime } from '#libs/core';
import type { BinaryString } from '#libs/core';
import type { Codec } from '#libs/serde';
import { suffixOfKey } from '#libs/state';
import { queryInvalid } from './query-error.ts';
import { decoded, StoreHandle } from './store-handle.ts';
import type { KeyReadOptions, StorePage } from './store-handle.ts';
import type { EncodedRow } from './store-query.ts';
import type { StoreAccess } from './store-queries.ts';
import type { PageOptions, RowRange } from './store-reader.ts';
import { END_OF_TIME } from './store-shape.ts';

export interface VersionEntry<K, V> {
  readonly key: K;
  /** `null`: the key had none from then on. */
  readonly value: V | null;
  /** From when the version is valid, milliseconds since the Unix epoch. */
  readonly timestamp: number;
  /** Up to when it was; `null`: it is the newest, or not said. */
  readonly validTo: number | null;
  readonly partition: number;
}

/** The first byte of a version without a value. */
const NO_VALUE = 0;

/** A versioned store, read as committed. */
export class QueryableVersionedStore<K = unknown, V = unknown> extends StoreHandle<K, VersionEntry<K, V>> {
  constructor(access: StoreAccess, name: string) {
    super(access, name, ['versioned']);
  }

  private get valueCodec(): Codec<V> {
    return this.shape.valueCodec as Codec<V>;
  }

  /** The version that is valid at a time; default: the newest. `null`: the key had no value then, or history does not reach so far back. */
  async get(
    key: K,
    options: KeyReadOptions & { readonly asOf?: number } = {},
  ): Promise<(VersionEntry<K, V> & { readonly value: V }) | null> {
    const { asOf = Infinity } = options;
    if (asOf !== Infinity && !Number.isSafeInteger(asOf))
      throw queryInvalid(this.name, `asOf is ${String(asOf)}, no whole number of milliseconds`);
    const { prefix, from, to } = await this.groupOf(key);
    const at = (time: number): BinaryString => (prefix + orderedTime(time)) as BinaryString;
    const page = await this.pageOfKey(key, options);
    const { untilTime } = this.shape;
    // By the begin of versions: the last that begins not later. By their end: the first that ends later.
    const range = untilTime
      ? { from: asOf === Infinity ? ((prefix + END_OF_TIME) as BinaryString) : at(asOf + 1), to }
      : { from, to: asOf === Infinity ? to : at(asOf + 1) };
    const { rows } = await this.reader.page(range, { ...page, limit: 1, reverse: !untilTime });
    const row = rows[0];
    if (row === undefined) return null;
    const version = await decoded(() => this.decode(row, row.partition, false));
    if (version.value === null || version.timestamp > asOf) return null;
    return { ...version, value: version.value };
  }

  /** All versions of a key that are kept, oldest first. */
  async history(key: K, options: PageOptions & KeyReadOptions = {}): Promise<StorePage<VersionEntry<K, V>>> {
    return this.page(await this.keyRange(key), await this.pageOfKey(key, options));
  }

  async keyRange(key: K): Promise<RowRange> {
    const { from, to } = await this.groupOf(key);
    return { from, to };
  }

  /** The versions of all keys, by key (its length first), then by time. */
  all(options: PageOptions = {}): Promise<StorePage<VersionEntry<K, V>>> {
    return this.page({}, options);
  }

  protected override decode(
    { key, value, timestamp }: EncodedRow,
    partition: number,
    deleted: boolean,
  ): VersionEntry<K, V> {
    const suffix = suffixOfKey(key);
    const time = readOrderedTime(suffix, 0);
    const { untilTime } = this.shape;
    const isEmpty = deleted || value.charCodeAt(0) === NO_VALUE;
    return {
      key: this.keyOf(key),
      value: isEmpty ? null : this.valueCodec.fromBinary(value, false),
      timestamp: untilTime ? timestamp : time,
      validTo: untilTime && suffix !== END_OF_TIME ? time : null,
      partition,
    };
  }
}
