// Owns the encoded records of one output partition in the open epoch: the encoder being filled and the full ones behind it.
// A record that fails takes back what it appended here; nothing leaves for the writer in the middle of a record.
import { RecordBatchEncoder } from '#libs/broker';
import type { BatchBufferPool, EncodedBatch, EncoderMark } from '#libs/broker';

export type BatchConsumer = (topic: string, partition: number, batch: EncodedBatch) => void;

export class PartitionOutput {
  readonly topic: string;
  readonly partition: number;
  /** Number of the record that last appended here, so that the first append of a record sets the mark. */
  recordNumber = -1;
  /** Filled by whoever appends: the hot path calls it directly. */
  encoder: RecordBatchEncoder;
  private readonly full: RecordBatchEncoder[] = [];
  private readonly mark: EncoderMark;
  private markFull = 0;
  private readonly batchBytes: number;
  private readonly pool: BatchBufferPool;

  constructor(topic: string, partition: number, batchBytes: number, pool: BatchBufferPool) {
    this.topic = topic;
    this.partition = partition;
    this.batchBytes = batchBytes;
    this.pool = pool;
    this.encoder = new RecordBatchEncoder(pool);
    this.mark = this.encoder.mark();
  }

  /** The first append of a record: remembers where to roll back to. */
  begin(recordNumber: number): void {
    this.recordNumber = recordNumber;
    if (this.encoder.size >= this.batchBytes) this.rotate();
    this.encoder.mark(this.mark);
    this.markFull = this.full.length;
  }

  /** A later append of the same record: a record with many outputs may fill several batches. */
  again(): void {
    if (this.encoder.size >= this.batchBytes) this.rotate();
  }

  /** Takes back what was appended since `begin`. */
  rollback(): void {
    while (this.full.length > this.markFull) this.encoder = this.full.pop()!;
    this.encoder.rollback(this.mark);
    this.recordNumber = -1;
  }

  /** Bytes that wait here. */
  get bytes(): number {
    let bytes = this.encoder.count > 0 ? this.encoder.size : 0;
    for (const encoder of this.full) bytes += encoder.size;
    return bytes;
  }

  /** Hands over the full batches, and with `all` the last one too. Only between records. */
  drain(all: boolean, consume: BatchConsumer): void {
    for (const encoder of this.full) this.hand(encoder, consume);
    this.full.length = 0;
    if (all || this.encoder.size >= this.batchBytes) this.hand(this.encoder, consume);
    this.recordNumber = -1;
  }

  /** Drops everything: the epoch is abandoned. */
  clear(): void {
    this.full.length = 0;
    this.encoder.reset();
    this.recordNumber = -1;
  }

  private hand(encoder: RecordBatchEncoder, consume: BatchConsumer): void {
    const batch = encoder.finish();
    if (batch !== undefined) consume(this.topic, this.partition, batch);
  }

  private rotate(): void {
    this.full.push(this.encoder);
    this.encoder = new RecordBatchEncoder(this.pool, this.batchBytes);
  }
}
