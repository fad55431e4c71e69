// Owns the states of a worker that no task of it runs on: standby and warm-up copies, and states that a task was closed over and
// may be opened on again. It decides nothing about which copies there are, and takes no part in any commit.
//
// 1. A task's state is open once: in a copy, in keeping, or in its task.
// 2. Copies wait while a task restores: somebody waits for that.
// 3. Copies outlive abandoned epochs and lost generations: what they hold is committed.
import type { BrokerClient } from '#libs/broker';
import { asError } from '#libs/core';
import type { Clock, Logger, TaskIdText } from '#libs/core';
import type { TaskState } from '#libs/state';
import { ChangelogFeed } from './changelog-feed.ts';
import type { ExceptionHandler } from './failure-policy.ts';
import type { ReadEnds } from './held-back.ts';
import type { LocalStateParts } from './local-state.ts';
import { StandbyCopy } from './standby-copy.ts';
import type { CopyFigures, CopyRole, TakenState } from './standby-copy.ts';
import type { RestoreListener } from './store-restorer.ts';

/** A copy need not follow in milliseconds: what it lacks is read when it is promoted. Fewer, larger fetches cost the brokers less. */
const FETCH_WAIT_MS = 200;
const FETCH_BYTES_MIN = 16 * 1024;
const FETCH_BYTES_MAX = 2 * 1024 * 1024;
const PARTITION_BYTES_MAX = 1024 * 1024;
/** Between two looks at what the group has committed. */
const COMMITTED_INTERVAL_MS = 1_000;
/** Between two turns of all copies. */
const TURN_MS = 50;
/** Before a copy that was warm, and is still one, asks again; doubles. */
const ASK_AGAIN_MS = 10_000;

export interface StandbyCopiesParts extends LocalStateParts {
  readonly client: BrokerClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly deserialization: ExceptionHandler;
  readonly listener: RestoreListener | null;
  /** A task waits for its stores. */
  readonly isRestoring: () => boolean;
  /** A copy is within `acceptableRecoveryLag`: its task may move here. */
  readonly onWarm: (name: TaskIdText) => void;
}

export class StandbyCopies {
  private readonly parts: StandbyCopiesParts;
  private readonly feed: ChangelogFeed;
  private readonly copies = new Map<TaskIdText, StandbyCopy>();
  /** Open, and followed by nobody. */
  private readonly kept = new Map<TaskIdText, TaskState>();
  private readonly closing = new Map<TaskIdText, Promise<void>>();
  /** When a copy that is warm has asked last, and how long it waits before it asks again. */
  private readonly asked = new Map<TaskIdText, { readonly at: number; readonly pauseMs: number }>();
  /** Tasks that are to run here once a copy is warm. One that runs here, and only waits to take its copy, is none of them. */
  private awaited: ReadonlySet<TaskIdText> = new Set();
  private turnedAt = -Infinity;
  private committedAt = -Infinity;
  private askingCommitted = false;
  private closed = false;

  constructor(parts: StandbyCopiesParts) {
    this.parts = parts;
    this.feed = new ChangelogFeed({
      client: parts.client,
      clock: parts.clock,
      reader: {
        fetchMaxWaitMs: FETCH_WAIT_MS,
        fetchMinBytes: FETCH_BYTES_MIN,
        fetchMaxBytes: FETCH_BYTES_MAX,
        partitionMaxBytes: PARTITION_BYTES_MAX,
        ...(parts.config.rack === null ? {} : { rack: parts.config.rack }),
      },
      yields: true,
      mayTake: () => !parts.isRestoring(),
      onTurn: () => this.turn(),
    });
  }

  /** Of the changelogs that are read. */
  get ends(): Iterable<ReadEnds> {
    return this.feed.ends();
  }

  get figures(): readonly CopyFigures[] {
    return [...this.copies.values()].map((copy) => copy.figures);
  }

  copy(name: TaskIdText): StandbyCopy | undefined {
    return this.copies.get(name);
  }

  get names(): TaskIdText[] {
    return [...this.copies.keys()];
  }

  /** Sums of the changelog offsets that states held here reach, by task. */
  get positions(): ReadonlyMap<TaskIdText, number> {
    const positions = new Map<TaskIdText, number>();
    for (const [name, { reached }] of this.kept) {
      let sum = 0;
      for (const offset of reached.changelogOffsets.values()) sum += offset;
      positions.set(name, sum);
    }
    for (const [name, { position }] of this.copies) if (position !== null) positions.set(name, position);
    return positions;
  }

  /**
   * Keeps copies of these tasks, and no others. `active`: tasks that run here or are being opened: a copy of one of them, or its state in
   * keeping, stays until it is taken. `expected`: tasks that are to run here; their standby copies say when they are warm, too. What is
   * given up is closed beside the loop.
   */
  assign(
    standby: readonly TaskIdText[],
    warmup: readonly TaskIdText[],
    active: readonly TaskIdText[],
    expected: readonly TaskIdText[] = [],
  ): void {
    if (this.closed) return;
    this.awaited = new Set([...warmup, ...expected]);
    const roles = new Map<TaskIdText, CopyRole>();
    for (const name of standby) roles.set(name, 'standby');
    for (const name of warmup) roles.set(name, 'warmup');
    const running = new Set(active);
    for (const [name, copy] of this.copies) {
      const role = roles.get(name);
      if (role !== undefined) copy.role = role;
      else if (!running.has(name)) this.drop(name);
      if (!this.awaited.has(name)) this.asked.delete(name);
    }
    for (const [name, role] of roles) {
      if (this.copies.has(name) || running.has(name)) continue;
      const { layout } = this.parts;
      if (layout.changelogs(name).length > 0) this.begin(name, role);
    }
    for (const [name, state] of this.kept) {
      if (running.has(name)) continue;
      this.kept.delete(name);
      this.closeBeside(name, () => closeState(state));
    }
  }

