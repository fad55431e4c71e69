// Owns the options of a foreign-key join of tables.
import type { SerdeOf } from '../options.ts';

/** `K`, `V`: key and values of this table; `KO`, `VO`: of the other, whose key the foreign key is. */
export interface TableJoined<K, KO, V, VO> {
  /**
   * Names the processors, the store `<name>-subscription-store` and the topics between the two tables:
   * `<name>-subscription-registration-repartition` and `<name>-subscription-response-repartition`.
   */
  readonly name: string;
  /**
   * How this table's topic is partitioned, where it is not by its key's bytes as Kafka's clients do. It sees no value. Default: a
   * response goes back to the partition that its subscription came from.
   */
  readonly partitioner?: ((topic: string, key: K, value: null, partitionCount: number) => number) | undefined;
  /** The same for the other table's topic. Default: murmur2 of the key's bytes. */
  readonly otherPartitioner?:
    ((topic: string, key: KO | null, value: null, partitionCount: number) => number | null) | undefined;
  /** Of this table's values, where it was lost (`mapValues` without a store): they are hashed. */
  readonly valueSerde?: SerdeOf<V> | undefined;
  /** Of the other table's values, where it was lost: they are sent. */
  readonly otherValueSerde?: SerdeOf<VO> | undefined;
}

function asTableJoined(name: string): { readonly name: string };
function asTableJoined<K, KO, V, VO>(
  name: string,
  options: Omit<TableJoined<K, KO, V, VO>, 'name'>,
): TableJoined<K, KO, V, VO>;
function asTableJoined(name: string, options: object = {}): { readonly name: string } {
  return { ...options, name };
}

export const TableJoined = {
  as: asTableJoined,
};
