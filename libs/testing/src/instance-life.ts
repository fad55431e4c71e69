// Owns whether the simulated process of an instance runs, stands still, or is dead, for what the cluster's own process does not cover:
// the timers of the application's time. A dead instance's promises never settle again, as those of a killed process.
import type { SimulatedProcess } from '#libs/broker-memory';
import type { Clock, Timer } from '#libs/core';

export class InstanceLife {
  readonly #process: SimulatedProcess;
  /** What fell due while it stood still. */
  #held: (() => void)[] = [];

  constructor(process: SimulatedProcess) {
    this.#process = process;
  }

  get isRunning(): boolean {
    return this.#process.state === 'running';
  }

  /** As SIGSTOP, or a long pause of the garbage collector. */
  freeze(): void {
    this.#process.pause();
  }

  thaw(): void {
    this.#process.resume();
    for (const action of this.#held.splice(0)) this.#process.clock.defer(action);
  }

  /** As SIGKILL. */
  kill(): void {
    this.#process.kill();
    this.#held = [];
  }

  /** `clock` as this instance sees it. */
  guard(clock: Clock): Clock {
    return {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      schedule: (delayMs, action): Timer => {
        let cancelled = false;
        const timer = clock.schedule(delayMs, () =>
          this.#reach(() => {
            if (!cancelled) action();
          }),
        );
        return {
          cancel: () => {
            cancelled = true;
            timer.cancel();
          },
        };
      },
      defer: (action) => clock.defer(() => this.#reach(action)),
      random: () => clock.random(),
    };
  }

  /** Runs `action` now, once the instance goes on, or never. */
  #reach(action: () => void): void {
    if (this.#process.state === 'running') action();
    else if (this.#process.state === 'paused') this.#held.push(action);
  }
}
