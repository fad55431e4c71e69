// The windows that Kafka Streams has not, compared with naive models over any records.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { WindowedSerdes } from '#libs/serde';
import { CountWindows, CumulativeWindows, EmitStrategy, Materialized, TimeWindows } from '#libs/topology';
import type { KTable, TimeWindowedKStream } from '#libs/topology';
import type { Windowed } from '#libs/serde';
import { driverOverStream, text } from './fixtures.ts';
import type { Driver } from './driver.ts';
import { windowLines } from './windowed-lines.ts';

interface Input {
  readonly key: string;
  readonly value: string;
  readonly time: number;
}

const input = fc.record({
  key: fc.constantFrom('a', 'b'),
  value: fc.constantFrom('x', 'y', 'z'),
  time: fc.integer({ min: 0, max: 80 }),
});
const inputs = fc.array(input, { maxLength: 40 });

const joined = (windowed: TimeWindowedKStream<string, string>): KTable<Windowed<string>, string, never> =>
  windowed.reduce((x, y) => x + y, Materialized.as('joined'));

function driverOf(
  windows: CountWindows | CumulativeWindows | TimeWindows,
  emit: EmitStrategy = EmitStrategy.onWindowUpdate(),
): Driver {
  return driverOverStream((stream) => {
    const windowed = stream.groupByKey().windowedBy(windows).emitStrategy(emit);
    joined(windowed)
      .toStream()
      .to('out', { keySerde: WindowedSerdes.sessionWindowed(text), valueSerde: text });
    windowed.lateRecords().to('late');
  });
}

function fed(driver: Driver, records: readonly Input[]): Driver {
  for (const { key, value, time } of records) driver.pipe('in', key, value, time);
  return driver;
}

interface Row {
  key: string;
  start: number;
  end: number;
  value: string;
  time: number;
}

const line = ({ key, start, end, value, time }: Row): string =>
  `${key}@${start}-${end}=${JSON.stringify(value)}@${time}`;

/** Adds a record to the row of a window, which is made when there is none. */
function added(rows: Row[], { key, value, time }: Input, start: number, end: number): Row {
  let row = rows.find((other) => other.key === key && other.start === start && other.end === end);
  if (row === undefined) rows.push((row = { key, start, end, value: '', time }));
  row.value += value;
  row.time = Math.max(row.time, time);
  return row;
}

describe('cumulative windows', () => {
  const options = fc.record({
    stepMs: fc.integer({ min: 1, max: 9 }),
    steps: fc.integer({ min: 1, max: 5 }),
    graceMs: fc.integer({ min: 0, max: 20 }),
  });

  it('share their start and grow by steps', () => {
    fc.assert(
      fc.property(inputs, options, (records, { stepMs, steps, graceMs }) => {
        const maxSizeMs = stepMs * steps;
        const rows: Row[] = [];
        const updates: string[] = [];
        const late: string[] = [];
        let now = -1;
        for (const record of records) {
          now = Math.max(now, record.time);
          const start = Math.floor(record.time / maxSizeMs) * maxSizeMs;
          let isLate = true;
          for (let end = start + stepMs; end <= start + maxSizeMs; end += stepMs) {
            if (record.time >= end || end <= now - graceMs) continue;
            isLate = false;
            updates.push(line(added(rows, record, start, end)));
          }
          if (isLate) late.push(`${record.key}=${record.value}@${record.time}`);
        }
        const windows = CumulativeWindows.ofMaxSizeAndStepAndGrace(maxSizeMs, stepMs, graceMs);
        const driver = fed(driverOf(windows), records);
        expect(windowLines(driver)).toEqual(updates);
        expect(driver.lines('late')).toEqual(late);
      }),
    );
  });

  it('give the last of each window on close, by end and key', () => {
    fc.assert(
      fc.property(inputs, options, (records, { stepMs, steps, graceMs }) => {
        const windows = CumulativeWindows.ofMaxSizeAndStepAndGrace(stepMs * steps, stepMs, graceMs);
        const last = new Map<string, string>();
        for (const update of windowLines(fed(driverOf(windows), records))) {
          last.set(update.slice(0, update.indexOf('=')), update);
        }
        const driver = fed(driverOf(windows, EmitStrategy.onWindowClose()), records);
        driver.advanceEventTime(1000);
        const closed = windowLines(driver);
        expect([...closed].sort()).toEqual([...last.values()].sort());
        const order = closed.map((text) => {
          const [, key, end] = /^(.)@\d+-(\d+)/.exec(text)!;
          return [Number(end), key!] as const;
        });
        expect(order).toEqual([...order].sort(([x, a], [y, b]) => x - y || (a < b ? -1 : 1)));
      }),
    );
  });

  it('of one step are tumbling windows', () => {
    fc.assert(
      fc.property(inputs, fc.integer({ min: 1, max: 20 }), (records, sizeMs) => {
        const cumulative = CumulativeWindows.ofMaxSizeAndStepWithNoGrace(sizeMs, sizeMs);
        const tumbling = TimeWindows.ofSizeWithNoGrace(sizeMs);
        expect(windowLines(fed(driverOf(cumulative), records))).toEqual(
          windowLines(fed(driverOf(tumbling), records)),
        );
      }),
    );
  });
});

describe('count windows', () => {
  const options = fc
    .record({ size: fc.integer({ min: 1, max: 6 }), slide: fc.integer({ min: 1, max: 6 }) })
    .filter(({ size, slide }) => slide <= size);

  function model(
    records: readonly Input[],
    size: number,
    slide: number,
  ): { updates: string[]; full: string[] } {
    const rows: Row[] = [];
    const places = new Map<string, number>();
    const updates: string[] = [];
    const full: string[] = [];
    for (const record of records) {
      const place = places.get(record.key) ?? 0;
      places.set(record.key, place + 1);
      for (let start = 0; start <= place; start += slide) {
        if (place >= start + size) continue;
        const update = line(added(rows, record, start, start + size));
        updates.push(update);
        if (place + 1 === start + size) full.push(update);
      }
    }
    return { updates, full };
  }

  it('take the records of a key by their number, whatever their time', () => {
    fc.assert(
      fc.property(inputs, options, (records, { size, slide }) => {
        const driver = fed(driverOf(CountWindows.ofSize(size).slideBy(slide)), records);
        expect(windowLines(driver)).toEqual(model(records, size, slide).updates);
        expect(driver.drops).toEqual([]);
      }),
    );
  });

  it('give each full window once on close', () => {
    fc.assert(
      fc.property(inputs, options, (records, { size, slide }) => {
        const windows = CountWindows.ofSize(size).slideBy(slide);
        const driver = fed(driverOf(windows, EmitStrategy.onWindowClose()), records);
        expect(windowLines(driver)).toEqual(model(records, size, slide).full);
      }),
    );
  });

  it('keep no more rows of a key than windows are open', () => {
    fc.assert(
      fc.property(inputs, options, (records, { size, slide }) => {
        const driver = fed(driverOf(CountWindows.ofSize(size).slideBy(slide)), records);
        const rows = driver.orderedStores.get('joined')!.rows();
        for (const key of ['a', 'b']) {
          expect(rows.filter(({ group }) => group === key).length).toBeLessThanOrEqual(
            Math.ceil(size / slide),
          );
        }
      }),
    );
  });
});