  /** Keeps an open state whose task has ended, until it is taken, or followed as a copy. Nothing uncommitted is in it. */
  keep(name: TaskIdText, state: TaskState): void {
    if (this.closed) this.closeBeside(name, () => closeState(state));
    else this.kept.set(name, state);
  }

  /** Closes what is held of a task as it is; for state that cannot be trusted. */
  async discard(name: TaskIdText): Promise<void> {
    const taken = await this.take(name);
    await taken?.state.closeDirty();
  }

  /** The open state of a task, for the task to go on with; the copy ends. `null`: there is none, and none is being closed any more. */
  async take(name: TaskIdText): Promise<TakenState | null> {
    await this.closing.get(name);
    const kept = this.kept.get(name);
    if (kept !== undefined) {
      this.kept.delete(name);
      return (await isWritten(kept)) ? { state: kept, positions: new Map() } : null;
    }
    const copy = this.copies.get(name);
    if (copy === undefined) return null;
    this.copies.delete(name);
    return copy.take();
  }

  /** Closes all that is held. */
  async close(): Promise<void> {
    this.closed = true;
    for (const name of this.names) this.drop(name);
    for (const [name, state] of this.kept) this.closeBeside(name, () => closeState(state));
    this.kept.clear();
    await Promise.all(this.closing.values());
    await this.feed.close();
  }

  private begin(name: TaskIdText, role: CopyRole): void {
    const { parts, feed } = this;
    const state = this.kept.get(name) ?? null;
    this.kept.delete(name);
    const after = this.closing.get(name) ?? Promise.resolve();
    this.copies.set(name, new StandbyCopy({ ...parts, feed }, name, role, state, after));
  }

  private drop(name: TaskIdText): void {
    const copy = this.copies.get(name);
    if (copy === undefined) return;
    this.copies.delete(name);
    this.closeBeside(name, () => copy.close());
  }

  private closeBeside(name: TaskIdText, close: () => Promise<void>): void {
    const before = this.closing.get(name) ?? Promise.resolve();
    const closing = before
      .then(close)
      .catch((error: unknown) => {
        this.parts.logger.warn(`The state of task ${name} could not be closed`, {
          error: asError(error).message,
        });
      })
      .finally(() => {
        if (this.closing.get(name) === closing) this.closing.delete(name);
      });
    this.closing.set(name, closing);
  }

  private turn(): void {
    const now = this.parts.clock.monotonic();
    if (now - this.turnedAt < TURN_MS) return;
    this.turnedAt = now;
    for (const copy of this.copies.values()) {
      copy.turn();
      if (this.awaited.has(copy.name)) this.askWhenWarm(copy, now);
    }
    if (now - this.committedAt >= COMMITTED_INTERVAL_MS) this.askCommitted(now);
  }

  private askWhenWarm({ name, lag }: StandbyCopy, now: number): void {
    const { config, onWarm } = this.parts;
    if (lag === null || lag > config.acceptableRecoveryLag) return;
    const before = this.asked.get(name);
    if (before !== undefined && now - before.at < before.pauseMs) return;
    const pauseMs =
      before === undefined ? ASK_AGAIN_MS : Math.min(before.pauseMs * 2, config.probingRebalanceIntervalMs);
    this.asked.set(name, { at: now, pauseMs });
    onWarm(name);
  }

  /** What is pending counts as not committed: nobody waits for it here. */
  private askCommitted(now: number): void {
    if (this.askingCommitted) return;
    const { client, clock, config, layout, logger } = this.parts;
    const asking = [...this.copies.values()].filter((copy) => copy.wantsCommitted);
    this.committedAt = now;
    if (asking.length === 0) return;
    this.askingCommitted = true;
    const askedAtMs = clock.now();
    const inputs = asking.flatMap(({ name }) => layout.inputs(name));
    client.admin
      .committedOffsets(config.applicationId, inputs, { requireStable: false })
      .then((committed) => {
        for (const copy of asking) copy.learnCommitted(committed, askedAtMs);
      })
      .catch((error: unknown) => {
        logger.debug(
          'The committed offsets could not be read for the standby copies; they are asked for again',
          {
            error: asError(error).message,
          },
        );
      })
      .finally(() => {
        this.askingCommitted = false;
      });
  }
}

/** Writes what is committed, so that the state says how far it reaches; false: it cannot, and is closed. */
async function isWritten(state: TaskState): Promise<boolean> {
  try {
    await state.flush();
    return true;
  } catch {
    await state.closeDirty();
    return false;
  }
}

/** Cleanly if its writes go through. */
async function closeState(state: TaskState): Promise<void> {
  try {
    await state.close();
  } catch {
    await state.closeDirty();
  }
}
