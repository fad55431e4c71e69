import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readTimestamp, writeTimestamp } from '../src/key-format.ts';
import { orderByKey } from '../src/key-order.ts';
import { NativeOperation } from '../src/native-operation.ts';
import { OperationArena } from '../src/operation-arena.ts';
import { StoreKeys } from '../src/store-keys.ts';
import { bin, restoreBatch } from '../../state/test/support.ts';

const layout = { put: 1, delete: 2, get: 1, columnFamily: new ArrayBuffer(8) };
const stores = [1, 2, 3].map((number) => new StoreKeys(number, 0));
const first = new NativeOperation(layout.put, layout.columnFamily);

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** What a batch does to an empty database, by key with its store number. */
function applied(operations: readonly NativeOperation[]): Map<string, string> {
  const database = new Map<string, string>();
  for (const { type, key, value } of operations.slice(1)) {
    if (type === layout.delete) database.delete(text(key));
    else database.set(text(key), text(value.subarray(8)));
  }
  return database;
}

const change = fc.record({
  store: fc.integer({ min: 1, max: 3 }),
  key: fc.oneof(
    fc.constantFrom('', 'a', 'ab', 'same-prefix-1', 'same-prefix-2', 'same-prefix-22'),
    fc.string({ maxLength: 40 }),
  ),
  value: fc.option(fc.string({ maxLength: 60 }), { freq: 5 }),
});
const latin1 = (s: string): string => Buffer.from(s, 'utf8').toString('latin1');

describe('a batch of operations', () => {
  it('deletes also what makes its memory grow', () => {
    const arena = new OperationArena(layout);
    for (let i = 0; i < 2_000; i++) arena.delete(stores[0]!, bin(`key-${i}`));
    const types = arena
      .complete(first)
      .slice(1)
      .map(({ type }) => type);
    expect(types).toEqual(Array.from({ length: 2_000 }, () => layout.delete));
  });

  it('does in its own order what the changes do in theirs, batch after batch in the same memory', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(change, { maxLength: 200, size: 'max' }), { maxLength: 4 }),
        (batches) => {
          const arena = new OperationArena(layout);
          for (const changes of batches) {
            const expected = new Map<string, string>();
            for (const { store, key, value } of changes) {
              const id = `\0${String.fromCharCode(store)}${latin1(key)}`;
              if (value === null) {
                arena.delete(stores[store - 1]!, bin(latin1(key)));
                expected.delete(id);
              } else {
                arena.put(stores[store - 1]!, bin(latin1(key)), bin(latin1(value)), 5);
                expected.set(id, latin1(value));
              }
            }
            const operations = arena.complete(first);
            expect(operations).toHaveLength(changes.length + 1);
            expect(operations[0]).toBe(first);
            expect(applied(operations)).toEqual(expected);
            arena.reset();
          }
        },
      ),
      { numRuns: 60, interruptAfterTimeLimit: 20_000 },
    );
  });

  it('takes columns of changelog records as it takes single changes', () => {
    const records = Array.from({ length: 300 }, (_, i) => ({
      key: `key-${(i * 37) % 100}`,
      value: i % 7 === 0 ? null : 'v'.repeat(i % 50) + String(i),
      timestamp: i - 5,
    }));
    const ninth = new StoreKeys(9, 0);
    const columns = new OperationArena(layout);
    columns.putColumns(ninth, restoreBatch(records.slice(0, 100)));
    columns.putColumns(ninth, restoreBatch(records.slice(100)));
    const single = new OperationArena(layout);
    for (const { key, value, timestamp } of records) {
      if (value === null) single.delete(ninth, bin(key));
      else single.put(ninth, bin(key), bin(value), timestamp);
    }
    const bytes = (operations: readonly NativeOperation[]): string[] =>
      operations.map(
        ({ type, key, value }) => `${type} ${text(key)} ${type === layout.put ? text(value) : ''}`,
      );
    expect(bytes(columns.complete(first))).toEqual(bytes(single.complete(first)));
  });

  it('orders keys of a store by where they first differ, and equal ones as they came', () => {
    const keys = Array.from(
      { length: 500 },
      (_, i) => `\0\x01prefix-${String((i * 7919) % 250).padStart(4, '0')}`,
    );
    const bytes = Buffer.from(keys.join(''), 'latin1');
    const starts = new Int32Array(500).map((_, i) => i * keys[0]!.length);
    const ends = starts.map((start) => start + keys[0]!.length);
    const order = [...orderByKey(bytes, starts, ends, 500)!.subarray(0, 500)];
    const expected = keys
      .map((_, i) => i)
      .sort((a, b) => (keys[a]! < keys[b]! ? -1 : keys[a]! > keys[b]! ? 1 : a - b));
    expect(order).toEqual(expected);
  });
});

describe('a timestamp before a value', () => {
  it.each([0, 1, -1, 2 ** 31, 2 ** 32 + 7, -(2 ** 40), 1_700_000_000_123, Number.MAX_SAFE_INTEGER])(
    'comes back as it was: %p',
    (timestamp) => {
      const bytes = new Uint8Array(10);
      writeTimestamp(bytes, 1, timestamp);
      expect(readTimestamp(bytes, 1)).toBe(timestamp);
    },
  );
});
