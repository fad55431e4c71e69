// Owns decoding a batch's records into columns: numbers in typed arrays, keys and values as ranges of one text.
//
// No object per record: a key is `text.substring(keyStart[i], keyEnd[i])`, which V8 makes without copying (or, when short,
// with a copy of a few bytes). The columns belong to the decoder and are overwritten by the next decode; a substring stays
// valid, but one of 13 characters or more keeps the text of its whole batch alive: what is kept longer than the batch
// must be detached (libs/serde).
//
// Headers stay encoded until somebody asks for them.
import { isAscii } from 'node:buffer';
import type { BinaryString, RecordHeader } from '#libs/core';
import { corruptBatch } from './corrupt-batch-error.ts';
import { RECORD_BYTES_MIN } from './layout.ts';
import type { RecordBatchView } from './record-batch-view.ts';
import { decodeHeaders } from './record-headers.ts';

const EMPTY = Buffer.alloc(0);
/** Columns are used again and grow with their batches; many stay small, where a producer sends each record by itself. */
const INITIAL_RECORDS = 64;

/** Where `readLongVarint` stopped: a second result without an object per call. */
let cursor = 0;

/**
 * The batch in decode with the high bits of its varints taken out: lengths of 64 and more would hide whether the rest is
 * ASCII, which is one native question then. Shared by all columns; it means nothing outside `decode`.
 */
let scratch: Buffer = EMPTY;
/** Beyond this it is let go after use. */
const SCRATCH_RETAINED_BYTES_MAX = 16 * 1024 * 1024;

export class RecordColumns {
  count = 0;
  /** The record section that all ranges point into. */
  bytes: Buffer = EMPTY;
  /** `bytes` as text of one character a byte. */
  text = '' as BinaryString;
  /** Are all keys, all values ASCII? If so, their ranges of `text` are also their UTF-8 text. */
  asciiKeys = true;
  asciiValues = true;
  offsets = new Float64Array(INITIAL_RECORDS);
  /** Milliseconds since the Unix epoch. */
  timestamps = new Float64Array(INITIAL_RECORDS);
  /** -1 where the key is null. */
  keyStart = new Int32Array(INITIAL_RECORDS);
  keyEnd = new Int32Array(INITIAL_RECORDS);
  /** -1 where the value is null (a tombstone). */
  valueStart = new Int32Array(INITIAL_RECORDS);
  valueEnd = new Int32Array(INITIAL_RECORDS);
  /** Where the header count lies; the headers end with the record. */
  headersStart = new Int32Array(INITIAL_RECORDS);
  headersEnd = new Int32Array(INITIAL_RECORDS);
  headerCount = new Int32Array(INITIAL_RECORDS);

