// Owns encoding records into one growing batch. It never sends, never compresses, never knows a topic.
//
// 1. A record is written once, straight to its place: no object per record, no second copy.
// 2. `rollback` to a mark leaves the encoder as it was: what a failed record put out is gone, maxima included.
// 3. `finish` hands the buffer over and starts anew; nothing of the encoder points into a finished batch.
import type { BinaryString } from '#libs/core';
import type { BatchBufferPool } from './batch-buffer-pool.ts';
import { EncodedBatch } from './encoded-batch.ts';
import { corruptBatch } from './corrupt-batch-error.ts';
import * as layout from './layout.ts';
import type { TextBuffer } from './text-buffer.ts';
import { varintSize, varlongSize, writeVarint, writeVarlong } from './varint.ts';

const EMPTY = Buffer.alloc(0) as TextBuffer;
const INITIAL_BYTES = 16 * 1024;
/** Up to here a loop over the characters beats the native call (measured: 2 ns a character against 22 ns). */
const LOOP_CHARACTERS_MAX = 10;
/** UTF-8 takes at most three bytes for a UTF-16 unit. */
const UTF8_BYTES_PER_UNIT_MAX = 3;
/** Varints of one record's frame at their largest: length, offset, key and value lengths of 5 each, timestamp 8, attributes, no headers. */
const FRAME_BYTES_MAX = 32;

/** What `appendValue` offers to a writer at least. */
const VALUE_ROOM_BYTES = 4096;

/** A point to roll back to. Reusable: `encoder.mark(sameObject)`. */
export interface EncoderMark {
  position: number;
  count: number;
  baseTimestamp: number;
  maxTimestamp: number;
}

export class RecordBatchEncoder {
  readonly #pool: BatchBufferPool | undefined;
  #buffer: TextBuffer = EMPTY;
  #position = layout.RECORDS;
  #count = 0;
  #baseTimestamp = -1;
  #maxTimestamp = -1;
  /** Bytes that the last record's length and its value's length took: a guess at the next ones. */
  #lengthBytes = 2;
  /** What the last batch took: the next one starts with as much. */
  #sizeHint: number;

  constructor(pool?: BatchBufferPool, initialBytes: number = INITIAL_BYTES) {
    this.#pool = pool;
    this.#sizeHint = initialBytes;
  }

  /** Records in the open batch. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of the open batch, header included, uncompressed. */
  get size(): number {
    return this.#position;
  }

  get maxTimestamp(): number {
    return this.#maxTimestamp;
  }

  /** Would `bytes` more take the batch over `limit`? Never true for an empty one: it could not get any smaller. */
  wouldExceed(limit: number, bytes: number): boolean {
    return this.#count > 0 && this.#position + bytes > limit;
  }

