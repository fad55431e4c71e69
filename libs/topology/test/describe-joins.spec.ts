// Every topology here is one of golden/JoinsDescribeGolden.java, call by call; Kafka Streams 4.3.1 says how it is described.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import {
  Consumed,
  Joined,
  JoinWindows,
  Materialized,
  Produced,
  StreamJoined,
  StreamsBuilder,
  TableJoined,
} from '#libs/topology';
import type { KStream, KTable } from '#libs/topology';
import { text } from './fixtures.ts';

const consumed = Consumed.with(text, text);
const produced = Produced.with(text, text);
const stream = (b: StreamsBuilder, topic: string): KStream<string, string> =>
  b.stream<string, string>(topic, consumed);
const table = (b: StreamsBuilder, topic: string): KTable<string, string> =>
  b.table(topic, consumed, Materialized.as(`${topic}-rows`));
const kept = (name: string): Materialized<string, string> =>
  Materialized.as(name, { keySerde: text, valueSerde: text });
const plus = (a: string | null, b: string | null): string => `${String(a)}${String(b)}`;
const windows = JoinWindows.ofTimeDifferenceWithNoGrace(60_000);
const stored = (storeName: string, name?: string): StreamJoined<string, string, string> =>
  StreamJoined.with(text, text, text, { storeName, name });

const TOPOLOGIES: Readonly<Record<string, (b: StreamsBuilder) => void>> = {
  'stream join': (b) => stream(b, 'a').join(stream(b, 'b'), plus, windows, stored('s')).to('out', produced),
  'stream leftJoin': (b) =>
    stream(b, 'a')
      .selectKey((_k, v): string => v)
      .leftJoin(
        stream(b, 'b').selectKey((_k, v): string => v),
        plus,
        windows,
        stored('s', 'j'),
      )
      .to('out', produced),
  'stream outerJoin': (b) =>
    stream(b, 'a')
      .outerJoin(stream(b, 'b'), plus, windows, stored('s'))
      .join(stream(b, 'c'), plus, windows, stored('t'))
      .to('out', produced),
  'stream self join': (b) => {
    const s = stream(b, 'a');
    s.join(s, plus, windows, stored('s')).to('out', produced);
  },
  'table joins': (b) => {
    const left = table(b, 'a');
    const right = table(b, 'b');
    left.join(right, plus).toStream().to('out', produced);
    left.leftJoin(right, plus, kept('kept'), 'named').toStream().to('out2', produced);
    left
      .outerJoin(right, plus, kept('kept-too'))
      .filter(() => true)
      .toStream()
      .to('out3', produced);
  },
  'foreign key joins': (b) => {
    const left = table(b, 'a');
    const right = table(b, 'b');
    left
      .join(right, (v) => v, plus, TableJoined.as('fk'))
      .toStream()
      .to('out', produced);
    left
      .leftJoin(right, (v) => v, plus, TableJoined.as('fk2'), kept('kept'))
      .toStream()
      .to('out2', produced);
  },
  'join with a grace period': (b) =>
    stream(b, 'a')
      .join(
        b.table('b', consumed, { name: 'versions', versioned: { historyRetentionMs: 300_000 } }),
        plus,
        Joined.with(text, text, { name: 'j', gracePeriodMs: 60_000 }),
      )
      .to('out', produced),
  'global joins': (b) => {
    const s = stream(b, 'a');
    const global = b.globalTable('b', { ...consumed, name: 'rows' }, Materialized.as('global'));
    s.join(global, (_k, v) => v, plus)
      .leftJoin(global, (_k, v) => v, plus, 'again')
      .to('out', produced);
  },
};

const golden = new Map(
  [
    ...readFileSync(join(import.meta.dirname, 'golden/kafka-streams-describe-joins.txt'), 'utf8').matchAll(
      /=== (.+?)\n(.*?)=== end\n/gs,
    ),
  ].map((match): [string, string] => [match[1]!, match[2]!]),
);

/** Our topics between the tables of a foreign-key join are repartition topics, by name too. */
const withOurTopics = (described: string): string =>
  described.replaceAll(/(subscription-(registration|response))-topic/g, '$1-repartition');

/** Kafka Streams gives stores and neighbours of a node in the order of hash tables. */
const withSortedLists = (described: string): string =>
  described.replaceAll(/(?<=stores: \[|--> |<-- )[^\]\n]+/g, (list) => list.split(', ').sort().join(', '));

describe('describeAsMermaid() of joins', () => {
  it('draws global stores, their topics and who looks them up', () => {
    const builder = new StreamsBuilder();
    const global = builder.globalTable('b', consumed, Materialized.as('global'));
    stream(builder, 'a')
      .join(global, (_k, v) => v, plus)
      .to('out', produced);
    expect(builder.build().describeAsMermaid().split('\n')).toEqual([
      'flowchart TD',
      '  t1[/"a"/]',
      '  t5[/"out"/]',
      '  t6[/"b"/]',
      '  subgraph sub0["Sub-topology 0"]',
      '    n0(["KSTREAM-SOURCE-0000000002"])',
      '    n2["KSTREAM-LEFTJOIN-0000000003"]',
      '    n4(["KSTREAM-SINK-0000000004"])',
      '  end',
      '  subgraph global["Global stores"]',
      '    s3[("global")]',
      '  end',
      '  t1 --> n0',
      '  n0 --> n2',
      '  n2 --- s3',
      '  n2 --> n4',
      '  n4 --> t5',
      '  t6 --> s3',
      '',
    ]);
  });
});

describe('describe() of joins', () => {
  it('is known for every topology', () => {
    expect([...golden.keys()]).toEqual(Object.keys(TOPOLOGIES));
  });

  it.each(Object.keys(TOPOLOGIES))('of "%s" is that of Kafka Streams', (title) => {
    const builder = new StreamsBuilder();
    TOPOLOGIES[title]!(builder);
    const described = builder.build().describe();
    expect(withSortedLists(described)).toBe(withSortedLists(withOurTopics(golden.get(title)!)));
  });
});