  /**
   * Decodes the batch's records from `fromOffset` on; those before are checked and skipped. Returns the count.
   * @throws MillraceError MILLRACE_CORRUPT_BATCH, and as `RecordBatchView.recordSection`. The columns are then empty.
   */
  decode(batch: RecordBatchView, fromOffset: number): number {
    this.count = 0;
    const bytes = batch.recordSection();
    const length = bytes.length;
    const total = batch.recordCount;
    // Before anything is allocated for it: a count that the bytes cannot hold.
    if (total * RECORD_BYTES_MIN > length)
      throw this.#corrupt(batch, 0, 'it claims more records than its bytes can hold');
    this.#reserve(total, length);

    const masked = scratch;
    masked.set(bytes);
    const {
      offsets,
      timestamps,
      keyStart,
      keyEnd,
      valueStart,
      valueEnd,
      headersStart,
      headersEnd,
      headerCount,
    } = this;
    const baseOffset = batch.baseOffset;
    const lastOffset = batch.lastOffset;
    const baseTimestamp = batch.baseTimestamp;
    const appendTime = batch.isLogAppendTime ? batch.maxTimestamp : -Infinity;
    let previousOffset = baseOffset - 1;
    let count = 0;
    let at = 0;

    for (let record = 0; record < total; record++) {
      let number = readVarint(bytes, at, masked);
      at = cursor;
      const end = at + number;
      if (!(number >= RECORD_BYTES_MIN - 1 && end <= length)) {
        throw this.#corrupt(batch, record, 'its length reaches out of the batch');
      }
      at++; // attributes: none are defined

      number = readVarint(bytes, at, masked);
      at = cursor;
      const timestamp = appendTime === -Infinity ? baseTimestamp + number : appendTime;

      number = readVarint(bytes, at, masked);
      at = cursor;
      const offset = baseOffset + number;
      if (!(offset > previousOffset && offset <= lastOffset)) {
        throw this.#corrupt(batch, record, 'its offset is out of order');
      }
      previousOffset = offset;

      number = readVarint(bytes, at, masked);
      at = cursor;
      let keyFrom = -1;
      let keyTo = -1;
      if (number >= 0) {
        keyFrom = at;
        at += number;
        keyTo = at;
      } else if (number !== -1) {
        throw this.#corrupt(batch, record, 'its key has a negative length');
      }
      if (at >= end) throw this.#corrupt(batch, record, 'its key reaches out of it');

      number = readVarint(bytes, at, masked);
      at = cursor;
      let valueFrom = -1;
      let valueTo = -1;
      if (number >= 0) {
        valueFrom = at;
        at += number;
        valueTo = at;
      } else if (number !== -1) {
        throw this.#corrupt(batch, record, 'its value has a negative length');
      }
      if (at >= end) throw this.#corrupt(batch, record, 'its value reaches out of it');

      const headersFrom = at;
      number = readVarint(bytes, at, masked);
      at = cursor;
      if (number === 0) {
        if (at !== end) throw this.#corrupt(batch, record, 'it is longer than its fields');
      } else {
        // Two bytes a header at least. What they hold is checked when they are read; that it is text is no matter here.
        if (!(number > 0 && at + 2 * number <= end))
          throw this.#corrupt(batch, record, 'its header count is impossible');
        masked.fill(0, at, end);
        at = end;
      }

      if (offset >= fromOffset) {
        offsets[count] = offset;
        timestamps[count] = timestamp;
        keyStart[count] = keyFrom;
        keyEnd[count] = keyTo;
        valueStart[count] = valueFrom;
        valueEnd[count] = valueTo;
        headersStart[count] = headersFrom;
        headersEnd[count] = end;
        headerCount[count] = number;
        count++;
      }
    }
    if (at !== length) throw this.#corrupt(batch, total, `${length - at} bytes follow its last record`);

    this.bytes = bytes;
    this.text = bytes.toString('latin1') as BinaryString;
    this.count = count;
    this.#classify(length);
    if (scratch.length > SCRATCH_RETAINED_BYTES_MAX) scratch = EMPTY;
    return count;
  }

  /** The key's bytes, or null. A view of the batch's text: see the file's head before keeping it. */
  key(i: number): BinaryString | null {
    const start = this.keyStart[i]!;
    return start < 0 ? null : (this.text.substring(start, this.keyEnd[i]) as BinaryString);
  }

  /** The value's bytes, or null. A view of the batch's text: see the file's head before keeping it. */
  value(i: number): BinaryString | null {
    const start = this.valueStart[i]!;
    return start < 0 ? null : (this.text.substring(start, this.valueEnd[i]) as BinaryString);
  }

  /** Record i's headers, still encoded, as `RecordBatchEncoder.append` takes them; '' without any. */
  encodedHeaders(i: number): BinaryString {
    if (this.headerCount[i] === 0) return '' as BinaryString;
    return this.text.substring(this.headersStart[i]!, this.headersEnd[i]) as BinaryString;
  }

  /** Record i's headers, decoded anew at each call. @throws MillraceError MILLRACE_CORRUPT_BATCH */
  readHeaders(i: number): RecordHeader[] {
    if (this.headerCount[i] === 0) return [];
    return decodeHeaders(this.bytes, this.headersStart[i]!, this.headersEnd[i]!);
  }

