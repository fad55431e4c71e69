// Every topology here is one of golden/JoinsGolden.java, call by call; Kafka Streams 4.3.1 says what must come out.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import {
  Consumed,
  Grouped,
  Joined,
  JoinWindows,
  Materialized,
  Produced,
  StreamJoined,
  StreamsBuilder,
  TableJoined,
} from '#libs/topology';
import type { GlobalKTable, KStream, KTable } from '#libs/topology';
import { Driver } from './driver.ts';
import { text } from './fixtures.ts';

type Nullable = string | null;
const consumed = Consumed.with(text, text);
const read = (builder: StreamsBuilder, topic: string): KStream<Nullable, Nullable> =>
  builder.stream<Nullable, Nullable>(topic, consumed);
const left = (builder: StreamsBuilder): KStream<Nullable, Nullable> => read(builder, 'left');
const right = (builder: StreamsBuilder): KStream<Nullable, Nullable> => read(builder, 'right');
const out = <K extends Nullable, V extends Nullable>(results: KStream<K, V>): void =>
  results
    .selectKey((key): Nullable => key)
    .mapValues((value): Nullable => value)
    .to('out', Produced.with(text, text));
const plus = (a: Nullable, b: Nullable): string => `${String(a)}+${String(b)}`;
const within = (differenceMs: number, graceMs = 0): JoinWindows =>
  JoinWindows.ofTimeDifferenceAndGrace(differenceMs, graceMs);
const joined = StreamJoined.with(text, text, text, { storeName: 's', name: 'j' });
const table = (b: StreamsBuilder): KTable<string, string> =>
  b.table('table', consumed, Materialized.as('t1'));
const other = (b: StreamsBuilder): KTable<string, string> =>
  b.table('other', consumed, Materialized.as('t2'));
const global = (b: StreamsBuilder): GlobalKTable<string, string> =>
  b.globalTable('table', consumed, Materialized.as('g1'));
const FOREIGN_KEYS = new Map<string, Nullable>([
  ['v0', null],
  ['v1', 'a'],
  ['v2', 'a'],
  ['v3', 'b'],
]);
const foreignKey = (value: string): Nullable => (FOREIGN_KEYS.has(value) ? FOREIGN_KEYS.get(value)! : 'c');
const fk = TableJoined.as('fk');
const kept = (name: string): Materialized<string, string> =>
  Materialized.as(name, { keySerde: text, valueSerde: text });
const keptVersions = (name: string): Materialized<string, string> =>
  Materialized.as(name, { keySerde: text, valueSerde: text, versioned: { historyRetentionMs: 40 } });
const versioned = (b: StreamsBuilder): KTable<string, string> =>
  b.table(
    'table',
    consumed,
    Materialized.as('v', { keySerde: text, valueSerde: text, versioned: { historyRetentionMs: 60 } }),
  );
const notV1 = (a: Nullable, b: Nullable): Nullable => (a === 'v1' ? null : `${String(a)}+${String(b)}`);
const keyOf = (value: Nullable): Nullable => (value === null || value === 'v1' ? null : 'a');

