import { describe, expect, it } from '@jest/globals';
import { Serdes } from '#libs/serde';
import { Consumed, Grouped, Joined, Materialized, Produced, StreamsBuilder } from '#libs/topology';
import type { SinkSpec, SourceSpec, Topology } from '#libs/topology';
import { Driver } from './driver.ts';
import { integer, json, overStream, text, textToText } from './fixtures.ts';

function sink(topology: Topology, name: string): SinkSpec {
  const sinks = topology.subTopologies.flatMap((sub) => sub.sinks);
  return sinks.find(({ topic }) => topic === name)!;
}

function source(topology: Topology, name: string): SourceSpec {
  const sources = topology.subTopologies.flatMap((sub) => sub.sources);
  return sources.find(({ topic }) => topic === name)!;
}

describe('sub-topologies', () => {
  it('are cut at topics, joined by stores, and numbered by their first node', () => {
    const topology = overStream((stream, builder) => {
      builder.stream<string, string>('alone', textToText).foreach(() => undefined);
      const table = builder.table<string, string>('rows', textToText, Materialized.as('rows'));
      stream
        .selectKey((_key, value) => value)
        .join(table, (value) => value, Joined.as('joined'))
        .to('out', { valueSerde: text });
    });
    const parts = topology.subTopologies.map(({ id, sources, sinks, stores }) => ({
      id,
      sources: sources.map(({ kind, topic }) => `${kind} ${topic}`),
      sinks: sinks.map(({ kind, topic }) => `${kind} ${String(topic)}`),
      stores: stores.map(({ name }) => name),
    }));
    expect(parts).toEqual([
      { id: 0, sources: ['stream in'], sinks: ['repartition joined'], stores: [] },
      { id: 1, sources: ['stream alone'], sinks: [], stores: [] },
      { id: 2, sources: ['table rows', 'repartition joined'], sinks: ['topic out'], stores: ['rows'] },
    ]);
    expect(topology.repartitions).toEqual([{ name: 'joined', partitionCount: null }]);
    expect(topology.coPartitionGroups).toEqual([
      { operator: 'joined', topics: ['rows'], repartitions: ['joined'] },
    ]);
  });

  it('do not change once built', () => {
    const builder = new StreamsBuilder();
    const stream = builder.stream<string, string>('in', textToText);
    stream.to('out');
    const topology = builder.build();
    stream.to('more');
    expect(topology.subTopologies[0]!.sinks.map(({ topic }) => topic)).toEqual(['out']);
    expect(new Driver(topology).tasks).toHaveLength(1);
    expect(Object.isFrozen(topology.subTopologies[0]!.sources[0])).toBe(true);
  });

  it('carry the options of sources and stores', () => {
    const builder = new StreamsBuilder();
    const extractor = (value: string): number => Number(value);
    builder.table<string, string>(
      'rows',
      Consumed.with(text, text, { timestampExtractor: extractor, offsetReset: 'latest' }),
      Materialized.as('rows', {
        loggingEnabled: false,
        storeType: 'inMemory',
        changelogConfig: { 'segment.bytes': '1' },
        reuseDecoded: true,
      }),
    );
    const [sub] = builder.build().subTopologies;
    expect(sub!.sources[0]).toMatchObject({
      timestampExtractor: extractor,
      offsetReset: 'latest',
      kind: 'table',
    });
    expect(sub!.stores[0]).toMatchObject({
      logged: false,
      persistence: 'memory',
      changelogConfig: { 'segment.bytes': '1' },
      reuseDecoded: true,
    });
  });
});

describe('repartitions', () => {
  const repartitions = (topology: Topology): string[] => topology.repartitions.map(({ name }) => name);
  const grouped = Grouped.with(text, text);

  it('are inserted when a key-changing operator precedes a key-based one', () => {
    const counted = (draw: Parameters<typeof overStream>[0]): string[] => repartitions(overStream(draw));
    const store = Materialized.as('counts');
    expect(
      counted((s) =>
        s
          .selectKey((_k, v) => v)
          .groupByKey(grouped)
          .count(store),
      ),
    ).toEqual(['counts']);
    expect(
      counted((s) =>
        s
          .map((k, v) => [v, k])
          .groupByKey(grouped)
          .count(store),
      ),
    ).toEqual(['counts']);
    expect(
      counted((s) =>
        s
          .flatMap((k, v) => [[v, k]])
          .groupByKey(grouped)
          .count(store),
      ),
    ).toEqual(['counts']);
    expect(counted((s) => s.groupBy((_k, v) => v, grouped).count(store))).toEqual(['counts']);
    expect(
      counted((s) =>
        s
          .selectKey((_k, v) => v)
          .filter(() => true)
          .merge(s)
          .groupByKey(grouped)
          .count(store),
      ),
    ).toEqual(['counts']);
  });

  it('are not inserted while the key is unchanged, or was repartitioned since', () => {
    const store = Materialized.as('counts');
    const plain = overStream((s) =>
      s
        .filter(() => true)
        .mapValues((value) => value)
        .flatMapValues((value) => [value])
        .peek(() => undefined)
        .groupByKey(grouped)
        .count(store),
    );
    expect(repartitions(plain)).toEqual([]);
    const once = overStream((s) =>
      s
        .selectKey((_k, v) => v)
        .repartition({ name: 'again', keySerde: text })
        .groupByKey()
        .count(store)
        .toStream()
        .groupByKey()
        .count(Materialized.as('counts-of-counts')),
    );
    expect(repartitions(once)).toEqual(['again']);
  });

  it('are shared by the aggregations of one named group only', () => {
    const topology = overStream((s) => {
      const named = s.groupBy((_k, v) => v, { name: 'named', keySerde: text });
      named.count(Materialized.as('a'));
      named.count(Materialized.as('b'));
      const unnamed = s.groupBy((_k, v) => v, { keySerde: text });
      unnamed.count(Materialized.as('c'));
      unnamed.count(Materialized.as('d'));
    });
    expect(repartitions(topology)).toEqual(['named', 'c', 'd']);
  });
});

