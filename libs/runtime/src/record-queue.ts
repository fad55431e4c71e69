// Owns one input partition of a task: chunks as fetched, the one being worked on decoded into columns, and the cursor in it.
// It never decodes keys or values, and never fetches.
import { RecordColumns } from '#libs/broker';
import type { FetchedChunk } from '#libs/broker';
import { FatalError, asError } from '#libs/core';
import type { SourceSpec } from '#libs/topology';
import type { Codec } from '#libs/serde';
import type { InputCounter } from './insight/flows.ts';
import { shortHash } from './offset-metadata.ts';
import type { RetryWait } from './retry-wait.ts';

/**
 * What is decoded at once to be read ahead for: enough to share out among the threads that read, and no more. Much of a backlog would
 * keep its first output waiting, and a batch of a single record takes columns as large as any.
 */
const PIECE_RECORDS = 4_000;
const PIECE_BATCHES = 256;

export class RecordQueue {
  readonly source: SourceSpec;
  readonly sourceIndex: number;
  readonly topic: string;
  readonly partition: number;
  readonly keyCodec: Codec<unknown>;
  readonly valueCodec: Codec<unknown>;

  /** Bytes fetched and not yet processed, the chunk in work included. */
  bufferedBytes = 0;
  /** The columns in work and the next record in them; `index === columns.count`: all done. */
  columns: RecordColumns;
  index = 0;
  /** Highest timestamp of the partition; what Kafka Streams calls partition time. */
  partitionTime = -1;
  /** What the partition time is committed under, where a timestamp extractor is shown it; `null`: it is not committed. */
  readonly partitionTimeId: string | null;

  /** The position as it was last handed to a commit; -1: it never was. */
  sealedPosition = -1;

  /** The position as it was last committed from here, or found committed at the start; -1: neither. */
  committedPosition = -1;

  /** What came in by the source, over all its partitions. */
  readonly flow: InputCounter;

  /** Of a retry topic: when its records are due. `null`: of any other topic. */
  retry: RetryWait | null = null;

  /** Timestamp of the next record where an extractor must be asked: NaN until it was. */
  extractedTimestamp = Number.NaN;

  private readonly waiting: FetchedChunk[] = [];
  private chunk: FetchedChunk | null = null;
  /** Decoded batches of the chunk in work; the arrays are kept and used again. */
  private readonly pool: RecordColumns[] = [];
  private batchIndex = 0;
  /** Batches of the chunk that lie decoded in `pool`, and the first of them. */
  private pieceCount = 0;
  private pieceFrom = 0;
  private nextOffset: number;
  private lastLeaderEpoch = -1;

  constructor(
    source: SourceSpec,
    sourceIndex: number,
    topic: string,
    partition: number,
    keyCodec: Codec<unknown>,
    valueCodec: Codec<unknown>,
    startOffset: number,
    leaderEpoch: number,
    flow: InputCounter,
  ) {
    this.flow = flow;
    this.source = source;
    this.sourceIndex = sourceIndex;
    this.topic = topic;
    // An extractor is shown the partition time of the source, also for what comes back by a retry topic.
    const isShown = source.timestampExtractor !== null && source.kind !== 'retry';
    this.partitionTimeId = isShown ? shortHash(`${topic} partition time`) : null;
    this.partition = partition;
    this.keyCodec = keyCodec;
    this.valueCodec = valueCodec;
    this.nextOffset = startOffset;
    this.lastLeaderEpoch = leaderEpoch;
    this.columns = new RecordColumns();
    this.pool.push(this.columns);
  }

  offer(chunk: FetchedChunk): void {
    this.waiting.push(chunk);
    this.bufferedBytes += chunk.heldBytes;
    this.flow.bytes += chunk.byteLength;
  }

  /** The offset to commit: everything below is processed. Behind control and aborted batches once they are passed. */
  get position(): number {
    return this.nextOffset;
  }

  get leaderEpoch(): number {
    return this.lastLeaderEpoch;
  }

  /** Is there a next record in the columns? If not, `prepare` may bring one. */
  get hasRecord(): boolean {
    return this.index < this.columns.count;
  }

  /** Nothing decoded, nothing waiting. */
  get isEmpty(): boolean {
    return !this.hasRecord && this.atLastBatch && this.waiting.length === 0;
  }

