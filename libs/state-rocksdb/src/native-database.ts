// Owns every call of rocksdb-native. Nothing else imports it. It knows bytes only: no stores, no checkpoints.
//
// Traps of the binding that are closed here (each was seen): what is not a typed array is stored as stray memory; a path
// over 4,096 bytes ends the process; a batch left unflushed makes `close` hang; batches not awaited run out of order;
// buffers are not copied before the flush resolved.
//
// Its public batches build one object of a class with a getter, one promise and one bounds check per operation. Batches of
// thousands put their operations in directly (`_operations`), and take the answers of a read in one call (`_onread`). The
// version is pinned; should the fields be gone all the same, the public methods are used.
import RocksDB from 'rocksdb-native';
import type { Row, Range, RocksOptions } from 'rocksdb-native';
import { assert } from '#libs/core';
import { NativeOperation } from './native-operation.ts';
import type { NativeLayout } from './native-operation.ts';

/** Batches of fewer operations are pooled by the binding, with fields of an earlier use. */
const CAPACITY_MIN = 17;
/** Rows fetched at once by a scan: 1,024 take a third of the time per row that the binding's 8 take. */
const SCAN_CAPACITY = 1024;
/** The same for the few rows of a group: room for 1,024 takes 25 µs more to make. */
const SHORT_SCAN_CAPACITY = 64;
/** Longest path that is surely safe with the longest file name RocksDB appends. */
export const PATH_BYTES_MAX = 3_800;

export type NativeOptions = RocksOptions;

export class NativeDatabase {
  readonly layout: NativeLayout;
  private readonly database: RocksDB;

  private constructor(database: RocksDB, layout: NativeLayout) {
    this.database = database;
    this.layout = layout;
  }

  /** @throws Error whatever RocksDB answered; nothing stays open. */
  static async open(path: string, options: NativeOptions): Promise<NativeDatabase> {
    assert(Buffer.byteLength(path) <= PATH_BYTES_MAX, 'the path of a database was checked');
    const database = new RocksDB(path, options);
    await database.ready();
    return new NativeDatabase(database, probeLayout(database));
  }

  /** True: operations go in directly. */
  get direct(): boolean {
    return this.layout.columnFamily !== undefined;
  }

  /** Writes atomically. The operations' memory must not change before this resolved. */
  write(operations: NativeOperation[]): Promise<void> {
    const batch = this.database.write({
      capacity: Math.max(CAPACITY_MIN, operations.length),
      autoDestroy: true,
    });
    if (this.direct) {
      batch._operations = operations;
    } else {
      for (const operation of operations) {
        if (operation.type === this.layout.put) batch.tryPut(operation.key, operation.value);
        else batch.tryDelete(operation.key);
      }
    }
    return batch.flush();
  }

  /** One answer per key, `null` where there is none. */
  read(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | null)[]> {
    const count = keys.length;
    const batch = this.database.read({ capacity: Math.max(CAPACITY_MIN, count), autoDestroy: true });
    if (!this.direct) {
      const answers = Promise.all(keys.map((key) => batch.get(key)));
      batch.tryFlush();
      return answers;
    }
    const operations = new Array<NativeOperation>(count);
    for (let i = 0; i < count; i++) {
      const operation = new NativeOperation(this.layout.get, this.layout.columnFamily);
      operation.key = keys[i]!;
      operations[i] = operation;
    }
    batch._operations = operations;
    let found: (Uint8Array | null)[] = [];
    batch._onread = (errors, values) => {
      const error = firstError(errors, count);
      if (error === undefined) found = asBytes(values, count);
      batch._onfinished!(error ?? null);
    };
    return batch.flush().then(() => found);
  }

  async get(key: Uint8Array): Promise<Uint8Array | null> {
    return (await this.read([key]))[0] ?? null;
  }

  /** `isShort`: few rows are expected. */
  scan(range: Range, isShort = false, reverse = false): AsyncIterable<Row> {
    const capacity = isShort ? SHORT_SCAN_CAPACITY : SCAN_CAPACITY;
    return this.database.iterator(range, { capacity, reverse });
  }

  /** About how many bytes a range takes, on disk and in memory. */
  bytesOf(start: Uint8Array, end: Uint8Array): Promise<number> {
    return this.database.approximateSize(start, end, { includeMemtables: true });
  }

  async isEmpty(range: Range): Promise<boolean> {
    return (await this.firstKey(range)) === null;
  }

  async firstKey(range: Range): Promise<Uint8Array | null> {
    for await (const { key } of this.database.iterator(range, { capacity: 1, limit: 1 })) return key;
    return null;
  }

  async deleteRange(start: Uint8Array, end: Uint8Array): Promise<void> {
    const batch = this.database.write({ capacity: CAPACITY_MIN, autoDestroy: true });
    batch.tryDeleteRange(start, end);
    await batch.flush();
  }

  /** Moves memtables into tables and makes them durable. */
  flush(): Promise<void> {
    return this.database.flush();
  }

  /** A RocksDB property, such as `rocksdb.estimate-num-keys`. */
  property(name: string): Promise<string | undefined> {
    return this.database.getProperty(name);
  }

  close(): Promise<void> {
    return this.database.close();
  }
}

const PUBLIC_LAYOUT: NativeLayout = { put: 1, delete: 2, get: 1, columnFamily: undefined };

interface BindingOperation {
  readonly type?: unknown;
  readonly key?: unknown;
  readonly columnFamily?: unknown;
}

// Lets the binding build one operation of each kind and looks at what it made.
function probeLayout(database: RocksDB): NativeLayout {
  const key = new Uint8Array(1);
  const write = database.write({ capacity: CAPACITY_MIN, autoDestroy: true });
  write.tryPut(key, key);
  write.tryDelete(key);
  const read = database.read({ capacity: CAPACITY_MIN, autoDestroy: true });
  const answer = read.get(key);
  answer.catch(() => undefined);
  const [put, remove] = (write._operations ?? []) as BindingOperation[];
  const [get] = (read._operations ?? []) as BindingOperation[];
  const handlers = typeof read._onread === 'function' && typeof read._onfinished === 'function';
  // Both batches must end before the database may be closed.
  (write as unknown as { destroy(): void }).destroy();
  read.destroy();
  if (
    handlers &&
    put?.key === key &&
    get?.key === key &&
    put.columnFamily instanceof ArrayBuffer &&
    remove?.columnFamily === put.columnFamily &&
    get.columnFamily === put.columnFamily &&
    typeof put.type === 'number' &&
    typeof remove.type === 'number' &&
    typeof get.type === 'number'
  ) {
    return { put: put.type, delete: remove.type, get: get.type, columnFamily: put.columnFamily };
  }
  return PUBLIC_LAYOUT;
}

function firstError(errors: readonly (Error | undefined)[], count: number): Error | undefined {
  for (let i = 0; i < count; i++) if (errors[i] !== undefined) return errors[i];
  return undefined;
}

function asBytes(values: readonly (ArrayBuffer | null)[], count: number): (Uint8Array | null)[] {
  const bytes = new Array<Uint8Array | null>(count);
  for (let i = 0; i < count; i++) {
    const value = values[i];
    bytes[i] = value === null || value === undefined ? null : new Uint8Array(value);
  }
  return bytes;
}
