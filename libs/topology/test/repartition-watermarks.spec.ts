// Behind a topic of the application's own, event time goes by the watermark strategy of the source upstream.
import { expect, it } from '@jest/globals';
import { Serdes } from '#libs/serde';
import {
  Consumed,
  Grouped,
  Materialized,
  StreamsBuilder,
  TableJoined,
  TimeWindows,
  WatermarkStrategy,
} from '#libs/topology';
import type { Topology } from '#libs/topology';

const text = Serdes.string();
const watermarks = WatermarkStrategy.boundedOutOfOrderness(5_000);
const consumed = Consumed.with(text, text, { watermarks });

/** Topic and strategy of the sources that read topics of the application's own. */
function internal(topology: Topology): [string, unknown][] {
  return topology.subTopologies.flatMap((sub) =>
    sub.sources
      .filter(({ kind }) => kind === 'repartition')
      .map((source) => [source.topic, source.watermarks] as [string, unknown]),
  );
}

it('is passed on by the repartition of a stream', () => {
  const builder = new StreamsBuilder();
  builder
    .stream('in', consumed)
    .selectKey((key) => key)
    .groupByKey(Grouped.with(text, text, { name: 'by-key' }))
    .count(Materialized.as('counts'));
  expect(internal(builder.build())).toEqual([['by-key', watermarks]]);
});

it('is passed on by the repartition of a grouped table', () => {
  const builder = new StreamsBuilder();
  builder
    .table('in', consumed, Materialized.as('table'))
    .groupBy((key, value) => [value, key], Grouped.with(text, text, { name: 'by-value' }))
    .count(Materialized.as('counts'));
  expect(internal(builder.build())).toEqual([['by-value', watermarks]]);
});

it('is passed on by a table of windows that is grouped anew, and again', () => {
  const builder = new StreamsBuilder();
  const number = Serdes.safeInteger();
  builder
    .stream('in', consumed)
    .groupByKey()
    .windowedBy(TimeWindows.ofSizeWithNoGrace(1_000))
    .count(Materialized.as('per-second'))
    .groupBy((windowed, count) => [windowed.key, count], Grouped.with(text, number, { name: 'by-key' }))
    .reduce(
      (sum, count) => sum + count,
      (sum, count) => sum - count,
      Materialized.as('sums'),
    )
    .groupBy((_key, sum) => ['all', sum], Grouped.with(text, number, { name: 'all' }))
    .reduce(
      (sum, count) => sum + count,
      (sum, count) => sum - count,
      Materialized.as('total'),
    );
  expect(internal(builder.build())).toEqual([
    ['by-key', watermarks],
    ['all', watermarks],
  ]);
});

it('is passed on by both topics of a foreign-key join', () => {
  const builder = new StreamsBuilder();
  const orders = builder.table('orders', consumed, Materialized.as('orders-table'));
  const customers = builder.table('customers', Consumed.with(text, text), Materialized.as('customers-table'));
  orders.join(
    customers,
    (order) => order,
    (order, customer) => order + customer,
    TableJoined.as('joined'),
    Materialized.as('result', { keySerde: text, valueSerde: text }),
  );
  const sources = internal(builder.build());
  expect(sources).toHaveLength(2);
  expect(sources.map(([, strategy]) => strategy)).toEqual([watermarks, watermarks]);
});
