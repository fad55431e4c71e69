// Owns the rebuilding of stores from their changelogs: all that restore share one feed, beside the worker's loop.
// It ends a store by position, never by counting records, at the uncommitted end offset (KAFKA-10167). It never touches inputs.
import type { BrokerClient } from '#libs/broker';
import { FatalError, TaskCorruptedError, asError, formatTopicPartition } from '#libs/core';
import type { Clock, Logger } from '#libs/core';
import type { TaskState } from '#libs/state';
import { ChangelogFeed, FedTask } from './changelog-feed.ts';
import type { FedStore } from './changelog-feed.ts';
import type { StoreChangelog } from './cluster-layout.ts';
import type { ExceptionHandler } from './failure-policy.ts';
import type { ReadEnds } from './held-back.ts';
import { SourceTopicRestore } from './source-topic-restore.ts';

/** Small fetches: their buffers are what a restore takes most memory for. */
const FETCH_BYTES_MAX = 2 * 1024 * 1024;
const PARTITION_BYTES_MAX = 1024 * 1024;
/**
 * What is restored is there already; only markers may still be on their way. A fetch that waits for more at the end of one changelog
 * would keep those waiting that are added meanwhile.
 */
const FETCH_WAIT_MS = 10;
const PROGRESS_INTERVAL_MS = 2_000;
/** Stores that get a line of their own in the log; more are summed up. */
const LOGGED_STORES_MAX = 4;

interface TaskRestore {
  readonly fed: FedTask;
  /** Stores that have not reached their end. */
  open: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  failed: boolean;
}

/** One store's way from the offset its database reached to the end of its changelog. */
interface StoreRestore {
  readonly fed: FedStore;
  readonly task: TaskRestore;
  /** On the monotonic clock. */
  readonly startedAt: number;
}

/** `active`: the task waits for it. Copies go on for as long as they are kept. */
export type RestoreRole = 'active' | 'standby' | 'warmup';

export interface RestoreProgress {
  /** `global` for a global store. */
  readonly taskId: string;
  readonly store: string;
  readonly role: RestoreRole;
  readonly startOffset: number;
  readonly position: number;
  /** Of a copy: what is committed in its changelog so far; -1 where that is not known yet. */
  readonly endOffset: number;
  /** Records brought into the store since `startOffset`. Offsets count more than records: some are of transactions, some are gone. */
  readonly records: number;
  /** Since the start, on average. */
  readonly recordsPerSecond: number;
}

/** What a store is restored from. A source topic is read up to the committed offset, a changelog to its end. */
export interface RestoreTarget extends StoreChangelog {
  readonly committedOffset: number;
  /** Where the state stands, if it has read further than it has written down: what lay between held no records. */
  readonly position?: number;
}

/**
 * `end`: the store holds what its changelog does; a copy never ends. `suspended`: it is given up before, what is restored stays; of a
 * copy also that its task runs here now.
 */
export type RestoreListener = (
  event: 'start' | 'batch' | 'end' | 'suspended',
  progress: RestoreProgress,
) => void;

