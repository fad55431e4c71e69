// Owns the types of rocksdb-native 3.18.1, which ships none: what native-database.ts uses of it, and no more.
// Members that begin with an underscore are the binding's own; see native-database.ts on why two of them are used.

declare module 'rocksdb-native' {
  export interface RocksOptions {
    readonly createIfMissing?: boolean;
    readonly readOnly?: boolean;
    readonly maxBackgroundJobs?: number;
    readonly maxOpenFiles?: number;
    readonly avoidUnnecessaryBlockingIO?: boolean;
    readonly skipStatsUpdateOnOpen?: boolean;
    /** Bytes of one memtable; there are two. Also decides how much of the write-ahead log is allocated up front. */
    readonly writeBufferSize?: number;
    readonly maxWriteBufferNumber?: number;
    /** Bytes of a table's data block. */
    readonly tableBlockSize?: number;
    /** False: blocks are read from the operating system's cache every time. */
    readonly blockCache?: boolean;
    /** Must be false without a block cache. */
    readonly tableCacheIndexAndFilterBlocks?: boolean;
    readonly optimizeFiltersForMemory?: boolean;
  }

  export interface BatchOptions {
    readonly capacity: number;
    readonly autoDestroy: true;
  }

  export interface WriteBatch {
    tryPut(key: Uint8Array, value: Uint8Array): void;
    tryDelete(key: Uint8Array): void;
    tryDeleteRange(start: Uint8Array, end: Uint8Array): void;
    flush(): Promise<void>;
    _operations?: unknown[];
  }

  export interface ReadBatch {
    get(key: Uint8Array): Promise<Buffer | null>;
    flush(): Promise<void>;
    tryFlush(): void;
    destroy(): void;
    _operations?: unknown[];
    _onread?: (errors: readonly (Error | undefined)[], values: readonly (ArrayBuffer | null)[]) => void;
    _onfinished?: (error: Error | null) => void;
  }

  export interface Row {
    readonly key: Buffer;
    readonly value: Buffer;
  }

  export interface Range {
    readonly gte?: Uint8Array;
    readonly lt?: Uint8Array;
  }

  export interface IteratorOptions {
    readonly capacity?: number;
    readonly limit?: number;
    readonly reverse?: boolean;
  }

  export default class RocksDB {
    constructor(path: string, options: RocksOptions);
    ready(): Promise<void>;
    read(options: BatchOptions): ReadBatch;
    write(options: BatchOptions): WriteBatch;
    iterator(range: Range, options: IteratorOptions): AsyncIterable<Row>;
    flush(): Promise<void>;
    close(): Promise<void>;
    getProperty(name: string): Promise<string | undefined>;
    /** Bytes. */
    approximateSize(
      start: Uint8Array,
      end: Uint8Array,
      options: { readonly includeMemtables?: boolean },
    ): Promise<number>;
    readonly _columnFamily?: { readonly _handle?: ArrayBuffer };
  }
}
