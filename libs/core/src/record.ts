// Owns the shapes of record metadata that users see. The hot path does not build these objects unless asked to.

/** A Kafka record header. A key may occur several times; order is kept. */
export interface RecordHeader {
  readonly key: string;
  readonly value: Uint8Array | null;
}

/** Where a record came from and when. */
export interface RecordOrigin {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since the Unix epoch. */
  readonly timestamp: number;
}
