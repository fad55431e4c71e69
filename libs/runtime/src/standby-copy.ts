// Owns one copy of a task's state that is kept warm: open, brought up to date from its changelogs, and kept so. A copy holds
// committed data only, is written by nothing but its changelogs, and commits nothing.
//
//   OPENING ──► FOLLOWING ──take──► its open state goes on as the task's        any ──close──► closed, what it has stays on disk
//      ▲            │
//      └─ WAITING ◄─┘ it failed: set aside if it cannot be trusted, then anew; the tasks that run here notice nothing
import { TaskCorruptedError, asError, formatTopicPartition, parseTaskId, sleep } from '#libs/core';
import type { Clock, Logger, TaskIdText } from '#libs/core';
import type { RestoreBatch, TaskState } from '#libs/state';
import type { BrokerClient, CommittedOffset } from '#libs/broker';
import { FedTask } from './changelog-feed.ts';
import type { ChangelogFeed, FedStore } from './changelog-feed.ts';
import type { ExceptionHandler } from './failure-policy.ts';
import { openLocalState, refuseUntrusted, restoringMetadata, tooOld } from './local-state.ts';
import type { LocalStateParts } from './local-state.ts';
import { decodeOffsetMetadata, shortHash } from './offset-metadata.ts';
import { SourceTopicRestore } from './source-topic-restore.ts';
import { changelogUnreadable, checkpointOutOfRange, describeFed } from './store-restorer.ts';
import type { RestoreListener } from './store-restorer.ts';

/** Before a copy that failed is tried again; doubles up to the second. */
const PAUSE_MS = 2_000;
const PAUSE_MS_MAX = 60_000;
/** How often the state of a copy to which nothing happens says that it is current. */
const IDLE_WRITE_MS = 3_600_000;
/** Between two notes, in memory, that the copy was current. */
const CURRENT_NOTE_MS = 1_000;

/** What is known of the ends of changelogs is asked for again and again, at most a second apart. */
const KNOWLEDGE_AGE_MS_MAX = 10_000;

export type CopyRole = 'standby' | 'warmup';

export interface StandbyCopyParts extends LocalStateParts {
  readonly client: BrokerClient;
  readonly feed: ChangelogFeed;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly deserialization: ExceptionHandler;
  readonly listener: RestoreListener | null;
}

/** Figures of a copy, for metrics and health. */
export interface CopyFigures {
  readonly taskId: TaskIdText;
  readonly role: CopyRole;
  readonly phase: 'opening' | 'following' | 'waiting';
  /** Sum of the changelog offsets reached. */
  readonly position: number;
  /** Offsets of what is committed and not in the copy; `null`: not known yet. */
  readonly lag: number | null;
  /** Records brought into it since it was opened. */
  readonly records: number;
}

/** A copy's state on its way into a task. */
export interface TakenState {
  readonly state: TaskState;
  /** By store: where reading goes on. */
  readonly positions: ReadonlyMap<string, number>;
}

export class StandbyCopy {
  readonly name: TaskIdText;
  role: CopyRole;
  phase: CopyFigures['phase'] = 'opening';
  private readonly parts: StandbyCopyParts;
  private fed: FedTask | null = null;
  private state: TaskState | null;
  private readonly life: Promise<void>;
  /** Aborted once it is to end. */
  private readonly ending = new AbortController();
  private fail: (error: Error) => void = () => undefined;
  private failures = 0;
  private startedAt = 0;
  /** Wall clock at which it was last asked, for this copy, what the group has committed; -1: not since it follows. */
  private committedKnownAt = -1;
  private currentAt = -Infinity;
  private writtenAt = 0;
  /** By store: rows below are dropped. */
  private readonly expired = new Map<string, number>();

  /** `adopted`: state that is open already. Nothing is opened before `after`. */
  constructor(
    parts: StandbyCopyParts,
    name: TaskIdText,
    role: CopyRole,
    adopted: TaskState | null,
    after: Promise<void>,
  ) {
    this.parts = parts;
    this.name = name;
    this.role = role;
    this.state = adopted;
    this.life = after.then(() => this.live());
  }

  get figures(): CopyFigures {
    const { name, role, phase } = this;
    let records = 0;
    for (const store of this.fed?.stores ?? []) records += store.records;
    return { taskId: name, role, phase, position: this.position ?? 0, lag: this.lag, records };
  }

  /** Sum of the changelog offsets reached; `null` before the state is open. */
  get position(): number | null {
    if (this.fed !== null) return this.fed.stores.reduce((sum, store) => sum + store.position, 0);
    if (this.state === null) return null;
    let sum = 0;
    for (const offset of this.state.reached.changelogOffsets.values()) sum += offset;
    return sum;
  }

  get lag(): number | null {
    if (this.fed === null) return null;
    let lag = 0;
    for (const store of this.fed.stores) {
      if (store.endMoves && this.committedKnownAt < 0) return null;
      const end = store.endMoves ? store.endOffset : this.parts.feed.readableEnd(store);
      if (end < 0) return null;
      lag += Math.max(0, end - store.position);
    }
    return lag;
  }

