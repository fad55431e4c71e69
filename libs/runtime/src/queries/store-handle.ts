// Owns what all handles of stores share: decoding, the partition of a key, pages, counting, the feed of changes. A handle holds no task: it
// finds one for each call, so it outlives rebalances and restarts of the worker.
import type { BinaryString } from '#libs/core';
import { SchemaPending } from '#libs/serde';
import type { Codec } from '#libs/serde';
import { groupEnd, groupPrefix } from '#libs/state';
import type { ChangeOptions, StoreChange } from './change-feed.ts';
import { elsewhere, queryInvalid } from './query-error.ts';
import type { AnswerSource, EncodedRow, EncodedValue, ReadOptions } from './store-query.ts';
import type { InstanceMetadata, KeyMetadata, StoreAccess } from './store-queries.ts';
import { StoreReader } from './store-reader.ts';
import type { MissingPartition, PageOptions, RowRange } from './store-reader.ts';
import { keyOfRow } from './store-shape.ts';
import type { StoreKind, StoreShape } from './store-shape.ts';

export interface KeyReadOptions extends ReadOptions {
  /** Where a partitioner of the application's own put the key. Default: where Kafka's clients put it. */
  readonly partition?: number;
}

export interface StorePage<E> {
  readonly entries: readonly E[];
  /** For the next page; `null`: this was the last. */
  readonly cursor: string | null;
  /** The partitions that were read, what of, and up to which changelog offset. */
  readonly sources: readonly AnswerSource[];
  /** The partitions of the store that were not. */
  readonly missing: readonly MissingPartition[];
}

/** A row before it is decoded. */
export type EntryDecoder<E> = (row: EncodedRow, partition: number) => E;

/** Decodes, and once more when a schema that had to be asked for is there. */
export async function decoded<T>(decode: () => T): Promise<T> {
  for (;;) {
    try {
      return decode();
    } catch (error) {
      if (!(error instanceof SchemaPending)) throw error;
      await error.ready;
    }
  }
}

export abstract class StoreHandle<K, E> {
  readonly name: string;
  /** Nothing is looked at before the first call: a handle may be had before its application knows its topology. */
  protected readonly access: StoreAccess;
  private readonly kinds: readonly StoreKind[];
  private known: StoreReader | null = null;

  protected constructor(access: StoreAccess, name: string, kinds: readonly StoreKind[]) {
    this.name = name;
    this.access = access;
    this.kinds = kinds;
  }

  /** Rows as they are kept; for those who pass them on. @throws StoreQueryError MILLRACE_STORE_UNKNOWN, MILLRACE_QUERY_INVALID another kind */
  get reader(): StoreReader {
    if (this.known !== null) return this.known;
    const shape = this.access.shape(this.name);
    if (!this.kinds.includes(shape.kind)) {
      const method = METHODS[shape.kind];
      throw queryInvalid(this.name, `it is a ${shape.kind} store`, `Ask for it with \`${method}\`.`);
    }
    this.known = new StoreReader(shape, this.access);
    return this.known;
  }

  get shape(): StoreShape {
    return this.reader.shape;
  }

  protected get keyCodec(): Codec<K> {
    return this.shape.keyCodec as Codec<K>;
  }

  /** @throws StoreQueryError, also where the key's instance is another: `owner` names it. */
  protected async keyed(
    key: K,
    rowsOf: (key: BinaryString) => readonly BinaryString[],
    options: KeyReadOptions,
  ): Promise<{ readonly values: readonly (EncodedValue | null)[]; readonly partition: number }> {
    const encoded = await this.encodedKey(key);
    const rows = rowsOf(encoded);
    const partition = this.partitionOf(encoded, options);
    if (partition !== null) {
      const { values } = await this.reader.many(partition, rows, options);
      return { values, partition };
    }
    // Somewhere here, or not: only all partitions together can tell that a key is not there.
    const here = this.reader.here(options);
    for (const candidate of here) {
      const { values } = await this.reader.many(candidate, rows, options);
      if (values.some((value) => value !== null)) return { values, partition: candidate };
    }
    const { count } = this.access.partitions(this.name);
    for (let candidate = 0; candidate < count; candidate++)
      if (!here.includes(candidate)) throw elsewhere(this.name, candidate, null);
    return { values: rows.map(() => null), partition: -1 };
  }

  /** Which instance has a key. */
  async metadataForKey(key: K): Promise<KeyMetadata> {
    return this.access.metadataForKey(this.name, await this.encodedKey(key));
  }

