// Owns changing rows of a task's database behind everybody's back, for specs that must notice.
import type { BinaryString } from '#libs/core';
import { RESERVED_KEYS, decodeIdentity, storeRange } from '../src/key-format.ts';
import { NativeDatabase } from '../src/native-database.ts';
import { NativeOperation } from '../src/native-operation.ts';
import { StoreKeys } from '../src/store-keys.ts';

/** As it lies in the database: with the store's number before the key, and the timestamp (8 bytes) before the value. */
export interface RawRow {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export interface RawChanges {
  put(key: Uint8Array, value: Uint8Array): Promise<void>;
  remove(key: Uint8Array): Promise<void>;
  /** Of a store whose rows do not expire. */
  keyOf(key: string): Uint8Array;
}

/** Opens the database in a task's folder, which nobody has open. */
export async function withRows(
  directory: string,
  store: string,
  use: (rows: readonly RawRow[], changes: RawChanges) => Promise<void>,
): Promise<void> {
  const native = await NativeDatabase.open(directory, { createIfMissing: false });
  try {
    const { number, segmentMs = 0 } = decodeIdentity((await native.get(RESERVED_KEYS.identity))!).stores[
      store
    ]!;
    const keys = new StoreKeys(number, segmentMs);
    const rows: RawRow[] = [];
    for await (const { key, value } of native.scan(storeRange(number)))
      rows.push({ key: Uint8Array.from(key), value: Uint8Array.from(value) });
    await use(rows, {
      async put(key, value) {
        const operation = new NativeOperation(native.layout.put, native.layout.columnFamily);
        operation.key = key;
        operation.value = value;
        await native.write([operation]);
      },
      remove: (key) => native.deleteRange(key, Buffer.concat([key, Buffer.from([0])])),
      keyOf: (key) => keys.databaseKey(key as BinaryString),
    });
    await native.flush();
  } finally {
    await native.close();
  }
}
