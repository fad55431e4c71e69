import { describe, expect, it } from '@jest/globals';
import { MillraceError } from '#libs/core';
import type { Serde } from '#libs/serde';
import { Consumed, Grouped, Materialized, StreamsBuilder } from '#libs/topology';
import type { KStream } from '#libs/topology';
import { overStream, text, textToText, thrownBy } from './fixtures.ts';

/** `path: problem` of every fault. */
function faultsOf(draw: (stream: KStream<string, string>, builder: StreamsBuilder) => void): string[] {
  const error = thrownBy(() => overStream(draw));
  expect(error).toBeInstanceOf(MillraceError);
  expect((error as unknown as MillraceError).code).toBe('MILLRACE_INVALID_TOPOLOGY');
  return error.context.faults.map(({ path, problem }) => `${path}: ${problem}`);
}

const unnamed = {} as { readonly name: string };

describe('a topology with faults', () => {
  it('is refused with all of them in one error', () => {
    const error = thrownBy(() =>
      overStream((stream) => {
        stream.groupByKey().count(unnamed).toStream().to('bad topic');
        stream.mapValues((value) => value.length).to('out');
      }),
    );
    expect(error.message).toBe(
      [
        'MILLRACE_INVALID_TOPOLOGY: the topology has 3 faults:',
        '  1. stream("in").groupByKey().count(): the state store has no name. Name it: Materialized.as("…"), and never change it.',
        '  2. stream("in").groupByKey().count().toStream().to("bad topic"): "bad topic" is no legal topic name. Use 1 to 249 of the characters a-z, A-Z, 0-9, ".", "_" and "-".',
        '  3. stream("in").mapValues().to("out"): the value serde is missing. Give it as the option valueSerde.',
      ].join('\n'),
    );
  });

  it('has a store without a name', () => {
    expect(faultsOf((stream) => stream.groupByKey().reduce((a) => a, unnamed))).toEqual([
      'stream("in").groupByKey().reduce(): the state store has no name.',
    ]);
    expect(faultsOf((_stream, builder) => builder.table('rows', textToText, undefined as never))).toEqual([
      'table("rows"): the state store has no name.',
    ]);
  });

  it('has a repartition without a name', () => {
    expect(
      faultsOf((stream, builder) => {
        const table = builder.table<string, string>('rows', textToText, Materialized.as('rows'));
        stream
          .selectKey((key) => key)
          .join(table, (value) => value)
          .to('out', { valueSerde: text });
        stream.repartition(undefined as never);
      }),
    ).toEqual([
      'stream("in").selectKey().join(): the key was changed upstream, so a repartition topic is needed, and it has no name.',
      'stream("in").repartition(): the repartition topic has no name.',
    ]);
  });

  it('gives two stores, repartitions or operators one name', () => {
    expect(
      faultsOf((stream) => {
        stream.groupByKey().count(Materialized.as('counts'));
        stream.groupByKey().count(Materialized.as('counts'));
        stream.repartition({ name: 'again' });
        stream.repartition({ name: 'again' });
        stream.filter(() => true, 'same').peek(() => undefined, 'same');
      }),
    ).toEqual([
      'stream("in").groupByKey().count("counts"): the store name "counts" is taken by stream("in").groupByKey().count("counts").',
      'stream("in").repartition("again"): the repartition name "again" is taken by stream("in").repartition("again").',
      'stream("in").filter("same").peek("same"): the name "same" is taken by stream("in").filter("same").',
    ]);
  });

  it('has an illegal name of a topic, store or operator', () => {
    const problems = (draw: (stream: KStream<string, string>) => void): string[] =>
      faultsOf(draw).map((fault) => fault.slice(fault.lastIndexOf('): ') + 3));
    expect(problems((stream) => stream.to(''))).toEqual(['the topic name is empty.']);
    expect(problems((stream) => stream.to('..'))).toEqual(['".." is no legal topic name.']);
    expect(problems((stream) => stream.to('x'.repeat(250)))).toEqual([
      `the topic name "${'x'.repeat(40)}…" has 250 characters.`,
    ]);
    expect(problems((stream) => stream.to(7 as never))).toEqual(['the topic name is not a string.']);
    expect(problems((stream) => stream.groupByKey().count({ name: 'Zähler' }))).toEqual([
      '"Zähler" is no legal store name.',
    ]);
    expect(problems((stream) => stream.filter(() => true, 'two words'))).toEqual([
      '"two words" is no legal name.',
    ]);
    // Room for the application id and the suffix of the changelog.
    expect(problems((stream) => stream.groupByKey().count({ name: 'x'.repeat(240) }))).toHaveLength(1);
  });

  it('lacks a serde where one is needed', () => {
    expect(
      faultsOf((stream) => {
        stream.map((key, value) => [key, value] as const).to('out');
        stream
          .selectKey((key) => key)
          .groupByKey()
          .count(Materialized.as('counts'));
        stream.groupByKey().aggregate(
          () => 0,
          (_key, _value, sum) => sum,
          Materialized.as('sums'),
        );
      }),
    ).toEqual([
      'stream("in").map().to("out"): the key serde is missing.',
      'stream("in").map().to("out"): the value serde is missing.',
      'stream("in").selectKey().groupByKey().count("counts"): the key serde is missing.',
      'stream("in").groupByKey().aggregate("sums"): the value serde is missing.',
    ]);
    expect(
      faultsOf((_stream, builder) => {
        builder.stream('a', { keySerde: text } as Consumed<string, string>);
        builder.stream('b', Consumed.with(text, { name: 'no serde' } as Serde<string>));
      }),
    ).toEqual(['stream("a"): the value serde is missing.', 'stream("b"): the value serde is no serde.']);
  });

  it('keeps the serdes it has: no fault while key and value are unchanged', () => {
    expect(() =>
      overStream((stream) => {
        stream
          .filter(() => true)
          .peek(() => undefined)
          .merge(stream.filterNot(() => true))
          .to('out');
        stream.selectKey((key) => key).to('by-key', { keySerde: text });
        stream.groupByKey().count(Materialized.as('counts')).toStream().to('counted');
      }),
    ).not.toThrow();
  });

  it('reads a topic twice, or none', () => {
    expect(faultsOf((_stream, builder) => builder.stream('in', textToText))).toEqual([
      'stream("in"): the topic "in" is read twice, first by stream("in").',
    ]);
    expect(faultsOf((_stream, builder) => builder.table('in', textToText, Materialized.as('rows')))).toEqual([
      'table("in"): the topic "in" is read twice, first by stream("in").',
    ]);
    const error = thrownBy(() => new StreamsBuilder().build());
    expect(error.context.faults).toMatchObject([{ problem: 'it reads no topic.' }]);
  });

  it('sends records in a circle', () => {
    expect(faultsOf((stream) => stream.filter(() => true).to('in'))).toEqual([
      'stream("in").filter().to("in"): records would go in a circle: in → in.',
    ]);
    expect(
      faultsOf((stream, builder) => {
        stream
          .groupBy((_key, value) => value, Grouped.as('regrouped', { keySerde: text }))
          .reduce((a) => a, Materialized.as('latest'))
          .toStream()
          .to('middle');
        builder.stream<string, string>('middle', textToText).to('in');
      }),
    ).toEqual([
      'stream("in").groupBy("regrouped").reduce("latest").toStream().to("middle"): records would go in a circle: middle → in → regrouped-repartition → middle.',
    ]);
  });

  it('may write a topic that it reads again further down', () => {
    expect(() =>
      overStream((stream, builder) => {
        stream.to('middle');
        builder.stream('middle', textToText).to('out');
      }),
    ).not.toThrow();
  });

  it('mixes streams of two builders', () => {
    const foreign = new StreamsBuilder();
    const stranger = foreign.stream<string, string>('theirs', textToText);
    const strangeTable = foreign.table<string, string>('their-rows', textToText, Materialized.as('rows'));
    expect(
      faultsOf((stream) => {
        stream.merge(stranger);
        stream.join(strangeTable, (value) => value);
      }),
    ).toEqual([
      'stream("in").merge(): the other stream is of another topology.',
      'stream("in").join(): the table is of another topology, or no table.',
    ]);
  });

  it('is given something else than a function, a count or a policy', () => {
    expect(
      faultsOf((stream, builder) => {
        stream.filter('yes' as never);
        stream.groupByKey().reduce(undefined as never, Materialized.as('reduced'));
        stream.repartition({ name: 'again', numberOfPartitions: 0 });
        builder.stream('other', Consumed.with(text, text, { offsetReset: 'newest' as never }));
        stream
          .split()
          .branch('a', () => true)
          .branch('a', () => false);
      }),
    ).toEqual([
      'stream("in").filter(): the predicate is not a function.',
      'stream("in").groupByKey().reduce("reduced"): the reducer is not a function.',
      'stream("in").repartition("again"): numberOfPartitions is 0.',
      'stream("other"): offsetReset is "newest".',
      'stream("in").split().branch("a"): the split already has a branch "a".',
    ]);
  });
});
