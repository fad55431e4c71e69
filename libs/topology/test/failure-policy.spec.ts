// Specifies how failure policies are declared, what of them is refused before anything runs, and which topics follow from them.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Serdes } from '#libs/serde';
import {
  Consumed,
  FailurePolicy,
  Grouped,
  Joined,
  Materialized,
  Named,
  Produced,
  StreamsBuilder,
  TopologyBuilder,
  checkPartitions,
  userTopics,
} from '../src/index.ts';
import type { Topology } from '../src/index.ts';
import { delayMs } from '../src/options/failure-policy.ts';

const text = Serdes.string();

function withPolicy(policy: unknown): StreamsBuilder {
  const builder = new StreamsBuilder();
  builder
    .stream<string, string>('in', Consumed.with(text, text))
    .filter(() => true, Named.as('map', { failurePolicy: policy as FailurePolicy }))
    .to('out');
  return builder;
}

function faultsOf(build: { build(): Topology }): string[] {
  try {
    build.build();
    return [];
  } catch (error) {
    const { faults } = (error as { context: { faults: { path: string; problem: string }[] } }).context;
    return faults.map(({ path, problem }) => `${path}: ${problem}`);
  }
}

const sourcesOf = (topology: Topology): unknown[][] =>
  topology.subTopologies.flatMap(({ id, sources }) =>
    sources.map(({ kind, topic, retry }) => [
      id,
      kind,
      topic,
      ...(retry === undefined ? [] : [retry.of.topic, retry.level, retry.delayMs]),
    ]),
  );

describe('a failure policy', () => {
  it('is known by the name of its source, operator or sink', () => {
    const builder = new StreamsBuilder();
    const table = builder.table<string, string>('table', Consumed.with(text, text), Materialized.as('table'));
    builder
      .stream<string, string>(
        'in',
        Consumed.with(text, text, { name: 'source', failurePolicy: FailurePolicy.skip() }),
      )
      .join(table, (value) => value, Joined.as('joined', { failurePolicy: FailurePolicy.fail() }))
      .filter(() => true, Named.as('filtered', { failurePolicy: FailurePolicy.deadLetter('dead') }))
      .to('out', Produced.with(text, text, { name: 'sink', failurePolicy: FailurePolicy.skip() }));
    const [sub] = builder.build().subTopologies;
    expect([...sub!.failurePolicies!].map(([name, { kind }]) => [name, kind])).toEqual([
      ['source', 'skip'],
      ['joined', 'fail'],
      ['filtered', 'deadLetter'],
      ['sink', 'skip'],
    ]);
    expect(sub!.sources.map(({ failurePolicy }) => failurePolicy?.kind)).toEqual([undefined, 'skip']);
  });

  it('is declared node by node too', () => {
    const topology = new TopologyBuilder()
      .addSource('source', Consumed.with(text, text, { failurePolicy: FailurePolicy.skip() }), 'in')
      .addProcessor(
        Named.as('processor', { failurePolicy: FailurePolicy.fail() }),
        () => ({ process: () => undefined }),
        'source',
      )
      .addSink(
        'sink',
        'out',
        Produced.with(text, text, { failurePolicy: FailurePolicy.deadLetter('dead') }),
        'processor',
      )
      .build();
    expect([...topology.subTopologies[0]!.failurePolicies!.keys()]).toEqual(['source', 'processor', 'sink']);
    expect(userTopics(topology)).toEqual(['dead', 'in', 'out']);
  });

  it('has defaults that try again soon, and not all at once', () => {
    expect(FailurePolicy.retry({ attempts: 3 })).toEqual({
      kind: 'retry',
      attempts: 3,
      backoffMs: 100,
      multiplier: 2,
      backoffMsMax: 10_000,
      jitter: 0.2,
      maxMs: Infinity,
      retryOn: null,
      then: null,
    });
  });

  it.each<[string, unknown, string]>([
    ['no policy', 'skip', 'failurePolicy is "skip"'],
    ['null', null, 'failurePolicy is {}'],
    ['one try', FailurePolicy.retry({ attempts: 1 }), 'attempts is 1'],
    ['no number of tries', FailurePolicy.retry({} as never), 'attempts is NaN'],
    [
      'a delay that is none',
      FailurePolicy.retry({ attempts: 2, backoff: '5 parsecs' }),
      'backoff is no time',
    ],
    ['a jitter above 1', FailurePolicy.retry({ attempts: 2, jitter: 2 }), 'jitter is 2'],
    ['waits that shrink', FailurePolicy.retry({ attempts: 2, multiplier: 0.5 }), 'multiplier is 0.5'],
    ['no delays', FailurePolicy.retryTopics({ delays: [] }), 'retryTopics has 0 delays'],
    ['17 delays', FailurePolicy.retryTopics({ delays: Array.from({ length: 17 }, () => 1) }), '17 delays'],
    ['a negative delay', FailurePolicy.retryTopics({ delays: [-1] }), 'delay 1 is no time'],
    ['a topic that is none', FailurePolicy.deadLetter('no topic'), 'the dead-letter topic is "no topic"'],
    [
      'a filter that is none',
      FailurePolicy.retry({ attempts: 2, retryOn: 'all' as never }),
      'retryOn is not a function',
    ],
    [
      'a retry in a retry',
      FailurePolicy.retry({ attempts: 2, then: FailurePolicy.retry({ attempts: 2 }) as never }),
      'retry inside retry',
    ],
    [
      'a retry in place behind retry topics',
      FailurePolicy.retryTopics({ delays: [1], then: FailurePolicy.retry({ attempts: 2 }) as never }),
      'retry inside retryTopics',
    ],
  ])('is refused: %s', (_what, policy, problem) => {
    const faults = faultsOf(withPolicy(policy));
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(problem);
    expect(faults[0]).toContain('stream("in").filter("map")');
  });

  it('is refused for a global table, which has no tasks', () => {
    const builder = new StreamsBuilder();
    builder.stream<string, string>('in', Consumed.with(text, text)).to('out');
    const consumed = Consumed.with(text, text, { failurePolicy: FailurePolicy.skip() });
    builder.globalTable('rates', consumed, Materialized.as('rates'));
    expect(faultsOf(builder)).toEqual([
      expect.stringContaining('globalTable("rates"): a global table has no failurePolicy'),
    ]);
  });

  it('takes delays as people write them', () => {
    expect(['500 ms', '10 s', '1.5min', ' 2 h ', '1 d', 7].map(delayMs)).toEqual([
      500, 10_000, 90_000, 7_200_000, 86_400_000, 7,
    ]);
    fc.assert(fc.property(fc.string(), (given) => Number.isNaN(delayMs(given)) || /^\s*\d/.test(given)));
  });
});

