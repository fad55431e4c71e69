import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { WindowedSerdes } from '#libs/serde';
import {
  BufferConfig,
  Consumed,
  Grouped,
  Joined,
  Materialized,
  minutes,
  Named,
  Produced,
  Repartitioned,
  SessionWindows,
  SlidingWindows,
  StreamsBuilder,
  Suppressed,
  TimeWindows,
} from '#libs/topology';
import { integer, text } from './fixtures.ts';

const consumed = Consumed.with(text, text);
const produced = Produced.with(text, text);

/** The topologies of golden/DescribeGolden.java, call by call. */
const TOPOLOGIES: Readonly<Record<string, (builder: StreamsBuilder) => void>> = {
  stateless(builder) {
    const stream = builder.stream<string, string>('in', consumed);
    stream
      .filter(() => true)
      .filterNot(() => false)
      .mapValues((value) => value)
      .flatMapValues((value) => [value])
      .peek(() => undefined)
      .to('out', produced);
    stream
      .map((key, value) => [key, value])
      .flatMap((key, value) => [[key, value]])
      .selectKey((key) => key)
      .foreach(() => undefined);
  },
  count(builder) {
    builder
      .stream<string, string>('in', consumed)
      .groupByKey()
      .count(Materialized.as('counts'))
      .toStream()
      .to('out', Produced.with(text, integer));
  },
  groupBy(builder) {
    const grouped = builder
      .stream<string, string>('in', consumed)
      .groupBy((_key, value) => value, Grouped.as('by-value', { keySerde: text }));
    grouped.count(Materialized.as('counts')).toStream().to('out', Produced.with(text, integer));
    grouped
      .reduce((_aggregate, value) => value, Materialized.as('latest'))
      .toStream()
      .to('out2', produced);
  },
  'unnamed group'(builder) {
    builder
      .stream<string, string>('in', consumed)
      .selectKey((_key, value) => value)
      .groupByKey({ keySerde: text })
      .aggregate(
        () => '',
        (_key, value) => value,
        Materialized.as('agg', { valueSerde: text }),
      )
      .toStream()
      .to('out', produced);
  },
  join(builder) {
    const stream = builder.stream<string, string>('orders', consumed);
    const table = builder.table<string, string>('customers', consumed, Materialized.as('customers'));
    stream
      .selectKey((_key, value) => value)
      .join(table, (value) => value, Joined.as('enrich'))
      .to('out', produced);
    stream.leftJoin(table, (value) => value).to('out2', produced);
  },
  branch(builder) {
    const stream = builder.stream<string, string>('in', Consumed.with(text, text, { name: 'source' }));
    const { big, small, rest } = stream
      .split(Named.as('split-'))
      .branch('big', () => true)
      .branch('small', () => true)
      .defaultBranch('rest');
    big.merge(small, Named.as('both')).to('out', Produced.with(text, text, { name: 'sink' }));
    rest.to((_key, value) => value, produced);
  },
  two(builder) {
    builder
      .stream<string, string>('a', consumed)
      .repartition(Repartitioned.as('again', { numberOfPartitions: 3 }))
      .to('out', produced);
    builder.stream<string, string>(['b'], consumed).to('out2', produced);
  },
  table(builder) {
    builder
      .table<string, string>('in', Consumed.with(text, text, { name: 'rows' }), Materialized.as('rows-store'))
      .filter(() => true)
      .mapValues((value) => value, Materialized.as('mapped', { valueSerde: text }))
      .toStream(Named.as('changes'))
      .to('out', produced);
  },
  windows(builder) {
    const grouped = builder
      .stream<string, string>('in', consumed)
      .groupBy((_key, value) => value, Grouped.as('by-value', { keySerde: text }));
    const ofMinutes = WindowedSerdes.timeWindowed(text, minutes(1));
    grouped
      .windowedBy(TimeWindows.ofSizeWithNoGrace(minutes(1)))
      .count(Materialized.as('counts'))
      .suppress(Suppressed.untilWindowCloses(BufferConfig.unbounded()).withName('final'))
      .toStream()
      .to('out', Produced.with(ofMinutes, integer));
    grouped
      .windowedBy(SlidingWindows.ofTimeDifferenceWithNoGrace(minutes(1)))
      .reduce((_x, y) => y, Materialized.as('latest'))
      .filter(() => true)
      .toStream()
      .to('out2', Produced.with(ofMinutes, text));
    grouped
      .windowedBy(SessionWindows.ofInactivityGapWithNoGrace(minutes(1)))
      .aggregate(
        () => '',
        (_key, value) => value,
        (_key, x) => x,
        Materialized.as('sessions', { valueSerde: text }),
      )
      .toStream()
      .to('out3', Produced.with(WindowedSerdes.sessionWindowed(text), text));
  },
};

const golden = new Map(
  readFileSync(join(import.meta.dirname, 'golden/kafka-streams-describe.txt'), 'utf8')
    .split('=== end\n')
    .filter((part) => part !== '')
    .map((part): [string, string] => {
      const [title, ...lines] = part.split('\n');
      return [title!.replace('=== ', ''), lines.join('\n')];
    }),
);

/** Kafka Streams lists the names behind an arrow in an order that depends on a hash: compared as sets. */
function withSortedArrows(description: string): string {
  return description.replace(
    /(-->|<--) (.*)/g,
    (_line, arrow: string, names: string) => `${arrow} ${names.split(', ').sort().join(', ')}`,
  );
}

describe('describe()', () => {
  it('has a golden text for every topology', () => {
    expect([...golden.keys()]).toEqual(Object.keys(TOPOLOGIES));
  });

  it.each(Object.keys(TOPOLOGIES))('says of "%s" what Kafka Streams 4.3.1 says', (title) => {
    const builder = new StreamsBuilder();
    TOPOLOGIES[title]!(builder);
    const described = builder
      .build()
      .describe()
      .replace(/extractor class: [^)]*/, 'extractor class: function');
    expect(withSortedArrows(described)).toBe(withSortedArrows(golden.get(title)!));
  });
});

describe('describeAsMermaid()', () => {
  it('draws topics, nodes and stores', () => {
    const builder = new StreamsBuilder();
    TOPOLOGIES['count']!(builder);
    expect(builder.build().describeAsMermaid()).toBe(
      [
        'flowchart TD',
        '  t1[/"in"/]',
        '  t6[/"out"/]',
        '  subgraph sub0["Sub-topology 0"]',
        '    n0(["KSTREAM-SOURCE-0000000000"])',
        '    n2["KSTREAM-AGGREGATE-0000000001"]',
        '    n4["KTABLE-TOSTREAM-0000000002"]',
        '    n5(["KSTREAM-SINK-0000000003"])',
        '    s3[("counts")]',
        '  end',
        '  t1 --> n0',
        '  n0 --> n2',
        '  n2 --- s3',
        '  n2 --> n4',
        '  n4 --> n5',
        '  n5 --> t6',
        '',
      ].join('\n'),
    );
  });
});
