// Owns pauses and deadlines: how long to wait before the same request goes out again, and when to give up.
// It never decides whether to retry.
import { sleep } from '#libs/core';
import type { Clock } from '#libs/core';
import { isRpcFailure } from '../protocol/errors.ts';
import type { RpcFailure } from '../rpc/index.ts';

/**
 * Small, because most obstacles of a live cluster are gone in milliseconds: brokers also wrap the wait for the markers of
 * the previous transaction as NOT_ENOUGH_REPLICAS and COORDINATOR_LOAD_IN_PROGRESS (measured: 5 % of small transactions).
 */
const BACKOFF_FIRST_MS = 2;
const BACKOFF_MAX_MS = 1_000;
/** Waits for the markers of the previous transaction: single milliseconds, since they take about that (design). */
const CONCURRENT_FIRST_MS = 1;
const CONCURRENT_STEPS_FAST = 40;
const CONCURRENT_FAST_MAX_MS = 8;
const CONCURRENT_MAX_MS = 100;

/** `normal`: exponential with jitter, 2 ms to 1 s. `concurrent`: from 1 ms, under 10 ms for the first 40 tries. */
export type Pace = 'normal' | 'concurrent';

/** Counts the tries of one request. */
export class Backoff {
  readonly #clock: Clock;
  #normal = 0;
  #concurrent = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds until the next try. */
  next(pace: Pace): number {
    if (pace === 'concurrent') {
      const step = this.#concurrent++;
      if (step < CONCURRENT_STEPS_FAST)
        return Math.min(CONCURRENT_FIRST_MS + (step >> 1), CONCURRENT_FAST_MAX_MS);
      return this.#jitter(CONCURRENT_MAX_MS);
    }
    return this.#jitter(Math.min(BACKOFF_FIRST_MS * 2 ** this.#normal++, BACKOFF_MAX_MS));
  }

  reset(): void {
    this.#normal = 0;
    this.#concurrent = 0;
  }

  /** Between 80 % and 120 %, so that clients that failed together do not return together. */
  #jitter(delayMs: number): number {
    return delayMs * (0.8 + 0.4 * this.#clock.random());
  }
}

/** A moment on the monotonic clock after which nothing is tried again. */
export class Deadline {
  readonly #clock: Clock;
  readonly #at: number;
  readonly #startedAt: number;

  constructor(clock: Clock, durationMs: number) {
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
    this.#at = this.#startedAt + durationMs;
  }

  get remainingMs(): number {
    return this.#at - this.#clock.monotonic();
  }

  get passed(): boolean {
    return this.remainingMs <= 0;
  }

  get waitedMs(): number {
    return this.#clock.monotonic() - this.#startedAt;
  }
}

/** An attempt's answer that means: the same again, after a pause. */
export class Again {
  readonly reason: string;
  readonly pace: Pace;

  constructor(reason: string, pace: Pace = 'normal') {
    this.reason = reason;
    this.pace = pace;
  }
}

export interface RetryOptions {
  readonly clock: Clock;
  readonly deadline: Deadline;
  /** Longest wait for one answer. */
  readonly requestTimeoutMs: number;
  /** What to throw once the deadline passed. `last` says what stood in the way. */
  readonly onDeadline: (last: string) => Error;
  /** Asked before each try and after each pause; an error it returns ends the loop. */
  readonly cancelled?: () => Error | undefined;
  /** Called for each lost answer, before the pause. */
  readonly onRpcFailure?: (failure: RpcFailure) => void;
}

/**
 * Runs `attempt` until it answers something else than `Again`. A lost answer counts as `Again`: the identical request
 * goes out once more. Everything else that `attempt` throws ends the loop.
 */
export async function retry<T>(
  options: RetryOptions,
  attempt: (timeoutMs: number) => Promise<T | Again>,
): Promise<T> {
  const { clock, deadline } = options;
  const backoff = new Backoff(clock);
  for (;;) {
    const before = options.cancelled?.();
    if (before !== undefined) throw before;
    let again: Again;
    try {
      const result = await attempt(Math.max(1, Math.min(options.requestTimeoutMs, deadline.remainingMs)));
      if (!(result instanceof Again)) return result;
      again = result;
    } catch (error) {
      if (!isRpcFailure(error)) throw error;
      options.onRpcFailure?.(error);
      again = new Again(error.message);
    }
    const delayMs = backoff.next(again.pace);
    if (deadline.remainingMs <= delayMs) throw options.cancelled?.() ?? options.onDeadline(again.reason);
    await sleep(clock, delayMs);
  }
}
