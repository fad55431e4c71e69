// Patterns over the events of a key. The search is compared with a naive model that tries every choice of events.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Consumed, OutputTag, Pattern, StreamsBuilder } from '#libs/topology';
import type { MatchOptions, Topology } from '#libs/topology';
import type { Stage } from '../src/cep/pattern.ts';
import { Driver } from './driver.ts';
import { text, thrownBy } from './fixtures.ts';

type AnyPattern = Pattern<string, string>;

const joined = (match: Readonly<Record<string, readonly string[]>>): string =>
  Object.values(match)
    .map((events) => events.join(''))
    .join('|');

function topologyOf(
  pattern: AnyPattern,
  options: Partial<MatchOptions<string, string, string, string>> = {},
): Topology {
  const builder = new StreamsBuilder();
  builder
    .stream<string, string>('in', Consumed.with(text, text))
    .groupByKey()
    .match(pattern, { name: 'm', select: joined, resultSerde: text, ...options })
    .to('out');
  return builder.build();
}

function driverOf(...parameters: Parameters<typeof topologyOf>): Driver {
  return new Driver(topologyOf(...parameters));
}

function matches(pattern: AnyPattern, events: string, options = {}): string[] {
  const driver = driverOf(pattern, options);
  [...events].forEach((event, index) => driver.pipe('in', 'k', event, index));
  return driver.outputs('out').map(({ value }) => String(value));
}

const begins = (prefix: string) => (event: string) => event.startsWith(prefix);
const begin = (event: string): AnyPattern => Pattern.begin<string>('a').where(begins(event));

/** Every match, by trying: each choice of events for the stages, held against the rules of pattern.ts word by word. */
function naiveMatches(stages: readonly Stage<string>[], withinMs: number | null, events: string): string[] {
  const found: string[] = [];
  const fits = (stage: Stage<string>, at: number): boolean =>
    stage.condition(events[at]!, {}) && !(stage.until?.(events[at]!, {}) ?? false);
  const between = (from: number, to: number): number[] =>
    Array.from({ length: Math.max(0, to - from - 1) }, (_, index) => from + 1 + index);
  const mayFollow = (stage: Stage<string>, repeats: boolean, from: number, to: number): boolean => {
    const contiguity = repeats ? stage.repetition : stage.contiguity;
    if (contiguity === 'strict' && to !== from + 1) return false;
    if (contiguity === 'relaxed' && between(from, to).some((at) => fits(stage, at))) return false;
    return !repeats || !between(from, to + 1).some((at) => stage.until?.(events[at]!, {}) ?? false);
  };
  const negated = (from: number, to: number, entered: readonly Stage<string>[]): boolean =>
    entered.some(({ forbidden }) =>
      forbidden.some(({ where, condition }) =>
        where === 'next'
          ? condition(events[from + 1]!, {})
          : between(from, to + 1).some((at) => condition(events[at]!, {})),
      ),
    );
  const grow = (stage: number, taken: readonly (readonly number[])[], last: number): void => {
    const complete = stages.every(({ isOptional, min }, index) => {
      const count = taken[index]?.length ?? 0;
      return count === 0 ? isOptional : count >= min;
    });
    if (last >= 0 && complete) {
      found.push(
        `${last}:${stages.map((_, index) => (taken[index] ?? []).map((at) => events[at]).join('')).join('|')}`,
      );
    }
    for (let at = last + 1; at < events.length; at++) {
      const first = taken.flat()[0] ?? at;
      if (withinMs !== null && at - first >= withinMs) break;
      for (let next = Math.max(0, stage); next < stages.length; next++) {
        const target = stages[next]!;
        const count = taken[next]?.length ?? 0;
        if (next > stage && stage >= 0 && (taken[stage]?.length ?? 0) < stages[stage]!.min) break;
        if (next > stage + 1 && !stages.slice(stage + 1, next).every(({ isOptional }) => isOptional)) break;
        if (count >= target.max || !fits(target, at)) continue;
        if (last >= 0) {
          if (!mayFollow(target, next === stage, last, at)) continue;
          if (next !== stage && negated(last, at, stages.slice(stage + 1, next + 1))) continue;
        }
        const grown = stages.map((_, index) => taken[index] ?? []);
        grown[next] = [...grown[next]!, at];
        grow(next, grown, at);
      }
    }
  };
  grow(-1, [], -1);
  return found;
}

