// Owns the operator that calls the outside for each record. Input offsets are committed although calls are under way, because each record
// whose result is not out yet is a row in a store of the same epoch:
//
//   record ─ row written ─► waiting ─► called ─► outcome ─ row deleted, result forwarded, in one scope
//
// 1. A row is there exactly as long as its record has no result in a finished scope. After a crash rows are called for again: the call is
//    made at least once, its result is forwarded exactly once.
// 2. Calls start only for rows of finished scopes; memory (what is waiting, running, done) is changed only when a scope is over.
// 3. Sequence numbers ascend: rows above `taken` have not been looked at by this process yet.
import { FatalError, orderedUint64, readOrderedUint64 } from '#libs/core';
import type { BinaryString, RecordHeader } from '#libs/core';
import { compileCodec } from '#libs/serde';
import type { AnySerde } from '../graph.ts';
import type { Operator, Site, StreamFunction } from '../operators/operator.ts';
import { toEachStream } from '../operators/operator.ts';
import type { OrderedStorePort } from '../ports.ts';
import { inFlightStoreName } from './async-options.ts';
import type { AsyncPlan } from './async-options.ts';
import { CallRunner } from './call-runner.ts';
import type { AsyncFunction, CallInput, Outcome } from './call-runner.ts';
import { decodeInFlight, encodeInFlight } from './in-flight-record.ts';

const ALL = '' as BinaryString;

export interface AsyncStageOptions {
  readonly fn: AsyncFunction;
  readonly plan: AsyncPlan;
  readonly keySerde: AnySerde;
  readonly valueSerde: AnySerde;
  /** The function gives an iterable of values, not one. */
  readonly flat: boolean;
}

export function asyncOperator(options: AsyncStageOptions): Operator {
  return {
    takes: 'stream',
    gives: 'stream',
    key: 'changed',
    value: 'changed',
    stores: [inFlightStoreName(options.plan)],
    reads: [],
    runsUserCode: true,
    fold(site, children) {
      const stage = new AsyncStage(options, site, toEachStream(children));
      return (key, value, timestamp) => stage.accept(key, value, timestamp);
    },
  };
}

/** A record that was taken up from its row. */
interface Taken extends CallInput {
  readonly keyBytes: BinaryString | null;
  readonly valueBytes: BinaryString | null;
  outcome: Outcome | null;
}

class AsyncStage {
  private readonly options: AsyncStageOptions;
  private readonly site: Site;
  private readonly next: StreamFunction;
  private readonly store: OrderedStorePort;
  private readonly runner: CallRunner;
  private readonly encodeKey: (key: unknown) => BinaryString;
  /** By sequence, ascending: taken up and not yet forwarded. */
  private readonly taken = new Map<number, Taken>();
  /** `perKey`: records behind the one of their key that is called for. */
  private readonly behind = new Map<BinaryString | null, Taken[]>();
  private takenUpTo = -1;

  constructor(options: AsyncStageOptions, site: Site, next: StreamFunction) {
    const { fn, plan, keySerde } = options;
    this.options = options;
    this.site = site;
    this.next = next;
    this.store = site.orderedStore(inFlightStoreName(plan));
    const { codec, fromSource } = site.keyEncoder(keySerde);
    this.encodeKey = (key) => (fromSource ? site.context.rawKey! : codec.toBinary(key));
    const alarm = site.alarm('wall', (now) => this.runner.tick(now));
    this.runner = new CallRunner({
      fn,
      plan,
      wallTime: () => site.wallTime(),
      due: (time) => alarm.due(time),
      onOutcome: (input, outcome) => this.ended(input, outcome),
    });
    site.onInit(() => this.postPump());
    site.onClose(() => this.runner.close());
  }

  /** In the scope of a record: it becomes a row; the call starts when the scope is over. */
  accept(key: unknown, value: unknown, timestamp: number): void {
    const sequence = Math.max(this.takenUpTo, this.lastSequence()) + 1;
    const { context } = this.site;
    const bytes = encodeInFlight({
      key: key === null || key === undefined ? null : this.encodeKey(key),
      value:
        value === null || value === undefined ? null : compileCodec(this.options.valueSerde).toBinary(value),
      headers: context.outputHeaders ?? context.headers(),
    });
    this.store.set(this.store.row(ALL, orderedUint64(sequence)), bytes, timestamp);
    this.postPump();
    if (this.buffered(sequence) >= this.options.plan.bufferedRecordsMax) this.site.intake.hold(this);
  }

  /** Each time anew: what is posted in a scope that is undone is forgotten. */
  private postPump(): void {
    this.site.post(() => this.pump());
  }

