// What callers without types get wrong: each wrong argument is a fault with path, problem and remedy, never an error from inside.
import { describe, expect, it } from '@jest/globals';
import { MillraceError } from '#libs/core';
import {
  Consumed,
  Grouped,
  JoinWindows,
  Joined,
  Materialized,
  Pattern,
  State,
  Stores,
  StreamsBuilder,
  TimeWindows,
  TopologyBuilder,
  WatermarkStrategy,
} from '#libs/topology';
import type { KStream, TopologyFault } from '#libs/topology';
import { overStream, text, textToText } from './fixtures.ts';

type Draw = (stream: KStream<string, string>, builder: StreamsBuilder) => unknown;

const wrong = (given: unknown): never => given as never;
const noop = (): void => undefined;
const rows = Materialized.as('rows');

function faultsOf(draw: () => unknown): readonly TopologyFault[] {
  try {
    draw();
  } catch (error) {
    expect(error).toBeInstanceOf(MillraceError);
    const { code, context } = error as MillraceError;
    expect(code).toBe('MILLRACE_INVALID_TOPOLOGY');
    const { faults } = context as { readonly faults: readonly TopologyFault[] };
    for (const { path, problem, remedy } of faults) {
      expect([path, problem, remedy].join('|')).not.toMatch(/\[object Object\]/);
      expect(remedy.length).toBeGreaterThan(0);
    }
    return faults;
  }
  throw new Error('nothing was refused');
}

const faultsOver = (draw: Draw): string[] =>
  faultsOf(() => overStream((stream, builder) => void draw(stream, builder))).map(
    ({ path, problem }) => `${path}: ${problem}`,
  );

/** By name: what is drawn with each of the wrong values. */
const TAKING_ANYTHING: Readonly<Record<string, (given: never) => Draw>> = {
  filter: (given) => (stream) => stream.filter(given),
  'filter, name': (given) => (stream) => stream.filter(() => true, given),
  map: (given) => (stream) => stream.map(given),
  branch: (given) => (stream) => stream.branch(given),
  'split, branch': (given) => (stream) => stream.split().branch('one', given),
  groupBy: (given) => (stream) => stream.groupBy(given).count(rows),
  to: (given) => (stream) => stream.to(given),
  'to, partitioner': (given) => (stream) => stream.to('out', { partitioner: given }),
  'to, headers': (given) => (stream) => stream.to('out', { headers: given }),
  merge: (given) => (stream) => stream.merge(given),
  process: (given) => (stream) => stream.process(given),
  'process, stores of a supplier': (given) => (stream) =>
    stream.process({ get: () => ({ process: noop }), stores: given }),
  mapAsync: (given) => (stream) => stream.mapAsync(given, { name: 'calls' }),
  'mapAsync, options': (given) => (stream) => stream.mapAsync(() => Promise.resolve(1), given),
  'mapAsync, onFailure': (given) => (stream) =>
    stream.mapAsync(() => Promise.resolve(1), { name: 'calls', onFailure: given }),
  stream: (given) => (_stream, builder) => builder.stream(given, textToText),
  'stream, consumed': (given) => (_stream, builder) => builder.stream('other', given),
  'stream, watermarks': (given) => (_stream, builder) =>
    builder.stream('other', Consumed.with(text, text, { watermarks: given })),
  'stream, generator': (given) => (_stream, builder) =>
    builder.stream('other', Consumed.with(text, text, { watermarks: WatermarkStrategy.custom(given) })),
  'stream, futureTimestamps': (given) => (_stream, builder) =>
    builder.stream('other', Consumed.with(text, text, { futureTimestamps: given })),
  addStateStore: (given) => (_stream, builder) => builder.addStateStore(given),
  'keyed process': (given) => (stream) => stream.groupByKey().process(given),
  'keyed process, name': (given) => (stream) => stream.groupByKey().process({ name: given, onRecord: noop }),
  'keyed process, state': (given) => (stream) =>
    stream.groupByKey().process({ name: 'fn', state: { last: given }, onRecord: noop }),
  'State.value': (given) => (stream) =>
    stream.groupByKey().process({ name: 'fn', state: { last: State.value(given) }, onRecord: noop }),
  'State.map, key': (given) => (stream) =>
    stream.groupByKey().process({ name: 'fn', state: { last: State.map(given, text) }, onRecord: noop }),
  'State.reducing': (given) => (stream) =>
    stream.groupByKey().process({ name: 'fn', state: { sum: State.reducing(text, given) }, onRecord: noop }),
  match: (given) => (stream) => stream.groupByKey().match(given, { name: 'found', select: () => 1 }),
  'match, options': (given) => (stream) => stream.groupByKey().match(Pattern.begin<string>('one'), given),
  'Pattern.begin': (given) => (stream) =>
    stream.groupByKey().match(Pattern.begin<string>(given), { name: 'found', select: () => 1 }),
  'Pattern.where': (given) => (stream) =>
    stream.groupByKey().match(Pattern.begin<string>('one').where(given), { name: 'found', select: () => 1 }),
  windowedBy: (given) => (stream) => stream.groupByKey().windowedBy(given).count(rows),
  'join, windows': (given) => (stream, builder) =>
    stream.join(builder.stream('other', textToText), (a) => a, given, { storeName: 'pairs' }),
  'join, names': (given) => (stream, builder) =>
    stream.join(
      builder.stream('other', textToText),
      (a) => a,
      JoinWindows.ofTimeDifferenceWithNoGrace(5),
      given,
    ),
  'Stores.keyValueStore': (given) => (stream) =>
    stream.process(noop, undefined, Stores.keyValueStore('kept', given)),
  'Stores.windowStore': (given) => (stream) =>
    stream.process(noop, undefined, Stores.windowStore('kept', given)),
  'Stores.sessionStore': (given) => (stream) =>
    stream.process(noop, undefined, Stores.sessionStore('kept', given)),
  'Stores.versionedKeyValueStore': (given) => (stream) =>
    stream.process(noop, undefined, Stores.versionedKeyValueStore('kept', given)),
};