describe('retry topics', () => {
  const policy = FailurePolicy.retryTopics({ delays: ['10 s', '1 min'] });

  it('are those of each topic of a source whose records can meet the policy', () => {
    const builder = new StreamsBuilder();
    builder
      .stream<string, string>(['a', 'b'], Consumed.with(text, text))
      .filter(() => true, Named.as('map', { failurePolicy: policy }))
      .to('out');
    builder.stream<string, string>('c', Consumed.with(text, text)).to('out');
    const topology = builder.build();
    expect(sourcesOf(topology)).toEqual([
      [0, 'stream', 'a'],
      [0, 'stream', 'b'],
      [0, 'retry', 'a-retry-1', 'a', 1, 10_000],
      [0, 'retry', 'a-retry-2', 'a', 2, 60_000],
      [0, 'retry', 'b-retry-1', 'b', 1, 10_000],
      [0, 'retry', 'b-retry-2', 'b', 2, 60_000],
      [1, 'stream', 'c'],
    ]);
    // Their sizes are those of the topics whose records wait in them; users need not make them.
    expect(userTopics(topology)).toEqual(['a', 'b', 'c', 'out']);
    expect(
      checkPartitions(
        topology,
        new Map([
          ['a', 3],
          ['b', 3],
          ['c', 1],
          ['out', 1],
        ]),
      ).taskCounts,
    ).toEqual([3, 1]);
  });

  it('behind a repartition are those of the repartition', () => {
    const builder = new StreamsBuilder();
    builder
      .stream<string, string>('in', Consumed.with(text, text))
      .groupBy((_key, value) => value, Grouped.with(text, text, { name: 'by-value' }))
      .count(Materialized.as('counts'), Named.as('count', { failurePolicy: policy }));
    expect(sourcesOf(builder.build()).filter(([, kind]) => kind === 'retry')).toEqual([
      [1, 'retry', 'by-value-repartition-retry-1', 'by-value', 1, 10_000],
      [1, 'retry', 'by-value-repartition-retry-2', 'by-value', 2, 60_000],
    ]);
  });

  it('are refused for tables, whose older updates would win over newer ones', () => {
    const builder = new StreamsBuilder();
    const consumed = Consumed.with(text, text, { failurePolicy: policy });
    builder
      .table<string, string>('in', consumed, Materialized.as('table'))
      .toStream()
      .foreach(() => undefined);
    expect(faultsOf(builder)).toEqual([expect.stringContaining('older updates of a key win')]);
  });

  it('are refused with different delays for one source', () => {
    const other = FailurePolicy.retryTopics({ delays: ['10 s'] });
    const builder = new StreamsBuilder();
    builder
      .stream<string, string>('in', Consumed.with(text, text, { failurePolicy: policy }))
      .filter(() => true, Named.as('map', { failurePolicy: other }))
      .to('out');
    expect(faultsOf(builder)).toEqual([expect.stringContaining('other delays (10000 ms)')]);
  });

  it('run the function of their source', () => {
    const builder = new StreamsBuilder();
    const seen: string[] = [];
    builder
      .stream<string, string>('a', Consumed.with(text, text, { failurePolicy: policy }))
      .foreach((_key, value) => seen.push(`a ${value}`));
    builder
      .stream<string, string>('b', Consumed.with(text, text))
      .foreach((_key, value) => seen.push(`b ${value}`));
    const [sub] = builder.build().subTopologies;
    const compiled = sub!.compile({ context: {}, drop: () => undefined } as never);
    expect(compiled.sources).toHaveLength(sub!.sources.length);
    compiled.sources.forEach((source, index) => source('k', sub!.sources[index]!.topic, 0));
    expect(seen).toEqual(['a a', 'a a-retry-1', 'a a-retry-2']);
  });
});
