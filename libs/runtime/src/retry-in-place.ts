// Owns the trying again of what failed where it is: how often it was tried, how long its task waits before the next try. One object per task. What is
// waited for is a promise, as for state that must be read: the record is undone meanwhile, so that no transaction stays open for it, and a
// task that is closed waits for nothing.
import type { Clock, Timer } from '#libs/core';
import type { RetryPolicy } from '#libs/topology';

interface Tried {
  /** Tells the records of one queue apart; -1 where there is no record. */
  readonly offset: number;
  /** Failed tries so far, that of now included. */
  failures: number;
  /** Monotonic. */
  readonly since: number;
}

/** Beyond it the waits grow no further, whatever the multiplier. */
const DOUBLINGS_MAX = 60;

export class RetryInPlace {
  private readonly clock: Clock;
  /** By what fails: an input, an alarm, a delivery. */
  private readonly tried = new Map<object, Tried>();
  private timer: Timer | null = null;
  private closed = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** The task waits for the next try. */
  get isWaiting(): boolean {
    return this.timer !== null;
  }

  /** Notes one more failed try; returns how many it were. */
  failed(what: object, offset: number): number {
    let tried = this.tried.get(what);
    if (tried?.offset !== offset) {
      tried = { offset, failures: 0, since: this.clock.monotonic() };
      this.tried.set(what, tried);
    }
    return ++tried.failures;
  }

  /** The try did not count: what became of it will be decided anew. */
  uncount(what: object): void {
    const tried = this.tried.get(what);
    if (tried !== undefined) tried.failures--;
  }

  /** It was done, or given up. */
  settled(what: object): void {
    if (this.tried.size > 0) this.tried.delete(what);
  }

  /** Of scopes without a record none is due: what failed was called off since, and what comes will be another. */
  nothingDue(): void {
    if (this.tried.size === 0) return;
    for (const [what, { offset }] of this.tried) if (offset < 0) this.tried.delete(what);
  }

  /** How long to wait before the next try, milliseconds; `null`: it is not tried again. */
  waitOf(what: object, policy: RetryPolicy): number | null {
    const tried = this.tried.get(what)!;
    if (tried.failures >= policy.attempts) return null;
    const exponent = Math.min(tried.failures - 1, DOUBLINGS_MAX);
    const backoff = Math.min(policy.backoffMsMax, policy.backoffMs * policy.multiplier ** exponent);
    const wait = backoff * (1 - policy.jitter * this.clock.random());
    return this.clock.monotonic() - tried.since + wait > policy.maxMs ? null : wait;
  }

  /** Resolves after `ms`; never once the task is closed. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.closed) return;
      this.timer = this.clock.schedule(ms, () => {
        this.timer = null;
        resolve();
      });
    });
  }

  close(): void {
    this.closed = true;
    this.timer?.cancel();
    this.timer = null;
  }
}
