// Owns the memory of one write batch: keys and values packed into two arrays, and the operations that point into them.
// It never writes; the database does. An arena is used again once its write resolved: the binding copies nothing.
//
// The binding asks for a typed array per key and per value. They are made when the batch is complete, and kept: where the
// same place holds the same length again, as it does wherever keys or values are of one size, there is nothing to make.
import type { BinaryString } from '#libs/core';
import type { RestoreBatch } from '#libs/state';
import { TIMESTAMP_BYTES, writeTimestamp } from './key-format.ts';
import { orderByKey } from './key-order.ts';
import { writeBinary } from './native-buffer.ts';
import { NativeOperation } from './native-operation.ts';
import type { NativeLayout } from './native-operation.ts';
import type { StoreKeys } from './store-keys.ts';

/** Up to here a loop over characters or bytes beats a native call. */
const LOOP_BYTES_MAX = 24;
const INITIAL_BYTES = 16 * 1024;
const INITIAL_OPERATIONS = 256;
/** An arena that grew beyond this is not kept for the next batch. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024;
/** In place of the start of a value: the key is deleted. */
const DELETED = -1;

export class OperationArena {
  count = 0;

  private readonly layout: NativeLayout;
  private keys: Buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  private values: Buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  private keysUsed = 0;
  private valuesUsed = 0;
  // Of operation i: its key is keys[keyStarts[i], keyEnds[i]).
  private keyStarts = new Int32Array(INITIAL_OPERATIONS);
  private keyEnds = new Int32Array(INITIAL_OPERATIONS);
  private valueStarts = new Int32Array(INITIAL_OPERATIONS);
  private valueEnds = new Int32Array(INITIAL_OPERATIONS);
  /** Outlive the batch, with their typed arrays. */
  private readonly operations: NativeOperation[] = [];

  constructor(layout: NativeLayout) {
    this.layout = layout;
  }

  get reusable(): boolean {
    return this.keys.length + this.values.length <= KEPT_BYTES_MAX;
  }

  reset(): void {
    this.count = 0;
    this.keysUsed = 0;
    this.valuesUsed = 0;
  }

  put(store: StoreKeys, key: BinaryString, value: BinaryString, timestamp: number): void {
    const segment = store.isSegmented ? store.segmentFor(key) : 0;
    const i = this.appendKey(store, segment, key);
    const start = this.valuesUsed;
    const end = start + TIMESTAMP_BYTES + value.length;
    if (end > this.values.length) this.values = grown(this.values, start, end);
    writeTimestamp(this.values, start, timestamp);
    copyText(this.values, start + TIMESTAMP_BYTES, value);
    this.valueStarts[i] = start;
    this.valueEnds[i] = end;
    this.valuesUsed = end;
  }

  delete(store: StoreKeys, key: BinaryString): void {
    const segment = store.isSegmented ? store.segmentOf(key) : 0;
    // Not in one expression: the columns may be others once the key is appended.
    const i = this.appendKey(store, segment, key);
    this.valueStarts[i] = DELETED;
  }

  /** Copies the columns of changelog records. */
  putColumns(store: StoreKeys, records: RestoreBatch): void {
    const { count, bytes, keyStart, keyEnd, valueStart, valueEnd, timestamps } = records;
    const { prefixBytes, isSegmented } = store;
    this.makeRoom(count, bytes.length + count * prefixBytes, bytes.length + count * TIMESTAMP_BYTES);
    const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const { keys, values, keyStarts, keyEnds, valueStarts, valueEnds } = this;
    let { keysUsed, valuesUsed, count: operation } = this;
    for (let i = 0; i < count; i++, operation++) {
      const keyFrom = keyStart[i]!;
      const keyLength = keyEnd[i]! - keyFrom;
      keyStarts[operation] = keysUsed;
      const segment = isSegmented ? store.segmentForBytes(bytes, keyFrom, keyFrom + keyLength) : 0;
      store.writePrefix(keys, keysUsed, segment);
      copyBytes(source, keyFrom, keys, keysUsed + prefixBytes, keyLength);
      keysUsed += prefixBytes + keyLength;
      keyEnds[operation] = keysUsed;
      const valueFrom = valueStart[i]!;
      if (valueFrom < 0) {
        valueStarts[operation] = DELETED;
        continue;
      }
      const valueLength = valueEnd[i]! - valueFrom;
      valueStarts[operation] = valuesUsed;
      writeTimestamp(values, valuesUsed, timestamps[i]!);
      copyBytes(source, valueFrom, values, valuesUsed + TIMESTAMP_BYTES, valueLength);
      valuesUsed += TIMESTAMP_BYTES + valueLength;
      valueEnds[operation] = valuesUsed;
    }
    this.keysUsed = keysUsed;
    this.valuesUsed = valuesUsed;
    this.count = operation;
  }

