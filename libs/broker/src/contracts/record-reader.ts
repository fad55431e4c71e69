// Owns the contract of reading: encoded batches of assigned partitions, fetched ahead in the background.
// A reader never decodes records, never commits offsets, never knows of groups.
import type { RecordBatchView } from '../record-batch/index.ts';

export type IsolationLevel = 'read_uncommitted' | 'read_committed';

/**
 * What one fetch brought of one partition, or a part of it where it unfolds to much: decompressed, CRC-checked data batches in offset order.
 * Control batches and aborted batches are left out, yet `nextOffset` lies behind them, so a chunk may hold no batch.
 */
export interface FetchedChunk {
  readonly topic: string;
  readonly partition: number;
  /** Records below this offset (the first batch may start earlier) must be skipped by the decoder. */
  readonly startOffset: number;
  readonly batches: readonly RecordBatchView[];
  /** The position after this chunk. */
  readonly nextOffset: number;
  /** Leader epoch of the last batch, for the offset commit; -1 when unknown. */
  readonly leaderEpoch: number;
  readonly highWatermark: number;
  /** Under read_committed nothing at or above this offset is delivered. */
  readonly lastStableOffset: number;
  /** Size on the wire. */
  readonly byteLength: number;
  /** What it takes in memory, for the caller's budget: as it came, and what was compressed unfolded. */
  readonly heldBytes: number;
}

export interface RecordReaderOptions {
  readonly isolation: IsolationLevel;
  /** Bytes fetched and not yet taken, over all partitions. Default 32 MiB. */
  readonly maxBufferedBytes?: number;
  readonly fetchMaxBytes?: number;
  readonly partitionMaxBytes?: number;
  readonly fetchMaxWaitMs?: number;
  readonly fetchMinBytes?: number;
  readonly rack?: string;
}

export interface RecordReader {
  readonly isolation: IsolationLevel;
  /** Starts reading at `offset`, or moves there: whatever was buffered of the partition is dropped. */
  assign(topic: string, partition: number, offset: number, leaderEpoch?: number): void;
  /** Drops the partition with all that is buffered of it; no chunk of it is taken afterwards. */
  unassign(topic: string, partition: number): void;
  /** A paused partition keeps its buffered chunks but they are not taken, and nothing more is fetched. */
  pause(topic: string, partition: number): void;
  resume(topic: string, partition: number): void;
  /**
   * The next chunk, fairly over partitions, oldest first within one; `undefined` when nothing is buffered.
   * @throws MillraceError of a partition whose reading failed for good: MILLRACE_OFFSET_OUT_OF_RANGE, MILLRACE_CORRUPT_BATCH,
   * MILLRACE_TOPIC_MISSING, MILLRACE_AUTHORIZATION_FAILED; `context` holds topic, partition, offset. Thrown once per take until unassigned.
   */
  take(): FetchedChunk | undefined;
  /** Resolves when `take` would give something (or throw), when `wake` is called, or after `timeoutMs`. */
  waitForChunk(timeoutMs: number): Promise<void>;
  /** Ends a pending `waitForChunk`. */
  wake(): void;
  /** Offset of the next record to be taken. */
  position(topic: string, partition: number): number;
  /** Newest known high watermark and last stable offset; -1 before the first fetch answer. */
  endOffsets(
    topic: string,
    partition: number,
  ): { readonly highWatermark: number; readonly lastStableOffset: number };
  /**
   * Wall clock, milliseconds since the Unix epoch, at which the newest request left whose answer `endOffsets` gives; -1 before the first.
   * A process that stood still, or was cut off, sees by it how old its knowledge is.
   */
  endsKnownAt(topic: string, partition: number): number;
  /** Live figures for metrics: bytes buffered, fetches in flight. */
  readonly bufferedBytes: number;
  close(): Promise<void>;
}
