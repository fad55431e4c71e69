// Owns an application for the dashboard to show: a shop on a simulated cluster, with a join, a repartition, windows, two ways out, dead
// letters and a standby. It brings its own records; whoever uses it says how many.
import { createControlServer } from '#libs/control';
import type { ControlServer, ControlServerOptions } from '#libs/control';
import {
  Consumed,
  FailurePolicy,
  Grouped,
  Joined,
  Materialized,
  Named,
  Produced,
  Repartitioned,
  Serdes,
  SimulatedKafka,
  StreamsApplication,
  StreamsBuilder,
  TimeWindows,
  minutes,
  seconds,
  silentLogger,
} from '#libs/millrace';
import type { StreamsApplicationOptions } from '#libs/millrace';

export const PARTITIONS = 4;
export const CUSTOMERS = 500;

export type Order = { readonly customer: string; readonly product: string; readonly amount: number };
type Customer = { readonly name: string; readonly country: string };
type Priced = Order & { readonly country: string };

const text = Serdes.string();
const order = Serdes.json<Order>();
const customer = Serdes.json<Customer>();
const priced = Serdes.json<Priced>();
const number = Serdes.json<number>();

export const TOPICS = ['orders', 'customers', 'revenue', 'large-orders', 'orders-per-product', 'orders-dead'];

export function shopTopology(): StreamsBuilder {
  const builder = new StreamsBuilder();
  const customers = builder.table<string, Customer>(
    'customers',
    Consumed.with(text, customer, { name: 'read-customers' }),
    Materialized.as('customers-by-id'),
  );
  const orders = builder.stream<string, Order>(
    'orders',
    Consumed.with(text, order, {
      name: 'read-orders',
      failurePolicy: FailurePolicy.deadLetter('orders-dead'),
    }),
  );
  const placed = orders
    .filter((_id, { amount }) => amount > 0, Named.as('with-amount'))
    .selectKey((_id, { customer: id }) => id, Named.as('by-customer'))
    .repartition(Repartitioned.as('orders-by-customer', { keySerde: text, valueSerde: order }))
    .join(
      customers,
      (value, { country }): Priced => ({ ...value, country }),
      Joined.with(text, order, { name: 'with-customer' }),
    );
  placed
    .groupByKey(Grouped.with(text, priced))
    .aggregate(
      () => 0,
      (_customer, { amount }, sum) => sum + amount,
      Materialized.as('revenue-by-customer', { keySerde: text, valueSerde: number }),
    )
    .toStream(Named.as('revenue-changes'))
    .to('revenue', Produced.with(text, number, { name: 'write-revenue' }));
  placed
    .filter((_customer, { amount }) => amount > 90, Named.as('only-large'))
    .to('large-orders', Produced.with(text, priced, { name: 'write-large' }));
  placed
    .groupBy((_customer, { product }) => product, Grouped.with(text, priced, { name: 'by-product' }))
    .windowedBy(TimeWindows.ofSizeAndGrace(minutes(1), seconds(10)))
    .count(Materialized.as('orders-per-minute', { keySerde: text, valueSerde: number }))
    .toStream(Named.as('counts'))
    .map(({ key }, count): [string, number] => [key, count ?? 0], Named.as('without-window'))
    .to('orders-per-product', Produced.with(text, number, { name: 'write-counts' }));
  return builder;
}

export class Shop {
  readonly kafka = new SimulatedKafka();
  private published = 0;

  constructor() {
    for (const topic of TOPICS) this.kafka.createTopic(topic, PARTITIONS);
    this.kafka.publish(
      'customers',
      Array.from({ length: CUSTOMERS }, (_, id) => ({
        key: `c${id}`,
        value: JSON.stringify({ name: `Customer ${id}`, country: ['NZ', 'NO', 'CL', 'KE'][id % 4] }),
      })),
    );
  }

  application(options: Partial<StreamsApplicationOptions> = {}): StreamsApplication {
    return new StreamsApplication({
      applicationId: 'shop',
      kafka: this.kafka,
      topology: shopTopology,
      state: 'memory',
      instanceId: 'shop-1',
      logger: silentLogger,
      ...options,
    });
  }

  /** Good ones. */
  publish(records: number): void {
    const orders = [];
    for (let i = 0; i < records; i++) {
      const id = this.published++;
      const value: Order = {
        customer: `c${(id * 7919) % CUSTOMERS}`,
        product: `p${(id * 31) % 12}`,
        amount: 1 + ((id * 37) % 100),
      };
      orders.push({ key: `o${id}`, value: JSON.stringify(value) });
    }
    this.kafka.publish('orders', orders);
  }

  /** What no serde reads. */
  publishBad(value = 'not JSON at all'): void {
    this.kafka.publish('orders', [{ key: 'bad', value }]);
  }
}

export function serve(
  applications: readonly StreamsApplication[],
  options: Partial<ControlServerOptions> = {},
): Promise<ControlServer> {
  return createControlServer({ applications, port: 0, ...options });
}
