import { describe, expect, it } from '@jest/globals';
import {
  BufferConfig,
  Grouped,
  Materialized,
  minutes,
  StreamsBuilder,
  Suppressed,
  TimeWindows,
  UnlimitedWindows,
} from '#libs/topology';
import type { KStream, KTable, OrderedStoreSpec } from '#libs/topology';
import { Driver } from './driver.ts';
import { driverOverStream, integer, overStream, text, textToText, thrownBy } from './fixtures.ts';
import { windowLines } from './windowed-lines.ts';

const unbounded = BufferConfig.unbounded();
const untilClosed = Suppressed.untilWindowCloses(unbounded).withName('final');
const held = (ms: number, config: BufferConfig = unbounded): ReturnType<typeof Suppressed.untilTimeLimit> =>
  Suppressed.untilTimeLimit(ms, config).withName('held');

/** A table of the topic `in`, suppressed. */
function driverOverTable(
  suppressed: ReturnType<typeof held>,
  draw: (table: KTable<string, string>, builder: StreamsBuilder) => void = (table) =>
    table.toStream().to('out'),
): Driver {
  const builder = new StreamsBuilder();
  draw(builder.table('in', textToText, Materialized.as('rows')).suppress(suppressed), builder);
  return new Driver(builder.build());
}

describe('a table suppressed until its windows close', () => {
  const finalCounts = (stream: KStream<string, string>): void =>
    stream
      .groupByKey()
      .windowedBy(TimeWindows.ofSizeAndGrace(10, 5))
      .count(Materialized.as('counts'))
      .suppress(untilClosed)
      .toStream()
      .to('out');

  it('gives of each window the last result, when a record closes it', () => {
    const driver = driverOverStream(finalCounts);
    for (const time of [1, 12, 3, 14]) driver.pipe('in', 'a', 'x', time);
    expect(windowLines(driver)).toEqual([]);
    driver.pipe('in', 'b', 'x', 15);
    expect(windowLines(driver)).toEqual(['a@0-10=2@3']);
  });

  it('gives it when time moves without a record', () => {
    const driver = driverOverStream(finalCounts);
    driver.pipe('in', 'a', 'x', 1);
    driver.advanceEventTime(14);
    expect(windowLines(driver)).toEqual([]);
    driver.advanceEventTime(15);
    driver.advanceEventTime(100);
    expect(windowLines(driver)).toEqual(['a@0-10=1@1']);
    expect(driver.orderedStores.get('final-store')!.rows()).toEqual([]);
  });

  it('finds the grace of its windows through filters and mappings', () => {
    const driver = driverOverStream((stream) =>
      stream
        .groupByKey()
        .windowedBy(TimeWindows.ofSizeAndGrace(10, 5))
        .count(Materialized.as('counts'))
        .filter((_key, count) => count < 3)
        .mapValues((count) => `#${count}`)
        .suppress(Suppressed.untilWindowCloses(unbounded).withName('final').withValueSerde(text))
        .toStream()
        .to('out'),
    );
    for (const time of [1, 2, 12]) driver.pipe('in', 'a', 'x', time);
    for (const time of [3, 3, 3]) driver.pipe('in', 'b', 'x', time);
    driver.pipe('in', 'a', 'x', 15);
    // Those of b were filtered out in the end: a deletion is no result.
    expect(windowLines(driver)).toEqual(['a@0-10="#2"@2']);
  });

  it('gives those downstream the value they saw last as the old one', () => {
    // Kafka Streams gives them the last but one, which they never saw, and this count stays at 1.
    const driver = driverOverStream((stream) =>
      stream
        .groupByKey()
        .windowedBy(TimeWindows.ofSizeWithNoGrace(10))
        .count(Materialized.as('counts'))
        .suppress(untilClosed)
        .groupBy(
          (key, count) => [String(key.window.start), count],
          Grouped.with(text, integer, { name: 'g' }),
        )
        .count(Materialized.as('keys'))
        .toStream()
        .to('out'),
    );
    for (const time of [1, 2, 3]) driver.pipe('in', 'a', 'x', time);
    for (const time of [4, 5]) driver.pipe('in', 'b', 'x', time);
    driver.pipe('in', 'b', 'x', 10);
    expect(driver.lines('out').at(-1)).toBe('0=2@5');
  });
});

describe('a table suppressed for a time', () => {
  it('counts the time from the first update that it holds', () => {
    const driver = driverOverTable(held(10));
    driver.pipe('in', 'a', '1', 0);
    driver.pipe('in', 'a', '2', 9);
    driver.pipe('in', 'b', '1', 10);
    driver.pipe('in', 'a', '3', 12);
    driver.pipe('in', 'c', '1', 22);
    expect(driver.lines('out')).toEqual(['a=2@9', 'b=1@10', 'a=3@12']);
  });

  it('passes deletions on', () => {
    const driver = driverOverTable(held(10));
    driver.pipe('in', 'a', '1', 0);
    driver.pipe('in', 'a', null, 1);
    driver.pipe('in', 'b', '1', 11);
    expect(driver.outputs('out')).toEqual([{ key: 'a', value: null, timestamp: 1, headers: [] }]);
  });

  it('gives each update with the headers of its own record', () => {
    const driver = driverOverTable(held(10));
    const named = (name: string): { key: string; value: Uint8Array | null }[] => [
      { key: 'name', value: Buffer.from(name) },
      { key: 'ключ', value: null },
    ];
    driver.pipe('in', 'a', '1', 0, undefined, named('first'));
    driver.pipe('in', 'a', '2', 1, undefined, named('second'));
    driver.pipe('in', 'b', '1', 2);
    driver.pipe('in', 'c', '1', 12, undefined, named('third'));
    expect(driver.outputs('out').map(({ key, headers }) => [key, headers])).toEqual([
      ['a', named('second')],
      ['b', []],
    ]);
  });

  it('is read by joins as those downstream know it', () => {
    const driver = driverOverTable(held(10), (table, builder) =>
      builder
        .stream<string, string>('stream', textToText)
        .leftJoin(table, (value, row) => `${value}+${String(row)}`)
        .to('out', { valueSerde: text }),
    );
    driver.pipe('in', 'a', '1', 0);
    driver.pipe('stream', 'a', 'x', 1);
    driver.pipe('in', 'b', '1', 10);
    driver.pipe('stream', 'a', 'y', 10);
    driver.pipe('in', 'a', '2', 11);
    driver.pipe('stream', 'a', 'z', 11);
    expect(driver.lines('out')).toEqual(['a=x+null@1', 'a=y+1@10', 'a=z+1@11']);
  });
});

