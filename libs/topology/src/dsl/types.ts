// Owns the interfaces that users program against: KStream, KGroupedStream, KTable and the split of a stream.
// Functions on records take `(key, value)`, functions on values take the value first and the key last. Keys and values have the
// types that were declared; a topic that holds null keys or values says so in its type: `builder.stream<string, Order | null>`.
// The last argument of each is the metadata of the source record in process (topic, partition, offset, headers); never keep it.
import type { Grouped, Joined, KeyValue, Materialized, Named, Produced, Repartitioned } from '../options.ts';
import type { GlobalKTable } from './global-table.ts';
import type { JoinWindows } from '../options/join-windows.ts';
import type { TableJoined } from '../options/table-joined.ts';
import type { StreamJoined } from '../options/stream-joined.ts';
import type { RecordMetadata } from '../ports.ts';
import type { CogroupAggregator, CogroupedKStream } from './cogrouped-types.ts';
import type { ConnectedKGroupedStreams } from './connected-types.ts';
import type { KGroupedTable } from './grouped-table-types.ts';
import type { KeyedProcessFunction, OutputTag } from '../keyed/keyed-process.ts';
import type {
  Connectable,
  FixedKeyProcessorSupplier,
  ProcessorSupplier,
  StoresOf,
  ValueTransformerSupplier,
} from '../options/processing.ts';
import type { StateDescriptors } from '../keyed/state-descriptors.ts';
import type { AsyncCall, AsyncOptions } from '../async/async-options.ts';
import type { SerdeOf } from '../options.ts';
import type { Pattern } from '../cep/pattern.ts';
import type { MatchOptions } from '../cep/pattern-process.ts';
import type { FixedWindows, SessionWindows } from '../options/windows.ts';
import type { SessionWindowedKStream, TimeWindowedKStream } from './windowed-types.ts';
import type { SuppressedUntilTimeLimit, SuppressedUntilWindowCloses } from '../options/suppressed.ts';
import type { Windowed } from '#libs/serde';

/** The methods of a DSL interface without their types: what an implementation must have. */
export type Untyped<T> = { readonly [M in keyof T]: (...given: never[]) => unknown };

/** Makes the result of two values of one key. */
export type StreamStreamJoiner<V, VO, K, VR> = (
  value: V,
  otherValue: VO,
  key: K,
  metadata: RecordMetadata,
) => VR;

export type Predicate<K, V> = (key: K, value: V, metadata: RecordMetadata) => boolean;

/**
 * An unbounded sequence of records. Operators that say nothing of state keep none; then null keys, null values and late records
 * reach the function as they are, and its result goes on.
 *
 *     orders.filter((_id, order) => order.amount > 0).mapValues((order) => order.amount).to('amounts', { valueSerde })
 */
export interface KStream<K, V> {
  /** Keeps the records for which `predicate` holds. A type guard narrows the values. */
  filter<VR extends V>(
    predicate: (key: K, value: V, metadata: RecordMetadata) => value is VR,
    named?: Named,
  ): KStream<K, VR>;
  filter(predicate: Predicate<K, V>, named?: Named): KStream<K, V>;
  /** Keeps the records for which `predicate` does not hold. */
  filterNot(predicate: Predicate<K, V>, named?: Named): KStream<K, V>;

