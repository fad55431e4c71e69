// Specifies how the tries of what fails are counted, and when the count begins anew.
import { describe, expect, it } from '@jest/globals';
import { VirtualClock } from '#libs/broker-memory';
import type { RetryPolicy } from '#libs/topology';
import { RetryInPlace } from '../src/retry-in-place.ts';

const POLICY: RetryPolicy = {
  kind: 'retry',
  attempts: 5,
  backoffMs: 10,
  backoffMsMax: 1_000,
  multiplier: 2,
  jitter: 0,
  maxMs: 500,
  retryOn: null,
  then: { kind: 'skip' },
};

describe('RetryInPlace', () => {
  it('waits longer after each failed try, until there were so many', () => {
    const retries = new RetryInPlace(new VirtualClock());
    const what = {};
    const waits = Array.from({ length: 5 }, () => {
      retries.failed(what, 3);
      return retries.waitOf(what, POLICY);
    });
    expect(waits).toEqual([10, 20, 40, 80, null]);
  });

  it('counts anew for the next record of a queue', () => {
    const retries = new RetryInPlace(new VirtualClock());
    const queue = {};
    expect([retries.failed(queue, 3), retries.failed(queue, 3), retries.failed(queue, 4)]).toEqual([1, 2, 1]);
  });

  it('forgets an alarm that was called off before it was tried again: a later one is not given up for its sake', async () => {
    const clock = new VirtualClock();
    const retries = new RetryInPlace(clock);
    const [alarm, queue] = [{}, {}];
    retries.failed(alarm, -1);
    retries.failed(queue, 7);
    await clock.advance(10_000);
    retries.nothingDue();
    expect(retries.failed(alarm, -1)).toBe(1);
    expect(retries.waitOf(alarm, POLICY)).toBe(10);
    // A record is tried again whatever else is due.
    expect(retries.failed(queue, 7)).toBe(2);
  });
});
