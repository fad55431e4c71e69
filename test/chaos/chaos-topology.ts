// Owns the application under test: one operator of each kind whose answer to every record is known beforehand. What it must come to is
// in model.ts, which shares none of this.
import {
  Consumed,
  Grouped,
  Joined,
  Materialized,
  Produced,
  Serdes,
  State,
  StreamsBuilder,
  TimeWindows,
  WatermarkStrategy,
} from '#libs/millrace';
import type { Topology } from '#libs/millrace';
import { GRACE_MS, QUIET_MS, TOPICS, WATERMARK_BOUND_MS, WINDOW_MS } from './vocabulary.ts';
import type { ChaosEvent, ChaosTick, JoinedEvent, Price, Stats, WindowCount } from './vocabulary.ts';

export function chaosTopology(): Topology {
  const text = Serdes.string();
  const builder = new StreamsBuilder();
  const events = builder.stream(TOPICS.events, Consumed.with(text, Serdes.json<ChaosEvent>()));

  // 1. echo: each id again, in the order of its key.
  events.mapValues(({ id }) => id).to(TOPICS.echo, Produced.with(text, Serdes.json<string>()));

  // 2. running sum, count, minimum and maximum, behind a repartition.
  const stats = Serdes.json<Stats>();
  events
    .groupBy((_key, { group }) => group, Grouped.with(text, Serdes.json<ChaosEvent>(), { name: 'by-group' }))
    .aggregate(
      (): Stats => ({ id: '', count: 0, sum: 0, min: Infinity, max: -Infinity }),
      (_group, { id, amount }, { count, sum, min, max }) => ({
        id,
        count: count + 1,
        sum: sum + amount,
        min: count === 0 ? amount : Math.min(min, amount),
        max: count === 0 ? amount : Math.max(max, amount),
      }),
      Materialized.as('stats', { keySerde: text, valueSerde: stats }),
    )
    .toStream()
    .to(TOPICS.stats, Produced.with(text, stats));

  // 3. a table's row at the moment of the event.
  const price = Serdes.json<Price>();
  const prices = builder.table(
    TOPICS.prices,
    Consumed.with(text, price),
    Materialized.as('prices', { keySerde: text, valueSerde: price }),
  );
  events
    .leftJoin(
      prices,
      ({ id }, row): JoinedEvent => ({ id, version: row?.version ?? null }),
      Joined.with(text, Serdes.json<ChaosEvent>(), price),
    )
    .to(TOPICS.joined, Produced.with(text, Serdes.json<JoinedEvent>()));

  // 4. every update of a tumbling window's count.
  events
    .groupByKey(Grouped.with(text, Serdes.json<ChaosEvent>(), { name: 'by-key' }))
    .windowedBy(TimeWindows.ofSizeAndGrace(WINDOW_MS, GRACE_MS))
    .count(Materialized.as('windows', { keySerde: text, valueSerde: Serdes.json<number>() }))
    .toStream()
    .map(({ key, window }, count): [string, WindowCount] => [key, { start: window.start, count }])
    .to(TOPICS.windows, Produced.with(text, Serdes.json<WindowCount>()));

  // 5. a sum per key until the key was quiet for a while, by timers and watermarks; a sub-topology of its own.
  builder
    .stream(
      TOPICS.ticks,
      Consumed.with(text, Serdes.json<ChaosTick>(), {
        watermarks: WatermarkStrategy.boundedOutOfOrderness(WATERMARK_BOUND_MS),
      }),
    )
    .groupByKey()
    .process({
      name: 'quiet',
      state: { sum: State.value(Serdes.json<number>()) },
      onRecord({ id, amount }: ChaosTick, context) {
        const sum = (context.state.sum.get() ?? 0) + amount;
        context.state.sum.set(sum);
        context.timers.setEventTime('quiet', context.timestamp + QUIET_MS);
        context.emit(`tick ${id} ${sum}`);
      },
      onTimer(timer, context) {
        context.emit(`quiet ${timer.time} ${context.state.sum.get() ?? 0}`);
        context.state.sum.clear();
      },
    })
    .mapValues((line) => String(line))
    .to(TOPICS.timers, Produced.with(text, text));
  return builder.build();
}
