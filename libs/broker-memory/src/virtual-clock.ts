// Owns virtual time: it moves only when it is told to, and then from event to event. Between two events all promises settle,
// so that a whole application on it runs single-threaded and the same way each time. It never reads the system's clock.
//
// 1. Events fire in order of their moment; those of one moment in the order they were scheduled.
// 2. After each event everything that needs no time has happened: promise callbacks, and what they schedule for later.
// 3. Real I/O is not waited for, but for one turn of the event loop before time moves. What is simulated should do none.
import { systemClock } from '#libs/core';
import type { Clock, Timer } from '#libs/core';
import { SeededRandom } from './seeded-random.ts';

export interface VirtualClockOptions {
  /** Of `random`. Default 1. */
  readonly seed?: number;
  /** Wall clock at the start, milliseconds since the Unix epoch. Default 2024-01-01. */
  readonly startMs?: number;
  /** False: nothing that runs on it does real I/O, so the event loop gets a turn only now and then. Default true. */
  readonly waitsForIo?: boolean;
}

/** Looked up once: in the contexts that test runners make, each look at a global costs microseconds. */
const enqueueMicrotask = queueMicrotask;
const nextTick = process.nextTick.bind(process);

const { ceil } = Math;

/** A power of two, so that sums and differences of moments are exact: what is due in 6,000 ms is due then, by any reckoning. */
const MOMENTS_PER_MS = 1_024;
const START_MS_DEFAULT = Date.UTC(2024, 0, 1);
const LIMIT_MS_DEFAULT = 24 * 3_600_000;
/** After so many events the process' own event loop gets a turn. */
const EVENTS_PER_TURN = 512;
/** So many events without any time passing mean that something goes round in circles. */
const EVENTS_PER_MOMENT_MAX = 1_000_000;

class Scheduled implements Timer {
  readonly at: number;
  readonly order: number;
  action: (() => void) | undefined;
  readonly #onCancel: () => void;

  constructor(at: number, order: number, action: () => void, onCancel: () => void) {
    this.at = at;
    this.order = order;
    this.action = action;
    this.#onCancel = onCancel;
  }

  cancel(): void {
    if (this.action === undefined) return;
    this.action = undefined;
    this.#onCancel();
  }
}

export class VirtualClock implements Clock {
  readonly #startMs: number;
  readonly #random: SeededRandom;
  readonly #waitsForIo: boolean;
  #elapsedMs = 0;
  #wallJumpMs = 0;
  #order = 0;
  /** A binary heap. */
  #heap: Scheduled[] = [];
  #cancelled = 0;
  #running = false;
  #eventCount = 0;

  constructor(options: VirtualClockOptions = {}) {
    this.#startMs = options.startMs ?? START_MS_DEFAULT;
    this.#random = new SeededRandom(options.seed ?? 1);
    this.#waitsForIo = options.waitsForIo ?? true;
  }

