import { describe, expect, it } from '@jest/globals';
import { EmitStrategy, Materialized, TimeWindows } from '#libs/topology';
import type { AlarmFunction } from '#libs/topology';
import { dueEmission } from '../src/operators/due-emission.ts';
import type { Site } from '../src/operators/operator.ts';
import { driverOverStream } from './fixtures.ts';
import { windowLines } from './windowed-lines.ts';

/** Results 0 to `count` - 1, of which some fail, and the runtime around them: it undoes what fails and passes over it. */
function runtimeOver(count: number, failing: readonly number[]) {
  let next = 0;
  let fire: AlarmFunction = () => Infinity;
  let isAsked = false;
  const emitted: number[] = [];
  const site = {
    alarm: (_kind: string, fn: AlarmFunction) => {
      fire = fn;
      return { due: () => (isAsked = true) };
    },
  } as unknown as Site;
  const emitDue = dueEmission(site, {
    emit(resultsMax) {
      for (let i = 0; i < resultsMax; i++) {
        if (next === count) return false;
        if (failing.includes(next)) throw new Error(`${next} fails`);
        emitted.push(next++);
      }
      return next < count;
    },
    drop: () => next++,
  });
  const scope = (run: () => void): boolean => {
    const before = [next, emitted.length] as const;
    try {
      run();
      return true;
    } catch {
      [next, emitted.length] = before;
      return false;
    }
  };
  const settle = (): void => {
    let at = isAsked ? -1 : Infinity;
    isAsked = false;
    while (at < Infinity) {
      if (scope(() => (at = fire(0, false)))) continue;
      scope(() => (at = fire(0, true)));
    }
  };
  return {
    emitted,
    record: (): boolean => {
      const isGood = scope(emitDue);
      settle();
      return isGood;
    },
  };
}

const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_none, index) => from + index);

describe('results that are due', () => {
  it('go on with the record that made them due, all of them', () => {
    const runtime = runtimeOver(10_000, []);
    expect(runtime.record()).toBe(true);
    expect(runtime.emitted).toEqual(numbers(0, 10_000));
  });

  it('that fail cost one record, and no other result', () => {
    const runtime = runtimeOver(10, [3, 7]);
    expect(runtime.record()).toBe(false);
    expect(runtime.record()).toBe(true);
    expect(runtime.record()).toBe(true);
    expect(runtime.emitted).toEqual([0, 1, 2, 4, 5, 6, 8, 9]);
  });
});

describe('ten thousand windows that close at once', () => {
  it('are emitted in order, before the next record', () => {
    const driver = driverOverStream((stream) =>
      stream
        .groupByKey()
        .windowedBy(TimeWindows.ofSizeWithNoGrace(10))
        .emitStrategy(EmitStrategy.onWindowClose())
        .count(Materialized.as('counts'))
        .toStream()
        .to('out'),
    );
    const keys = numbers(10_000, 20_000).map(String);
    for (const key of [...keys].reverse()) driver.pipe('in', key, 'x', 5);
    for (const key of keys.slice(0, 100)) driver.pipe('in', key, 'x', 6);
    driver.pipe('in', 'last', 'x', 10);
    expect(windowLines(driver)).toEqual(
      keys.map((key, index) => (index < 100 ? `${key}@0-10=2@6` : `${key}@0-10=1@5`)),
    );
  });
});
