// Owns how long a worker computes before it lets anything else happen: until when a slice of a task goes on, at which task the
// next turn begins, and whether records here take so long that no transaction may stand open meanwhile.
//
// A record cannot be interrupted. What can be bounded is what comes after it: a slow one ends its slice, and its turn.
//
// A transaction that is open while a record computes for longer than the transaction timeout is aborted by the broker, with all that
// is in it, and so is the epoch built upon it: the slow record runs again. If it met an open transaction every time, the worker would
// never get past it. So after a turn that took a good part of the timeout the worker is careful: nothing is sent before an epoch
// is sealed, nothing is processed before its commit has ended. That costs the overlap of processing and commit, and nothing else.
import type { Clock } from '#libs/core';

/** One slice of one task. */
const SLICE_MS = 10;
/**
 * After it no further task gets a slice before I/O, timers and commits had their turn: a commit takes several answers of brokers, and each
 * waits for the end of a turn. Tasks with a backlog, such as those just taken over, would hold back the output of all others by that.
 */
const TURN_MS = 10;
/** Share of the transaction timeout that a turn may take. */
const CAREFUL_FROM_SHARE = 1 / 4;
/** Transaction timeouts without a slow turn until the worker trusts its records again. */
const CAREFUL_FOR_TIMEOUTS = 10;

export class TurnPace {
  private readonly clock: Clock;
  private readonly slowMs: number;
  private readonly carefulMs: number;
  private carefulUntil = -Infinity;
  private startedAt = 0;
  private first = 0;

  /** `transactionTimeoutMs`: `null` where there are no transactions, so no need for care either. */
  constructor(clock: Clock, transactionTimeoutMs: number | null) {
    this.clock = clock;
    this.slowMs = transactionTimeoutMs === null ? Infinity : transactionTimeoutMs * CAREFUL_FROM_SHARE;
    this.carefulMs = (transactionTimeoutMs ?? 0) * CAREFUL_FOR_TIMEOUTS;
  }

  /** No transaction may be open while records are processed. */
  get isCareful(): boolean {
    return this.clock.monotonic() < this.carefulUntil;
  }

  /** `tasks` in the order of this turn: it goes on behind the task at which the last one ended. */
  beginTurn<T>(tasks: Iterable<T>): T[] {
    this.startedAt = this.clock.monotonic();
    const all = [...tasks];
    const from = all.length === 0 ? 0 : this.first % all.length;
    this.first = from;
    return from === 0 ? all : [...all.slice(from), ...all.slice(0, from)];
  }

  /** On the monotonic clock. */
  sliceEnd(): number {
    return this.clock.monotonic() + SLICE_MS;
  }

  /** Called after each task's slice, `given` slices into the turn: true when the turn is over. */
  isOver(given: number): boolean {
    const now = this.clock.monotonic();
    const tookMs = now - this.startedAt;
    if (tookMs >= this.slowMs) this.carefulUntil = now + this.carefulMs;
    if (tookMs < TURN_MS) return false;
    this.first += given;
    return true;
  }
}
