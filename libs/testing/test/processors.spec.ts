// Specifies that tables, cogroups and processors do not show what becomes of the application: killed before any record, or in the
// middle of an epoch, it gives record by record what an undisturbed run gives.
import { describe, expect, it } from '@jest/globals';
import {
  Consumed,
  Grouped,
  Materialized,
  Optimization,
  Produced,
  Stores,
  StreamsBuilder,
} from '#libs/topology';
import type { KStream, Processor, ProcessorContext, ProcessorRecord } from '#libs/topology';
import { TopologyTestDriver } from '../src/index.ts';
import { number, text } from './topologies.ts';

interface Scenario {
  readonly name: string;
  readonly draw: (builder: StreamsBuilder) => void;
}

const orders = (builder: StreamsBuilder): KStream<string, number> =>
  builder.stream('orders', Consumed.with(text, number));
const out = Produced.with(text, text);

const newest = Stores.keyValueStore('newest', { keySerde: text, valueSerde: number });
const recent = Stores.windowStore('recent', {
  keySerde: text,
  valueSerde: number,
  windowSizeMs: 1,
  retentionMs: 6,
  retainDuplicates: true,
});
const versions = Stores.versionedKeyValueStore('versions', {
  keySerde: text,
  valueSerde: number,
  historyRetentionMs: 5,
});

/** Tells what its stores know with each record, and all keys with each punctuation. */
class Telling implements Processor<string, number, string, string> {
  #context!: ProcessorContext<string, string>;

  init(context: ProcessorContext<string, string>): void {
    this.#context = context;
    context.schedule(5, 'stream-time', (now) => {
      const all = context.getStateStore(newest).all();
      context.forward({ key: 'all', value: all.map((entry) => entry.join()).join(' '), timestamp: now });
    });
  }

  process({ key, value, timestamp }: ProcessorRecord<string, number>): void {
    const context = this.#context;
    const before = context.getStateStore(newest).get(key);
    context.getStateStore(newest).put(key, value);
    const windows = context.getStateStore(recent);
    windows.put(key, value, timestamp);
    const history = context.getStateStore(versions);
    const taken = history.put(key, value % 5 === 0 ? null : value, timestamp);
    const around = windows.fetch(key, timestamp - 4, timestamp + 4).map(([, row]) => row);
    const asOf = history.get(key, timestamp - 3)?.value;
    context.forward({
      key,
      value: `${String(before)} ${around.join()} ${String(taken)} ${String(asOf)}`,
    });
  }
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'a table grouped by another key',
    draw: (builder) =>
      orders(builder)
        .toTable(Materialized.as('rows'))
        .groupBy((_key, value) => [`d${value % 3}`, value], Grouped.with(text, number, { name: 'by-digit' }))
        .reduce(
          (sum, value) => sum + value,
          (sum, value) => sum - value,
          Materialized.as('sums'),
        )
        .toStream()
        .mapValues(String)
        .to('results', out),
  },
  {
    name: 'a table that is restored from its topic',
    draw: (builder) =>
      builder
        .table('orders', Consumed.with(text, number), Materialized.as('rows'))
        .groupBy((_key, value) => [`d${value % 3}`, value], Grouped.with(text, number))
        .count(Materialized.as('counts'))
        .toStream()
        .mapValues(String)
        .to('results', out),
  },
  {
    name: 'a cogroup and aggregations over one repartition topic',
    draw: (builder) => {
      const stream = orders(builder).selectKey((_key, value) => `d${value % 3}`);
      const grouped = { keySerde: text };
      stream
        .groupByKey(grouped)
        .cogroup<string>((_key, value, aggregate) => `${aggregate}+${value}`)
        .cogroup(
          stream.filter((_key, value) => value > 5).groupByKey(Grouped.with(text, number, { name: 'large' })),
          (_key, value, aggregate) => `${aggregate}*${value}`,
        )
        .aggregate(() => '', Materialized.as('folded', { valueSerde: text }))
        .toStream()
        .to('results', out);
      stream
        .groupByKey(grouped)
        .count(Materialized.as('counts'))
        .toStream()
        .mapValues(String)
        .to('results', out);
    },
  },
  {
    name: 'a processor with stores and punctuations',
    draw: (builder) =>
      orders(builder).process(Telling, 'telling', newest, recent, versions).to('results', out),
  },
];

const inputs = Array.from({ length: 20 }, (_, i) => ({
  key: `k${(i * 7) % 4}`,
  value: (i * 5) % 11,
  timestamp: 1_000 + i + ((i * 13) % 7) - 3,
}));

type Disturb = (driver: TopologyTestDriver) => Promise<void>;

async function resultsOf({ draw }: Scenario, disturb?: Disturb): Promise<readonly unknown[]> {
  const builder = new StreamsBuilder({ optimize: Object.values(Optimization) });
  draw(builder);
  await using driver = await TopologyTestDriver.start(builder);
  const input = driver.inputTopic('orders', text, number);
  for (const { key, value, timestamp } of inputs) {
    await input.append(key, value, { timestamp });
    await disturb?.(driver);
    await driver.settle();
  }
  return driver
    .outputTopic('results', text, text)
    .readAll()
    .map(({ key, value, timestamp }) => [key, value, timestamp]);
}

async function restart(driver: TopologyTestDriver): Promise<void> {
  await driver.crash();
  await driver.restart();
}

describe.each(SCENARIOS)('$name', (scenario) => {
  it('gives the same when the application is killed before each record', async () => {
    const expected = await resultsOf(scenario);
    expect(expected.length).toBeGreaterThan(inputs.length / 2);
    expect(await resultsOf(scenario, restart)).toEqual(expected);
  });

  it('gives the same when it is killed in the middle of epochs', async () => {
    const expected = await resultsOf(scenario);
    for (const events of [4, 11, 23]) {
      const disturbed = await resultsOf(scenario, async (driver) => {
        await driver.step(events);
        await restart(driver);
      });
      expect(disturbed).toEqual(expected);
    }
  });
});
