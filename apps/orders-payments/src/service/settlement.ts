// Owns what becomes of an order: by whether a payment came in time, and by who the customer was then.
import type {
  Customer,
  Payment,
  PricedOrder,
  Settlement,
  Shipment,
  ShipmentRelease,
} from '../data/records.ts';

/** `payment` `null`: none came within the time there was. */
export function settle(order: PricedOrder, payment: Payment | null): Settlement {
  const { id, customer, currency, cents } = order;
  return {
    ...{ order: id, customer, name: null, currency, cents },
    outcome: payment === null ? 'unpaid' : 'paid',
    payment: payment?.id ?? null,
  };
}

/** `customer` as of the settlement's time; `null`: there was none. */
export function judge(settlement: Settlement, customer: Customer | null): Settlement {
  const name = customer?.name ?? null;
  if (customer === null || customer.blocked) return { ...settlement, name, outcome: 'refused' };
  return { ...settlement, name };
}

export function release(shipment: Shipment, settlement: Settlement): ShipmentRelease {
  return {
    shipment: shipment.id,
    order: shipment.order,
    carrier: shipment.carrier,
    to: settlement.name,
    mayLeave: settlement.outcome === 'paid',
  };
}
