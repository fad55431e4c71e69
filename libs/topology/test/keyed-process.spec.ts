// Keyed process functions: state, timers, time to live, side outputs.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Serdes } from '#libs/serde';
import { Consumed, Materialized, State, StreamsBuilder } from '#libs/topology';
import type { KeyedProcessFunction, StateDescriptors } from '#libs/topology';
import { Driver } from './driver.ts';
import { integer, text, thrownBy } from './fixtures.ts';

function driverOf<R, S extends StateDescriptors>(fn: KeyedProcessFunction<string, number, R, S>): Driver {
  const builder = new StreamsBuilder();
  builder
    .stream<string, number>('in', Consumed.with(text, integer))
    .groupByKey()
    .process(fn)
    .mapValues((value) => JSON.stringify(value))
    .to('out', { valueSerde: text });
  return new Driver(builder.build());
}

describe('a keyed process function', () => {
  it('may take what it emits with out of its context', () => {
    const driver = driverOf<number, Record<string, never>>({
      name: 'taken-out',
      onRecord(value, { emit, timers, timestamp }) {
        emit(value);
        timers.setEventTime('again', timestamp + 1);
      },
      onTimer(_timer, { emit }) {
        emit(-1);
      },
    });
    driver.pipe('in', 'a', 3, 10);
    driver.pipe('in', 'b', 4, 20);
    expect(driver.outputs('out').map(({ value }) => value)).toEqual(['3', '4', '-1']);
  });

  it('has value, list, map, reducing and aggregating state of the current key', () => {
    const driver = driverOf({
      name: 'all',
      state: {
        last: State.value(integer),
        all: State.list(integer),
        seen: State.map(text, integer),
        sum: State.reducing(integer, (a, b) => a + b),
        spread: State.aggregating(
          Serdes.json<{ min: number; max: number }>(),
          () => ({ min: Infinity, max: -Infinity }),
          ({ min, max }, value: number) => ({ min: Math.min(min, value), max: Math.max(max, value) }),
        ),
      },
      onRecord(value, context) {
        const { state, key } = context;
        const before = state.last.get();
        state.last.set(value);
        state.all.add(value);
        state.seen.set(`n${value}`, (state.seen.get(`n${value}`) ?? 0) + 1);
        state.sum.add(value);
        state.spread.add(value);
        context.emit({
          key,
          before,
          all: state.all.get(),
          seen: state.seen.entries(),
          sum: state.sum.get(),
          spread: state.spread.get(),
        });
      },
    });
    driver.pipe('in', 'a', 3, 10);
    driver.pipe('in', 'b', 9, 11);
    driver.pipe('in', 'a', 1, 12);
    driver.pipe('in', 'a', 3, 13);
    expect(driver.outputs('out').map(({ value }) => JSON.parse(value as string) as unknown)).toEqual([
      { key: 'a', before: null, all: [3], seen: [['n3', 1]], sum: 3, spread: { min: 3, max: 3 } },
      { key: 'b', before: null, all: [9], seen: [['n9', 1]], sum: 9, spread: { min: 9, max: 9 } },
      {
        key: 'a',
        before: 3,
        all: [3, 1],
        seen: [
          ['n1', 1],
          ['n3', 1],
        ],
        sum: 4,
        spread: { min: 1, max: 3 },
      },
      {
        key: 'a',
        before: 1,
        all: [3, 1, 3],
        seen: [
          ['n1', 1],
          ['n3', 2],
        ],
        sum: 7,
        spread: { min: 1, max: 3 },
      },
    ]);
  });

  it('fires timers of event time in their order, with the key they were set under, once', () => {
    const driver = driverOf({
      name: 'timers',
      onRecord(value, context) {
        context.timers.setEventTime('end', value);
      },
      onTimer({ name, time }, context) {
        context.emit(`${name} of ${context.key} at ${time}`);
      },
    });
    driver.pipe('in', 'a', 30, 1);
    driver.pipe('in', 'b', 20, 2);
    driver.pipe('in', 'c', 99, 29);
    expect(driver.lines('out')).toEqual(['b="end of b at 20"@20']);
    driver.pipe('in', 'c', 100, 40);
    expect(driver.lines('out').slice(1)).toEqual(['a="end of a at 30"@30']);
    driver.advanceEventTime(200);
    expect(driver.lines('out').slice(2)).toEqual(['c="end of c at 100"@100']);
    expect(driver.orderedStores.get('timers-timers')!.rows()).toEqual([]);
  });

  it('fires timers of the wall clock, and forgets those that were cancelled', () => {
    const driver = driverOf({
      name: 'wall',
      onRecord(value, { timers }) {
        if (value > 0) timers.setWallTime('late', value);
        else timers.cancelWallTime('late');
      },
      onTimer({ time }, context) {
        context.emit(time);
      },
    });
    driver.pipe('in', 'a', 100, 1);
    driver.pipe('in', 'b', 100, 2);
    driver.pipe('in', 'b', 0, 3);
    driver.advanceWallClock(99);
    expect(driver.lines('out')).toEqual([]);
    driver.advanceWallClock(1);
    expect(driver.lines('out')).toEqual(['a=100@100']);
  });

  it('lets a timer set another one for a time that has come', () => {
    const driver = driverOf({
      name: 'chain',
      onRecord(value, { timers }) {
        timers.setEventTime('tick', value);
      },
      onTimer({ time }, context) {
        context.emit(time);
        if (time < 5) context.timers.setEventTime('tick', time + 1);
      },
    });
    driver.pipe('in', 'a', 3, 100);
    expect(driver.lines('out')).toEqual(['a=3@3', 'a=4@4', 'a=5@5']);
  });

  it('forgets entries by event time, in the store too', () => {
    const driver = driverOf({
      name: 'ttl',
      state: {
        last: State.value(integer, { ttl: { ms: 10 } }),
        each: State.map(integer, integer, { ttl: { ms: 10 } }),
      },
      onRecord(value, context) {
        const { state } = context;
        context.emit([state.last.get(), state.each.entries().map(([key]) => key)]);
        state.last.set(value);
        state.each.set(value, value);
      },
    });
    driver.pipe('in', 'a', 1, 100);
    driver.pipe('in', 'a', 2, 105);
    driver.pipe('in', 'a', 3, 112);
    driver.pipe('in', 'a', 4, 122);
    expect(driver.lines('out')).toEqual([
      'a=[null,[]]@100',
      'a=[1,[1]]@105',
      'a=[2,[2]]@112',
      'a=[null,[]]@122',
    ]);
    driver.pipe('in', 'other', 1, 200);
    expect([...driver.stores.get('ttl-last')!.content().keys()]).toEqual(['other']);
    expect(
      driver.orderedStores
        .get('ttl-each')!
        .rows()
        .map(({ group }) => group),
    ).toEqual(['other']);
    driver.advanceEventTime(300);
    expect(driver.stores.get('ttl-last')!.content().size).toBe(0);
    expect(driver.orderedStores.get('ttl-timers')!.rows()).toEqual([]);
  });

  it('still forgets what an older version of the function wrote, whose states were declared in another order', () => {
    const ttl = { ms: 10 };
    const onRecord: KeyedProcessFunction<string, number, never, StateDescriptors>['onRecord'] = () =>
      undefined;
    const old = driverOf({
      name: 'f',
      state: { gone: State.value(integer, { ttl }), kept: State.map(integer, integer, { ttl }) },
      onRecord(value, { state }) {
        state.gone.set(value);
        state.kept.set(value, value);
      },
    });
    old.pipe('in', 'a', 1, 100);
    const changed = driverOf({
      name: 'f',
      state: {
        first: State.value(integer),
        second: State.value(integer),
        kept: State.map(integer, integer, { ttl }),
      },
      onRecord,
    });
    for (const name of ['f-kept', 'f-timers']) {
      const [from, to] = [old, changed].map(({ orderedStores }) => orderedStores.get(name)!);
      for (const { group, suffix, value, timestamp } of from!.rows()) {
        to!.set(to!.row(group, suffix), value, timestamp);
      }
      expect(to!.rows()).not.toEqual([]);
    }
    changed.pipe('in', 'other', 1, 200);
    expect(changed.orderedStores.get('f-kept')!.rows()).toEqual([]);
    expect(changed.orderedStores.get('f-timers')!.rows()).toEqual([]);
  });

  it('forgets by the wall clock what a timer of event time has set', () => {
    const driver = driverOf({
      name: 'f',
      state: { last: State.value(integer, { ttl: { ms: 10, time: 'wall' } }) },
      onRecord(value, { timers }) {
        timers.setEventTime('later', value);
      },
      onTimer({ time }, { state }) {
        state.last.set(time);
      },
    });
    driver.pipe('in', 'a', 200, 100);
    driver.advanceEventTime(200);
    expect(driver.stores.get('f-last')!.content().size).toBe(1);
    driver.advanceWallClock(11);
    expect(driver.stores.get('f-last')!.content().size).toBe(0);
  });

  it.each([null, { ms: 10 }])('gives the first entry of a map that is not forgotten (TTL: %p)', (ttl) => {
    const driver = driverOf({
      name: 'f',
      state: {
        seen: State.map(integer, text, ttl === null ? {} : { ttl }),
        reads: State.value(integer),
      },
      onRecord(value, context) {
        const { seen } = context.state;
        if (value > 0) seen.set(value, `v${value}`);
        if (value < 0) seen.delete(-value);
        context.emit(seen.first());
      },
    });
    driver.pipe('in', 'a', 0, 100);
    driver.pipe('in', 'a', 3, 100);
    driver.pipe('in', 'a', 2, 104);
    driver.pipe('in', 'a', 4, 105);
    driver.pipe('in', 'a', -2, 106);
    driver.pipe('in', 'a', 0, 110);
    driver.pipe('in', 'a', 0, 115);
    expect(driver.outputs('out').map(({ value }) => value)).toEqual([
      'null',
      '[3,"v3"]',
      '[2,"v2"]',
      '[2,"v2"]',
      '[3,"v3"]',
      ttl === null ? '[3,"v3"]' : '[4,"v4"]',
      ttl === null ? '[3,"v3"]' : 'null',
    ]);
  });

  it('agrees with a model of values with a time to live', () => {
    const event = fc.record({
      key: fc.constantFrom('a', 'b'),
      step: fc.nat(12),
      action: fc.constantFrom('set', 'clear', 'read'),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), fc.boolean(), (events, refreshes) => {
        const driver = driverOf({
          name: 'model',
          state: {
            v: State.value(integer, { ttl: { ms: 10, refreshOn: refreshes ? 'readAndWrite' : 'write' } }),
          },
          onRecord(value, context) {
            const { v } = context.state;
            if (value === 1) v.set(context.timestamp);
            else if (value === 2) v.clear();
            else context.emit(v.get());
          },
        });
        const model = new Map<string, { value: number; touched: number }>();
        const expected: string[] = [];
        let now = 0;
        for (const { key, step, action } of events) {
          now += step;
          driver.pipe('in', key, action === 'set' ? 1 : action === 'clear' ? 2 : 3, now);
          const known = model.get(key);
          const alive = known !== undefined && known.touched + 10 > now;
          if (action === 'set') model.set(key, { value: now, touched: now });
          else if (action === 'clear') model.delete(key);
          else {
            expected.push(`${key}=${alive ? String(known.value) : 'null'}@${now}`);
            if (alive && refreshes) known.touched = now;
          }
        }
        expect(driver.lines('out')).toEqual(expected);
      }),
      { numRuns: 200 },
    );
  });

  it('reads global tables as broadcast state', () => {
    const builder = new StreamsBuilder();
    const limits = builder.globalTable('limits', Consumed.with(text, integer), Materialized.as('limits'));
    builder
      .stream<string, number>('in', Consumed.with(text, integer))
      .groupByKey()
      .process({
        name: 'over',
        broadcast: { limits },
        valueSerde: text,
        onRecord(value, context) {
          const limit = context.broadcast.limits.get(context.key);
          const known = context.broadcast.limits.entries().map(([key]) => key);
          if (limit !== null && value > limit) context.emit(`${value} > ${limit} of ${known.join()}`);
        },
      })
      .to('out');
    const driver = new Driver(builder.build());
    driver.pipe('in', 'a', 9);
    driver.pipe('limits', 'a', 5);
    driver.pipe('limits', 'b', 7);
    driver.pipe('in', 'a', 9);
    driver.pipe('limits', 'a', null);
    driver.pipe('in', 'a', 9);
    expect(driver.lines('out')).toEqual(['a=9 > 5 of a,b@0']);
  });

  it('drops records without a key or a value, and says so', () => {
    const driver = driverOf({ name: 'nulls', onRecord: () => undefined });
    driver.pipe('in', null, 1, 1);
    driver.pipe('in', 'a', null, 1);
    expect(driver.drops.map(({ code }) => code)).toEqual(['MILLRACE_NULL_KEY', 'MILLRACE_NULL_VALUE']);
  });

  it('is refused without a function or with a time to live that is none', () => {
    const { faults } = thrownBy(() =>
      driverOf({
        name: 'bad',
        state: { v: State.value(integer, { ttl: { ms: 0 } }) },
        onRecord: 7 as never,
      }),
    ).context;
    expect(faults.map(({ problem }) => problem)).toEqual([
      'the onRecord is not a function.',
      'the time to live of the state "bad-v" is 0 ms.',
    ]);
  });
});
