// Owns what is committed and not yet in the database: merging epochs, building one batch off the hot path, writing it.
// It never writes what is not committed, and never has more than one write under way.
//
// 1. While a batch is built, later commits wait in `committed`: the batch is one moment, keys and offsets agree.
// 2. An entry changed again while its value is being written is pending again; only what the write covered becomes clean.
// 3. Once a write failed nothing more is written: what the database holds is its last good write.
import { FatalError, TaskCorruptedError, asError, yieldToIo } from '#libs/core';
import type { Clock, Logger, Timer } from '#libs/core';
import type { EpochCommit, StateCheckpoint, StateStoreSpec } from './contract.ts';
import type { DatabaseBatch, StateDatabase } from './database.ts';
import { WriteState, versionAt, versionBytes } from './entry.ts';
import type { Entry } from './entry.ts';
import type { CacheAccount, Layer } from './layers.ts';
import { isMachineFault } from './machine-fault.ts';

/** How long building a batch may hold the loop. */
const SLICE_MS = 2;
/** Entries between two looks at the clock. */
const SLICE_ENTRIES = 128;

/** What an operation of a batch takes besides key and value; it also makes many small values come due in time. */
const OPERATION_BYTES = 64;

export interface WriteBehindOptions {
  readonly taskId: string;
  readonly writeBehindBytes: number;
  readonly writeBehindIntervalMs: number;
  readonly stores: readonly StateStoreSpec[];
}

interface CommittedLayer {
  readonly layer: Layer;
  readonly commit: EpochCommit;
}

export class WriteBehind {
  failure: Error | null = null;

  private readonly options: WriteBehindOptions;
  private readonly database: StateDatabase;
  private readonly account: CacheAccount;
  private readonly clock: Clock;
  private readonly logger: Logger;

  /** Committed while a batch was being built; oldest first. */
  private readonly committed: CommittedLayer[] = [];
  private committedBytes = 0;
  private pending: Entry[] = [];
  /** Of the batch being built or written. */
  private writingEntries: readonly Entry[] = [];
  /** Reads of the database that are to see it as it was when they began. */
  private readonly readers = new Set<Promise<void>>();
  private pendingBytes = 0;
  private writingBytes = 0;
  /** What the pending entries reach. */
  private checkpoint: StateCheckpoint;
  private checkpointPending = false;
  private settledEpoch = 0;
  /** By store position: what the epochs up to `settledEpoch` say is expired. Dropped once they are written. */
  private expireBefore = new Map<number, number>();
  private readonly storeIndex = new Map<string, number>();

  private building = false;
  private writing: Promise<void> | null = null;
  private timer: Timer | null = null;
  private stopped = false;

  constructor(
    options: WriteBehindOptions,
    database: StateDatabase,
    account: CacheAccount,
    clock: Clock,
    logger: Logger,
  ) {
    this.options = options;
    this.database = database;
    this.account = account;
    this.clock = clock;
    this.logger = logger;
    this.checkpoint = database.checkpoint;
    for (const [index, { name }] of options.stores.entries()) this.storeIndex.set(name, index);
  }

  /** Keys and values that are committed and not written. */
  get bytes(): number {
    return this.committedBytes + this.pendingBytes + this.writingBytes;
  }

  /** Internal number of the newest committed epoch. */
  get committedEpoch(): number {
    return this.committed.at(-1)?.layer.epoch ?? this.settledEpoch;
  }

  get idle(): boolean {
    return this.writing === null && this.pending.length === 0 && !this.checkpointPending;
  }

  /** What the database reaches once everything taken so far is written. */
  get reached(): StateCheckpoint {
    return this.checkpoint;
  }

  take(layer: Layer, commit: EpochCommit): void {
    if (this.building) {
      this.committed.push({ layer, commit });
      this.committedBytes += layer.bytes;
    } else {
      this.settle(layer, commit);
    }
    if (this.failure !== null || this.stopped || this.writing !== null) return;
    this.startWhenDue();
  }

