import { afterAll, describe, expect, it } from '@jest/globals';
import { NativeDatabase } from '../src/native-database.ts';
import { NativeOperation } from '../src/native-operation.ts';
import { removeTemporaryDirectories, temporaryDirectory } from './support.ts';

afterAll(removeTemporaryDirectories);

function operation(database: NativeDatabase, key: string, value: string | null): NativeOperation {
  const made = new NativeOperation(
    value === null ? database.layout.delete : database.layout.put,
    database.layout.columnFamily,
  );
  made.key = Buffer.from(key);
  made.value = Buffer.from(value ?? '');
  return made;
}

describe('the RocksDB binding', () => {
  it('still has the layout that lets operations go in directly', async () => {
    const database = await NativeDatabase.open(temporaryDirectory(), { createIfMissing: true });
    expect(database.direct).toBe(true);
    await database.close();
  });

  it.each(['directly', 'by the public methods'])('writes and reads %s', async (way) => {
    const database = await NativeDatabase.open(temporaryDirectory(), { createIfMissing: true });
    if (way !== 'directly')
      Object.assign(database, { layout: { ...database.layout, columnFamily: undefined } });
    expect(database.direct).toBe(way === 'directly');
    const keys = Array.from({ length: 40 }, (_, i) => `key-${i}`);
    await database.write(keys.map((key) => operation(database, key, `value of ${key}`)));
    await database.write([operation(database, 'key-3', null)]);
    const found = await database.read([...keys, 'absent'].map((key) => Buffer.from(key)));
    expect(found.map((value) => (value === null ? null : Buffer.from(value).toString()))).toEqual([
      ...keys.map((key) => (key === 'key-3' ? null : `value of ${key}`)),
      null,
    ]);
    await database.close();
  });
});
