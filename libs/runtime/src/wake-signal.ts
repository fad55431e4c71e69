// Owns the wait of a loop that has nothing to do: it ends by a notification or by time, whichever comes first.
import type { Clock } from '#libs/core';

export class WakeSignal {
  private readonly clock: Clock;
  private end: (() => void) | null = null;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  notify(): void {
    this.end?.();
  }

  wait(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.clock.schedule(timeoutMs, () => this.end?.());
      this.end = () => {
        this.end = null;
        timer.cancel();
        resolve();
      };
    });
  }
}
