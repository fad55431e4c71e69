// Joins of tables by their own key: twins of ../java/TableJoinTopologies.java.
import { KeyValue } from '#libs/topology';
import { both, digit, grouped, kept, letter, out, stream, table } from './words.ts';
import type { Nullable, Topologies } from './words.ts';

const bothOrNull = (left: Nullable, right: Nullable): Nullable =>
  left !== null && digit(left) === 0 ? null : both(left, right);

export const tableJoins: Topologies = {
  'table-join': (b) => out(table(b).join(table(b, 'second'), both).toStream()),
  'table-left-join': (b) => out(table(b).leftJoin(table(b, 'second'), both).toStream()),
  'table-outer-join': (b) => out(table(b).outerJoin(table(b, 'second'), both).toStream()),
  'table-join-materialized': (b) => out(table(b).join(table(b, 'second'), bothOrNull, kept('j')).toStream()),
  'table-left-join-materialized': (b) =>
    out(table(b).leftJoin(table(b, 'second'), bothOrNull, kept('j')).toStream()),
  'table-outer-join-materialized': (b) =>
    out(table(b).outerJoin(table(b, 'second'), bothOrNull, kept('j')).toStream()),
  'table-join-filtered': (b) =>
    out(
      table(b)
        .filter((_k, v) => digit(v) > 3)
        .join(
          table(b, 'second').mapValues((v) => (digit(v) === 0 ? null : `m${v}`)),
          both,
        )
        .filter((_k, v) => !v.endsWith('5'))
        .toStream(),
    ),
  'table-join-chain': (b) =>
    out(table(b).join(table(b, 'second'), both).leftJoin(table(b, 'third'), both).toStream()),
  'table-outer-join-chain': (b) =>
    out(table(b).outerJoin(table(b, 'second'), both).outerJoin(table(b, 'third'), both).toStream()),
  'table-join-chain-materialized': (b) =>
    out(
      table(b)
        .leftJoin(table(b, 'second'), bothOrNull, kept('j'))
        .outerJoin(table(b, 'third'), both)
        .toStream(),
    ),
  'table-self-join': (b) => {
    const rows = table(b);
    out(
      rows
        .join(
          rows.mapValues((v) => (digit(v) > 5 ? null : `m${v}`)),
          both,
        )
        .toStream(),
    );
  },
  'table-join-group-by': (b) =>
    out(
      table(b)
        .leftJoin(table(b, 'second'), both)
        .groupBy((_k, v) => KeyValue.pair(letter(v), v), grouped)
        .aggregate(
          () => '',
          (_k, v, x) => `${x} +${v}`,
          (_k, v, x) => `${x} -${v}`,
          kept('s'),
        )
        .toStream(),
    ),
  'table-join-aggregate': (b) =>
    out(
      stream(b)
        .groupByKey()
        .reduce((_x, y) => y, kept('s'))
        .outerJoin(table(b), both)
        .toStream(),
    ),
};
