// Owns time and chance: the only place that may read the system's clock, set timers or draw random numbers.
// Everything else takes a Clock, so that the simulation can run it on virtual time and replay it from a seed.

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch. May jump. */
  now(): number;
  /** Monotonic clock, milliseconds from an arbitrary start, with fractions. */
  monotonic(): number;
  /** Runs `action` once after `delayMs`. Does not keep the process alive when `background` is set. */
  schedule(delayMs: number, action: () => void, background?: boolean): Timer;
  /** Runs `action` after the I/O that is already pending had its turn (macrotask, no delay). */
  defer(action: () => void): void;
  /** Uniform in [0, 1). */
  random(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  schedule(delayMs, action, background = false) {
    const handle = setTimeout(action, delayMs);
    if (background) handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
  defer: (action) => {
    setImmediate(action);
  },
  random: () => Math.random(),
};

/**
 * Milliseconds of the machine's monotonic clock, with fractions: the same in every thread of the process, unlike
 * `systemClock.monotonic()`, which each thread counts from its own start.
 */
export function monotonicOfMachine(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

/** Resolves after `delayMs` on `clock`, or as soon as `signal` is aborted. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.schedule(delayMs, end);
    signal?.addEventListener('abort', end);
  });
}

/** What `promise` comes to; `null` once `limitMs` have passed on `clock`. Nobody hears of a rejection after that. */
export async function within<T>(clock: Clock, limitMs: number, promise: Promise<T>): Promise<T | null> {
  let onLate = (): void => undefined;
  const late = new Promise<null>((resolve) => (onLate = () => resolve(null)));
  const timer = clock.schedule(limitMs, () => onLate());
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.cancel();
  }
}

/** Resolves after pending I/O had its turn. */
export function yieldToIo(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.defer(resolve));
}
