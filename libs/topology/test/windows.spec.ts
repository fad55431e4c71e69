import { describe, expect, it } from '@jest/globals';
import { WindowedSerdes } from '#libs/serde';
import { EmitStrategy, Materialized, Produced, TimeWindows } from '#libs/topology';
import type { Driver } from './driver.ts';
import { driverOverStream, integer, text } from './fixtures.ts';

/** `key@start-end=value@timestamp`. */
export function results(driver: Driver, topic = 'out'): string[] {
  return driver.outputs(topic).map(({ key, value, timestamp }) => {
    const { key: inner, window } = key as { key: unknown; window: { start: number; end: number } };
    return `${String(inner)}@${window.start}-${window.end}=${JSON.stringify(value)}@${timestamp}`;
  });
}

describe('tumbling windows', () => {
  it('count each key by window', () => {
    const driver = driverOverStream((stream) =>
      stream
        .groupByKey()
        .windowedBy(TimeWindows.ofSizeWithNoGrace(10))
        .count(Materialized.as('counts'))
        .toStream()
        .to('out', Produced.with(WindowedSerdes.timeWindowed(text, 10), integer)),
    );
    driver.pipe('in', 'a', 'x', 1);
    driver.pipe('in', 'b', 'x', 2);
    driver.pipe('in', 'a', 'x', 9);
    driver.pipe('in', 'a', 'x', 10);
    expect(results(driver)).toEqual(['a@0-10=1@1', 'b@0-10=1@2', 'a@0-10=2@9', 'a@10-20=1@10']);
  });

  it('drop what comes when they are closed, and hand it to those who take late records', () => {
    const driver = driverOverStream((stream) => {
      const windowed = stream.groupByKey().windowedBy(TimeWindows.ofSizeAndGrace(10, 5));
      windowed.count(Materialized.as('counts')).toStream().to('out');
      windowed.lateRecords().to('late');
    });
    driver.pipe('in', 'a', 'x', 14);
    driver.pipe('in', 'a', 'y', 3);
    driver.pipe('in', 'a', 'z', 15);
    driver.pipe('in', 'a', 'late', 4);
    expect(results(driver)).toEqual(['a@10-20=1@14', 'a@0-10=1@3', 'a@10-20=2@15']);
    expect(driver.lines('late')).toEqual(['a=late@4']);
    expect(driver.drops.map(({ code }) => code)).toEqual(['MILLRACE_LATE_RECORD']);
  });

  it('are emitted once, when they close, in the order of window and key', () => {
    const driver = driverOverStream((stream) =>
      stream
        .groupByKey()
        .windowedBy(TimeWindows.ofSizeAndGrace(10, 2))
        .emitStrategy(EmitStrategy.onWindowClose())
        .count(Materialized.as('counts'))
        .toStream()
        .to('out'),
    );
    driver.pipe('in', 'b', 'x', 1);
    driver.pipe('in', 'a', 'x', 10);
    driver.pipe('in', 'b', 'x', 11);
    driver.pipe('in', 'a', 'x', 5);
    expect(results(driver)).toEqual([]);
    driver.pipe('in', 'b', 'x', 12);
    expect(results(driver)).toEqual(['a@0-10=1@5', 'b@0-10=1@1']);
    driver.advanceEventTime(22);
    expect(results(driver).slice(2)).toEqual(['a@10-20=1@10', 'b@10-20=2@12']);
  });
});
