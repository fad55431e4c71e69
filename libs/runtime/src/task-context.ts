// Owns the record context that operators and sinks of a task see: one mutable object, pointed at the record in process.
import { encodeHeaders } from '#libs/broker';
import type { RecordColumns } from '#libs/broker';
import type { BinaryString, RecordHeader } from '#libs/core';
import type { RecordContext } from '#libs/topology';
import { withoutRetryHeaders } from './retry-headers.ts';
import type { RecordHistory } from './retry-headers.ts';

const NO_HEADERS: readonly RecordHeader[] = [];

export class TaskContext implements RecordContext {
  topic = '';
  partition: number;
  timestamp = -1;
  streamTime = -1;
  rawKey: BinaryString | null = null;
  outputHeaders: readonly RecordHeader[] | null = null;
  /** Where the record lies, for what is decoded only on demand. */
  columns: RecordColumns | null = null;
  index = 0;
  /** Of a record that comes from a retry topic: where it lay at first. What it carries for us is not shown. */
  history: RecordHistory | null = null;

  constructor(partition: number) {
    this.partition = partition;
  }

  get offset(): number {
    if (this.columns === null) return -1;
    return this.history === null ? this.columns.offsets[this.index]! : this.history.offset;
  }

  /** A scope without a source record: an alarm, a posted delivery. */
  leaveRecord(timestamp: number): void {
    this.topic = '';
    this.columns = null;
    this.history = null;
    this.rawKey = null;
    this.timestamp = timestamp;
    this.outputHeaders = null;
  }

  /** Needs no `this`: users take it out of the metadata, `({ headers }) => headers()`. */
  readonly headers = (): readonly RecordHeader[] => {
    if (this.columns === null) return NO_HEADERS;
    const headers = this.columns.readHeaders(this.index);
    return this.history === null ? headers : withoutRetryHeaders(headers);
  };

  /** What outputs carry, as the encoder takes it; '' without any. */
  encodedHeaders(): BinaryString {
    if (this.outputHeaders !== null) return encodeHeaders(this.outputHeaders);
    const columns = this.columns;
    if (columns === null || columns.headerCount[this.index] === 0) return '' as BinaryString;
    return this.history === null ? columns.encodedHeaders(this.index) : encodeHeaders(this.headers());
  }
}
