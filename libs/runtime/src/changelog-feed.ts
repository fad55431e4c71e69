// Owns the way of changelog records into task states: one reader for many stores, buffered within bounds, handed over batch by batch
// as each state has room. Restores and copies run on it; where a store begins and ends is theirs to say. Positions count, records never.
import { RecordColumns } from '#libs/broker';
import type { BrokerClient, FetchedChunk, RecordReader, RecordReaderOptions } from '#libs/broker';
import { formatTopicPartition, sleep, yieldToIo } from '#libs/core';
import type { Clock, TaskIdText, TopicPartition } from '#libs/core';
import { SchemaPending } from '#libs/serde';
import type { RestoreBatch, TaskState } from '#libs/state';
import { readEnds } from './held-back.ts';
import type { ReadEnds } from './held-back.ts';
import { tooOld } from './local-state.ts';
import { LookUps } from './look-ups.ts';
import type { SourceTopicRestore } from './source-topic-restore.ts';

/** Records of one task that may be on their way into its database: one write under way, and the next being gathered. */
const RECORDS_IN_FLIGHT_MAX = 10_000;
/** Chunks taken from the reader and not yet handed to the stores, over all of them. */
const BUFFERED_BYTES_MAX = 4 * 1024 * 1024;
const WAIT_MS = 100;
/** Between two looks whether reading may go on. */
const HELD_MS = 20;
/** How long records are handed over at a stretch: commits of the tasks that run take several answers, and each waits for the loop. */
const SLICE_MS = 4;

/** A task whose stores are fed. */
export class FedTask {
  readonly name: string;
  readonly state: TaskState;
  readonly stores: FedStore[] = [];
  readonly events: FedTaskEvents;
  /** Records handed to the state and not written yet. */
  inFlight = 0;
  /** It gets nothing any more. */
  ended = false;
  private onIdle: (() => void)[] = [];

  constructor(name: string, state: TaskState, events: FedTaskEvents) {
    this.name = name;
    this.state = state;
    this.events = events;
  }

  /** Resolves when nothing is on its way into the state. */
  idle(): Promise<void> {
    if (this.inFlight === 0) return Promise.resolve();
    return new Promise((resolve) => this.onIdle.push(resolve));
  }

  /** The feed's alone. */
  written(count: number): void {
    this.inFlight -= count;
    if (this.inFlight > 0) return;
    for (const resolve of this.onIdle.splice(0)) resolve();
  }
}

export interface FedTaskEvents {
  /** A chunk of the store is handed over, or its position moved past what holds no records. */
  readonly onAdvance: (store: FedStore) => void;
  /** What was handed over of the task is written. */
  readonly onWritten: () => void;
  /** Once: `store` could not be read, or what was read not be taken, and nothing of the task is fed any more. */
  readonly onFailed: (error: unknown, store: FedStore, stage: 'read' | 'take') => void;
}

export interface FedStore extends TopicPartition {
  readonly store: string;
  readonly task: FedTask;
  readonly startOffset: number;
  /** Records of a source topic from here on are no part of the store yet; of a changelog all are. */
  endOffset: number;
  /** The end will move: nothing of a batch is handed over that lies across it. */
  readonly endMoves: boolean;
  /** Makes restored records of those of a source topic; `null`: a changelog's are restored as they are. */
  readonly select: SourceTopicRestore | null;
  /** Position up to which records were handed to the state. */
  position: number;
  /** Handed to the state. */
  records: number;
}

/** What the feed keeps of a store. */
interface Feeding {
  readonly store: FedStore;
  /** Fetched and not yet handed over; the first one is in work. */
  chunks: FetchedChunk[];
  batchIndex: number;
  /** Its end is reached, and is to move. */
  parked: boolean;
  /** It goes on once other work has had its turn. */
  resting: boolean;
}

export interface ChangelogFeedParts {
  readonly client: BrokerClient;
  readonly clock: Clock;
  readonly reader: Omit<RecordReaderOptions, 'isolation' | 'maxBufferedBytes'>;
  /** Other work has its turn after each chunk. */
  readonly yields: boolean;
  /** False: nothing is taken for now. */
  readonly mayTake: () => boolean;
  /** Called again and again while stores are fed. */
  readonly onTurn: () => void;
}

export class ChangelogFeed {
  private readonly parts: ChangelogFeedParts;
  private readonly reader: RecordReader;
  private readonly feeding = new Map<string, Feeding>();
  private readonly columns = new RecordColumns();
  private readonly lookUps: LookUps;
  private running: Promise<void> | null = null;
  private closed = false;
  private bufferedBytes = 0;
  /** Ends the wait of a full buffer. */
  private onRoom: (() => void) | null = null;

