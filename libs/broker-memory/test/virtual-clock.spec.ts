import { describe, expect, it } from '@jest/globals';
import { VirtualClock } from '#libs/broker-memory';
import { sleep, systemClock, yieldToIo } from '#libs/core';

describe('VirtualClock', () => {
  it('fires what falls due in order of its moment, then of its scheduling, and stands at that moment', async () => {
    const clock = new VirtualClock();
    const seen: [string, number][] = [];
    const note = (what: string): void => void seen.push([what, clock.monotonic()]);
    clock.schedule(20, () => note('late'));
    clock.schedule(10, () => note('first'));
    clock.schedule(10, () => note('second'));
    clock.schedule(15, () => note('cancelled')).cancel();
    clock.schedule(30, () => note('too late'));
    await clock.advance(25);
    expect(seen).toEqual([
      ['first', 10],
      ['second', 10],
      ['late', 20],
    ]);
    expect([clock.monotonic(), clock.pending]).toEqual([25, 1]);
  });

  it('lets every promise settle between two events, however long the chain', async () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    clock.schedule(1, () => {
      (async () => {
        for (let i = 0; i < 100; i++) await Promise.resolve();
        seen.push('chain');
        await sleep(clock, 0);
        seen.push('slept');
      })().catch(() => undefined);
    });
    clock.schedule(1, () => seen.push('next event'));
    await clock.advance(1);
    expect(seen).toEqual(['chain', 'next event', 'slept']);
  });

  it('gives what the process put off its turn before time moves', async () => {
    const clock = new VirtualClock();
    let at = -1;
    const work = (async () => {
      await sleep(clock, 5);
      await yieldToIo(systemClock);
      at = clock.monotonic();
    })();
    clock.schedule(1_000, () => undefined);
    await clock.run(work);
    expect([at, clock.monotonic()]).toEqual([5, 5]);
  });

  it('runs just as far as a promise needs, and gives its outcome', async () => {
    const clock = new VirtualClock();
    clock.schedule(1_000, () => undefined);
    expect(await clock.run(sleep(clock, 50).then(() => 'done'))).toBe('done');
    expect(clock.monotonic()).toBe(50);
    await expect(clock.run(sleep(clock, 1).then(() => Promise.reject(new Error('failed'))))).rejects.toThrow(
      'failed',
    );
  });

  it('says so when nothing can bring what is waited for', async () => {
    const clock = new VirtualClock();
    await expect(clock.run(new Promise(() => undefined))).rejects.toThrow('no event');
    await expect(clock.run(sleep(clock, 100), 50)).rejects.toThrow('50 ms of virtual time');
    await expect(clock.runUntilIdle(10)).rejects.toThrow('still wait');
    await clock.runUntilIdle();
    expect(clock.pending).toBe(0);
  });

  it('stays in order through many timers, most of them cancelled', async () => {
    const clock = new VirtualClock({ seed: 5 });
    const fired: number[] = [];
    for (let i = 0; i < 5_000; i++) {
      const at = Math.floor(clock.random() * 1_000);
      const timer = clock.schedule(at, () => fired.push(at));
      if (i % 5 !== 0) timer.cancel();
    }
    expect(clock.pending).toBe(1_000);
    await clock.runUntilIdle();
    expect(fired).toHaveLength(1_000);
    expect(fired).toEqual([...fired].sort((a, b) => a - b));
  });

  it('draws the same numbers from the same seed', () => {
    const draw = (seed: number): number[] => {
      const clock = new VirtualClock({ seed });
      return [clock.random(), clock.random(), clock.random()];
    };
    expect(draw(3)).toEqual(draw(3));
    expect(draw(3)).not.toEqual(draw(4));
    for (const number of draw(3)) expect(number >= 0 && number < 1).toBe(true);
  });

  it('lets the wall clock jump without a timer noticing', async () => {
    const clock = new VirtualClock({ startMs: 1_000_000 });
    let fired = false;
    clock.schedule(10, () => (fired = true));
    clock.jumpWallClock(-500_000);
    expect([clock.now(), clock.monotonic()]).toEqual([500_000, 0]);
    await clock.advance(9);
    expect(fired).toBe(false);
    await clock.advance(1);
    expect(fired).toBe(true);
  });

  it('never comes to what is set for never', async () => {
    const clock = new VirtualClock();
    clock.schedule(Infinity, () => undefined);
    const stop = clock.runFreely();
    await sleep(clock, 10);
    await yieldToIo(systemClock);
    await yieldToIo(systemClock);
    stop();
    expect([clock.monotonic(), clock.pending]).toEqual([10, 1]);
  });

  it('runs freely until it is stopped', async () => {
    const clock = new VirtualClock();
    const stop = clock.runFreely();
    await sleep(clock, 1_000_000);
    stop();
    expect(clock.monotonic()).toBe(1_000_000);
    clock.schedule(1, () => undefined);
    await yieldToIo(systemClock);
    await yieldToIo(systemClock);
    expect(clock.pending).toBe(1);
  });

  it('refuses to be run by two at once', async () => {
    const clock = new VirtualClock();
    const first = clock.advance(10);
    await expect(clock.advance(10)).rejects.toThrow('run already');
    await first;
  });
});
