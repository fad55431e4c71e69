// Owns a database whose writes a spec holds, counts and fails; otherwise it is the in-memory one.
import type { BinaryString, Clock } from '#libs/core';
import type {
  DatabaseBatch,
  DatabaseRow,
  ReadColumns,
  RestoreBatch,
  ScanRange,
  StateCheckpoint,
  StateDatabase,
  StateStoreSpec,
} from '#libs/state';
import { MemoryDatabase, MemoryDisk } from '../src/memory-database.ts';
import { bin } from './support.ts';

export class GatedDatabase implements StateDatabase {
  readonly checkpoint: StateCheckpoint;
  readonly batches: { epochId: number; changes: Record<string, string | null> }[] = [];
  readonly keysRead: string[] = [];
  checkpointWritten: StateCheckpoint | undefined;
  closed: 'open' | 'clean' | 'dirty' = 'open';

  private readonly inner: MemoryDatabase;
  private failure: Error | null = null;
  private gates: (() => void)[] = [];
  private holding = false;
  private readGates: (() => void)[] = [];
  private holdingReads = false;

  /** `stored`: what the first store holds already. */
  constructor(stores: readonly StateStoreSpec[], stored: Record<string, string>, clock: Clock) {
    const disk = new MemoryDisk(false);
    for (const [key, value] of Object.entries(stored)) {
      disk.table(stores[0]!.name).set(bin(key), { value: bin(value), timestamp: 0 });
    }
    this.inner = new MemoryDatabase(disk, stores, clock);
    this.checkpoint = this.inner.checkpoint;
  }

  /** Writes wait from here on. */
  hold(): void {
    this.holding = true;
  }

  /** Reads and scans wait from here on, before they look at anything. */
  holdReads(): void {
    this.holdingReads = true;
  }

  /** Those that come from here on do not wait. */
  passReads(): void {
    this.holdingReads = false;
  }

  releaseReads(): void {
    this.holdingReads = false;
    for (const gate of this.readGates.splice(0)) gate();
  }

  release(): void {
    this.holding = false;
    for (const gate of this.gates.splice(0)) gate();
  }

  fail(error: Error | null): void {
    this.failure = error;
  }

  isEmpty(store: number): boolean {
    return this.inner.isEmpty(store);
  }

  read(store: number, keys: readonly BinaryString[], count: number): Promise<ReadColumns> {
    this.keysRead.push(...keys.slice(0, count));
    if (!this.holdingReads) return this.inner.read(store, keys, count);
    return this.readGate().then(() => this.inner.read(store, keys, count));
  }

  batch(): DatabaseBatch {
    const inner = this.inner.batch();
    const changes: Record<string, string | null> = {};
    return {
      put: (store, key, value, timestamp) => {
        changes[key] = value;
        inner.put(store, key, value, timestamp);
      },
      delete: (store, key) => {
        changes[key] = null;
        inner.delete(store, key);
      },
      write: async (checkpoint) => {
        if (this.holding) await new Promise<void>((resolve) => this.gates.push(resolve));
        if (this.failure !== null) throw this.failure;
        await inner.write(checkpoint);
        this.checkpointWritten = checkpoint;
        this.batches.push({ epochId: checkpoint.epochId, changes });
      },
    };
  }

  restore(store: number, records: RestoreBatch, checkpoint: StateCheckpoint): Promise<void> {
    return this.inner.restore(store, records, checkpoint);
  }

  async *scan(store: number, range?: ScanRange): AsyncGenerator<DatabaseRow> {
    if (this.holdingReads) await this.readGate();
    yield* this.inner.scan(store, range);
  }

  private readGate(): Promise<void> {
    return new Promise((resolve) => this.readGates.push(resolve));
  }

  estimateRows(): Promise<number | null> {
    return this.inner.estimateRows();
  }

  expire(store: number, before: number): void {
    this.inner.expire(store, before);
  }

  newestTime(store: number): number | null {
    return this.inner.newestTime(store);
  }

  flush(): Promise<void> {
    return this.inner.flush();
  }

  close(clean: boolean): Promise<void> {
    this.closed = clean ? 'clean' : 'dirty';
    return this.inner.close(clean);
  }
}
