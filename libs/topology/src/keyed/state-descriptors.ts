// Owns how the state of a keyed process function is declared, and what the function gets: handles on the state of the current key.
// A handle is valid within the call it was used in; what `get` returned is a copy of the state, which only `set` changes.
import type { SerdeOf } from '../options.ts';

/** When entries of a state are forgotten. */
export interface StateTtl {
  /** Milliseconds after the last write (or read, see `refreshOn`) from which an entry is as if it were not there. */
  readonly ms: number;
  /** Default `event`: the function's event time, so that a replay forgets what the first run forgot. `wall`: the wall clock. */
  readonly time?: 'event' | 'wall' | undefined;
  /** Default `write`. */
  readonly refreshOn?: 'write' | 'readAndWrite' | undefined;
}

export interface StateOptions {
  /** Lists and maps: per element. The store and its changelog forget alike, with a deletion. */
  readonly ttl?: StateTtl | undefined;
}

/** One value per key. */
export interface ValueState<T> {
  /** `null`: none was set, or it was cleared or forgotten. */
  get(): T | null;
  set(value: T): void;
  clear(): void;
}

/** A list per key, in the order of adding. Each element is a row of its own: adding does not rewrite the list. */
export interface ListState<T> {
  get(): T[];
  add(value: T): void;
  /** Replaces the whole list. */
  set(values: readonly T[]): void;
  clear(): void;
}

/** A map per key, in the byte order of its encoded keys. Each entry is a row of its own. */
export interface MapState<MK, MV> {
  get(key: MK): MV | null;
  has(key: MK): boolean;
  set(key: MK, value: MV): void;
  delete(key: MK): void;
  /** The entry of the lowest encoded key; `null`: the map is empty. Reads no other. */
  first(): [key: MK, value: MV] | null;
  entries(): [key: MK, value: MV][];
  clear(): void;
}

/** A value per key that values are folded into. */
export interface ReducingState<T> {
  get(): T | null;
  add(value: T): void;
  clear(): void;
}

/** As `ReducingState`, with an accumulator of another type. */
export interface AggregatingState<T, A> {
  get(): A | null;
  add(value: T): void;
  clear(): void;
}

/** A declared state; `Handle` is what the function gets for it. */
export interface StateDescriptor<Handle = unknown> {
  readonly kind: 'value' | 'list' | 'map' | 'fold';
  readonly valueSerde: SerdeOf<never>;
  readonly mapKeySerde: SerdeOf<never> | null;
  readonly fold: ((accumulator: never, value: never) => unknown) | null;
  /** Of a `fold`: where it starts; `null`: with the first value. */
  readonly initial: (() => unknown) | null;
  readonly ttl: StateTtl | null;
  /** Type carrier only; absent at run time. */
  readonly handle?: Handle;
}

export type StateDescriptors = Readonly<Record<string, StateDescriptor>>;

export type StateHandles<S extends StateDescriptors> = {
  readonly [N in keyof S]: S[N] extends StateDescriptor<infer Handle> ? Handle : never;
};

function descriptor<Handle>(
  kind: StateDescriptor['kind'],
  valueSerde: object,
  options: StateOptions | null,
  rest: Partial<StateDescriptor> = {},
): StateDescriptor<Handle> {
  return {
    kind,
    valueSerde: valueSerde as SerdeOf<never>,
    mapKeySerde: null,
    fold: null,
    initial: null,
    ...rest,
    ttl: options?.ttl ?? null,
  } as StateDescriptor<Handle>;
}

/** Declares keyed state: `state: { last: State.value(Serdes.float64()), seen: State.map(Serdes.string(), Serdes.boolean()) }`. */
export const State = {
  value: <T>(serde: SerdeOf<T>, options: StateOptions = {}): StateDescriptor<ValueState<T>> =>
    descriptor('value', serde, options),
  list: <T>(serde: SerdeOf<T>, options: StateOptions = {}): StateDescriptor<ListState<T>> =>
    descriptor('list', serde, options),
  map: <MK, MV>(
    keySerde: SerdeOf<MK>,
    valueSerde: SerdeOf<MV>,
    options: StateOptions = {},
  ): StateDescriptor<MapState<MK, MV>> =>
    descriptor('map', valueSerde, options, { mapKeySerde: keySerde as unknown as SerdeOf<never> }),
  reducing: <T>(
    serde: SerdeOf<T>,
    reducer: (accumulator: T, value: T) => T,
    options: StateOptions = {},
  ): StateDescriptor<ReducingState<T>> =>
    descriptor('fold', serde, options, { fold: reducer as unknown as NonNullable<StateDescriptor['fold']> }),
  aggregating: <T, A>(
    serde: SerdeOf<A>,
    initializer: () => A,
    aggregator: (accumulator: A, value: T) => NoInfer<A>,
    options: StateOptions = {},
  ): StateDescriptor<AggregatingState<T, A>> =>
    descriptor('fold', serde, options, {
      fold: aggregator as unknown as NonNullable<StateDescriptor['fold']>,
      initial: initializer,
    }),
};
