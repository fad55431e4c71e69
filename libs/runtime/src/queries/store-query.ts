// Owns the messages between a store handle and the tasks that hold the store: plain data, keys and values encoded, so that they could cross
// to another thread as they are.
import type { BinaryString } from '#libs/core';
import type { CommittedRange } from '#libs/state';

export interface ReadOptions {
  /**
   * `active`: of the task that owns the state. `activeOrStandby`: a standby copy on this instance will do, where the task is not here: it has
   * committed state only, but may lack the newest. Default `active`.
   */
  readonly from?: 'active' | 'activeOrStandby';
  /** Records that a standby copy may be behind. Default 0: it must have all that is known to be committed. `Infinity`: it does not matter. */
  readonly maxLag?: number;
}

interface OfPartition extends ReadOptions {
  readonly store: string;
  readonly partition: number;
}

export interface ManyQuery extends OfPartition {
  readonly kind: 'many';
  /** Row keys, encoded. */
  readonly keys: readonly BinaryString[];
}

export interface PageQuery extends OfPartition {
  readonly kind: 'page';
  readonly range: CommittedRange;
}

export interface SizeQuery extends OfPartition {
  readonly kind: 'size';
}

export type StoreQuery = ManyQuery | PageQuery | SizeQuery;

/** What an answer is of. */
export interface AnswerSource {
  readonly partition: number;
  readonly role: 'active' | 'standby';
  /** The changelog offset that the answer is as of: changes from there on are not in it. `null`: the store has none, or it is not known. */
  readonly position: number | null;
  /** Records that a standby copy is known to be behind; 0 of an active task. */
  readonly lag: number;
}

export interface EncodedValue {
  readonly value: BinaryString;
  /** Of the record that set it, milliseconds since the Unix epoch. */
  readonly timestamp: number;
}

export interface EncodedRow extends EncodedValue {
  readonly key: BinaryString;
}

export interface StoreAnswer {
  readonly source: AnswerSource;
  /** To `many`: by position. */
  readonly values: readonly (EncodedValue | null)[];
  /** To `page`. */
  readonly rows: readonly EncodedRow[];
  readonly next: BinaryString | null;
  /** To `size`: about how many rows; `null`: not known. */
  readonly size: number | null;
}

/** Where the tasks of a store are, as far as this instance knows. */
export interface StorePartitions {
  /** All partitions of the store: 0 to this, less one. */
  readonly count: number;
  /** Run here and can be read. */
  readonly active: readonly number[];
  /** Copies that can be read, with what they are behind; `null`: not known. */
  readonly standby: ReadonlyMap<number, number | null>;
  /** Assigned here, and being opened or restored. */
  readonly opening: readonly number[];
}

/** What answers queries. */
export interface StoreQueryPort {
  /** @throws StoreQueryError */
  ask(query: StoreQuery): Promise<StoreAnswer>;
  /** @throws StoreQueryError MILLRACE_STORE_UNKNOWN, MILLRACE_STORE_NOT_RUNNING */
  partitions(store: string): StorePartitions;
}
