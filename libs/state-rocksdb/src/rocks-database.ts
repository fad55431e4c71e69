// Owns one task's state in RocksDB: stores as key prefixes, the checkpoint in the same batch as what it covers.
// It never opens directories (task-directory.ts) and never knows epochs (libs/state).
//
// 1. One write is under way at a time, in the order asked for: batches not awaited would run out of order.
// 2. Restores that arrive while one is written are written together: fewer, larger batches are cheaper per record.
// 3. The newest checkpoint asked for is in every batch, so a batch is consistent whatever it merged.
import type { BinaryString } from '#libs/core';
import type {
  DatabaseBatch,
  DatabaseRow,
  ReadColumns,
  RestoreBatch,
  ScanRange,
  StateCheckpoint,
  StateDatabase,
} from '#libs/state';
import { RESERVED_KEYS, TIMESTAMP_BYTES, encodeCheckpoint, readTimestamp, storeRange } from './key-format.ts';
import { readBinary, writeBinary } from './native-buffer.ts';
import type { NativeDatabase } from './native-database.ts';
import { NativeOperation } from './native-operation.ts';
import { mergeRows } from './merge-rows.ts';
import { OperationArena } from './operation-arena.ts';
import type { ReachedNote } from './reached-note.ts';
import type { StoreKeys } from './store-keys.ts';

/** Keys in one native read. Several run beside each other on libuv's threads. */
const READ_KEYS_MAX = 2_048;
const READS_PARALLEL_MAX = 4;
/** Arenas kept for the next batch: one being written, one being filled. */
const ARENAS_KEPT = 2;
/** Up to so many rows a scan is a short one. */
const SHORT_SCAN_ROWS = 128;

interface RestoreInProgress {
  readonly arena: OperationArena;
  checkpoint: StateCheckpoint;
  readonly written: Promise<void>;
}

export class RocksDatabase implements StateDatabase {
  readonly checkpoint: StateCheckpoint;
  /** As of the last write that succeeded. */
  written: StateCheckpoint;

  private readonly note: ReachedNote;
  private readonly native: NativeDatabase;
  /** By store position. */
  private readonly stores: readonly StoreKeys[];
  private readonly empty: readonly boolean[];
  private readonly release: () => void;
  private readonly arenas: OperationArena[] = [];
  /** The last write handed over; the next one starts after it. */
  private lastWrite: Promise<void> = Promise.resolve();
  /** Restores that wait for the write before them, and can still be joined. */
  private nextRestore: RestoreInProgress | null = null;
  private closing: Promise<void> | null = null;

  constructor(
    native: NativeDatabase,
    checkpoint: StateCheckpoint,
    stores: readonly StoreKeys[],
    empty: readonly boolean[],
    note: ReachedNote,
    release: () => void,
  ) {
    this.note = note;
    this.written = checkpoint;
    this.native = native;
    this.checkpoint = checkpoint;
    this.stores = stores;
    this.empty = empty;
    this.release = release;
  }

  isEmpty(store: number): boolean {
    return this.empty[store]!;
  }

  async read(store: number, keys: readonly BinaryString[], count: number): Promise<ReadColumns> {
    const keysOf = this.stores[store]!;
    const values = new Array<BinaryString | null>(count);
    const timestamps = new Float64Array(count);
    const step = Math.min(READ_KEYS_MAX, Math.max(256, Math.ceil(count / READS_PARALLEL_MAX)));
    const parts: Promise<void>[] = [];
    for (let from = 0; from < count; from += step) {
      const to = Math.min(count, from + step);
      parts.push(this.readPart(keysOf, keys, from, to, values, timestamps));
    }
    await Promise.all(parts);
    return { values, timestamps };
  }

  batch(): DatabaseBatch {
    const arena = this.arenas.pop() ?? new OperationArena(this.native.layout);
    const { stores } = this;
    return {
      put: (store, key, value, timestamp) => arena.put(stores[store]!, key, value, timestamp),
      delete: (store, key) => arena.delete(stores[store]!, key),
      write: (checkpoint) => this.enqueue(arena, () => checkpoint),
    };
  }

  restore(store: number, records: RestoreBatch, checkpoint: StateCheckpoint): Promise<void> {
    let next = this.nextRestore;
    if (next === null) {
      const arena = this.arenas.pop() ?? new OperationArena(this.native.layout);
      // The checkpoint is read when the batch is written: it is that of the last restore that joined.
      const written = this.enqueue(arena, () => {
        const joined = this.nextRestore!;
        this.nextRestore = null;
        return joined.checkpoint;
      });
      next = { arena, checkpoint, written };
      this.nextRestore = next;
    }
    next.arena.putColumns(this.stores[store]!, records);
    next.checkpoint = checkpoint;
    return next.written;
  }

  scan(store: number, range: ScanRange = {}): AsyncIterable<DatabaseRow> {
    const keys = this.stores[store]!;
    if (!keys.isSegmented) return this.scanSegment(keys, 0, range);
    const segments = keys.segmentsOf(range);
    if (segments.length === 1) return this.scanSegment(keys, segments[0]!, range);
    return mergeRows(
      segments.map((segment) => this.scanSegment(keys, segment, range)),
      range.descending === true,
    );
  }