describe('a pattern', () => {
  it('finds a strict sequence', () => {
    expect(matches(begin('a').next('b').where(begins('b')), 'abacb')).toEqual(['a|b']);
  });

  it('finds what follows, with other events in between', () => {
    expect(matches(begin('a').followedBy('b').where(begins('b')), 'axbb')).toEqual(['a|b']);
  });

  it('finds each that follows when asked for any', () => {
    expect(matches(begin('a').followedByAny('b').where(begins('b')), 'axbb')).toEqual(['a|b', 'a|b']);
  });

  it('repeats a stage, until told to stop', () => {
    const repeated = begin('a').oneOrMore().followedBy('b').where(begins('b'));
    expect(matches(repeated, 'aab')).toEqual(['aa|b', 'a|b', 'a|b']);
    const until = begin('a').oneOrMore().until(begins('x')).followedBy('b').where(begins('b'));
    expect(matches(until, 'axab')).toEqual(['a|b', 'a|b']);
  });

  it('counts how often', () => {
    expect(matches(begin('a').times(2), 'aaa')).toEqual(['aa', 'aa']);
    expect(matches(begin('a').times(2).consecutive(), 'axaa')).toEqual(['aa']);
    expect(matches(begin('a').times(2).allowCombinations(), 'aaa')).toEqual(['aa', 'aa', 'aa']);
  });

  it('leaves an optional stage out', () => {
    const pattern = begin('a')
      .followedBy('b')
      .where(begins('b'))
      .optional()
      .followedBy('c')
      .where(begins('c'));
    expect(matches(pattern, 'abc')).toEqual(['a|b|c', 'a||c']);
  });

  it('knows what must not come in between', () => {
    const not = begin('a').notFollowedBy(begins('x')).followedBy('b').where(begins('b'));
    expect(matches(not, 'axb')).toEqual([]);
    expect(matches(not, 'ayb')).toEqual(['a|b']);
    const notNext = begin('a').notNext(begins('x')).followedBy('b').where(begins('b'));
    expect(matches(notNext, 'axb')).toEqual([]);
    expect(matches(notNext, 'ayxb')).toEqual(['a|b']);
  });

  it('gives conditions the events taken so far', () => {
    const rising = Pattern.begin<string, string>('a')
      .followedBy('b')
      .where((event, taken) => event > taken['a']![0]!);
    expect(matches(rising, 'cbd')).toEqual(['c|d', 'b|d']);
  });

  it('ends with its time, tells so on a side output, and keeps nothing', () => {
    const timedOut = OutputTag.of<Partial<Record<string, readonly string[]>>>('over', undefined);
    const driver = driverOf(begin('a').followedBy('b').where(begins('b')).within(10), { timedOut });
    driver.pipe('in', 'k', 'a', 0);
    driver.pipe('in', 'k', 'b', 10);
    expect(driver.lines('out')).toEqual([]);
    driver.pipe('in', 'k', 'a', 20);
    driver.pipe('in', 'k', 'b', 29);
    expect(driver.lines('out')).toEqual(['k=a|b@29']);
    driver.advanceEventTime(100);
    expect(driver.stores.get('m-runs')!.content().size).toBe(0);
    expect(driver.orderedStores.get('m-timers')!.rows()).toEqual([]);
  });

  it('looks at events in the order of time when asked to', () => {
    const driver = driverOf(begin('a').next('b').where(begins('b')), { order: 'eventTime' });
    driver.pipe('in', 'k', 'a', 1);
    driver.pipe('in', 'k', 'b', 5);
    expect(driver.lines('out')).toEqual(['k=a|b@5']);
    expect(driver.orderedStores.get('m-waiting')!.rows()).toEqual([]);
  });

  it('skips past a match when asked to', () => {
    const pattern = begin('a').oneOrMore().followedBy('b').where(begins('b'));
    expect(matches(pattern, 'aabab', { afterMatch: 'skipPastLastEvent' })).toEqual(['aa|b', 'a|b']);
  });

  it('keeps no more partial matches of a key than allowed', () => {
    const driver = driverOf(begin('a').followedBy('b').where(begins('b')), { partialMatchesMax: 2 });
    [...'aaaab'].forEach((event, index) => driver.pipe('in', 'k', event, index));
    expect(driver.outputs('out')).toHaveLength(2);
  });

  it('keeps partial matches under another serde once its stages are others', () => {
    const serdeName = (pattern: AnyPattern): string =>
      topologyOf(pattern)
        .subTopologies.flatMap(({ stores }) => stores)
        .find(({ name }) => name === 'm-runs')!.valueSerde.name;
    const name = serdeName(begin('a').followedBy('b'));
    expect(serdeName(begin('a').where(begins('b')).next('b'))).toBe(name);
    expect(serdeName(begin('a').followedBy('b').followedBy('c'))).not.toBe(name);
    expect(serdeName(begin('a').followedBy('c'))).not.toBe(name);
  });

  it('is refused when it makes no sense', () => {
    const pattern = begin('a').times(0).notNext(begins('x')).within(-1);
    const { faults } = thrownBy(() => driverOf(pattern)).context;
    expect(faults.map(({ problem }) => problem)).toEqual([
      'the pattern has times(0, 0) of the stage "a".',
      'the pattern has within(-1).',
      'the pattern has a negation at the end: another stage has to follow.',
    ]);
  });

  it('agrees with trying every choice of events', () => {
    const letter = fc.constantFrom('a', 'b', 'c');
    const contiguity = fc.constantFrom('next', 'followedBy', 'followedByAny');
    const quantifier = fc.constantFrom('one', 'oneOrMore', 'times', 'range');
    const stage = fc.record({
      letter,
      contiguity,
      quantifier,
      optional: fc.boolean(),
      repetition: fc.constantFrom('relaxed', 'consecutive', 'allowCombinations'),
      until: fc.option(letter, { nil: null }),
      not: fc.option(fc.record({ letter, where: fc.constantFrom('next', 'between') }), { nil: null }),
    });
    fc.assert(
      fc.property(
        fc.array(stage, { minLength: 1, maxLength: 3 }),
        fc.array(fc.constantFrom('a', 'b', 'c', 'x'), { maxLength: 7 }),
        fc.option(fc.integer({ min: 2, max: 6 }), { nil: null }),
        (drawn, events, within) => {
          let pattern: AnyPattern | null = null;
          drawn.forEach((part, index) => {
            const name = `s${index}`;
            if (pattern === null) pattern = Pattern.begin<string>(name);
            else {
              if (part.not !== null) {
                const condition = begins(part.not.letter);
                pattern =
                  part.not.where === 'next' ? pattern.notNext(condition) : pattern.notFollowedBy(condition);
              }
              pattern = pattern[part.contiguity](name);
            }
            pattern = pattern.where(begins(part.letter));
            if (part.quantifier !== 'one') {
              if (part.quantifier === 'oneOrMore') pattern = pattern.oneOrMore();
              else pattern = part.quantifier === 'times' ? pattern.times(2) : pattern.times(1, 3);
              if (part.repetition !== 'relaxed') pattern = pattern[part.repetition]();
              if (part.until !== null) pattern = pattern.until(begins(part.until));
            }
            if (part.optional && index > 0) pattern = pattern.optional();
          });
          if (within !== null) pattern = pattern!.within(within);
          const { stages, withinMs } = pattern!;
          const expected = naiveMatches(stages, withinMs, events.join(''));
          const driver = driverOf(pattern!);
          events.forEach((event, index) => driver.pipe('in', 'k', event, index));
          const found = driver.outputs('out').map(({ value, timestamp }) => `${timestamp}:${String(value)}`);
          expect(found.sort()).toEqual(expected.sort());
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
