// Windows × aggregates × grace, emitted on update and on close: twins of ../java/WindowTopologies.java.
import {
  days,
  EmitStrategy,
  Grouped,
  KeyValue,
  Materialized,
  SessionWindows,
  SlidingWindows,
  TimeWindows,
  UnlimitedWindows,
} from '#libs/topology';
import type { KGroupedStream, KTable, SessionWindowedKStream, TimeWindowedKStream } from '#libs/topology';
import type { Windowed } from '#libs/serde';
import { both, digit, grouped, integer, kept, letter, out, stream, text, to } from './words.ts';
import type { Draw, Topologies } from './words.ts';

type Windowing = (group: KGroupedStream<string, string>) => TimeWindowedKStream<string, string>;

export const closing = {
  tumbling: (g) => g.windowedBy(TimeWindows.ofSizeWithNoGrace(100)),
  'tumbling-grace': (g) => g.windowedBy(TimeWindows.ofSizeAndGrace(100, 50)),
  hopping: (g) => g.windowedBy(TimeWindows.ofSizeWithNoGrace(100).advanceBy(40)),
  'hopping-grace': (g) => g.windowedBy(TimeWindows.ofSizeAndGrace(100, 50).advanceBy(30)),
  sliding: (g) => g.windowedBy(SlidingWindows.ofTimeDifferenceWithNoGrace(50)),
  'sliding-grace': (g) => g.windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(50, 60)),
} satisfies Record<string, Windowing>;

const kinds = {
  ...closing,
  unlimited: (g: KGroupedStream<string, string>) => g.windowedBy(UnlimitedWindows.of().startOn(1050)),
};

export const sessions = {
  session: SessionWindows.ofInactivityGapWithNoGrace(25),
  'session-grace': SessionWindows.ofInactivityGapAndGrace(25, 60),
};

export const counts = { name: 's', keySerde: text, valueSerde: integer };
/** The end of an unlimited window in Kafka Streams. */
const FOREVER = '9223372036854775807';
const onClose = EmitStrategy.onWindowClose();
// As in the twins: Kafka Streams forgets windows unemitted when time moves by more than the retention at once.
export const countsForADay = Materialized.as<string, number>('s', { retentionMs: days(1) });
const keptForADay = { ...kept('s'), retentionMs: days(1) };

export const shown = ({ key, window }: Windowed<string>): string =>
  `${key}[${window.start},${window.end === Infinity ? FOREVER : window.end})`;

export function outWindows<V, D extends null>(results: KTable<Windowed<string>, V, D>): void {
  out(results.toStream(shown));
}

const joinedDigits = (x: string, y: string): string | null => (digit(y) === 9 ? null : `${x}${digit(y)}`);
const reduced = (
  windowed: TimeWindowedKStream<string, string>,
  store = 's',
): KTable<Windowed<string>, string, never> =>
  windowed.reduce(joinedDigits as (x: string, y: string) => string, kept(store));

export const aggregated = (
  windowed: TimeWindowedKStream<string, string>,
  materialized = kept('s'),
): KTable<Windowed<string>, string> =>
  windowed.aggregate(
    () => '',
    (k, v, x) => (digit(v) === 9 ? null : `${x}${k}${digit(v)}`),
    materialized,
  );

const aggregatedSessions = (
  windowed: SessionWindowedKStream<string, string>,
  materialized = kept('s'),
): KTable<Windowed<string>, string> =>
  windowed.aggregate(
    () => '',
    (_k, v, x) => joinedDigits(x, v),
    (_k, x, y) => `${x}&${y}`,
    materialized,
  );

const fixed = Object.entries(kinds).flatMap(([kind, over]): [string, Draw][] => [
  [`${kind}-count`, (b) => outWindows(over(stream(b).groupByKey()).count(counts))],
  [`${kind}-reduce`, (b) => outWindows(reduced(over(stream(b).groupByKey())))],
  [`${kind}-aggregate`, (b) => outWindows(aggregated(over(stream(b).groupByKey())))],
]);

const fixedOnClose = Object.entries(closing).flatMap(([kind, over]): [string, Draw][] => [
  [
    `${kind}-count-on-close`,
    (b) => outWindows(over(stream(b).groupByKey()).emitStrategy(onClose).count(countsForADay)),
  ],
  [
    `${kind}-aggregate-on-close`,
    (b) => outWindows(aggregated(over(stream(b).groupByKey()).emitStrategy(onClose), keptForADay)),
  ],
]);

const ofSessions = Object.entries(sessions).flatMap(([kind, gap]): [string, Draw][] => [
  [`${kind}-count`, (b) => outWindows(stream(b).groupByKey().windowedBy(gap).count(counts))],
  [
    `${kind}-reduce`,
    (b) =>
      outWindows(
        stream(b)
          .groupByKey()
          .windowedBy(gap)
          .reduce((x, y) => `${x}${digit(y)}`, kept('s')),
      ),
  ],
  [`${kind}-aggregate`, (b) => outWindows(aggregatedSessions(stream(b).groupByKey().windowedBy(gap)))],
  [
    `${kind}-count-on-close`,
    (b) => outWindows(stream(b).groupByKey().windowedBy(gap).emitStrategy(onClose).count(counts)),
  ],
  [
    `${kind}-aggregate-on-close`,
    (b) => outWindows(aggregatedSessions(stream(b).groupByKey().windowedBy(gap).emitStrategy(onClose))),
  ],
]);

export const windows: Topologies = {
  ...Object.fromEntries([...fixed, ...fixedOnClose, ...ofSessions]),
  'session-kept-longer': (b) =>
    outWindows(stream(b).groupByKey().windowedBy(sessions['session-grace']).count(countsForADay)),
  'tumbling-after-group-by': (b) =>
    outWindows(
      kinds['tumbling-grace'](stream(b).groupBy((_k, v) => (v === null ? null : letter(v)), grouped)).count(
        counts,
      ),
    ),
  'tumbling-filter-map-values': (b) =>
    outWindows(
      kinds['tumbling-grace'](stream(b).groupByKey())
        .count(counts)
        .filter((_k, v) => v % 2 === 0)
        .mapValues((v, k) => k.window.start + v),
    ),
  'count-of-tumbling': (b) =>
    out(
      kinds['tumbling-grace'](stream(b).groupByKey())
        .count(counts)
        .toStream((k, v) => `${k.key}${v}`)
        .groupByKey(Grouped.with(text, integer, { name: 'g' }))
        .count(Materialized.as('t'))
        .toStream(),
    ),
  'windowed-table-join': (b) =>
    outWindows(
      kinds['tumbling-grace'](stream(b).groupByKey())
        .reduce((x, y) => `${x}${digit(y)}`, kept('s'))
        .outerJoin(reduced(kinds.tumbling(stream(b, 'other').groupByKey()), 't'), both),
    ),
  'windowed-table-group-by': (b) =>
    out(
      aggregated(kinds['tumbling-grace'](stream(b).groupByKey()))
        .groupBy((k, v) => KeyValue.pair(k.key, v), grouped)
        .aggregate(
          () => '',
          (_k, v, x) => `${x}+${v}`,
          (_k, v, x) => `${x}-${v}`,
          kept('t'),
        )
        .toStream(),
    ),
  'two-window-sizes': (b) => {
    const group = stream(b).groupByKey();
    outWindows(kinds['tumbling-grace'](group).count(counts));
    to(kinds.hopping(group).count(Materialized.as('t')).toStream(shown), 'hopping');
  },
};
