// Operators with Avro keys and values of a registry wherever they keep or pass on something: all is prepared before the first record.
import { describe, expect, it } from '@jest/globals';
import { SchemaRegistryClient, Serdes } from '#libs/serde';
import type { AvroSchema, Serde } from '#libs/serde';
import { TopologyTestDriver } from '#libs/testing';
import {
  BufferConfig,
  Consumed,
  Grouped,
  JoinWindows,
  Materialized,
  State,
  Produced,
  StreamJoined,
  StreamsBuilder,
  Suppressed,
  TableJoined,
  TimeWindows,
  minutes,
} from '#libs/topology';

interface Id {
  readonly id: string;
}
interface Order {
  readonly customer: string;
  readonly amount: number;
}

let hosts = 0;
const record = (name: string, ...fields: [string, AvroSchema][]): AvroSchema => ({
  type: 'record',
  name,
  fields: fields.map(([field, type]) => ({ name: field, type })),
});
const idSchema = record('Id', ['id', 'string']);
const orderSchema = record('Order', ['customer', 'string'], ['amount', 'int']);
const totalSchema = record('Total', ['sum', 'int']);

/** Serdes made anew for each operator: each has to be prepared. */
class Avro {
  readonly host = `memory://operators-${++hosts}`;
  readonly registry = new SchemaRegistryClient({ host: this.host });
  readonly id = (): Serde<Id> => this.registry.avro<Id>({ schema: idSchema });
  readonly order = (): Serde<Order> => this.registry.avro<Order>({ schema: orderSchema });
  readonly total = (): Serde<{ sum: number }> => this.registry.avro<{ sum: number }>({ schema: totalSchema });

