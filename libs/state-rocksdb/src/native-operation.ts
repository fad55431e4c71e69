// Owns the form in which the binding takes an operation of a batch.

const NOTHING = new Uint8Array(0);

/** One operation. All have the same fields in the same order, also where one is not read. */
export class NativeOperation {
  /** The binding's number of the operation; see NativeLayout. */
  type: number;
  key: Uint8Array = NOTHING;
  value: Uint8Array = NOTHING;
  readonly columnFamily: ArrayBuffer | undefined;
  // Where `key` and `value` point, to be compared without asking the typed arrays.
  keySource: Uint8Array = NOTHING;
  keyStart = 0;
  keyLength = 0;
  valueSource: Uint8Array = NOTHING;
  valueStart = 0;
  valueLength = 0;

  constructor(type: number, columnFamily: ArrayBuffer | undefined) {
    this.type = type;
    this.columnFamily = columnFamily;
  }
}

/** What the binding calls its operations, as found in a batch it built itself. */
export interface NativeLayout {
  readonly put: number;
  readonly delete: number;
  readonly get: number;
  readonly columnFamily: ArrayBuffer | undefined;
}
