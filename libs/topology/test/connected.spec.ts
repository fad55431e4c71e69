// Two grouped streams in one keyed process function.
import { describe, expect, it } from '@jest/globals';
import { Consumed, Grouped, State, StreamsBuilder } from '#libs/topology';
import type { Topology } from '#libs/topology';
import { Driver } from './driver.ts';
import { integer, text, thrownBy } from './fixtures.ts';

function together(changedKeys: boolean): Topology {
  const builder = new StreamsBuilder();
  const orders = builder.stream<string, string>('orders', Consumed.with(text, text));
  const payments = builder.stream<string, number>('payments', Consumed.with(text, integer));
  const upper = (key: string): string => key.toUpperCase();
  (changedKeys ? orders.selectKey(upper) : orders)
    .groupByKey(Grouped.with(text, text))
    .connect((changedKeys ? payments.selectKey(upper) : payments).groupByKey(Grouped.with(text, integer)))
    .process({
      name: 'settle',
      state: { order: State.value(text), paid: State.reducing(integer, (a, b) => a + b) },
      valueSerde: text,
      onRecord(order, { state }) {
        state.order.set(order);
      },
      onOther(amount, context) {
        context.state.paid.add(amount);
        context.emit(`${context.state.order.get() ?? 'nothing'} ${context.state.paid.get() ?? 0}`);
      },
    })
    .to('out');
  return builder.build();
}

describe('connected streams', () => {
  it('share the state of a key', () => {
    const driver = new Driver(together(false));
    driver.pipe('payments', 'a', 3, 1);
    driver.pipe('orders', 'a', 'tea', 2);
    driver.pipe('payments', 'a', 4, 3);
    driver.pipe('payments', 'b', 5, 4);
    expect(driver.lines('out')).toEqual(['a=nothing 3@1', 'a=tea 7@3', 'b=nothing 5@4']);
  });

  it('are repartitioned each where its key was changed', () => {
    const topology = together(true);
    expect(topology.repartitions.map(({ name }) => name)).toEqual(['settle-this', 'settle-other']);
    expect(topology.coPartitionGroups.map(({ repartitions }) => repartitions)).toEqual([
      ['settle-this', 'settle-other'],
    ]);
    const driver = new Driver(topology);
    driver.pipe('orders', 'a', 'tea', 2);
    driver.pipe('payments', 'A', 4, 3);
    expect(driver.lines('out')).toEqual(['A=tea 4@3']);
  });

  it('must be of one topology, read together, and have a function each', () => {
    expect(together(false).coPartitionGroups.map(({ topics }) => topics)).toEqual([['orders', 'payments']]);
    const { faults } = thrownBy(() => {
      const builder = new StreamsBuilder();
      const stranger = new StreamsBuilder().stream<string, string>('x', Consumed.with(text, text));
      builder
        .stream<string, string>('orders', Consumed.with(text, text))
        .groupByKey()
        .connect(stranger.groupByKey())
        .process({ name: 'p', onRecord: () => undefined, onOther: undefined as never });
      builder.build();
    }).context;
    expect(faults.map(({ problem }) => problem)).toEqual([
      'the onOther is not a function.',
      'the other is no grouped stream of this topology.',
    ]);
  });
});
