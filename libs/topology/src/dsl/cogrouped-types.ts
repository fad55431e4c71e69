// Owns the interfaces of cogrouped streams: several grouped streams that fold into one table.
import type { Windowed } from '#libs/serde';
import type { FixedWindows, SessionWindows } from '../options/windows.ts';
import type { Materialized, Named } from '../options.ts';
import type { RecordMetadata } from '../ports.ts';
import type { KGroupedStream, KTable } from './types.ts';

/** Folds a value into the aggregate that all streams of a cogroup share. `null` deletes it. */
export type CogroupAggregator<K, V, VR> = (
  key: K,
  value: V,
  aggregate: VR,
  metadata: RecordMetadata,
) => VR | null;

/**
 * Grouped streams of one type of key, each with an aggregator of its own, that fold into one aggregate per key (KIP-150):
 *
 *     clicks.groupByKey().cogroup<Profile>(addClick).cogroup(orders.groupByKey(), addOrder).aggregate(() => new Profile(), Materialized.as('profiles'))
 *
 * State: an aggregate per key, in one store for all streams. Null keys and values are dropped. The topics must have equal partition counts;
 * streams whose key was changed are repartitioned, each through a topic named by its `Grouped.as`, else by the store.
 */
export interface CogroupedKStream<K, VR> {
  /** Adds a stream. */
  cogroup<V>(group: KGroupedStream<K, V>, aggregator: CogroupAggregator<K, V, VR>): CogroupedKStream<K, VR>;
  aggregate(initializer: () => VR, materialized: Materialized<K, VR>, named?: Named): KTable<K, VR, null>;
  /** Folds into sessions. */
  windowedBy(windows: SessionWindows): SessionWindowedCogroupedKStream<K, VR>;
  /** Folds into windows. */
  windowedBy(windows: FixedWindows): TimeWindowedCogroupedKStream<K, VR>;
}

/** Each stream goes by its own event time: what is late is decided by the records of its own stream. */
export interface TimeWindowedCogroupedKStream<K, VR> {
  aggregate(
    initializer: () => VR,
    materialized: Materialized<K, VR>,
    named?: Named,
  ): KTable<Windowed<K>, VR, null>;
}

export interface SessionWindowedCogroupedKStream<K, VR> {
  /** `merger` joins the aggregates of two sessions that grew together. */
  aggregate(
    initializer: () => VR,
    merger: (key: K, one: VR, other: VR) => VR,
    materialized: Materialized<K, VR>,
    named?: Named,
  ): KTable<Windowed<K>, VR, null>;
}
