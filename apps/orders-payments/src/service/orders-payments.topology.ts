// Owns what the service computes:
//
//   orders ── price ──┬── left join ── by customer ── left join ── by order ──┬──> settlements
//                     │     │ payments              │ customers (versioned)   ├── table ── foreign key join ──> shipment-releases
//                     │                                                       │              │ shipments
//                     └──────────────────────────────── by currency ──────────┴── sums ──> accounts
//
// What cannot be read or priced goes to the dead-letter topic.
import {
  Consumed,
  FailurePolicy,
  Grouped,
  JoinWindows,
  Joined,
  Materialized,
  Produced,
  Serdes,
  StreamJoined,
  TableJoined,
  days,
  hours,
  minutes,
} from '#libs/millrace';
import type { KStream, StreamsBuilder } from '#libs/millrace';
import { Topology } from '#libs/nestjs';
import type { TopologyClass } from '#libs/nestjs';
import type {
  Account,
  Customer,
  Order,
  Payment,
  PricedOrder,
  Settlement,
  Shipment,
  ShipmentRelease,
} from '../data/records.ts';
import { TOPICS } from '../data/topics.ts';
import { EMPTY, ordered, plus, settled } from './account.ts';
import { ExchangeRates } from './exchange-rates.ts';
import { judge, release, settle } from './settlement.ts';

/** A payment comes at most so much later than its order. */
export const PAYABLE_MS = minutes(30);
/**
 * For so long an order that was late is still joined, and for so long an unpaid one is not given up: the time there is to mend what sent
 * orders to the dead-letter topic, and to put them back.
 */
export const MENDABLE_MS = hours(24);

const text = Serdes.string();
const pricedOrder = Serdes.json<PricedOrder>();
const payment = Serdes.json<Payment>();
const settlement = Serdes.json<Settlement>();
const account = Serdes.json<Account>();
const failurePolicy = FailurePolicy.deadLetter(TOPICS.deadLetters);

@Topology()
export class OrdersPaymentsTopology implements TopologyClass {
  constructor(private readonly rates: ExchangeRates) {}

  build(builder: StreamsBuilder): void {
    const orders = this.pricedOrders(builder);
    const settlements = this.settlements(builder, orders);
    settlements.to(TOPICS.settlements, Produced.with(text, settlement));
    this.shipmentReleases(builder, settlements);
    this.accounts(orders, settlements);
  }

  private pricedOrders(builder: StreamsBuilder): KStream<string, PricedOrder> {
    return builder
      .stream<string, Order>(TOPICS.orders, Consumed.with(text, Serdes.json<Order>(), { failurePolicy }))
      .mapValues((order) => ({ ...order, cents: this.rates.inEuros(order.amount, order.currency) }));
  }

  private settlements(
    builder: StreamsBuilder,
    orders: KStream<string, PricedOrder>,
  ): KStream<string, Settlement> {
    const payments = builder.stream<string, Payment>(
      TOPICS.payments,
      Consumed.with(text, payment, { failurePolicy }),
    );
    const customers = builder.table<string, Customer>(
      TOPICS.customers,
      Consumed.with(text, Serdes.json<Customer>()),
      { name: 'customers', versioned: { historyRetentionMs: days(7) } },
    );
    return orders
      .leftJoin(
        payments,
        settle,
        JoinWindows.ofTimeDifferenceAndGrace(PAYABLE_MS, MENDABLE_MS).before(0),
        StreamJoined.with(text, pricedOrder, payment, { storeName: 'order-payments' }),
      )
      .selectKey((_order, { customer }) => customer)
      .leftJoin(customers, judge, Joined.with(text, settlement, { name: 'by-customer' }))
      .selectKey((_customer, { order }) => order);
  }

  private shipmentReleases(builder: StreamsBuilder, settlements: KStream<string, Settlement>): void {
    const settledOrders = settlements.toTable(
      Materialized.as('settled-orders', { keySerde: text, valueSerde: settlement }),
    );
    builder
      .table<string, Shipment>(
        TOPICS.shipments,
        Consumed.with(text, Serdes.json<Shipment>()),
        Materialized.as('shipments'),
      )
      .join(settledOrders, ({ order }) => order, release, TableJoined.as('shipment-orders'))
      .toStream()
      .to(TOPICS.releases, Produced.with(text, Serdes.json<ShipmentRelease>()));
  }

  private accounts(orders: KStream<string, PricedOrder>, settlements: KStream<string, Settlement>): void {
    const entries = orders
      .map((_id, order): [string, Account] => [order.currency, ordered(order)])
      .merge(settlements.map((_id, one): [string, Account] => [one.currency, settled(one)]));
    entries
      .groupByKey(Grouped.with(text, account, { name: 'by-currency' }))
      .aggregate(
        () => EMPTY,
        (_currency, entry, sums) => plus(sums, entry),
        Materialized.as('accounts', { keySerde: text, valueSerde: account }),
      )
      .toStream()
      .to(TOPICS.accounts, Produced.with(text, account));
  }
}
