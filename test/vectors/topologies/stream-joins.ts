// Joins of streams: with streams, tables and global tables. Twins of ../java/StreamJoinTopologies.java.
import { Joined, JoinWindows, KeyValue, Materialized, StreamJoined } from '#libs/topology';
import type { GlobalKTable, StreamsBuilder } from '#libs/topology';
import { both, consumed, digit, letter, out, stream, table, text } from './words.ts';
import type { Draw, Nullable, Topologies } from './words.ts';

const kinds = {
  '': JoinWindows.ofTimeDifferenceWithNoGrace(40),
  '-grace': JoinWindows.ofTimeDifferenceAndGrace(40, 60),
  '-before': JoinWindows.ofTimeDifferenceAndGrace(0, 20).before(50),
  '-after': JoinWindows.ofTimeDifferenceAndGrace(0, 20).after(50),
  '-asymmetric': JoinWindows.ofTimeDifferenceAndGrace(20, 30).after(60),
};

const joined = (name: string): StreamJoined<string, string, string> =>
  StreamJoined.with(text, text, text, { name, storeName: name });
const j = joined('j');
const grace = kinds['-grace'];
const joinedTable = Joined.with(text, text, { name: 'j' });
const letterOf = (_k: Nullable, v: Nullable): Nullable => (v === null ? null : letter(v));

const global = (b: StreamsBuilder): GlobalKTable<string, string> =>
  b.globalTable('global', consumed, Materialized.as('global-rows'));

const withStreams = Object.entries(kinds).flatMap(([kind, windows]): [string, Draw][] => [
  [`stream-join${kind}`, (b) => out(stream(b).join(stream(b, 'other'), both, windows, j))],
  [`stream-left-join${kind}`, (b) => out(stream(b).leftJoin(stream(b, 'other'), both, windows, j))],
  [`stream-outer-join${kind}`, (b) => out(stream(b).outerJoin(stream(b, 'other'), both, windows, j))],
]);

export const streamJoins: Topologies = {
  ...Object.fromEntries(withStreams),
  'stream-self-join': (b) => {
    const s = stream(b);
    out(s.join(s, both, grace, j));
  },
  'stream-join-with-key': (b) => out(stream(b).join(stream(b, 'other'), (l, r, k) => k + l + r, grace, j)),
  'stream-join-after-select-key': (b) =>
    out(
      stream(b)
        .selectKey(letterOf)
        .join(
          stream(b, 'other').map((k, v) => KeyValue.pair(v === null ? k : letter(v), v)),
          both,
          grace,
          j,
        ),
    ),
  'stream-left-join-after-select-key': (b) =>
    out(stream(b).selectKey(letterOf).leftJoin(stream(b, 'other').selectKey(letterOf), both, grace, j)),
  'stream-join-chain': (b) =>
    out(
      stream(b)
        .leftJoin(stream(b, 'other'), both, grace, j)
        .join(stream(b, 'third'), both, grace, joined('k')),
    ),
  'stream-join-lagging': (b) => out(stream(b).join(stream(b, 'other'), both, grace, j)),
  'stream-left-join-lagging': (b) => out(stream(b).leftJoin(stream(b, 'other'), both, grace, j)),
  'stream-outer-join-lagging': (b) => out(stream(b).outerJoin(stream(b, 'other'), both, grace, j)),
  'stream-outer-join-to-null': (b) =>
    out(stream(b).outerJoin(stream(b, 'other'), (l, r) => (r === null ? null : both(l, r)), grace, j)),

  'stream-table-join': (b) => out(stream(b).join(table(b), both)),
  'stream-table-join-with-key': (b) =>
    out(stream(b).join(table(b), (l, r, k) => (digit(l) === 0 ? null : k + l + r))),
  'stream-table-left-join': (b) => out(stream(b).leftJoin(table(b), both)),
  'stream-table-join-after-select-key': (b) =>
    out(stream(b).selectKey(letterOf).join(table(b), both, joinedTable)),
  'stream-table-left-join-after-map': (b) =>
    out(
      stream(b)
        .map((_k, v): [Nullable, Nullable] => [v === null || digit(v) === 1 ? null : letter(v), v])
        .leftJoin(table(b), both, joinedTable),
    ),
  'stream-table-left-join-filtered': (b) =>
    out(
      stream(b).leftJoin(
        table(b)
          .filter((_k, v) => digit(v) > 2)
          .mapValues((v) => `m${v}`),
        both,
      ),
    ),
  'stream-join-with-aggregate': (b) => {
    const s = stream(b);
    out(s.join(s.groupByKey().count(Materialized.as('s')), (v, n) => `${v}+${n}`));
  },

  'global-join': (b) => out(stream(b).join(global(b), letterOf, both)),
  'global-left-join': (b) => out(stream(b).leftJoin(global(b), letterOf, both)),
  'global-join-by-key': (b) =>
    out(
      stream(b).join(
        global(b),
        (k) => k,
        (l, r, k) => String(k) + l + r,
      ),
    ),
  'global-left-join-by-key': (b) =>
    out(
      stream(b).leftJoin(
        global(b),
        (k) => k,
        (l, r, k) => String(k) + l + String(r),
      ),
    ),
};
