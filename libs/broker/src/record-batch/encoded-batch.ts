// Owns a finished batch on its way to the broker: compressed at most once, stamped with the producer's numbers at each
// send. The same numbers give the same bytes, which is what the broker's dedup and our retries rest on.
import { compress, idOfCompression } from '../compression/index.ts';
import type { CompressionType } from '../compression/index.ts';
import type { BatchBufferPool } from './batch-buffer-pool.ts';
import { crc32c } from './crc32c.ts';
import * as layout from './layout.ts';

/** Who writes a batch, and which of its writes this is. All -1 outside idempotence. */
export interface BatchStamp {
  readonly producerId: number;
  readonly producerEpoch: number;
  /** Sequence of the batch's first record in its partition; it wraps from 2^31 - 1 to 0. */
  readonly baseSequence: number;
  readonly isTransactional: boolean;
}

export class EncodedBatch {
  /** Header and records. Without a stamp no broker takes it. */
  readonly bytes: Buffer;
  readonly recordCount: number;
  /** Milliseconds. */
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  readonly compression: CompressionType;

  #backing: Buffer | undefined;
  readonly #pool: BatchBufferPool | undefined;

  constructor(
    bytes: Buffer,
    recordCount: number,
    baseTimestamp: number,
    maxTimestamp: number,
    compression: CompressionType,
    backing?: Buffer,
    pool?: BatchBufferPool,
  ) {
    this.bytes = bytes;
    this.recordCount = recordCount;
    this.baseTimestamp = baseTimestamp;
    this.maxTimestamp = maxTimestamp;
    this.compression = compression;
    this.#backing = backing;
    this.#pool = pool;
  }

  /**
   * Gives the memory back, once no send or resend can still read it (acknowledged, or the socket is closed). The bytes
   * must not be touched afterwards. Calling it again does nothing; never calling it costs only memory.
   */
  release(): void {
    const backing = this.#backing;
    if (backing === undefined) return;
    this.#backing = undefined;
    this.#pool?.give(backing);
  }
}

/** `batch` with its records compressed; gives `batch`'s memory back. `batch` itself for `none`. */
export function compressBatch(batch: EncodedBatch, type: CompressionType): EncodedBatch {
  if (type === 'none' || batch.compression !== 'none') return batch;
  const records = compress(type, batch.bytes.subarray(layout.RECORDS));
  const bytes = Buffer.allocUnsafeSlow(layout.RECORDS + records.length);
  batch.bytes.copy(bytes, 0, 0, layout.RECORDS);
  bytes.set(records, layout.RECORDS);
  bytes.writeInt32BE(bytes.length - layout.LENGTH_PREFIX_BYTES, layout.BATCH_LENGTH);
  bytes.writeInt16BE(idOfCompression(type), layout.ATTRIBUTES);
  const compressed = new EncodedBatch(
    bytes,
    batch.recordCount,
    batch.baseTimestamp,
    batch.maxTimestamp,
    type,
  );
  batch.release();
  return compressed;
}

/** Writes the producer's numbers and, last, the checksum over them and all records. */
export function stampBatch(batch: EncodedBatch, stamp: BatchStamp): void {
  const { bytes } = batch;
  const attributes =
    idOfCompression(batch.compression) | (stamp.isTransactional ? layout.TRANSACTIONAL_BIT : 0);
  bytes.writeInt16BE(attributes, layout.ATTRIBUTES);
  layout.writeInt64(bytes, stamp.producerId, layout.PRODUCER_ID);
  bytes.writeInt16BE(stamp.producerEpoch, layout.PRODUCER_EPOCH);
  bytes.writeInt32BE(stamp.baseSequence, layout.BASE_SEQUENCE);
  bytes.writeUInt32BE(crc32c(bytes.subarray(layout.ATTRIBUTES)), layout.CRC);
}
