// Owns the record context that operators and sinks of a task see: one mutable object, pointed at the record in process.
import { encodeHeaders } from '#libs/broker';
import type { RecordColumns } from '#libs/broker';
import type { BinaryString, RecordHeader } from '#libs/core';
import type { RecordContext } from '#libs/topology';

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

  constructor(partition: number) {
    this.partition = partition;
  }

  get offset(): number {
    return this.columns === null ? -1 : this.columns.offsets[this.index]!;
  }

  /** A scope without a source record: an alarm, a posted delivery. */
  leaveRecord(timestamp: number): void {
    this.topic = '';
    this.columns = null;
    this.rawKey = null;
    this.timestamp = timestamp;
    this.outputHeaders = null;
  }

  /** Needs no `this`: users take it out of the metadata, `({ headers }) => headers()`. */
  readonly headers = (): readonly RecordHeader[] =>
    this.columns === null ? NO_HEADERS : this.columns.readHeaders(this.index);

  /** What outputs carry, as the encoder takes it; '' without any. */
  encodedHeaders(): BinaryString {
    if (this.outputHeaders !== null) return encodeHeaders(this.outputHeaders);
    const columns = this.columns;
    if (columns === null || columns.headerCount[this.index] === 0) return '' as BinaryString;
    return columns.encodedHeaders(this.index);
  }
}
