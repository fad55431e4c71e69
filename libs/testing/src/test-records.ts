// Owns the records a test gives and gets, and the one log of a topic that all readers of a test share. It decodes no keys or values.
import { RecordColumns, encodeHeaders } from '#libs/broker';
import type { RecordBatchView } from '#libs/broker';
import type { BinaryString, RecordHeader } from '#libs/core';

/** A record as a test reads it. */
export interface TestRecord<K, V> {
  readonly key: K | null;
  /** `null`: a tombstone. */
  readonly value: V | null;
  /** Milliseconds since the Unix epoch. */
  readonly timestamp: number;
  readonly headers: readonly RecordHeader[];
  readonly partition: number;
  readonly offset: number;
}

/** Headers as a test writes them: pairs in order, or an object of texts. */
export type HeadersInput = readonly RecordHeader[] | Readonly<Record<string, string | Uint8Array | null>>;

export function headersOf(headers: HeadersInput | undefined): readonly RecordHeader[] {
  if (headers === undefined) return [];
  if (Array.isArray(headers)) return headers as readonly RecordHeader[];
  return Object.entries(headers).map(([key, value]: [string, string | Uint8Array | null]) => ({
    key,
    value: typeof value === 'string' ? Buffer.from(value) : value,
  }));
}

export function encodedHeadersOf(headers: HeadersInput | undefined): BinaryString {
  return encodeHeaders(headersOf(headers));
}

/** A record as its bytes. */
export interface RawRecord {
  readonly key: BinaryString | null;
  readonly value: BinaryString | null;
  readonly timestamp: number;
  readonly headers: readonly RecordHeader[];
  readonly partition: number;
  readonly offset: number;
}

/** What a topic received, over its partitions in the order in which it was settled, and how far the test has read. */
export class TopicRecords {
  /** Where to read on, by partition. */
  readonly positions: number[];
  readonly #records: RawRecord[] = [];
  readonly #columns = new RecordColumns();
  /** Batches not decoded yet: most topics are never looked at. */
  #waiting: { readonly partition: number; readonly from: number; readonly batch: RecordBatchView }[] = [];
  #cursor = 0;

  constructor(partitionCount: number) {
    this.positions = Array.from({ length: partitionCount }, () => 0);
  }

  add(partition: number, from: number, batches: readonly RecordBatchView[]): void {
    for (const batch of batches) this.#waiting.push({ partition, from, batch });
  }

  /** All since the start, read or not. */
  get all(): readonly RawRecord[] {
    this.#decode();
    return this.#records;
  }

  get unread(): number {
    this.#decode();
    return this.#records.length - this.#cursor;
  }

  /** The next one that the test has not read. */
  peek(): RawRecord | undefined {
    this.#decode();
    return this.#records[this.#cursor];
  }

  next(): RawRecord | undefined {
    const record = this.peek();
    if (record !== undefined) this.#cursor++;
    return record;
  }

  #decode(): void {
    if (this.#waiting.length === 0) return;
    const columns = this.#columns;
    for (const { partition, from, batch } of this.#waiting) {
      columns.decode(batch, from);
      for (let i = 0; i < columns.count; i++) {
        this.#records.push({
          key: columns.key(i),
          value: columns.value(i),
          timestamp: columns.timestamps[i]!,
          headers: columns.readHeaders(i),
          partition,
          offset: columns.offsets[i]!,
        });
      }
    }
    this.#waiting = [];
  }
}
