// Owns the port between the layered cache and whatever holds a task's committed state: RocksDB, or memory.
// It never knows epochs, layers or codecs: keys and values are bytes.
//
// 1. A batch is atomic over all stores and the checkpoint it carries.
// 2. At most one batch is being written at any time; a read may run beside it.
// 3. What `write` resolved survives the death of the process; what `flush` resolved survives the loss of power.
import type { BinaryString } from '#libs/core';
import type { RestoreBatch, StateCheckpoint } from './contract.ts';

/** The answer of a multi-get, by the position of the key asked for. `values[i] === null`: no such key. */
export interface ReadColumns {
  readonly values: readonly (BinaryString | null)[];
  /** Milliseconds since the Unix epoch. */
  readonly timestamps: Float64Array;
}

/** One pair of a store. */
export interface DatabaseRow {
  readonly key: BinaryString;
  readonly value: BinaryString;
  readonly timestamp: number;
}

/** Bounds of a scan, in byte order. */
export interface ScanRange {
  readonly from?: BinaryString;
  /** Exclusive. */
  readonly to?: BinaryString;
  /** From the highest key down. */
  readonly descending?: boolean;
  /** Of a store whose suffixes begin with a time: rows of other times, from `fromTime` on and below `toTime`, may be left out. */
  readonly fromTime?: number;
  readonly toTime?: number;
  /** More rows than that are not asked for; they may be given. */
  readonly limit?: number;
  /** How many are asked for as a rule. */
  readonly expected?: number;
}

/** Changes under construction. Filled over several turns, then written once and given up. */
export interface DatabaseBatch {
  put(store: number, key: BinaryString, value: BinaryString, timestamp: number): void;
  delete(store: number, key: BinaryString): void;
  /** @throws Error whatever the storage failed with; nothing of the batch is applied. */
  write(checkpoint: StateCheckpoint): Promise<void>;
}

/** Stores are named by their position in the list given when the database was opened. */
export interface StateDatabase {
  /** As found when the database was opened. */
  readonly checkpoint: StateCheckpoint;
  /** True: the store held nothing when the database was opened. */
  isEmpty(store: number): boolean;
  /** The first `count` of `keys`. Keys differ from one another. */
  read(store: number, keys: readonly BinaryString[], count: number): Promise<ReadColumns>;
  /** `operations`: about how many changes will follow. */
  batch(operations: number): DatabaseBatch;
  /** Applies changelog records, later ones win, with the checkpoint. The columns are not read after the call returned. */
  restore(store: number, records: RestoreBatch, checkpoint: StateCheckpoint): Promise<void>;
  /** Pairs in byte order of their keys, as of the moment the first one is asked for. */
  scan(store: number, range?: ScanRange): AsyncIterable<DatabaseRow>;
  /** Rows of an ordered store with expiry whose time is below may be dropped, some time. A failure shows in the next write. */
  expire(store: number, before: number): void;
  /** About how many pairs the store has; `null`: it cannot tell cheaply. */
  estimateRows(store: number): Promise<number | null>;
  /** Of an ordered store with expiry: no row it holds now has a later time. `null`: it cannot tell. */
  newestTime(store: number): number | null;
  flush(): Promise<void>;
  /** Waits for what is running and gives the lock back. `clean` false: nothing needs to be made durable. */
  close(clean: boolean): Promise<void>;
}

/** Where a task's state begins: nothing written, every changelog to be read from its start. */
export const EMPTY_CHECKPOINT: StateCheckpoint = {
  epochId: -1,
  changelogOffsets: new Map(),
  metadata: {},
};
