// Specifies that windows are emitted once when they close, whatever becomes of the instances, and however many close at once.
import { describe, expect, it } from '@jest/globals';
import { WindowedSerdes } from '#libs/serde';
import {
  Consumed,
  CountWindows,
  EmitStrategy,
  Materialized,
  Produced,
  SessionWindows,
  SlidingWindows,
  StreamsBuilder,
  TimeWindows,
} from '#libs/topology';
import type { KGroupedStream, KTable } from '#libs/topology';
import type { Windowed } from '#libs/serde';
import { TopologyTestDriver } from '../src/index.ts';
import { run } from './scenarios.ts';
import type { Scenario } from './scenarios.ts';
import { number, text } from './topologies.ts';

const onClose = EmitStrategy.onWindowClose();
const counts = Materialized.as('windows');

function scenario<D extends null>(
  name: string,
  counted: (group: KGroupedStream<string, number>) => KTable<Windowed<string>, number, D>,
): Scenario {
  return {
    name,
    store: 'windows',
    draw: (builder) =>
      counted(builder.stream('orders', Consumed.with(text, number)).groupByKey())
        .toStream()
        .mapValues(String)
        .to('results', Produced.with(WindowedSerdes.sessionWindowed(text), text)),
  };
}

const SCENARIOS: readonly Scenario[] = [
  scenario('hopping windows', (group) =>
    group.windowedBy(TimeWindows.ofSizeAndGrace(6, 3).advanceBy(2)).emitStrategy(onClose).count(counts),
  ),
  scenario('sliding windows', (group) =>
    group.windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(5, 3)).emitStrategy(onClose).count(counts),
  ),
  scenario('sessions', (group) =>
    group.windowedBy(SessionWindows.ofInactivityGapAndGrace(3, 2)).emitStrategy(onClose).count(counts),
  ),
  scenario('count windows', (group) =>
    group.windowedBy(CountWindows.ofSize(3).slideBy(2)).emitStrategy(onClose).count(counts),
  ),
];

describe.each(SCENARIOS)('$name that are emitted on close', (windows) => {
  it('are the same when the application is killed before each record', async () => {
    const expected = await run(windows, {});
    expect(expected.results.length).toBeGreaterThan(4);
    const disturbed = await run(windows, {}, async (driver) => {
      await driver.crash();
      await driver.restart();
    });
    expect(disturbed).toEqual(expected);
  });

  it('are the same when the application is killed within epochs', async () => {
    const expected = await run(windows, {});
    for (const events of [3, 8, 15]) {
      const disturbed = await run(windows, {}, async (driver) => {
        await driver.step(events);
        await driver.crash();
        await driver.restart();
      });
      expect(disturbed).toEqual(expected);
    }
  });
});

describe('ten thousand windows that close at once', () => {
  const topology = (): StreamsBuilder => {
    const builder = new StreamsBuilder();
    builder
      .stream('orders', Consumed.with(text, number))
      .groupByKey()
      .windowedBy(TimeWindows.ofSizeWithNoGrace(1000))
      .emitStrategy(onClose)
      .count(counts)
      .toStream()
      .map((key, count) => [key.key, count])
      .to('results', Produced.with(text, number));
    return builder;
  };
  const keys = Array.from({ length: 10_000 }, (_none, index) => `k${10_000 + index}`);

  it.each([0, 60, 400])('all come out, killed after %i events', async (events) => {
    // So small that the windows are in the database, and their results take many epochs.
    const config = { epochBytesMax: 20_000, cacheBytesMax: 300_000, writeBehindBytes: 10_000 };
    await using driver = await TopologyTestDriver.start(topology(), { config });
    const input = driver.inputTopic('orders', text, number);
    for (const key of keys) await input.append(key, 1, { timestamp: 5 });
    await driver.settle();
    // Far beyond the retention: what is still to be emitted must not be forgotten.
    await input.append('last', 1, { timestamp: 1_000_000_000 });
    if (events > 0) {
      await driver.step(events);
      await driver.crash();
      await driver.restart();
    }
    await driver.settle();
    const results = driver.outputTopic('results', text, number).readKeyValues();
    expect(results.map(([key]) => key)).toEqual(keys);
  });
});
