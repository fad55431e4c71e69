// Which headers results have that do not come of one record alone: twins of ../java/HeaderTopologies.java.
import {
  BufferConfig,
  EmitStrategy,
  Joined,
  JoinWindows,
  KeyValue,
  StreamJoined,
  Suppressed,
  TableJoined,
} from '#libs/topology';
import { cogroup } from './cogroups.ts';
import { keyOf } from './foreign-keys.ts';
import { flushed } from './processors.ts';
import { versioned } from './versioned.ts';
import { closing, counts, countsForADay, outWindows, sessions } from './windows.ts';
import { both, digit, grouped, kept, letter, out, stream, table, text } from './words.ts';
import type { Topologies } from './words.ts';

const windows = closing['tumbling-grace'];
const onClose = EmitStrategy.onWindowClose();

export const headers: Topologies = {
  'headers-aggregate': (b) => out(stream(b).groupByKey().count(counts).toStream()),
  'headers-group-by': (b) =>
    out(
      stream(b)
        .groupBy((_k, v) => (v === null ? null : letter(v)), grouped)
        .reduce((x, y) => `${x}${digit(y)}`, kept('s'))
        .toStream(),
    ),
  'headers-table': (b) =>
    out(
      table(b)
        .filter((_k, v) => digit(v) > 4)
        .mapValues((v) => `${v}!`, kept('m'))
        .toStream(),
    ),
  'headers-table-group-by': (b) =>
    out(
      table(b)
        .groupBy((_k, v) => KeyValue.pair(letter(v), v), grouped)
        .count(counts)
        .toStream(),
    ),
  'headers-windows': (b) => outWindows(windows(stream(b).groupByKey()).count(counts)),
  'headers-windows-on-close': (b) =>
    outWindows(windows(stream(b).groupByKey()).emitStrategy(onClose).count(countsForADay)),
  'headers-windows-suppressed': (b) =>
    outWindows(
      windows(stream(b).groupByKey())
        .count(counts)
        .suppress(Suppressed.untilWindowCloses(BufferConfig.unbounded()).withName('held')),
    ),
  'headers-suppress': (b) =>
    out(
      table(b)
        .suppress(
          Suppressed.untilTimeLimit(60, BufferConfig.maxRecords(2).emitEarlyWhenFull()).withName('held'),
        )
        .toStream(),
    ),
  'headers-sessions-on-close': (b) =>
    outWindows(
      stream(b).groupByKey().windowedBy(sessions['session-grace']).emitStrategy(onClose).count(counts),
    ),
  'headers-stream-outer-join': (b) => {
    const span = JoinWindows.ofTimeDifferenceAndGrace(40, 60);
    const joined = StreamJoined.with(text, text, text, { name: 'j', storeName: 'j' });
    out(stream(b).outerJoin(stream(b, 'other'), both, span, joined));
  },
  'headers-stream-table-join': (b) => out(stream(b).leftJoin(table(b), both)),
  'headers-table-join': (b) => out(table(b).outerJoin(table(b, 'second'), both).toStream()),
  'headers-foreign-key-join': (b) =>
    out(table(b).leftJoin(table(b, 'groups'), keyOf, both, TableJoined.as('j'), kept('s')).toStream()),
  'headers-join-grace': (b) =>
    out(
      stream(b).join(
        versioned(b, 'table', 300),
        both,
        Joined.with(text, text, { name: 'j', gracePeriodMs: 50 }),
      ),
    ),
  'headers-cogroup': (b) =>
    out(
      cogroup(b)
        .aggregate(() => '', kept('s'))
        .toStream(),
    ),
  'headers-punctuator': (b) => out(flushed(b, 'stream-time', 50)),
  'headers-merge': (b) =>
    out(stream(b).merge(stream(b, 'other').mapValues((v) => (v === null ? null : `${v}!`)))),
};
