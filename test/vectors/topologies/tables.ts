// Tables, and aggregates of tables: twins of ../java/TableTopologies.java.
import { KeyValue, Materialized } from '#libs/topology';
import type { KGroupedTable, KTable } from '#libs/topology';
import { consumed, digit, grouped, kept, letter, out, stream, table, to } from './words.ts';
import type { Topologies } from './words.ts';

const big = (_key: string, value: string): boolean => digit(value) > 4;
const named = (value: string, key: string): string | null => (digit(value) === 0 ? null : key + value);
const plus = (x: string, y: string): string => `${x}+${y}`;
const minus = (x: string, y: string): string => `${x}-${y}`;
const empty = (): string => '';
const add = (_k: string, v: string, x: string): string => plus(x, v);
const subtract = (_k: string, v: string, x: string): string => minus(x, v);

function byLetter<D extends null>(
  rows: KTable<string, string, D>,
  valueOf: (key: string, value: string) => string,
): KGroupedTable<string, string> {
  return rows.groupBy((k, v) => KeyValue.pair(letter(v), valueOf(k, v)), grouped);
}

export const tables: Topologies = {
  table: (b) => out(table(b).toStream()),
  'table-reused-source': (b) => out(table(b).toStream()),
  'table-filter': (b) => out(table(b).filter(big).toStream()),
  'table-filter-materialized': (b) => out(table(b).filter(big, kept('f')).toStream()),
  'table-filter-not': (b) => out(table(b).filterNot(big).toStream()),
  'table-filter-not-materialized': (b) => out(table(b).filterNot(big, kept('f')).toStream()),
  'table-map-values': (b) => out(table(b).mapValues(named).toStream()),
  'table-map-values-materialized': (b) => out(table(b).mapValues(named, kept('m')).toStream()),
  'table-chain': (b) =>
    out(
      table(b)
        .mapValues((v) => (digit(v) === 0 ? null : `m${digit(v)}`))
        .filter((_k, v) => digit(v) > 3)
        .mapValues((v) => `${v}!`)
        .toStream(),
    ),
  'table-chain-materialized': (b) =>
    out(
      table(b)
        .mapValues((v) => (digit(v) === 0 ? null : `m${digit(v)}`), kept('m'))
        .filter((_k, v) => digit(v) > 3)
        .filterNot((_k, v) => digit(v) > 7, kept('f'))
        .toStream(),
    ),
  'table-of-a-table-stream': (b) =>
    out(
      table(b)
        .toStream()
        .filter((_k, v) => v === null || digit(v) > 2)
        .toTable(kept('again'))
        .mapValues((v) => `${v}!`)
        .toStream(),
    ),
  'table-group-by-count': (b) =>
    out(
      byLetter(table(b), (_k, v) => v)
        .count(Materialized.as('s'))
        .toStream(),
    ),
  'table-group-by-reduce': (b) =>
    out(
      byLetter(table(b), (_k, v) => String(digit(v)))
        .reduce(plus, minus, kept('s'))
        .toStream(),
    ),
  'table-group-by-aggregate': (b) =>
    out(
      byLetter(table(b), (k, v) => `${k}${digit(v)}`)
        .aggregate(empty, add, subtract, kept('s'))
        .toStream(),
    ),
  'table-group-by-to-null': (b) =>
    out(
      table(b)
        .groupBy(
          (_k, v) =>
            digit(v) === 1 ? KeyValue.pair(null, v) : KeyValue.pair(letter(v), digit(v) === 2 ? null : v),
          grouped,
        )
        .aggregate(
          empty,
          (_k, v, x) => (x.length > 12 ? null : plus(x, v)),
          (_k, v, x) => (x.length > 18 ? null : minus(x, v)),
          kept('s'),
        )
        .toStream(),
    ),
  'table-group-by-same-key': (b) =>
    out(
      table(b)
        .filter((_k, v) => digit(v) !== 5)
        .groupBy((k, v) => KeyValue.pair(k, v), grouped)
        .aggregate(empty, add, subtract, kept('s'))
        .toStream(),
    ),
  'aggregate-group-by': (b) =>
    out(
      byLetter(
        stream(b)
          .groupByKey()
          .reduce((_x, y) => y, kept('latest')),
        (_k, v) => v,
      )
        .count(Materialized.as('s'))
        .toStream(),
    ),
  'aggregate-regrouped': (b) =>
    out(
      byLetter(
        stream(b)
          .groupByKey()
          .aggregate(
            () => 'x0',
            (_k, v, x) => `${letter(v)}${(digit(x) + digit(v)) % 10}`,
            kept('latest'),
          ),
        (_k, v) => v,
      )
        .aggregate(empty, add, subtract, kept('s'))
        .toStream(),
    ),
  'global-table': (b) => {
    b.globalTable('global', consumed, Materialized.as('global-rows'));
    out(stream(b));
  },
  'table-to-two-streams': (b) => {
    const rows = table(b);
    out(rows.filter(big).toStream());
    to(rows.mapValues((v) => (letter(v) === 'p' ? null : `m${v}`)).toStream(), 'mapped');
  },
};