  now(): number {
    return Math.floor(this.#startMs + this.#elapsedMs + this.#wallJumpMs);
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  schedule(delayMs: number, action: () => void): Timer {
    const at = this.#elapsedMs + (delayMs > 0 ? ceil(delayMs * MOMENTS_PER_MS) / MOMENTS_PER_MS : 0);
    const entry = new Scheduled(at, this.#order++, action, this.#onCancel);
    this.#push(entry);
    return entry;
  }

  defer(action: () => void): void {
    this.schedule(0, action);
  }

  random(): number {
    return this.#random.next();
  }

  /** Moves the wall clock alone: what an operator or NTP may do to it. */
  jumpWallClock(ms: number): void {
    this.#wallJumpMs += ms;
  }

  /** Events that wait for their moment. */
  get pending(): number {
    return this.#heap.length - this.#cancelled;
  }

  /** Events fired so far. */
  get eventCount(): number {
    return this.#eventCount;
  }

  /** Lets everything happen that needs no time and no event. */
  settle(): Promise<void> {
    return drainMicrotasks();
  }

  /** Moves time by `ms`, firing what falls due on the way. */
  async advance(ms: number): Promise<void> {
    const until = this.#elapsedMs + ceil(ms * MOMENTS_PER_MS) / MOMENTS_PER_MS;
    await this.#run(until, () => false);
    if (until > this.#elapsedMs) this.#elapsedMs = until;
  }

  /** Fires events until none waits. @throws Error when some still do after `limitMs` of virtual time. */
  async runUntilIdle(limitMs = LIMIT_MS_DEFAULT): Promise<void> {
    await this.#run(this.#elapsedMs + limitMs, () => false);
    if (this.pending > 0)
      throw new Error(`${this.pending} events still wait after ${limitMs} ms of virtual time`);
  }

  /** Fires events until `condition` holds. @throws Error when it does not within `limitMs` of virtual time. */
  async runUntil(
    condition: () => boolean,
    limitMs = LIMIT_MS_DEFAULT,
    what = 'The condition',
  ): Promise<void> {
    if (await this.#run(this.#elapsedMs + limitMs, condition)) return;
    if (this.pending === 0) throw new Error(`${what} waits for something that no event brings`);
    throw new Error(`${what} does not hold after ${limitMs} ms of virtual time`);
  }

  /** As `runUntil`; false when the condition does not hold within `limitMs` of virtual time, or no event is left. */
  runUntilWithin(condition: () => boolean, limitMs: number): Promise<boolean> {
    return this.#run(this.#elapsedMs + limitMs, condition);
  }

  /** Moves time just as far as `promise` needs to settle, and gives its outcome. */
  async run<T>(promise: Promise<T>, limitMs = LIMIT_MS_DEFAULT): Promise<T> {
    let settled = false;
    const outcome = promise.finally(() => {
      settled = true;
    });
    outcome.catch(() => undefined);
    await this.runUntil(() => settled, limitMs, 'The promise');
    return outcome;
  }

  /**
   * Time runs on its own from now on, as fast as events come, until the returned function is called: for code that just waits for
   * promises, as on the system's clock.
   */
  runFreely(): () => void {
    let stopped = false;
    const turn = (): void => {
      if (stopped) return;
      this.#run(Infinity, () => stopped)
        .then(macrotask)
        .then(turn, (error: unknown) => queueMicrotask(() => fail(error)));
    };
    turn();
    return () => {
      stopped = true;
    };
  }

  async #run(until: number, done: () => boolean): Promise<boolean> {
    if (this.#running)
      throw new Error('The virtual clock is run already: by somebody that does not wait for it');
    this.#running = true;
    try {
      await drainMicrotasks();
      let sinceTurn = 0;
      let sinceMove = 0;
      while (!done()) {
        let next = this.#peek();
        if (next === undefined || next.at > until || next.at > this.#elapsedMs) {
          // Before time moves, whatever the process itself has put off until later in this moment gets its turn.
          if (this.#waitsForIo) {
            await macrotask();
            sinceTurn = 0;
            if (done()) return true;
            next = this.#peek();
          }
        }
        if (next === undefined || next.at > until || next.at === Infinity) return false;
        this.#pop();
        if (next.at > this.#elapsedMs) {
          this.#elapsedMs = next.at;
          sinceMove = 0;
        } else if (++sinceMove > EVENTS_PER_MOMENT_MAX) {
          throw new Error(
            `${EVENTS_PER_MOMENT_MAX} events without any time passing: something goes round in circles`,
          );
        }
        this.#eventCount++;
        const { action } = next;
        next.action = undefined;
        action!();
        if (++sinceTurn >= EVENTS_PER_TURN) {
          sinceTurn = 0;
          await macrotask();
        } else {
          await drainMicrotasks();
        }
      }
      return true;
    } finally {
      this.#running = false;
    }
  }

  // --- the heap ------------------------------------------------------------------------------------------------

  readonly #onCancel = (): void => {
    this.#cancelled++;
    // Timers of calls that were answered make up most of what is cancelled.
    if (this.#cancelled > 1_024 && this.#cancelled > this.#heap.length >> 1) this.#sweep();
  };

  #sweep(): void {
    const kept = this.#heap.filter((entry) => entry.action !== undefined);
    this.#heap = [];
    this.#cancelled = 0;
    for (const entry of kept) this.#push(entry);
  }

  #peek(): Scheduled | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.action !== undefined) return first;
      this.#pop();
      this.#cancelled--;
    }
  }

  #push(entry: Scheduled): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(entry, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

/** Nobody waits for time that runs freely: what goes wrong in it must not pass in silence. */
function fail(error: unknown): never {
  throw error;
}

function before(a: Scheduled, b: Scheduled): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Node empties the queue of promise callbacks, however they go on, before it runs what one of them put on the tick queue. */
function drainMicrotasks(): Promise<void> {
  return new Promise((resolve) => {
    enqueueMicrotask(() => nextTick(resolve));
  });
}

function macrotask(): Promise<void> {
  return new Promise((resolve) => systemClock.defer(resolve));
}