  /** Lets go of the batch; the arrays stay for the next one. */
  clear(): void {
    this.count = 0;
    this.bytes = EMPTY;
    this.text = '' as BinaryString;
  }

  #classify(length: number): void {
    const all = scratch.subarray(0, length);
    this.asciiKeys = true;
    this.asciiValues = true;
    if (isAscii(all)) return;
    // Binary keys with text values are common, and so is the reverse: blank out the keys and ask again.
    let keyBits = 0;
    for (let i = 0; i < this.count; i++) {
      const end = this.keyEnd[i]!;
      for (let at = this.keyStart[i]!; at < end; at++) {
        keyBits |= scratch[at]!;
        scratch[at] = 0;
      }
    }
    this.asciiKeys = keyBits < 0x80;
    this.asciiValues = isAscii(all);
  }

  #reserve(records: number, bytes: number): void {
    if (records > this.offsets.length) {
      const capacity = Math.max(records, this.offsets.length * 2);
      this.offsets = new Float64Array(capacity);
      this.timestamps = new Float64Array(capacity);
      this.keyStart = new Int32Array(capacity);
      this.keyEnd = new Int32Array(capacity);
      this.valueStart = new Int32Array(capacity);
      this.valueEnd = new Int32Array(capacity);
      this.headersStart = new Int32Array(capacity);
      this.headersEnd = new Int32Array(capacity);
      this.headerCount = new Int32Array(capacity);
    }
    if (bytes > scratch.length) scratch = Buffer.allocUnsafeSlow(Math.max(bytes, scratch.length * 2));
  }

  #corrupt(batch: RecordBatchView, record: number, why: string): Error {
    return corruptBatch(`${why} (record ${record} of ${batch.recordCount})`, {
      baseOffset: batch.baseOffset,
      lastOffset: batch.lastOffset,
      record,
    });
  }
}

/**
 * Reads a number, leaves the position behind it in `cursor`, and clears its high bits in `masked`. Small enough for V8 to
 * put in place of its calls.
 */
function readVarint(bytes: Uint8Array, at: number, masked: Uint8Array): number {
  const first = bytes[at]!;
  if (first < 0x80) {
    cursor = at + 1;
    return (first >>> 1) ^ -(first & 1);
  }
  const second = bytes[at + 1]!;
  if (second < 0x80) {
    masked[at] = 0;
    cursor = at + 2;
    return (((first & 0x7f) | (second << 7)) >>> 1) ^ -(first & 1);
  }
  return readLongVarint(bytes, at, masked);
}

/**
 * Reads a number of any length, leaves the position behind it in `cursor`, and clears its high bits in `masked`.
 * Numbers beyond 2^53 lose their low digits: only a timestamp difference can be so large, and none that means anything is.
 */
function readLongVarint(bytes: Uint8Array, at: number, masked: Uint8Array): number {
  let byte = bytes[at];
  let low = 0;
  let shift = 0;
  while (shift < 28) {
    if (byte === undefined) throw corruptBatch('a number is cut off');
    if (byte < 0x80) {
      low |= byte << shift;
      cursor = at + 1;
      return (low >>> 1) ^ -(low & 1);
    }
    low |= (byte & 0x7f) << shift;
    masked[at] = 0;
    shift += 7;
    byte = bytes[++at];
  }
  // Beyond 28 bits by arithmetic, and with the sign bit taken off first: zigzag of a safe integer need not be one.
  let magnitude = low >>> 1;
  let scale = 0x800_0000;
  for (; shift < 70; shift += 7) {
    if (byte === undefined) throw corruptBatch('a number is cut off');
    magnitude += (byte & 0x7f) * scale;
    if (byte < 0x80) {
      cursor = at + 1;
      return (low & 1) === 0 ? magnitude : -magnitude - 1;
    }
    masked[at] = 0;
    scale *= 0x80;
    byte = bytes[++at];
  }
  throw corruptBatch('a number takes more than ten bytes');
}
