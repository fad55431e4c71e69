// Owns the interfaces of keyed process functions: what a user writes, and what the functions are given.
import type { FailureOptions } from '../options/failure-policy.ts';
import type { RecordHeader } from '#libs/core';
import type { GlobalKTable } from '../dsl/global-table.ts';
import type { SerdeOf } from '../options.ts';
import type { RecordMetadata } from '../ports.ts';
import type { StateDescriptors, StateHandles } from './state-descriptors.ts';

/** A side output by name; the type says what it carries. */
export interface OutputTag<T> {
  readonly name: string;
  readonly serde?: SerdeOf<T> | undefined;
}

export const OutputTag = {
  /** `serde`: of the values, for operators that follow. */
  of: <T>(name: string, serde?: SerdeOf<T>): OutputTag<T> => ({ name, serde }),
};

/** A timer that fired. */
export interface FiredTimer {
  readonly name: string;
  readonly kind: 'event' | 'wall';
  /** The time it was set to, milliseconds since the Unix epoch. */
  readonly time: number;
}

/**
 * Durable timers of the current key. A key has one timer of each kind and name: setting it again moves it. They are state: written
 * with the epoch, undone with a failed record, fired exactly once.
 */
export interface Timers {
  /** Fires once event time (stream time or watermark) reaches `time`; at once, after this record, if it has. */
  setEventTime(name: string, time: number): void;
  /** Fires once the wall clock reaches `time`. */
  setWallTime(name: string, time: number): void;
  /** False: there was none. */
  cancelEventTime(name: string): boolean;
  cancelWallTime(name: string): boolean;
  /** When it fires; `null`: it is not set. */
  eventTimeOf(name: string): number | null;
  wallTimeOf(name: string): number | null;
}

/**
 * Broadcast state: a global table, the same in every instance. Read only: what changes it is its topic. It is as it is at that
 * moment, and may be newer in a replay.
 */
export interface BroadcastState<BK, BV> {
  get(key: BK): BV | null;
  entries(): [key: BK, value: BV][];
}

export type BroadcastTables = Readonly<Record<string, GlobalKTable<never, never>>>;

export type BroadcastHandles<B> = {
  readonly [N in keyof B]: B[N] extends GlobalKTable<infer BK, infer BV> ? BroadcastState<BK, BV> : never;
};

export interface EmitOptions {
  /** Default: that of the record, or the time of the timer. */
  readonly timestamp?: number | undefined;
  /** Default: those of the record; none in a timer. */
  readonly headers?: readonly RecordHeader[] | undefined;
}

/** Valid within the call it is given to. */
export interface KeyedContext<K, R, S extends StateDescriptors, B = object> {
  readonly key: K;
  /** State of this key. */
  readonly state: StateHandles<S>;
  readonly broadcast: BroadcastHandles<B>;
  readonly timers: Timers;
  /** Milliseconds: of the record, or the time of the timer. */
  readonly timestamp: number;
  /** Event time of the function: stream time, or the watermark. */
  readonly eventTime: number;
  /** The wall clock. Not the same in a replay. */
  readonly wallTime: number;
  readonly record: RecordMetadata;
  /** Forwards a record of this key. */
  emit(value: R, options?: EmitOptions): void;
  /** Forwards to the side output; nobody takes it: nothing happens. */
  output<T>(tag: OutputTag<T>, value: T, options?: EmitOptions): void;
}

/**
 * A function on the records of a key, with state and timers. Synchronous; it may be run again for the same record when state had to be
 * read first, so it keeps nothing outside `context.state`.
 */
export interface KeyedProcessFunction<
  K,
  V,
  R,
  S extends StateDescriptors,
  B = object,
> extends FailureOptions {
  /** Names the node and prefixes its stores: `<name>-<state>`, `<name>-timers`. Must not change between versions. */
  readonly name: string;
  readonly state?: S | undefined;
  /** Global tables that the function reads, such as rules: `broadcast: { rules: builder.globalTable(…) }`. */
  readonly broadcast?: B | undefined;
  /** Of what it emits. */
  readonly valueSerde?: SerdeOf<R> | undefined;
  /** Late records reach it too: compare `context.timestamp` with `context.eventTime`. */
  onRecord(value: V, context: KeyedContext<K, R, S, B>): void;
  onTimer?(timer: FiredTimer, context: KeyedContext<K, R, S, B>): void;
}

/** The same with its types loosened, for the operator. */
export interface LooseKeyedProcessFunction extends FailureOptions {
  readonly name: string;
  readonly state?: StateDescriptors | undefined;
  readonly broadcast?: BroadcastTables | undefined;
  readonly onRecord: (value: unknown, context: unknown) => void;
  readonly onTimer?: (timer: FiredTimer, context: unknown) => void;
}