  /** In a scope of its own: takes up rows while there is room for calls. */
  private pump(): void {
    const { store } = this;
    const from = orderedUint64(this.takenUpTo + 1);
    store.range(ALL, from, null, (row) => {
      if (!this.runner.hasRoom) return false;
      const sequence = readOrderedUint64(store.suffixOf(row), 0);
      const { key, value, headers } = decodeInFlight(row.encoded!);
      this.takenUpTo = sequence;
      this.take(sequence, key, value, row.timestamp, headers);
      return true;
    });
    const last = Math.max(this.takenUpTo, this.lastSequence());
    if (this.buffered(last) < this.options.plan.bufferedRecordsMax) this.site.intake.release(this);
    this.site.unfinished(this, this.buffered(last) > 0);
  }

  private take(
    sequence: number,
    keyBytes: BinaryString | null,
    valueBytes: BinaryString | null,
    timestamp: number,
    headers: readonly RecordHeader[],
  ): void {
    const { keySerde, valueSerde, plan } = this.options;
    const taken: Taken = {
      sequence,
      keyBytes,
      valueBytes,
      key: keyBytes === null ? null : compileCodec(keySerde).fromBinary(keyBytes, false),
      value: valueBytes === null ? null : compileCodec(valueSerde).fromBinary(valueBytes, false),
      timestamp,
      headers,
      outcome: null,
    };
    this.taken.set(sequence, taken);
    if (plan.order !== 'perKey') {
      this.runner.start(taken);
      return;
    }
    const behind = this.behind.get(keyBytes);
    if (behind !== undefined) {
      behind.push(taken);
      return;
    }
    this.behind.set(keyBytes, []);
    this.runner.start(taken);
  }

  /** Between scopes, when a call has its outcome. */
  private ended(input: CallInput, outcome: Outcome): void {
    const taken = this.taken.get(input.sequence);
    if (taken === undefined) return;
    taken.outcome = outcome;
    if (this.options.plan.order !== 'ordered') this.postDelivery(taken);
    else this.postHead();
    this.postPump();
  }

  /** `ordered`: the oldest record, if its outcome is there. */
  private postHead(): void {
    const [head] = this.taken.values();
    if (head !== undefined && head.outcome !== null) this.postDelivery(head);
  }

  private postDelivery(taken: Taken): void {
    this.site.post(
      () => this.deliver(taken, true),
      () => this.deliver(taken, false),
      taken,
    );
  }

  /** In a scope of its own. Memory is changed last: a miss behind this operator runs it again. */
  private deliver(taken: Taken, forwards: boolean): void {
    if (!this.taken.has(taken.sequence)) return;
    const row = this.store.row(ALL, orderedUint64(taken.sequence));
    this.store.set(row, null, taken.timestamp);
    if (forwards) this.forward(taken, taken.outcome!);
    this.taken.delete(taken.sequence);
    if (this.options.plan.order === 'ordered') this.postHead();
    if (this.options.plan.order === 'perKey') this.startBehind(taken.keyBytes);
    this.postPump();
  }

  private startBehind(keyBytes: BinaryString | null): void {
    const behind = this.behind.get(keyBytes)!;
    const first = behind.shift();
    if (first === undefined) this.behind.delete(keyBytes);
    else this.runner.start(first);
  }

  private forward(taken: Taken, outcome: Outcome): void {
    const { site, next } = this;
    const result = outcome.ok ? outcome.result : this.afterFailure(taken, outcome.error);
    if (result === SKIPPED) return;
    site.context.outputHeaders = taken.headers;
    if (!this.options.flat) {
      next(taken.key, result ?? null, taken.timestamp);
      return;
    }
    let results: unknown[];
    try {
      results = [...(result as Iterable<unknown>)];
    } catch {
      throw site.blame(new TypeError('the call must give an iterable'));
    }
    for (const each of results) next(taken.key, each ?? null, taken.timestamp);
  }

  private afterFailure(taken: Taken, error: Error): unknown {
    const { onFailure, name } = this.options.plan;
    if (typeof onFailure === 'function') {
      try {
        return onFailure(error, taken.value, taken.key);
      } catch (thrown) {
        throw this.site.blame(thrown);
      }
    }
    if (onFailure === 'skip') {
      this.site.drop('MILLRACE_ASYNC_CALL_FAILED', `a call failed: ${error.message}`);
      return SKIPPED;
    }
    throw this.site.blame(
      new FatalError({
        code: 'MILLRACE_ASYNC_CALL_FAILED',
        message: `The call of "${name}" for a record of time ${taken.timestamp} failed: ${error.message}`,
        remedy: 'Give the operator retries or an onFailure, or see what the cause says.',
        cause: error,
        context: { operator: name },
      }),
    );
  }

  /** Records that have no result yet, when `lastSequence` is the newest row. */
  private buffered(lastSequence: number): number {
    return this.taken.size + (lastSequence - this.takenUpTo);
  }

  private lastSequence(): number {
    let last = -1;
    this.store.range(
      ALL,
      null,
      null,
      (row) => {
        last = readOrderedUint64(this.store.suffixOf(row), 0);
        return false;
      },
      true,
    );
    return last;
  }
}

const SKIPPED = Symbol('skipped');
