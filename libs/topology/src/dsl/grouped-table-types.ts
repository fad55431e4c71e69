// Owns the interface of a grouped table: aggregations by adder and subtractor.
import type { Materialized, Named } from '../options.ts';
import type { RecordMetadata } from '../ports.ts';
import type { KTable } from './types.ts';

/**
 * A table grouped by a key that may differ from its own. Each change of a row takes the old value out of its group and adds the new
 * one to its group, in this order. Rows without group key or value are in no group. Every change goes through a repartition topic that
 * carries old and new value.
 */
export interface KGroupedTable<K, V> {
  /** How many rows each group has; 0 once it lost all. State: a number per group. The default value serde is `Serdes.safeInteger()`. */
  count(materialized: Materialized<K, number>, named?: Named): KTable<K, number, never>;
  /**
   * Folds the rows of a group: `reduce((sum, row) => sum + row, (sum, row) => sum - row, Materialized.as('sums'))`. The first row is the
   * first result. State: a value per group.
   */
  reduce(
    adder: (aggregate: V, value: V, metadata: RecordMetadata) => V,
    subtractor: (aggregate: V, value: V, metadata: RecordMetadata) => V,
    materialized: Materialized<K, V>,
    named?: Named,
  ): KTable<K, V, never>;
  reduce(
    adder: (aggregate: V, value: V, metadata: RecordMetadata) => V | null,
    subtractor: (aggregate: V, value: V, metadata: RecordMetadata) => V | null,
    materialized: Materialized<K, V>,
    named?: Named,
  ): KTable<K, V, null>;
  /**
   * Folds the rows of a group into an aggregate of another type. Adder and subtractor may change and return the object they were given.
   * `null` deletes the group; then the next row starts again from the initializer. State: an aggregate per group.
   */
  aggregate<VR>(
    initializer: () => VR,
    adder: (key: K, value: V, aggregate: VR, metadata: RecordMetadata) => NoInfer<VR>,
    subtractor: (key: K, value: V, aggregate: VR, metadata: RecordMetadata) => NoInfer<VR>,
    materialized: Materialized<K, VR>,
    named?: Named,
  ): KTable<K, VR, never>;
  aggregate<VR>(
    initializer: () => VR,
    adder: (key: K, value: V, aggregate: VR, metadata: RecordMetadata) => NoInfer<VR> | null,
    subtractor: (key: K, value: V, aggregate: VR, metadata: RecordMetadata) => NoInfer<VR> | null,
    materialized: Materialized<K, VR>,
    named?: Named,
  ): KTable<K, VR, null>;
}
