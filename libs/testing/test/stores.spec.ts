import { describe, expect, it } from '@jest/globals';
import '../src/jest.ts';
import { Serdes } from '#libs/serde';
import type { Windowed } from '#libs/serde';
import { Consumed, Materialized, SessionWindows, Stores, StreamsBuilder, TimeWindows } from '#libs/topology';
import { TopologyTestDriver } from '../src/index.ts';
import { countsByValue, number, sums, text } from './topologies.ts';

describe('driver.store', () => {
  it('gives committed entries over all tasks, with their timestamps', async () => {
    await using driver = await TopologyTestDriver.start(countsByValue(), { partitions: 3, instances: 2 });
    const input = driver.inputTopic('orders', text, number);
    for (let i = 0; i < 9; i++) await input.pipe(`k${i}`, i % 3, { timestamp: i });
    const counts = driver.store<string, number>('counts');
    await expect(counts).toHaveState({ v0: 3, v1: 3, v2: 3 });
    expect(await counts.entry('v1')).toEqual({ key: 'v1', value: 3, timestamp: 7 });
    expect(await counts.get('v3')).toBeUndefined();
  });

  it('shows what is committed, not what an open epoch has done', async () => {
    await using driver = await TopologyTestDriver.start(sums());
    const input = driver.inputTopic('orders', text, number);
    await input.pipe('ann', 1);
    await input.append('ann', 1);
    expect(await driver.store<string, number>('sums').get('ann')).toBe(1);
    await driver.settle();
    expect(await driver.store<string, number>('sums').get('ann')).toBe(2);
  });

  it('shows windows as keys', async () => {
    const builder = new StreamsBuilder();
    const orders = builder.stream('orders', Consumed.with(text, number)).groupByKey();
    orders.windowedBy(TimeWindows.ofSizeAndGrace(100, 1_000)).count(Materialized.as('tumbling'));
    orders.windowedBy(SessionWindows.ofInactivityGapAndGrace(50, 1_000)).count(Materialized.as('sessions'));
    await using driver = await TopologyTestDriver.start(builder);
    await driver.inputTopic('orders', text, number).pipeAll([
      ['ann', 1, 10],
      ['ann', 1, 40],
      ['ann', 1, 120],
    ]);
    const tumbling = driver.store<Windowed<string>, number>('tumbling');
    expect(await tumbling.get({ key: 'ann', window: { start: 0, end: 100 } })).toBe(2);
    await expect(tumbling).toHaveState([
      [{ key: 'ann', window: { start: 0, end: 100 } }, 2],
      [{ key: 'ann', window: { start: 100, end: 200 } }, 1],
    ]);
    await expect(driver.store<Windowed<string>, number>('sessions')).toHaveState([
      [{ key: 'ann', window: { start: 10, end: 40 } }, 2],
      [{ key: 'ann', window: { start: 120, end: 120 } }, 1],
    ]);
  });

  it('shows windows and sessions that processors keep as it shows those of aggregations', async () => {
    const serdes = { keySerde: text, valueSerde: number };
    const windows = Stores.windowStore('windows', { ...serdes, retentionMs: 10_000, windowSizeMs: 100 });
    const sessions = Stores.sessionStore('sessions', { ...serdes, retentionMs: 10_000 });
    const builder = new StreamsBuilder();
    builder.stream('orders', Consumed.with(text, number)).process(
      ({ key, value, timestamp }, context) => {
        context.getStateStore(windows).put(key, value, timestamp - (timestamp % 100));
        context.getStateStore(sessions).put(key, { start: timestamp, end: timestamp + 5 }, value);
      },
      'keep',
      windows,
      sessions,
    );
    await using driver = await TopologyTestDriver.start(builder);
    await driver.inputTopic('orders', text, number).pipeAll([
      ['ann', 1, 10],
      ['ann', 2, 120],
    ]);
    const kept = driver.store<Windowed<string>, number>('windows');
    expect(await kept.get({ key: 'ann', window: { start: 100, end: 200 } })).toBe(2);
    await expect(kept).toHaveState([
      [{ key: 'ann', window: { start: 0, end: 100 } }, 1],
      [{ key: 'ann', window: { start: 100, end: 200 } }, 2],
    ]);
    await expect(driver.store<Windowed<string>, number>('sessions')).toHaveState([
      [{ key: 'ann', window: { start: 10, end: 15 } }, 1],
      [{ key: 'ann', window: { start: 120, end: 125 } }, 2],
    ]);
  });

  it('shows a changelog and a repartition topic as any topic', async () => {
    await using driver = await TopologyTestDriver.start(countsByValue(), { applicationId: 'shop' });
    await driver.inputTopic('orders', text, number).pipe(null, 7);
    expect(driver.internalTopics).toEqual(['shop-by-value-repartition', 'shop-counts-changelog']);
    expect(driver.outputTopic('shop-by-value-repartition', text, number)).toHaveEmitted([['v7', 7]]);
    expect(driver.outputTopic('shop-counts-changelog', text, Serdes.safeInteger())).toHaveEmitted([
      ['v7', 1],
    ]);
    expect(driver.producedTopics).toEqual(['counts', 'shop-by-value-repartition', 'shop-counts-changelog']);
  });
});
