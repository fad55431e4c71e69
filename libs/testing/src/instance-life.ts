// Owns whether the simulated process of an instance runs, stands still, or is dead. Everything that reaches an instance from outside
// (timers, answers of brokers) passes here: a dead instance's promises never settle again, as those of a killed process.
import type { Clock, Timer } from '#libs/core';

export class InstanceLife {
  #state: 'alive' | 'frozen' | 'dead' = 'alive';
  /** What reached it while it stood still. */
  #held: (() => void)[] = [];

  get isAlive(): boolean {
    return this.#state === 'alive';
  }

  get isDead(): boolean {
    return this.#state === 'dead';
  }

  /** Runs `action` now, once the instance goes on, or never. */
  reach(action: () => void): void {
    if (this.#state === 'alive') action();
    else if (this.#state === 'frozen') this.#held.push(action);
  }

  /** As SIGSTOP, or a long pause of the garbage collector. */
  freeze(): void {
    if (this.#state === 'alive') this.#state = 'frozen';
  }

  thaw(): void {
    if (this.#state !== 'frozen') return;
    this.#state = 'alive';
    for (const action of this.#held.splice(0)) this.reach(action);
  }

  /** As SIGKILL. */
  kill(): void {
    this.#state = 'dead';
    this.#held = [];
  }

  /** `clock` as this instance sees it. */
  guard(clock: Clock): Clock {
    return {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      schedule: (delayMs, action, background): Timer =>
        clock.schedule(delayMs, () => this.reach(action), background),
      defer: (action) => clock.defer(() => this.reach(action)),
      random: () => clock.random(),
    };
  }

  /** Settles as `promise` does, as long as the instance lives. */
  answer<T>(promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      promise.then(
        (value) => this.reach(() => resolve(value)),
        (error: unknown) => this.reach(() => reject(error)),
      );
    });
  }
}
