// Owns the time that the application under test lives by. Its wall clock stands still until the test moves it; then it jumps, as in
// Kafka Streams' TopologyTestDriver. What the cluster needs of time for itself (heartbeats, polls) passes on a clock below.
//
// 1. The wall clock is moved by `advance` alone, at once by all of it.
// 2. Timers of the application fall due in their order, each with what it causes before the next.
// 3. Timers also run as the clock below does, which is how long a restart or a take-over takes.
import type { Clock, Timer } from '#libs/core';

interface PendingTimer {
  readonly at: number;
  readonly order: number;
  readonly action: () => void;
  below: Timer;
}

export class ApplicationTime implements Clock {
  readonly #below: Clock;
  readonly #timers = new Set<PendingTimer>();
  #wallMs: number;
  /** How far this time is ahead of the clock below. */
  #aheadMs = 0;
  #order = 0;

  constructor(below: Clock, startMs: number) {
    this.#below = below;
    this.#wallMs = startMs;
  }

  now(): number {
    return this.#wallMs;
  }

  monotonic(): number {
    return this.#below.monotonic() + this.#aheadMs;
  }

  schedule(delayMs: number, action: () => void): Timer {
    const delay = Math.max(0, delayMs);
    const timer: PendingTimer = {
      at: this.monotonic() + delay,
      order: this.#order++,
      action,
      below: this.#below.schedule(delay, () => this.#fire(timer)),
    };
    this.#timers.add(timer);
    return {
      cancel: () => {
        this.#timers.delete(timer);
        timer.below.cancel();
      },
    };
  }

  defer(action: () => void): void {
    this.#below.defer(action);
  }

  random(): number {
    return this.#below.random();
  }

  /** Moves wall clock and timers by `ms`. `settle` lets happen what follows, after the jump and after each timer. */
  async advance(ms: number, settle: () => Promise<void>): Promise<void> {
    const until = this.monotonic() + ms;
    this.#wallMs += ms;
    await settle();
    for (let timer = this.#nextBy(until); timer !== undefined; timer = this.#nextBy(until)) {
      this.#moveTo(timer.at);
      timer.below.cancel();
      this.#fire(timer);
      await settle();
    }
    this.#moveTo(until);
  }

  #fire(timer: PendingTimer): void {
    this.#timers.delete(timer);
    timer.action();
  }

  #nextBy(until: number): PendingTimer | undefined {
    let next: PendingTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.at > until) continue;
      if (next === undefined || timer.at < next.at || (timer.at === next.at && timer.order < next.order))
        next = timer;
    }
    return next;
  }

  #moveTo(moment: number): void {
    const now = this.monotonic();
    if (moment <= now) return;
    this.#aheadMs += moment - now;
    for (const timer of this.#timers) {
      timer.below.cancel();
      timer.below = this.#below.schedule(Math.max(0, timer.at - moment), () => this.#fire(timer));
    }
  }
}