  /**
   * `first`, then the operations in the order in which RocksDB takes them fastest. Of several on one key the last one
   * wins. Nothing may be added until the write resolved.
   */
  complete(first: NativeOperation): NativeOperation[] {
    const { count, operations } = this;
    while (operations.length < count) {
      operations.push(new NativeOperation(this.layout.put, this.layout.columnFamily));
    }
    const order = orderByKey(this.keys, this.keyStarts, this.keyEnds, count);
    const ordered = new Array<NativeOperation>(count + 1);
    ordered[0] = first;
    for (let at = 0; at < count; at++) {
      const i = order === null ? at : order[at]!;
      const operation = operations[i]!;
      this.point(operation, i);
      ordered[at + 1] = operation;
    }
    return ordered;
  }

  private point(operation: NativeOperation, i: number): void {
    const { keys, values } = this;
    const keyStart = this.keyStarts[i]!;
    const keyLength = this.keyEnds[i]! - keyStart;
    if (
      operation.keySource !== keys ||
      operation.keyStart !== keyStart ||
      operation.keyLength !== keyLength
    ) {
      operation.key = new Uint8Array(keys.buffer, keyStart, keyLength);
      operation.keySource = keys;
      operation.keyStart = keyStart;
      operation.keyLength = keyLength;
    }
    const valueStart = this.valueStarts[i]!;
    if (valueStart === DELETED) {
      operation.type = this.layout.delete;
      return;
    }
    operation.type = this.layout.put;
    const valueLength = this.valueEnds[i]! - valueStart;
    if (
      operation.valueSource !== values ||
      operation.valueStart !== valueStart ||
      operation.valueLength !== valueLength
    ) {
      operation.value = new Uint8Array(values.buffer, valueStart, valueLength);
      operation.valueSource = values;
      operation.valueStart = valueStart;
      operation.valueLength = valueLength;
    }
  }

  private appendKey(store: StoreKeys, segment: number, key: BinaryString): number {
    const i = this.count++;
    if (i === this.keyStarts.length) this.growColumns(i + 1);
    const start = this.keysUsed;
    const end = start + store.prefixBytes + key.length;
    if (end > this.keys.length) this.keys = grown(this.keys, start, end);
    const keys = this.keys;
    store.writePrefix(keys, start, segment);
    copyText(keys, start + store.prefixBytes, key);
    this.keyStarts[i] = start;
    this.keyEnds[i] = end;
    this.keysUsed = end;
    return i;
  }

  // Keys and values lie apart from each other in the section, so that all of it bounds what they can take.
  private makeRoom(count: number, keyBytes: number, valueBytes: number): void {
    if (this.count + count > this.keyStarts.length) this.growColumns(this.count + count);
    const keysEnd = this.keysUsed + keyBytes;
    if (keysEnd > this.keys.length) this.keys = grown(this.keys, this.keysUsed, keysEnd);
    const valuesEnd = this.valuesUsed + valueBytes;
    if (valuesEnd > this.values.length) this.values = grown(this.values, this.valuesUsed, valuesEnd);
  }

  private growColumns(count: number): void {
    const length = Math.max(this.keyStarts.length * 2, count);
    this.keyStarts = grownColumn(this.keyStarts, length);
    this.keyEnds = grownColumn(this.keyEnds, length);
    this.valueStarts = grownColumn(this.valueStarts, length);
    this.valueEnds = grownColumn(this.valueEnds, length);
  }
}

function grown(buffer: Buffer, used: number, length: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(Math.max(buffer.length * 2, length));
  buffer.copy(larger, 0, 0, used);
  return larger;
}

function grownColumn(column: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(length);
  larger.set(column);
  return larger;
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
