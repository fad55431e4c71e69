// The code shown in docs/guide/evolution.md, region by region. guide-evolution.spec.ts holds the two together and runs each.
// #region imports
import { Serdes } from '#libs/serde';
import {
  Consumed,
  Grouped,
  Materialized,
  minutes,
  Optimization,
  StreamsBuilder,
  TimeWindows,
} from '#libs/topology';
// #endregion
import type { KStream, Topology } from '#libs/topology';

const text = Serdes.string();

const clicksOf = (builder: StreamsBuilder): KStream<string, string> =>
  builder.stream<string, string>('clicks', Consumed.with(text, text));

export function before(): Topology {
  const builder = new StreamsBuilder();
  const clicks = clicksOf(builder);
  // #region before
  clicks
    .groupBy((_user, page) => page, Grouped.as('by-page', { keySerde: text }))
    .windowedBy(TimeWindows.ofSizeWithNoGrace(minutes(5)))
    .count(Materialized.as('clicks-by-page'))
    .toStream((page) => page.key)
    .to('page-clicks', { keySerde: text });
  // #endregion
  return builder.build();
}

export function harmless(): Topology {
  const builder = new StreamsBuilder();
  const clicks = clicksOf(builder);
  // #region harmless
  clicks
    .filter((_user, page) => page !== '/health')
    .groupBy((_user, page) => page.toLowerCase(), Grouped.as('by-page', { keySerde: text }))
    .windowedBy(TimeWindows.ofSizeAndGrace(minutes(5), minutes(1)))
    .count(Materialized.as('clicks-by-page'))
    .filter((_page, count) => count > 10)
    .toStream((page) => page.key)
    .to('page-clicks', { keySerde: text });
  // #endregion
  return builder.build();
}

export function renamed(): Topology {
  const builder = new StreamsBuilder();
  const clicks = clicksOf(builder);
  // #region renamed
  clicks
    .groupBy((_user, page) => page, Grouped.as('by-page', { keySerde: text }))
    .windowedBy(TimeWindows.ofSizeWithNoGrace(minutes(10)))
    .count(Materialized.as('clicks-by-page-10m'))
    .toStream((page) => page.key)
    .to('page-clicks', { keySerde: text });
  // #endregion
  return builder.build();
}

export function optimized(): Topology {
  // #region optimized
  const builder = new StreamsBuilder({ optimize: [Optimization.REUSE_KTABLE_SOURCE_TOPICS] });
  // #endregion
  builder.table('users', Consumed.with(text, text), Materialized.as('users'));
  return builder.build();
}
