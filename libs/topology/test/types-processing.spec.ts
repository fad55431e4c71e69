// Mistakes with tables, cogroups, processors and stores that must not compile: see types.spec.ts.
import { describe, expect, it } from '@jest/globals';
import { Serdes } from '#libs/serde';
import { Consumed, Grouped, Materialized, OutputTag, Stores, StreamsBuilder } from '#libs/topology';
import type {
  CogroupedKStream,
  KGroupedTable,
  KStream,
  KTable,
  OrderedKeyValueStore,
  Processor,
  ProcessorContext,
  ProcessorRecord,
  SessionBounds,
  StoreBuilder,
} from '#libs/topology';

interface Order {
  readonly customer: string;
  readonly amount: number;
}

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_same: Same<A, B>): void => undefined;

const text = Serdes.string();
const integer = Serdes.safeInteger();
const order = Serdes.json<Order>();

const orders = (builder = new StreamsBuilder()): KStream<string, Order> =>
  builder.stream<string, Order>('orders', Consumed.with(text, order));
const table = (builder = new StreamsBuilder()): KTable<string, Order> =>
  builder.table('orders', Consumed.with(text, order), Materialized.as('orders'));
const counts = Stores.keyValueStore('counts', { keySerde: text, valueSerde: integer });
const plain = Stores.keyValueStore('plain', { keySerde: text, valueSerde: integer, ordered: false });
const windows = Stores.windowStore('w', {
  keySerde: text,
  valueSerde: order,
  retentionMs: 1000,
  windowSizeMs: 10,
});
const sessions = Stores.sessionStore('s', { keySerde: text, valueSerde: order, retentionMs: 1000 });

/** Forwards orders by number. */
class ByNumber implements Processor<string, Order, number, Order> {
  #context!: ProcessorContext<number, Order>;

  init(context: ProcessorContext<number, Order>): void {
    this.#context = context;
  }

  process(record: ProcessorRecord<string, Order>): void {
    this.#context.forward(record.withKey(record.value.amount));
  }
}

const mistakes = [
  () => {
    const byCustomer = Grouped.with(text, order);
    const grouped = table().groupBy((_key, value) => [value.customer, value], byCustomer);
    // @ts-expect-error the group's values are orders
    table().groupBy((_key, value) => [value.customer, value], Grouped.with(text, integer));
    // @ts-expect-error a pair is needed
    table().groupBy((_key, value) => value.customer, byCustomer);
    // @ts-expect-error the subtractor is missing
    grouped.reduce((_aggregate, value) => value, Materialized.as('last'));
    const newest = (_aggregate: Order, value: Order): Order => value;
    // @ts-expect-error the store holds numbers
    grouped.reduce(newest, newest, Materialized.as('last', { valueSerde: integer }));
    const add = (_key: string, value: Order, sum: number): number => sum + value.amount;
    const zero = (): number => 0;
    // @ts-expect-error the aggregate is a number
    grouped.aggregate(zero, add, () => '', { name: 's', valueSerde: integer });
    // @ts-expect-error a table needs a name for its store
    orders().toTable();
    // @ts-expect-error a serde of another type
    orders().toTable(Materialized.as('t', { valueSerde: text }));
  },
  () => {
    const group = orders().groupByKey();
    const sum = (_key: string, value: Order, aggregate: number): number => aggregate + value.amount;
    const byNumber = orders().groupBy((_key, value) => value.amount, Grouped.with(integer, order));
    const cogroup: CogroupedKStream<string, number> = group.cogroup<number>(sum);
    // @ts-expect-error the keys of this group are numbers
    cogroup.cogroup(byNumber, (_key, _value, aggregate) => aggregate);
    // @ts-expect-error the aggregate is a number
    cogroup.cogroup(group, () => '');
    // @ts-expect-error the initializer gives a number
    cogroup.aggregate(() => '', Materialized.as('s', { valueSerde: integer }));
  },
  () => {
    // @ts-expect-error its keys are numbers
    orders().process(ByNumber).to('out', { keySerde: text, valueSerde: order });
    const amounts = orders().mapValues((value) => value.amount);
    // @ts-expect-error it takes orders, not numbers
    amounts.process(ByNumber);
    orders().process(
      (record, context) => {
        // @ts-expect-error records of another type need a context of another type
        context.forward({ ...record, value: 1 });
        // @ts-expect-error no such store is connected
        context.getStateStore('other');
      },
      'name',
      counts,
    );
    orders().processValues((record, context) => {
      // @ts-expect-error the key stays as it is
      context.forward({ key: 'other', value: record.value });
    });
    // @ts-expect-error a store is a builder or a name
    orders().process(ByNumber, 'name', { name: 'counts' });
    // @ts-expect-error no such kind of time
    orders().process((_record, context) => context.schedule(10, 'event-time', () => undefined));
  },
  () => {
    orders().process(
      (record, context) => {
        const store = context.getStateStore(counts);
        // @ts-expect-error the store holds numbers
        store.put(record.key, record.value);
        // @ts-expect-error its keys are text
        store.get(1);
        // @ts-expect-error this one has no order
        context.getStateStore(plain).range('a', 'b');
        // @ts-expect-error a window store needs the window's start
        context.getStateStore(windows).put(record.key, record.value);
      },
      'name',
      counts,
      plain,
      windows,
    );
    // @ts-expect-error a window store forgets
    Stores.windowStore('w', { keySerde: text, valueSerde: order, windowSizeMs: 10 });
    // @ts-expect-error both serdes are needed
    Stores.keyValueStore('kv', { keySerde: text });
    // @ts-expect-error the tag carries text
    orders().sideOutput(OutputTag.of('late', text)).to('late', { valueSerde: order });
    // @ts-expect-error no such optimisation
    new StreamsBuilder({ optimize: ['merge'] });
  },
];

