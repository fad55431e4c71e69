import { describe, expect, it } from '@jest/globals';
import { FatalError } from '#libs/core';
import { Grouped, Joined, Materialized, checkPartitions, userTopics } from '#libs/topology';
import type { Topology } from '#libs/topology';
import { overStream, text, textToText, thrownBy } from './fixtures.ts';

const counts = (given: Record<string, number>): Map<string, number> => new Map(Object.entries(given));

function plan(
  topology: Topology,
  given: Record<string, number>,
): [Record<string, number>, readonly number[]] {
  const { repartitionCounts, taskCounts } = checkPartitions(topology, counts(given));
  return [Object.fromEntries(repartitionCounts), taskCounts];
}

describe('checkPartitions', () => {
  it('gives a sub-topology as many tasks as its largest topic has partitions', () => {
    const topology = overStream((stream, builder) => {
      stream.merge(builder.stream<string, string>('more', textToText)).to('out');
      builder.stream('alone', textToText).foreach(() => undefined);
    });
    expect(plan(topology, { in: 2, more: 5, alone: 1, out: 9 })).toEqual([{}, [5, 1]]);
  });

  it('sizes a repartition topic like the largest topic upstream, through other repartitions', () => {
    const topology = overStream((stream) =>
      stream
        .groupBy((_k, v) => v, Grouped.as('first', { keySerde: text }))
        .count(Materialized.as('a'))
        .toStream()
        .groupBy((_k, v) => String(v), Grouped.as('second', { keySerde: text }))
        .count(Materialized.as('b')),
    );
    expect(plan(topology, { in: 6 })).toEqual([{ first: 6, second: 6 }, [6, 6, 6]]);
  });

  it('sizes a repartition topic like the topic it is joined with, and what follows after it', () => {
    const topology = overStream((stream, builder) => {
      const table = builder.table<string, string>('rows', textToText, Materialized.as('rows'));
      stream
        .selectKey((_k, v) => v)
        .join(table, (value) => value, Joined.as('joined'))
        .groupBy((_k, v) => v, Grouped.as('after', { keySerde: text, valueSerde: text }))
        .count(Materialized.as('counts'));
    });
    expect(plan(topology, { in: 3, rows: 8 })).toEqual([{ joined: 8, after: 8 }, [3, 8, 8]]);
  });

  it('takes the number that the user gave', () => {
    const topology = overStream((stream) =>
      stream.repartition({ name: 'again', numberOfPartitions: 7 }).to('out'),
    );
    expect(plan(topology, { in: 3, out: 1 })).toEqual([{ again: 7 }, [3, 7]]);
  });

  it('sizes two repartitions that are joined with each other by the larger upstream', () => {
    const topology = overStream((stream, builder) => {
      const table = builder
        .stream<string, string>('more', textToText)
        .groupBy((_k, v) => v, Grouped.as('right', { keySerde: text }))
        .count(Materialized.as('counts'));
      stream
        .selectKey((_k, v) => v)
        .join(table, (value) => value, Joined.as('left'))
        .to('out', { valueSerde: text });
    });
    expect(plan(topology, { in: 2, more: 4, out: 1 })).toEqual([{ right: 4, left: 4 }, [2, 4, 4]]);
  });

  it('sizes a repartition that feeds another one it must match', () => {
    const topology = overStream((stream) => {
      const latest = stream
        .groupBy((_k, v) => v, Grouped.as('first', { keySerde: text }))
        .reduce((_a, v) => v, Materialized.as('latest'));
      latest
        .toStream()
        .selectKey((_k, v) => v)
        .join(latest, (value) => value, Joined.as('second'))
        .to('out', { valueSerde: text });
    });
    expect(plan(topology, { in: 5, out: 1 })).toEqual([{ first: 5, second: 5 }, [5, 5]]);
  });

  it('says which topics must exist, and which are missing', () => {
    const topology = overStream((stream) => {
      stream.to('out');
      stream.to((_key, value) => value);
      stream
        .groupBy((_k, v) => v, Grouped.as('regrouped', { keySerde: text }))
        .count(Materialized.as('counts'));
    });
    expect(userTopics(topology)).toEqual(['in', 'out']);
    const error = thrownBy(() => checkPartitions(topology, counts({})));
    expect(error).toBeInstanceOf(FatalError);
    expect(error.message).toBe(
      'MILLRACE_TOPIC_MISSING: topics of the topology do not exist: "in", "out". Remedy: Create them; Millrace creates only topics of its own.',
    );
  });

  it('refuses topics that are read together and differ, with counts and remedy', () => {
    const topology = overStream((stream, builder) => {
      const rows = builder.table<string, string>('rows', textToText, Materialized.as('rows'));
      const more = builder.table<string, string>('more', textToText, Materialized.as('more'));
      stream
        .join(rows, (value) => value, Joined.as('with-rows'))
        .join(more, (value) => value, Joined.as('with-more'))
        .to('out', { valueSerde: text });
    });
    const error = thrownBy(() => checkPartitions(topology, counts({ in: 4, rows: 4, more: 3, out: 1 })));
    expect(error.message).toBe(
      'MILLRACE_PARTITIONS_MISMATCH: "with-rows", "with-more" must read topics with equal partition counts, but "in" has 4, "rows" has 4, "more" has 3. ' +
        'Remedy: Give the topics the same number of partitions, or send one of them through repartition(…) with that number.',
    );
    expect(plan(topology, { in: 4, rows: 4, more: 4, out: 1 })).toEqual([{}, [4]]);
  });

  it('refuses a repartition whose given number does not fit the table it is joined with', () => {
    const topology = overStream((stream, builder) => {
      const rows = builder.table<string, string>('rows', textToText, Materialized.as('rows'));
      stream
        .repartition({ name: 'again', numberOfPartitions: 2 })
        .join(rows, (value) => value, Joined.as('joined'))
        .to('out', { valueSerde: text });
    });
    const error = thrownBy(() => checkPartitions(topology, counts({ in: 4, rows: 4, out: 1 })));
    expect(error.message).toContain('"rows" has 4, "again-repartition" has 2');
  });
});
