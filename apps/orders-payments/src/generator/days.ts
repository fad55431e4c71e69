// Owns two days of a shop, as its neighbours publish them: Friday with its orders, payments and shipments, and the first orders of Monday. The
// same seed gives the same days. Some records no one can read; some orders are in a currency that the service has no rate for at first.
import { Random } from '../../../lesson-kit/src/index.ts';
import type { Customer, Order, Payment, Shipment } from '../data/records.ts';
import { TOPICS } from '../data/topics.ts';

/** A record as it is published. */
export interface Message {
  readonly topic: string;
  readonly key: string;
  readonly value: string;
  /** Milliseconds since the Unix epoch. */
  readonly timestamp: number;
}

/** A value with the time it is of. */
export interface At<T> {
  readonly at: number;
  readonly value: T;
}

export interface Days {
  /** What there is before the shop opens. */
  readonly customers: readonly At<Customer>[];
  readonly orders: readonly At<Order>[];
  readonly payments: readonly At<Payment>[];
  readonly shipments: readonly At<Shipment>[];
  /** Orders and payments that were cut off on their way: they belong to no order above. */
  readonly unreadable: readonly Message[];
  /** Orders from this time on are Monday's. */
  readonly mondayAt: number;
}

export interface DaysOptions {
  readonly seed: number;
  /** Of Friday. Default 3,000. */
  readonly orders?: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const FRIDAY_AT = Date.UTC(2026, 2, 6, 8);
const MONDAY_AT = Date.UTC(2026, 2, 9, 8);
const OPEN_MS = 12 * HOUR_MS;
const MONDAY_ORDERS = 60;
const CUSTOMERS = 200;
const BLOCKED_AT_NOON = 6;
const UNREADABLE_SHARE = 0.003;

const NAMES = ['Ada', 'Blaise', 'Carl', 'Dorothy', 'Emmy', 'Félix', 'Grace', 'Hedy', 'Ida', 'Joan'];

export function generateDays({ seed, orders: count = 3_000 }: DaysOptions): Days {
  const random = new Random(seed);
  const customers = customersOf(random);
  const known = customers.slice(0, CUSTOMERS).map(({ value }) => value.id);
  const blocked = new Set(customers.slice(CUSTOMERS).map(({ value }) => value.id));
  const reliable = known.filter((id) => !blocked.has(id));
  const orders: At<Order>[] = [];
  const payments: At<Payment>[] = [];
  const shipments: At<Shipment>[] = [];
  const unreadable: Message[] = [];

  for (let number = 1; number <= count; number++) {
    const at = FRIDAY_AT + Math.floor(((number - random.next()) / count) * OPEN_MS);
    const id = `o${String(number).padStart(5, '0')}`;
    // One in a hundred orders is of somebody whom nobody knows.
    const customer = random.chance(0.01) ? `x${String(number)}` : random.pick(known);
    const order: Order = { id, customer, amount: random.between(500, 40_000), currency: currencyOf(random) };
    orders.push({ at, value: order });
    if (random.chance(0.9)) payments.push(paymentOf(order, at + random.between(20, 25 * 60) * 1_000));
    // Sometimes before it is paid, and sometimes although it never is.
    if (random.chance(0.5)) {
      const carrier = random.pick(['north', 'south']);
      shipments.push({
        at: at + random.between(1, 90) * MINUTE_MS,
        value: { id: `s-${id}`, order: id, carrier },
      });
    }
    if (random.chance(UNREADABLE_SHARE)) {
      const topic = random.chance(0.6) ? TOPICS.orders : TOPICS.payments;
      unreadable.push({ topic, key: `cut-${number}`, value: `{"id":"cut-${number}","amo`, timestamp: at });
    }
  }
  for (let number = 1; number <= MONDAY_ORDERS; number++) {
    const at = MONDAY_AT + number * MINUTE_MS;
    const id = `m${String(number).padStart(5, '0')}`;
    const order: Order = {
      id,
      customer: random.pick(reliable),
      amount: random.between(500, 40_000),
      currency: 'EUR',
    };
    orders.push({ at, value: order });
    payments.push(paymentOf(order, at + 30_000));
  }
  return { customers, orders, payments, shipments, unreadable, mondayAt: MONDAY_AT };
}

/** As they are published: in the order of time. */
export function messagesOf({ customers, orders, payments, shipments, unreadable }: Days): Message[] {
  const ordered = <T>(topic: string, all: readonly At<T>[], key: (value: T) => string): Message[] =>
    all.map(({ at, value }) => ({ topic, key: key(value), value: JSON.stringify(value), timestamp: at }));
  return [
    ...ordered(TOPICS.customers, customers, ({ id }) => id),
    ...ordered(TOPICS.orders, orders, ({ id }) => id),
    ...ordered(TOPICS.payments, payments, ({ order }) => order),
    ...ordered(TOPICS.shipments, shipments, ({ id }) => id),
    ...unreadable,
  ].sort((a, b) => a.timestamp - b.timestamp);
}

/** All of them are known since the day before; some are blocked at noon. */
function customersOf(random: Random): At<Customer>[] {
  const all = Array.from({ length: CUSTOMERS }, (_, index): At<Customer> => {
    const id = `c${String(index + 1).padStart(3, '0')}`;
    return {
      at: FRIDAY_AT - 24 * HOUR_MS,
      value: { id, name: `${random.pick(NAMES)} (${id})`, blocked: false },
    };
  });
  const blocked = Array.from({ length: BLOCKED_AT_NOON }, (_, index): At<Customer> => {
    const { value } = all[index * 30]!;
    return { at: FRIDAY_AT + OPEN_MS / 2, value: { ...value, blocked: true } };
  });
  return [...all, ...blocked];
}

function currencyOf(random: Random): string {
  const dice = random.next();
  return dice < 0.6 ? 'EUR' : dice < 0.8 ? 'USD' : dice < 0.92 ? 'GBP' : 'SEK';
}

function paymentOf({ id, amount }: Order, at: number): At<Payment> {
  return { at, value: { id: `p-${id}`, order: id, amount } };
}