  constructor(parts: ChangelogFeedParts) {
    this.parts = parts;
    // Its task, or the start of the application, asks the same registry and says so.
    this.lookUps = new LookUps(parts.clock, null, 'A restore');
    this.reader = parts.client.createReader({
      ...parts.reader,
      isolation: 'read_committed',
      maxBufferedBytes: BUFFERED_BYTES_MAX,
    });
  }

  /** From its `position` on. A partition feeds one store. */
  add(store: FedStore): void {
    const { topic, partition } = store;
    store.task.stores.push(store);
    const feeding: Feeding = { store, chunks: [], batchIndex: 0, parked: false, resting: false };
    this.feeding.set(formatTopicPartition(topic, partition), feeding);
    this.reader.assign(topic, partition, store.position);
    if (store.endMoves && store.position >= store.endOffset) this.park(feeding);
    this.running ??= this.run();
  }

  remove(store: FedStore): void {
    const key = formatTopicPartition(store.topic, store.partition);
    const feeding = this.feeding.get(key);
    if (feeding?.store !== store) return;
    this.feeding.delete(key);
    this.reader.unassign(store.topic, store.partition);
    this.dropChunks(feeding);
  }

  /** Nothing more is handed to the task's state; `idle` says when what was is written. */
  end(task: FedTask): void {
    task.ended = true;
    for (const store of task.stores) this.remove(store);
  }

  /** Of a store whose end moves. */
  moveEnd(store: FedStore, endOffset: number): void {
    store.endOffset = endOffset;
    const feeding = this.feeding.get(formatTopicPartition(store.topic, store.partition));
    if (feeding?.store !== store || !feeding.parked || endOffset <= store.position) return;
    feeding.parked = false;
    this.reader.resume(store.topic, store.partition);
  }

  /** The end of what may be read of a fed store, as of the last answer; -1: not known. */
  readableEnd(store: FedStore): number {
    const feeding = this.feeding.get(formatTopicPartition(store.topic, store.partition));
    if (feeding?.store !== store) return -1;
    return this.reader.endOffsets(store.topic, store.partition).lastStableOffset;
  }

  /** Of all that are fed. */
  *ends(): Iterable<ReadEnds> {
    for (const { store } of this.feeding.values()) {
      yield readEnds(this.reader, store.topic, store.partition);
    }
  }

  /** Wall clock as of which `readableEnd` is; -1: not known. */
  readableEndKnownAt(store: FedStore): number {
    const feeding = this.feeding.get(formatTopicPartition(store.topic, store.partition));
    return feeding?.store === store ? this.reader.endsKnownAt(store.topic, store.partition) : -1;
  }

  async close(): Promise<void> {
    this.closed = true;
    this.reader.wake();
    this.release(0);
    await this.running;
    await this.reader.close();
  }

  /** Runs while a store is fed. It ends in the same turn in which it finds nothing left, so that none is overlooked. */
  private async run(): Promise<void> {
    const { clock, mayTake, onTurn, yields } = this.parts;
    await yieldToIo(clock);
    let sliceEndsAt = clock.monotonic() + SLICE_MS;
    while (!this.closed && this.feeding.size > 0) {
      onTurn();
      if (!mayTake()) {
        await sleep(clock, HELD_MS);
        continue;
      }
      let chunk: FetchedChunk | undefined;
      try {
        chunk = this.bufferedBytes < BUFFERED_BYTES_MAX ? this.reader.take() : undefined;
      } catch (error) {
        this.onReadFailure(error);
        continue;
      }
      if (chunk !== undefined) {
        this.offer(chunk);
        if (yields || clock.monotonic() >= sliceEndsAt) {
          await yieldToIo(clock);
          sliceEndsAt = clock.monotonic() + SLICE_MS;
        }
        continue;
      }
      this.passEmpty();
      if (this.feeding.size === 0) break;
      if (this.bufferedBytes < BUFFERED_BYTES_MAX) await this.reader.waitForChunk(WAIT_MS);
      else await new Promise<void>((resolve) => (this.onRoom = resolve));
      sliceEndsAt = clock.monotonic() + SLICE_MS;
    }
    this.running = null;
  }

  private offer(chunk: FetchedChunk): void {
    const feeding = this.feeding.get(formatTopicPartition(chunk.topic, chunk.partition));
    if (feeding === undefined) return;
    feeding.chunks.push(chunk);
    this.bufferedBytes += chunk.heldBytes;
    this.pump(feeding);
  }

