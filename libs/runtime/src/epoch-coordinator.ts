// Owns when an epoch ends and that at most one is being committed: one open, one in commit, never more.
// The five steps of a commit are in epoch-commit.ts; what to do when one fails is the worker's.
import { asError } from '#libs/core';
import type { Clock } from '#libs/core';
import { EarlyClaims } from './early-claims.ts';
import { sealEpoch, settleEpoch } from './epoch-commit.ts';
import type { CommitTarget, SealedEpoch } from './epoch-commit.ts';
import type { EpochLog } from './insight/epoch-log.ts';
import type { OutputCollector } from './output-collector.ts';
import { Ownership } from './ownership.ts';
import type { OwningMember } from './ownership.ts';
import type { Task } from './task.ts';

export interface EpochLimits {
  readonly commitIntervalMs: number;
  /** Exactly-once: outputs are visible only once committed, so nothing to do means commit. At-least-once: just send them. */
  readonly commitWhenIdle: boolean;
  readonly epochBytesMax: number;
}

export class EpochCoordinator {
  /** Set by a failed commit until the worker has recovered. */
  failure: unknown = null;
  committedEpochs = 0;
  /** Of tasks that are being opened. */
  readonly claims = new EarlyClaims();

  private readonly tasks: () => Iterable<Task>;
  private readonly collector: OutputCollector;
  private readonly target: CommitTarget;
  private readonly limits: EpochLimits;
  private readonly transactionalId: string;
  private readonly clock: Clock;
  private readonly onCommitEnd: () => void;
  private readonly insight: EpochLog;
  private readonly member: () => OwningMember;
  private committing: Promise<void> | null = null;
  /** What `committing` is about. */
  private inCommit: SealedEpoch | null = null;
  private openedAt: number;
  /** Bytes of the open epoch that were sent before its end. */
  private streamedBytes = 0;
  /** Of all that is open or in commit. Ends when the worker recovers: so the end of a commit from before is told apart. */
  private ownership: Ownership | null = null;

  constructor(parts: {
    readonly tasks: () => Iterable<Task>;
    readonly collector: OutputCollector;
    readonly target: CommitTarget;
    readonly limits: EpochLimits;
    readonly transactionalId: string;
    readonly clock: Clock;
    readonly member: () => OwningMember;
    readonly onCommitEnd: () => void;
    readonly insight: EpochLog;
  }) {
    this.tasks = parts.tasks;
    this.collector = parts.collector;
    this.target = parts.target;
    this.limits = parts.limits;
    this.transactionalId = parts.transactionalId;
    this.clock = parts.clock;
    this.member = parts.member;
    this.onCommitEnd = parts.onCommitEnd;
    this.insight = parts.insight;
    this.openedAt = this.clock.monotonic();
  }

  get isCommitting(): boolean {
    return this.committing !== null;
  }

  /** Is a transaction open, or about to be, that a record which takes long would keep waiting? */
  get isSending(): boolean {
    return this.committing !== null || this.streamedBytes > 0;
  }

  /** Has the open epoch anything to commit? */
  get hasWork(): boolean {
    for (const task of this.tasks()) if (task.touched) return true;
    return false;
  }

  /** The open epoch is as large as it may get: no further record before it is sealed. */
  get isFull(): boolean {
    return this.streamedBytes + this.collector.bytes >= this.limits.epochBytesMax;
  }

  /** The databases are behind: nothing more is processed until they have written some. */
  get isBehind(): boolean {
    let unwritten = 0;
    for (const task of this.tasks()) if (task.state !== null) unwritten += task.state.unwrittenBytes;
    return unwritten >= 4 * this.limits.epochBytesMax;
  }

  /** A task waits for its first commit before it may process, or its output has paused since another worker had it. */
  private get isAwaited(): boolean {
    for (const task of this.tasks()) if (task.claimPending || task.awaitsFirstCommit) return true;
    return false;
  }

