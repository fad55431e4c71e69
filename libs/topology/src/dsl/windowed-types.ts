// Owns the interfaces of windowed streams that users program against.
import type { Windowed } from '#libs/serde';
import type { EmitStrategy } from '../options/windows.ts';
import type { Materialized, Named } from '../options.ts';
import type { RecordMetadata } from '../ports.ts';
import type { KStream, KTable } from './types.ts';

interface WindowedStream<K, V> {
  /**
   * How many records each window of each key had. The default value serde is `Serdes.safeInteger()`, the bytes of Kafka's Long.
   * Records with a null key are dropped (MILLRACE_NULL_KEY), those whose windows are closed too (MILLRACE_LATE_RECORD). A null value counts, but in
   * sliding windows. State, of the folds below too: a row per key and window, for the retention; one more per open window when it emits on close.
   *
   *     clicks.groupByKey().windowedBy(TimeWindows.ofSizeWithNoGrace(minutes(5))).count(Materialized.as('clicks'))
   */
  count(materialized: Materialized<K, number>, named?: Named): KTable<Windowed<K>, number, never>;
  /** Folds the values of a window; the first value is the first result. State, null and late records: as `count`. */
  reduce(
    reducer: (aggregate: V, value: V, metadata: RecordMetadata) => V,
    materialized: Materialized<K, V>,
    named?: Named,
  ): KTable<Windowed<K>, V, never>;
  /**
   * The records that entered no window because all of theirs were closed, as they came: Flink's side output of late data. To be called
   * after `count`, `reduce` or `aggregate`; it gives the late records of the last of these. They are counted as dropped all the same.
   */
  lateRecords(): KStream<K, V>;
}

/** A grouped stream cut into windows of time or of a number of records. */
export interface TimeWindowedKStream<K, V> extends WindowedStream<K, V> {
  /**
   * Folds the values of a window into an aggregate of another type. The aggregator may change and return the object it was given.
   * `null` deletes the window's result; then the next value starts again from the initializer. State, null and late records: as `count`.
   */
  aggregate<VR>(
    initializer: () => VR,
    aggregator: (key: K, value: V, aggregate: VR, metadata: RecordMetadata) => NoInfer<VR>,
    materialized: Materialized<K, VR>,
    named?: Named,
  ): KTable<Windowed<K>, VR, never>;
  aggregate<VR>(
    initializer: () => VR,
    aggregator: (key: K, value: V, aggregate: VR, metadata: RecordMetadata) => NoInfer<VR> | null,
    materialized: Materialized<K, VR>,
    named?: Named,
  ): KTable<Windowed<K>, VR, null>;
  /** When results go on. Default: with every record. */
  emitStrategy(strategy: EmitStrategy): TimeWindowedKStream<K, V>;
}

/**
 * A grouped stream cut into sessions. A session that grows or merges is deleted (a null value) and comes back with its new bounds. State: a row
 * per key and session, for the retention. Null keys are dropped, and records whose session would be closed already (MILLRACE_LATE_RECORD).
 */
export interface SessionWindowedKStream<K, V> {
  /** How many records each session of each key had. See `TimeWindowedKStream.count`. */
  count(materialized: Materialized<K, number>, named?: Named): KTable<Windowed<K>, number, null>;
  /** Folds the values of a session; the first value is the first result, and the reducer joins two sessions too. */
  reduce(
    reducer: (aggregate: V, value: V, metadata: RecordMetadata) => V,
    materialized: Materialized<K, V>,
    named?: Named,
  ): KTable<Windowed<K>, V, null>;
  /**
   * Folds the values of a session. A record starts from the initializer, is merged with every session within the gap by `merger`, then
   * aggregated: Kafka Streams' order.
   */
  aggregate<VR>(
    initializer: () => VR,
    aggregator: (key: K, value: V, aggregate: VR, metadata: RecordMetadata) => NoInfer<VR> | null,
    merger: (key: K, one: VR, other: VR) => NoInfer<VR>,
    materialized: Materialized<K, VR>,
    named?: Named,
  ): KTable<Windowed<K>, VR, null>;
  /** As `TimeWindowedKStream.lateRecords`. */
  lateRecords(): KStream<K, V>;
  /** When results go on. Default: with every record. */
  emitStrategy(strategy: EmitStrategy): SessionWindowedKStream<K, V>;
}
