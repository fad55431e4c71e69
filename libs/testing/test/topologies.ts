// Owns the topologies that the driver's own specs run.
import { Serdes } from '#libs/serde';
import { Grouped, Materialized, StreamsBuilder } from '#libs/topology';
import type { Topology } from '#libs/topology';

export const text = Serdes.string();
export const number = Serdes.json<number>();

/** Running sums per key, every update to `sums`. */
export function sums(): Topology {
  const builder = new StreamsBuilder();
  builder
    .stream<string, number>('orders', { keySerde: text, valueSerde: number })
    .groupByKey()
    .aggregate(
      () => 0,
      (_key, value, sum) => sum + value,
      Materialized.as('sums', { keySerde: text, valueSerde: number }),
    )
    .toStream()
    .to('sums', { keySerde: text, valueSerde: number });
  return builder.build();
}

/** Counts per value, through a repartition topic. */
export function countsByValue(): Topology {
  const builder = new StreamsBuilder();
  builder
    .stream<string | null, number>('orders', { keySerde: text, valueSerde: number })
    .groupBy((_key, value) => `v${value}`, Grouped.as('by-value', { keySerde: text, valueSerde: number }))
    .count(Materialized.as('counts'))
    .toStream()
    .to('counts');
  return builder.build();
}
