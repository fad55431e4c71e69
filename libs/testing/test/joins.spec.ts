// Specifies that joins keep all they know in stores: restarted before every record, with nothing in memory, they give what an undisturbed
// run gives, record by record.
import { describe, expect, it } from '@jest/globals';
import { Serdes } from '#libs/serde';
import {
  Consumed,
  Joined,
  JoinWindows,
  Materialized,
  Produced,
  StreamJoined,
  StreamsBuilder,
  TableJoined,
  WatermarkStrategy,
} from '#libs/topology';
import type { KStream, KTable } from '#libs/topology';
import { TopologyTestDriver } from '../src/index.ts';
import type { TopologyTestDriverOptions } from '../src/index.ts';

type Nullable = string | null;
const text = Serdes.string();
const consumed = Consumed.with(text, text);
const plus = (a: Nullable, b: Nullable): string => `${String(a)}+${String(b)}`;
const stream = (b: StreamsBuilder, topic: string): KStream<string, string> =>
  b.stream<string, string>(topic, consumed);
const table = (b: StreamsBuilder, topic: string): KTable<string, string> =>
  b.table(topic, consumed, Materialized.as(`${topic}-rows`));
const versioned = (b: StreamsBuilder, topic: string): KTable<string, string> =>
  b.table(topic, consumed, { name: `${topic}-versions`, versioned: { historyRetentionMs: 60 } });
const kept = Materialized.as('kept', { keySerde: text, valueSerde: text });
const windows = JoinWindows.ofTimeDifferenceAndGrace(15, 5);
const joined = StreamJoined.with(text, text, text, { storeName: 'j' });
const foreignKey = (value: string): Nullable => (value === 'v0' ? null : value < 'v3' ? 'a' : 'b');

const JOINS: Readonly<
  Record<string, (b: StreamsBuilder) => KStream<string, string> | KStream<string, Nullable>>
> = {
  'stream join': (b) => stream(b, 'left').join(stream(b, 'right'), plus, windows, joined),
  'stream outerJoin': (b) => stream(b, 'left').outerJoin(stream(b, 'right'), plus, windows, joined),
  'table outerJoin': (b) => table(b, 'left').outerJoin(table(b, 'right'), plus, kept).toStream(),
  'foreign-key leftJoin': (b) =>
    table(b, 'left')
      .leftJoin(table(b, 'right'), foreignKey, plus, TableJoined.as('fk'), kept)
      .filter((_key, value) => value !== 'v4+v4')
      .toStream(),
  'join as of a time': (b) => stream(b, 'left').leftJoin(versioned(b, 'right'), plus),
  'join with a grace period': (b) =>
    stream(b, 'left').join(
      versioned(b, 'right'),
      plus,
      Joined.with(text, text, { name: 'late', gracePeriodMs: 25 }),
    ),
};

/** A linear congruential sequence: the same inputs in every run. */
function inputs(): { topic: string; key: string; value: string; timestamp: number }[] {
  let state = 7;
  const below = (limit: number): number => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * limit);
  };
  return Array.from({ length: 36 }, (_, i) => ({
    topic: below(2) === 0 ? 'left' : 'right',
    key: 'abc'[below(3)]!,
    value: `v${below(5)}`,
    timestamp: Math.max(0, i * 5 + below(50) - 25),
  }));
}

async function run(
  name: string,
  options: TopologyTestDriverOptions,
  disturb: (driver: TopologyTestDriver) => Promise<void>,
): Promise<readonly unknown[]> {
  const builder = new StreamsBuilder();
  JOINS[name]!(builder).to('out', Produced.with(text, text));
  await using driver = await TopologyTestDriver.start(builder, options);
  for (const { topic, key, value, timestamp } of inputs()) {
    await disturb(driver);
    await driver.inputTopic(topic, text, text).pipe(key, value, { timestamp });
  }
  return driver
    .outputTopic('out', text, text)
    .readAll()
    .map(({ key, value, timestamp }) => [key, value, timestamp]);
}

describe('joins', () => {
  it.each(Object.keys(JOINS))('lose nothing of a "%s" to crashes', async (name) => {
    const expected = await run(name, {}, () => Promise.resolve());
    expect(expected.length).toBeGreaterThan(10);
    const disturbed = await run(name, { config: { cacheBytesMax: 1 } }, async (driver) => {
      await driver.crash();
      await driver.restart();
    });
    expect(disturbed).toEqual(expected);
  });

  it('close their windows by the watermark, where sources have one', async () => {
    const builder = new StreamsBuilder();
    const late = { ...consumed, watermarks: WatermarkStrategy.boundedOutOfOrderness(20) };
    const read = (topic: string): KStream<string, string> => builder.stream<string, string>(topic, late);
    read('left')
      .outerJoin(read('right'), plus, JoinWindows.ofTimeDifferenceWithNoGrace(10), joined)
      .to('out', Produced.with(text, text));
    await using driver = await TopologyTestDriver.start(builder);
    const out = driver.outputTopic('out', text, text);
    const pipe = async (topic: string, key: string, timestamp: number): Promise<string[]> => {
      await driver.inputTopic(topic, text, text).pipe(key, topic, { timestamp });
      return out.readAll().map(({ value, timestamp: time }) => `${String(value)}@${time}`);
    };
    expect(await pipe('left', 'k', 1_000)).toEqual([]);
    expect(await pipe('right', 'l', 1_005)).toEqual([]);
    expect(await pipe('left', 'm', 1_031)).toEqual([]);
    expect(await pipe('right', 'k', 1_009)).toEqual(['left+right@1009']);
    // The watermark is that of the slower input.
    expect(await pipe('right', 'n', 1_036)).toEqual([]);
    expect(await pipe('left', 'n', 1_040)).toEqual(['left+right@1040', 'null+right@1005']);
  });

  it('find their way by a foreign key, however the two topics are partitioned', async () => {
    const results = async (
      left: number,
      right: number,
      instances: number,
    ): Promise<Map<string, Nullable>> => {
      const builder = new StreamsBuilder();
      JOINS['foreign-key leftJoin']!(builder).to('out', Produced.with(text, text));
      const partitions = { left, right, out: 1 };
      await using driver = await TopologyTestDriver.start(builder, { partitions, instances });
      const keyed = (topic: string, key: string): string => (topic === 'left' ? `${key}${key}` : key);
      for (const [index, { topic, key, value, timestamp }] of inputs().entries()) {
        const given = index % 7 === 6 ? null : value;
        await driver.inputTopic(topic, text, text).pipe(keyed(topic, key), given, { timestamp });
      }
      const newest = new Map<string, Nullable>();
      for (const { key, value } of driver.outputTopic('out', text, text).readAll()) newest.set(key!, value);
      return new Map([...newest].sort());
    };
    const expected = await results(1, 1, 1);
    expect(expected.size).toBe(3);
    for (const [left, right, instances] of [
      [4, 3, 1],
      [2, 5, 2],
    ] as const) {
      expect(await results(left, right, instances)).toEqual(expected);
    }
  });
});
