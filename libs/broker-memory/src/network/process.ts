// Owns a client process as the cluster sees it: running, paused (SIGSTOP) or killed (SIGKILL). Its clock is how that reaches code:
// a paused process has no timers and hears no answers, a killed one never again.
import type { Clock, Timer } from '#libs/core';

export class ClientProcess {
  readonly clientId: string;
  /** Hand it to everything that runs in this process. */
  readonly clock: Clock;
  readonly #clock: ProcessClock;
  #state: 'running' | 'paused' | 'killed' = 'running';
  #waiting: (() => void)[] = [];

  constructor(clientId: string, clock: Clock) {
    this.clientId = clientId;
    this.#clock = new ProcessClock(clock, (action) => this.whenRunning(action));
    this.clock = this.#clock;
  }

  get state(): 'running' | 'paused' | 'killed' {
    return this.#state;
  }

  pause(): void {
    if (this.#state === 'running') this.#state = 'paused';
  }

  /** What fell due meanwhile happens now, in order. */
  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'running';
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const action of waiting) this.clock.defer(action);
  }

  kill(): void {
    this.#state = 'killed';
    this.#waiting = [];
    this.#clock.stop();
  }

  /** Runs `action` now, on resumption, or never. */
  whenRunning(action: () => void): void {
    if (this.#state === 'running') action();
    else if (this.#state === 'paused') this.#waiting.push(action);
  }
}

class ProcessClock implements Clock {
  readonly #clock: Clock;
  readonly #whenRunning: (action: () => void) => void;
  readonly #timers = new Set<Timer>();
  #stopped = false;

  constructor(clock: Clock, whenRunning: (action: () => void) => void) {
    this.#clock = clock;
    this.#whenRunning = whenRunning;
  }

  now(): number {
    return this.#clock.now();
  }

  monotonic(): number {
    return this.#clock.monotonic();
  }

  schedule(delayMs: number, action: () => void, background?: boolean): Timer {
    if (this.#stopped) return { cancel: () => undefined };
    let cancelled = false;
    const timer = this.#clock.schedule(
      delayMs,
      () => {
        this.#timers.delete(timer);
        this.#whenRunning(() => {
          if (!cancelled) action();
        });
      },
      background,
    );
    this.#timers.add(timer);
    return {
      cancel: () => {
        cancelled = true;
        this.#timers.delete(timer);
        timer.cancel();
      },
    };
  }

  /** Nothing scheduled comes any more. On the system's clock it would keep the real process alive. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }

  defer(action: () => void): void {
    this.#clock.defer(() => this.#whenRunning(action));
  }

  random(): number {
    return this.#clock.random();
  }
}
