import { describe, expect, it } from '@jest/globals';
import { Serdes } from '#libs/serde';
import { Grouped, Joined, Materialized, StreamsBuilder } from '#libs/topology';
import { Driver } from './driver.ts';
import { driverOverStream, integer, text, textToInteger, textToText } from './fixtures.ts';

describe('aggregations', () => {
  it('counts records by key and gives the higher timestamp', () => {
    const driver = driverOverStream((stream) =>
      stream.groupByKey().count(Materialized.as('counts')).toStream().to('out'),
    );
    driver.pipe('in', 'a', 'x', 10);
    driver.pipe('in', 'a', 'y', 5);
    driver.pipe('in', 'b', 'z', 7);
    driver.pipe('in', 'a', 'y', 20);
    expect(driver.lines('out')).toEqual(['a=1@10', 'a=2@10', 'b=1@7', 'a=3@20']);
    expect(driver.stores.get('counts')!.content()).toEqual(
      new Map([
        ['a', [3, 20]],
        ['b', [1, 7]],
      ]),
    );
  });

  it('drops null keys and null values and says which', () => {
    const driver = driverOverStream((stream) =>
      stream.groupByKey().count(Materialized.as('counts')).toStream().to('out'),
    );
    driver.pipe('in', null, 'x', 1);
    driver.pipe('in', 'a', null, 2);
    expect(driver.lines('out')).toEqual([]);
    expect(driver.drops.map(({ node, code }) => `${node} ${code}`)).toEqual([
      'KSTREAM-AGGREGATE-0000000001 MILLRACE_NULL_KEY',
      'KSTREAM-AGGREGATE-0000000001 MILLRACE_NULL_VALUE',
    ]);
  });

  it('reduces from the first value on', () => {
    const driver = driverOverStream((stream) =>
      stream
        .groupByKey()
        .reduce((aggregate, value) => aggregate + value, Materialized.as('joined'))
        .toStream()
        .to('out'),
    );
    driver.pipe('in', 'a', 'x', 3);
    driver.pipe('in', 'a', 'y', 1);
    expect(driver.lines('out')).toEqual(['a=x@3', 'a=xy@3']);
  });

  it('aggregates into an object that the aggregator changes in place', () => {
    const driver = driverOverStream((stream) =>
      stream
        .groupByKey()
        .aggregate(
          () => ({ values: [] as string[] }),
          (_key, value, aggregate) => {
            aggregate.values.push(value);
            return aggregate;
          },
          Materialized.as('lists', { valueSerde: Serdes.json<{ values: string[] }>() }),
        )
        .toStream()
        .to('out'),
    );
    driver.pipe('in', 'a', 'x');
    driver.pipe('in', 'a', 'y');
    expect(driver.lines('out')).toEqual(['a={"values":["x"]}@0', 'a={"values":["x","y"]}@0']);
  });

  it('deletes a key whose aggregate is null, and starts anew with the next value and its timestamp', () => {
    const driver = driverOverStream((stream) =>
      stream
        .groupByKey()
        .aggregate(
          () => 0,
          (_key, value, sum) => (value === 'reset' ? null : sum + 1),
          Materialized.as('sums', { valueSerde: integer }),
        )
        .toStream()
        .to('out'),
    );
    driver.pipe('in', 'a', 'x', 50);
    driver.pipe('in', 'a', 'reset', 10);
    expect(driver.stores.get('sums')!.content()).toEqual(new Map());
    driver.pipe('in', 'a', 'x', 20);
    expect(driver.lines('out')).toEqual(['a=1@50', 'a=null@50', 'a=1@20']);
  });

  it('groups by a new key through a repartition, which drops null keys', () => {
    const driver = driverOverStream((stream) =>
      stream
        .groupBy((_key, value) => (value === '' ? null : value), Grouped.as('by-value', { keySerde: text }))
        .count(Materialized.as('counts'))
        .toStream()
        .to('out'),
    );
    for (const value of ['x', 'y', '', 'x']) driver.pipe('in', 'k', value, 4);
    expect(driver.lines('out')).toEqual(['x=1@4', 'y=1@4', 'x=2@4']);
    expect(driver.drops).toEqual([
      {
        node: 'by-value-repartition-filter',
        code: 'MILLRACE_NULL_KEY',
        reason: 'null key before a repartition',
      },
    ]);
  });

  it('locates an error of the aggregator', () => {
    const failure = new Error('mine');
    const driver = driverOverStream((stream) =>
      stream.groupByKey().reduce(
        () => {
          throw failure;
        },
        Materialized.as('reduced'),
        'reducing',
      ),
    );
    driver.pipe('in', 'a', 'x');
    expect(() => driver.pipe('in', 'a', 'y')).toThrow(failure);
    expect(driver.tasks[0]!.locate(failure)).toBe('reducing');
    expect(driver.stores.get('reduced')!.content()).toEqual(new Map([['a', ['x', 0]]]));
  });
});