  /** A new record for each: `[key, value]`. Marks the stream for repartitioning; both serdes are lost. */
  map<KR, VR>(
    mapper: (key: K, value: V, metadata: RecordMetadata) => KeyValue<KR, VR>,
    named?: Named,
  ): KStream<KR, VR>;
  /** A new value for each record; the key stays, and so does its partition. The value serde is lost. */
  mapValues<VR>(mapper: (value: V, key: K, metadata: RecordMetadata) => VR, named?: Named): KStream<K, VR>;
  /** None, one or many new records for each. Marks the stream for repartitioning; both serdes are lost. */
  flatMap<KR, VR>(
    mapper: (key: K, value: V, metadata: RecordMetadata) => Iterable<KeyValue<KR, VR>>,
    named?: Named,
  ): KStream<KR, VR>;
  /** None, one or many new values for each; the key stays. The value serde is lost. */
  flatMapValues<VR>(
    mapper: (value: V, key: K, metadata: RecordMetadata) => Iterable<VR>,
    named?: Named,
  ): KStream<K, VR>;
  /** A new key for each record. Marks the stream for repartitioning; the key serde is lost. */
  selectKey<KR>(selector: (key: K, value: V, metadata: RecordMetadata) => KR, named?: Named): KStream<KR, V>;

  /** Runs `action` and passes the record on. The action must not change the value. At least once: it runs again after a failure. */
  peek(action: (key: K, value: V, metadata: RecordMetadata) => void, named?: Named): KStream<K, V>;
  /** Runs `action` and ends the stream. At least once: it runs again after a failure. */
  foreach(action: (key: K, value: V, metadata: RecordMetadata) => void, named?: Named): void;

  /**
   * Calls the outside for each record and goes on with the results: the key stays, the value serde is lost. Input offsets are committed while calls
   * are under way: each record without a result is a row of the store `<name>-in-flight` (at most `bufferedRecordsMax` a task, in memory too) and is
   * called for again after a crash. So the call is made at least once, its result is forwarded exactly once. Null values are called for too.
   *
   *     orders.mapAsync((order, { signal }) => prices.lookUp(order.item, { signal }), { name: 'prices', order: 'perKey' })
   */
  mapAsync<R>(
    call: (value: V, info: AsyncCall<K>) => Promise<R>,
    options: AsyncOptions<K, V, R>,
  ): KStream<K, R>;
  /** As `mapAsync`, with none, one or many results for each record. */
  flatMapAsync<R>(
    call: (value: V, info: AsyncCall<K>) => Promise<Iterable<R>>,
    options: Omit<AsyncOptions<K, V, Iterable<R>>, 'resultSerde'> & {
      readonly resultSerde?: SerdeOf<NonNullable<R>>;
    },
  ): KStream<K, R>;

  /** Starts a split by name: each record goes to the first branch whose predicate holds. */
  split(named?: Named): BranchedKStream<K, V>;
  /** A split written as one object: `const { big, small } = orders.branch({ big: isBig, small: () => true })`. */
  branch<B extends Readonly<Record<string, Predicate<K, V>>>>(
    branches: B,
    named?: Named,
  ): { readonly [N in keyof B]: KStream<K, V> };
  /** The records of both streams, in no promised order between them. A serde stays when both streams have it. */
  merge<KO, VO>(other: KStream<KO, VO>, named?: Named): KStream<K | KO, V | VO>;

  /**
   * Through a topic of the application's own, so that equal keys meet in one partition: `repartition(Repartitioned.as('by-user'))`. Null keys
   * are dropped and counted, but before a left join; null values and late records pass. State: the topic, which is trimmed behind its reader.
   */
  repartition(repartitioned: Repartitioned<NonNullable<K>, NonNullable<V>>): KStream<K, V>;

  /**
   * A table of the newest value of each key, kept in the named store: `stream.toTable(Materialized.as('newest'))`. A null value deletes; a
   * null key is dropped and counted. What arrives last is newest, also with a lower timestamp. Repartitions when the key was changed on
   * the way here; the topic is named after the store. State: a value per key.
   */
  toTable(
    materialized: Materialized<NonNullable<K>, NonNullable<V>>,
    named?: Named,
  ): KTable<NonNullable<K>, NonNullable<V>, Extract<V, null>>;