  /** What queries read: open, and following its changelogs. `null`: not now. */
  get readableState(): TaskState | null {
    if (this.fed === null || this.ended || this.state?.failure !== null) return null;
    return this.state;
  }

  /** As `lag`, for who reads it; `null` also where what is known of the changelogs' ends is old: the brokers may be away. */
  lagNow(nowMs: number): number | null {
    if (this.fed === null || nowMs - this.asOf(this.fed) > KNOWLEDGE_AGE_MS_MAX) return null;
    return this.lag;
  }

  /** It needs to be told what the group has committed. */
  get wantsCommitted(): boolean {
    if (this.fed === null) return false;
    const { stores } = this.parts.layout.subTopology(parseTaskId(this.name));
    return (
      this.fed.stores.some(({ endMoves }) => endMoves) ||
      stores.some((store) => store.kind === 'ordered' && store.expiry !== null)
    );
  }

  /** Offsets and times as committed, by `formatTopicPartition`: how far a source topic is part of the state, what is expired. As of `askedAtMs`. */
  learnCommitted(committed: ReadonlyMap<string, CommittedOffset>, askedAtMs: number): void {
    const { fed, state } = this;
    if (fed === null || state === null || this.ended) return;
    this.committedKnownAt = askedAtMs;
    for (const store of fed.stores) {
      if (!store.endMoves) continue;
      const offset = committed.get(formatTopicPartition(store.topic, store.partition))?.offset ?? 0;
      // Older than what is known: another coordinator answered, or a marker is still on its way.
      if (offset > store.endOffset) this.parts.feed.moveEnd(store, offset);
    }
    this.expire(state, committed);
  }

  /** Wall clock at which the copy is known to have held all that was committed; -1: not known. */
  private asOf(fed: FedTask): number {
    let asOf = Infinity;
    for (const store of fed.stores) {
      const knownAt = store.endMoves ? this.committedKnownAt : this.parts.feed.readableEndKnownAt(store);
      asOf = Math.min(asOf, knownAt);
    }
    return Number.isFinite(asOf) ? asOf : -1;
  }

  /** In every turn of the feed. */
  turn(): void {
    const { fed, state } = this;
    if (fed === null || state === null || this.ended || this.lag !== 0) return;
    const now = this.parts.clock.monotonic();
    if (now - this.currentAt < CURRENT_NOTE_MS) return;
    const asOf = this.asOf(fed);
    if (asOf < 0) return;
    this.currentAt = now;
    // The process stood still, or was cut off, for so long that deletions may have left no trace in what it read since.
    const old = tooOld(this.name, state.reached, asOf);
    if (old !== null) {
      this.fail(old);
      return;
    }
    this.failures = 0;
    state.describe({ ...state.reached.metadata, writtenAtMs: asOf });
    if (now - this.writtenAt < IDLE_WRITE_MS) return;
    this.writtenAt = now;
    this.writePositions(fed).catch((error: unknown) => this.log('could not write that it is current', error));
  }

  /** Ends the copy and gives its open state away; `null`: there is none that is sound. */
  async take(): Promise<TakenState | null> {
    const fed = await this.stop();
    const { state } = this;
    if (state === null) return null;
    if (state.failure !== null) {
      await state.closeDirty();
      return null;
    }
    const positions = new Map<string, number>();
    for (const store of fed?.stores ?? []) positions.set(store.store, store.position);
    return { state, positions };
  }

  /** Ends the copy; what it has stays on disk. */
  async close(): Promise<void> {
    const fed = await this.stop();
    const { state } = this;
    if (state === null) return;
    try {
      if (fed !== null && state.failure === null) await this.writePositions(fed);
      await state.close();
    } catch (error) {
      this.log('could not be closed cleanly', error);
      await state.closeDirty();
    }
  }

  private async stop(): Promise<FedTask | null> {
    this.ending.abort();
    const { fed } = this;
    if (fed !== null && !fed.ended) {
      this.parts.feed.end(fed);
      for (const store of fed.stores) this.report('suspended', store);
    }
    await this.life;
    await fed?.idle();
    return fed;
  }

  private get ended(): boolean {
    return this.ending.signal.aborted;
  }

  private async live(): Promise<void> {
    while (!this.ended) {
      try {
        this.phase = 'opening';
        // What is being opened is waited for also when the copy ends: the next owner needs its lock.
        this.state ??= await openLocalState(this.parts, this.name);
        if (this.state === null || this.ended) return;
        await this.follow(this.state);
        return;
      } catch (error) {
        await this.giveUp(asError(error));
        if (this.ended) return;
        this.phase = 'waiting';
        const pauseMs = Math.min(PAUSE_MS_MAX, PAUSE_MS * 2 ** this.failures++);
        await sleep(this.parts.clock, pauseMs, this.ending.signal);
      }
    }
  }

