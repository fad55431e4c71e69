import { describe, expect, it } from '@jest/globals';
import { Materialized, StreamsBuilder } from '#libs/topology';
import type { RecordMetadata } from '#libs/topology';
import { Driver } from './driver.ts';
import { driverOverStream, integer, text, textToInteger, textToText } from './fixtures.ts';

const whereFrom = ({ topic, partition, offset, timestamp, headers }: RecordMetadata): string =>
  `${topic}-${partition}:${offset}@${timestamp} ${headers.length}`;

describe('the metadata of the record in process', () => {
  it('is the last argument of every function on records and values', () => {
    const seen: string[] = [];
    const note =
      <R>(who: string, result: R) =>
      (...given: unknown[]): R => {
        seen.push(`${who} ${whereFrom(given.at(-1) as RecordMetadata)}`);
        return result;
      };
    const driver = driverOverStream((stream) => {
      stream
        .filter(note('filter', true))
        .filterNot(note('filterNot', false))
        .peek(note('peek', undefined))
        .mapValues(note('mapValues', 'v'))
        .flatMapValues(note('flatMapValues', ['v']))
        .selectKey(note<string>('selectKey', 'k'))
        .map(note<[string, string]>('map', ['k', 'v']))
        .flatMap(note<[string, string][]>('flatMap', [['k', 'v']]))
        .branch({ all: note('branch', true) })
        .all.to(note('topic', 'out'), {
          keySerde: text,
          valueSerde: text,
          partitioner: note('partitioner', null),
        });
      stream.foreach(note('foreach', undefined));
    });
    driver.pipe('in', 'k', 'v', 7);
    expect(new Set(seen.map((line) => line.slice(line.indexOf(' ') + 1)))).toEqual(new Set(['in-0:0@7 0']));
    expect(seen).toHaveLength(12);
  });

  it('reaches aggregators, joiners and the functions of tables', () => {
    const builder = new StreamsBuilder();
    const table = builder
      .table<string, number>('rows', textToInteger, Materialized.as('rows'))
      .filter((_key, _value, { offset }) => offset !== 1)
      .mapValues((value, _key, { topic }) => `${topic}=${value}`);
    const stream = builder.stream<string, string>('in', textToText);
    stream
      .leftJoin(table, (value, row, _key, { offset }) => `${value}${offset}+${String(row)}`)
      .to('joined', { valueSerde: text });
    stream
      .groupByKey()
      .aggregate(
        () => 0,
        (_key, _value, sum, { timestamp }) => sum + timestamp,
        Materialized.as('sums', { valueSerde: integer }),
      )
      .toStream()
      .to('sums');
    table.toStream().to('table', { valueSerde: text });
    const driver = new Driver(builder.build());
    driver.pipe('rows', 'a', 5, 1);
    driver.pipe('in', 'a', 'x', 10);
    driver.pipe('in', 'a', 'y', 20);
    expect(driver.lines('joined')).toEqual(['a=x0+in=5@10', 'a=y1+null@20']);
    expect(driver.lines('sums')).toEqual(['a=10@10', 'a=30@20']);
  });
});

describe('a partitioner', () => {
  it('may choose several partitions, or none', () => {
    const driver = driverOverStream((stream) =>
      stream.to('out', {
        partitioner: (_topic, _key, value, count) =>
          value === 'all' ? Array.from({ length: count }, (_, index) => index) : value === 'none' ? [] : 2,
      }),
    );
    for (const value of ['all', 'none', 'one']) driver.pipe('in', 'k', value);
    expect(
      driver.outputs('out').map(({ value, partition }) => `${String(value)}@${String(partition)}`),
    ).toEqual(['all@0', 'all@1', 'all@2', 'all@3', 'one@2']);
  });
});
