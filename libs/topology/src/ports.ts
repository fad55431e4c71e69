// Owns what a compiled topology asks of whoever runs it. libs/runtime implements these ports; nothing here does I/O.
import type { ErrorCode, RecordHeader } from '#libs/core';
import type { BinaryString } from '#libs/serde';

/** The record in process. One mutable object per task, valid while the record is processed. */
export interface RecordContext {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since the Unix epoch, of the source record. */
  readonly timestamp: number;
  /** Highest timestamp the task has seen. */
  readonly streamTime: number;
  /** Encoded key of the source record. */
  readonly rawKey: BinaryString | null;
  /** Decoded on first use. Forwarded to outputs. */
  headers(): readonly RecordHeader[];
}

/** Structural twin of libs/state's StateEntry. */
export interface StoreEntry {
  readonly key: BinaryString;
  readonly encoded: BinaryString | null;
  readonly timestamp: number;
}

/** Structural twin of libs/state's KeyValueStoreCache. */
export interface StorePort {
  entry(key: BinaryString): StoreEntry;
  value(entry: StoreEntry): unknown;
  set(entry: StoreEntry, value: unknown, timestamp: number): void;
}

/** One sink or repartition topic of the sub-topology. Serialisation, partitioning and batching are behind it. */
export interface SinkPort {
  send(key: unknown, value: unknown, timestamp: number): void;
}

export interface TaskPorts {
  readonly context: RecordContext;
  store(name: string): StorePort;
  /** By index into `SubTopology.sinks`. */
  sink(index: number): SinkPort;
  /** A record dropped by rule (null key, null value, join without key): counted and logged with a bounded rate. */
  drop(node: string, code: ErrorCode, reason: string): void;
}

/** Runs one record of one source through the sub-topology, depth first, synchronously. */
export type SourceFunction = (key: unknown, value: unknown, timestamp: number) => void;

export interface CompiledTask {
  /** By index into `SubTopology.sources`. */
  readonly sources: readonly SourceFunction[];
  /**
   * The node whose user function threw `error`, when it is what was thrown last; `null`: it came from elsewhere (a serde, a store,
   * a sink). Errors of user functions come out as they were thrown, not wrapped.
   */
  locate(error: unknown): string | null;
}