  /** Groups by the key there is. Repartitions when the key was changed on the way here. */
  groupByKey(
    grouped?: Grouped<NonNullable<K>, NonNullable<V>>,
  ): KGroupedStream<NonNullable<K>, NonNullable<V>>;
  /** Groups by a new key; always repartitions. */
  groupBy<KR>(
    selector: (key: K, value: V, metadata: RecordMetadata) => KR,
    grouped?: Grouped<NonNullable<KR>, NonNullable<V>>,
  ): KGroupedStream<NonNullable<KR>, NonNullable<V>>;

  /**
   * Joins each record with the table's value of its key at that moment; without one the record has no result. Updates of the table
   * alone give no result. Null keys and values are dropped. Repartitions when the key was changed on the way here. A versioned table is
   * looked up as of the record's own time; with `gracePeriodMs` records wait for late updates of it, in a store that is in memory too.
   *
   *     orders.join(customers, (order, customer) => ({ ...order, name: customer.name }), Joined.as('named-orders'))
   */
  join<VT, VR, Deleted extends null>(
    table: KTable<NonNullable<K>, VT, Deleted>,
    joiner: (value: NonNullable<V>, tableValue: VT, key: NonNullable<K>, metadata: RecordMetadata) => VR,
    joined?: Joined<NonNullable<K>, NonNullable<V>>,
  ): KStream<NonNullable<K>, VR>;
  /** As `join`, but a record without a value in the table meets `null`; so does one with a null key (KIP-962). */
  leftJoin<VT, VR, Deleted extends null>(
    table: KTable<NonNullable<K>, VT, Deleted>,
    joiner: (value: NonNullable<V>, tableValue: VT | null, key: K, metadata: RecordMetadata) => VR,
    joined?: Joined<NonNullable<K>, NonNullable<V>>,
  ): KStream<K, VR>;

  /**
   * Joins each record with the value that a table held whole by every instance has for the key that `keySelector` chooses; without one the
   * record has no result, nor with a null key chosen. Keeps the record's own key; needs no repartition. Null values are dropped.
   *
   *     flights.join(airports, (_key, flight) => flight.origin, (flight, airport) => ({ ...flight, city: airport.city }))
   */
  join<KG, VG, VR>(
    table: GlobalKTable<KG, VG>,
    keySelector: (key: K, value: NonNullable<V>, metadata: RecordMetadata) => KG | null,
    joiner: (value: NonNullable<V>, tableValue: VG, key: K, metadata: RecordMetadata) => VR,
    named?: Named,
  ): KStream<K, VR>;
  /** As `join`, but a record without a value in the table, or without a key to look up, meets `null`. */
  leftJoin<KG, VG, VR>(
    table: GlobalKTable<KG, VG>,
    keySelector: (key: K, value: NonNullable<V>, metadata: RecordMetadata) => KG | null,
    joiner: (value: NonNullable<V>, tableValue: VG | null, key: K, metadata: RecordMetadata) => VR,
    named?: Named,
  ): KStream<K, VR>;
  /**
   * Joins each record with those of the other stream that have an equal key and a near timestamp: one result for each pair, with the higher
   * timestamp of the two, as soon as the later of them comes.
   *
   *     orders.join(payments, (order, payment) => ({ ...order, payment }), JoinWindows.ofTimeDifferenceWithNoGrace(60_000),
   *       StreamJoined.as('paid-orders'))
   *
   * State: both streams' records, for `beforeMs + afterMs + graceMs` of each stream's own time. Null keys and values are dropped. A record
   * older than that is not kept (MILLRACE_LATE_RECORD), but joined with what it finds. Both sides are repartitioned where their key was changed.
   */
  join<VO, VR>(
    other: KStream<NonNullable<K>, VO> | KStream<NonNullable<K> | null, VO>,
    joiner: StreamStreamJoiner<NonNullable<V>, NonNullable<VO>, NonNullable<K>, VR>,
    windows: JoinWindows,
    joined: StreamJoined<NonNullable<K>, NonNullable<V>, NonNullable<VO>>,
  ): KStream<NonNullable<K>, VR>;
  /**
   * As `join`; and a record of this stream for which nothing came meets `null` once, when its window and the grace period are over: with a
   * later record of either stream. Then it comes with its own key and timestamp, the oldest first. Null keys meet `null` at once (KIP-962).
   * State: also the records not yet matched, which are in memory.
   */
  leftJoin<VO, VR>(
    other: KStream<NonNullable<K>, VO> | KStream<NonNullable<K> | null, VO>,
    joiner: StreamStreamJoiner<NonNullable<V>, NonNullable<VO> | null, K, VR>,
    windows: JoinWindows,
    joined: StreamJoined<NonNullable<K>, NonNullable<V>, NonNullable<VO>>,
  ): KStream<K, VR>;
  /** As `leftJoin`, for records of both streams: one of the two values is `null` where nothing came. */
  outerJoin<KO extends NonNullable<K> | null, VO, VR>(
    other: KStream<KO, VO>,
    joiner: StreamStreamJoiner<NonNullable<V> | null, NonNullable<VO> | null, K | KO, VR>,
    windows: JoinWindows,
    joined: StreamJoined<NonNullable<K>, NonNullable<V>, NonNullable<VO>>,
  ): KStream<K | KO, VR>;