  /** Instances that have partitions of the store, as far as this one knows; itself first. */
  metadata(): readonly InstanceMetadata[] {
    return this.access.metadataForStore(this.name);
  }

  /** About how many rows the partitions here have, cheaply; `null`: it is not known of one of them. */
  approximateCount(options: PageOptions = {}): Promise<number | null> {
    return this.reader.size(options);
  }

  /** How many rows are shown here. It reads them all, page by page: of each page as of its moment. */
  async count(options: Omit<PageOptions, 'limit' | 'cursor' | 'reverse'> = {}): Promise<number> {
    let count = 0;
    let cursor: string | null = null;
    do {
      const page = await this.reader.page({}, { ...options, limit: COUNT_ROWS, cursor });
      for (const row of page.rows) if (this.counts(row)) count++;
      cursor = page.cursor;
    } while (cursor !== null);
    return count;
  }

  /** Committed changes as they come, of the partitions asked for. @throws StoreQueryError MILLRACE_CHANGES_LOST, MILLRACE_QUERY_INVALID */
  async *changes(options: ChangeOptions = {}): AsyncGenerator<StoreChange<E>> {
    for await (const changes of this.access.changes(this.shape, options)) {
      for (const { partition, offset, timestamp, key, value, resume } of changes) {
        const entry = await decoded(() =>
          this.decode({ key, value: value ?? ('' as BinaryString), timestamp }, partition, value === null),
        );
        yield { entry, deleted: value === null, partition, offset, timestamp, resume };
      }
    }
  }

  /** A row as the handle shows it. */
  entryOf(row: EncodedRow, partition: number): Promise<E> {
    return decoded(() => this.decode(row, partition, false));
  }

  /** `deleted`: there is a key only. */
  protected abstract decode(row: EncodedRow, partition: number, deleted: boolean): E;

  protected counts(_row: EncodedRow): boolean {
    return true;
  }

  async page(range: RowRange, options: PageOptions): Promise<StorePage<E>> {
    const { rows, cursor, sources, missing } = await this.reader.page(range, options);
    const entries: E[] = [];
    for (const row of rows) entries.push(await decoded(() => this.decode(row, row.partition, false)));
    return { entries, cursor, sources, missing };
  }

  protected async *pages(
    range: RowRange,
    options: PageOptions,
    keep: (entry: E) => boolean = () => true,
  ): AsyncGenerator<E> {
    let cursor = options.cursor ?? null;
    do {
      const page: StorePage<E> = await this.page(range, { ...options, cursor });
      for (const entry of page.entries) if (keep(entry)) yield entry;
      cursor = page.cursor;
    } while (cursor !== null);
  }

  /** The rows of one key, in the partition that has it. */
  protected async pageOfKey(key: K, options: PageOptions & KeyReadOptions): Promise<PageOptions> {
    const partition = this.partitionOf(await this.encodedKey(key), options);
    return partition === null ? options : { ...options, partitions: [partition] };
  }

  protected async groupOf(key: K): Promise<{ from: BinaryString; to: BinaryString; prefix: BinaryString }> {
    const encoded = await this.encodedKey(key);
    const prefix = groupPrefix(encoded);
    return { prefix, from: prefix, to: groupEnd(encoded) };
  }

  /** Also for a key that a text serde cannot write. @throws StoreQueryError MILLRACE_QUERY_INVALID */
  async encodedKey(key: K): Promise<BinaryString> {
    if (key === null || key === undefined) throw queryInvalid(this.name, 'the key is null');
    const { keyCodec } = this;
    try {
      return await decoded(() => keyCodec.toBinary(key));
    } catch (cause) {
      throw queryInvalid(
        this.name,
        'the serde of its keys cannot write the key',
        'Give a key of its type.',
        cause,
      );
    }
  }

  protected keyOf(row: BinaryString): K {
    return this.keyCodec.fromBinary(keyOfRow(this.shape, row), false);
  }

  protected partitionOf(key: BinaryString, { partition }: KeyReadOptions): number | null {
    return partition ?? this.access.metadataForKey(this.name, key).partition;
  }
}

const COUNT_ROWS = 10_000;

/** How a handle of each kind is asked for. */
const METHODS: Readonly<Record<StoreKind, string>> = {
  keyValue: 'store',
  global: 'store',
  window: 'windowStore',
  session: 'sessionStore',
  versioned: 'versionedStore',
  internal: 'store',
};