describe('types of tables and processors', () => {
  it('refuse what tsc checks above', () => {
    expect(mistakes).toHaveLength(4);
  });

  it('flow from end to end', () => {
    const rows = orders().toTable(Materialized.as('rows'));
    same<typeof rows, KTable<string, Order, never>>(true);
    const grouped = table().groupBy(
      (_key, value) => (value.amount > 1 ? [value.customer, value.amount] : null),
      Grouped.with(text, integer, { name: 'by-customer' }),
    );
    same<typeof grouped, KGroupedTable<string, number>>(true);
    const _counted = grouped.count(Materialized.as('counted'));
    same<typeof _counted, KTable<string, number, never>>(true);
    const _rekeyed = rows.toStream((_key, value) => value.amount);
    same<typeof _rekeyed, KStream<number, Order>>(true);
    const _transformed = table().transformValues(
      (_key, value) => value?.amount ?? null,
      Materialized.as('amounts', { valueSerde: integer }),
    );
    same<typeof _transformed, KTable<string, number, null>>(true);

    const _kept = orders().process((record, context) => context.forward(record));
    same<typeof _kept, KStream<string, Order>>(true);
    const _byNumber = orders().process(ByNumber);
    same<typeof _byNumber, KStream<number, Order>>(true);
    const lengths = orders().processValues((record, context: { forward(record: { value: number }): void }) =>
      context.forward({ value: record.value.amount }),
    );
    expect(lengths).toBeDefined();
    orders().process(
      (record, context) => {
        const _byName = context.getStateStore('counts').range('a', null);
        same<typeof _byName, (readonly [key: string, value: number])[]>(true);
        const _found = context.getStateStore(sessions).fetch(record.key);
        same<typeof _found, (readonly [key: SessionBounds, value: Order])[]>(true);
      },
      'name',
      counts,
      sessions,
    );
    const _late = orders().process(ByNumber).sideOutput(OutputTag.of('late', text));
    same<typeof _late, KStream<number, string>>(true);
    same<typeof counts, StoreBuilder<OrderedKeyValueStore<string, number>, 'counts'>>(true);
  });
});