  /**
   * Appends a record whose key and value are bytes. `timestamp` in milliseconds, `headers` as `encodeHeaders` makes them.
   * Returns the record's encoded size in bytes; the caller compares it with its limit and rolls back.
   */
  append(
    timestamp: number,
    key: BinaryString | null,
    value: BinaryString | null,
    headers?: BinaryString,
  ): number {
    const keyLength = key === null ? 0 : key.length;
    const valueLength = value === null ? 0 : value.length;
    const headersLength = headers === undefined || headers.length === 0 ? 1 : headers.length;
    const start = this.#position;
    this.#ensure(FRAME_BYTES_MAX + keyLength + valueLength + headersLength);
    let at = this.#begin(timestamp, key, valueLength, value === null, headersLength);
    if (value !== null) at = writeBinary(this.#buffer, value, at);
    return this.#end(timestamp, headers, start, at);
  }

  /** As `append`, with a value that is text, to be written as UTF-8 (a lone surrogate as U+FFFD). */
  appendText(timestamp: number, key: BinaryString | null, text: string, headers?: BinaryString): number {
    const units = text.length;
    const keyLength = key === null ? 0 : key.length;
    const headersLength = headers === undefined || headers.length === 0 ? 1 : headers.length;
    const start = this.#position;
    this.#ensure(FRAME_BYTES_MAX + keyLength + units * UTF8_BYTES_PER_UNIT_MAX + headersLength);
    // Nearly all text is ASCII, one byte a unit: write the lengths as if it were and look whether it was.
    let at = this.#begin(timestamp, key, units, false, headersLength);
    const written = this.#buffer.utf8Write(text, at, units * UTF8_BYTES_PER_UNIT_MAX);
    if (written !== units) {
      at = this.#begin(timestamp, key, written, false, headersLength);
      this.#buffer.utf8Write(text, at, written);
    }
    return this.#end(timestamp, headers, start, at + written);
  }

  /**
   * As `append`, with a value that `write` writes in place: it gets the value, the buffer and a position, and returns the
   * position behind what it wrote, or -1 when it would not. Then nothing is appended and -1 returned.
   */
  appendValue<V>(
    timestamp: number,
    key: BinaryString | null,
    value: V,
    write: (value: V, bytes: Buffer, at: number) => number,
    headers?: BinaryString,
  ): number {
    const keyLength = key === null ? 1 : key.length;
    const headersLength = headers === undefined || headers.length === 0 ? 1 : headers.length;
    const start = this.#position;
    this.#ensure(FRAME_BYTES_MAX + keyLength + headersLength + VALUE_ROOM_BYTES);
    // The lengths in front of the value take as many bytes as those of the last record, nearly always.
    const delta = this.#count === 0 ? 0 : timestamp - this.#baseTimestamp;
    const fixed =
      1 +
      varlongSize(delta) +
      varintSize(this.#count) +
      (key === null ? 1 : varintSize(keyLength) + keyLength);
    const from = start + this.#lengthBytes + fixed;
    const to = write(value, this.#buffer, from);
    if (to < 0) return -1;
    const valueLength = to - from;
    const valueLengthBytes = varintSize(valueLength);
    const recordLengthBytes = varintSize(fixed + valueLengthBytes + valueLength + headersLength);
    const lengthBytes = recordLengthBytes + valueLengthBytes;
    if (lengthBytes !== this.#lengthBytes) {
      this.#lengthBytes = lengthBytes;
      this.#ensure(lengthBytes + fixed + valueLength + headersLength);
      this.#buffer.copyWithin(start + lengthBytes + fixed, from, to);
    } else {
      this.#ensure(to - start + headersLength);
    }
    const at = this.#begin(timestamp, key, valueLength, false, headersLength);
    return this.#end(timestamp, headers, start, at + valueLength);
  }

  /** Where the batch stands now. Pass the same object again to save making one per record. */
  mark(into: EncoderMark = { position: 0, count: 0, baseTimestamp: 0, maxTimestamp: 0 }): EncoderMark {
    into.position = this.#position;
    into.count = this.#count;
    into.baseTimestamp = this.#baseTimestamp;
    into.maxTimestamp = this.#maxTimestamp;
    return into;
  }

  /** Takes back all that was appended since `mark`, which must be of the open batch. */
  rollback(mark: EncoderMark): void {
    if (mark.position > this.#position || mark.count > this.#count) {
      throw corruptBatch('a mark of another batch was rolled back to');
    }
    this.#position = mark.position;
    this.#count = mark.count;
    this.#baseTimestamp = mark.baseTimestamp;
    this.#maxTimestamp = mark.maxTimestamp;
  }

  /**
   * The batch, its memory handed over, and an empty encoder. Its header has no producer and no checksum yet: `stampBatch`.
   * Undefined when nothing was appended.
   */
  finish(): EncodedBatch | undefined {
    if (this.#count === 0) return undefined;
    const backing = this.#buffer;
    const bytes = backing.subarray(0, this.#position);
    layout.writeInt64(bytes, 0, layout.BASE_OFFSET);
    bytes.writeInt32BE(this.#position - layout.LENGTH_PREFIX_BYTES, layout.BATCH_LENGTH);
    bytes.writeInt32BE(-1, layout.PARTITION_LEADER_EPOCH);
    bytes[layout.MAGIC_BYTE] = layout.MAGIC;
    bytes.writeUInt32BE(0, layout.CRC);
    bytes.writeInt16BE(0, layout.ATTRIBUTES);
    bytes.writeInt32BE(this.#count - 1, layout.LAST_OFFSET_DELTA);
    layout.writeInt64(bytes, this.#baseTimestamp, layout.BASE_TIMESTAMP);
    layout.writeInt64(bytes, this.#maxTimestamp, layout.MAX_TIMESTAMP);
    layout.writeInt64(bytes, layout.NO_PRODUCER_ID, layout.PRODUCER_ID);
    bytes.writeInt16BE(layout.NO_PRODUCER_EPOCH, layout.PRODUCER_EPOCH);
    bytes.writeInt32BE(layout.NO_SEQUENCE, layout.BASE_SEQUENCE);
    bytes.writeInt32BE(this.#count, layout.RECORD_COUNT);
    const batch = new EncodedBatch(
      bytes,
      this.#count,
      this.#baseTimestamp,
      this.#maxTimestamp,
      'none',
      backing,
      this.#pool,
    );
    this.#sizeHint = this.#position;
    this.#buffer = EMPTY; // an encoder nobody writes to holds no memory
    this.#restart();
    return batch;
  }

  /** Forgets the open batch. */
  reset(): void {
    this.#restart();
  }

  #restart(): void {
    this.#position = layout.RECORDS;
    this.#count = 0;
    this.#baseTimestamp = -1;
    this.#maxTimestamp = -1;
  }

  /** Writes all in front of the value, from the end of the last record on; returns where the value goes. */
  #begin(
    timestamp: number,
    key: BinaryString | null,
    valueLength: number,
    valueIsNull: boolean,
    headersLength: number,
  ): number {
    const buffer = this.#buffer;
    const count = this.#count;
    if (count === 0) this.#baseTimestamp = timestamp;
    const timestampDelta = timestamp - this.#baseTimestamp;
    const keyLength = key === null ? 0 : key.length;
    const bodySize =
      1 +
      varlongSize(timestampDelta) +
      varintSize(count) +
      varintSize(keyLength) +
      keyLength +
      varintSize(valueLength) +
      valueLength +
      headersLength;
    let at = writeVarint(buffer, bodySize, this.#position);
    buffer[at++] = 0;
    at = writeVarlong(buffer, timestampDelta, at);
    at = writeVarint(buffer, count, at);
    if (key === null) {
      buffer[at++] = 1; // the varint -1
    } else {
      at = writeVarint(buffer, keyLength, at);
      at = writeBinary(buffer, key, at);
    }
    if (valueIsNull) {
      buffer[at++] = 1;
      return at;
    }
    return writeVarint(buffer, valueLength, at);
  }

  #end(timestamp: number, headers: BinaryString | undefined, start: number, at: number): number {
    if (headers === undefined || headers.length === 0) this.#buffer[at++] = 0;
    else at = writeBinary(this.#buffer, headers, at);
    this.#position = at;
    if (this.#count === 0 || timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp;
    this.#count++;
    return at - start;
  }

  #ensure(bytes: number): void {
    const needed = this.#position + bytes;
    if (needed > this.#buffer.length) this.#grow(needed);
  }

  #grow(needed: number): void {
    const old = this.#buffer;
    const larger = this.#take(Math.max(needed, old === EMPTY ? this.#sizeHint : old.length * 2));
    this.#buffer = larger;
    if (old === EMPTY) return;
    // All of it: a value in writing lies behind the position.
    old.copy(larger);
    this.#pool?.give(old);
  }

  #take(size: number): TextBuffer {
    return (this.#pool === undefined ? Buffer.allocUnsafeSlow(size) : this.#pool.take(size)) as TextBuffer;
  }
}

function writeBinary(buffer: TextBuffer, binary: BinaryString, at: number): number {
  const length = binary.length;
  if (length <= LOOP_CHARACTERS_MAX) {
    for (let i = 0; i < length; i++) buffer[at + i] = binary.charCodeAt(i);
    return at + length;
  }
  return at + buffer.latin1Write(binary, at, length);
}
