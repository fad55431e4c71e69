// Specifies pauses on a clock: how long they take, and what ends them early.
import { describe, expect, it } from '@jest/globals';
import { sleep } from '../src/index.ts';
import type { Clock } from '../src/index.ts';

/** Timers that a test lets go off. */
function fixture() {
  const timers = new Set<{ readonly delayMs: number; readonly action: () => void }>();
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    schedule(delayMs, action) {
      const timer = { delayMs, action };
      timers.add(timer);
      return { cancel: () => void timers.delete(timer) };
    },
    defer: (action) => action(),
    random: () => 0,
  };
  return { clock, timers };
}

describe('sleep', () => {
  it('ends with its time', async () => {
    const { clock, timers } = fixture();
    const slept = sleep(clock, 70, new AbortController().signal);
    expect([...timers].map(({ delayMs }) => delayMs)).toEqual([70]);
    for (const { action } of timers) action();
    await slept;
  });

  it('ends with its signal, and leaves no timer behind', async () => {
    const { clock, timers } = fixture();
    const ending = new AbortController();
    const slept = sleep(clock, 70, ending.signal);
    ending.abort();
    await slept;
    expect(timers.size).toBe(0);
  });

  it('does not begin under a signal that was given already', async () => {
    const { clock, timers } = fixture();
    await sleep(clock, 70, AbortSignal.abort());
    expect(timers.size).toBe(0);
  });
});