  /** Resolves when the copy ends. @throws what it failed with. */
  private async follow(state: TaskState): Promise<void> {
    const { client, layout, clock, feed } = this.parts;
    // Of a task that ran here: until all is written, the state may reach further than it says.
    await state.flush();
    const identity = layout.changelogIdentity(this.name);
    refuseUntrusted(this.name, state.reached, identity, clock.now());
    const changelogs = layout.changelogs(this.name);
    const [ends, starts] = await Promise.all([
      client.admin.offsets(changelogs, 'latest', 'read_uncommitted'),
      client.admin.offsets(changelogs, 'earliest', 'read_uncommitted'),
    ]);
    if (this.ended) return;
    state.describe(restoringMetadata(state.reached, identity, clock.now()));
    await new Promise<void>((resolve, reject) => {
      this.ending.signal.addEventListener('abort', () => resolve(), { once: true });
      this.fail = reject;
      const fed = new FedTask(this.name, state, {
        onAdvance: (store) => this.report('batch', store),
        onWritten: () => undefined,
        onFailed: (error, store, stage) =>
          reject(asError(stage === 'read' ? changelogUnreadable(store, error) : error)),
      });
      const stores: FedStore[] = [];
      for (const { store, topic, partition, source } of changelogs) {
        const key = formatTopicPartition(topic, partition);
        const begin = starts.get(key) ?? 0;
        const end = ends.get(key) ?? 0;
        const reached = state.reached.changelogOffsets.get(store);
        if (reached !== undefined && (reached > end || reached < begin)) {
          reject(asError(checkpointOutOfRange(this.name, store, key, reached, begin, end)));
          return;
        }
        const position = reached ?? begin;
        stores.push({
          store,
          task: fed,
          topic,
          partition,
          startOffset: position,
          // Nothing of a source topic is part of the state before the group is known to have committed it.
          endOffset: source === null ? Infinity : position,
          endMoves: source !== null,
          select:
            source === null
              ? null
              : new SourceTopicRestore({ ...this.sourceParts, source, topic, partition }),
          position,
          records: 0,
        });
      }
      this.fed = fed;
      this.committedKnownAt = -1;
      this.phase = 'following';
      this.startedAt = clock.monotonic();
      this.writtenAt = this.startedAt;
      for (const store of stores) {
        feed.add(store);
        this.report('start', store);
      }
    });
  }

  private get sourceParts(): { taskId: string; deserialization: ExceptionHandler; logger: Logger } {
    return {
      taskId: this.name,
      deserialization: this.parts.deserialization,
      logger: this.parts.logger,
    };
  }

  private async giveUp(error: Error): Promise<void> {
    const { fed, state } = this;
    this.fed = null;
    if (fed !== null) {
      this.parts.feed.end(fed);
      for (const store of fed.stores) this.report('suspended', store);
    }
    await fed?.idle();
    await state?.closeDirty();
    this.state = null;
    this.log('failed and is begun anew', error);
    if (!(error instanceof TaskCorruptedError)) return;
    try {
      await this.parts.backend.setAside(this.parts.config.applicationId, this.name, error.message);
    } catch (failure) {
      this.log('could not be set aside', failure);
    }
  }

  private expire(state: TaskState, committed: ReadonlyMap<string, CommittedOffset>): void {
    const { layout } = this.parts;
    const ordered = layout
      .subTopology(parseTaskId(this.name))
      .stores.filter((store) => store.kind === 'ordered');
    const times = new Map<string, number>();
    for (const { topic, partition } of layout.inputs(this.name)) {
      const text = committed.get(formatTopicPartition(topic, partition))?.metadata ?? '';
      for (const [id, time] of decodeOffsetMetadata(text)?.clocks ?? [])
        times.set(id, Math.max(time, times.get(id) ?? -1));
    }
    const due = new Map<string, number>();
    for (const { name, expiry } of ordered) {
      if (expiry === null) continue;
      const before = (times.get(shortHash(expiry.clock)) ?? -Infinity) - expiry.retentionMs;
      if (before <= (this.expired.get(name) ?? -Infinity)) continue;
      // What is still to be read may hold more of them.
      if (this.lag === 0) this.expired.set(name, before);
      due.set(name, before);
    }
    if (due.size > 0) state.expire(due);
  }

  /** Also behind what held no records, so that nothing of it is read again. */
  private async writePositions(fed: FedTask): Promise<void> {
    await Promise.all(
      fed.stores.map(({ store, position, endOffset }) =>
        fed.state.restore(store, NO_RECORDS, Math.min(position, endOffset)),
      ),
    );
  }

  private report(event: 'start' | 'batch' | 'suspended', store: FedStore): void {
    const { listener, clock, feed } = this.parts;
    if (listener === null) return;
    const end = store.endMoves || event === 'suspended' ? store.endOffset : feed.readableEnd(store);
    const elapsed = clock.monotonic() - this.startedAt;
    listener(event, describeFed(store, this.role, Number.isFinite(end) ? end : -1, elapsed));
  }

  private log(what: string, error: unknown): void {
    this.parts.logger.warn(`The ${this.role} copy of task ${this.name} ${what}`, {
      taskId: this.name,
      error: asError(error).message,
    });
  }
}

const NO_RECORDS: RestoreBatch = {
  count: 0,
  bytes: new Uint8Array(0),
  keyStart: new Int32Array(0),
  keyEnd: new Int32Array(0),
  valueStart: new Int32Array(0),
  valueEnd: new Int32Array(0),
  timestamps: new Float64Array(0),
};
