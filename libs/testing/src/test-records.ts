// Owns the records a test gives and gets, and the one log of a topic that all readers of a test share. It decodes no keys or values.
import type { LoggedRecord } from '#libs/broker-memory';
import type { BinaryString, RecordHeader } from '#libs/core';
import { binaryFromBytes } from '#libs/serde';

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
  readonly #records: RawRecord[] = [];
  #cursor = 0;

  add(partition: number, { key, value, timestamp, headers, offset }: LoggedRecord): void {
    this.#records.push({
      key: key === null ? null : binaryFromBytes(key),
      value: value === null ? null : binaryFromBytes(value),
      timestamp,
      headers,
      partition,
      offset,
    });
  }

  /** All since the start, read or not. */
  get all(): readonly RawRecord[] {
    return this.#records;
  }

  get unread(): number {
    return this.#records.length - this.#cursor;
  }

  /** The next one that the test has not read. */
  peek(): RawRecord | undefined {
    return this.#records[this.#cursor];
  }

  next(): RawRecord | undefined {
    const record = this.peek();
    if (record !== undefined) this.#cursor++;
    return record;
  }
}