  /** Is the schema under the subject? Another client asks, which may register nothing. */
  async has(subject: string, schema: AvroSchema): Promise<boolean> {
    const serde = new SchemaRegistryClient({ host: this.host, register: false }).avro({ schema, subject });
    const use = { topic: null, part: 'value', reads: false, writes: true, kind: 'external' } as const;
    return serde.prepare!([use]).then(
      () => true,
      () => false,
    );
  }
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('Avro of a registry', () => {
  it('goes through tables that are grouped, their changes both ways', async () => {
    const avro = new Avro();
    const builder = new StreamsBuilder();
    builder
      .table('orders', Consumed.with(avro.id(), avro.order()), Materialized.as('orders'))
      .groupBy(
        (_id, order) => [{ id: order.customer }, order],
        Grouped.as('by-customer', { keySerde: avro.id(), valueSerde: avro.order() }),
      )
      .aggregate(
        () => ({ sum: 0 }),
        (_id, { amount }, { sum }) => ({ sum: sum + amount }),
        (_id, { amount }, { sum }) => ({ sum: sum - amount }),
        Materialized.as('sums', { keySerde: avro.id(), valueSerde: avro.total() }),
      )
      .toStream()
      .to('sums-out', Produced.with(avro.id(), avro.total()));
    await using driver = await TopologyTestDriver.start(builder);
    const orders = driver.inputTopic('orders', avro.id(), avro.order());
    await orders.pipe({ id: '1' }, { customer: 'ann', amount: 5 });
    await orders.pipe({ id: '1' }, { customer: 'bob', amount: 7 });
    const sums = driver.outputTopic('sums-out', avro.id(), avro.total());
    expect(sums.readAll().map(({ key, value }) => plain([key, value]))).toEqual([
      [{ id: 'ann' }, { sum: 5 }],
      [{ id: 'ann' }, { sum: 0 }],
      [{ id: 'bob' }, { sum: 7 }],
    ]);
    for (const topic of ['by-customer-repartition', 'sums-changelog']) {
      const applicationId = driver.applicationId;
      expect(await avro.has(`${applicationId}-${topic}-key`, idSchema)).toBe(true);
    }
    expect(await avro.has(`${driver.applicationId}-by-customer-repartition-value`, orderSchema)).toBe(true);
    expect(await avro.has(`${driver.applicationId}-sums-changelog-value`, totalSchema)).toBe(true);
  });

  it('goes through joins by foreign key', async () => {
    const avro = new Avro();
    const builder = new StreamsBuilder();
    const customers = builder.table(
      'customers',
      Consumed.with(avro.id(), avro.total()),
      Materialized.as('customers'),
    );
    builder
      .table('orders', Consumed.with(Serdes.string(), avro.order()), Materialized.as('orders'))
      .join(
        customers,
        ({ customer }) => ({ id: customer }),
        ({ amount }, { sum }) => `${amount} of ${sum}`,
        TableJoined.as('order-customers'),
        Materialized.as('joined', { keySerde: Serdes.string(), valueSerde: Serdes.string() }),
      )
      .toStream()
      .to('out', Produced.with(Serdes.string(), Serdes.string()));
    await using driver = await TopologyTestDriver.start(builder);
    await driver.inputTopic('customers', avro.id(), avro.total()).pipe({ id: 'ann' }, { sum: 9 });
    await driver
      .inputTopic('orders', Serdes.string(), avro.order())
      .pipe('o1', { customer: 'ann', amount: 5 });
    expect(driver.outputTopic('out', Serdes.string(), Serdes.string()).readKeyValue()).toEqual([
      'o1',
      '5 of 9',
    ]);
  });

  it('goes through windows, outer joins and suppression', async () => {
    const avro = new Avro();
    const builder = new StreamsBuilder();
    const left = builder.stream('left', Consumed.with(avro.id(), avro.order()));
    const right = builder.stream('right', Consumed.with(avro.id(), avro.total()));
    left
      .outerJoin(
        right,
        (order, total) => ({ sum: (order?.amount ?? 0) + (total?.sum ?? 0) }),
        JoinWindows.ofTimeDifferenceWithNoGrace(minutes(1)),
        StreamJoined.with(avro.id(), avro.order(), avro.total(), { name: 'both', storeName: 'both' }),
      )
      .groupByKey(Grouped.with(avro.id(), avro.total()))
      .windowedBy(TimeWindows.ofSizeWithNoGrace(minutes(1)))
      .reduce(
        (a, b) => ({ sum: a.sum + b.sum }),
        Materialized.as('windows', { keySerde: avro.id(), valueSerde: avro.total() }),
      )
      .suppress(Suppressed.untilWindowCloses(BufferConfig.unbounded()).withName('final'))
      .toStream((windowed) => windowed.key)
      .to('out', Produced.with(avro.id(), avro.total()));
    await using driver = await TopologyTestDriver.start(builder);
    const lefts = driver.inputTopic('left', avro.id(), avro.order());
    const rights = driver.inputTopic('right', avro.id(), avro.total());
    await lefts.pipe({ id: 'a' }, { customer: 'x', amount: 1 }, { timestamp: 0 });
    await rights.pipe({ id: 'a' }, { sum: 10 }, { timestamp: 5 });
    await lefts.pipe({ id: 'b' }, { customer: 'x', amount: 2 }, { timestamp: 10 });
    await lefts.pipe({ id: 'c' }, { customer: 'x', amount: 0 }, { timestamp: minutes(10) });
    await rights.pipe({ id: 'd' }, { sum: 0 }, { timestamp: minutes(20) });
    await lefts.pipe({ id: 'e' }, { customer: 'x', amount: 0 }, { timestamp: minutes(30) });
    const out = driver.outputTopic('out', avro.id(), avro.total()).readAll();
    const sums = Object.fromEntries(out.map(({ key, value }) => [key!.id, value!.sum]));
    expect(sums).toMatchObject({ a: 11, b: 2 });
  });

  it('is looked up in global tables by its bytes', async () => {
    const avro = new Avro();
    const use = { topic: 'rates', reads: false, writes: true, kind: 'external' } as const;
    await avro.id().prepare!([{ ...use, part: 'key' }]);
    const builder = new StreamsBuilder();
    const rates = builder.globalTable(
      'rates',
      Consumed.with(avro.id(), avro.total()),
      Materialized.as('rates'),
    );
    builder
      .stream('orders', Consumed.with(Serdes.string(), avro.order()))
      .join(
        rates,
        (_key, { customer }) => ({ id: customer }),
        ({ amount }, { sum }) => amount * sum,
      )
      .to('out', Produced.with(Serdes.string(), Serdes.safeInteger()));
    await using driver = await TopologyTestDriver.start(builder);
    await driver.inputTopic('rates', avro.id(), avro.total()).pipe({ id: 'ann' }, { sum: 3 });
    await driver
      .inputTopic('orders', Serdes.string(), avro.order())
      .pipe('o', { customer: 'ann', amount: 5 });
    expect(driver.outputTopic('out', Serdes.string(), Serdes.safeInteger()).readValues()).toEqual([15]);
  });

  it('is in calls that wait, and in the keys and values of maps', async () => {
    const avro = new Avro();
    const builder = new StreamsBuilder();
    const orders = builder.stream('orders', Consumed.with(avro.id(), avro.order()));
    orders
      .mapAsync(({ amount }) => Promise.resolve({ sum: amount * 2 }), {
        name: 'doubled',
        keySerde: avro.id(),
        valueSerde: avro.order(),
        resultSerde: avro.total(),
      })
      .to('doubled-out', Produced.with(avro.id(), avro.total()));
    orders
      .groupByKey(Grouped.with(avro.id(), avro.order()))
      .process({
        name: 'by-customer',
        valueSerde: avro.total(),
        state: { sums: State.map(avro.id(), avro.total()) },
        onRecord({ customer, amount }, context) {
          const sum = (context.state.sums.get({ id: customer })?.sum ?? 0) + amount;
          context.state.sums.set({ id: customer }, { sum });
          context.emit({ sum });
        },
      })
      .to('summed', Produced.with(avro.id(), avro.total()));
    await using driver = await TopologyTestDriver.start(builder);
    const input = driver.inputTopic('orders', avro.id(), avro.order());
    await input.pipe({ id: '1' }, { customer: 'ann', amount: 5 });
    await input.pipe({ id: '1' }, { customer: 'ann', amount: 6 });
    const sums = (topic: string): number[] =>
      driver
        .outputTopic(topic, avro.id(), avro.total())
        .readValues()
        .map((value) => value!.sum);
    expect(sums('doubled-out')).toEqual([10, 12]);
    expect(sums('summed')).toEqual([5, 11]);
  });

  it('is refused at the start where it does not go with what is there', async () => {
    const avro = new Avro();
    const use = { topic: 'orders', reads: false, writes: true, kind: 'external', part: 'value' } as const;
    await avro.registry.avro({ schema: record('Order', ['customer', 'int']) }).prepare!([use]);
    const builder = new StreamsBuilder();
    builder
      .stream('orders', Consumed.with(Serdes.string(), avro.order()))
      .to('out', Produced.with(Serdes.string(), avro.order()));
    await expect(TopologyTestDriver.start(builder)).rejects.toMatchObject({
      code: 'MILLRACE_SCHEMA_INCOMPATIBLE',
      context: { subject: 'orders-value', version: 1 },
    });
  });
});
