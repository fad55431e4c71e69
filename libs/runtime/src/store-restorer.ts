// Owns the rebuilding of stores from their changelogs: one reader for all stores that restore, beside the worker's loop.
// It ends a store by position, never by counting records, at the uncommitted end offset (KAFKA-10167). It never touches inputs.
import { RecordColumns } from '#libs/broker';
import type { BrokerClient, FetchedChunk, RecordReader } from '#libs/broker';
import { FatalError, TaskCorruptedError, asError, formatTopicPartition, yieldToIo } from '#libs/core';
import type { Clock, Logger, TopicPartition } from '#libs/core';
import { SchemaPending } from '#libs/serde';
import type { RestoreBatch, TaskState } from '#libs/state';
import type { StoreChangelog } from './cluster-layout.ts';
import type { ExceptionHandler } from './failure-policy.ts';
import { SourceTopicRestore } from './source-topic-restore.ts';

/** Records of one task that may be on their way into its database: one write under way, and the next being gathered. */
const RECORDS_IN_FLIGHT_MAX = 10_000;
/** Chunks taken from the reader and not yet handed to the stores, over all of them. */
const BUFFERED_BYTES_MAX = 4 * 1024 * 1024;
/** Small fetches: their buffers are what a restore takes most memory for. */
const FETCH_BYTES_MAX = 2 * 1024 * 1024;
const PARTITION_BYTES_MAX = 1024 * 1024;
const WAIT_MS = 100;
const PROGRESS_INTERVAL_MS = 2_000;

/** One store's way from the offset its database reached to the end of its changelog. */
interface StoreRestore extends TopicPartition {
  readonly store: string;
  readonly task: TaskRestore;
  readonly startOffset: number;
  readonly endOffset: number;
  /** Makes restored records of those of a source topic; `null`: a changelog's are restored as they are. */
  readonly select: SourceTopicRestore | null;
  /** Position up to which records were handed to the state. */
  position: number;
  /** Fetched and not yet handed over; the first one is in work. */
  readonly chunks: FetchedChunk[];
  batchIndex: number;
}

interface TaskRestore {
  readonly name: string;
  readonly state: TaskState;
  readonly stores: StoreRestore[];
  open: number;
  /** Records. */
  inFlight: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  failed: boolean;
}

export interface RestoreProgress {
  /** `global` for a global store. */
  readonly taskId: string;
  readonly store: string;
  readonly startOffset: number;
  readonly position: number;
  readonly endOffset: number;
}

/** What a store is restored from. A source topic is read up to the committed offset, a changelog to its end. */
export interface RestoreTarget extends StoreChangelog {
  readonly committedOffset: number;
}

export type RestoreListener = (
  event: 'start' | 'batch' | 'end' | 'suspended',
  progress: RestoreProgress,
) => void;

export class StoreRestorer {
  /** Records restored since the start, for metrics. */
  restoredRecords = 0;
  private readonly client: BrokerClient;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly deserialization: ExceptionHandler;
  private readonly listener: RestoreListener | null;
  private readonly reader: RecordReader;
  private readonly stores = new Map<string, StoreRestore>();
  private readonly columns = new RecordColumns();
  private running: Promise<void> | null = null;
  private closed = false;
  private bufferedBytes = 0;
  /** Ends the wait of a full buffer. */
  private onRoom: (() => void) | null = null;
  private lastProgressLog = -Infinity;

  constructor(
    client: BrokerClient,
    clock: Clock,
    logger: Logger,
    deserialization: ExceptionHandler,
    listener: RestoreListener | null,
  ) {
    this.deserialization = deserialization;
    this.client = client;
    this.clock = clock;
    this.logger = logger;
    this.listener = listener;
    this.reader = client.createReader({
      isolation: 'read_committed',
      maxBufferedBytes: BUFFERED_BYTES_MAX,
      fetchMaxBytes: FETCH_BYTES_MAX,
      partitionMaxBytes: PARTITION_BYTES_MAX,
    });
  }

  /** What restores right now. */
  get progress(): readonly RestoreProgress[] {
    return [...this.stores.values()].map((store) => describe(store));
  }

