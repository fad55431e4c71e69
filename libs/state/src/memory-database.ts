// Owns a task's committed state in memory, for tests and for users who restore from the changelog at every start.
// Like a disk it answers in a later turn, and keeps apart what a crash may lose, so that a test can lose it.
import { assert, orderedTime, readOrderedTime, yieldToIo } from '#libs/core';
import type { BinaryString, Clock } from '#libs/core';
import { binaryFromBytes } from '#libs/serde';
import type { RestoreBatch, StateCheckpoint, StateStoreSpec } from './contract.ts';
import { EMPTY_CHECKPOINT } from './database.ts';
import type { DatabaseBatch, DatabaseRow, ReadColumns, ScanRange, StateDatabase } from './database.ts';
import { OrderedTable, PlainTable } from './memory-table.ts';
import type { MemoryTable, Stored } from './memory-table.ts';

/** A change as it was applied, with what it replaced. */
interface Undo {
  readonly table: MemoryTable;
  readonly key: BinaryString;
  readonly replaced: Stored | undefined;
}

/** What outlives an open database: the stand-in for a task's directory. */
export class MemoryDisk {
  /** By store name: a store keeps its pairs wherever it stands in the topology. */
  readonly tables = new Map<string, MemoryTable>();
  /** By store name: the identity of what wrote it. */
  readonly identities = new Map<string, string>();
  checkpoint: StateCheckpoint = EMPTY_CHECKPOINT;
  locked = false;
  /** Counts deaths: what was opened before the last one can do no more. */
  deaths = 0;
  /** Can the newest batches be lost? Only then is it kept what they replaced. */
  private readonly isLossy: boolean;
  /** Batches written since the last flush, oldest first, with the checkpoint before them. */
  private unsynced: { readonly undo: readonly Undo[]; readonly checkpoint: StateCheckpoint }[] = [];

  constructor(isLossy: boolean) {
    this.isLossy = isLossy;
  }

  get unsyncedBatches(): number {
    return this.unsynced.length;
  }

  table(store: string, kind: StateStoreSpec['kind'] = 'keyValue'): MemoryTable {
    let table = this.tables.get(store);
    if (table === undefined) {
      table = kind === 'ordered' ? new OrderedTable() : new PlainTable();
      this.tables.set(store, table);
    }
    return table;
  }

  apply(changes: readonly MemoryChange[], checkpoint: StateCheckpoint): void {
    const undo: Undo[] = [];
    for (const { table, key, stored } of changes) {
      if (this.isLossy) undo.push({ table, key, replaced: table.get(key) });
      if (stored === null) table.delete(key);
      else table.set(key, stored);
    }
    if (this.isLossy) this.unsynced.push({ undo, checkpoint: this.checkpoint });
    this.checkpoint = checkpoint;
  }

  sync(): void {
    this.unsynced = [];
  }

  /** Takes back the newest `batches` of what was not flushed, as a loss of power would. */
  loseUnsynced(batches: number = this.unsynced.length): void {
    for (let i = 0; i < batches; i++) {
      const last = this.unsynced.pop();
      if (last === undefined) return;
      for (const { table, key, replaced } of last.undo.toReversed()) {
        if (replaced === undefined) table.delete(key);
        else table.set(key, replaced);
      }
      this.checkpoint = last.checkpoint;
    }
  }
}

/** Of a suffix that begins with a time. */
const TIME_BYTES = 8;

interface MemoryChange {
  readonly table: MemoryTable;
  readonly key: BinaryString;
  /** `null`: deleted. */
  readonly stored: Stored | null;
}

export class MemoryDatabase implements StateDatabase {
  readonly checkpoint: StateCheckpoint;
  private readonly disk: MemoryDisk;
  private readonly clock: Clock;
  private readonly tables: readonly MemoryTable[];
  private readonly empty: readonly boolean[];
  private readonly deaths: number;
  private closed = false;

  constructor(disk: MemoryDisk, stores: readonly StateStoreSpec[], clock: Clock) {
    this.disk = disk;
    this.clock = clock;
    this.deaths = disk.deaths;
    this.checkpoint = disk.checkpoint;
    this.tables = stores.map((store) => disk.table(store.name, store.kind));
    this.empty = this.tables.map((table) => table.isEmpty);
  }

  isEmpty(store: number): boolean {
    return this.empty[store]!;
  }

  async read(store: number, keys: readonly BinaryString[], count: number): Promise<ReadColumns> {
    await this.aTurn();
    const table = this.tables[store]!;
    const values: (BinaryString | null)[] = [];
    const timestamps = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      const stored = table.get(keys[i]!);
      values.push(stored === undefined ? null : stored.value);
      timestamps[i] = stored === undefined ? -1 : stored.timestamp;
    }
    return { values, timestamps };
  }

  batch(): DatabaseBatch {
    this.assertOpen();
    const changes: MemoryChange[] = [];
    return {
      put: (store, key, value, timestamp) => {
        changes.push({ table: this.tables[store]!, key, stored: { value, timestamp } });
      },
      delete: (store, key) => {
        changes.push({ table: this.tables[store]!, key, stored: null });
      },
      write: async (checkpoint) => {
        await this.aTurn();
        this.disk.apply(changes, checkpoint);
      },
    };
  }

  async restore(store: number, records: RestoreBatch, checkpoint: StateCheckpoint): Promise<void> {
    this.assertOpen();
    const table = this.tables[store]!;
    const { bytes } = records;
    const changes: MemoryChange[] = [];
    for (let i = 0; i < records.count; i++) {
      const key = binaryFromBytes(bytes.subarray(records.keyStart[i], records.keyEnd[i]));
      const start = records.valueStart[i]!;
      const stored =
        start < 0
          ? null
          : {
              value: binaryFromBytes(bytes.subarray(start, records.valueEnd[i])),
              timestamp: records.timestamps[i]!,
            };
      changes.push({ table, key, stored });
    }
    this.disk.apply(changes, checkpoint);
  }

  async *scan(store: number, range: ScanRange = {}): AsyncGenerator<DatabaseRow> {
    this.assertOpen();
    const rows = this.tables[store]!.scan(range);
    await this.aTurn();
    yield* rows;
  }

  async estimateRows(): Promise<number | null> {
    return null;
  }

  expire(store: number, before: number): void {
    this.tables[store]!.expire(orderedTime(before));
  }

  newestTime(store: number): number | null {
    const { highest } = this.tables[store]!;
    return highest === null || highest.length < TIME_BYTES ? null : readOrderedTime(highest, 0);
  }

  async flush(): Promise<void> {
    this.disk.sync();
  }

  async close(clean: boolean): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    if (this.deaths !== this.disk.deaths) return;
    if (clean) this.disk.sync();
    this.disk.locked = false;
  }

  private async aTurn(): Promise<void> {
    this.assertOpen();
    await yieldToIo(this.clock);
    this.assertOpen();
  }

  private assertOpen(): void {
    assert(!this.closed, 'the in-memory database is closed');
    if (this.deaths !== this.disk.deaths) throw new Error('the process that opened this database is dead');
  }
}
