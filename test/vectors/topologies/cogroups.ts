// Several grouped streams into one aggregate: twins of ../java/CogroupTopologies.java.
import { SessionWindows, SlidingWindows, TimeWindows } from '#libs/topology';
import type { CogroupedKStream, StreamsBuilder } from '#libs/topology';
import { digit, grouped, kept, letter, out, stream } from './words.ts';
import type { Draw, Nullable, Topologies } from './words.ts';
import { outWindows } from './windows.ts';

const empty = (): string => '';
export const cogroup = (b: StreamsBuilder): CogroupedKStream<string, string> =>
  stream(b)
    .groupByKey()
    .cogroup<string>((_k, v, x) => (digit(v) === 9 ? null : `${x}${digit(v)}`))
    .cogroup(stream(b, 'other').groupByKey(), (_k, v, x) => x + letter(v));

const tumbling: Draw = (b) =>
  outWindows(cogroup(b).windowedBy(TimeWindows.ofSizeAndGrace(100, 50)).aggregate(empty, kept('s')));
const session: Draw = (b) =>
  outWindows(
    cogroup(b)
      .windowedBy(SessionWindows.ofInactivityGapAndGrace(25, 60))
      .aggregate(empty, (_k, x, y) => `${x}&${y}`, kept('s')),
  );

export const cogroups: Topologies = {
  cogroup: (b) => out(cogroup(b).aggregate(empty, kept('s')).toStream()),
  'cogroup-one': (b) =>
    out(
      stream(b)
        .groupByKey()
        .cogroup<string>((k, v, x) => (digit(v) < 3 ? null : `${x}${k}${digit(v)}`))
        .aggregate(() => 'new', kept('s'))
        .toStream(),
    ),
  'cogroup-three': (b) =>
    out(
      cogroup(b)
        .cogroup(
          stream(b, 'third').groupBy(
            (_k, v): Nullable => (v === null ? null : letter(v) === 'p' ? 'a' : 'b'),
            grouped,
          ),
          (_k, v, x) => `${x}(${v})`,
        )
        .aggregate(empty, kept('s'))
        .toStream(),
    ),
  'cogroup-tumbling': tumbling,
  'cogroup-tumbling-lagging': tumbling,
  'cogroup-hopping': (b) =>
    outWindows(
      cogroup(b).windowedBy(TimeWindows.ofSizeWithNoGrace(100).advanceBy(50)).aggregate(empty, kept('s')),
    ),
  'cogroup-sliding': (b) =>
    outWindows(
      cogroup(b).windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(40, 30)).aggregate(empty, kept('s')),
    ),
  'cogroup-session': session,
  'cogroup-session-lagging': session,
};
