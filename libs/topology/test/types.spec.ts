// Mistakes that must not compile. `tsc` checks this file: a `@ts-expect-error` above a line without an error is an error itself.
// Every mistake stands in a function that is never called.
import { describe, expect, it } from '@jest/globals';
import { Serdes } from '#libs/serde';
import type { Serde } from '#libs/serde';
import {
  Consumed,
  Grouped,
  Joined,
  Materialized,
  Produced,
  Repartitioned,
  StreamsBuilder,
} from '#libs/topology';
import type { KStream, KTable } from '#libs/topology';

interface Order {
  readonly customer: string;
  readonly amount: number;
}
interface RushOrder extends Order {
  readonly deadline: number;
}

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_same: Same<A, B>): void => undefined;

const text = Serdes.string();
const integer = Serdes.safeInteger();
const order = Serdes.json<Order>();
const rush = Serdes.json<RushOrder>();

const orders = (builder = new StreamsBuilder()): KStream<string, Order> =>
  builder.stream<string, Order>('orders', Consumed.with(text, order));
const customers = (builder = new StreamsBuilder()): KTable<string, { name: string }> =>
  builder.table(
    'customers',
    Consumed.with(text, Serdes.json<{ name: string }>()),
    Materialized.as('customers'),
  );

const mistakes = [
  () => {
    // @ts-expect-error the values are orders, not numbers
    orders().to('out', { valueSerde: integer });
    // @ts-expect-error the same through the factory
    orders().to('out', Produced.with(text, integer));
    // @ts-expect-error keys are strings
    orders().to('out', { keySerde: integer });
    // @ts-expect-error an order need not have a deadline: a serde of a narrower type
    orders().to('out', { valueSerde: rush });
    // @ts-expect-error a serde of a wider type would not give orders back
    orders().to('out', { valueSerde: Serdes.json<{ amount: number }>() });
    // @ts-expect-error no such option
    orders().to('out', { valueSerdes: order });
    // @ts-expect-error the partitioner gives a number
    orders().to('out', { partitioner: () => 'first' });
  },
  () => {
    // @ts-expect-error both serdes are needed to read
    new StreamsBuilder().stream('orders', { keySerde: text });
    // @ts-expect-error the serde gives numbers, the stream was declared as of orders
    new StreamsBuilder().stream<string, Order>('orders', Consumed.with(text, integer));
    // @ts-expect-error a table is kept in a store, which needs a name
    new StreamsBuilder().table('orders', Consumed.with(text, order));
    // @ts-expect-error the extractor gives a number
    new StreamsBuilder().stream('orders', Consumed.with(text, order, { timestampExtractor: () => 'now' }));
  },
  () => {
    const amounts = orders().mapValues((value) => value.amount);
    const byAmount = orders().selectKey((_key, value) => value.amount);
    // @ts-expect-error an order has no such field
    orders().filter((_key, value) => value.price > 1);
    // @ts-expect-error a predicate gives a boolean
    orders().filter((_key, value) => value.amount);
    // @ts-expect-error mapValues changed the type
    amounts.to('out', { valueSerde: order });
    // @ts-expect-error selectKey changed the type of the key
    byAmount.to('out', { keySerde: text });
    // @ts-expect-error a pair is needed
    orders().map((key) => key);
    // @ts-expect-error the values are orders or numbers
    orders().merge(amounts).to('out', { valueSerde: order });
  },
  () => {
    const grouped = orders().groupByKey();
    const add = (_key: string, value: Order, sum: number): number => sum + value.amount;
    // @ts-expect-error a store needs a name
    grouped.count();
    // @ts-expect-error counts are numbers
    grouped.count(Materialized.as('counts', { valueSerde: text }));
    // @ts-expect-error a reducer gives what it takes
    grouped.reduce((_aggregate, value) => value.amount, Materialized.as('sums'));
    // @ts-expect-error the aggregate is a number
    grouped.aggregate(() => 0, add, { name: 'sums', valueSerde: order });
    // @ts-expect-error the initializer gives a number
    grouped.aggregate(() => '', add, { name: 'sums', valueSerde: integer });
    // @ts-expect-error the group's key is a number
    orders().groupBy((_key, value) => value.amount, Grouped.with(text, order));
    // @ts-expect-error a repartition needs a name
    orders().repartition({ keySerde: text });
    // @ts-expect-error values are orders
    orders().repartition(Repartitioned.as('again', { valueSerde: text }));
  },
  () => {
    const byAmount = orders().selectKey((_key, value) => value.amount);
    const names = customers().toStream();
    const { small } = {
      small: '',
      ...orders()
        .split()
        .branch('big', () => true)
        .noDefaultBranch(),
    };
    // @ts-expect-error the stream's keys are numbers, the table's are strings
    byAmount.join(customers(), (value) => value, { name: 'joined' });
    // @ts-expect-error a left join may meet nothing
    orders().leftJoin(customers(), (_value, customer) => customer.name);
    // @ts-expect-error the stream's values are orders
    orders().join(customers(), (value) => value, Joined.as('joined', { valueSerde: text }));
    // @ts-expect-error a table shows deletions as null
    names.mapValues((customer) => customer.name);
    // @ts-expect-error no such branch: this is the text
    small.to('out');
  },
];