describe('a buffer with a limit', () => {
  it('emits the oldest when it has too many records', () => {
    const driver = driverOverTable(held(1000, BufferConfig.maxRecords(2)));
    for (const [index, key] of ['a', 'b', 'a', 'c', 'd'].entries()) driver.pipe('in', key, `${index}`, index);
    expect(driver.lines('out')).toEqual(['a=2@2', 'b=1@1']);
  });

  it('emits the oldest when it has too many bytes, counted as Kafka Streams counts them', () => {
    // Time, timestamp and offset of 8 each, partition of 4, topic of 2, key of 1, value of 3: 34 a record.
    const driver = driverOverTable(held(1000, BufferConfig.maxBytes(2 * 34)));
    driver.pipe('in', 'a', '123', 0);
    driver.pipe('in', 'b', '123', 1);
    expect(driver.lines('out')).toEqual([]);
    driver.pipe('in', 'a', '1234', 2);
    expect(driver.lines('out')).toEqual(['a=1234@2']);
  });

  it('stops the application when it may not emit early', () => {
    const config = BufferConfig.maxRecords(1).shutDownWhenFull();
    const driver = driverOverTable(held(1000, config));
    driver.pipe('in', 'a', '1', 0);
    driver.pipe('in', 'a', '2', 0);
    expect(() => driver.pipe('in', 'b', '1', 0)).toThrow(
      /MILLRACE_SUPPRESS_BUFFER_FULL.*"held" is full: 2 of 1 records/,
    );
  });

  it('makes room as records go', () => {
    const driver = driverOverTable(held(10, BufferConfig.maxRecords(1).shutDownWhenFull()));
    driver.pipe('in', 'a', '1', 0);
    driver.pipe('in', 'b', '2', 10);
    driver.pipe('in', 'c', '3', 20);
    expect(driver.lines('out')).toEqual(['a=1@0', 'b=2@10']);
  });
});

describe('the buffer of a suppression', () => {
  const storeOf = (config: BufferConfig): OrderedStoreSpec => {
    const builder = new StreamsBuilder();
    builder.table('in', textToText, Materialized.as('rows')).suppress(held(10, config));
    const { stores } = builder.build().subTopologies[0]!;
    return stores.find(({ name }) => name === 'held-store') as OrderedStoreSpec;
  };

  it('is in memory, with a changelog unless that is switched off', () => {
    expect(storeOf(unbounded)).toMatchObject({ kind: 'ordered', resident: true, logged: true, expiry: null });
    expect(storeOf(unbounded.withLoggingDisabled())).toMatchObject({ logged: false });
    expect(storeOf(unbounded.withLoggingEnabled({ 'segment.ms': '1000' }))).toMatchObject({
      logged: true,
      changelogConfig: { 'segment.ms': '1000' },
    });
  });
});

describe('a suppression that cannot be', () => {
  const problems = (draw: (stream: KStream<string, string>) => void): string[] =>
    thrownBy(() => overStream(draw)).context.faults.map(({ problem }) => problem);

  it('is refused', () => {
    expect(
      problems((stream) => {
        const group = stream.groupByKey();
        const counts = group
          .windowedBy(TimeWindows.ofSizeWithNoGrace(minutes(1)))
          .count(Materialized.as('counts'));
        counts.suppress(Suppressed.untilWindowCloses(unbounded));
        counts.suppress(Suppressed.untilTimeLimit(-1, unbounded).withName('negative'));
        counts.suppress(Suppressed.untilTimeLimit(1, BufferConfig.maxRecords(0.5)).withName('half'));
        counts.suppress(Suppressed.untilWindowCloses(BufferConfig.maxRecords(1) as never).withName('early'));
        group
          .windowedBy(UnlimitedWindows.of())
          .count(Materialized.as('all'))
          .suppress(Suppressed.untilWindowCloses(unbounded).withName('never'));
        group
          .count(Materialized.as('plain'))
          .suppress(Suppressed.untilWindowCloses(unbounded).withName('plain') as never);
        counts
          .mapValues((count) => `${count}`)
          .suppress(Suppressed.untilTimeLimit(1, unbounded).withName('lost'));
      }),
    ).toEqual([
      'the suppression has no name.',
      'the time to wait is -1, not a whole number from 0 up.',
      'the limits of the buffer are 0.5 records and Infinity bytes.',
      'a buffer that emits early cannot hold results until they are final.',
      'the table is not of windows that close.',
      'the table is not of windows that close.',
      'the value serde is missing.',
    ]);
  });
});
