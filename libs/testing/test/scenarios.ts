// Owns the topologies that are compared with an undisturbed run, the input of them all, and what is compared.
import { Serdes, WindowedSerdes } from '#libs/serde';
import {
  Consumed,
  Grouped,
  JoinWindows,
  Joined,
  Materialized,
  Produced,
  State,
  StreamJoined,
  StreamsBuilder,
  Suppressed,
  TimeWindows,
} from '#libs/topology';
import { TopologyTestDriver } from '../src/index.ts';
import type { TopologyTestDriverOptions } from '../src/index.ts';
import { number, text } from './topologies.ts';

/** A topology over `orders` (a number per key) that writes texts or counts to `results`. */
export interface Scenario {
  readonly name: string;
  readonly draw: (builder: StreamsBuilder) => void;
  /** Store whose content is compared too. */
  readonly store: string;
}

const orders = (builder: StreamsBuilder) => builder.stream('orders', Consumed.with(text, number));
const results = Produced.with(text, text);

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'two aggregations with a repartition topic between them',
    store: 'digits',
    draw: (builder) =>
      orders(builder)
        .groupByKey()
        .reduce((sum, value) => sum + value, Materialized.as('sums'))
        .toStream()
        .groupBy((_key, sum) => `d${sum % 3}`, Grouped.as('by-digit', { keySerde: text, valueSerde: number }))
        .count(Materialized.as('digits'))
        .toStream()
        .mapValues(String)
        .to('results', results),
  },
  {
    name: 'windows whose results are held back until they close',
    store: 'windows',
    draw: (builder) =>
      orders(builder)
        .groupByKey()
        .windowedBy(TimeWindows.ofSizeAndGrace(5, 3))
        .count(Materialized.as('windows'))
        .suppress(Suppressed.untilWindowCloses(Suppressed.BufferConfig.unbounded()).withName('held-back'))
        .toStream()
        .mapValues(String)
        .to('results', Produced.with(WindowedSerdes.timeWindowed(text, 5), text)),
  },
  {
    name: 'an outer join of two branches, then a table join',
    store: 'newest',
    draw: (builder) => {
      const stream = orders(builder);
      const newest = stream.filter((_key, value) => value % 4 === 0).toTable(Materialized.as('newest'));
      const odd = stream.filter((_key, value) => value % 2 === 1).mapValues(String);
      const even = stream.filter((_key, value) => value % 2 === 0).mapValues(String);
      odd
        .outerJoin(
          even,
          (left, right) => `${left ?? '-'}|${right ?? '-'}`,
          JoinWindows.ofTimeDifferenceAndGrace(4, 2),
          StreamJoined.as('pairs', { keySerde: text, valueSerde: text, otherValueSerde: text }),
        )
        .leftJoin(newest, (pair, value) => `${pair} ${String(value)}`, Joined.as('with-newest'))
        .to('results', results);
    },
  },
  {
    name: 'a keyed process function with state and timers',
    store: 'bursts-seen',
    draw: (builder) =>
      orders(builder)
        .groupByKey()
        .process({
          name: 'bursts',
          valueSerde: text,
          state: { seen: State.value(number) },
          onRecord(value, context) {
            context.state.seen.set((context.state.seen.get() ?? 0) + value);
            context.timers.setEventTime('quiet', context.timestamp + 4);
          },
          onTimer(timer, context) {
            context.emit(`${String(context.state.seen.get())} at ${timer.time}`);
            context.state.seen.clear();
          },
        })
        .to('results', results),
  },
];

/** Out of order here and there, and some late. */
export const inputs = Array.from({ length: 24 }, (_, i) => ({
  key: `k${(i * 7) % 5}`,
  value: (i * 5) % 11,
  timestamp: 1_000 + i + ((i * 13) % 7) - 3,
}));

export interface Run {
  /** Key, value, timestamp, by partition. */
  readonly results: readonly (readonly [string, string, number, number])[];
  readonly state: readonly unknown[];
}

/** Record by record: appended, whatever `disturb` does, settled. */
export async function run(
  { draw, store }: Scenario,
  options: TopologyTestDriverOptions,
  disturb: (driver: TopologyTestDriver, i: number) => Promise<void> = () => Promise.resolve(),
): Promise<Run> {
  const builder = new StreamsBuilder();
  draw(builder);
  await using driver = await TopologyTestDriver.start(builder, options);
  const input = driver.inputTopic('orders', text, number);
  for (const [i, { key, value, timestamp }] of inputs.entries()) {
    await input.append(key, value, { timestamp });
    await disturb(driver, i);
    await driver.settle();
  }
  // Awaited here: the driver is closed with this function.
  return await outcome(driver, store);
}

export async function outcome(driver: TopologyTestDriver, store: string): Promise<Run> {
  const bytes = Serdes.bytes();
  const written = driver.outputTopic('results', bytes, bytes).readAll();
  return {
    results: written
      .map(
        ({ key, value, timestamp, partition }) => [latin1(key), latin1(value), timestamp, partition] as const,
      )
      // Over several partitions records have no order.
      .toSorted((a, b) => a[3] - b[3]),
    state: await driver.store(store).entries(),
  };
}

function latin1(bytes: Uint8Array | null): string {
  return bytes === null ? 'null' : Buffer.from(bytes).toString('latin1');
}