  /**
   * Runs a processor of yours on each record: a class, a factory, or a function of record and context. Stores are connected by their
   * builders, which are added to the topology, by their tables, or by name. Null keys and values and late records reach it as they are. State: the
   * stores. Marks the stream for repartitioning; both serdes are lost.
   *
   *     const seen = Stores.keyValueStore('seen', { keySerde: text, valueSerde: Serdes.boolean(), ordered: false });
   *     orders.process((order, context) => {
   *       if (context.getStateStore(seen).putIfAbsent(order.value.id, true) === null) context.forward(order);
   *     }, 'first-only', seen)
   */
  process<KR = K, VR = V, const Given extends readonly Connectable[] = []>(
    supplier: ProcessorSupplier<K, V, KR, VR, StoresOf<Given>>,
    named?: Named,
    ...stores: Given
  ): KStream<KR, VR>;
  /** As `process`, for processors that leave the key as it is: nothing is repartitioned after it. The value serde is lost. */
  processValues<VR = V, const Given extends readonly Connectable[] = []>(
    supplier: FixedKeyProcessorSupplier<K, V, VR, StoresOf<Given>>,
    named?: Named,
    ...stores: Given
  ): KStream<K, VR>;
  /**
   * What `context.output(tag, …)` sent aside in the operator that this stream comes from: `process`, `processValues`, or a keyed process
   * function. The value serde is the tag's, when it has one.
   */
  sideOutput<T>(tag: OutputTag<T>): KStream<K, T>;

  /**
   * Writes to a topic, which must exist, or to the one that a function names for each record: `to((_id, order) => order.country)`. Null keys and
   * values are written as such. No state.
   */
  to(
    topic: string | ((key: K, value: V, metadata: RecordMetadata) => string),
    produced?: Produced<NonNullable<K>, NonNullable<V>>,
  ): void;
}

/** A split of a stream in the making. A record for which no predicate holds goes nowhere, unless there is a default branch. */
export interface BranchedKStream<K, V, Branches extends object = object> {
  branch<N extends string, VR extends V>(
    name: N,
    predicate: (key: K, value: V, metadata: RecordMetadata) => value is VR,
  ): BranchedKStream<K, V, Branches & { readonly [B in N]: KStream<K, VR> }>;
  branch<N extends string>(
    name: N,
    predicate: Predicate<K, V>,
  ): BranchedKStream<K, V, Branches & { readonly [B in N]: KStream<K, V> }>;
  /** Ends the split: all other records. */
  defaultBranch<N extends string>(name: N): Branches & { readonly [B in N]: KStream<K, V> };
  /** Ends the split: all other records go nowhere. */
  noDefaultBranch(): Branches;
}