  /**
   * Brings a task's stores up to the end of their changelogs. Call it once the group's committed offsets were read with
   * require_stable: from then on no transaction of an earlier owner is open.
   * @throws TaskCorruptedError the database claims more than the changelog holds, or the changelog no longer reaches back to it.
   */
  async restore(
    name: string,
    state: TaskState,
    changelogs: readonly RestoreTarget[],
    signal: AbortSignal,
  ): Promise<void> {
    if (changelogs.length === 0) return;
    const [ends, starts] = await Promise.all([
      this.client.admin.offsets(changelogs, 'latest', 'read_uncommitted'),
      this.client.admin.offsets(changelogs, 'earliest', 'read_uncommitted'),
    ]);
    // From here to the registration below nothing is awaited: what is cancelled later is found by `cancel`.
    if (signal.aborted) throw new Error(`the restore of task ${name} was cancelled`);
    let pending: TaskRestore | null = null;
    const done = new Promise<void>((resolve, reject) => {
      pending = { name, state, stores: [], open: 0, inFlight: 0, resolve, reject, failed: false };
    });
    const task = pending as unknown as TaskRestore;
    for (const { store, topic, partition, source, committedOffset } of changelogs) {
      const key = formatTopicPartition(topic, partition);
      const end = source === null ? (ends.get(key) ?? 0) : committedOffset;
      const begin = starts.get(key) ?? 0;
      const reached = state.checkpoint.changelogOffsets.get(store);
      if (reached !== undefined && (reached > end || reached < begin))
        throw checkpointOutOfRange(name, store, key, reached, begin, end);
      const from = reached ?? begin;
      if (from >= end) continue;
      task.stores.push({
        store,
        task,
        topic,
        partition,
        startOffset: from,
        endOffset: end,
        select:
          source === null
            ? null
            : new SourceTopicRestore({
                taskId: name,
                source,
                topic,
                partition,
                deserialization: this.deserialization,
                logger: this.logger,
              }),
        position: from,
        chunks: [],
        batchIndex: 0,
      });
    }
    task.open = task.stores.length;
    if (task.open === 0) return;
    for (const store of task.stores) {
      this.stores.set(formatTopicPartition(store.topic, store.partition), store);
      this.reader.assign(store.topic, store.partition, store.position);
      this.listener?.('start', describe(store));
    }
    this.running ??= this.run();
    await done;
  }

  /** Stops restoring a task's stores; what is restored stays. The pending `restore` rejects. */
  cancel(name: string): void {
    for (const [key, store] of this.stores) {
      if (store.task.name !== name) continue;
      this.drop(key, store);
      this.listener?.('suspended', describe(store));
      this.fail(store.task, new Error(`the restore of task ${name} was cancelled`));
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const store of [...this.stores.values()]) this.cancel(store.task.name);
    this.reader.wake();
    this.release(0);
    await this.running;
    await this.reader.close();
  }

  /** Runs while a store restores. It ends in the same turn in which it finds nothing left, so that none is overlooked. */
  private async run(): Promise<void> {
    await yieldToIo(this.clock);
    while (!this.closed && this.stores.size > 0) {
      let chunk: FetchedChunk | undefined;
      try {
        chunk = this.bufferedBytes < BUFFERED_BYTES_MAX ? this.reader.take() : undefined;
      } catch (error) {
        this.onReadFailure(error);
        continue;
      }
      if (chunk !== undefined) {
        this.offer(chunk);
        continue;
      }
      this.finishReached();
      this.logProgress();
      if (this.stores.size === 0) break;
      if (this.bufferedBytes < BUFFERED_BYTES_MAX) await this.reader.waitForChunk(WAIT_MS);
      else await new Promise<void>((resolve) => (this.onRoom = resolve));
    }
    this.running = null;
  }

  private offer(chunk: FetchedChunk): void {
    const store = this.stores.get(formatTopicPartition(chunk.topic, chunk.partition));
    if (store === undefined) return;
    store.chunks.push(chunk);
    this.bufferedBytes += chunk.byteLength;
    this.pump(store);
  }

  /** Hands batches to the state as long as it has room; called again when a write ends. Every task goes on by itself. */
  private pump(store: StoreRestore): void {
    const { task } = store;
    try {
      while (!task.failed && task.inFlight < RECORDS_IN_FLIGHT_MAX) {
        const chunk = store.chunks[0];
        if (chunk === undefined) break;
        const batch = chunk.batches[store.batchIndex];
        if (batch === undefined) {
          this.finishChunk(store, chunk);
          continue;
        }
        this.columns.decode(batch, chunk.startOffset);
        // The state copies the columns before it returns, so the same columns serve the next batch.
        const records =
          store.select === null ? this.columns : store.select.select(this.columns, store.endOffset);
        store.batchIndex++;
        if (records.count === 0) continue;
        this.restoredRecords += records.count;
        this.write(
          store,
          records,
          Math.min(batch.nextOffset, store.select === null ? Infinity : store.endOffset),
        );
      }
    } catch (error) {
      if (error instanceof SchemaPending) this.pumpAfter(store, error.ready);
      else this.fail(task, error);
    }
  }

  private pumpAfter(store: StoreRestore, ready: Promise<void>): void {
    ready.then(
      () => {
        this.pump(store);
        this.settle(store.task);
      },
      (error: unknown) => this.fail(store.task, error),
    );
  }

