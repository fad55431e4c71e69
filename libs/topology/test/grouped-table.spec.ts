import { describe, expect, it } from '@jest/globals';
import { compileCodec, Serdes } from '#libs/serde';
import type { BinaryString } from '#libs/serde';
import { Grouped, Materialized, StreamsBuilder } from '#libs/topology';
import type { KTable } from '#libs/topology';
import { changeSerde } from '../src/operators/change.ts';
import { Driver } from './driver.ts';
import { driverOverStream, integer, text, textToText } from './fixtures.ts';

const overTable = (draw: (table: KTable<string, string>) => void): Driver => {
  const builder = new StreamsBuilder();
  draw(builder.table<string, string>('in', textToText, Materialized.as('rows')));
  return new Driver(builder.build());
};

/** 'x3' is 3 in the group 'x'; '-' is in no group. */
const group = (value: string): [string, number] | null =>
  value === '-' ? null : [value[0]!, Number(value.slice(1))];
const byFirstLetter = Grouped.with(text, integer, { name: 'by-letter' });

describe('a grouped table', () => {
  it('takes a row out of the group it leaves before it enters another', () => {
    const driver = overTable((table) =>
      table
        .groupBy((_key, value) => group(value), byFirstLetter)
        .reduce(
          (sum, value) => sum + value,
          (sum, value) => sum - value,
          Materialized.as('sums'),
        )
        .toStream()
        .to('out'),
    );
    driver.pipe('in', 'a', 'x1', 10);
    driver.pipe('in', 'b', 'x2', 20);
    driver.pipe('in', 'a', 'x5', 5);
    driver.pipe('in', 'a', 'y5', 30);
    driver.pipe('in', 'b', null, 40);
    driver.pipe('in', 'a', '-', 50);
    expect(driver.lines('out')).toEqual([
      'x=1@10',
      'x=3@20',
      'x=7@20',
      'x=2@30',
      'y=5@30',
      'x=0@40',
      'y=0@50',
    ]);
  });

  it('counts rows down to 0, and needs no record for a row that was never there', () => {
    const driver = overTable((table) =>
      table
        .groupBy((_key, value) => group(value), byFirstLetter)
        .count(Materialized.as('counts'))
        .toStream()
        .to('out'),
    );
    driver.pipe('in', 'a', null, 1);
    driver.pipe('in', 'a', 'x1', 2);
    driver.pipe('in', 'a', 'x2', 3);
    driver.pipe('in', 'a', null, 4);
    expect(driver.lines('out')).toEqual(['x=1@2', 'x=1@3', 'x=0@4']);
  });

  it('starts a deleted group anew from its initializer', () => {
    const driver = overTable((table) =>
      table
        .groupBy((_key, value) => group(value), byFirstLetter)
        .aggregate<{ rows: number[] }>(
          () => ({ rows: [] }),
          (_key, value, aggregate) => {
            aggregate.rows.push(value);
            return aggregate;
          },
          (_key, value, { rows }) =>
            rows.length === 1 ? null : { rows: rows.filter((row) => row !== value) },
          Materialized.as('lists', { valueSerde: Serdes.json<{ rows: number[] }>() }),
        )
        .toStream()
        .to('out'),
    );
    driver.pipe('in', 'a', 'x1', 1);
    driver.pipe('in', 'b', 'x2', 2);
    driver.pipe('in', 'a', null, 3);
    driver.pipe('in', 'b', null, 4);
    driver.pipe('in', 'b', 'x3', 5);
    expect(driver.lines('out')).toEqual([
      'x={"rows":[1]}@1',
      'x={"rows":[1,2]}@2',
      'x={"rows":[2]}@3',
      'x=null@4',
      'x={"rows":[3]}@5',
    ]);
  });

  it('tells what an aggregate was before its aggregator changed it in place', () => {
    const driver = driverOverStream((stream) =>
      stream
        .groupByKey()
        .aggregate(
          () => ({ size: 0 }),
          (_key, _value, aggregate) => {
            aggregate.size++;
            return aggregate;
          },
          Materialized.as('sizes', { valueSerde: Serdes.json<{ size: number }>() }),
        )
        .groupBy((_key, { size }) => ['all', size], Grouped.with(text, integer))
        .reduce(
          (sum, size) => sum + size,
          (sum, size) => sum - size,
          Materialized.as('total'),
        )
        .toStream()
        .to('out'),
    );
    for (const key of ['a', 'a', 'b', 'a']) driver.pipe('in', key, '', 0);
    expect(driver.lines('out').map((line) => line.slice(4, 5))).toEqual(['1', '2', '3', '4']);
  });

  it('shares one topic between the aggregations of a named group, and gives others one each', () => {
    const topicsOf = (name?: string): readonly string[] => {
      const builder = new StreamsBuilder();
      const grouped = builder
        .table<string, string>('in', textToText, Materialized.as('rows'))
        .groupBy((_key, value) => group(value), { keySerde: text, valueSerde: integer, name });
      grouped.count(Materialized.as('counts')).toStream().to('counted');
      grouped.count(Materialized.as('again')).toStream().to('counted-again');
      return builder.build().repartitions.map((repartition) => repartition.name);
    };
    expect(topicsOf('named')).toEqual(['named']);
    expect(topicsOf()).toEqual(['counts', 'again']);
  });

  it('compares keys that are objects by their encoding', () => {
    const builder = new StreamsBuilder();
    builder
      .table<string, string>('in', textToText, Materialized.as('rows'))
      .groupBy(
        (_key, value) => [{ letter: value[0]! }, value],
        Grouped.with(Serdes.json<{ letter: string }>(), text),
      )
      .reduce(
        (_aggregate, value) => value,
        (aggregate, value) => `${aggregate}-${value}`,
        Materialized.as('last'),
      )
      .toStream()
      .to('out');
    const driver = new Driver(builder.build());
    driver.pipe('in', 'a', 'x1', 1);
    driver.pipe('in', 'a', 'x2', 2);
    expect(driver.outputs('out').map(({ value }) => value)).toEqual(['x1', 'x2']);
  });
});

