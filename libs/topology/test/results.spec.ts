// Every topology here is one of golden/ResultsGolden.java, call by call; Kafka Streams 4.3.1 says what must come out.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Consumed, Grouped, Joined, Materialized, Produced, StreamsBuilder } from '#libs/topology';
import type { KStream, KTable } from '#libs/topology';
import { Driver } from './driver.ts';
import { integer, text } from './fixtures.ts';

type Nullable = string | null;
const consumed = Consumed.with(text, text);
const stream = (builder: StreamsBuilder): KStream<Nullable, Nullable> =>
  builder.stream<Nullable, Nullable>('in', consumed);
const rows = (builder: StreamsBuilder): KTable<string, string> =>
  builder.table('table', consumed, Materialized.as('rows'));
const out = <K extends Nullable, V>(results: KStream<K, V>): void =>
  results
    .selectKey((key): Nullable => key)
    .mapValues((value) => (value === null ? null : String(value)))
    .to('out', Produced.with(text, text));
const asText = { name: 's', valueSerde: text };

const TOPOLOGIES: Readonly<Record<string, (builder: StreamsBuilder) => void>> = {
  count: (b) => out(stream(b).groupByKey().count(Materialized.as('s')).toStream()),
  reduce: (b) =>
    out(
      stream(b)
        .groupByKey()
        .reduce((x, y) => x + y.charAt(1), Materialized.as('s'))
        .toStream(),
    ),
  'reduce to null': (b) =>
    out(
      stream(b)
        .groupByKey()
        .reduce((_x, y) => (y === 'v0' ? (null as never) : y), Materialized.as('s'))
        .toStream(),
    ),
  aggregate: (b) =>
    out(
      stream(b)
        .groupByKey()
        .aggregate(
          () => '',
          (_k, v, x) => (v === 'v0' ? null : x + v.charAt(1)),
          asText,
        )
        .toStream(),
    ),
  groupBy: (b) =>
    out(
      stream(b)
        .groupBy((_k, v) => (v === null || v === 'v1' ? null : v), Grouped.with(text, text, { name: 'g' }))
        .count(Materialized.as('s'))
        .toStream(),
    ),
  'groupByKey after selectKey': (b) =>
    out(
      stream(b)
        .selectKey((_k, v) => v)
        .groupByKey(Grouped.with(text, text, { name: 'g' }))
        .reduce((_x, y) => y, Materialized.as('s'))
        .toStream(),
    ),
  'aggregate of an aggregate': (b) =>
    out(
      stream(b)
        .groupByKey()
        .count(Materialized.as('s'))
        .toStream()
        .selectKey((_k, v) => `n${v % 3}`)
        .groupByKey(Grouped.with(text, integer, { name: 'g' }))
        .count(Materialized.as('t'))
        .toStream(),
    ),
  table: (b) => out(rows(b).toStream()),
  'table filter': (b) =>
    out(
      rows(b)
        .filter((_k, v) => v > 'v2')
        .toStream(),
    ),
  'table filterNot materialized': (b) =>
    out(
      rows(b)
        .filterNot((_k, v) => v > 'v2', Materialized.as('f'))
        .toStream(),
    ),
  'table mapValues': (b) =>
    out(
      rows(b)
        .mapValues((v) => (v === 'v0' ? null : `m${v}`))
        .toStream(),
    ),
  'table mapValues materialized': (b) =>
    out(
      rows(b)
        .mapValues((v) => (v === 'v0' ? null : `m${v}`), asText)
        .toStream(),
    ),
  'table mapValues filter': (b) =>
    out(
      rows(b)
        .mapValues((v) => (v === 'v0' ? null : `m${v}`))
        .filter((_k, v) => v > 'mv2')
        .toStream(),
    ),
  'aggregate filter mapValues': (b) =>
    out(
      stream(b)
        .groupByKey()
        .count(Materialized.as('s'))
        .filter((_k, v) => v % 2 === 0)
        .mapValues((v) => v * 10)
        .toStream(),
    ),
  join: (b) => out(stream(b).join(rows(b), (v, r) => `${v}+${r}`)),
  'join to null': (b) => out(stream(b).join(rows(b), (v, r) => (v === 'v0' ? null : `${v}+${r}`))),
  leftJoin: (b) => out(stream(b).leftJoin(rows(b), (v, r) => `${v}+${String(r)}`)),
  'join after selectKey': (b) =>
    out(
      stream(b)
        .selectKey((_k, v): Nullable => (v === null ? null : v === 'v1' ? 'a' : 'b'))
        .join(rows(b), (v, r) => `${v}+${r}`, Joined.with(text, text, { name: 'j' })),
    ),
  'leftJoin after map': (b) =>
    out(
      stream(b)
        .map((_k, v): [Nullable, Nullable] => [v === null || v === 'v1' ? null : 'a', v])
        .leftJoin(rows(b), (v, r) => `${v}+${String(r)}`, Joined.with(text, text, { name: 'j' })),
    ),
  'leftJoin with a filtered table': (b) =>
    out(
      stream(b).leftJoin(
        rows(b)
          .filter((_k, v) => v > 'v2')
          .mapValues((v) => `m${v}`),
        (v, r) => `${v}+${String(r)}`,
      ),
    ),
  'join with an aggregate': (b) => {
    const s = stream(b);
    out(s.join(s.groupByKey().count(Materialized.as('s')), (v, n) => `${v}+${n}`));
  },
  'aggregate before its join': (b) => {
    const s = stream(b);
    const table = s.groupByKey().reduce((_x, y) => y, Materialized.as('s'));
    const joined = s.filter((_k, v) => v !== null).leftJoin(table, (v, r) => `${v}+${String(r)}`);
    out(joined.merge(table.toStream()));
  },
  stateless: (b) =>
    out(
      stream(b)
        .filter((_k, v): v is string => v !== null)
        .flatMapValues((v) => (v === 'v1' ? [] : [v, `${v}!`]))
        .map((k, v): [Nullable, Nullable] => [v, k])
        .flatMap((k, v): [Nullable, Nullable][] => [
          [v, k],
          [k, v],
        ])
        .filterNot((k) => k !== null && k.endsWith('!')),
    ),
  'split and merge': (b) => {
    const { none, one, rest } = stream(b)
      .split('x-')
      .branch('none', (_k, v) => v === null)
      .branch('one', (_k, v) => v === 'v1')
      .defaultBranch('rest');
    out(
      rest
        .mapValues((v) => `rest ${String(v)}`)
        .merge(none)
        .merge(one.mapValues(() => 'one')),
    );
  },
  repartition: (b) =>
    out(stream(b).repartition({ name: 'again' }).groupByKey().count(Materialized.as('s')).toStream()),
};

type Golden = readonly [title: string, inputs: string, outputs: string];
const golden = readFileSync(join(import.meta.dirname, 'golden/kafka-streams-results.txt'), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => line.split('\t') as unknown as Golden);

describe('results', () => {
  it('are known for every topology', () => {
    expect([...new Set(golden.map(([title]) => title))]).toEqual(Object.keys(TOPOLOGIES));
  });

  it.each(Object.keys(TOPOLOGIES))('of "%s" are those of Kafka Streams', (title) => {
    const runs = golden.filter(([name]) => name === title);
    expect(runs).toHaveLength(12);
    for (const [, inputs, outputs] of runs) {
      const builder = new StreamsBuilder();
      TOPOLOGIES[title]!(builder);
      const driver = new Driver(builder.build());
      for (const [topic, key, value, timestamp] of JSON.parse(inputs) as [
        string,
        Nullable,
        Nullable,
        number,
      ][]) {
        driver.pipe(topic, key, value, timestamp);
      }
      const results = driver.outputs('out').map(({ key, value, timestamp }) => [key, value, timestamp]);
      expect(results).toEqual(JSON.parse(outputs));
    }
  });
});
