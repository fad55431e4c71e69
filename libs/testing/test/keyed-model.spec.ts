// Keyed state and timers on the real runtime, compared with plain JavaScript, through crashes at any moment.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Serdes } from '#libs/serde';
import { Consumed, Produced, State, StreamsBuilder } from '#libs/topology';
import { TopologyTestDriver } from '../src/index.ts';

const ACTIONS = ['set', 'add', 'put', 'delete', 'timer', 'cancel', 'clear', 'read'] as const;

interface Action {
  readonly what: (typeof ACTIONS)[number];
  readonly n: number;
}

interface Event extends Action {
  readonly key: string;
  /** Milliseconds since the event before; negative: out of order. */
  readonly step: number;
  /** Steps of the simulation after which the instance is killed; `null`: it is not. */
  readonly crashAfter: number | null;
}

const text = Serdes.string();
const integer = Serdes.safeInteger();

function topology(): StreamsBuilder {
  const builder = new StreamsBuilder();
  builder
    .stream('in', Consumed.with(text, Serdes.json<Action>()))
    .groupByKey()
    .process({
      name: 'all',
      state: {
        value: State.value(integer),
        list: State.list(integer),
        map: State.map(integer, integer),
        sum: State.reducing(integer, (a, b) => a + b),
      },
      valueSerde: text,
      onRecord({ what, n }, context) {
        const { value, list, map, sum } = context.state;
        if (what === 'set') value.set(n);
        if (what === 'add') list.add(n);
        if (what === 'add') sum.add(n);
        if (what === 'put') map.set(n, (map.get(n) ?? 0) + 1);
        if (what === 'delete') map.delete(n);
        if (what === 'timer') context.timers.setEventTime(`t${n % 2}`, context.timestamp + n);
        if (what === 'cancel') context.timers.cancelEventTime(`t${n % 2}`);
        if (what === 'clear') for (const each of [value, list, map, sum]) each.clear();
        if (what === 'read') {
          context.emit(JSON.stringify([value.get(), list.get(), map.entries(), sum.get()]));
        }
      },
      onTimer({ name, time }, context) {
        context.emit(`${name} at ${time}: ${context.state.sum.get() ?? 'none'}`);
      },
    })
    .to('out', Produced.with(text, text));
  return builder;
}

/** What the function is to emit, by key. */
function modelled(events: readonly (Event & { readonly timestamp: number })[]): Map<string, string[]> {
  interface OfKey {
    value: number | null;
    list: number[];
    readonly map: Map<number, number>;
    readonly timers: Map<string, number>;
  }
  const empty = (): OfKey => ({ value: null, list: [], map: new Map(), timers: new Map() });
  const keys = new Map<string, OfKey>();
  const out = new Map<string, string[]>();
  const emit = (key: string, line: string): void => {
    out.set(key, [...(out.get(key) ?? []), line]);
  };
  const sumOf = ({ list }: OfKey): number | null =>
    list.length === 0 ? null : list.reduce((sum, n) => sum + n, 0);
  let streamTime = -1;
  for (const { key, what, n, timestamp } of events) {
    streamTime = Math.max(streamTime, timestamp);
    const of = keys.get(key) ?? empty();
    keys.set(key, of);
    if (what === 'set') of.value = n;
    if (what === 'add') of.list.push(n);
    if (what === 'put') of.map.set(n, (of.map.get(n) ?? 0) + 1);
    if (what === 'delete') of.map.delete(n);
    if (what === 'timer') of.timers.set(`t${n % 2}`, timestamp + n);
    if (what === 'cancel') of.timers.delete(`t${n % 2}`);
    if (what === 'clear') {
      of.value = null;
      of.list = [];
      of.map.clear();
    }
    if (what === 'read') {
      const map = [...of.map].sort(([a], [b]) => a - b);
      emit(key, JSON.stringify([of.value, of.list, map, sumOf(of)]));
    }
    for (const [name, state] of keys) {
      const due = [...state.timers]
        .filter(([, time]) => time <= streamTime)
        .sort(([a, at], [b, bt]) => at - bt || (a < b ? -1 : 1));
      for (const [timer, time] of due) {
        state.timers.delete(timer);
        emit(name, `${timer} at ${time}: ${sumOf(state) ?? 'none'}`);
      }
    }
  }
  return out;
}

describe('keyed state and timers', () => {
  it('agree with a model, whenever the instance is killed', async () => {
    const event: fc.Arbitrary<Event> = fc.record({
      key: fc.constantFrom('a', 'b'),
      what: fc.constantFrom(...ACTIONS),
      n: fc.integer({ min: 1, max: 6 }),
      step: fc.integer({ min: -3, max: 6 }),
      crashAfter: fc.option(fc.integer({ min: 1, max: 30 }), { nil: null, freq: 6 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 25 }), async (drawn) => {
        let now = 1_000;
        const events = drawn.map((each) => ({ ...each, timestamp: (now += each.step) }));
        await using driver = await TopologyTestDriver.start(topology());
        const input = driver.inputTopic('in', text, Serdes.json<Action>());
        const output = driver.outputTopic('out', text, text);
        for (const { key, what, n, timestamp, crashAfter } of events) {
          if (crashAfter === null) {
            await input.pipe(key, { what, n }, { timestamp });
            continue;
          }
          await input.append(key, { what, n }, { timestamp });
          await driver.step(crashAfter);
          await driver.crash();
          await driver.restart();
          await driver.settle();
        }
        const results = new Map<string, string[]>();
        for (const { key, value } of output.readAll()) {
          results.set(key!, [...(results.get(key!) ?? []), value!]);
        }
        expect(results).toEqual(modelled(events));
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});
