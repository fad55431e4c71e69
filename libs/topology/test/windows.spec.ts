import { describe, expect, it } from '@jest/globals';
import { WindowedSerdes } from '#libs/serde';
import {
  CountWindows,
  CumulativeWindows,
  days,
  EmitStrategy,
  hours,
  Materialized,
  Produced,
  SessionWindows,
  SlidingWindows,
  StreamsBuilder,
  TimeWindows,
  UnlimitedWindows,
} from '#libs/topology';
import type { KStream, OrderedStoreSpec } from '#libs/topology';
import { driverOverStream, integer, json, overStream, text, textToText, thrownBy } from './fixtures.ts';
import { Driver } from './driver.ts';
import { windowLines } from './windowed-lines.ts';

const counts = Materialized.as('counts');
const onClose = EmitStrategy.onWindowClose();

describe('tumbling windows', () => {
  it('count each key by window', () => {
    const driver = driverOverStream((stream) =>
      stream
        .groupByKey()
        .windowedBy(TimeWindows.ofSizeWithNoGrace(10))
        .count(counts)
        .toStream()
        .to('out', Produced.with(WindowedSerdes.timeWindowed(text, 10), integer)),
    );
    driver.pipe('in', 'a', 'x', 1);
    driver.pipe('in', 'b', 'x', 2);
    driver.pipe('in', 'a', 'x', 9);
    driver.pipe('in', 'a', 'x', 10);
    expect(windowLines(driver)).toEqual(['a@0-10=1@1', 'b@0-10=1@2', 'a@0-10=2@9', 'a@10-20=1@10']);
  });

  it('drop what comes when they are closed, and hand it to those who take late records', () => {
    const driver = driverOverStream((stream) => {
      const windowed = stream.groupByKey().windowedBy(TimeWindows.ofSizeAndGrace(10, 5));
      windowed.count(counts).toStream().to('out');
      windowed.lateRecords().to('late');
    });
    driver.pipe('in', 'a', 'x', 14);
    driver.pipe('in', 'a', 'y', 3);
    driver.pipe('in', 'a', 'z', 15);
    driver.pipe('in', 'a', 'late', 4);
    expect(windowLines(driver)).toEqual(['a@10-20=1@14', 'a@0-10=1@3', 'a@10-20=2@15']);
    expect(driver.lines('late')).toEqual(['a=late@4']);
    expect(driver.drops.map(({ code }) => code)).toEqual(['MILLRACE_LATE_RECORD']);
  });

  it('give the late records of the aggregation they were asked of last', () => {
    const driver = driverOverStream((stream) => {
      const windowed = stream.groupByKey().windowedBy(TimeWindows.ofSizeWithNoGrace(10));
      windowed.count(counts);
      windowed.lateRecords().to('late-1');
      windowed.reduce((_x, y) => y, Materialized.as('latest'));
      windowed.lateRecords().to('late-2');
    });
    driver.pipe('in', 'a', 'x', 20);
    driver.pipe('in', 'a', 'y', 3);
    expect([driver.lines('late-1'), driver.lines('late-2')]).toEqual([['a=y@3'], ['a=y@3']]);
    expect(driver.drops.map(({ node }) => node)).toEqual([
      'KSTREAM-AGGREGATE-0000000001',
      'KSTREAM-REDUCE-0000000003',
    ]);
  });

  it('are emitted once, when they close, in the order of window and key', () => {
    const driver = driverOverStream((stream) =>
      stream
        .groupByKey()
        .windowedBy(TimeWindows.ofSizeAndGrace(10, 2))
        .emitStrategy(onClose)
        .count(counts)
        .toStream()
        .to('out'),
    );
    driver.pipe('in', 'b', 'x', 1);
    driver.pipe('in', 'a', 'x', 10);
    driver.pipe('in', 'b', 'x', 11);
    driver.pipe('in', 'a', 'x', 5);
    expect(windowLines(driver)).toEqual([]);
    driver.pipe('in', 'b', 'x', 12);
    expect(windowLines(driver)).toEqual(['a@0-10=1@5', 'b@0-10=1@1']);
  });

  it('are emitted when time moves without a record, and stay emitted', () => {
    const driver = driverOverStream((stream) =>
      stream
        .groupByKey()
        .windowedBy(TimeWindows.ofSizeWithNoGrace(10))
        .emitStrategy(onClose)
        .count(counts)
        .toStream()
        .to('out'),
    );
    driver.pipe('in', 'a', 'x', 5);
    driver.advanceEventTime(9);
    expect(windowLines(driver)).toEqual([]);
    driver.advanceEventTime(10);
    driver.advanceEventTime(1_000_000);
    expect(windowLines(driver)).toEqual(['a@0-10=1@5']);
    driver.pipe('in', 'a', 'late', 8);
    driver.pipe('in', 'a', 'x', 2_000_000);
    expect(windowLines(driver)).toEqual(['a@0-10=1@5']);
    expect(driver.drops).toHaveLength(1);
  });

  it('are emitted, however far time jumps', () => {
    // Kafka Streams forgets windows that are older than the retention before it emits them.
    const driver = driverOverStream((stream) =>
      stream
        .groupByKey()
        .windowedBy(TimeWindows.ofSizeWithNoGrace(10))
        .emitStrategy(onClose)
        .count(counts)
        .toStream()
        .to('out'),
    );
    driver.pipe('in', 'a', 'x', 5);
    driver.pipe('in', 'a', 'x', 15);
    driver.pipe('in', 'b', 'x', 1_000_000);
    expect(windowLines(driver)).toEqual(['a@0-10=1@5', 'a@10-20=1@15']);
  });
});

