// Owns how it is said what becomes of a record that failed: declared once per source, operator or sink, read by the runtime. It checks and
// describes; it decides about no record.
//
// Retrying in place and through topics of other names, with a dead-letter topic at the end, is what KIP-1034 leaves to handlers and what users of
// Spring Kafka know as blocking and non-blocking retries.

/** The task stops with the error. */
export interface FailPolicy {
  readonly kind: 'fail';
}

/** The record is left out, counted and logged. */
export interface SkipPolicy {
  readonly kind: 'skip';
}

/** The record goes to `topic`, with the error in its headers, in the transaction of its offset. */
export interface DeadLetterPolicy {
  readonly kind: 'deadLetter';
  readonly topic: string;
}

/** Tries the record again where it is, its task waiting meanwhile. */
export interface RetryPolicy {
  readonly kind: 'retry';
  readonly attempts: number;
  readonly backoffMs: number;
  readonly multiplier: number;
  readonly backoffMsMax: number;
  readonly jitter: number;
  readonly maxMs: number;
  /** `null`: what may heal by waiting, see `RetryOn`. */
  readonly retryOn: RetryOn | null;
  /** `null`: the application's exception handler decides. */
  readonly then: Exclude<FailurePolicy, RetryPolicy> | null;
}

/** Sends the record through topics of the application's own, each with its delay, while the records behind it go on. */
export interface RetryTopicsPolicy {
  readonly kind: 'retryTopics';
  /** Milliseconds, of the first topic, the second, … */
  readonly delaysMs: readonly number[];
  readonly retryOn: RetryOn | null;
  readonly then: FinalPolicy | null;
}

export type FinalPolicy = FailPolicy | SkipPolicy | DeadLetterPolicy;

/** What becomes of a record that failed in a source, an operator or a sink. Make it with the functions of the same name. */
export type FailurePolicy = FinalPolicy | RetryPolicy | RetryTopicsPolicy;

/**
 * Is it worth trying again? Called with what was thrown, as it was thrown. Synchronous; a throw counts as no. Default: whatever a function of the
 * user's threw. What cannot be decoded or encoded, is too large or has no valid timestamp fails the same way each time.
 */
export type RetryOn = (error: Error) => boolean;

/** Milliseconds, or a text of number and unit: `'500 ms'`, `'10 s'`, `'1 min'`, `'2 h'`, `'1 d'`. */
export type Delay = number | string;

export interface RetryOptions {
  /** Tries in all, the first one included: 2 or more. */
  readonly attempts: number;
  /** Before the second try. Default 100 ms. */
  readonly backoff?: Delay | undefined;
  /** Each further wait is so many times the one before. Default 2; 1 for a fixed wait. */
  readonly multiplier?: number | undefined;
  /** No wait is longer. Default 10 s. */
  readonly backoffMax?: Delay | undefined;
  /** The part of each wait that is left to chance, 0 to 1, so that tasks do not try again all at once. Default 0.2. */
  readonly jitter?: number | undefined;
  /** No try begins later than this after the first failure. Default: no such limit. */
  readonly maxMs?: Delay | undefined;
  readonly retryOn?: RetryOn | undefined;
  /** When the last try has failed, or the error is not to be retried. Default: the application's exception handler decides. */
  readonly then?: Exclude<FailurePolicy, RetryPolicy> | undefined;
}

export interface RetryTopicsOptions {
  /** One topic each, in this order: how long a record waits in it. */
  readonly delays: readonly Delay[];
  readonly retryOn?: RetryOn | undefined;
  /** When it failed behind the last topic, or the error is not to be retried. Default: the application's exception handler decides. */
  readonly then?: FinalPolicy | undefined;
}

/** As an option: of `Consumed`, `Produced`, `Named` and `Joined`. */
export interface FailureOptions {
  /**
   * What becomes of records that fail here. The policy of the operator or sink that failed comes first, then that of the source of the record, then the
   * application's `exceptionHandlers`.
   */
  readonly failurePolicy?: FailurePolicy | undefined;
}

const FAIL: FailPolicy = Object.freeze({ kind: 'fail' });
const SKIP: SkipPolicy = Object.freeze({ kind: 'skip' });

export const FailurePolicy = {
  /** The worker stops with the error. */
  fail: (): FailPolicy => FAIL,
  /** The record is left out, counted and logged. It leaves nothing behind. */
  skip: (): SkipPolicy => SKIP,
  /** The record goes to a topic that must exist, with the error in its headers, in the transaction of its offset. */
  deadLetter: (topic: string): DeadLetterPolicy => Object.freeze({ kind: 'deadLetter', topic }),
  /**
   * Tries the record again where it is: order is kept, and its task, no other, waits meanwhile. Tries are counted in memory: a
   * restart, or another owner of the task, begins to count anew.
   */
  retry: (options: RetryOptions): RetryPolicy => {
    const given: Partial<RetryOptions> = options ?? {};
    return Object.freeze({
      kind: 'retry',
      attempts: given.attempts ?? Number.NaN,
      backoffMs: delayMs(given.backoff ?? 100),
      multiplier: given.multiplier ?? 2,
      backoffMsMax: delayMs(given.backoffMax ?? 10_000),
      jitter: given.jitter ?? 0.2,
      maxMs: given.maxMs === undefined ? Infinity : delayMs(given.maxMs),
      retryOn: given.retryOn ?? null,
      then: given.then ?? null,
    });
  },
  /**
   * Sends the record to `<application.id>-<topic>-retry-1`, from where it is read again after the first delay, then to `…-retry-2`, and so on. What is
   * behind it goes on: **the order of a key's records is given up**. Not for tables, whose older updates would win over newer ones.
   */
  retryTopics: (options: RetryTopicsOptions): RetryTopicsPolicy => {
    const given: Partial<RetryTopicsOptions> = options ?? {};
    const delays: unknown = given.delays;
    return Object.freeze({
      kind: 'retryTopics',
      delaysMs: Object.freeze(Array.isArray(delays) ? (delays as Delay[]).map(delayMs) : []),
      retryOn: given.retryOn ?? null,
      then: given.then ?? null,
    });
  },
};

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** NaN: it is no delay. */
export function delayMs(delay: unknown): number {
  if (typeof delay === 'number') return delay;
  const parts = typeof delay === 'string' ? /^\s*(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)\s*$/.exec(delay) : null;
  return parts === null ? Number.NaN : Number(parts[1]) * UNITS_MS[parts[2]!]!;
}