const TOPOLOGIES: Readonly<Record<string, (builder: StreamsBuilder) => void>> = {
  'stream join': (b) => out(left(b).join(right(b), plus, within(30), joined)),
  'stream join with grace': (b) => out(left(b).join(right(b), plus, within(20, 40), joined)),
  'stream join before 0': (b) => out(left(b).join(right(b), plus, within(30).before(0), joined)),
  'stream join after -5': (b) => out(left(b).join(right(b), plus, within(60, 5).after(-5), joined)),
  'stream join within 0': (b) => out(left(b).join(right(b), plus, within(0), joined)),
  'stream leftJoin': (b) => out(left(b).leftJoin(right(b), plus, within(30), joined)),
  'stream leftJoin with grace': (b) => out(left(b).leftJoin(right(b), plus, within(10, 15), joined)),
  'stream leftJoin before 0': (b) => out(left(b).leftJoin(right(b), plus, within(30).before(0), joined)),
  'stream leftJoin after 0': (b) => out(left(b).leftJoin(right(b), plus, within(30).after(0), joined)),
  'stream outerJoin': (b) => out(left(b).outerJoin(right(b), plus, within(20), joined)),
  'stream outerJoin with grace': (b) => out(left(b).outerJoin(right(b), plus, within(5, 20), joined)),
  'stream outerJoin before 40 after 5': (b) =>
    out(left(b).outerJoin(right(b), plus, within(5).before(40), joined)),
  'stream outerJoin before 5 after 40': (b) =>
    out(left(b).outerJoin(right(b), plus, within(5, 3).after(40), joined)),
  'stream self join': (b) => {
    const stream = left(b);
    out(stream.join(stream, plus, within(20), joined));
  },
  'stream self outerJoin': (b) => {
    const stream = left(b);
    out(
      stream.outerJoin(
        stream.filter((_k, v) => v !== null && v > 'v2'),
        plus,
        within(20),
        joined,
      ),
    );
  },
  'stream join after selectKey': (b) =>
    out(
      left(b)
        .selectKey((_k, v): Nullable => (v === null ? null : v === 'v1' ? 'a' : 'b'))
        .join(
          right(b).selectKey((_k, v) => keyOf(v)),
          plus,
          within(30),
          joined,
        ),
    ),
  'stream leftJoin after selectKey': (b) =>
    out(
      left(b)
        .selectKey((_k, v) => keyOf(v))
        .leftJoin(
          right(b).selectKey((_k, v) => keyOf(v)),
          plus,
          within(30),
          joined,
        ),
    ),
  'stream join to null': (b) =>
    out(left(b).outerJoin(right(b), (x, y) => (x === null || y === null ? null : x + y), within(20), joined)),
  'stream joins in a row': (b) =>
    out(
      left(b)
        .leftJoin(right(b), plus, within(30), joined)
        .join(
          read(b, 'third'),
          plus,
          within(50),
          StreamJoined.with(text, text, text, { storeName: 't', name: 'k' }),
        ),
    ),
  'table join': (b) => out(table(b).join(other(b), plus).toStream()),
  'table leftJoin': (b) => out(table(b).leftJoin(other(b), plus).toStream()),
  'table outerJoin': (b) => out(table(b).outerJoin(other(b), plus).toStream()),
  'table join to null': (b) => out(table(b).join(other(b), notV1).toStream()),
  'table join materialized': (b) => out(table(b).join(other(b), notV1, kept('m')).toStream()),
  'table leftJoin materialized filter': (b) =>
    out(
      table(b)
        .leftJoin(other(b), plus, kept('m'))
        .filter((_k, v) => v > 'v2')
        .toStream(),
    ),
  'table outerJoin materialized filter': (b) =>
    out(
      table(b)
        .outerJoin(other(b), notV1, kept('m'))
        .filter((_k, v) => v > 'v2')
        .toStream(),
    ),
  'table join filter': (b) =>
    out(
      table(b)
        .join(other(b), plus)
        .filter((_k, v) => v > 'v2')
        .toStream(),
    ),
  'table leftJoin filter mapValues': (b) =>
    out(
      table(b)
        .leftJoin(other(b), notV1)
        .filter((_k, v) => v > 'v2')
        .mapValues((v) => `m${v}`)
        .toStream(),
    ),
  'table outerJoin filter': (b) =>
    out(
      table(b)
        .outerJoin(other(b), plus)
        .filter((_k, v) => v.endsWith('v2'))
        .toStream(),
    ),
  'filtered table leftJoin mapped table': (b) =>
    out(
      table(b)
        .filter((_k, v) => v > 'v1')
        .leftJoin(
          other(b).mapValues((v) => (v === 'v0' ? null : `m${v}`)),
          plus,
        )
        .toStream(),
    ),
  'table self join': (b) => {
    const t = table(b);
    out(t.join(t, plus).toStream());
  },
  'table joins in a row': (b) =>
    out(
      table(b)
        .leftJoin(other(b), plus)
        .outerJoin(b.table('right', consumed, Materialized.as('t3')), plus)
        .toStream(),
    ),
  'table join of joins': (b) => {
    const t = table(b);
    const o = other(b);
    out(
      t
        .outerJoin(o, plus)
        .join(t.join(o, notV1), (x, y) => `${x}/${y}`)
        .toStream(),
    );
  },
  'stream join with joined tables': (b) =>
    out(left(b).leftJoin(table(b).outerJoin(other(b), notV1), plus, Joined.as('j'))),
  'global join': (b) =>
    out(left(b).join(global(b), (k, v) => (v === 'v1' ? null : k === null || k === 'b' ? 'a' : k), plus)),
  'global leftJoin': (b) => out(left(b).leftJoin(global(b), (k, v) => (v === 'v1' ? null : k), notV1)),
  'global join after selectKey': (b) =>
    out(
      left(b)
        .selectKey((_k, v) => v)
        .join(global(b), () => 'c', plus, 'g'),
    ),
  'foreign key join': (b) => out(table(b).join(other(b), foreignKey, plus, fk).toStream()),
  'foreign key leftJoin': (b) => out(table(b).leftJoin(other(b), foreignKey, plus, fk).toStream()),
  'foreign key join materialized filter': (b) =>
    out(
      table(b)
        .join(other(b), foreignKey, notV1, fk, kept('m'))
        .filter((_k, v) => v.endsWith('2'))
        .toStream(),
    ),
  'foreign key leftJoin materialized grouped': (b) =>
    out(
      table(b)
        .leftJoin(other(b), foreignKey, plus, fk, kept('m'))
        .groupBy((_k, v) => [v.slice(0, 2), v] as const, Grouped.with(text, text, { name: 'g' }))
        .count(Materialized.as('c'))
        .mapValues(String)
        .toStream(),
    ),
  'foreign key leftJoin with views': (b) =>
    out(
      table(b)
        .filter((_k, v) => v !== 'v3')
        .leftJoin(
          other(b).mapValues((v) => (v === 'v0' ? null : v + v), kept('o')),
          foreignKey,
          plus,
          fk,
        )
        .toStream(),
    ),
  'foreign key self join': (b) => {
    const t = table(b);
    out(t.join(t, foreignKey, plus, fk).toStream());
  },
  'versioned table': (b) => out(versioned(b).toStream()),
  'versioned table filter mapValues': (b) =>
    out(
      versioned(b)
        .filter((_k, v) => v > 'v2')
        .mapValues((v) => `m${v}`)
        .toStream(),
    ),
  'versioned table filter materialized': (b) =>
    out(
      versioned(b)
        .filter((_k, v) => v > 'v2', kept('f'))
        .toStream(),
    ),
  'versioned table filter versioned': (b) =>
    out(
      left(b).join(
        versioned(b).filter((_k, v) => v > 'v2', keptVersions('f')),
        plus,
      ),
    ),
  'versioned table grouped': (b) =>
    out(
      versioned(b)
        .mapValues((v) => v + v)
        .groupBy((_k, v) => [v, v] as const, Grouped.with(text, text, { name: 'g' }))
        .count(Materialized.as('c'))
        .mapValues(String)
        .toStream(),
    ),
  'stream join versioned': (b) => out(left(b).join(versioned(b), plus)),
  'stream leftJoin versioned views': (b) =>
    out(
      left(b).leftJoin(
        versioned(b)
          .filter((_k, v) => v > 'v1')
          .mapValues((v) => `m${v}`),
        plus,
      ),
    ),
  'stream leftJoin toTable versioned': (b) =>
    out(left(b).leftJoin(right(b).toTable(keptVersions('tt')), plus)),
  'table join versioned': (b) => out(versioned(b).outerJoin(other(b), plus).toStream()),
  'table leftJoin versioned mapped materialized': (b) =>
    out(
      other(b)
        .leftJoin(
          versioned(b).mapValues((v) => `m${v}`),
          plus,
          keptVersions('m'),
        )
        .toStream(),
    ),
  'foreign key join versioned': (b) => out(versioned(b).leftJoin(other(b), foreignKey, plus, fk).toStream()),
  'foreign key join with versioned': (b) =>
    out(other(b).join(versioned(b), foreignKey, plus, fk, keptVersions('r')).toStream()),
  'stream join versioned with grace': (b) =>
    out(left(b).join(versioned(b), plus, Joined.with(text, text, { name: 'j', gracePeriodMs: 30 }))),
  'stream leftJoin versioned with grace 0': (b) =>
    out(
      left(b)
        .filter((k) => k !== null)
        .leftJoin(versioned(b), plus, Joined.with(text, text, { name: 'j', gracePeriodMs: 0 })),
    ),
  'stream join versioned aggregate': (b) =>
    out(
      left(b).leftJoin(
        right(b)
          .groupByKey()
          .aggregate(
            () => '',
            (_k, v, x) => (v === 'v0' ? null : x + v.charAt(1)),
            keptVersions('s'),
          ),
        plus,
      ),
    ),
  'versioned reduce': (b) =>
    out(
      right(b)
        .groupByKey()
        .reduce((x, y) => (y === 'v1' ? (null as never) : x + y.charAt(1)), keptVersions('s'))
        .toStream(),
    ),
  'versioned table count': (b) =>
    out(
      left(b).join(
        table(b)
          .groupBy(
            (_k, v): [string, string] => [v > 'v2' ? 'a' : 'b', v],
            Grouped.with(text, text, { name: 'g' }),
          )
          .reduce(
            (x, y) => x + y,
            (x, y) => x.replaceAll(y, ''),
            keptVersions('s'),
          ),
        plus,
      ),
    ),
  'table join grouped': (b) =>
    out(
      table(b)
        .join(other(b), notV1)
        .groupBy((_k, v) => [v.slice(0, 2), v] as const, Grouped.with(text, text, { name: 'g' }))
        .count(Materialized.as('c'))
        .mapValues(String)
        .toStream(),
    ),
};

type Golden = readonly [title: string, inputs: string, outputs: string];
const golden = readFileSync(join(import.meta.dirname, 'golden/kafka-streams-joins.txt'), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => line.split('\t') as unknown as Golden);

describe('joins', () => {
  it('are known for every topology', () => {
    expect([...new Set(golden.map(([title]) => title))]).toEqual(Object.keys(TOPOLOGIES));
  });

  it.each(Object.keys(TOPOLOGIES))('give for "%s" what Kafka Streams gives', (title) => {
    const runs = golden.filter(([name]) => name === title);
    expect(runs.length).toBeGreaterThan(0);
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
