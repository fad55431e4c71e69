// Owns the shapes of the service's records. All topics carry JSON. Times are the records' own timestamps.

/** A value of topic `orders`. */
export interface Order {
  readonly id: string;
  readonly customer: string;
  /** Hundredths of the currency. */
  readonly amount: number;
  /** ISO 4217. */
  readonly currency: string;
}

/** A value of topic `payments`: of the whole order, in the order's currency. */
export interface Payment {
  readonly id: string;
  readonly order: string;
  readonly amount: number;
}

/** A value of topic `customers`: holds from its timestamp on. */
export interface Customer {
  readonly id: string;
  readonly name: string;
  readonly blocked: boolean;
}

/** A value of topic `shipments`. */
export interface Shipment {
  readonly id: string;
  readonly order: string;
  readonly carrier: string;
}

/** An order that can be added up. */
export interface PricedOrder extends Order {
  /** Euro cents. */
  readonly cents: number;
}

export type Outcome = 'paid' | 'unpaid' | 'refused';

/** A value of topic `settlements`: what became of an order. */
export interface Settlement {
  readonly order: string;
  readonly customer: string;
  /** `null`: nobody knows the customer. */
  readonly name: string | null;
  readonly currency: string;
  readonly cents: number;
  readonly outcome: Outcome;
  /** `null`: none came in time. That of an order that is refused goes back. */
  readonly payment: string | null;
}

/** A value of topic `accounts`, by currency: euro cents. What was ordered and is nothing else yet is open. */
export interface Account {
  readonly orders: number;
  readonly ordered: number;
  readonly paid: number;
  readonly unpaid: number;
  readonly refused: number;
}

/** A value of topic `shipment-releases`. */
export interface ShipmentRelease {
  readonly shipment: string;
  readonly order: string;
  readonly carrier: string;
  readonly to: string | null;
  readonly mayLeave: boolean;
}
