// Owns the interfaces of the Processor API: what users write, and what their processors are given. It runs nothing.
import type { RecordHeader } from '#libs/core';
import type { OutputTag } from '../keyed/keyed-process.ts';
import type { RecordMetadata } from '../ports.ts';
import type { GlobalKTable } from '../dsl/global-table.ts';
import type { KTable } from '../dsl/types.ts';
import type { ReadOnlyGlobalStore, ReadOnlyKeyValueStore, StateStore, StoreBuilder } from './stores.ts';

/** What may be forwarded. A timestamp left out is that of the record in process; headers left out are its headers. */
export interface ForwardedRecord<K, V> {
  readonly key: K;
  readonly value: V;
  /** Milliseconds since the Unix epoch. */
  readonly timestamp?: number | undefined;
  readonly headers?: readonly RecordHeader[] | undefined;
}

/** A record as a processor gets it. Copies are made by `with…`; `{ ...record, value }` is one too. */
export interface ProcessorRecord<K, V> {
  readonly key: K;
  readonly value: V;
  /** Milliseconds since the Unix epoch. */
  readonly timestamp: number;
  /** Decoded on first use; to be read while the record is in process. */
  readonly headers: readonly RecordHeader[];
  withKey<KR>(key: KR): ProcessorRecord<KR, V>;
  withValue<VR>(value: VR): ProcessorRecord<K, VR>;
  withTimestamp(timestamp: number): ProcessorRecord<K, V>;
  withHeaders(headers: readonly RecordHeader[]): ProcessorRecord<K, V>;
}

/** The record of `processValues`, whose key stays. */
export interface FixedKeyRecord<K, V> {
  readonly key: K;
  readonly value: V;
  readonly timestamp: number;
  readonly headers: readonly RecordHeader[];
  withValue<VR>(value: VR): FixedKeyRecord<K, VR>;
  withTimestamp(timestamp: number): FixedKeyRecord<K, V>;
  withHeaders(headers: readonly RecordHeader[]): FixedKeyRecord<K, V>;
}

/**
 * What a schedule goes by. `stream-time`: the task's stream time, or its watermark; first as soon as there is data, then at multiples of
 * the interval. `wall-clock`: the wall clock; first one interval from now. Missed times are not made up for: one call, then the next
 * multiple.
 */
export type PunctuationType = 'stream-time' | 'wall-clock';

/** `timestamp`: the stream time, or the wall clock, at the call; milliseconds since the Unix epoch. */
export type Punctuator = (timestamp: number) => void;

export interface Cancellable {
  cancel(): void;
}

export interface PunctuationOptions {
  /** The first time, milliseconds since the Unix epoch; one that has passed is moved on by whole intervals (KIP-1146). */
  readonly startTimeMs?: number | undefined;
}

/** Stores by name. */
export type StoresByName = Readonly<Record<string, StateStore>>;

export interface ProcessingContext<Connected extends StoresByName> {
  readonly applicationId: string;
  /** `<sub-topology>_<partition>`. */
  readonly taskId: string;
  /** Of the source record in process; `null` in a punctuation. */
  readonly recordMetadata: RecordMetadata | null;
  /** Highest timestamp that the task has seen, milliseconds since the Unix epoch; -1 before the first record. */
  currentStreamTimeMs(): number;
  /** The wall clock. Not the same in a replay. */
  currentSystemTimeMs(): number;
  /** A store connected with this processor, by its builder, its table or its name; tables' stores are read only. A global table's store needs no connection. */
  getStateStore<S extends StateStore>(store: StoreBuilder<S>): S;
  getStateStore<K, V, Deleted extends null>(table: KTable<K, V, Deleted>): ReadOnlyKeyValueStore<K, V>;
  getStateStore<K, V>(table: GlobalKTable<K, V>): ReadOnlyGlobalStore<K, V>;
  getStateStore<N extends keyof Connected & string>(name: N): Connected[N];
  /**
   * Calls `punctuator` every `intervalMs` milliseconds (at least 1), between records, in a scope of its own: what it changes and forwards is
   * done whole or not at all. Make schedules in `init`, because they are not state: a task that opens has none. Those of stream time that are
   * made there go on where they were, so that a restart neither repeats nor leaves out a call; those of the wall clock begin anew.
   */
  schedule(
    intervalMs: number,
    type: PunctuationType,
    punctuator: Punctuator,
    options?: PunctuationOptions,
  ): Cancellable;
}

export interface ProcessorContext<
  KR,
  VR,
  Connected extends StoresByName = StoresByName,