  /** Every entry whose newest committed value the database may lack; one may come several times. */
  eachUnwritten(visit: (entry: Entry) => void): void {
    for (const entry of this.writingEntries) if (entry.writeState !== WriteState.CLEAN) visit(entry);
    for (const entry of this.pending) visit(entry);
    for (const { layer } of this.committed) for (const entry of layer.entries) visit(entry);
  }

  /**
   * Nothing committed from now on reaches the database until the returned function is called. What a write that is under way holds is
   * committed already: whoever reads knows it by `eachUnwritten`, and no write waits for reads that began after it.
   */
  holdWrites(): () => void {
    let release!: () => void;
    const reading = new Promise<void>((resolve) => (release = resolve));
    this.readers.add(reading);
    return () => {
      this.readers.delete(reading);
      release();
    };
  }

  /** As of the newest committed epoch; `undefined`: nothing is known of the store. */
  committedOffset(store: string): number | undefined {
    for (let i = this.committed.length - 1; i >= 0; i--) {
      const offset = this.committed[i]!.commit.changelogOffsets.get(store);
      if (offset !== undefined) return offset;
    }
    return this.checkpoint.changelogOffsets.get(store);
  }

  /** Replaces the checkpoint's metadata, or what a restore reached; written with the next batch. */
  setCheckpoint(checkpoint: StateCheckpoint): void {
    this.checkpoint = checkpoint;
    this.checkpointPending = true;
  }

  /** The restore wrote this itself. */
  restoredTo(checkpoint: StateCheckpoint): void {
    this.checkpoint = checkpoint;
  }

  /** Resolves when nothing that was committed before is unwritten. @throws TaskCorruptedError or FatalError MILLRACE_STATE_FAILED, as `fail` */
  async flush(): Promise<void> {
    while (this.failure === null && !this.idle) {
      if (this.writing === null) this.start();
      await this.writing;
    }
    if (this.failure !== null) throw this.failure;
  }

  /** Starts no further write; resolves when the one under way has ended, well or not. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.timer?.cancel();
    this.timer = null;
    await this.writing;
  }

  /**
   * Records that the database failed; nothing is written from here on. A TaskCorruptedError: the state is given up for its changelog.
   * A FatalError: the machine is at fault, and what lies on its disk stays there to go on from.
   */
  fail(cause: unknown): Error {
    if (this.failure !== null) return this.failure;
    const { taskId } = this.options;
    const message = `The state of task ${taskId} could not be read or written: ${causeOf(cause)}.`;
    const common = { code: 'MILLRACE_STATE_FAILED', message, cause, context: { taskId } } as const;
    this.failure = isMachineFault(cause)
      ? new FatalError({
          ...common,
          remedy:
            'Look at free space, permissions and health of the state directory, then start again: the state is at its last good write.',
        })
      : new TaskCorruptedError([taskId], {
          ...common,
          remedy:
            'Look at free space and permissions of the state directory; the task is restored from its changelog.',
        });
    return this.failure;
  }

  private startWhenDue(): void {
    if (this.pendingBytes >= this.options.writeBehindBytes) {
      this.start();
    } else if (this.timer === null && (this.pending.length > 0 || this.checkpointPending)) {
      this.timer = this.clock.schedule(
        this.options.writeBehindIntervalMs,
        () => {
          this.timer = null;
          if (this.writing === null && !this.stopped && this.failure === null && !this.idle) this.start();
        },
        true,
      );
    }
  }

  private start(): void {
    this.timer?.cancel();
    this.timer = null;
    this.writing = this.write().then(
      () => this.ended(),
      (error: unknown) => {
        this.logger.error('a write to the state database failed', {
          taskId: this.options.taskId,
          error: this.fail(error).message,
        });
        this.ended();
      },
    );
  }

  private ended(): void {
    this.writing = null;
    this.building = false;
    this.settleCommitted();
    if (this.failure === null && !this.stopped) this.startWhenDue();
  }

