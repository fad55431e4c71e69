// The code shown in docs/guide/joins.md, region by region. guide-joins.spec.ts holds the two together and runs each.
// #region imports
import { Serdes } from '#libs/serde';
import {
  Consumed,
  days,
  Joined,
  JoinWindows,
  Materialized,
  minutes,
  Produced,
  seconds,
  StreamJoined,
  StreamsBuilder,
  TableJoined,
} from '#libs/topology';
// #endregion
import type { KStream, KTable, Topology } from '#libs/topology';

interface Order {
  readonly customer: string;
  readonly amount: number;
}

interface Payment {
  readonly amount: number;
}

interface Customer {
  readonly name: string;
}

const text = Serdes.string();
const orderSerde = Serdes.json<Order>();
const paymentSerde = Serdes.json<Payment>();
const customerSerde = Serdes.json<Customer>();

const ordersOf = (builder: StreamsBuilder): KStream<string, Order> =>
  builder.stream('orders', Consumed.with(text, orderSerde));
const customersOf = (builder: StreamsBuilder): KTable<string, Customer> =>
  builder.table('customers', Consumed.with(text, customerSerde), Materialized.as('customers'));

export function streamsTopology(): Topology {
  const builder = new StreamsBuilder();
  const orders = ordersOf(builder);
  const payments = builder.stream('payments', Consumed.with(text, paymentSerde));
  // #region streams
  orders
    .join(
      payments,
      (order, payment) => `${payment.amount} of ${order.amount}`,
      JoinWindows.ofTimeDifferenceAndGrace(minutes(10), seconds(30)),
      StreamJoined.as('order-payments'),
    )
    .to('paid', Produced.with(text, text));
  // #endregion
  return builder.build();
}

export function unpaidTopology(): Topology {
  const builder = new StreamsBuilder();
  const orders = ordersOf(builder);
  const payments = builder.stream('payments', Consumed.with(text, paymentSerde));
  // #region unpaid
  orders
    .leftJoin(
      payments,
      (order, payment) => (payment === null ? `${order.customer} owes ${order.amount}` : null),
      // A payment is at most ten minutes newer than its order, and never older.
      JoinWindows.ofTimeDifferenceWithNoGrace(minutes(10)).before(0),
      StreamJoined.as('unpaid-orders'),
    )
    .filter((_id, reminder) => reminder !== null)
    .to('reminders', Produced.with(text, text));
  // #endregion
  return builder.build();
}

export function streamTableTopology(): Topology {
  const builder = new StreamsBuilder();
  const orders = ordersOf(builder);
  const customers = customersOf(builder);
  // #region table
  orders
    .selectKey((_id, order) => order.customer)
    .join(customers, (order, customer) => `${customer.name}: ${order.amount}`, Joined.as('by-customer'))
    .to('named-orders', Produced.with(text, text));
  // #endregion
  return builder.build();
}

export function versionedTopology(): Topology {
  const builder = new StreamsBuilder();
  const orders = ordersOf(builder);
  // #region versioned
  const prices = builder.table('prices', Consumed.with(text, Serdes.float64()), {
    name: 'prices',
    versioned: { historyRetentionMs: days(1) },
  });
  orders
    .join(
      prices,
      (order, price) => order.amount * price,
      Joined.as('priced', { valueSerde: orderSerde, gracePeriodMs: minutes(5) }),
    )
    .to('priced-orders', Produced.with(text, Serdes.float64()));
  // #endregion
  return builder.build();
}

export function globalTopology(): Topology {
  const builder = new StreamsBuilder();
  const orders = ordersOf(builder);
  // #region global
  const countries = builder.globalTable('countries', Consumed.with(text, text), Materialized.as('countries'));
  orders
    .leftJoin(
      countries,
      (_id, order) => order.customer.slice(0, 2),
      (order, country) => `${order.amount} from ${country ?? 'somewhere'}`,
    )
    .to('placed-orders', Produced.with(text, text));
  // #endregion
  return builder.build();
}

export function tablesTopology(): Topology {
  const builder = new StreamsBuilder();
  const customers = customersOf(builder);
  // #region tables
  const limits = builder.table('limits', Consumed.with(text, Serdes.float64()), Materialized.as('limits'));
  customers
    .leftJoin(
      limits,
      (customer, limit) => `${customer.name} up to ${limit ?? 0}`,
      Materialized.as('credit', { valueSerde: text }),
    )
    .toStream()
    .to('credit');
  // #endregion
  return builder.build();
}

export function foreignKeyTopology(): Topology {
  const builder = new StreamsBuilder();
  const customers = customersOf(builder);
  // #region foreign
  const openOrders = builder.table('open-orders', Consumed.with(text, orderSerde), Materialized.as('open'));
  openOrders
    .join(
      customers,
      (order) => order.customer,
      (order, customer) => `${customer.name}: ${order.amount}`,
      TableJoined.as('order-customers'),
    )
    .toStream()
    .to('labels', Produced.with(text, text));
  // #endregion
  return builder.build();
}
