// docs/guide/windows.md shows the code that runs here.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { days, hours, minutes, seconds } from '#libs/topology';
import { Driver } from './driver.ts';
import * as snippets from './guide-windows-snippets.ts';
import { windowLines } from './windowed-lines.ts';

const guide = readFileSync(join(import.meta.dirname, '../../../docs/guide/windows.md'), 'utf8');
const shown = new Map(
  [...guide.matchAll(/<!-- snippet: (\w+) -->\s*```ts\n(.*?)```/gs)].map((match): [string, string] => [
    match[1]!,
    match[2]!,
  ]),
);
const source = readFileSync(join(import.meta.dirname, 'guide-windows-snippets.ts'), 'utf8');
const written = new Map(
  [...source.matchAll(/^( *)\/\/ #region (\w+)\n(.*?)^ *\/\/ #endregion/gms)].map(
    (match): [string, string] => [match[2]!, match[3]!.replaceAll(new RegExp(`^${match[1]!}`, 'gm'), '')],
  ),
);

function click(driver: Driver, user: string, page: string, time: number): void {
  driver.pipe('clicks', user, { page }, time);
}

describe('the guide to windows', () => {
  it('shows the code that runs here, and no other', () => {
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(written));
    expect(guide.match(/```ts/g)).toHaveLength(shown.size);
  });

  it('counts clicks in windows of five minutes', () => {
    const driver = new Driver(snippets.tumblingTopology());
    click(driver, 'ada', '/', minutes(1));
    click(driver, 'ada', '/a', minutes(5) + seconds(29));
    click(driver, 'ada', '/b', minutes(4));
    click(driver, 'ada', '/c', minutes(5) + seconds(30));
    click(driver, 'ada', '/d', minutes(4));
    expect(driver.outputs('activity').map(({ value }) => value)).toEqual([
      { from: 0, to: minutes(5), count: 1 },
      { from: minutes(5), to: minutes(10), count: 1 },
      { from: 0, to: minutes(5), count: 2 },
      { from: minutes(5), to: minutes(10), count: 2 },
    ]);
  });

  it('writes windowed keys', () => {
    const driver = new Driver(snippets.keysTopology());
    click(driver, 'ada', '/', minutes(6));
    expect(windowLines(driver, 'activity')).toHaveLength(5);
  });

  it('joins clicks into visits', () => {
    const driver = new Driver(snippets.sessionTopology());
    click(driver, 'ada', '/', 0);
    click(driver, 'ada', '/b', minutes(34));
    click(driver, 'ada', '/a', minutes(20));
    expect(windowLines(driver, 'visits').at(-1)).toBe(
      `ada@0-${minutes(34)}={"first":"/","clicks":3}@${minutes(34)}`,
    );
  });

  it('finds robots', () => {
    const driver = new Driver(snippets.slidingTopology());
    for (let i = 0; i < 101; i++) click(driver, 'bot', '/', seconds(60) + i);
    expect(windowLines(driver, 'robots')).toEqual([
      `bot@${seconds(50) + 100}-${seconds(60) + 100}=101@${seconds(60) + 100}`,
    ]);
  });

  it('tells every hour of the day so far', () => {
    const driver = new Driver(snippets.dayTopology());
    for (const hour of [0, 2, 3]) click(driver, 'ada', '/', hours(hour));
    expect(windowLines(driver, 'day-so-far')).toEqual([
      `ada@0-${hours(1)}=1@0`,
      `ada@0-${hours(2)}=1@0`,
      `ada@0-${hours(3)}=2@${hours(2)}`,
    ]);
    driver.advanceEventTime(days(1));
    expect(windowLines(driver, 'day-so-far').at(-1)).toBe(`ada@0-${days(1)}=3@${hours(3)}`);
  });

  it('gives the last three pages', () => {
    const driver = new Driver(snippets.countTopology());
    for (const page of ['a', 'b', 'c', 'd']) click(driver, 'ada', page, 0);
    expect(driver.outputs('paths').map(({ value }) => value)).toEqual([{ page: 'a b c' }, { page: 'b c d' }]);
  });

  it('puts late clicks aside', () => {
    const driver = new Driver(snippets.lateTopology());
    click(driver, 'ada', '/', minutes(5));
    click(driver, 'ada', '/late', minutes(4));
    expect(driver.lines('late-clicks')).toEqual([`ada={"page":"/late"}@${minutes(4)}`]);
  });

  it('gives final results only', () => {
    const driver = new Driver(snippets.finalTopology());
    for (const time of [0, 1, 2, minutes(6)]) click(driver, 'ada', '/', time);
    expect(windowLines(driver, 'busy-users')).toEqual([`ada@0-${minutes(5)}=3@2`]);
  });

  it('limits the rate of updates', () => {
    const driver = new Driver(snippets.limitTopology());
    for (const time of [0, 1, 2, seconds(10)]) click(driver, 'ada', '/', time);
    expect(driver.lines('totals')).toEqual([`ada=4@${seconds(10)}`]);
  });
});
