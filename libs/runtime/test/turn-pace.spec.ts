// How long a worker computes before anything else has its turn, and when it must be careful with transactions.
import { describe, expect, it } from '@jest/globals';
import type { Clock } from '#libs/core';
import { TurnPace } from '../src/turn-pace.ts';

function fixture(transactionTimeoutMs: number | null = 10_000) {
  let now = 1_000;
  const clock: Pick<Clock, 'monotonic'> = { monotonic: () => now };
  const pace = new TurnPace(clock as Clock, transactionTimeoutMs);
  /** A turn of `tasks`, each taking the time given; the tasks that had a slice. */
  const turn = (tasks: Readonly<Record<string, number>>): string[] => {
    const had: string[] = [];
    for (const task of pace.beginTurn(Object.keys(tasks))) {
      now += tasks[task]!;
      had.push(task);
      if (pace.isOver(had.length)) break;
    }
    return had;
  };
  return { pace, turn, pass: (ms: number) => (now += ms) };
}

describe('a turn', () => {
  it('gives every task its slice while they are quick', () => {
    const { turn } = fixture();
    expect(turn({ a: 1, b: 1, c: 1 })).toEqual(['a', 'b', 'c']);
    expect(turn({ a: 1, b: 1, c: 1 })).toEqual(['a', 'b', 'c']);
  });

  it('ends behind a slow task, and the next one goes on there', () => {
    const { turn } = fixture();
    const tasks = { a: 1, b: 500, c: 1, d: 500 };
    expect(turn(tasks)).toEqual(['a', 'b']);
    expect(turn(tasks)).toEqual(['c', 'd']);
    expect(turn(tasks)).toEqual(['a', 'b']);
  });

  it('of no tasks is none', () => {
    expect(fixture().turn({})).toEqual([]);
  });

  it('gives each task its slice however many leave', () => {
    const { turn } = fixture();
    turn({ a: 1, b: 1, c: 500 });
    expect(turn({ a: 1 })).toEqual(['a']);
    expect(turn({})).toEqual([]);
  });
});

describe('care', () => {
  it('is taken after a turn that took a quarter of the transaction timeout, for ten timeouts', () => {
    const { pace, turn, pass } = fixture(10_000);
    turn({ a: 2_400 });
    expect(pace.isCareful).toBe(false);
    turn({ a: 2_500 });
    expect(pace.isCareful).toBe(true);
    pass(99_000);
    expect(pace.isCareful).toBe(true);
    pass(1_001);
    expect(pace.isCareful).toBe(false);
  });

  it('is not needed where there are no transactions', () => {
    const { pace, turn } = fixture(null);
    turn({ a: 300_000 });
    expect(pace.isCareful).toBe(false);
  });
});