describe('hopping windows', () => {
  it('take a late record into those of them that are open, and count it as dropped', () => {
    const driver = driverOverStream((stream) => {
      const windowed = stream.groupByKey().windowedBy(TimeWindows.ofSizeWithNoGrace(20).advanceBy(10));
      windowed.count(counts).toStream().to('out');
      windowed.lateRecords().to('late');
    });
    driver.pipe('in', 'a', 'x', 25);
    driver.pipe('in', 'a', 'x', 15);
    expect(windowLines(driver)).toEqual(['a@10-30=1@25', 'a@20-40=1@25', 'a@10-30=2@25']);
    expect(driver.lines('late')).toEqual([]);
    expect(driver.drops.map(({ reason }) => reason)).toEqual(['a record one of whose windows is closed']);
  });
});

describe('an unlimited window', () => {
  it('takes every record from its start on, and none before', () => {
    const driver = driverOverStream((stream) =>
      stream
        .groupByKey()
        .windowedBy(UnlimitedWindows.of().startOn(10))
        .count(counts)
        .toStream()
        .to('out', { keySerde: WindowedSerdes.timeWindowed(text, Infinity) }),
    );
    driver.pipe('in', 'a', 'x', 9);
    driver.pipe('in', 'a', 'x', 10);
    driver.pipe('in', 'a', 'x', 2 ** 45);
    driver.pipe('in', 'a', 'x', 11);
    expect(windowLines(driver)).toEqual([
      'a@10-Infinity=1@10',
      `a@10-Infinity=2@${2 ** 45}`,
      `a@10-Infinity=3@${2 ** 45}`,
    ]);
    expect(driver.drops).toEqual([]);
  });
});

describe('sessions', () => {
  it('are emitted when time moves past them without a record', () => {
    const driver = driverOverStream((stream) =>
      stream
        .groupByKey()
        .windowedBy(SessionWindows.ofInactivityGapAndGrace(5, 3))
        .emitStrategy(onClose)
        .count(counts)
        .toStream()
        .to('out'),
    );
    driver.pipe('in', 'a', 'x', 10);
    driver.pipe('in', 'a', 'x', 14);
    driver.advanceEventTime(22);
    expect(windowLines(driver)).toEqual([]);
    driver.advanceEventTime(23);
    expect(windowLines(driver)).toEqual(['a@10-14=2@14']);
  });

  it('give records aside that are late and join no open session', () => {
    const driver = driverOverStream((stream) => {
      const windowed = stream.groupByKey().windowedBy(SessionWindows.ofInactivityGapWithNoGrace(5));
      windowed.count(counts).toStream().to('out');
      windowed.lateRecords().to('late');
    });
    driver.pipe('in', 'a', 'x', 20);
    driver.pipe('in', 'a', 'joins', 16);
    driver.pipe('in', 'a', 'late', 9);
    expect(windowLines(driver)).toEqual(['a@20-20=1@20', 'a@20-20=null@20', 'a@16-20=2@20']);
    expect(driver.lines('late')).toEqual(['a=late@9']);
  });
});

