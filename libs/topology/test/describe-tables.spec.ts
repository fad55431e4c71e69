// Every topology here is one of golden/TablesDescribeGolden.java, call by call; Kafka Streams 4.3.1 says how it is described.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import {
  Consumed,
  Grouped,
  Materialized,
  OutputTag,
  Produced,
  Stores,
  StreamsBuilder,
  TimeWindows,
} from '#libs/topology';
import type { KStream, KTable } from '#libs/topology';
import { integer, text } from './fixtures.ts';

const consumed = Consumed.with(text, text);
const produced = Produced.with(text, text);
const stream = (b: StreamsBuilder, topic: string): KStream<string, string> =>
  b.stream<string, string>(topic, consumed);
const table = (b: StreamsBuilder): KTable<string, string> => b.table('in', consumed, Materialized.as('rows'));
const kept = (name: string): Materialized<string, string> =>
  Materialized.as(name, { keySerde: text, valueSerde: text });
const kv = Stores.keyValueStore('kv', { keySerde: text, valueSerde: text });
const shared = Stores.keyValueStore('shared', { keySerde: text, valueSerde: text });

const TOPOLOGIES: Readonly<Record<string, (b: StreamsBuilder) => void>> = {
  toTable(b) {
    stream(b, 'a').toTable(kept('t')).toStream().to('out', produced);
    stream(b, 'b')
      .selectKey((_k, v) => v)
      .toTable(kept('u'), 'u')
      .toStream((_k, v) => v)
      .to('out2', produced);
  },
  'table groupBy'(b) {
    const t = table(b);
    const g = t.groupBy((k, v): [string, string] => [v, k], Grouped.with(text, text, { name: 'g' }));
    g.count(Materialized.as('counts')).toStream().to('out', Produced.with(text, integer));
    g.reduce(
      (x) => x,
      (x) => x,
      kept('reduced'),
      'named',
    )
      .toStream()
      .to('out2', produced);
    t.groupBy((k, v): [string, string] => [v, k], Grouped.with(text, text))
      .aggregate(
        () => '',
        (_k, _v, x) => x,
        (_k, _v, x) => x,
        kept('aggregated'),
      )
      .toStream()
      .to('out3', produced);
  },
  cogroup: (b) =>
    stream(b, 'a')
      .groupByKey()
      .cogroup<string>((_k, _v, x) => x)
      .cogroup(
        stream(b, 'b').groupBy((_k, v) => v, Grouped.with(text, text, { name: 'g' })),
        (_k, _v, x) => x,
      )
      .aggregate(() => '', kept('c'))
      .toStream()
      .to('out', produced),
  'cogroup named': (b) =>
    stream(b, 'a')
      .groupByKey()
      .cogroup<string>((_k, _v, x) => x)
      .cogroup(stream(b, 'b').groupByKey(), (_k, _v, x) => x)
      .aggregate(() => '', kept('c'), 'both')
      .toStream()
      .to('out', produced),
  'cogroup in windows': (b) =>
    stream(b, 'a')
      .groupByKey()
      .cogroup<string>((_k, _v, x) => x)
      .windowedBy(TimeWindows.ofSizeWithNoGrace(60_000))
      .aggregate(() => '', kept('c'))
      .toStream()
      .foreach(() => undefined),
  transformValues: (b) =>
    table(b)
      .transformValues((_k, v: string | null) => v, kept('t'))
      .toStream()
      .to('out', produced),
  process(b) {
    b.addStateStore(kv).addStateStore(shared);
    stream(b, 'a')
      .process((_record) => undefined, 'first', 'kv', 'shared')
      .groupByKey(Grouped.with(text, text, { name: 'g' }))
      .count(Materialized.as('counts'));
    stream(b, 'b')
      .processValues((_record) => undefined, undefined, 'shared')
      .groupByKey(Grouped.with(text, text))
      .count(Materialized.as('counts-too'));
  },
};

const golden = readFileSync(join(import.meta.dirname, 'golden/kafka-streams-describe-tables.txt'), 'utf8');
const texts = new Map(
  [...golden.matchAll(/^=== (.*)\n([\s\S]*?)=== end$/gm)].map((match): [string, string] => [
    match[1]!,
    match[2]!,
  ]),
);

/** Kafka Streams gives the stores of a node in the order of a hash table. */
const withSortedStores = (described: string | undefined): string | undefined =>
  described?.replaceAll(/(?<=stores: \[)[^\]]+/g, (list) => list.split(', ').sort().join(', '));

describe('describe() of tables and processors', () => {
  it('is known for every topology', () => {
    expect([...texts.keys()]).toEqual(Object.keys(TOPOLOGIES));
  });

  it.each(Object.keys(TOPOLOGIES))('says of "%s" what Kafka Streams says', (title) => {
    const builder = new StreamsBuilder();
    TOPOLOGIES[title]!(builder);
    expect(withSortedStores(builder.build().describe())).toBe(withSortedStores(texts.get(title)));
  });
});

describe('the chart of a topology', () => {
  it('shows what goes aside', () => {
    const builder = new StreamsBuilder();
    const processed = stream(builder, 'in').process((_record) => undefined, 'check', kv);
    processed.sideOutput(OutputTag.of('too "late"', text)).to('late', produced);
    const chart = builder.build().describeAsMermaid();
    expect(chart).toContain(`-. "too 'late'" .->`);
    expect(chart).toContain('[("kv")]');
  });
});
