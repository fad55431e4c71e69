// docs/guide/processors.md shows the code that runs here.
import { describe, expect, it } from '@jest/globals';
import { Driver } from './driver.ts';
import { guidePage } from './guide-pages.ts';
import * as snippets from './guide-processors-snippets.ts';

const order = (id: string, amount: number): object => ({ id, amount });

describe('the guide to processors', () => {
  it('shows the code that runs here, and no other', () => {
    const { shown, written, blocks } = guidePage('processors');
    expect(shown).toEqual(written);
    expect(blocks).toBe(Object.keys(shown).length);
  });

  it('lets each order through once', () => {
    const driver = new Driver(snippets.functionTopology());
    driver.pipe('orders', 'ada', order('1', 5), 1);
    driver.pipe('orders', 'bob', order('1', 5), 2);
    driver.pipe('orders', 'ada', order('2', 5), 3);
    expect(driver.lines('unique-orders')).toEqual([
      'ada={"id":"1","amount":5}@1',
      'ada={"id":"2","amount":5}@3',
    ]);
  });

  it.each([
    ['with the DSL', snippets.classTopology],
    ['node by node', snippets.nodesTopology],
  ])('reports totals once a minute (%s)', (_title, topology) => {
    const driver = new Driver(topology());
    driver.pipe('orders', 'bob', order('1', 5));
    driver.pipe('orders', 'ada', order('2', 7));
    driver.pipe('orders', 'bob', order('3', 1));
    driver.advanceWallClock(60_000);
    driver.advanceWallClock(60_000);
    expect(driver.lines('summaries')).toEqual(['ada=spent 7@60000', 'bob=spent 6@60000']);
  });

  it('sends what is rejected aside', () => {
    const driver = new Driver(snippets.valuesTopology());
    driver.pipe('orders', 'ada', order('1', 5), 1);
    driver.pipe('orders', 'ada', order('2', 0), 2);
    expect(driver.lines('checked-orders')).toEqual(['ada={"id":"1","amount":5}@1']);
    expect(driver.lines('rejected-orders')).toEqual(['ada=2 costs 0@2']);
  });

  it('sums the last hour', () => {
    const driver = new Driver(snippets.windowsTopology());
    driver.pipe('orders', 'ada', order('1', 5), 1_000);
    driver.pipe('orders', 'ada', order('2', 7), 1_000);
    driver.pipe('orders', 'ada', order('3', 1), 3_601_000);
    expect(driver.lines('last-hour')).toEqual(['ada=5@1000', 'ada=12@1000', 'ada=1@3601000']);
  });
});