> extends ProcessingContext<Connected> {
  /**
   * Hands a record to all nodes behind this one, or to the one of that name. What fails there cannot be caught here: the source record
   * fails as a whole.
   */
  forward(record: ForwardedRecord<KR, VR>, childName?: string): void;
  /** To the side output; nobody takes it: nothing happens. */
  output<T>(tag: OutputTag<T>, record: ForwardedRecord<KR, T>): void;
}

/** What a `FixedKeyProcessor` may forward: the key is that of the record in process. */
export type ForwardedValue<V> = Omit<ForwardedRecord<never, V>, 'key'>;

export interface FixedKeyProcessorContext<
  VR,
  Connected extends StoresByName = StoresByName,
> extends ProcessingContext<Connected> {
  /** As in `ProcessorContext`; not in a punctuation, which has no key. */
  forward(record: ForwardedValue<VR>, childName?: string): void;
  output<T>(tag: OutputTag<T>, record: ForwardedValue<T>): void;
}

/**
 * One object per task. Calls are synchronous, and may be repeated: a record that fails, or whose state has to be read first, is undone and
 * run again. So what must not be lost or counted twice is kept in stores, not in fields.
 */
export interface Processor<K, V, KR, VR, Connected extends StoresByName = StoresByName> {
  /** Before the first record. */
  init?(context: ProcessorContext<KR, VR, Connected>): void;
  process(record: ProcessorRecord<K, V>): void;
  /** When the task is closed, cleanly or not. */
  close?(): void;
}

/** As `Processor`; the key cannot be changed, so equal keys stay in one partition. */
export interface FixedKeyProcessor<K, V, VR, Connected extends StoresByName = StoresByName> {
  init?(context: FixedKeyProcessorContext<VR, Connected>): void;
  process(record: FixedKeyRecord<K, V>): void;
  close?(): void;
}

/** A processor without `init`: a function that takes the record, and the context where it needs one. */
export type ProcessFunction<K, V, KR, VR, Connected extends StoresByName = StoresByName> = (
  record: ProcessorRecord<K, V>,
  context: ProcessorContext<KR, VR, Connected>,
) => void;

export type FixedKeyProcessFunction<K, V, VR, Connected extends StoresByName = StoresByName> = (
  record: FixedKeyRecord<K, V>,
  context: FixedKeyProcessorContext<VR, Connected>,
) => void;

/** A class, a factory of no arguments, or an object of both factory and the stores to connect (KIP-401). Each task gets its own. */
export type SupplierOf<P> =
  | (new () => P)
  | (() => P)
  | { readonly get: () => P; readonly stores?: readonly StoreBuilder<StateStore>[] | undefined };

export type ProcessorSupplier<K, V, KR, VR, Connected extends StoresByName = StoresByName> =
  SupplierOf<Processor<K, V, KR, VR, Connected>> | ProcessFunction<K, V, KR, VR, Connected>;

export type FixedKeyProcessorSupplier<K, V, VR, Connected extends StoresByName = StoresByName> =
  SupplierOf<FixedKeyProcessor<K, V, VR, Connected>> | FixedKeyProcessFunction<K, V, VR, Connected>;

/** What a `ValueTransformer` is given: stores, times and schedules; it cannot forward. */
export type ValueTransformerContext<Connected extends StoresByName = StoresByName> =
  ProcessingContext<Connected>;

/** Makes the values of a table anew, with state: Kafka Streams' `ValueTransformerWithKey`. One object per task; see `Processor`. */
export interface ValueTransformer<K, V, VR, Connected extends StoresByName = StoresByName> {
  init?(context: ValueTransformerContext<Connected>): void;
  /** `value` `null`: the row was deleted. A result of `null` deletes the row of the new table. */
  transform(key: K, value: V | null): VR;
  close?(): void;
}

export type ValueTransformFunction<K, V, VR, Connected extends StoresByName = StoresByName> = (
  key: K,
  value: V | null,
  context: ValueTransformerContext<Connected>,
) => VR;

export type ValueTransformerSupplier<K, V, VR, Connected extends StoresByName = StoresByName> =
  SupplierOf<ValueTransformer<K, V, VR, Connected>> | ValueTransformFunction<K, V, VR, Connected>;

/** A table that keeps its rows in a store of its own; not a windowed or versioned one. */
export interface TableWithStore {
  queryableStoreName(): string | null;
}

/** What can be connected with a processor. */
export type Connectable = StoreBuilder<StateStore> | TableWithStore | string;

/** The stores of builders, by name. Connected by name alone, a store has no known type. */
export type StoresOf<Given extends readonly Connectable[]> = {
  readonly [G in Given[number] as NameOf<G>]: StoreOf<G>;
};
type NameOf<G> = G extends StoreBuilder<StateStore, infer N> ? N : G extends string ? G : never;
type StoreOf<G> = G extends StoreBuilder<infer S> ? S : StateStore;
