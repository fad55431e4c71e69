// Owns the sums of a currency. They are of whole cents: exact in any order, and after any restart.
import type { Account, PricedOrder, Settlement } from '../data/records.ts';

export const EMPTY: Account = { orders: 0, ordered: 0, paid: 0, unpaid: 0, refused: 0 };

export function ordered({ cents }: PricedOrder): Account {
  return { ...EMPTY, orders: 1, ordered: cents };
}

export function settled({ outcome, cents }: Settlement): Account {
  return { ...EMPTY, [outcome]: cents };
}

export function plus(a: Account, b: Account): Account {
  return {
    orders: a.orders + b.orders,
    ordered: a.ordered + b.ordered,
    paid: a.paid + b.paid,
    unpaid: a.unpaid + b.unpaid,
    refused: a.refused + b.refused,
  };
}