/** Leaving these out is legal, `null` and a number are not. */
const OPTIONAL = new Set(['filter, name', 'to, partitioner', 'to, headers', 'mapAsync, onFailure']);
const OPTIONAL_TOO = new Set([
  'stream, watermarks',
  'stream, futureTimestamps',
  'process, stores of a supplier',
]);

describe('a wrong argument', () => {
  for (const [what, drawWith] of Object.entries(TAKING_ANYTHING)) {
    it(`is a fault where ${what} takes one`, () => {
      const values: unknown[] = [5, {}];
      if (!OPTIONAL.has(what) && !OPTIONAL_TOO.has(what)) values.push(undefined);
      if (what !== 'mapAsync, onFailure') values.push(null);
      for (const value of values) expect(faultsOver(drawWith(wrong(value)))).not.toEqual([]);
    });
  }

  it('is a fault where options are null', () => {
    const given = wrong(null);
    expect(faultsOver((stream) => stream.groupByKey(given).count(rows))).toEqual([
      'stream("in").groupByKey(): the options are null.',
    ]);
    expect(faultsOver((stream) => stream.groupBy((key) => key, given).count(rows))).toContain(
      'stream("in").groupBy(): the options are null.',
    );
    expect(faultsOver((stream) => stream.to('out', given))).toEqual([
      'stream("in").to("out"): the options are null.',
    ]);
    expect(
      faultsOver((stream, builder) =>
        stream.join(builder.table('rows', textToText, rows), (value: string) => value, given),
      ),
    ).toEqual(['stream("in").join(): the options are null.']);
    expect(faultsOf(() => new StreamsBuilder(given).build()).map(({ path }) => path)).toContain(
      'new StreamsBuilder()',
    );
  });

  it('is a fault where a number is none, or out of its range', () => {
    const kept = { keySerde: text, valueSerde: text, retentionMs: 5 };
    const numbers: Readonly<Record<string, (given: number) => Draw>> = {
      window: (ms) => (stream) =>
        stream.groupByKey().windowedBy(TimeWindows.ofSizeWithNoGrace(ms)).count(rows),
      retention: (ms) => (stream) =>
        stream
          .groupByKey()
          .windowedBy(TimeWindows.ofSizeWithNoGrace(5))
          .count({ ...rows, retentionMs: ms }),
      'window store': (ms) => (stream) =>
        stream.process(noop, undefined, Stores.windowStore('kept', { ...kept, windowSizeMs: ms })),
      concurrency: (count) => (stream) =>
        stream.mapAsync(() => Promise.resolve(1), { name: 'calls', concurrency: count }),
      'time to live': (ms) => (stream) =>
        stream.groupByKey().process({
          name: 'fn',
          state: { last: State.value(text, { ttl: { ms } }) },
          onRecord: noop,
        }),
      oneOrMore: (min) => (stream) =>
        stream.groupByKey().match(Pattern.begin<string>('one').oneOrMore(min), {
          name: 'found',
          select: () => 1,
        }),
      'grace of a join': (ms) => (stream, builder) =>
        stream.join(
          builder.table('rows', textToText, rows),
          (value: string) => value,
          Joined.as('joined', { gracePeriodMs: ms }),
        ),
    };
    for (const drawWith of Object.values(numbers)) {
      for (const given of [-1, NaN, wrong('5')]) expect(faultsOver(drawWith(given))).not.toEqual([]);
    }
  });

  it('is a fault where a retry makes no sense', () => {
    const retrying = (retries: object): string[] =>
      faultsOver((stream) => stream.mapAsync(() => Promise.resolve(1), { name: 'calls', retries } as never));
    expect(retrying(wrong(5))).toEqual(['stream("in").mapAsync("calls").retries: the options are 5.']);
    expect(retrying({ max: 1.5 })).toEqual(['stream("in").mapAsync("calls"): retries.max is 1.5.']);
    expect(retrying({ max: 1, backoffMs: -1 })).toEqual([
      'stream("in").mapAsync("calls"): retries.backoffMs is -1.',
    ]);
    expect(retrying({ max: 1, retryOn: 5 })).toEqual([
      'stream("in").mapAsync("calls"): the option retries.retryOn is not a function.',
    ]);
  });

  it('is a fault where a store is configured', () => {
    const counted = (options: object): string[] =>
      faultsOver((stream) => stream.groupByKey().count({ ...rows, ...options, valueSerde: undefined }));
    expect(counted({ storeType: 'disk' })).toEqual([
      'stream("in").groupByKey().count("rows"): storeType is "disk".',
    ]);
    expect(counted({ loggingEnabled: 'no' })).toEqual([
      'stream("in").groupByKey().count("rows"): loggingEnabled is "no".',
    ]);
    expect(counted({ changelogConfig: 5 })).toEqual([
      'stream("in").groupByKey().count("rows"): changelogConfig is 5.',
    ]);
  });

  it('is a fault where the serde of a repartition is none', () => {
    expect(
      faultsOver((stream) =>
        stream.groupBy((key) => key, Grouped.as<string, string>('again', { keySerde: wrong(5) })).count(rows),
      ),
    ).toContain('stream("in").groupBy("again"): the key serde is no serde.');
  });

  it('is a fault of the Processor API too', () => {
    for (const given of [undefined, null, 5, {}]) {
      const value = wrong(given);
      const problems = faultsOf(() =>
        new TopologyBuilder()
          .addSource(value, value, value)
          .addProcessor(value, value, value)
          .addSink(value, value, value, value)
          .addStateStore(value)
          .build(),
      );
      expect(problems.length).toBeGreaterThan(3);
    }
  });
});
