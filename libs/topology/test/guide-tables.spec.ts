// docs/guide/tables.md shows the code that runs here.
import { describe, expect, it } from '@jest/globals';
import { Driver } from './driver.ts';
import { guidePage } from './guide-pages.ts';
import * as snippets from './guide-tables-snippets.ts';

describe('the guide to tables', () => {
  it('shows the code that runs here, and no other', () => {
    const { shown, written, blocks } = guidePage('tables');
    expect(shown).toEqual(written);
    expect(blocks).toBe(Object.keys(shown).length);
  });

  it('keeps the newest position of each vehicle', () => {
    const driver = new Driver(snippets.newestTopology());
    driver.pipe('positions', 'v1', 'here', 1);
    driver.pipe('positions', 'V1', 'there', 2);
    driver.pipe('positions', 'v1', null, 3);
    expect(driver.lines('by-position')).toEqual(['here=here@1', 'there=there@2', 'V1=null@3']);
  });

  it('counts and sums users by city', () => {
    const driver = new Driver(snippets.groupedTopology());
    driver.pipe('users', 'u1', { city: 'Oslo', spent: 10 }, 1);
    driver.pipe('users', 'u2', { city: 'Oslo', spent: 5 }, 2);
    driver.pipe('users', 'u1', { city: 'Rome', spent: 10 }, 3);
    driver.pipe('users', 'u2', { city: 'Oslo', spent: 7 }, 4);
    expect(driver.lines('users-by-city')).toEqual([
      'Oslo=1@1',
      'Oslo=2@2',
      'Oslo=1@3',
      'Rome=1@3',
      'Oslo=1@4',
    ]);
    expect(driver.lines('spent-by-city')).toEqual([
      'Oslo=10@1',
      'Oslo=15@2',
      'Oslo=5@3',
      'Rome=10@3',
      'Oslo=7@4',
    ]);
  });

  it('deletes a city without users', () => {
    const driver = new Driver(snippets.collectedTopology());
    driver.pipe('users', 'u1', { city: 'Oslo', spent: 1 }, 1);
    driver.pipe('users', 'u1', { city: 'Rome', spent: 1 }, 2);
    expect(driver.lines('ids-by-city')).toEqual(['Oslo=["u1"]@1', 'Oslo=null@2', 'Rome=["u1"]@2']);
  });

  it('makes profiles of clicks and orders', () => {
    const driver = new Driver(snippets.cogroupedTopology());
    driver.pipe('clicks', 'ada', '/', 1);
    driver.pipe('orders', 'ada', 'book', 2);
    expect(driver.lines('profiles')).toEqual([
      'ada={"clicks":1,"orders":[]}@1',
      'ada={"clicks":1,"orders":["book"]}@2',
    ]);
    expect(driver.lines('hourly-profiles').at(-1)).toBe('ada@0={"clicks":1,"orders":["book"]}@2');
  });

  it('gives users levels, and takes them back', () => {
    const driver = new Driver(snippets.transformedTopology());
    driver.pipe('users', 'u1', { city: 'Oslo', spent: 200 }, 10);
    driver.pipe('users', 'u1', null, 20);
    expect(driver.lines('levels')).toEqual(['u1=gold since 10@10', 'u1=null@20']);
  });
});
