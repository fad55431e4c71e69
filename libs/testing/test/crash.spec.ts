// Specifies that results do not depend on what becomes of the instances: an application that is killed at any point and started again
// gives, record by record, what an undisturbed run gives.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
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
interface Scenario {
  readonly name: string;
  readonly draw: (builder: StreamsBuilder) => void;
  /** Store whose content is compared too. */
  readonly store: string;
}

const orders = (builder: StreamsBuilder) => builder.stream('orders', Consumed.with(text, number));
const results = Produced.with(text, text);

const SCENARIOS: readonly Scenario[] = [
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
const inputs = Array.from({ length: 24 }, (_, i) => ({
  key: `k${(i * 7) % 5}`,
  value: (i * 5) % 11,
  timestamp: 1_000 + i + ((i * 13) % 7) - 3,
}));

interface Run {
  /** Key, value, timestamp, by partition. */
  readonly results: readonly (readonly [string, string, number, number])[];
  readonly state: readonly unknown[];
}

async function run(
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

async function restart(driver: TopologyTestDriver): Promise<void> {
  await driver.crash();
  await driver.restart();
}

describe.each(SCENARIOS)('a crash during $name', (scenario) => {
  it('before each record changes nothing', async () => {
    const expected = await run(scenario, {});
    expect(expected.results.length).toBeGreaterThan(4);
    expect(await run(scenario, {}, restart)).toEqual(expected);
  });

  it('in the middle of each epoch changes nothing', async () => {
    const expected = await run(scenario, {});
    for (const events of [3, 8, 15, 27]) {
      const disturbed = await run(scenario, {}, async (driver) => {
        await driver.step(events);
        await restart(driver);
      });
      expect(disturbed).toEqual(expected);
    }
  });
});

type Disturbance = 'crash' | 'restart' | 'freeze' | 'rebalance' | 'add' | 'remove';

async function disturb(driver: TopologyTestDriver, what: Disturbance, instance: number): Promise<void> {
  if (what === 'crash') {
    await driver.crash(instance);
    await driver.restart(instance);
  } else if (what === 'restart') await driver.restart(instance);
  else if (what === 'rebalance') await driver.rebalance();
  else if (what === 'add') await driver.addInstance();
  else if (what === 'remove' && driver.instanceCount > 1) {
    await driver.removeInstance(instance);
    await driver.restart(instance);
  } else if (what === 'freeze') {
    driver.freeze(instance);
    await driver.step(60);
    await driver.thaw(instance);
  }
}

describe('any disturbance', () => {
  it('of any instance at any event changes nothing', async () => {
    const disturbance = fc.record({
      at: fc.nat({ max: inputs.length - 1 }),
      events: fc.nat({ max: 40 }),
      what: fc.constantFrom<Disturbance>('crash', 'restart', 'freeze', 'rebalance', 'add', 'remove'),
      instance: fc.nat({ max: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...SCENARIOS),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        fc.array(disturbance, { maxLength: 4 }),
        async (scenario, instances, partitions, disturbances) => {
          const expected = await run(scenario, { partitions });
          const disturbed = await run(scenario, { instances, partitions }, async (driver, i) => {
            for (const { at, events, what, instance } of disturbances) {
              if (at !== i) continue;
              if (events > 0) await driver.step(events);
              await disturb(driver, what, instance % driver.instanceCount);
            }
          });
          expect(disturbed).toEqual(expected);
        },
      ),
      { numRuns: 20 },
    );
  }, 60_000);
});