describe('the serde of a change', () => {
  const codec = compileCodec(changeSerde(text));

  it.each([
    ['new', { newValue: 'ä', oldValue: null }],
    ['old', { newValue: null, oldValue: 'b' }],
    ['both', { newValue: '', oldValue: 'bé' }],
  ])('gives back a change with %s', (_title, change) => {
    expect(codec.fromBinary(codec.toBinary(change), false)).toEqual(change);
  });

  it.each(['', '\x00', '\x21a', '\x13', '\x13\x00\x00\x00\x09a'])('refuses %j', (bytes) => {
    expect(() => codec.fromBinary(bytes as BinaryString, false)).toThrow(/MILLRACE_DESERIALIZATION_FAILED/);
  });
});

describe('a stream as a table', () => {
  it('keeps the newest value of a key', () => {
    const driver = driverOverStream((stream) =>
      stream.toTable(Materialized.as('newest')).toStream().to('out'),
    );
    driver.pipe('in', 'a', 'x', 10);
    driver.pipe('in', 'a', 'y', 5);
    driver.pipe('in', 'a', null, 20);
    driver.pipe('in', null, 'z', 30);
    expect(driver.lines('out')).toEqual(['a=x@10', 'a=y@5', 'a=null@20']);
    expect(driver.drops.map(({ code }) => code)).toEqual(['MILLRACE_NULL_KEY']);
  });

  it('is repartitioned by the name of its store when the key was changed', () => {
    const driver = driverOverStream((stream) =>
      stream
        .selectKey((_key, value) => value)
        .toTable(Materialized.as('newest', { keySerde: text }))
        .toStream((key, value) => `${key}${value}`)
        .to('out', { keySerde: text }),
    );
    driver.pipe('in', 'a', 'x', 10);
    expect(driver.lines('out')).toEqual(['xx=x@10']);
    expect(driver.stores.get('newest')!.content()).toEqual(new Map([['x', ['x', 10]]]));
  });
});
