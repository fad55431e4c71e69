// What must not compile, does not: `npm run typecheck` fails when one of the errors expected here goes away. What does is built, at least.
import { describe, expect, it } from '@jest/globals';
import {
  Consumed,
  JoinWindows,
  Materialized,
  Produced,
  StreamJoined,
  StreamsBuilder,
  TableJoined,
} from '#libs/topology';
import type { GlobalKTable, KStream, KTable } from '#libs/topology';
import { integer, text } from './fixtures.ts';

interface Sources {
  readonly orders: KStream<string, number>;
  readonly payments: KStream<string, string>;
  readonly unkeyed: KStream<string | null, string | null>;
  readonly numbered: KStream<number, string>;
  readonly rows: KTable<string, number>;
  readonly names: KTable<string, string>;
  readonly byNumber: KTable<number, string>;
  readonly global: GlobalKTable<number, string>;
}

function sources(): Sources {
  const builder = new StreamsBuilder();
  return {
    orders: builder.stream<string, number>('orders', Consumed.with(text, integer)),
    payments: builder.stream<string, string>('payments', Consumed.with(text, text)),
    unkeyed: builder.stream<string | null, string | null>('unkeyed', Consumed.with(text, text)),
    numbered: builder.stream<number, string>('numbered', Consumed.with(integer, text)),
    rows: builder.table('rows', Consumed.with(text, integer), Materialized.as('rows')),
    names: builder.table('names', Consumed.with(text, text), Materialized.as('names')),
    byNumber: builder.table('by-number', Consumed.with(integer, text), Materialized.as('by-number')),
    global: builder.globalTable('global', Consumed.with(integer, text), Materialized.as('global')),
  };
}

const windows = JoinWindows.ofTimeDifferenceWithNoGrace(1000);
const is = <T>(_value: T): void => undefined;

describe('the types of joins', () => {
  it('know the values of a stream–stream join, and where one may be missing', () => {
    const { orders, payments, unkeyed, numbered } = sources();
    const s = StreamJoined.as('s');
    orders
      .join(payments, (order, payment) => order.toFixed() + payment.length, windows, s)
      .to('out', Produced.with(text, text));
    orders.join(unkeyed, (order, value, key) => order + value.length + key.length, windows, s);
    orders.leftJoin(payments, (order, payment) => (payment === null ? order : payment.length), windows, s);
    orders.outerJoin(payments, (order, payment) => (order ?? 0) + (payment?.length ?? 0), windows, s);
    is<KStream<string | null, number>>(unkeyed.leftJoin(orders, (value) => value.length, windows, s));

    // @ts-expect-error: the payment may be missing
    orders.leftJoin(payments, (order, payment) => order + payment.length, windows, s);
    // @ts-expect-error: the order may be missing
    orders.outerJoin(payments, (order) => order.toFixed(), windows, s);
    // @ts-expect-error: keys of another type
    orders.join(numbered, (order, value) => order + value.length, windows, s);
    // @ts-expect-error: no windows
    orders.join(payments, (order, payment) => order + payment.length, s);
    // @ts-expect-error: the stores need a name
    orders.join(payments, (order, payment) => order + payment.length, windows);
    // @ts-expect-error: a serde of the other stream's values that does not fit
    orders.join(payments, (order) => order, windows, StreamJoined.with(text, integer, integer));
    // @ts-expect-error: the result is text
    orders.join(payments, (_order, payment) => payment, windows, s).to('out', Produced.with(text, integer));
    expect(orders).toBeDefined();
  });

  it('know the values of a table–table join, and what can be deleted', () => {
    const { rows, names, byNumber } = sources();
    is<KTable<string, string>>(rows.join(names, (row, name) => name.repeat(row)));
    rows.leftJoin(names, (row, name) => name ?? String(row), Materialized.as('l', { valueSerde: text }));
    rows.outerJoin(names, (row, name) => (row ?? 0) + (name?.length ?? 0));

    // @ts-expect-error: the name may be missing
    rows.leftJoin(names, (row, name) => name.repeat(row));
    // @ts-expect-error: the row may be missing
    rows.outerJoin(names, (row) => row.toFixed());
    // @ts-expect-error: keys of another type
    rows.join(byNumber, (row, name) => name.repeat(row));
    // @ts-expect-error: a serde that does not fit the result
    rows.join(names, (row, name) => name.repeat(row), Materialized.as('t', { valueSerde: integer }));
    expect(rows).toBeDefined();
  });

  it('know the foreign key', () => {
    const { rows, byNumber } = sources();
    const named = TableJoined.as('named');
    is<KTable<string, string>>(
      rows.join(
        byNumber,
        (row) => row,
        (row, name) => name.repeat(row),
        named,
      ),
    );
    rows.leftJoin(
      byNumber,
      (row, key) => (key === '' ? null : row),
      (row, name) => name ?? String(row),
      named,
    );

    // @ts-expect-error: the other table's keys are numbers
    rows.join(
      byNumber,
      (_row, key) => key,
      (row, name) => name.repeat(row),
      named,
    );
    rows.leftJoin(
      byNumber,
      (row) => row,
      // @ts-expect-error: the name may be missing
      (row, name) => name.repeat(row),
      named,
    );
    // @ts-expect-error: the store and the topics need a name
    rows.join(
      byNumber,
      (row) => row,
      (row: number, name: string) => name.repeat(row),
      {},
    );
    expect(rows).toBeDefined();
  });

  it('know the key that a global table is asked for', () => {
    const { orders, global } = sources();
    orders.join(
      global,
      (_key, order) => order,
      (order, name) => name.repeat(order),
    );
    orders.leftJoin(
      global,
      () => null,
      (order, name) => name ?? String(order),
    );

    // @ts-expect-error: the table's keys are numbers
    orders.join(
      global,
      (key) => key,
      (order, name) => name.repeat(order),
    );
    // @ts-expect-error: no key selector
    orders.join(global, (order: number, name: string) => name.repeat(order));
    expect(orders).toBeDefined();
  });
});