describe('an aggregate that is changed in place', () => {
  const listed = { name: 'lists', valueSerde: json as never };
  const lists = (draw: (stream: KStream<string, string>) => void): Driver => driverOverStream(draw);
  const push = (_key: string, value: string, list: string[]): string[] => {
    list.push(value);
    return list;
  };

  it('does not reach the sliding windows that were made of it', () => {
    const driver = lists((stream) =>
      stream
        .groupByKey()
        .windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(10, 10))
        .aggregate((): string[] => [], push, listed)
        .toStream()
        .to('out', { valueSerde: json as never }),
    );
    driver.pipe('in', 'a', 'x', 20);
    driver.pipe('in', 'a', 'y', 25);
    driver.pipe('in', 'a', 'z', 22);
    expect(windowLines(driver)).toEqual([
      'a@10-20=["x"]@20',
      'a@21-31=["y"]@25',
      'a@15-25=["x","y"]@25',
      'a@21-31=["y","z"]@25',
      'a@15-25=["x","y","z"]@25',
      'a@12-22=["x","z"]@22',
      'a@23-33=["y"]@25',
    ]);
  });

  it('does not reach the old value that a filter downstream looks at', () => {
    const driver = lists((stream) =>
      stream
        .groupByKey()
        .windowedBy(TimeWindows.ofSizeWithNoGrace(10))
        .aggregate((): string[] => [], push, listed)
        .filter((_key, list) => list.length === 1)
        .toStream()
        .to('out', { valueSerde: json as never }),
    );
    for (const time of [1, 2, 3]) driver.pipe('in', 'a', 'x', time);
    expect(windowLines(driver)).toEqual(['a@0-10=["x"]@1', 'a@0-10=null@2']);
  });
});

describe('a table of windows', () => {
  it('joins another by window', () => {
    const driver = driverOverStream((stream) => {
      const group = stream.groupByKey();
      const all = group.windowedBy(TimeWindows.ofSizeWithNoGrace(10)).count(counts);
      const latest = group
        .windowedBy(TimeWindows.ofSizeWithNoGrace(10))
        .reduce((_x, y) => y, Materialized.as('latest'));
      all
        .join(latest, (count, value) => `${count} ${value}`)
        .toStream()
        .to('out', { valueSerde: text });
    });
    driver.pipe('in', 'a', 'x', 1);
    driver.pipe('in', 'a', 'y', 2);
    driver.pipe('in', 'a', 'z', 12);
    // The count is there first, and meets what the other table held before this record.
    expect(windowLines(driver)).toEqual([
      'a@0-10="1 x"@1',
      'a@0-10="2 x"@2',
      'a@0-10="2 y"@2',
      'a@10-20="1 z"@12',
    ]);
  });
});

describe('the store of windows', () => {
  const storesOf = (draw: (stream: KStream<string, string>) => void): readonly OrderedStoreSpec[] =>
    overStream(draw).subTopologies.flatMap(({ stores }) => stores) as readonly OrderedStoreSpec[];

  it('keeps rows for the size and the grace, and its changelog a day longer', () => {
    const [store] = storesOf((stream) =>
      stream
        .groupByKey()
        .windowedBy(TimeWindows.ofSizeAndGrace(hours(2), hours(1)))
        .count(counts),
    );
    expect(store).toMatchObject({
      kind: 'ordered',
      layout: 'window(size=7200000)',
      resident: false,
      changelogConfig: { 'cleanup.policy': 'compact,delete', 'retention.ms': String(hours(27)) },
    });
    expect(store!.expiry!.retentionMs).toBeGreaterThanOrEqual(hours(3));
  });

  it('keeps them longer when it is told to', () => {
    const [store] = storesOf((stream) =>
      stream
        .groupByKey()
        .windowedBy(SessionWindows.ofInactivityGapWithNoGrace(hours(1)))
        .count(Materialized.as('counts', { retentionMs: days(2) })),
    );
    expect(store).toMatchObject({
      expiry: { clock: 'of/counts', retentionMs: days(2) },
      changelogConfig: { 'retention.ms': String(days(3)) },
    });
  });

  it('keeps rows for ever where windows do not end with time', () => {
    for (const windows of [UnlimitedWindows.of(), CountWindows.ofSize(3)]) {
      const [store] = storesOf((stream) => stream.groupByKey().windowedBy(windows).count(counts));
      expect(store).toMatchObject({ expiry: null, changelogConfig: {} });
    }
  });

  it('has a second one beside it when windows are emitted on close', () => {
    const names = storesOf((stream) =>
      stream.groupByKey().windowedBy(TimeWindows.ofSizeWithNoGrace(10)).emitStrategy(onClose).count(counts),
    ).map(({ name }) => name);
    expect(names).toEqual(['counts', 'counts-closing']);
  });

  it('is read ahead by key and time', () => {
    const builder = new StreamsBuilder();
    const group = builder.stream<string, string>('in', textToText).groupByKey();
    group.windowedBy(TimeWindows.ofSizeWithNoGrace(20).advanceBy(10)).count(Materialized.as('hopping'));
    group.windowedBy(SessionWindows.ofInactivityGapWithNoGrace(5)).count(Materialized.as('sessions'));
    const [rows, range] = builder.build().subTopologies[0]!.sources[0]!.readAhead;
    const suffixes: string[] = [];
    if (rows?.kind === 'rows') rows.suffixes(35, suffixes as never[]);
    const driver = new Driver(builder.build());
    driver.pipe('in', 'a', 'x', 35);
    expect(suffixes).toEqual(
      driver.orderedStores
        .get('hopping')!
        .rows()
        .map(({ suffix }) => suffix),
    );
    expect(range).toMatchObject({ kind: 'range', store: 'sessions' });
  });
});