/** Retry topics of one source, at most: each is a topic, and an input of every task. */
const RETRY_TOPICS_MAX = 16;
/** Setting timers for longer is not possible. */
const DELAY_MS_MAX = 2_147_483_647;

/** What is wrong with a policy as it was given. */
export function failurePolicyFaults(
  given: unknown,
): readonly { readonly problem: string; readonly remedy: string }[] {
  const faults: { readonly problem: string; readonly remedy: string }[] = [];
  const fault = (problem: string, remedy: string): void => {
    faults.push({ problem, remedy });
  };
  const milliseconds = (what: string, value: unknown, least: number, most = DELAY_MS_MAX): void => {
    if (typeof value === 'number' && value >= least && value <= most) return;
    fault(
      `failurePolicy: ${what} is no time from ${least} ms to ${most === Infinity ? 'any' : '24 days'}.`,
      'Give milliseconds, or a text such as "10 s", "1 min", "2 h".',
    );
  };
  const check = (policy: FailurePolicy | null, inside: readonly FailurePolicy['kind'][]): void => {
    if (policy === null) return;
    const kind: unknown = (policy as Partial<FailurePolicy> | undefined)?.kind;
    if (inside.includes(kind as never) || (inside.includes('retryTopics') && kind === 'retry')) {
      fault(
        `failurePolicy: ${String(kind)} inside ${inside.at(-1)!}.`,
        'Retry in place first, then through topics, then end with fail, skip or deadLetter.',
      );
      return;
    }
    switch (policy.kind) {
      case 'fail':
      case 'skip':
        return;
      case 'deadLetter':
        if (typeof policy.topic === 'string' && /^[a-zA-Z0-9._-]{1,249}$/.test(policy.topic)) return;
        fault(
          `failurePolicy: the dead-letter topic is ${JSON.stringify(policy.topic)}.`,
          'Name a topic: letters, digits, ".", "_" and "-", at most 249.',
        );
        return;
      case 'retry':
        if (!Number.isSafeInteger(policy.attempts) || policy.attempts < 2) {
          fault(
            `failurePolicy: attempts is ${String(policy.attempts)}.`,
            'Give a whole number from 2 up: the first try counts.',
          );
        }
        milliseconds('backoff', policy.backoffMs, 0);
        milliseconds('backoffMax', policy.backoffMsMax, 0);
        milliseconds('maxMs', policy.maxMs, 0, Infinity);
        if (!(policy.multiplier >= 1 && policy.multiplier <= 100))
          fault(`failurePolicy: multiplier is ${String(policy.multiplier)}.`, 'Give a number from 1 to 100.');
        if (!(policy.jitter >= 0 && policy.jitter <= 1))
          fault(`failurePolicy: jitter is ${String(policy.jitter)}.`, 'Give a number from 0 to 1.');
        break;
      case 'retryTopics':
        if (policy.delaysMs.length === 0 || policy.delaysMs.length > RETRY_TOPICS_MAX) {
          fault(
            `failurePolicy: retryTopics has ${policy.delaysMs.length} delays.`,
            `Give 1 to ${RETRY_TOPICS_MAX}: each makes a topic.`,
          );
        }
        policy.delaysMs.forEach((ms, index) => milliseconds(`delay ${index + 1}`, ms, 0));
        break;
      default:
        fault(
          `failurePolicy is ${JSON.stringify(policy)}.`,
          'Make it with FailurePolicy.fail(), skip(), deadLetter(…), retry(…) or retryTopics(…).',
        );
        return;
    }
    if (policy.retryOn !== null && typeof policy.retryOn !== 'function')
      fault('failurePolicy: retryOn is not a function.', 'Pass a function (error) => boolean.');
    check(policy.then, [...inside, policy.kind]);
  };
  check((given ?? {}) as FailurePolicy, []);
  return faults;
}

/** The part of a policy that sends records through topics; `null`: none. */
export function retryTopicsOf(policy: FailurePolicy | null | undefined): RetryTopicsPolicy | null {
  if (policy === null || policy === undefined) return null;
  if (policy.kind === 'retryTopics') return policy;
  return policy.kind === 'retry' && policy.then?.kind === 'retryTopics' ? policy.then : null;
}

/** The dead-letter topic at the end of a policy; `null`: none. */
export function deadLetterTopicOf(policy: FailurePolicy | null | undefined): string | null {
  if (policy === null || policy === undefined) return null;
  if (policy.kind === 'deadLetter') return policy.topic;
  return policy.kind === 'retry' || policy.kind === 'retryTopics' ? deadLetterTopicOf(policy.then) : null;
}