  /**
   * Moves on to the next batch with records. Without `onPiece` batches are decoded one at a time; with it several are, and `onPiece`
   * sees their columns before any of them is processed. Returns false when nothing is left.
   */
  prepare(onPiece: ((batches: readonly RecordColumns[], count: number) => void) | null): boolean {
    while (!this.hasRecord) {
      if (this.chunk !== null && this.batchIndex + 1 < this.chunk.batches.length) {
        this.batchIndex++;
        const inPiece = this.batchIndex - this.pieceFrom;
        if (inPiece < this.pieceCount) this.columns = this.pool[inPiece]!;
        else this.decodePiece(this.chunk, onPiece);
        this.index = 0;
        continue;
      }
      this.finishChunk();
      const chunk = this.waiting.shift();
      if (chunk === undefined) return false;
      this.beginChunk(chunk, onPiece);
    }
    return true;
  }

  /** Called when the record at `index` is done: the cursor moves, and with it the position. */
  advance(): void {
    this.nextOffset = this.columns.offsets[this.index]! + 1;
    this.index++;
    this.extractedTimestamp = Number.NaN;
  }

  /** As `advance`, for all records below `index` at once. */
  advanceTo(index: number): void {
    if (index > 0) this.nextOffset = this.columns.offsets[index - 1]! + 1;
    this.index = index;
  }

  /** Passes control batches at the end of what is processed, so that a drained partition shows no lag. */
  settlePosition(): void {
    if (!this.hasRecord && this.atLastBatch) this.finishChunk();
  }

  private get atLastBatch(): boolean {
    return this.chunk === null || this.batchIndex + 1 >= this.chunk.batches.length;
  }

  private beginChunk(
    chunk: FetchedChunk,
    onPiece: ((batches: readonly RecordColumns[], count: number) => void) | null,
  ): void {
    this.chunk = chunk;
    this.lastLeaderEpoch = chunk.leaderEpoch;
    this.batchIndex = 0;
    this.index = 0;
    this.columns = this.pool[0]!;
    if (chunk.batches.length > 0) this.decodePiece(chunk, onPiece);
  }

  /** From the batch at `batchIndex` on. */
  private decodePiece(
    chunk: FetchedChunk,
    onPiece: ((batches: readonly RecordColumns[], count: number) => void) | null,
  ): void {
    const { pool, batchIndex } = this;
    const most = onPiece === null ? 1 : Math.min(PIECE_BATCHES, chunk.batches.length - batchIndex);
    let count = 0;
    let records = 0;
    while (count < most && records < PIECE_RECORDS) {
      if (count === pool.length) pool.push(new RecordColumns());
      const columns = pool[count]!;
      this.decode(chunk, batchIndex + count, columns);
      records += columns.count;
      count++;
    }
    for (let i = count; i < this.pieceCount; i++) pool[i]!.clear();
    this.pieceFrom = batchIndex;
    this.pieceCount = count;
    this.columns = pool[0]!;
    if (onPiece !== null) onPiece(pool, count);
  }

  private finishChunk(): void {
    if (this.chunk === null) return;
    this.nextOffset = this.chunk.nextOffset;
    this.bufferedBytes -= this.chunk.heldBytes;
    this.chunk = null;
    for (let i = 0; i < this.pieceCount; i++) this.pool[i]!.clear();
    this.pieceCount = 0;
    this.pieceFrom = 0;
    this.batchIndex = 0;
    this.columns = this.pool[0]!;
    this.index = 0;
  }

  private decode(chunk: FetchedChunk, batchIndex: number, columns: RecordColumns): void {
    const batch = chunk.batches[batchIndex]!;
    try {
      columns.decode(batch, chunk.startOffset);
    } catch (error) {
      throw new FatalError({
        code: 'MILLRACE_CORRUPT_BATCH',
        message: `A batch of ${this.topic}-${this.partition} at offset ${batch.baseOffset} cannot be decoded: ${asError(error).message}`,
        remedy:
          'Check the broker and what produced the batch; to go on without it, reset the offsets of the group behind it.',
        cause: error,
        context: { topic: this.topic, partition: this.partition, offset: batch.baseOffset },
      });
    }
  }
}
