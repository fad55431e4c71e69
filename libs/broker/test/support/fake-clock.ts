// Owns a clock whose time moves only when a spec moves it. Timers fire in order of their moment; promises settle between.
import type { Clock, Timer } from '#libs/core';

interface Scheduled {
  readonly at: number;
  readonly order: number;
  readonly action: () => void;
}

export class FakeClock implements Clock {
  #nowMs = 1_000_000;
  #order = 0;
  #seed = 42;
  #scheduled: Scheduled[] = [];

  now(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  schedule(delayMs: number, action: () => void): Timer {
    const entry = { at: this.#nowMs + Math.max(0, delayMs), order: this.#order++, action };
    this.#scheduled.push(entry);
    return {
      cancel: () => {
        this.#scheduled = this.#scheduled.filter((other) => other !== entry);
      },
    };
  }

  defer(action: () => void): void {
    this.schedule(0, action);
  }

  random(): number {
    this.#seed = (this.#seed * 1103515245 + 12345) % 2147483648;
    return this.#seed / 2147483648;
  }

  get pendingTimers(): number {
    return this.#scheduled.length;
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  /** Moves time by `ms`, firing what falls due on the way. */
  async advance(ms: number): Promise<void> {
    const until = this.#nowMs + ms;
    await this.settle();
    for (;;) {
      const next = this.#next();
      if (next === undefined || next.at > until) break;
      this.#fire(next);
      await this.settle();
    }
    this.#nowMs = until;
    await this.settle();
  }

  /** Moves time just as far as `promise` needs to settle, and gives its outcome. */
  async run<T>(promise: Promise<T>, limitMs = 600_000): Promise<T> {
    let settled = false;
    const outcome = promise.finally(() => {
      settled = true;
    });
    outcome.catch(() => undefined);
    const until = this.#nowMs + limitMs;
    await this.settle();
    while (!settled) {
      const next = this.#next();
      if (next === undefined) throw new Error('The promise waits for something that no timer brings');
      if (next.at > until) throw new Error(`The promise did not settle within ${limitMs} ms of virtual time`);
      this.#fire(next);
      await this.settle();
    }
    return outcome;
  }

  #next(): Scheduled | undefined {
    let first: Scheduled | undefined;
    for (const entry of this.#scheduled) {
      if (
        first === undefined ||
        entry.at < first.at ||
        (entry.at === first.at && entry.order < first.order)
      ) {
        first = entry;
      }
    }
    return first;
  }

  #fire(entry: Scheduled): void {
    this.#scheduled = this.#scheduled.filter((other) => other !== entry);
    this.#nowMs = Math.max(this.#nowMs, entry.at);
    entry.action();
  }
}
