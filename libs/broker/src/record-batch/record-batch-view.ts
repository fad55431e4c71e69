// Owns reading the headers of fetched batches. It holds slices of the fetch buffer, copies nothing, and never looks into
// records: whether a batch is a control batch is told by its attribute bit, never by what a key looks like.
import { compressionOfId, decompress } from '../compression/index.ts';
import type { CompressionType, DecompressionLimits } from '../compression/index.ts';
import { corruptBatch } from './corrupt-batch-error.ts';
import { crc32c } from './crc32c.ts';
import * as layout from './layout.ts';
import { VarintCursor } from './varint.ts';

export type ControlType = 'abort' | 'commit' | 'unknown';

/** One batch of a partition, its header decoded, its records still encoded. */
export class RecordBatchView {
  /** The whole batch as it came, header included. */
  readonly bytes: Buffer;
  readonly baseOffset: number;
  /** Of the batch, not of the last record it still holds: compaction takes records, never offsets. */
  readonly lastOffset: number;
  readonly partitionLeaderEpoch: number;
  readonly attributes: number;
  /** Exact as a number: brokers hand out producer ids in blocks from 0. -1 without idempotence. */
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  /** Milliseconds. Record timestamps are differences to it; no record need have it. */
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  readonly recordCount: number;
  readonly compression: CompressionType;

  #section: Buffer | undefined;

  /** `bytes` holds exactly one batch. @throws MillraceError MILLRACE_CORRUPT_BATCH */
  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.baseOffset = layout.readInt64(bytes, layout.BASE_OFFSET);
    const lastOffsetDelta = bytes.readInt32BE(layout.LAST_OFFSET_DELTA);
    this.lastOffset = this.baseOffset + lastOffsetDelta;
    this.partitionLeaderEpoch = bytes.readInt32BE(layout.PARTITION_LEADER_EPOCH);
    this.attributes = bytes.readInt16BE(layout.ATTRIBUTES);
    this.baseTimestamp = layout.readInt64(bytes, layout.BASE_TIMESTAMP);
    this.maxTimestamp = layout.readInt64(bytes, layout.MAX_TIMESTAMP);
    this.producerId = layout.readInt64(bytes, layout.PRODUCER_ID);
    this.producerEpoch = bytes.readInt16BE(layout.PRODUCER_EPOCH);
    this.baseSequence = bytes.readInt32BE(layout.BASE_SEQUENCE);
    this.recordCount = bytes.readInt32BE(layout.RECORD_COUNT);

    const context = { baseOffset: this.baseOffset };
    if (!Number.isSafeInteger(this.baseOffset) || this.baseOffset < 0) {
      throw corruptBatch('its base offset is negative or beyond 2^53', context);
    }
    if (!Number.isSafeInteger(this.producerId)) throw corruptBatch('its producer id is beyond 2^53', context);
    if (lastOffsetDelta < 0) throw corruptBatch('its last offset lies before its first', context);
    if (this.recordCount < 0 || this.recordCount > lastOffsetDelta + 1) {
      throw corruptBatch(
        `it claims ${this.recordCount} records over ${lastOffsetDelta + 1} offsets`,
        context,
      );
    }
    const compression = compressionOfId(this.attributes & layout.COMPRESSION_MASK);
    if (compression === undefined) throw corruptBatch('its compression type is unknown', context);
    this.compression = compression;
  }

  /** The offset behind the batch: where reading goes on. */
  get nextOffset(): number {
    return this.lastOffset + 1;
  }

  get isTransactional(): boolean {
    return (this.attributes & layout.TRANSACTIONAL_BIT) !== 0;
  }

  get isControl(): boolean {
    return (this.attributes & layout.CONTROL_BIT) !== 0;
  }

  /** The broker stamped the records when it appended them: all have `maxTimestamp`. */
  get isLogAppendTime(): boolean {
    return (this.attributes & layout.LOG_APPEND_TIME_BIT) !== 0;
  }

  /** Does the stored CRC-32C fit the bytes? Covers all from the attributes on. */
  hasValidCrc(): boolean {
    return this.bytes.readUInt32BE(layout.CRC) === crc32c(this.bytes.subarray(layout.ATTRIBUTES));
  }

  /** The records, decompressed; kept, so that asking twice costs once. @throws as `decompress`. */
  recordSection(limits?: DecompressionLimits): Buffer {
    this.#section ??= decompress(this.compression, this.bytes.subarray(layout.RECORDS), limits);
    return this.#section;
  }

  /** What a control batch says. `unknown` for types this version does not know, which are to be skipped. */
  controlType(): ControlType {
    const section = this.recordSection();
    const cursor = new VarintCursor(section, 0, section.length);
    cursor.next(); // length
    cursor.position += 1; // attributes
    cursor.next(); // timestamp delta
    cursor.next(); // offset delta
    const key = cursor.nextBytes();
    // Key: int16 version, int16 type (0 abort, 1 commit).
    if (key === null || key.length < 4)
      throw corruptBatch('a control record has no type', { baseOffset: this.baseOffset });
    const type = (key[2]! << 8) | key[3]!;
    return type === 0 ? 'abort' : type === 1 ? 'commit' : 'unknown';
  }
}

export interface ReadBatchesOptions {
  /** Default true. */
  readonly checkCrc?: boolean;
}

/**
 * The whole batches of one partition's fetch answer, in order. A last one that is cut off is left out: brokers cut at the
 * byte limit, and the next fetch begins there.
 * @throws MillraceError MILLRACE_CORRUPT_BATCH the format is older than magic 2, a length makes no sense, the CRC does not fit.
 */
export function readRecordBatches(bytes: Buffer, options?: ReadBatchesOptions): RecordBatchView[] {
  const checkCrc = options?.checkCrc ?? true;
  const batches: RecordBatchView[] = [];
  let at = 0;
  while (bytes.length - at > layout.MAGIC_BYTE) {
    const baseOffset = layout.readInt64(bytes, at + layout.BASE_OFFSET);
    const length = bytes.readInt32BE(at + layout.BATCH_LENGTH);
    const magic = bytes.readInt8(at + layout.MAGIC_BYTE);
    if (magic !== layout.MAGIC) {
      throw corruptBatch(`its format is magic ${magic}, and only magic 2 (Kafka 0.11 and later) is read`, {
        baseOffset,
      });
    }
    const size = layout.LENGTH_PREFIX_BYTES + length;
    if (size < layout.RECORDS)
      throw corruptBatch(`its length of ${length} is too small for a header`, { baseOffset });
    if (at + size > bytes.length) break;
    const batch = new RecordBatchView(bytes.subarray(at, at + size));
    if (checkCrc && !batch.hasValidCrc()) {
      throw corruptBatch('its CRC-32C does not fit its bytes', { baseOffset, lastOffset: batch.lastOffset });
    }
    batches.push(batch);
    at += size;
  }
  return batches;
}
