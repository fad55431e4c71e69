// Owns the option objects of the DSL under the names users know from Kafka Streams. Each is an interface and a factory of the
// same name: `Consumed.with(a, b)` and `{ keySerde: a, valueSerde: b }` are the same thing. It checks nothing.
import type { ConsumedTime } from './options/watermarks.ts';
import type { FailureOptions } from './options/failure-policy.ts';
import type { RecordHeader } from '#libs/core';
import type { TextCodec } from '#libs/serde';
import type { Versioned } from './options/versioned.ts';
import type { RecordMetadata } from './ports.ts';

/**
 * A serde of exactly `T`: one of a narrower or a wider type does not compile. (The methods of `Serde` itself are compared
 * both ways round by TypeScript, properties are not.)
 */
export interface SerdeOf<T> {
  readonly name: string;
  readonly serialize: (value: T) => Uint8Array;
  readonly deserialize: (bytes: Uint8Array) => T;
  readonly text?: TextCodec<T>;
}

/** A processor's name: shown by `describe()`, in logs and metrics. Kafka's topic characters, at most 249. With it, what becomes of failures. */
export type Named = string | ({ readonly name: string } & FailureOptions);

export const Named = {
  as: (name: string, options: FailureOptions = {}): { readonly name: string } & FailureOptions => ({
    ...options,
    name,
  }),
};

/** How a topic is read. */
export interface Consumed<K, V> extends ConsumedTime, FailureOptions {
  readonly keySerde: SerdeOf<K>;
  readonly valueSerde: SerdeOf<V>;
  readonly name?: string | undefined;
  /**
   * The event time of a record, milliseconds since the Unix epoch; default: the record's own timestamp.
   * `partitionTime` is the highest timestamp seen in the record's partition, -1 before the first.
   */
  readonly timestampExtractor?:
    ((value: V, key: K, recordTimestamp: number, partitionTime: number) => number) | undefined;
  /** Where to start without a committed offset; default: the application's `auto.offset.reset`. */
  readonly offsetReset?: 'earliest' | 'latest' | undefined;
}

export const Consumed = {
  with: <K, V>(
    keySerde: SerdeOf<K>,
    valueSerde: SerdeOf<V>,
    options: Omit<Consumed<K, V>, 'keySerde' | 'valueSerde'> = {},
  ): Consumed<K, V> => ({ ...options, keySerde, valueSerde }),
};

/** How a topic is written. A serde left out is the stream's own, when it still has one. */
export interface Produced<K, V> extends FailureOptions {
  readonly keySerde?: SerdeOf<K> | undefined;
  readonly valueSerde?: SerdeOf<V> | undefined;
  /**
   * Chooses the partition; `null` leaves it to the default, murmur2 of the key as Kafka's clients do. Several partitions: the record is
   * written to each of them; none: it is not written (KIP-837). A repartition topic takes exactly one.
   */
  readonly partitioner?:
    | ((
        topic: string,
        key: K | null,
        value: V | null,
        partitionCount: number,
        metadata: RecordMetadata,
      ) => number | readonly number[] | null)
    | undefined;
  /** The headers it is written with; default: those of the source record, or what a processor forwarded it with. */
  readonly headers?:
    ((key: K | null, value: V | null, metadata: RecordMetadata) => readonly RecordHeader[]) | undefined;
  readonly name?: string | undefined;
}

export const Produced = {
  with: <K, V>(
    keySerde: SerdeOf<K>,
    valueSerde: SerdeOf<V>,
    options: Omit<Produced<K, V>, 'keySerde' | 'valueSerde'> = {},
  ): Produced<K, V> => ({ ...options, keySerde, valueSerde }),
  keySerde: <K>(keySerde: SerdeOf<K>): { readonly keySerde: SerdeOf<K> } => ({ keySerde }),
  valueSerde: <V>(valueSerde: SerdeOf<V>): { readonly valueSerde: SerdeOf<V> } => ({ valueSerde }),
  as: (name: string): { readonly name: string } => ({ name }),
  streamPartitioner: <K, V>(
    partitioner: NonNullable<Produced<K, V>['partitioner']>,
  ): { readonly partitioner: NonNullable<Produced<K, V>['partitioner']> } => ({ partitioner }),
};

/** How records are grouped. `name` names the repartition topic if one is needed; else the store's name does. */
export interface Grouped<K, V> {
  readonly name?: string | undefined;
  readonly keySerde?: SerdeOf<K> | undefined;
  readonly valueSerde?: SerdeOf<V> | undefined;
}