describe('what need not be encoded again', () => {
  it('is the source key, as long as it is unchanged and its serde the same', () => {
    const topology = overStream((stream, builder) => {
      stream.mapValues((value) => value).to('kept', { valueSerde: text });
      stream.selectKey((key) => key).to('changed', { keySerde: text });
      stream.to('other-serde', { keySerde: Serdes.json<string>() });
      stream.merge(builder.stream<string, string>('more', Consumed.with(Serdes.string(), text))).to('merged');
      const jsonKeys = builder.stream<string, string>(
        'json-keys',
        Consumed.with(Serdes.json<string>(), text),
      );
      jsonKeys.to('json');
      stream
        .merge(jsonKeys)
        .groupByKey(Grouped.with(text, text))
        .count(Materialized.as('counts'))
        .toStream()
        .to('mixed');
      stream.repartition({ name: 'again', keySerde: Serdes.json<string>() }).to('out-of-repartition');
    });
    const copied = ['kept', 'changed', 'other-serde', 'merged', 'json', 'mixed', 'out-of-repartition'].filter(
      (name) => sink(topology, name).keyIsSourceKey,
    );
    // JSON written by others may not be the JSON we would write; what we wrote ourselves is.
    expect(copied).toEqual(['kept', 'merged', 'out-of-repartition']);
  });

  it('makes stores use the source key bytes as they are, or the encoded key where they may differ', () => {
    const bytesOfA = (topic: string): string[] => {
      const builder = new StreamsBuilder();
      builder.stream<string, string>('text', textToText).groupByKey().count(Materialized.as('of-text'));
      builder
        .stream<string, string>('json', Consumed.with(Serdes.json<string>(), text))
        .groupByKey()
        .count(Materialized.as('of-json'));
      const driver = new Driver(builder.build());
      driver.pipe(topic, 'a', 'x', 0, 'bytes of others');
      return driver.stores.get(`of-${topic}`)!.asked;
    };
    expect(bytesOfA('text')).toEqual(['bytes of others']);
    expect(bytesOfA('json')).toEqual(['"a"']);
  });

  it('is a value on its way from a store to a sink, untouched by user functions', () => {
    const topology = overStream((stream) => {
      const counts = stream.groupByKey().count(Materialized.as('counts')).toStream();
      counts.to('straight');
      counts.to('other-serde', { valueSerde: Serdes.float64() });
      counts.peek(() => undefined).to('peeked');
      counts.to('after-a-sibling');
      counts.mapValues((value) => value).to('mapped', { valueSerde: integer });
      stream.to('no-store');
    });
    expect(sink(topology, 'straight').valueFromStore).toBe('counts');
    expect(sink(topology, 'straight').keyIsSourceKey).toBe(true);
    for (const name of ['other-serde', 'peeked', 'after-a-sibling', 'mapped', 'no-store']) {
      expect(sink(topology, name).valueFromStore).toBeNull();
    }
  });

  it('names the stores to read ahead for each source', () => {
    const builder = new StreamsBuilder();
    const table = builder.table<string, string>('rows', textToText, Materialized.as('rows'));
    const stream = builder.stream<string, string>('in', textToText);
    stream
      .filter(() => true)
      .join(table, (value) => value)
      .groupByKey({ valueSerde: text })
      .count(Materialized.as('counts'));
    stream.groupBy((_key, value) => value, { keySerde: text }).count(Materialized.as('by-value'));
    builder
      .stream<string, unknown>('json-keys', Consumed.with(Serdes.json<string>(), json as never))
      .groupByKey({ keySerde: text, valueSerde: json as never })
      .count(Materialized.as('re-encoded'));
    const topology = builder.build();
    expect(source(topology, 'rows').readAhead).toEqual([{ kind: 'key', store: 'rows' }]);
    expect(source(topology, 'in').readAhead).toEqual([
      { kind: 'key', store: 'rows' },
      { kind: 'key', store: 'counts' },
    ]);
    expect(source(topology, 'by-value').readAhead).toEqual([{ kind: 'key', store: 'by-value' }]);
    expect(source(topology, 'json-keys').readAhead).toEqual([]);
  });

  it('loses nothing when a serde is given anew: Produced wins over the stream', () => {
    const topology = overStream((stream) => stream.to('out', Produced.valueSerde(text)));
    expect(sink(topology, 'out').keySerde.name).toBe('string');
  });
});
