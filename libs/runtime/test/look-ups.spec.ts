import { describe, expect, it } from '@jest/globals';
import { FatalError, RetriableError } from '#libs/core';
import type { Clock, Logger } from '#libs/core';
import { LookUps } from '../src/look-ups.ts';

const away = (): RetriableError =>
  new RetriableError({ code: 'MILLRACE_SCHEMA_REGISTRY_UNAVAILABLE', message: 'The registry is away.' });

/** A clock that goes on by what is waited for. */
function setUp(): { lookUps: LookUps; pauses: number[]; lines: string[] } {
  const pauses: number[] = [];
  const lines: string[] = [];
  let now = 0;
  const clock = {
    monotonic: () => now,
    schedule(delayMs: number, action: () => void, background?: boolean) {
      expect(background).toBe(true);
      pauses.push(delayMs);
      now += delayMs;
      queueMicrotask(action);
      return { cancel: () => undefined };
    },
  } as unknown as Clock;
  const logger = {
    warn: (message: string) => void lines.push(message),
    info: (message: string) => void lines.push(message),
  } as unknown as Logger;
  return { lookUps: new LookUps(clock, logger, 'Task 0_0'), pauses, lines };
}

describe('looking up', () => {
  it('waits longer each time, up to a bound, and begins anew after an answer', async () => {
    const { lookUps, pauses } = setUp();
    for (let i = 0; i < 7; i++) await lookUps.wait(Promise.reject(away()));
    expect(pauses).toEqual([250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
    await lookUps.wait(Promise.resolve());
    await lookUps.wait(Promise.reject(away()));
    expect(pauses.at(-1)).toBe(250);
  });

  it('says that it waits once every half minute, and when it goes on', async () => {
    const { lookUps, lines } = setUp();
    await lookUps.wait(Promise.resolve());
    expect(lines).toEqual([]);
    for (let i = 0; i < 13; i++) await lookUps.wait(Promise.reject(away()));
    await lookUps.wait(Promise.resolve());
    expect(lines.map((line) => line.slice(0, 14))).toEqual([
      'Task 0_0 waits',
      'Task 0_0 waits',
      'Task 0_0 goes ',
    ]);
  });

  it('passes on what another try does not help against', async () => {
    const { lookUps, pauses } = setUp();
    const error = new FatalError({ code: 'MILLRACE_AUTHENTICATION_FAILED', message: 'No.' });
    await expect(lookUps.wait(Promise.reject(error))).rejects.toBe(error);
    expect(pauses).toEqual([]);
  });
});