function asGrouped(name: string): { readonly name: string };
function asGrouped<K, V>(name: string, options: Omit<Grouped<K, V>, 'name'>): Grouped<K, V>;
function asGrouped(name: string, options: object = {}): { readonly name: string } {
  return { ...options, name };
}

export const Grouped = {
  as: asGrouped,
  with: <K, V>(
    keySerde: SerdeOf<K>,
    valueSerde: SerdeOf<V>,
    options: Omit<Grouped<K, V>, 'keySerde' | 'valueSerde'> = {},
  ): Grouped<K, V> => ({ ...options, keySerde, valueSerde }),
};

/** How a stream meets a table. `name` names the join and, if one is needed, the repartition topic before it. */
export interface Joined<K, V> extends FailureOptions {
  readonly name?: string | undefined;
  readonly keySerde?: SerdeOf<K> | undefined;
  /** Of the stream's values: needed only where the join must repartition or buffer the stream. */
  readonly valueSerde?: SerdeOf<V> | undefined;
  /**
   * Milliseconds that records of the stream wait, by event time, so that late updates of the table are seen (KIP-923). The table must be
   * versioned, with at least as much history. They wait in the store `<name>-Buffer`, in memory too, and leave it in the order of time. Default: none.
   */
  readonly gracePeriodMs?: number | undefined;
}

function asJoined(name: string): { readonly name: string };
function asJoined<K, V>(name: string, options: Omit<Joined<K, V>, 'name'>): Joined<K, V>;
function asJoined(name: string, options: object = {}): { readonly name: string } {
  return { ...options, name };
}

export const Joined = {
  as: asJoined,
  with: <K, V>(
    keySerde: SerdeOf<K>,
    valueSerde: SerdeOf<V>,
    options: Omit<Joined<K, V>, 'keySerde' | 'valueSerde'> = {},
  ): Joined<K, V> => ({ ...options, keySerde, valueSerde }),
};

/** How a stream is written to and read back from a topic of the application's own. */
export interface Repartitioned<K, V> {
  /** The topic is `<application.id>-<name>-repartition`. */
  readonly name: string;
  readonly keySerde?: SerdeOf<K> | undefined;
  readonly valueSerde?: SerdeOf<V> | undefined;
  /** Default: as many as the topics upstream, or those it must be co-partitioned with. */
  readonly numberOfPartitions?: number | undefined;
  readonly partitioner?: Produced<K, V>['partitioner'];
}

function asRepartitioned(name: string): { readonly name: string };
function asRepartitioned<K, V>(name: string, options: Omit<Repartitioned<K, V>, 'name'>): Repartitioned<K, V>;
function asRepartitioned(name: string, options: object = {}): { readonly name: string } {
  return { ...options, name };
}

export const Repartitioned = {
  as: asRepartitioned,
};

/** How a table is kept. */
export interface Materialized<K, V> {
  /** The store's name. Its changelog is `<application.id>-<name>-changelog`, so it must not change between versions. */
  readonly name: string;
  readonly keySerde?: SerdeOf<K> | undefined;
  readonly valueSerde?: SerdeOf<V> | undefined;
  /** Default true. False: no changelog, the store starts empty on a new machine. */
  readonly loggingEnabled?: boolean | undefined;
  /** Extra configuration of the changelog topic, by Kafka's names. */
  readonly changelogConfig?: Readonly<Record<string, string>> | undefined;
  /** `inMemory`: not kept on disk, restored whole from its changelog at every start. Default: the application's. */
  readonly storeType?: 'default' | 'inMemory' | undefined;
  /** Windowed stores only: how long rows are kept, in stream time, milliseconds. Default, and the least: what the windows need with grace. */
  readonly retentionMs?: number | undefined;
  /**
   * True: the object of a key is kept decoded for the key's next record, which saves decoding it. Only when no function keeps, shares or
   * changes these objects but the aggregator, and that returns a different object for each key. Default false.
   */
  readonly reuseDecoded?: boolean | undefined;
  /** The store keeps history: a table that is versioned. */
  readonly versioned?: Versioned | undefined;
}

function asMaterialized(name: string): { readonly name: string };
function asMaterialized<K, V>(name: string, options: Omit<Materialized<K, V>, 'name'>): Materialized<K, V>;
function asMaterialized(name: string, options: object = {}): { readonly name: string } {
  return { ...options, name };
}

export const Materialized = {
  as: asMaterialized,
};

/** A new record of `map` and `flatMap`: `[key, value]`. */
export type KeyValue<K, V> = readonly [key: K, value: V];

export const KeyValue = {
  pair: <K, V>(key: K, value: V): KeyValue<K, V> => [key, value],
};
