// Aggregates of streams without windows: twins of ../java/AggregateTopologies.java.
import { Grouped, Joined, KeyValue, Materialized } from '#libs/topology';
import { both, digit, grouped, integer, kept, letter, out, stream, table, text, to } from './words.ts';
import type { Topologies } from './words.ts';

/** So that repartition topics may be merged. */
const unnamed = { keySerde: text, valueSerde: text };
const counts = Materialized.as('s');

export const aggregates: Topologies = {
  count: (b) => out(stream(b).groupByKey().count(counts).toStream()),
  reduce: (b) =>
    out(
      stream(b)
        .groupByKey()
        .reduce((x, y) => `${x}${digit(y)}`, counts)
        .toStream(),
    ),
  'reduce-to-null': (b) =>
    out(
      stream(b)
        .groupByKey()
        .reduce((_x, y) => (digit(y) < 4 ? (null as never) : y), counts)
        .toStream(),
    ),
  aggregate: (b) =>
    out(
      stream(b)
        .groupByKey()
        .aggregate(
          () => '',
          (k, v, x) => `${x}${k}${digit(v)}`,
          kept('s'),
        )
        .toStream(),
    ),
  'aggregate-to-null': (b) =>
    out(
      stream(b)
        .groupByKey()
        .aggregate(
          () => 'new',
          (_k, v, x) => (digit(v) < 4 ? null : `${x}${digit(v)}`),
          kept('s'),
        )
        .toStream(),
    ),
  'group-by': (b) =>
    out(
      stream(b)
        .groupBy((_k, v) => (v === null || digit(v) === 0 ? null : letter(v)), grouped)
        .count(counts)
        .toStream(),
    ),
  'group-by-key-after-select-key': (b) =>
    out(
      stream(b)
        .selectKey((k, v) => (v === null ? k : letter(v)))
        .groupByKey(grouped)
        .reduce((x, y) => `${x}${digit(y)}`, counts)
        .toStream(),
    ),
  'group-by-key-after-map': (b) =>
    out(
      stream(b)
        .map((k, v) => KeyValue.pair(v === null ? null : letter(v), k))
        .groupByKey(grouped)
        .aggregate(
          () => '',
          (_k, v, x) => `${x}${v}`,
          kept('s'),
        )
        .toStream(),
    ),
  'count-of-counts': (b) =>
    out(
      stream(b)
        .groupByKey()
        .count(counts)
        .toStream()
        .selectKey((_k, v) => `n${v % 3}`)
        .groupByKey(Grouped.with(text, integer, { name: 'g' }))
        .count(Materialized.as('t'))
        .toStream(),
    ),
  'aggregate-filter-map-values': (b) =>
    out(
      stream(b)
        .groupByKey()
        .count(counts)
        .filter((_k, v) => v % 2 === 0)
        .mapValues((v) => v * 10)
        .toStream(),
    ),
  'two-aggregates-of-a-group': (b) => {
    const group = stream(b).groupBy((_k, v) => (v === null ? null : letter(v)), grouped);
    out(group.count(counts).toStream());
    to(group.reduce((x, y) => (digit(x) > digit(y) ? x : y), Materialized.as('t')).toStream(), 'largest');
  },
  'aggregate-joined-with-its-source': (b) => {
    const s = stream(b);
    const latest = s.groupByKey().reduce((_x, y) => y, counts);
    out(
      s
        .filter((_k, v) => v !== null)
        .leftJoin(latest, both)
        .merge(latest.toStream()),
    );
  },
  'count-of-a-merge': (b) =>
    out(
      stream(b)
        .filter((_k, v) => v === null || digit(v) > 2)
        .merge(stream(b, 'other'))
        .groupByKey()
        .count(counts)
        .toStream(),
    ),
  'optimized-repartitions': (b) => {
    const byLetter = stream(b).selectKey((_k, v) => (v === null ? null : letter(v)));
    out(byLetter.groupByKey(unnamed).count(counts).toStream());
    const reduced = byLetter.groupByKey(unnamed).reduce((x, y) => `${x}${digit(y)}`, Materialized.as('t'));
    to(reduced.toStream(), 'reduced');
    const rows = table(b).mapValues((v) => `m${v}`);
    to(byLetter.leftJoin(rows, both, Joined.with(text, text, { name: 'j' })), 'joined');
  },
  'optimized-table-join': (b) => {
    const rows = table(b);
    out(
      stream(b).join(
        rows.filter((_k, v) => digit(v) > 2),
        both,
      ),
    );
    const byLetter = rows.groupBy((_k, v) => KeyValue.pair(letter(v), v), grouped);
    to(byLetter.count(counts).toStream(), 'counts');
  },
};