  private async write(): Promise<void> {
    const entries = this.pending;
    const epoch = this.settledEpoch;
    const checkpoint = this.checkpoint;
    const { expireBefore } = this;
    this.expireBefore = new Map();
    this.building = true;
    this.pending = [];
    this.writingEntries = entries;
    const readers = this.readers.size === 0 ? null : [...this.readers];
    this.writingBytes = this.pendingBytes;
    this.pendingBytes = 0;
    this.checkpointPending = false;
    const batch = await this.build(entries, epoch);
    this.building = false;
    this.settleCommitted();
    if (readers !== null) await Promise.all(readers);
    await batch.write(checkpoint);
    // Not before: until then the database may be the state of an earlier epoch, to which these rows were not expired.
    for (const [store, time] of expireBefore) this.database.expire(store, time);
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!;
      if (entry.writeState !== WriteState.WRITING) continue;
      entry.writeState = WriteState.CLEAN;
      if (entry.encoded === null && entry.older === null) entry.store.buried(entry);
    }
    this.writingBytes = 0;
    this.writingEntries = [];
  }

  private async build(entries: readonly Entry[], epoch: number): Promise<DatabaseBatch> {
    await yieldToIo(this.clock);
    const batch = this.database.batch(entries.length);
    let sliceStart = this.clock.monotonic();
    for (let i = 0; i < entries.length; i++) {
      if (i % SLICE_ENTRIES === 0 && this.clock.monotonic() - sliceStart > SLICE_MS) {
        await yieldToIo(this.clock);
        sliceStart = this.clock.monotonic();
      }
      const entry = entries[i]!;
      entry.writeState = WriteState.WRITING;
      // Committed offsets name a time to which the row is expired: it is read neither now nor after a restart.
      if (entry.store.isExpired(entry)) continue;
      const version = versionAt(entry, epoch)!;
      if (version.encoded === null) batch.delete(entry.store.index, entry.key);
      else batch.put(entry.store.index, entry.key, version.encoded, version.timestamp);
    }
    return batch;
  }

  private settleCommitted(): void {
    for (const { layer, commit } of this.committed) {
      this.committedBytes -= layer.bytes;
      this.settle(layer, commit);
    }
    this.committed.length = 0;
  }

  // The layer's values become the newest settled ones: what they replaced is never needed again.
  private settle(layer: Layer, commit: EpochCommit): void {
    const epoch = layer.epoch;
    const entries = layer.entries;
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!;
      const version = versionAt(entry, epoch)!;
      const replaced = version.older!;
      version.older = null;
      this.account.cached -= versionBytes(replaced);
      const length = version.encoded === null ? 0 : version.encoded.length;
      if (entry.writeState === WriteState.PENDING) {
        this.pendingBytes += length - (replaced.encoded === null ? 0 : replaced.encoded.length);
      } else {
        entry.writeState = WriteState.PENDING;
        this.pending.push(entry);
        this.pendingBytes += OPERATION_BYTES + entry.key.length + length;
      }
    }
    this.settledEpoch = epoch;
    this.checkpoint = merge(this.checkpoint, layer.epochId, commit);
    this.checkpointPending = true;
    for (const [store, time] of commit.expireBefore ?? []) {
      const index = this.storeIndex.get(store);
      if (index !== undefined && Number.isFinite(time)) this.expireBefore.set(index, time);
    }
  }
}

function merge(before: StateCheckpoint, epochId: number, commit: EpochCommit): StateCheckpoint {
  const changelogOffsets = new Map(before.changelogOffsets);
  for (const [store, offset] of commit.changelogOffsets) changelogOffsets.set(store, offset);
  return { epochId, changelogOffsets, metadata: commit.metadata };
}

/** The binding wraps what RocksDB said; that is what helps. */
function causeOf(error: unknown): string {
  const { message, cause } = asError(error);
  return cause === undefined ? message : `${message} (${asError(cause).message})`;
}