  private finishChunk(store: StoreRestore, chunk: FetchedChunk): void {
    store.chunks.shift();
    store.batchIndex = 0;
    store.position = chunk.nextOffset;
    this.release(chunk.byteLength);
    this.listener?.('batch', describe(store));
    if (store.position >= store.endOffset) this.finish(store);
  }

  private release(byteLength: number): void {
    this.bufferedBytes -= byteLength;
    const onRoom = this.onRoom;
    this.onRoom = null;
    onRoom?.();
  }

  private write(store: StoreRestore, records: RestoreBatch, nextOffset: number): void {
    const { task } = store;
    const { count } = records;
    task.inFlight += count;
    task.state.restore(store.store, records, nextOffset).then(
      () => this.onWriteEnd(task, count),
      (error: unknown) => {
        this.fail(task, error);
        this.onWriteEnd(task, count);
      },
    );
  }

  private onWriteEnd(task: TaskRestore, count: number): void {
    task.inFlight -= count;
    for (const store of task.stores) this.pump(store);
    this.settle(task);
  }

  /** Stores whose end lies behind control batches only: nothing more will be delivered of them. */
  private finishReached(): void {
    for (const store of this.stores.values()) {
      const position = this.reader.position(store.topic, store.partition);
      if (position < store.endOffset || store.chunks.length > 0) continue;
      store.position = position;
      this.finish(store);
    }
  }

  private finish(store: StoreRestore): void {
    this.drop(formatTopicPartition(store.topic, store.partition), store);
    this.listener?.('end', describe(store));
    store.task.open--;
    this.settle(store.task);
  }

  private settle(task: TaskRestore): void {
    if (task.open === 0 && task.inFlight === 0 && !task.failed) task.resolve();
  }

  private drop(key: string, store: StoreRestore): void {
    this.stores.delete(key);
    this.reader.unassign(store.topic, store.partition);
    for (const chunk of store.chunks.splice(0)) this.release(chunk.byteLength);
  }

  private fail(task: TaskRestore, error: unknown): void {
    if (task.failed) return;
    task.failed = true;
    for (const store of task.stores) {
      const key = formatTopicPartition(store.topic, store.partition);
      if (this.stores.get(key) === store) this.drop(key, store);
    }
    task.reject(error);
  }

  private onReadFailure(error: unknown): void {
    const context = (error as { context?: { topic?: unknown; partition?: unknown } }).context;
    const key = formatTopicPartition(String(context?.topic), Number(context?.partition));
    const store = this.stores.get(key);
    if (store === undefined) {
      const tasks = new Set([...this.stores.values()].map((restoring) => restoring.task));
      for (const task of tasks) this.fail(task, error);
      return;
    }
    this.fail(store.task, changelogUnreadable(store, error));
  }

  private logProgress(): void {
    const now = this.clock.monotonic();
    if (now - this.lastProgressLog < PROGRESS_INTERVAL_MS) return;
    this.lastProgressLog = now;
    for (const store of this.stores.values()) {
      const total = store.endOffset - store.startOffset;
      const percent = Math.min(100, Math.floor(((store.position - store.startOffset) / total) * 100));
      this.logger.info(`Restoring store "${store.store}" of task ${store.task.name}: ${percent} %`, {
        ...describe(store),
      });
    }
  }
}

function describe(store: StoreRestore): RestoreProgress {
  return {
    taskId: store.task.name,
    store: store.store,
    startOffset: store.startOffset,
    position: store.position,
    endOffset: store.endOffset,
  };
}

function checkpointOutOfRange(
  task: string,
  store: string,
  partition: string,
  reached: number,
  begin: number,
  end: number,
): Error {
  return new TaskCorruptedError([task], {
    code: 'MILLRACE_STATE_CORRUPTED',
    message: `Store "${store}" of task ${task} reached changelog offset ${reached}, but ${partition} holds ${begin} to ${end}: the changelog was truncated or created anew.`,
    remedy: 'None needed: the state is set aside and restored from what the changelog holds.',
    context: { task, store, partition, reached, begin, end },
  });
}

function changelogUnreadable(store: StoreRestore, cause: unknown): Error {
  const where = formatTopicPartition(store.topic, store.partition);
  if ((cause as { code?: unknown }).code === 'MILLRACE_OFFSET_OUT_OF_RANGE') {
    return new TaskCorruptedError([store.task.name], {
      code: 'MILLRACE_STATE_CORRUPTED',
      message: `Changelog ${where} was truncated while store "${store.store}" was restored from offset ${store.position}.`,
      remedy: 'None needed: the state is set aside and restored from what the changelog holds.',
      cause,
    });
  }
  return new FatalError({
    code: 'MILLRACE_STATE_FAILED',
    message: `Changelog ${where} of store "${store.store}" cannot be read: ${asError(cause).message}`,
    remedy: 'See the cause; the store is left as it is and goes on from offset of its last write.',
    cause,
  });
}