describe('a table', () => {
  const tableDriver = (draw: (table: ReturnType<typeof numbers>) => void): Driver => {
    const builder = new StreamsBuilder();
    draw(numbers(builder));
    return new Driver(builder.build());
  };
  const numbers = (builder: StreamsBuilder) =>
    builder.table<string, number>('in', textToInteger, Materialized.as('rows'));

  it('keeps the newest value, also when it is older by its timestamp', () => {
    const driver = tableDriver((table) => table.toStream().to('out'));
    driver.pipe('in', 'a', 1, 10);
    driver.pipe('in', 'a', 2, 5);
    expect(driver.lines('out')).toEqual(['a=1@10', 'a=2@5']);
    expect(driver.stores.get('rows')!.content()).toEqual(new Map([['a', [2, 5]]]));
  });

  it('deletes by a null value and forwards it, also for a key it never had', () => {
    const driver = tableDriver((table) => table.toStream().to('out'));
    driver.pipe('in', 'a', 1, 1);
    driver.pipe('in', 'a', null, 2);
    driver.pipe('in', 'b', null, 3);
    driver.pipe('in', null, 4, 4);
    expect(driver.lines('out')).toEqual(['a=1@1', 'a=null@2', 'b=null@3']);
    expect(driver.stores.get('rows')!.content()).toEqual(new Map());
    expect(driver.drops.map(({ code }) => code)).toEqual(['MILLRACE_NULL_KEY']);
  });

  it.each([
    ['kept nowhere', undefined],
    ['materialized', Materialized.as('filtered')],
  ])('forwards a deletion only for keys that had passed its filter (%s)', (_title, materialized) => {
    const driver = tableDriver((table) =>
      table
        .filter((_key, value) => value > 1, materialized)
        .toStream()
        .to('out'),
    );
    driver.pipe('in', 'a', 1, 1);
    driver.pipe('in', 'a', 2, 2);
    driver.pipe('in', 'a', 3, 3);
    driver.pipe('in', 'a', 0, 4);
    driver.pipe('in', 'a', null, 5);
    expect(driver.lines('out')).toEqual(['a=2@2', 'a=3@3', 'a=null@4']);
  });

  it('maps values, never deletions', () => {
    const driver = tableDriver((table) =>
      table
        .mapValues((value, key) => `${key}${value}`)
        .toStream()
        .to('out', { valueSerde: text }),
    );
    driver.pipe('in', 'a', 1, 1);
    driver.pipe('in', 'a', null, 2);
    expect(driver.lines('out')).toEqual(['a=a1@1', 'a=null@2']);
  });

  it('gives a filter behind mapValues the old mapped value', () => {
    const driver = tableDriver((table) =>
      table
        .mapValues((value) => value * 10)
        .filterNot((_key, value) => value < 20)
        .toStream()
        .to('out', { valueSerde: integer }),
    );
    for (const [at, value] of [1, 2, 1, 1].entries()) driver.pipe('in', 'a', value, at);
    expect(driver.lines('out')).toEqual(['a=20@1', 'a=null@2']);
  });

  it('keeps a materialized mapValues in a store of its own', () => {
    const driver = tableDriver((table) => {
      table
        .mapValues((value) => String(value), Materialized.as('texts', { valueSerde: text }))
        .toStream()
        .to('out');
    });
    driver.pipe('in', 'a', 1, 9);
    expect(driver.stores.get('texts')!.content()).toEqual(new Map([['a', ['1', 9]]]));
    expect(driver.lines('out')).toEqual(['a=1@9']);
  });
});

