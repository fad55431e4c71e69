// Owns the plain recomputation of what becomes of the orders: loops over what was generated, with no stream, no window and no store. It
// shares no code with the topology, so that the two can be held against each other.
import type { Account, Settlement, ShipmentRelease } from '../data/records.ts';
import type { At, Days } from '../generator/days.ts';

const PAYABLE_MINUTES = 30;
const MINUTE_MS = 60_000;

export interface Expected {
  /** By order. */
  readonly settlements: ReadonlyMap<string, Settlement>;
  /** By currency. */
  readonly accounts: ReadonlyMap<string, Account>;
  /** By shipment: the last word. */
  readonly releases: ReadonlyMap<string, ShipmentRelease>;
  /** Orders that cannot be priced. */
  readonly unpriced: number;
}

export interface Circumstances {
  readonly rates: Readonly<Record<string, number>>;
  /** Orders before this time are there; unpaid ones are told of if `isOver`. */
  readonly until: number;
  readonly isOver: boolean;
}

export function recompute(days: Days, { rates, until, isOver }: Circumstances): Expected {
  const payments = new Map(days.payments.map((payment) => [payment.value.order, payment]));
  const settlements = new Map<string, Settlement>();
  const accounts = new Map<string, Account>();
  let unpriced = 0;
  for (const { at, value: order } of days.orders) {
    if (at >= until) continue;
    const rate = rates[order.currency];
    if (rate === undefined) {
      unpriced++;
      continue;
    }
    const cents = Math.round(order.amount * rate);
    const account = { ...(accounts.get(order.currency) ?? nothing()) };
    account.orders += 1;
    account.ordered += cents;
    const found = payments.get(order.id);
    const payment = found !== undefined && found.at - at <= PAYABLE_MINUTES * MINUTE_MS ? found : null;
    if (payment !== null || isOver) {
      const customer = asOf(days.customers, order.customer, payment?.at ?? at);
      const isRefused = customer === null || customer.blocked;
      const outcome = isRefused ? 'refused' : payment === null ? 'unpaid' : 'paid';
      account[outcome] += cents;
      settlements.set(order.id, {
        ...{ order: order.id, customer: order.customer, name: customer?.name ?? null },
        ...{ currency: order.currency, cents, outcome, payment: payment?.value.id ?? null },
      });
    }
    accounts.set(order.currency, account);
  }
  const releases = new Map<string, ShipmentRelease>();
  for (const { value: shipment } of days.shipments) {
    const settlement = settlements.get(shipment.order);
    if (settlement === undefined) continue;
    const { id, order, carrier } = shipment;
    const mayLeave = settlement.outcome === 'paid';
    releases.set(id, { shipment: id, order, carrier, to: settlement.name, mayLeave });
  }
  return { settlements, accounts, releases, unpriced };
}

/** What was known of a key at a time; `null`: nothing. */
function asOf<T extends { readonly id: string }>(
  history: readonly At<T>[],
  id: string,
  at: number,
): T | null {
  let newest: At<T> | null = null;
  for (const row of history) {
    if (row.value.id === id && row.at <= at && (newest === null || row.at >= newest.at)) newest = row;
  }
  return newest?.value ?? null;
}

function nothing(): { -readonly [F in keyof Account]: number } {
  return { orders: 0, ordered: 0, paid: 0, unpaid: 0, refused: 0 };
}
