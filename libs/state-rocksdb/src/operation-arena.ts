// Owns the memory of one write batch: keys and values packed into two arrays, and the operations that point into them.
// It never writes; the database does. An arena is used again once its write resolved: the binding copies nothing.
//
// The binding asks for a typed array per key and per value. They are kept with the operation and used again when the same
// place holds the same length, as it does wherever keys or values are of one size: a new view costs 70 ns and garbage.
import type { BinaryString } from '#libs/core';
import type { RestoreBatch } from '#libs/state';
import { KEY_PREFIX_BYTES, TIMESTAMP_BYTES, writeTimestamp } from './key-format.ts';
import { sortedByKey } from './key-order.ts';
import { writeBinary } from './native-buffer.ts';
import { NativeOperation } from './native-operation.ts';
import type { NativeLayout } from './native-operation.ts';

/** Up to here a loop over characters or bytes beats a native call. */
const LOOP_BYTES_MAX = 24;
const INITIAL_BYTES = 16 * 1024;
/** An arena that grew beyond this is not kept for the next batch. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024;

export class OperationArena {
  count = 0;

  private keys: Buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  private keysUsed = 0;
  private values: Buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  private valuesUsed = 0;
  private readonly operations: NativeOperation[] = [];
  private readonly layout: NativeLayout;

  constructor(layout: NativeLayout) {
    this.layout = layout;
  }

  get bytesUsed(): number {
    return this.keysUsed + this.valuesUsed;
  }

  get reusable(): boolean {
    return this.keys.length + this.values.length <= KEPT_BYTES_MAX;
  }

  reset(): void {
    this.count = 0;
    this.keysUsed = 0;
    this.valuesUsed = 0;
  }

  put(storeNumber: number, key: BinaryString, value: BinaryString, timestamp: number): void {
    this.valueRoom(TIMESTAMP_BYTES + value.length);
    const start = this.valuesUsed;
    const values = this.values;
    writeTimestamp(values, start, timestamp);
    copyText(values, start + TIMESTAMP_BYTES, value);
    this.valuesUsed = start + TIMESTAMP_BYTES + value.length;
    this.add(this.layout.put, this.appendKey(storeNumber, key), start);
  }

  delete(storeNumber: number, key: BinaryString): void {
    this.add(this.layout.delete, this.appendKey(storeNumber, key), this.valuesUsed);
  }

  /** Copies the columns of changelog records. */
  putColumns(storeNumber: number, records: RestoreBatch): void {
    const { count, bytes, keyStart, keyEnd, valueStart, valueEnd, timestamps } = records;
    // Keys and values lie apart from each other in `bytes`, so that all of it bounds what they can take.
    this.keyRoom(bytes.length + count * KEY_PREFIX_BYTES);
    this.valueRoom(bytes.length + count * TIMESTAMP_BYTES);
    const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const { keys, values } = this;
    for (let i = 0; i < count; i++) {
      const keyAt = this.keysUsed;
      const keyFrom = keyStart[i]!;
      const keyLength = keyEnd[i]! - keyFrom;
      keys[keyAt] = storeNumber >> 8;
      keys[keyAt + 1] = storeNumber;
      copyBytes(source, keyFrom, keys, keyAt + KEY_PREFIX_BYTES, keyLength);
      this.keysUsed = keyAt + KEY_PREFIX_BYTES + keyLength;
      const valueAt = this.valuesUsed;
      const valueFrom = valueStart[i]!;
      if (valueFrom < 0) {
        this.add(this.layout.delete, keyAt, valueAt);
        continue;
      }
      const valueLength = valueEnd[i]! - valueFrom;
      writeTimestamp(values, valueAt, timestamps[i]!);
      copyBytes(source, valueFrom, values, valueAt + TIMESTAMP_BYTES, valueLength);
      this.valuesUsed = valueAt + TIMESTAMP_BYTES + valueLength;
      this.add(this.layout.put, keyAt, valueAt);
    }
  }

  /** The operations in the order in which RocksDB takes them fastest. Of several on one key the last one wins. */
  ordered(): readonly NativeOperation[] {
    return sortedByKey(this.operations.slice(0, this.count));
  }

  private add(type: number, keyAt: number, valueAt: number): void {
    let operation = this.operations[this.count];
    if (operation === undefined) {
      operation = new NativeOperation(type, this.layout.columnFamily);
      this.operations.push(operation);
    }
    this.count++;
    operation.type = type;
    const keyLength = this.keysUsed - keyAt;
    const keys = this.keys;
    const key = operation.key;
    if (key.byteOffset !== keyAt || key.length !== keyLength || key.buffer !== keys.buffer) {
      operation.key = new Uint8Array(keys.buffer, keyAt, keyLength);
    }
    const valueLength = this.valuesUsed - valueAt;
    const values = this.values;
    const value = operation.value;
    if (value.byteOffset !== valueAt || value.length !== valueLength || value.buffer !== values.buffer) {
      operation.value = new Uint8Array(values.buffer, valueAt, valueLength);
    }
  }

  private appendKey(storeNumber: number, key: BinaryString): number {
    this.keyRoom(KEY_PREFIX_BYTES + key.length);
    const start = this.keysUsed;
    const keys = this.keys;
    keys[start] = storeNumber >> 8;
    keys[start + 1] = storeNumber;
    copyText(keys, start + KEY_PREFIX_BYTES, key);
    this.keysUsed = start + KEY_PREFIX_BYTES + key.length;
    return start;
  }

  // Operations added before keep pointing into the array they were added to, which lives as long as they do.
  private keyRoom(bytes: number): void {
    if (this.keysUsed + bytes <= this.keys.length) return;
    this.keys = grown(this.keys, this.keysUsed, bytes);
  }

  private valueRoom(bytes: number): void {
    if (this.valuesUsed + bytes <= this.values.length) return;
    this.values = grown(this.values, this.valuesUsed, bytes);
  }
}

function grown(buffer: Buffer, used: number, bytes: number): Buffer {
  // Not copied: what is in the old array is only read through the views that point into it.
  return Buffer.allocUnsafeSlow(Math.max(buffer.length * 2, used + bytes));
}

function copyText(target: Buffer, at: number, text: BinaryString): void {
  const length = text.length;
  if (length > LOOP_BYTES_MAX) {
    writeBinary(target, text, at);
    return;
  }
  for (let i = 0; i < length; i++) target[at + i] = text.charCodeAt(i);
}

function copyBytes(source: Buffer, from: number, target: Buffer, at: number, length: number): void {
  if (length > LOOP_BYTES_MAX) {
    source.copy(target, at, from, from + length);
    return;
  }
  for (let i = 0; i < length; i++) target[at + i] = source[from + i]!;
}