  /** By the share that the store has of the bytes of all. */
  async estimateRows(store: number): Promise<number | null> {
    const rows = Number(await this.native.property('rocksdb.estimate-num-keys'));
    if (!Number.isFinite(rows)) return null;
    const bytes = await Promise.all(
      this.stores.map(({ number }) => {
        const { gte, lt } = storeRange(number);
        return this.native.bytesOf(gte, lt);
      }),
    );
    const all = bytes.reduce((sum, of) => sum + of, 0);
    return all === 0 ? 0 : Math.round((rows * bytes[store]!) / all);
  }

  expire(store: number, before: number): void {
    const keys = this.stores[store]!;
    if (!keys.isSegmented) return;
    for (const segment of keys.takeExpired(before)) {
      const { gte, lt } = keys.bounds(segment);
      const dropped = this.lastWrite.then(() => this.native.deleteRange(gte, lt));
      this.lastWrite = dropped;
      dropped.catch(() => undefined);
    }
  }

  newestTime(store: number): number | null {
    const { isSegmented, newestTime } = this.stores[store]!;
    return isSegmented && Number.isFinite(newestTime) ? newestTime : null;
  }

  async flush(): Promise<void> {
    await this.lastWrite;
    await this.native.flush();
  }

  close(clean: boolean): Promise<void> {
    this.closing ??= this.closeOnce(clean);
    return this.closing;
  }

  private async closeOnce(clean: boolean): Promise<void> {
    try {
      await this.lastWrite.catch(() => undefined);
      // Also when dirty: what is written is committed, and a database that was flushed opens in milliseconds.
      await this.native.flush().catch((error: unknown) => {
        if (clean) throw error;
      });
    } finally {
      await this.note.close();
      await this.native.close();
      this.release();
    }
  }

  private async *scanSegment(
    keys: StoreKeys,
    segment: number,
    range: ScanRange,
  ): AsyncGenerator<DatabaseRow, void> {
    const bounds = keys.bounds(segment);
    const gte = range.from === undefined ? bounds.gte : keys.databaseKey(range.from, segment);
    const lt = range.to === undefined ? bounds.lt : keys.databaseKey(range.to, segment);
    if (gte.compare(lt) >= 0) return;
    const isShort =
      range.expected === undefined ? range.from !== undefined : range.expected < SHORT_SCAN_ROWS;
    for await (const { key, value } of this.native.scan({ gte, lt }, isShort, range.descending)) {
      yield {
        key: readBinary(key, keys.prefixBytes, key.length),
        value: readBinary(value, TIMESTAMP_BYTES, value.length),
        timestamp: readTimestamp(value, 0),
      };
    }
  }

  private enqueue(arena: OperationArena, checkpoint: () => StateCheckpoint): Promise<void> {
    const before = this.lastWrite;
    const written = before.then(() => this.write(arena, checkpoint()));
    // A failed write stops those behind it; each of them reports the failure to who asked for it.
    this.lastWrite = written;
    written.catch(() => undefined);
    return written;
  }

  private async write(arena: OperationArena, checkpoint: StateCheckpoint): Promise<void> {
    const operation = new NativeOperation(this.native.layout.put, this.native.layout.columnFamily);
    operation.key = RESERVED_KEYS.checkpoint;
    operation.value = encodeCheckpoint(checkpoint, this.stores);
    await this.native.write(arena.complete(operation));
    this.written = checkpoint;
    this.note.offer(operation.value);
    arena.reset();
    if (this.arenas.length < ARENAS_KEPT && arena.reusable) this.arenas.push(arena);
  }

  private async readPart(
    keysOf: StoreKeys,
    keys: readonly BinaryString[],
    from: number,
    to: number,
    values: (BinaryString | null)[],
    timestamps: Float64Array,
  ): Promise<void> {
    const found = await this.native.read(packKeys(keysOf, keys, from, to));
    for (let i = from; i < to; i++) {
      const value = found[i - from]!;
      if (value === null) {
        values[i] = null;
        timestamps[i] = -1;
      } else {
        values[i] = readBinary(value, TIMESTAMP_BYTES, value.length);
        timestamps[i] = readTimestamp(value, 0);
      }
    }
  }
}

function packKeys(store: StoreKeys, keys: readonly BinaryString[], from: number, to: number): Uint8Array[] {
  const { prefixBytes } = store;
  let bytes = 0;
  for (let i = from; i < to; i++) bytes += prefixBytes + keys[i]!.length;
  const packed = Buffer.allocUnsafeSlow(bytes);
  const views = new Array<Uint8Array>(to - from);
  let at = 0;
  for (let i = from; i < to; i++) {
    const key = keys[i]!;
    store.writePrefix(packed, at, store.isSegmented ? store.segmentOf(key) : 0);
    writeBinary(packed, key, at + prefixBytes);
    views[i - from] = new Uint8Array(packed.buffer, at, prefixBytes + key.length);
    at += prefixBytes + key.length;
  }
  return views;
}
