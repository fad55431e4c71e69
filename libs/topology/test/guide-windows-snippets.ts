// The code shown in docs/guide/windows.md, region by region. guide-windows.spec.ts holds the two together and runs each.
// #region imports
import { Serdes, WindowedSerdes } from '#libs/serde';
import {
  BufferConfig,
  Consumed,
  CountWindows,
  CumulativeWindows,
  days,
  EmitStrategy,
  hours,
  Materialized,
  minutes,
  Produced,
  seconds,
  SessionWindows,
  SlidingWindows,
  StreamsBuilder,
  Suppressed,
  TimeWindows,
} from '#libs/topology';
// #endregion
import type { KStream, Topology } from '#libs/topology';

interface Click {
  readonly page: string;
}

interface Visit {
  first: string;
  clicks: number;
}

function overClicks(draw: (clicks: KStream<string, Click>) => void): Topology {
  const builder = new StreamsBuilder();
  draw(builder.stream('clicks', Consumed.with(Serdes.string(), Serdes.json<Click>())));
  return builder.build();
}

export const tumblingTopology = (): Topology =>
  overClicks((clicks) => {
    // #region tumbling
    clicks
      .groupByKey()
      .windowedBy(TimeWindows.ofSizeAndGrace(minutes(5), seconds(30)))
      .count(Materialized.as('clicks-by-user'))
      .toStream()
      .map((user, count) => [user.key, { from: user.window.start, to: user.window.end, count }])
      .to('activity', Produced.with(Serdes.string(), Serdes.json()));
    // #endregion
  });

export const keysTopology = (): Topology =>
  overClicks((clicks) => {
    // #region keys
    clicks
      .groupByKey()
      .windowedBy(TimeWindows.ofSizeWithNoGrace(minutes(5)).advanceBy(minutes(1)))
      .count(Materialized.as('clicks-by-user'))
      .toStream()
      .to(
        'activity',
        Produced.with(WindowedSerdes.timeWindowed(Serdes.string(), minutes(5)), Serdes.safeInteger()),
      );
    // #endregion
  });

export const sessionTopology = (): Topology =>
  overClicks((clicks) => {
    // #region sessions
    clicks
      .groupByKey()
      .windowedBy(SessionWindows.ofInactivityGapAndGrace(minutes(30), minutes(5)))
      .aggregate<Visit>(
        () => ({ first: '', clicks: 0 }),
        (_user, click, visit) => ({ first: visit.first || click.page, clicks: visit.clicks + 1 }),
        (_user, one, other) => ({ first: one.first || other.first, clicks: one.clicks + other.clicks }),
        Materialized.as('visits', { valueSerde: Serdes.json<Visit>() }),
      )
      .toStream()
      .to('visits');
    // #endregion
  });

export const slidingTopology = (): Topology =>
  overClicks((clicks) => {
    // #region sliding
    clicks
      .groupByKey()
      .windowedBy(SlidingWindows.ofTimeDifferenceWithNoGrace(seconds(10)))
      .count(Materialized.as('bursts'))
      .filter((_user, count) => count > 100)
      .toStream()
      .to('robots');
    // #endregion
  });

export const dayTopology = (): Topology =>
  overClicks((clicks) => {
    // #region cumulative
    clicks
      .groupByKey()
      .windowedBy(CumulativeWindows.ofMaxSizeAndStepWithNoGrace(days(1), hours(1)))
      .emitStrategy(EmitStrategy.onWindowClose())
      .count(Materialized.as('today'))
      .toStream()
      .to('day-so-far');
    // #endregion
  });

export const countTopology = (): Topology =>
  overClicks((clicks) => {
    // #region count
    clicks
      .groupByKey()
      .windowedBy(CountWindows.ofSize(3).slideBy(1))
      .emitStrategy(EmitStrategy.onWindowClose())
      .reduce((earlier, later) => ({ page: `${earlier.page} ${later.page}` }), Materialized.as('last-three'))
      .toStream()
      .to('paths');
    // #endregion
  });

export const lateTopology = (): Topology =>
  overClicks((clicks) => {
    // #region late
    const windowed = clicks.groupByKey().windowedBy(TimeWindows.ofSizeWithNoGrace(minutes(5)));
    windowed.count(Materialized.as('clicks-by-user')).toStream().to('activity');
    windowed.lateRecords().to('late-clicks');
    // #endregion
  });

export const finalTopology = (): Topology =>
  overClicks((clicks) => {
    // #region suppress
    clicks
      .groupByKey()
      .windowedBy(TimeWindows.ofSizeAndGrace(minutes(5), seconds(30)))
      .count(Materialized.as('clicks-by-user'))
      .suppress(Suppressed.untilWindowCloses(BufferConfig.unbounded()).withName('final-clicks'))
      .filter((_user, count) => count > 1)
      .toStream()
      .to('busy-users');
    // #endregion
  });

export const limitTopology = (): Topology =>
  overClicks((clicks) => {
    // #region limit
    clicks
      .groupByKey()
      .count(Materialized.as('clicks-ever'))
      .suppress(
        Suppressed.untilTimeLimit(
          seconds(10),
          BufferConfig.maxRecords(10_000).withMaxBytes(1_000_000).emitEarlyWhenFull(),
        ).withName('rate-limit'),
      )
      .toStream()
      .to('totals');
    // #endregion
  });
