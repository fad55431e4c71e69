// docs/guide/joins.md shows the code that runs here.
import { describe, expect, it } from '@jest/globals';
import { minutes, seconds } from '#libs/topology';
import { Driver } from './driver.ts';
import { guidePage } from './guide-pages.ts';
import * as snippets from './guide-joins-snippets.ts';

const order = (customer: string, amount: number): { customer: string; amount: number } => ({
  customer,
  amount,
});

describe('the guide to joins', () => {
  it('shows the code that runs here, and no other', () => {
    const { shown, written, blocks } = guidePage('joins');
    expect(shown).toEqual(written);
    expect(blocks).toBe(Object.keys(shown).length);
  });

  it('joins orders with the payments near them', () => {
    const driver = new Driver(snippets.streamsTopology());
    driver.pipe('orders', 'o1', order('ada', 5), minutes(1));
    driver.pipe('payments', 'o1', { amount: 2 }, minutes(3));
    driver.pipe('payments', 'o1', { amount: 3 }, minutes(11));
    driver.pipe('payments', 'o1', { amount: 9 }, minutes(11) + 1);
    expect(driver.lines('paid')).toEqual([`o1=2 of 5@${minutes(3)}`, `o1=3 of 5@${minutes(11)}`]);
  });

  it('tells of orders without a payment once, when their window has closed', () => {
    const driver = new Driver(snippets.unpaidTopology());
    driver.pipe('orders', 'o1', order('ada', 5), 0);
    driver.pipe('orders', 'o2', order('bob', 7), seconds(1));
    driver.pipe('payments', 'o2', { amount: 7 }, minutes(5));
    driver.pipe('orders', 'o3', order('eve', 1), minutes(10));
    expect(driver.lines('reminders')).toEqual([]);
    driver.pipe('orders', 'o4', order('eve', 1), minutes(10) + seconds(2));
    expect(driver.lines('reminders')).toEqual(['o1=ada owes 5@0']);
  });

  it('joins orders with the customer as known', () => {
    const driver = new Driver(snippets.streamTableTopology());
    driver.pipe('orders', 'o1', order('c1', 1), 1);
    driver.pipe('customers', 'c1', { name: 'Ada' }, 2);
    driver.pipe('orders', 'o2', order('c1', 2), 3);
    expect(driver.lines('named-orders')).toEqual(['c1=Ada: 2@3']);
  });

  it('joins orders with the price as of their time', () => {
    const driver = new Driver(snippets.versionedTopology());
    driver.pipe('prices', 'p', 2, 0);
    driver.pipe('orders', 'p', order('c1', 10), minutes(1));
    driver.pipe('prices', 'p', 3, minutes(2));
    driver.pipe('prices', 'p', 2.5, seconds(30));
    driver.pipe('orders', 'q', order('c1', 10), minutes(6));
    expect(driver.lines('priced-orders')).toEqual([`p=25@${minutes(1)}`]);
  });

  it('looks any key up in a global table', () => {
    const driver = new Driver(snippets.globalTopology());
    driver.pipe('countries', 'no', 'Norway', 0);
    driver.pipe('orders', 'o1', order('no-1', 1), 1);
    driver.pipe('orders', 'o2', order('xx-1', 2), 2);
    expect(driver.lines('placed-orders')).toEqual(['o1=1 from Norway@1', 'o2=2 from somewhere@2']);
  });

  it('joins two tables by their key', () => {
    const driver = new Driver(snippets.tablesTopology());
    driver.pipe('customers', 'c1', { name: 'Ada' }, 5);
    driver.pipe('limits', 'c1', 100, 3);
    driver.pipe('limits', 'c2', 100, 6);
    driver.pipe('customers', 'c1', null, 7);
    expect(driver.lines('credit')).toEqual(['c1=Ada up to 0@5', 'c1=Ada up to 100@5', 'c1=null@7']);
  });

  it('joins two tables by a foreign key', () => {
    const driver = new Driver(snippets.foreignKeyTopology());
    driver.pipe('customers', 'c1', { name: 'Ada' }, 1);
    driver.pipe('customers', 'c2', { name: 'Bob' }, 1);
    driver.pipe('open-orders', 'o1', order('c1', 10), 2);
    driver.pipe('open-orders', 'o2', order('c1', 20), 3);
    driver.pipe('customers', 'c1', { name: 'Ada L.' }, 4);
    driver.pipe('open-orders', 'o2', order('c2', 20), 5);
    expect(driver.lines('labels')).toEqual([
      'o1=Ada: 10@2',
      'o2=Ada: 20@3',
      'o1=Ada L.: 10@4',
      'o2=Ada L.: 20@4',
      'o2=Bob: 20@5',
    ]);
  });
});