describe('types', () => {
  it('refuse what tsc checks above', () => {
    expect(mistakes).toHaveLength(5);
  });

  it('flow from end to end', () => {
    const builder = new StreamsBuilder();
    const stream = orders(builder);
    same<typeof stream, KStream<string, Order>>(true);
    same<ReturnType<typeof totals>, KTable<string, number, never>>(true);
    const totals = () =>
      stream.groupByKey().aggregate(
        () => 0,
        (_key, value, sum) => sum + value.amount,
        Materialized.as('totals', { valueSerde: integer }),
      );

    const sums = totals().toStream();
    same<typeof sums, KStream<string, number>>(true);
    sums.to('totals', Produced.with(text, integer));

    const deletable = stream.groupByKey().aggregate(
      () => 0,
      (_key, value, sum) => (value.amount < 0 ? null : sum + 1),
      Materialized.as('deletable', { valueSerde: integer }),
    );
    same<typeof deletable, KTable<string, number, null>>(true);
    const changes = deletable.toStream();
    same<typeof changes, KStream<string, number | null>>(true);
    changes.to('changes', { valueSerde: integer });

    const _mapped =
      totals.call(null) === null ? null : customersOf(builder).mapValues((customer) => customer.name);
    same<typeof _mapped, KTable<string, string, null> | null>(true);

    const { rushed, rest } = stream
      .split()
      .branch('rushed', (_key, value): value is RushOrder => 'deadline' in value)
      .defaultBranch('rest');
    same<typeof rushed, KStream<string, RushOrder>>(true);
    same<typeof rest, KStream<string, Order>>(true);
    rushed.to('rushed', { valueSerde: rush });

    const _joined = rest.leftJoin(customersOf(builder, 'more'), (value, customer) => ({
      amount: value.amount,
      name: customer?.name ?? 'unknown',
    }));
    same<typeof _joined, KStream<string, { amount: number; name: string }>>(true);

    const nullable = builder.stream<string | null, Order | null>('nullable', Consumed.with(text, order));
    const _kept = nullable.groupByKey().reduce((aggregate) => aggregate, Materialized.as('kept'));
    same<typeof _kept, KTable<string, Order, never>>(true);
  });

  it('take a generic serde of the same type parameter', () => {
    const copy = <V extends object>(stream: KStream<string, V>, serde: Serde<V>): void => {
      stream.to('copy', { valueSerde: serde });
    };
    expect(() => copy(orders(), order)).not.toThrow();
  });
});

function customersOf(builder: StreamsBuilder, topic = 'customers'): KTable<string, { name: string }> {
  return builder.table(topic, Consumed.with(text, Serdes.json<{ name: string }>()), Materialized.as(topic));
}