  /** Hands batches to the state as long as it has room; called again when a write ends. Every task goes on by itself. */
  private pump(feeding: Feeding): void {
    if (feeding.resting) return;
    const { store } = feeding;
    const { task } = store;
    const { clock } = this.parts;
    const sliceEndsAt = clock.monotonic() + SLICE_MS;
    try {
      while (!task.ended && task.inFlight < RECORDS_IN_FLIGHT_MAX) {
        if (clock.monotonic() >= sliceEndsAt) {
          this.rest(feeding);
          break;
        }
        const chunk = feeding.chunks[0];
        if (chunk === undefined) break;
        const batch = chunk.batches[feeding.batchIndex];
        if (batch === undefined) {
          this.finishChunk(feeding, chunk);
          continue;
        }
        if (store.endMoves && batch.nextOffset > store.endOffset) {
          this.park(feeding);
          break;
        }
        this.refuseTooOld(task);
        this.columns.decode(batch, chunk.startOffset);
        // The state copies the columns before it returns, so the same columns serve the next batch.
        const records =
          store.select === null ? this.columns : store.select.select(this.columns, store.endOffset);
        feeding.batchIndex++;
        const next = store.select === null ? batch.nextOffset : Math.min(batch.nextOffset, store.endOffset);
        store.position = Math.max(store.position, next);
        if (records.count > 0) this.write(feeding, records, next);
      }
    } catch (error) {
      if (error instanceof SchemaPending) this.pumpAfter(feeding, this.lookUps.wait(error.ready));
      else this.fail(store, error);
    }
  }

  /**
   * Whoever stood still reads on in a log that may have dropped deletions meanwhile. Before the records are in the state: what goes
   * on from there would be a store that no changelog makes.
   * @throws TaskCorruptedError
   */
  private refuseTooOld({ name, state }: FedTask): void {
    const old = tooOld(name as TaskIdText, state.reached, this.parts.clock.now());
    if (old !== null) throw old;
  }

  private rest(feeding: Feeding): void {
    feeding.resting = true;
    this.parts.clock.defer(() => {
      feeding.resting = false;
      const { topic, partition } = feeding.store;
      if (this.feeding.get(formatTopicPartition(topic, partition)) === feeding) this.pump(feeding);
    });
  }

  private pumpAfter(feeding: Feeding, ready: Promise<void>): void {
    const { store } = feeding;
    ready.then(
      () => {
        this.pump(feeding);
        store.task.events.onWritten();
      },
      (error: unknown) => this.fail(store, error),
    );
  }

  private finishChunk(feeding: Feeding, chunk: FetchedChunk): void {
    const { store } = feeding;
    feeding.chunks.shift();
    feeding.batchIndex = 0;
    store.position = chunk.nextOffset;
    this.release(chunk.heldBytes);
    store.task.events.onAdvance(store);
  }

  /** What lies across the end is fetched anew when the end has moved. */
  private park(feeding: Feeding): void {
    const { topic, partition, position } = feeding.store;
    feeding.parked = true;
    this.dropChunks(feeding);
    this.reader.assign(topic, partition, position);
    this.reader.pause(topic, partition);
  }

  private dropChunks(feeding: Feeding): void {
    feeding.batchIndex = 0;
    for (const chunk of feeding.chunks.splice(0)) this.release(chunk.heldBytes);
  }

  private release(heldBytes: number): void {
    this.bufferedBytes -= heldBytes;
    const onRoom = this.onRoom;
    this.onRoom = null;
    onRoom?.();
  }

  private write({ store }: Feeding, records: RestoreBatch, nextOffset: number): void {
    const { task } = store;
    const { count } = records;
    store.records += count;
    task.inFlight += count;
    task.state.restore(store.store, records, nextOffset).then(
      () => this.onWriteEnd(task, count),
      (error: unknown) => {
        this.fail(store, error);
        this.onWriteEnd(task, count);
      },
    );
  }

  private onWriteEnd(task: FedTask, count: number): void {
    task.written(count);
    for (const { topic, partition } of task.stores) {
      const feeding = this.feeding.get(formatTopicPartition(topic, partition));
      if (feeding?.store.task === task) this.pump(feeding);
    }
    task.events.onWritten();
  }

  /** Positions move past control batches and aborted ones, of which nothing is delivered. */
  private passEmpty(): void {
    for (const { store, chunks, parked } of this.feeding.values()) {
      if (chunks.length > 0 || parked) continue;
      const position = this.reader.position(store.topic, store.partition);
      if (position <= store.position) continue;
      try {
        this.refuseTooOld(store.task);
        store.position = position;
        store.task.events.onAdvance(store);
      } catch (error) {
        this.fail(store, error);
      }
    }
  }

  private fail(store: FedStore, error: unknown, stage: 'read' | 'take' = 'take'): void {
    const { task } = store;
    if (task.ended) return;
    this.end(task);
    task.events.onFailed(error, store, stage);
  }

  private onReadFailure(error: unknown): void {
    const context = (error as { context?: { topic?: unknown; partition?: unknown } }).context;
    const feeding = this.feeding.get(
      formatTopicPartition(String(context?.topic), Number(context?.partition)),
    );
    if (feeding !== undefined) {
      this.fail(feeding.store, error, 'read');
      return;
    }
    for (const { store } of [...this.feeding.values()]) this.fail(store, error);
  }
}
