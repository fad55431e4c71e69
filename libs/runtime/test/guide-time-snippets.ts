// The code shown in docs/guide/time.md, region by region. guide-time.spec.ts holds the two together and runs each.
// #region imports
import { Serdes, WindowedSerdes } from '#libs/serde';
import {
  BufferConfig,
  Consumed,
  Materialized,
  StreamsBuilder,
  Suppressed,
  TimeWindows,
  WatermarkStrategy,
  minutes,
  seconds,
} from '#libs/topology';
// #endregion
import type { Topology } from '#libs/topology';

// #region extractor
interface Flight {
  readonly origin: string;
  /** Milliseconds since the Unix epoch. */
  readonly departedAt: number;
}

const flights = Consumed.with(Serdes.string(), Serdes.json<Flight>(), {
  timestampExtractor: (flight) => flight.departedAt,
});
// #endregion

export function departures(consumed: Consumed<string, Flight> = flights): Topology {
  const builder = new StreamsBuilder();
  // #region departures
  builder
    .stream('flights', consumed)
    .groupByKey()
    .windowedBy(TimeWindows.ofSizeWithNoGrace(minutes(10)))
    .count(Materialized.as('departures'))
    .suppress(Suppressed.untilWindowCloses(BufferConfig.unbounded()).withName('final-departures'))
    .toStream()
    .to('departures', { keySerde: WindowedSerdes.timeWindowed(Serdes.string(), minutes(10)) });
  // #endregion
  return builder.build();
}

// #region bounded
const outOfOrder = {
  ...flights,
  watermarks: WatermarkStrategy.boundedOutOfOrderness(minutes(2)),
};
// #endregion

// #region idle
const withIdleAirports = {
  ...flights,
  watermarks: WatermarkStrategy.boundedOutOfOrderness(minutes(2)).withIdleness(minutes(1)),
};
// #endregion

// #region custom
/** Time moves in whole minutes: operators are told of it less often. */
const byTheMinute = WatermarkStrategy.custom(() => {
  let highest = -1;
  return {
    onRecord(timestamp) {
      if (timestamp > highest) highest = timestamp;
    },
    watermark: () => Math.floor(highest / minutes(1)) * minutes(1),
  };
});
// #endregion

// #region bound
const closingOverNight = {
  ...flights,
  watermarks: WatermarkStrategy.streamTime().withWallClockBound(seconds(30)),
};
// #endregion

// #region future
const withoutFuture = {
  ...flights,
  futureTimestamps: { aheadMsMax: minutes(5), policy: 'drop' },
} as const;
// #endregion

export const SOURCES = {
  flights,
  outOfOrder,
  withIdleAirports,
  byTheMinute: { ...flights, watermarks: byTheMinute },
  closingOverNight,
  withoutFuture,
};