export class StoreRestorer {
  private readonly client: BrokerClient;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly deserialization: ExceptionHandler;
  private readonly listener: RestoreListener | null;
  private readonly feed: ChangelogFeed;
  private readonly stores = new Map<FedStore, StoreRestore>();
  private lastProgressLog = -Infinity;
  /** Of stores that restore no more. */
  private endedRecords = 0;

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
    this.feed = new ChangelogFeed({
      client,
      clock,
      reader: {
        fetchMaxWaitMs: FETCH_WAIT_MS,
        fetchMaxBytes: FETCH_BYTES_MAX,
        partitionMaxBytes: PARTITION_BYTES_MAX,
      },
      yields: false,
      mayTake: () => true,
      onTurn: () => this.logProgress(),
    });
  }

  /** Records restored since the start, for metrics. */
  get restoredRecords(): number {
    let count = this.endedRecords;
    for (const { records } of this.stores.keys()) count += records;
    return count;
  }

  /** Some task waits for its stores. */
  get isRestoring(): boolean {
    return this.stores.size > 0;
  }

  /** Of the changelogs that are read. */
  get ends(): Iterable<ReadEnds> {
    return this.feed.ends();
  }

  /** What restores right now. */
  get progress(): readonly RestoreProgress[] {
    return [...this.stores.values()].map((store) => this.describe(store));
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
      const fed = new FedTask(name, state, {
        onAdvance: (store) => this.onAdvance(store),
        onWritten: () => this.settle(pending!),
        onFailed: (error, store, stage) =>
          this.fail(pending!, stage === 'read' ? changelogUnreadable(store, error) : error),
      });
      pending = { fed, open: 0, resolve, reject, failed: false };
    });
    const task = pending as unknown as TaskRestore;
    const added: FedStore[] = [];
    for (const { store, topic, partition, source, committedOffset, position = 0 } of changelogs) {
      const key = formatTopicPartition(topic, partition);
      const end = source === null ? (ends.get(key) ?? 0) : committedOffset;
      const begin = starts.get(key) ?? 0;
      const written = state.reached.changelogOffsets.get(store);
      // Behind what was written lies its transaction's marker: a log that begins after that has lost nothing.
      const reachesFrom = source === null ? begin - 1 : begin;
      if (written !== undefined && (written > end || written < reachesFrom))
        throw checkpointOutOfRange(name, store, key, written, begin, end);
      const from = Math.max(written ?? begin, begin, position);
      if (from >= end) continue;
      added.push({
        store,
        task: task.fed,
        topic,
        partition,
        startOffset: from,
        endOffset: end,
        endMoves: false,
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
        records: 0,
      });
    }
    if (added.length === 0) return;
    task.open = added.length;
    const startedAt = this.clock.monotonic();
    for (const fed of added) {
      const store: StoreRestore = { fed, task, startedAt };
      this.stores.set(fed, store);
      this.feed.add(fed);
      this.listener?.('start', this.describe(store));
    }
    await done;
  }

  /** Stops restoring a task's stores; what is restored stays. The pending `restore` rejects. */
  cancel(name: string): void {
    for (const [fed, store] of this.stores) {
      if (fed.task.name !== name) continue;
      this.drop(fed);
      this.listener?.('suspended', this.describe(store));
      this.fail(store.task, new Error(`the restore of task ${name} was cancelled`));
    }
  }

  async close(): Promise<void> {
    for (const fed of [...this.stores.keys()]) this.cancel(fed.task.name);
    await this.feed.close();
  }

  private onAdvance(fed: FedStore): void {
    const store = this.stores.get(fed);
    if (store === undefined) return;
    this.listener?.('batch', this.describe(store));
    if (fed.position < fed.endOffset) return;
    this.drop(fed);
    this.listener?.('end', this.describe(store));
    store.task.open--;
    this.settle(store.task);
  }

  private settle(task: TaskRestore): void {
    if (task.open === 0 && task.fed.inFlight === 0 && !task.failed) task.resolve();
  }

  private drop(fed: FedStore): void {
    this.stores.delete(fed);
    this.endedRecords += fed.records;
    this.feed.remove(fed);
  }

  private fail(task: TaskRestore, error: unknown): void {
    if (task.failed) return;
    task.failed = true;
    this.feed.end(task.fed);
    for (const fed of task.fed.stores) if (this.stores.has(fed)) this.drop(fed);
    task.reject(error);
  }

  private logProgress(): void {
    const now = this.clock.monotonic();
    if (this.stores.size === 0 || now - this.lastProgressLog < PROGRESS_INTERVAL_MS) return;
    this.lastProgressLog = now;
    if (this.stores.size > LOGGED_STORES_MAX) {
      this.logSum();
      return;
    }
    for (const store of this.stores.values()) {
      const { fed } = store;
      const percent = percentOf(fed.position - fed.startOffset, fed.endOffset - fed.startOffset);
      this.logger.info(`Restoring store "${fed.store}" of task ${fed.task.name}: ${percent} %`, {
        ...this.describe(store),
      });
    }
  }

  private logSum(): void {
    let done = 0;
    let total = 0;
    let recordsPerSecond = 0;
    const tasks = new Set<string>();
    for (const store of this.stores.values()) {
      done += store.fed.position - store.fed.startOffset;
      total += store.fed.endOffset - store.fed.startOffset;
      recordsPerSecond += this.describe(store).recordsPerSecond;
      tasks.add(store.fed.task.name);
    }
    this.logger.info(
      `Restoring ${this.stores.size} stores of ${tasks.size} task(s): ${percentOf(done, total)} %`,
      { offsets: done, offsetsTotal: total, recordsPerSecond, tasks: [...tasks] },
    );
  }

  private describe({ fed, startedAt }: StoreRestore): RestoreProgress {
    return describeFed(fed, 'active', fed.endOffset, this.clock.monotonic() - startedAt);
  }
}

/** `elapsedMs` since its start. */
export function describeFed(
  fed: FedStore,
  role: RestoreRole,
  endOffset: number,
  elapsedMs: number,
): RestoreProgress {
  return {
    taskId: fed.task.name,
    store: fed.store,
    role,
    startOffset: fed.startOffset,
    position: fed.position,
    endOffset,
    records: fed.records,
    recordsPerSecond: Math.round((fed.records * 1_000) / Math.max(1, elapsedMs)),
  };
}

function percentOf(done: number, total: number): number {
  return total <= 0 ? 100 : Math.min(100, Math.floor((done / total) * 100));
}

export function checkpointOutOfRange(
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

export function changelogUnreadable(store: FedStore, cause: unknown): Error {
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
