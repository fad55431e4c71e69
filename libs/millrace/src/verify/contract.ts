// Owns the shapes of a comparison of local state with its changelogs.
import type { BinaryString, Clock, Logger } from '#libs/core';
import type { KafkaConnection } from '../connect.ts';

export interface VerifyOptions {
  readonly kafka: KafkaConnection;
  readonly applicationId: string;
  /** Default `.millrace/state` in the working directory. */
  readonly stateDir?: string | undefined;
  /** Task ids; default all that are found. */
  readonly tasks?: readonly string[] | undefined;
  /** Names; default all. */
  readonly stores?: readonly string[] | undefined;
  /** By store: the topic, where it is not `<applicationId>-<store>-changelog`. */
  readonly changelogs?: ReadonlyMap<string, string> | undefined;
  /** Differences that are described for each store; all are counted. Default 20. */
  readonly differencesMax?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: VerifyProgress) => void) | undefined;
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
}

export interface VerifyProgress {
  readonly taskId: string;
  readonly store: string;
  readonly stage: 'changelog' | 'database';
  /** Offsets of the changelog, then rows. */
  readonly done: number;
  /** `null`: not known. */
  readonly total: number | null;
}

/**
 * `missing`: the changelog has it, the database does not. `extra`: the other way about. `value`, `timestamp`: both have it, and differ. `misplaced`: it
 * lies in the database where no read would look for it.
 */
export type DifferenceKind = 'missing' | 'extra' | 'value' | 'timestamp' | 'misplaced';

export interface StoredSide {
  /** The first bytes. */
  readonly value: BinaryString;
  readonly bytes: number;
  /** Milliseconds since the Unix epoch. */
  readonly timestamp: number;
}

export interface Difference {
  readonly kind: DifferenceKind;
  /** As encoded; of ordered stores (windows and the like) length and bytes of the group, then the suffix. */
  readonly key: BinaryString;
  readonly database: StoredSide | null;
  readonly changelog: StoredSide | null;
}

export interface StoreVerification {
  readonly store: string;
  /** Kind, layout and serdes with which it was written. */
  readonly identity: string;
  readonly changelog: string;
  /** Changelog offset that the database says it has reached; `null`: nothing was written. */
  readonly reached: number | null;
  /** Rows of the database. */
  readonly rows: number;
  /** Rows that are the same in both. */
  readonly same: number;
  /** Rows that differ and are beyond their retention, which store and changelog drop each in its own time. */
  readonly expired: number;
  /** Rows that differ and were changed after what the database has reached: compaction may have removed what they were then. */
  readonly changedSince: number;
  readonly different: Readonly<Record<DifferenceKind, number>>;
  readonly differences: readonly Difference[];
  /** Why it was not compared; `null`: it was. */
  readonly skipped: string | null;
}

export interface TaskVerification {
  readonly directory: string;
  readonly taskId: string;
  readonly epochId: number;
  readonly stores: readonly StoreVerification[];
}

export interface VerifyReport {
  readonly applicationId: string;
  readonly tasks: readonly TaskVerification[];
  /** Of all stores. 0: what was compared is the same. */
  readonly differences: number;
  readonly compared: number;
  readonly skipped: number;
}
