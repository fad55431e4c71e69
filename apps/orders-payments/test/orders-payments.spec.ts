// Specifies what becomes of orders: paid, unpaid or refused; those that fail and come back; and that the sums balance.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import { recompute } from '../src/check/recompute.ts';
import type { Customer, Order, Payment, Shipment } from '../src/data/records.ts';
import { TOPICS } from '../src/data/topics.ts';
import { generateDays, messagesOf } from '../src/generator/days.ts';
import type { Message } from '../src/generator/days.ts';
import { append, getTestDriver, play, results, startService } from './shop.ts';

const START = Date.UTC(2026, 2, 6, 8);
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const RATES = { EUR: 1, USD: 0.92, GBP: 1.17 };

const message = (topic: string, key: string, value: object, minute: number): Message => ({
  ...{ topic, key, value: JSON.stringify(value), timestamp: START + minute * MINUTE_MS },
});
const order = (id: string, minute: number, but: Partial<Order> = {}): Message =>
  message(TOPICS.orders, id, { id, customer: 'ada', amount: 1_000, currency: 'EUR', ...but }, minute);
const payment = (id: string, minute: number): Message =>
  message(TOPICS.payments, id, { id: `p-${id}`, order: id, amount: 1_000 } satisfies Payment, minute);
const customer = (id: string, minute: number, blocked = false): Message =>
  message(TOPICS.customers, id, { id, name: id.toUpperCase(), blocked } satisfies Customer, minute);
const shipment = (id: string, orderId: string, minute: number): Message =>
  message(TOPICS.shipments, id, { id, order: orderId, carrier: 'north' } satisfies Shipment, minute);
/** Two days later: a record in each partition, so that time goes on everywhere. */
const later = (): Message[] =>
  Array.from({ length: 30 }, (_, index) => order(`later-${index}`, (2 * DAY_MS) / MINUTE_MS + index));

let rates: Record<string, number>;
let module: TestingModule;
beforeEach(async () => {
  rates = { ...RATES };
  module = await startService(rates);
  await play(module, [customer('ada', -60)]);
});
afterEach(() => module.close());

/** As `order: outcome`, without those of `later`. */
function outcomes(): string[] {
  return results(module)
    .settlements.filter(({ order: id }) => !id.startsWith('later'))
    .map(({ order: id, outcome }) => `${id} ${outcome}`);
}

describe('an order', () => {
  it('is paid as soon as a payment comes within half an hour', async () => {
    await play(module, [order('a', 0), payment('a', 30)]);
    expect(outcomes()).toEqual(['a paid']);
  });

  it('is unpaid when none came, once no order can be put back any more', async () => {
    await play(module, [order('a', 0), payment('b', 5), payment('a', 31)]);
    expect(outcomes()).toEqual([]);
    await play(module, later());
    expect(outcomes()).toEqual(['a unpaid']);
  });

  it('is refused when nobody knows its customer, or the customer was blocked by then', async () => {
    await play(module, [
      ...[customer('bob', 0), customer('bob', 20, true)],
      ...[
        order('a', 1, { customer: 'bob' }),
        payment('a', 2),
        order('b', 3, { customer: 'eve' }),
        payment('b', 4),
      ],
      ...[order('c', 18, { customer: 'bob' }), payment('c', 21)],
    ]);
    expect(outcomes().sort()).toEqual(['a paid', 'b refused', 'c refused']);
  });

  it('in an unknown currency is a dead letter; put back, it is settled as of its own time', async () => {
    await play(module, [customer('bob', 0), customer('bob', 60, true)]);
    const failed = order('a', 1, { customer: 'bob', currency: 'SEK' });
    await play(module, [failed, payment('a', 2), order('b', 600), payment('b', 601)]);
    expect(results(module).dead).toEqual([failed.value]);
    expect(outcomes()).toEqual(['b paid']);
    rates['SEK'] = 0.09;
    await play(module, [failed]);
    expect(outcomes()).toEqual(['b paid', 'a paid']);
    expect(results(module).accounts.get('SEK')).toEqual({
      orders: 1,
      ordered: 90,
      paid: 90,
      unpaid: 0,
      refused: 0,
    });
  });

  it('that cannot be read is a dead letter, and so is such a payment', async () => {
    await play(module, [
      { topic: TOPICS.orders, key: 'a', value: '{"id":', timestamp: START },
      { topic: TOPICS.payments, key: 'a', value: 'no', timestamp: START },
    ]);
    expect([...results(module).dead].sort()).toEqual(['no', '{"id":']);
  });
});

describe('a shipment', () => {
  it('may leave when its order is paid, whichever came first', async () => {
    await play(module, [order('a', 0), shipment('s1', 'a', 1), payment('a', 2), shipment('s2', 'a', 3)]);
    const { releases } = results(module);
    expect([...releases.values()].map((one) => [one.shipment, one.to, one.mayLeave])).toEqual([
      ['s1', 'ADA', true],
      ['s2', 'ADA', true],
    ]);
  });

  it('may not leave when its order is not', async () => {
    await play(module, [order('a', 0), shipment('s1', 'a', 1)]);
    expect(results(module).releases.size).toBe(0);
    await play(module, later());
    expect(results(module).releases.get('s1')?.mayLeave).toBe(false);
  });
});

describe('two days of the shop', () => {
  it.each([1, 2, 3])('balance, with a crash and failed orders put back (seed %d)', async (seed) => {
    await module.close();
    module = await startService(rates);
    const days = generateDays({ seed, orders: 400 });
    const all = messagesOf(days);
    const friday = all.filter(({ timestamp }) => timestamp < days.mondayAt);
    await append(module, friday.slice(0, 300));
    const driver = getTestDriver(module);
    await driver.step(300);
    await driver.crash();
    await driver.restart();
    await play(module, friday.slice(300));
    const { dead } = results(module);
    const unpriced = recompute(days, { rates, until: days.mondayAt, isOver: false }).unpriced;
    expect(unpriced).toBeGreaterThan(0);
    expect(dead).toHaveLength(unpriced + days.unreadable.length);

    rates['SEK'] = 0.09;
    await play(
      module,
      friday.filter(({ topic, value }) => topic === TOPICS.orders && value.includes('SEK')),
    );
    await play(
      module,
      all.filter(({ timestamp }) => timestamp >= days.mondayAt),
    );

    const expected = recompute(days, { rates, until: Infinity, isOver: true });
    const { settlements, accounts, releases } = results(module);
    const byOrder = new Map(settlements.map((settlement) => [settlement.order, settlement]));
    expect(settlements).toHaveLength(days.orders.length);
    expect(byOrder).toEqual(expected.settlements);
    expect(accounts).toEqual(expected.accounts);
    expect(releases).toEqual(expected.releases);
    for (const { ordered, paid, unpaid, refused } of accounts.values())
      expect(paid + unpaid + refused).toBe(ordered);
  });
});
