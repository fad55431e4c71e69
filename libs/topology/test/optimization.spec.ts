import { describe, expect, it } from '@jest/globals';
import { Serdes } from '#libs/serde';
import { Consumed, Grouped, Joined, Materialized, Optimization, StreamsBuilder } from '#libs/topology';
import type { KStream, StoreSpec, StreamsBuilderOptions } from '#libs/topology';
import { Driver } from './driver.ts';
import { integer, text, textToText, thrownBy } from './fixtures.ts';

const storeOf = (
  draw: (builder: StreamsBuilder) => unknown,
  optimize: StreamsBuilderOptions['optimize'] = 'all',
): StoreSpec => {
  const builder = new StreamsBuilder({ optimize });
  draw(builder);
  return builder.build().subTopologies[0]!.stores[0]!;
};
const sourceTopic = (spec: StoreSpec): string | null =>
  spec.kind === 'keyValue' ? (spec.sourceTopic ?? null) : null;

describe('the reuse of source topics as changelogs', () => {
  const rows = (builder: StreamsBuilder): unknown => builder.table('in', textToText, Materialized.as('rows'));

  it('is off by default, and can be switched on by itself', () => {
    const unasked = new StreamsBuilder();
    rows(unasked);
    expect(sourceTopic(unasked.build().subTopologies[0]!.stores[0]!)).toBeNull();
    expect(sourceTopic(storeOf(rows, 'none'))).toBeNull();
    expect(sourceTopic(storeOf(rows, Optimization.MERGE_REPARTITION_TOPICS))).toBeNull();
    expect(sourceTopic(storeOf(rows, [Optimization.REUSE_KTABLE_SOURCE_TOPICS]))).toBe('in');
    expect(sourceTopic(storeOf(rows, 'all'))).toBe('in');
  });

  it('is part of the identity of the store, so that switching it is refused where there is state', () => {
    expect(storeOf(rows, 'none').layout).toBeUndefined();
    expect(storeOf(rows, 'all').layout).toBe('restored from its topic');
  });

  it.each<[string, (builder: StreamsBuilder) => unknown]>([
    [
      'kept with another serde',
      (b) =>
        b.table('in', Consumed.with(text, Serdes.json<string>()), Materialized.as('s', { valueSerde: text })),
    ],
    [
      'read with timestamps of its own',
      (b) =>
        b.table(
          'in',
          Consumed.with(text, text, { timestampExtractor: (value) => value.length }),
          Materialized.as('s'),
        ),
    ],
    [
      'of keys whose bytes may differ',
      (b) => b.table('in', Consumed.with(Serdes.json<string>(), text), Materialized.as('s')),
    ],
    [
      'without a changelog',
      (b) => b.table('in', textToText, Materialized.as('s', { loggingEnabled: false })),
    ],
    ['that is no source', (b) => b.stream<string, string>('in', textToText).toTable(Materialized.as('s'))],
  ])('is not done for a table %s', (_title, draw) => {
    expect(sourceTopic(storeOf(draw))).toBeNull();
  });
});

describe('the merging of repartition topics', () => {
  const build = (
    draw: (stream: KStream<string, string>, builder: StreamsBuilder) => void,
    optimize: StreamsBuilderOptions['optimize'] = 'all',
  ) => {
    const builder = new StreamsBuilder({ optimize });
    const stream = builder
      .stream<string, string>('in', textToText)
      .selectKey((_key, value) => value.slice(0, 1));
    draw(stream, builder);
    return builder.build();
  };
  const twoCounts = (stream: KStream<string, string>): void => {
    const grouped = { keySerde: text };
    stream.groupByKey(grouped).count(Materialized.as('counts')).toStream().to('counted');
    stream
      .groupByKey(grouped)
      .reduce((a, b) => a + b, Materialized.as('joined'))
      .toStream()
      .to('joined');
  };
  const namesOf = (topology: ReturnType<typeof build>): string[] =>
    topology.repartitions.map(({ name }) => name);

  it('is off by default', () => {
    expect(namesOf(build(twoCounts, 'none'))).toEqual(['counts', 'joined']);
  });

  it('keeps the first one, and the results', () => {
    const results = (optimize: StreamsBuilderOptions['optimize']): string[][] => {
      const driver = new Driver(build(twoCounts, optimize));
      for (const [index, value] of ['a1', 'b2', 'a3'].entries()) driver.pipe('in', 'k', value, index);
      return [driver.lines('counted'), driver.lines('joined')];
    };
    expect(namesOf(build(twoCounts))).toEqual(['counts']);
    expect(results('all')).toEqual(results('none'));
    expect(results('all')[1]).toEqual(['a=a1@0', 'b=b2@1', 'a=a1a3@2']);
  });

  it('takes in joins and tables, and leaves alone what was named on purpose', () => {
    const topology = build((stream, builder) => {
      const table = builder.table<string, string>('table', textToText, Materialized.as('rows'));
      stream
        .join(table, (value) => value, Joined.with(text, text, { name: 'enriched' }))
        .to('out', { valueSerde: text });
      stream.groupByKey({ keySerde: text }).count(Materialized.as('counts'));
      stream.toTable(Materialized.as('newest', { keySerde: text }));
      stream.groupByKey(Grouped.with(text, text, { name: 'pinned' })).count(Materialized.as('again'));
      stream.repartition({ name: 'asked-for', keySerde: text }).foreach(() => undefined);
    });
    expect(namesOf(topology)).toEqual(['enriched', 'pinned', 'asked-for']);
    expect(topology.coPartitionGroups.map(({ topics, repartitions }) => [topics, repartitions])).toEqual([
      [['table'], ['enriched']],
    ]);
  });

  it('needs the same stream and the same serdes', () => {
    const topology = build((stream) => {
      stream.groupByKey({ keySerde: text }).count(Materialized.as('a'));
      stream.groupByKey({ keySerde: Serdes.json<string>() }).count(Materialized.as('b'));
      stream
        .filter(() => true)
        .groupByKey({ keySerde: text })
        .count(Materialized.as('c'));
      stream
        .mapValues((value) => value.length)
        .groupByKey({ keySerde: text, valueSerde: integer })
        .count(Materialized.as('d'));
    });
    expect(namesOf(topology)).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('the option optimize', () => {
  it('refuses names that it does not know', () => {
    const builder = new StreamsBuilder({ optimize: ['merge'] as never });
    builder.stream('in', textToText);
    expect(thrownBy(() => builder.build()).context.faults).toEqual([
      expect.objectContaining({ path: 'new StreamsBuilder()', problem: 'optimize is ["merge"].' }),
    ]);
  });
});
