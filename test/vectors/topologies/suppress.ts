// Results held back, until windows close, for a time, or while there is room: twins of ../java/SuppressTopologies.java.
import { BufferConfig, Suppressed } from '#libs/topology';
import { aggregated, closing, counts, outWindows, sessions } from './windows.ts';
import { both, digit, kept, out, stream, table } from './words.ts';
import type { Draw, Topologies } from './words.ts';

const untilClosed = Suppressed.untilWindowCloses(BufferConfig.unbounded()).withName('held');
const held = (ms: number, config: BufferConfig): ReturnType<typeof Suppressed.untilTimeLimit> =>
  Suppressed.untilTimeLimit(ms, config).withName('held');

const ofWindows = Object.entries(closing).map(([kind, over]): [string, Draw] => [
  `${kind}-suppressed`,
  (b) => outWindows(over(stream(b).groupByKey()).count(counts).suppress(untilClosed)),
]);

const ofSessions = Object.entries(sessions).map(([kind, gap]): [string, Draw] => [
  `${kind}-suppressed`,
  (b) => outWindows(stream(b).groupByKey().windowedBy(gap).count(counts).suppress(untilClosed)),
]);

export const suppress: Topologies = {
  ...Object.fromEntries(ofWindows),
  'tumbling-aggregate-suppressed': (b) =>
    outWindows(aggregated(closing['tumbling-grace'](stream(b).groupByKey())).suppress(untilClosed)),
  ...Object.fromEntries(ofSessions),
  'suppress-time-limit': (b) => out(table(b).suppress(held(60, BufferConfig.unbounded())).toStream()),
  'suppress-time-limit-zero': (b) => out(table(b).suppress(held(0, BufferConfig.unbounded())).toStream()),
  'suppress-max-records': (b) =>
    out(
      table(b)
        .suppress(held(500, BufferConfig.maxRecords(2).emitEarlyWhenFull()))
        .toStream(),
    ),
  'suppress-aggregate': (b) =>
    out(
      stream(b)
        .groupByKey()
        .reduce((x, y) => `${x}${digit(y)}`, kept('s'))
        .suppress(held(80, BufferConfig.maxRecords(3).emitEarlyWhenFull()))
        .toStream(),
    ),
  'suppress-filtered': (b) =>
    out(
      table(b)
        .filter((_k, v) => digit(v) > 3)
        .suppress(held(60, BufferConfig.unbounded()))
        .mapValues((v) => `${v}!`)
        .toStream(),
    ),
  'suppress-max-bytes': (b) =>
    out(
      table(b)
        .suppress(held(500, BufferConfig.maxBytes(150).emitEarlyWhenFull()))
        .toStream(),
    ),
  'suppress-joined': (b) =>
    out(stream(b).leftJoin(table(b).suppress(held(60, BufferConfig.unbounded())), both)),
  'suppress-windows-time-limit': (b) =>
    outWindows(
      closing['hopping-grace'](stream(b).groupByKey())
        .count(counts)
        .suppress(held(40, BufferConfig.maxRecords(5).emitEarlyWhenFull())),
    ),
};
