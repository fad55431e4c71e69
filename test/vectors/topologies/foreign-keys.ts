// Joins of tables by a key found in the left value, its first letter: twins of ../java/ForeignKeyTopologies.java.
import { TableJoined } from '#libs/topology';
import { both, digit, kept, letter, out, table } from './words.ts';
import type { Topologies } from './words.ts';

export const keyOf = (value: string): string | null => (digit(value) === 0 ? null : letter(value));
const j = TableJoined.as('j');

export const foreignKeys: Topologies = {
  'foreign-key-join': (b) => out(table(b).join(table(b, 'groups'), keyOf, both, j, kept('s')).toStream()),
  'foreign-key-left-join': (b) =>
    out(table(b).leftJoin(table(b, 'groups'), keyOf, both, j, kept('s')).toStream()),
  'foreign-key-join-not-materialized': (b) =>
    out(table(b).join(table(b, 'groups'), keyOf, both, j).toStream()),
  'foreign-key-left-join-not-materialized': (b) =>
    out(table(b).leftJoin(table(b, 'groups'), keyOf, both, j).toStream()),
  'foreign-key-join-by-key': (b) =>
    out(
      table(b)
        .join(
          table(b, 'groups'),
          (v, k) => (k === 'a' ? 'p' : letter(v)),
          (l, r) => (digit(r) === 0 ? null : `${l}+${r}`),
          j,
          kept('s'),
        )
        .toStream(),
    ),
  'foreign-key-join-filtered': (b) =>
    out(
      table(b)
        .filter((_k, v) => digit(v) > 2)
        .leftJoin(
          table(b, 'groups').filter((_k, v) => digit(v) < 7, kept('f')),
          keyOf,
          both,
          j,
          kept('s'),
        )
        .toStream(),
    ),
  'foreign-key-join-chain': (b) =>
    out(
      table(b)
        .join(table(b, 'groups'), keyOf, both, j, kept('s'))
        .leftJoin(table(b, 'third'), (v) => (digit(v) > 5 ? 'a' : 'b'), both, TableJoined.as('k'), kept('t'))
        .toStream(),
    ),
};
