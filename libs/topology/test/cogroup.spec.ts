import { describe, expect, it } from '@jest/globals';
import { Serdes } from '#libs/serde';
import {
  Grouped,
  Materialized,
  SessionWindows,
  SlidingWindows,
  StreamsBuilder,
  TimeWindows,
} from '#libs/topology';
import type { CogroupedKStream, KTable, Topology } from '#libs/topology';
import { Driver } from './driver.ts';
import { integer, text, textToText, thrownBy } from './fixtures.ts';

const append = (_key: string, value: string, aggregate: string): string => aggregate + value;
const upper = (_key: string, value: string, aggregate: string): string => aggregate + value.toUpperCase();

function cogrouped<K>(
  draw: (cogroup: CogroupedKStream<string, string>) => KTable<K, string>,
  rekeyed = false,
): Topology {
  const builder = new StreamsBuilder();
  const first = builder.stream<string, string>('a', textToText).groupByKey();
  const stream = builder.stream<string, string>('b', textToText);
  const second = rekeyed
    ? stream.groupBy((_key, value) => value.slice(0, 1), Grouped.as('by-letter', { keySerde: text }))
    : stream.groupByKey();
  draw(first.cogroup<string>(append).cogroup(second, upper))
    .toStream()
    .to('out', { keySerde: Serdes.json() as never });
  return builder.build();
}

const kept = Materialized.as<string, string>('folded', { valueSerde: text });

describe('a cogroup', () => {
  it('folds several streams into one aggregate per key', () => {
    const driver = new Driver(cogrouped((cogroup) => cogroup.aggregate(() => '', kept)));
    driver.pipe('a', 'k', 'x', 10);
    driver.pipe('b', 'k', 'y', 5);
    driver.pipe('a', 'k', 'z', 20);
    driver.pipe('b', 'k', null, 30);
    expect(driver.lines('out')).toEqual(['k=x@10', 'k=xY@10', 'k=xYz@20']);
    expect(driver.drops.map(({ code }) => code)).toEqual(['MILLRACE_NULL_VALUE']);
  });

  it('repartitions the streams whose key was changed, and asks for equal partition counts', () => {
    const topology = cogrouped((cogroup) => cogroup.aggregate(() => '', kept), true);
    expect(topology.repartitions.map(({ name }) => name)).toEqual(['by-letter']);
    expect(topology.coPartitionGroups).toEqual([
      { operator: 'COGROUPKSTREAM-MERGE-0000000008', topics: ['a'], repartitions: ['by-letter'] },
    ]);
    const driver = new Driver(topology);
    driver.pipe('a', 'y', 'x', 1);
    driver.pipe('b', 'k', 'yes', 2);
    expect(driver.lines('out')).toEqual(['y=x@1', 'y=xYES@2']);
  });

  it('names its nodes after the name given', () => {
    const names = cogrouped((cogroup) => cogroup.aggregate(() => '', kept, 'both')).describe();
    for (const name of ['both-cogroup-agg-0', 'both-cogroup-agg-1', 'both-cogroup-merge']) {
      expect(names).toContain(name);
    }
  });

  it('folds into windows, each stream by its own time', () => {
    const windows = TimeWindows.ofSizeWithNoGrace(10);
    const driver = new Driver(cogrouped((cogroup) => cogroup.windowedBy(windows).aggregate(() => '', kept)));
    driver.pipe('a', 'k', 'x', 1);
    driver.pipe('b', 'k', 'y', 5);
    driver.pipe('a', 'k', 'z', 12);
    driver.pipe('a', 'k', 'late', 3);
    driver.pipe('b', 'k', 'v', 9);
    const values = driver.outputs('out').map(({ value, timestamp }) => `${String(value)}@${timestamp}`);
    // The store has forgotten the first window when the second stream, for which it is not late, comes back to it.
    expect(values).toEqual(['x@1', 'xY@5', 'z@12', 'V@9']);
    expect(driver.drops.map(({ code }) => code)).toEqual(['MILLRACE_LATE_RECORD']);
  });

  it('folds into sliding windows and sessions', () => {
    const sliding = new Driver(
      cogrouped((cogroup) =>
        cogroup.windowedBy(SlidingWindows.ofTimeDifferenceWithNoGrace(10)).aggregate(() => '', kept),
      ),
    );
    sliding.pipe('a', 'k', 'x', 20);
    sliding.pipe('b', 'k', 'y', 25);
    expect(sliding.outputs('out').map(({ value }) => value)).toEqual(['x', 'Y', 'xY']);

    const sessions = new Driver(
      cogrouped((cogroup) =>
        cogroup.windowedBy(SessionWindows.ofInactivityGapAndGrace(10, 100)).aggregate(
          () => '',
          (_key, one, other) => one + other,
          kept,
        ),
      ),
    );
    sessions.pipe('a', 'k', 'x', 0);
    sessions.pipe('b', 'k', 'y', 20);
    sessions.pipe('a', 'k', 'z', 10);
    expect(sessions.outputs('out').map(({ value }) => value)).toEqual(['x', 'Y', null, null, 'xYz']);
  });

  it('refuses groups of another topology', () => {
    const other = new StreamsBuilder().stream<string, string>('c', textToText).groupByKey();
    const build = (): unknown =>
      cogrouped((cogroup) => cogroup.cogroup(other, append).aggregate(() => '', kept));
    expect(thrownBy(build).context.faults.map(({ problem }) => problem)).toEqual([
      'the group is of another topology, or no group.',
    ]);
  });
});

describe('transformValues', () => {
  it('sees deletions, keeps its results and tells what they were', () => {
    const builder = new StreamsBuilder();
    builder
      .table<string, string>('in', textToText, Materialized.as('rows'))
      .transformValues(
        (_key, value, context) => (value === null ? null : value.length * context.currentStreamTimeMs()),
        Materialized.as('lengths', { valueSerde: integer }),
      )
      .groupBy((_key, length) => ['all', length], Grouped.with(text, integer))
      .reduce(
        (sum, length) => sum + length,
        (sum, length) => sum - length,
        Materialized.as('sum'),
      )
      .toStream()
      .to('out');
    const driver = new Driver(builder.build());
    driver.pipe('in', 'a', 'xx', 10);
    driver.pipe('in', 'b', 'x', 20);
    driver.pipe('in', 'a', 'x', 30);
    driver.pipe('in', 'b', null, 40);
    expect(driver.lines('out')).toEqual(['all=20@10', 'all=40@20', 'all=50@30', 'all=30@40']);
  });
});
