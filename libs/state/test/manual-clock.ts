// Owns a clock whose timers fire when a spec says so. Its turns are real ones, so that real I/O goes on.
import type { Clock, Timer } from '#libs/core';

export class ManualClock implements Clock {
  private time = 1_700_000_000_000;
  private timers: { due: number; action: () => void }[] = [];

  now(): number {
    return this.time;
  }

  monotonic(): number {
    return this.time;
  }

  random(): number {
    return 0.5;
  }

  defer(action: () => void): void {
    setImmediate(action);
  }

  schedule(delayMs: number, action: () => void): Timer {
    const timer = { due: this.time + delayMs, action };
    this.timers.push(timer);
    return {
      cancel: () => {
        this.timers = this.timers.filter((other) => other !== timer);
      },
    };
  }

  get pendingTimers(): number {
    return this.timers.length;
  }

  advance(ms: number): void {
    this.time += ms;
    const due = this.timers.filter((timer) => timer.due <= this.time);
    this.timers = this.timers.filter((timer) => timer.due > this.time);
    for (const timer of due) timer.action();
  }
}

/** Lets `turns` turns of the loop pass. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}