describe('a sink of windowed keys', () => {
  it('leaves the window out of the choice of the partition', () => {
    const topology = overStream((stream) => {
      const group = stream.groupByKey();
      group.windowedBy(TimeWindows.ofSizeWithNoGrace(10)).count(counts).toStream().to('time');
      group
        .windowedBy(SessionWindows.ofInactivityGapWithNoGrace(10))
        .count(Materialized.as('sessions'))
        .toStream()
        .to('session');
      stream.to('plain');
    });
    const bytes = topology.subTopologies[0]!.sinks.map(({ topic, keySuffixBytes }) => [
      topic,
      keySuffixBytes,
    ]);
    expect(Object.fromEntries(bytes as [string, number][])).toEqual({ time: 8, session: 16, plain: 0 });
  });
});

describe('windows that cannot be', () => {
  const problems = (draw: (stream: KStream<string, string>) => void): string[] =>
    thrownBy(() => overStream(draw)).context.faults.map(({ problem }) => problem);

  it.each([
    [TimeWindows.ofSizeWithNoGrace(0), 'the size is 0, not a whole number from 1 up.'],
    [TimeWindows.ofSizeAndGrace(10, -1), 'the grace period is -1, not a whole number from 0 up.'],
    [
      TimeWindows.ofSizeWithNoGrace(10).advanceBy(11),
      'the advance of 11 ms is larger than the size of 10 ms.',
    ],
    [
      SlidingWindows.ofTimeDifferenceWithNoGrace(1.5),
      'the time difference is 1.5, not a whole number from 0 up.',
    ],
    [UnlimitedWindows.of().startOn(-1), 'the start is -1, not a whole number from 0 up.'],
    [
      CumulativeWindows.ofMaxSizeAndStepWithNoGrace(10, 3),
      'the maximum size of 10 ms is no multiple of the step of 3 ms.',
    ],
    [CountWindows.ofSize(2).slideBy(3), 'the slide of 3 records is larger than the size of 2.'],
    [{ kind: 'day' } as never, 'the windows are none that Millrace knows.'],
  ])('are refused: %j', (windows, problem) => {
    expect(problems((stream) => stream.groupByKey().windowedBy(windows).count(counts))).toEqual([problem]);
  });

  it('are refused: sessions without a gap', () => {
    const gap = SessionWindows.ofInactivityGapWithNoGrace(0);
    expect(problems((stream) => stream.groupByKey().windowedBy(gap).count(counts))).toEqual([
      'the inactivity gap is 0, not a whole number from 1 up.',
    ]);
  });

  it('are refused with a retention that is too short, without a name, or on a close that never comes', () => {
    const hour = TimeWindows.ofSizeWithNoGrace(hours(1));
    expect(
      problems((stream) => {
        const group = stream.groupByKey();
        group.windowedBy(hour).count(Materialized.as('short', { retentionMs: 1 }));
        group.windowedBy(hour).count({} as never);
        group.windowedBy(UnlimitedWindows.of()).emitStrategy(onClose).count(counts);
        group.windowedBy(hour).lateRecords();
        group.windowedBy(hour).aggregate(
          () => 0,
          (_key, _value, sum) => sum,
          function merger() {},
          { name: 'sums', valueSerde: integer } as never,
        );
      }),
    ).toEqual([
      'the retention of 1 ms is shorter than the 3600000 ms that its windows need with their grace.',
      'the state store has no name.',
      'an unlimited window never closes.',
      'there is no aggregation yet whose late records these could be.',
      'a function stands where the store is described.',
      'the value serde is missing.',
    ]);
  });
});