describe('a join of a stream with a table', () => {
  const joinDriver = (left: boolean): Driver => {
    const builder = new StreamsBuilder();
    const table = builder.table<string, string>('table', textToText, Materialized.as('rows'));
    const stream = builder.stream<string, string>('in', textToText);
    const joined = left
      ? stream.leftJoin(table, (value, row) => `${value}+${String(row)}`)
      : stream.join(table, (value, row, key) => `${key}:${value}+${row}`);
    joined.to('out', { valueSerde: text });
    return new Driver(builder.build());
  };

  it('meets the value of that moment and has the timestamp of the stream', () => {
    const driver = joinDriver(false);
    driver.pipe('in', 'a', 'early', 1);
    driver.pipe('table', 'a', 'row', 100);
    driver.pipe('in', 'a', 'x', 2);
    driver.pipe('table', 'a', null, 3);
    driver.pipe('in', 'a', 'late', 4);
    expect(driver.lines('out')).toEqual(['a=a:x+row@2']);
  });

  it('gives a left join null where the table has nothing', () => {
    const driver = joinDriver(true);
    driver.pipe('in', 'a', 'x', 1);
    driver.pipe('table', 'a', 'row', 2);
    driver.pipe('in', 'a', 'y', 3);
    driver.pipe('in', null, 'keyless', 4);
    expect(driver.lines('out')).toEqual(['a=x+null@1', 'a=y+row@3', 'null=keyless+null@4']);
    expect(driver.drops).toEqual([]);
  });

  it('drops null values, and null keys of an inner join', () => {
    const inner = joinDriver(false);
    inner.pipe('in', null, 'x');
    inner.pipe('in', 'a', null);
    expect(inner.drops.map(({ code }) => code)).toEqual(['MILLRACE_NULL_KEY', 'MILLRACE_NULL_VALUE']);
    const left = joinDriver(true);
    left.pipe('in', null, null);
    expect(left.drops.map(({ code }) => code)).toEqual(['MILLRACE_NULL_VALUE']);
    expect([...inner.lines('out'), ...left.lines('out')]).toEqual([]);
  });

  it('reads through filter and mapValues that keep no store', () => {
    const builder = new StreamsBuilder();
    const table = builder
      .table<string, number>('table', textToInteger, Materialized.as('rows'))
      .filter((_key, value) => value > 1)
      .mapValues((value) => value * 10);
    builder
      .stream<string, string>('in', textToText)
      .leftJoin(table, (value, row) => `${value}+${String(row)}`)
      .to('out', { valueSerde: text });
    const driver = new Driver(builder.build());
    driver.pipe('table', 'a', 1);
    driver.pipe('table', 'b', 2);
    for (const key of ['a', 'b', 'c']) driver.pipe('in', key, 'v');
    expect(driver.lines('out')).toEqual(['a=v+null@0', 'b=v+20@0', 'c=v+null@0']);
  });

  it('keeps null keys in a repartition only when a left join follows', () => {
    const run = (left: boolean): Driver => {
      const builder = new StreamsBuilder();
      const table = builder.table<string, string>('table', textToText, Materialized.as('rows'));
      const stream = builder.stream<string, string>('in', textToText).selectKey((): string | null => null);
      const joined = left
        ? stream.leftJoin(table, (value) => value, Joined.as('by-nothing'))
        : stream.join(table, (value) => value, Joined.as('by-nothing'));
      joined.to('out', { valueSerde: text });
      const driver = new Driver(builder.build());
      driver.pipe('in', 'k', 'v', 1);
      return driver;
    };
    expect(run(true).lines('out')).toEqual(['null=v@1']);
    expect(run(false).lines('out')).toEqual([]);
    expect(run(false).drops.map(({ node }) => node)).toEqual(['by-nothing-repartition-filter']);
  });
});
