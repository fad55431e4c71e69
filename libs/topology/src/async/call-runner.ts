// Owns the calls under way: how many at a time, tries, time limits. It knows no stores and forwards nothing: who made it is told of each
// outcome. Its memory is of this process only; after a restart the same records are called for again.
import { asError } from '#libs/core';
import type { RecordHeader } from '#libs/core';
import type { AsyncCall, AsyncPlan } from './async-options.ts';

export interface CallInput {
  /** Position in the store; ascending. */
  readonly sequence: number;
  readonly key: unknown;
  readonly value: unknown;
  readonly timestamp: number;
  readonly headers: readonly RecordHeader[];
}

export type Outcome =
  { readonly ok: true; readonly result: unknown } | { readonly ok: false; readonly error: Error };

export type AsyncFunction = (value: unknown, call: AsyncCall<unknown>) => Promise<unknown>;

/** One record's call over all its tries. */
class Call {
  readonly input: CallInput;
  attempt = 0;
  /** Wall clock at which the try times out or, between tries, the next one begins. */
  dueAt = Infinity;
  /** Of the try under way; `null` between tries. */
  controller: AbortController | null = null;

  constructor(input: CallInput) {
    this.input = input;
  }
}

export interface CallRunnerParts {
  readonly fn: AsyncFunction;
  readonly plan: AsyncPlan;
  readonly wallTime: () => number;
  /** Something is due at this time of the wall clock: call `tick` then. */
  readonly due: (time: number) => void;
  readonly onOutcome: (input: CallInput, outcome: Outcome) => void;
}

export class CallRunner {
  private readonly parts: CallRunnerParts;
  private readonly running = new Set<Call>();
  private closed = false;

  constructor(parts: CallRunnerParts) {
    this.parts = parts;
  }

  get hasRoom(): boolean {
    return this.running.size < this.parts.plan.concurrency;
  }

  start(input: CallInput): void {
    const call = new Call(input);
    this.running.add(call);
    this.attempt(call);
  }

  /** Times out what is over its time, tries again what has waited. Gives the time of the next such moment. */
  tick(now: number): number {
    let next = Infinity;
    for (const call of [...this.running]) {
      if (call.dueAt <= now) {
        if (call.controller === null) {
          this.attempt(call);
        } else {
          const ms = this.parts.plan.timeoutMs;
          this.ended(call, call.attempt, { ok: false, error: new CallTimedOut(ms) });
        }
      }
      if (this.running.has(call)) next = Math.min(next, call.dueAt);
    }
    return next;
  }

  close(): void {
    this.closed = true;
    for (const { controller } of this.running) controller?.abort(new Error('the task is closed'));
    this.running.clear();
  }

  private attempt(call: Call): void {
    const { fn, plan, wallTime, due } = this.parts;
    const controller = new AbortController();
    const attempt = ++call.attempt;
    call.controller = controller;
    call.dueAt = wallTime() + plan.timeoutMs;
    due(call.dueAt);
    const { key, value, timestamp, headers } = call.input;
    const { signal } = controller;
    let promise: Promise<unknown>;
    try {
      promise = Promise.resolve(fn(value, { key, timestamp, headers, attempt, signal }));
    } catch (error) {
      promise = Promise.reject(asError(error));
    }
    promise.then(
      (result) => this.ended(call, attempt, { ok: true, result: result ?? null }),
      (error: unknown) => this.ended(call, attempt, { ok: false, error: asError(error) }),
    );
  }

  private ended(call: Call, attempt: number, outcome: Outcome): void {
    // An answer that comes after its try had timed out is nobody's any more.
    if (this.closed || call.attempt !== attempt || call.controller === null) return;
    const { plan, wallTime, due, onOutcome } = this.parts;
    const { controller } = call;
    call.controller = null;
    if (!outcome.ok) {
      controller.abort(outcome.error);
      const { max, backoffMs, backoffMsMax, retryOn } = plan.retries;
      if (attempt <= max && retryOn(outcome.error)) {
        call.dueAt = wallTime() + Math.min(backoffMsMax, backoffMs * 2 ** (attempt - 1));
        due(call.dueAt);
        return;
      }
    }
    this.running.delete(call);
    onOutcome(call.input, outcome);
  }
}

/** One try took longer than `timeoutMs`. */
export class CallTimedOut extends Error {
  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs} ms`);
    this.name = 'CallTimedOut';
  }
}