/** A stream grouped by key. Null keys and values are dropped, counted and logged (MILLRACE_NULL_KEY, MILLRACE_NULL_VALUE). */
export interface KGroupedStream<K, V> {
  /**
   * Runs a function on each record of a key, with state and durable timers of that key: Flink's keyed process function.
   * State: one store for each declared state and one for timers; a timer is in memory as long as it is set. Null keys and values are
   * dropped; late records are not: the function sees them and decides.
   *
   *     payments.groupByKey().process({ name: 'idle', state: { last: State.value(Serdes.float64()) }, onRecord(payment, context) { … } })
   */
  process<R, S extends StateDescriptors, B = object>(fn: KeyedProcessFunction<K, V, R, S, B>): KStream<K, R>;
  /**
   * Takes this stream and another one of the same keys together into one keyed process function: Flink's connected streams. State, nulls and
   * late records: as `process`.
   *
   *     orders.groupByKey().connect(payments.groupByKey()).process({ name: 'match', state, onRecord, onOther })
   */
  connect<VO>(other: KGroupedStream<K, VO>): ConnectedKGroupedStreams<K, V, VO>;
  /**
   * Looks for a pattern in the records of each key and forwards what `select` makes of each match, with the timestamp of its last event.
   * State: the partial matches of a key as one value, an event once for all of them; a timer for a key that has some, when there is a `within`.
   * Null keys and values are dropped. Late events are looked at as they come, unless `order` is `eventTime`.
   *
   *     payments.groupByKey().match(Pattern.begin<Payment>('small').where(isSmall).followedBy('big').where(isBig).within(60_000), { name: 'probe', select })
   */
  match<R, Names extends string>(
    pattern: Pattern<V, Names>,
    options: MatchOptions<K, V, R, Names>,
  ): KStream<K, R>;
  /**
   * How many records each key had: `groupByKey().count(Materialized.as('counts'))`. The default value serde is `Serdes.safeInteger()`, the bytes
   * of Kafka's Long. State: a number per key, for ever. Late records count like others.
   */
  count(materialized: Materialized<K, number>, named?: Named): KTable<K, number, never>;
  /**
   * Folds the values of a key: `reduce((sum, amount) => sum + amount, Materialized.as('sums'))`. The first value is the first result. State: a
   * value per key, for ever. Late records count like others.
   */
  reduce(
    reducer: (aggregate: V, value: V, metadata: RecordMetadata) => V,
    materialized: Materialized<K, V>,
    named?: Named,
  ): KTable<K, V, never>;
  /**
   * Folds the values of a key into an aggregate of another type. The aggregator may change and return the object it was given.
   * `null` deletes the key; then the next value starts again from the initializer. State: an aggregate per key. Late records count like others.
   *
   *     groupByKey().aggregate(() => 0, (_user, order, sum) => sum + order.amount, Materialized.as('spent', { valueSerde: Serdes.float64() }))
   */
  aggregate<VR>(
    initializer: () => VR,
    aggregator: (key: K, value: V, aggregate: VR, metadata: RecordMetadata) => NoInfer<VR>,
    materialized: Materialized<K, VR>,
    named?: Named,
  ): KTable<K, VR, never>;
  aggregate<VR>(
    initializer: () => VR,
    aggregator: (key: K, value: V, aggregate: VR, metadata: RecordMetadata) => NoInfer<VR> | null,
    materialized: Materialized<K, VR>,
    named?: Named,
  ): KTable<K, VR, null>;
  /** Begins a cogroup: `clicks.groupByKey().cogroup<Profile>(addClick).cogroup(orders.groupByKey(), addOrder)`. */
  cogroup<VR>(aggregator: CogroupAggregator<K, V, VR>): CogroupedKStream<K, VR>;
  /** Cuts each key's records into sessions: `windowedBy(SessionWindows.ofInactivityGapWithNoGrace(minutes(30)))`. */
  windowedBy(windows: SessionWindows): SessionWindowedKStream<K, V>;
  /** Cuts each key's records into windows: `windowedBy(TimeWindows.ofSizeAndGrace(minutes(5), seconds(30)))`. */
  windowedBy(windows: FixedWindows): TimeWindowedKStream<K, V>;
}