  /** Milliseconds until the open epoch is due by time. */
  get dueInMs(): number {
    return Math.ceil(this.openedAt + this.limits.commitIntervalMs - this.clock.monotonic());
  }

  /**
   * Between turns: begins to send what is full, and begins a commit when one is due. `idle`: there is nothing to process. `careful`:
   * nothing is sent before the epoch is sealed, and what was sent is committed at once; see turn-pace.ts.
   */
  turn(idle: boolean, careful = false): void {
    this.owned();
    if (this.committing !== null || this.failure !== null) return;
    const hasClaims = !this.claims.isEmpty;
    const due =
      hasClaims ||
      (idle && this.limits.commitWhenIdle) ||
      this.dueInMs <= 0 ||
      this.isFull ||
      this.isAwaited ||
      (careful && this.streamedBytes > 0);
    if (due && (hasClaims || this.hasWork)) {
      this.begin();
      return;
    }
    if (careful) return;
    if (idle && !this.limits.commitWhenIdle) this.collector.cutAll();
    else this.collector.cutFull();
    const batches = this.collector.takeBatches();
    if (batches.length === 0) return;
    for (const { batch } of batches) this.streamedBytes += batch.bytes.length;
    this.insight.sent(batches);
    this.target.stream(batches);
  }

  /** Commits all that is processed and waits for it. @throws what the commit failed with. */
  async commitAll(): Promise<void> {
    await this.settled();
    if (this.failure !== null) throw asThrowable(this.failure);
    if (!this.hasWork) return;
    this.begin();
    await this.settled();
    if (this.failure !== null) throw asThrowable(this.failure);
  }

  /** Resolves when no commit is under way, whatever its end. */
  async settled(): Promise<void> {
    while (this.committing !== null) await this.committing;
  }

  /** Resolves when no commit is under way that holds a task outside `claimed`: whoever joins without it gives it up. */
  async settledBeyond(claimed: readonly string[]): Promise<void> {
    if (this.inCommit === null) return;
    const { tasks, claims } = this.inCommit;
    const held = [...tasks.map(({ task }) => task.name), ...claims.map(({ task }) => task)];
    if (held.some((name) => !claimed.includes(name))) await this.settled();
  }

  /** Forgets the open epoch and the failure; the tasks are closed, the writer is initialised anew. */
  restart(): void {
    this.ownership?.end();
    this.ownership = null;
    this.collector.clear();
    this.failure = null;
    this.committing = null;
    for (const claim of this.inCommit?.claims ?? []) claim.settle(false);
    this.inCommit = null;
    this.streamedBytes = 0;
    this.openedAt = this.clock.monotonic();
    this.insight.onAbandoned();
  }

  /** Begins before the first record is processed: what is owned then was opened after everything that was lost before. */
  private owned(): Ownership {
    this.ownership ??= new Ownership(this.member());
    return this.ownership;
  }

  private begin(): void {
    const epoch = sealEpoch(this.tasks(), this.collector, this.transactionalId, this.claims.take());
    this.insight.onSealed(epoch.batches, epoch.tasks.length);
    this.openedAt = this.clock.monotonic();
    this.streamedBytes = 0;
    const ownership = this.owned();
    this.inCommit = epoch;
    this.committing = this.target
      .commit(epoch, ownership, () => {
        if (!ownership.isOver) this.insight.onProduced();
      })
      .then((endOffsets) => {
        if (ownership.isOver) return;
        settleEpoch(epoch, endOffsets);
        this.committedEpochs++;
      })
      .catch((error: unknown) => {
        if (!ownership.isOver) this.failure = error;
      })
      .finally(() => {
        if (ownership.isOver) return;
        for (const claim of epoch.claims) claim.settle(this.failure === null);
        this.committing = null;
        this.inCommit = null;
        if (this.failure === null) this.insight.onCommitted();
        else this.insight.onAborted(asError(this.failure).message);
        this.onCommitEnd();
      });
  }
}

function asThrowable(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
