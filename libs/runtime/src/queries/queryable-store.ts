// Owns the handles of stores with one value per key: tables, key-value stores, ordered ones, global tables.
import type { BinaryString } from '#libs/core';
import { binaryFromBytes, binaryFromUtf8 } from '#libs/serde';
import type { Codec } from '#libs/serde';
import { groupEnd, rowKey } from '#libs/state';
import { queryInvalid } from './query-error.ts';
import { decoded, StoreHandle } from './store-handle.ts';
import type { KeyReadOptions, StorePage } from './store-handle.ts';
import type { EncodedRow } from './store-query.ts';
import type { StoreAccess } from './store-queries.ts';
import type { PageOptions, RowRange } from './store-reader.ts';
import { rowOfKey } from './store-shape.ts';

export interface StoredEntry<K, V> {
  readonly key: K;
  /** `null` only in a change: deleted. */
  readonly value: V;
  /** Of the record that set it, milliseconds since the Unix epoch. */
  readonly timestamp: number;
  readonly partition: number;
}

const ONE_GROUP = '' as BinaryString;

/** A key-value store, read as committed. Keys are in the order of their encoded bytes. */
export class QueryableStore<K = unknown, V = unknown> extends StoreHandle<K, StoredEntry<K, V>> {
  constructor(access: StoreAccess, name: string) {
    super(access, name, ['keyValue', 'global']);
  }

  private get valueCodec(): Codec<V> {
    return this.shape.valueCodec as Codec<V>;
  }

  /** The committed value; `null`: no such key. @throws StoreQueryError */
  async get(key: K, options: KeyReadOptions = {}): Promise<V | null> {
    return (await this.entry(key, options))?.value ?? null;
  }

  /** As `get`, with the timestamp of the record that set it. */
  async entry(key: K, options: KeyReadOptions = {}): Promise<StoredEntry<K, V> | null> {
    const { values, partition } = await this.keyed(key, (one) => [rowOfKey(this.shape, one)], options);
    const found = values[0] ?? null;
    if (found === null) return null;
    const value = await decoded(() => this.valueCodec.fromBinary(found.value, false));
    return { key, value, timestamp: found.timestamp, partition };
  }

  /** By position. Those of one partition are of one moment. @throws StoreQueryError if one of them is not here. */
  async getMany(keys: readonly K[], options: KeyReadOptions = {}): Promise<(V | null)[]> {
    const found: (V | null)[] = new Array<null>(keys.length).fill(null);
    const byPartition = new Map<number, { at: number; row: BinaryString }[]>();
    for (const [at, key] of keys.entries()) {
      const encoded = await this.encodedKey(key);
      const partition = this.partitionOf(encoded, options);
      if (partition === null) {
        found[at] = await this.get(key, options);
        continue;
      }
      const rows = byPartition.get(partition) ?? [];
      rows.push({ at, row: rowOfKey(this.shape, encoded) });
      byPartition.set(partition, rows);
    }
    for (const [partition, rows] of byPartition) {
      const { values } = await this.reader.many(
        partition,
        rows.map(({ row }) => row),
        options,
      );
      for (const [i, { at }] of rows.entries()) {
        const value = values[i] ?? null;
        if (value !== null) found[at] = await decoded(() => this.valueCodec.fromBinary(value.value, false));
      }
    }
    return found;
  }

  /** Entries of `lower` to `upper`, both included; left out: no bound. Of all partitions here, in one order. */
  range(
    options: PageOptions & { readonly lower?: K; readonly upper?: K } = {},
  ): Promise<StorePage<StoredEntry<K, V>>> {
    return this.bounds(options).then((range) => this.page(range, options));
  }

  /** Entries whose encoded key begins with `prefix`. */
  async prefix(
    prefix: string | Uint8Array,
    options: PageOptions = {},
  ): Promise<StorePage<StoredEntry<K, V>>> {
    return this.page(this.prefixRange(prefix), options);
  }

  all(options: PageOptions = {}): Promise<StorePage<StoredEntry<K, V>>> {
    return this.page(this.everything(), options);
  }

  /** Page after page. Stop it whenever you like: nothing is held open between two pages. */
  async *entries(
    options: PageOptions & {
      readonly lower?: K;
      readonly upper?: K;
      readonly prefix?: string | Uint8Array;
    } = {},
  ): AsyncGenerator<StoredEntry<K, V>> {
    const { prefix } = options;
    yield* this.pages(prefix === undefined ? await this.bounds(options) : this.prefixRange(prefix), options);
  }

  /** Both included; left out: no bound. */
  async bounds({ lower, upper }: { readonly lower?: K; readonly upper?: K }): Promise<RowRange> {
    const low = lower === undefined ? null : rowOfKey(this.shape, await this.encodedKey(lower));
    const high = upper === undefined ? null : rowOfKey(this.shape, await this.encodedKey(upper));
    return {
      ...this.everything(),
      ...(low === null ? {} : { from: low }),
      ...(high === null ? {} : { to: (high + '\0') as BinaryString }),
    };
  }

  prefixRange(prefix: string | Uint8Array): RowRange {
    if (prefix.length === 0) throw queryInvalid(this.name, 'the prefix is empty', 'Ask for all entries.');
    const bytes = typeof prefix === 'string' ? binaryFromUtf8(prefix) : binaryFromBytes(prefix);
    const from = rowOfKey(this.shape, bytes);
    let end = bytes.length;
    while (end > 0 && bytes.charCodeAt(end - 1) === 0xff) end--;
    const everything = this.everything();
    if (end === 0) return { ...everything, from };
    const after = bytes.slice(0, end - 1) + String.fromCharCode(bytes.charCodeAt(end - 1) + 1);
    return { from, to: rowOfKey(this.shape, after as BinaryString) };
  }

  private everything(): RowRange {
    if (this.shape.rows === 'plain') return {};
    return { from: rowKey(ONE_GROUP, '' as BinaryString), to: groupEnd(ONE_GROUP) };
  }

  protected override decode(
    { key, value, timestamp }: EncodedRow,
    partition: number,
    deleted: boolean,
  ): StoredEntry<K, V> {
    return {
      key: this.keyOf(key),
      value: deleted ? (null as V) : this.valueCodec.fromBinary(value, false),
      timestamp,
      partition,
    };
  }
}