/**
 * The newest value of each key, and the stream of its changes. `Deleted` is `null` where a key can be deleted and `never` where it
 * cannot, so that `toStream()` knows whether it has to show null values. Functions never see deletions, but for `transformValues` and the
 * mapper of `toStream`; an update that comes late is an update like others, unless the table is versioned.
 */
export interface KTable<K, V, Deleted extends null = null> {
  /**
   * Keys whose value does not pass are not in the table: `users.filter((_id, user) => user.active)`. State: none, or a value per key when
   * `materialized` is given.
   */
  filter<VR extends V>(
    predicate: (key: K, value: V, metadata: RecordMetadata) => value is VR,
    materialized?: Materialized<K, VR>,
    named?: Named,
  ): KTable<K, VR, null>;
  filter(predicate: Predicate<K, V>, materialized?: Materialized<K, V>, named?: Named): KTable<K, V, null>;
  filterNot(predicate: Predicate<K, V>, materialized?: Materialized<K, V>, named?: Named): KTable<K, V, null>;
  /**
   * A new value for each: `users.mapValues((user) => user.city)`; `null` leaves the key out. State: none, or a value per key when `materialized`
   * is given.
   */
  mapValues<VR>(
    mapper: (value: V, key: K, metadata: RecordMetadata) => VR,
    materialized?: Materialized<K, NonNullable<VR>>,
    named?: Named,
  ): KTable<K, NonNullable<VR>, Deleted | Extract<VR, null>>;
  /**
   * New values by a transformer of yours, with stores: a class, a factory, or a function `(key, value, context)`. It sees deletions as
   * `null`. Unlike `mapValues` its results are always kept, in the named store; in Kafka Streams that is optional. State: a value per key
   * and the stores connected.
   */
  transformValues<VR, const Given extends readonly Connectable[] = []>(
    supplier: ValueTransformerSupplier<K, V, VR, StoresOf<Given>>,
    materialized: Materialized<K, NonNullable<VR>>,
    named?: Named,
    ...stores: Given
  ): KTable<K, NonNullable<VR>, Extract<VR, null>>;
  /**
   * Groups the rows by another key: `table.groupBy((id, user) => [user.city, user], Grouped.with(text, json))`. Rows whose pair has no key or
   * no value, or for which there is no pair, are in no group. State: none of its own; the table keeps old values in its store.
   */
  groupBy<KR, VR>(
    selector: (key: K, value: V, metadata: RecordMetadata) => KeyValue<KR, VR> | null,
    grouped: Grouped<NonNullable<KR>, NonNullable<VR>>,
  ): KGroupedTable<NonNullable<KR>, NonNullable<VR>>;
  // By foreign key first: a function has a name, so it would pass for a Materialized.
  /**
   * Joins each row with the other table's row of its foreign key: a change of either gives new results, one for each row with that foreign
   * key, with the higher of the two timestamps. A row with a null foreign key is dropped; a changed one moves. The tables need not have
   * equal partition counts: subscriptions and responses travel over two topics of the application's own, so results come a commit or two later.
   *
   *     orders.join(customers, (order) => order.customer, (order, customer) => ({ ...order, name: customer.name }), TableJoined.as('named-orders'))
   *
   * State: one row for each row of this table (a hash of its value), by foreign key, beside the other table.
   */
  join<KO, VO, VR, DeletedO extends null>(
    other: KTable<KO, VO, DeletedO>,
    foreignKeyExtractor: (value: V, key: K, metadata: RecordMetadata) => KO | null,
    joiner: (value: V, otherValue: VO, key: K, metadata: RecordMetadata) => VR,
    joined: TableJoined<K, KO, V, VO>,
    materialized?: Materialized<K, NonNullable<VR>>,
  ): KTable<K, NonNullable<VR>, null>;
  /** As `join` by foreign key, but a row without one, or without a row there, meets `null`. */
  leftJoin<KO, VO, VR, DeletedO extends null>(
    other: KTable<KO, VO, DeletedO>,
    foreignKeyExtractor: (value: V, key: K, metadata: RecordMetadata) => KO | null,
    joiner: (value: V, otherValue: VO | null, key: K, metadata: RecordMetadata) => VR,
    joined: TableJoined<K, KO, V, VO>,
    materialized?: Materialized<K, NonNullable<VR>>,
  ): KTable<K, NonNullable<VR>, null>;
  /**
   * Joins the two tables' values of each key; a key that one of them has not is not in the result. A change of either table gives a
   * new result, with the higher of the two timestamps; `null` of the joiner leaves the key out. Kept in a store only when `materialized` is given.
   *
   *     orders.join(payments, (order, payment) => ({ ...order, payment }), Materialized.as('paid-orders', { valueSerde }))
   */
  join<VO, VR, DeletedO extends null>(
    other: KTable<K, VO, DeletedO>,
    joiner: (value: V, otherValue: VO, key: K, metadata: RecordMetadata) => VR,
    materialized?: Materialized<K, NonNullable<VR>>,
    named?: Named,
  ): KTable<K, NonNullable<VR>, Deleted | DeletedO | Extract<VR, null>>;
  /** As `join`, but a key that only this table has meets `null`. */
  leftJoin<VO, VR, DeletedO extends null>(
    other: KTable<K, VO, DeletedO>,
    joiner: (value: V, otherValue: VO | null, key: K, metadata: RecordMetadata) => VR,
    materialized?: Materialized<K, NonNullable<VR>>,
    named?: Named,
  ): KTable<K, NonNullable<VR>, Deleted | Extract<VR, null>>;
  /** As `join`, but a key that only one of the tables has meets `null` for the other. */
  outerJoin<VO, VR, DeletedO extends null>(
    other: KTable<K, VO, DeletedO>,
    joiner: (value: V | null, otherValue: VO | null, key: K, metadata: RecordMetadata) => VR,
    materialized?: Materialized<K, NonNullable<VR>>,
    named?: Named,
  ): KTable<K, NonNullable<VR>, (Deleted & DeletedO) | Extract<VR, null>>;
  /**
   * Holds updates back until their window closes, so that of each window only the final result goes on; deletions are no results. The
   * record (or the passing of time) that closes a window emits it. For tables with windowed keys. State: an update per open window, in memory too.
   *
   *     counts.suppress(Suppressed.untilWindowCloses(BufferConfig.unbounded()).withName('final'))
   */
  suppress(
    suppressed: K extends Windowed<unknown>
      ? SuppressedUntilWindowCloses | SuppressedUntilWindowCloses<V>
      : never,
  ): KTable<K, V, never>;
  /**
   * Holds a key's updates back for a time and lets the last of them on, deletions too. State: an update per key that waits, in memory too.
   *
   *     counts.suppress(Suppressed.untilTimeLimit(seconds(10), BufferConfig.maxRecords(10_000)).withName('slowed'))
   */
  suppress(suppressed: SuppressedUntilTimeLimit | SuppressedUntilTimeLimit<V>): KTable<K, V, Deleted>;
  /** The name of the store that holds the table's values; `null`: they are worked out from those of another table. */
  queryableStoreName(): string | null;
  /** Each change as a record with a new key: `toStream().selectKey(mapper)`. Marks the stream for repartitioning; the key serde is lost. */
  toStream<KR>(
    mapper: (key: K, value: V | Deleted, metadata: RecordMetadata) => KR,
    named?: Named,
  ): KStream<KR, V | Deleted>;
  /** Each change as a record; a deletion is a null value. */
  toStream(named?: Named): KStream<K, V | Deleted>;
}
