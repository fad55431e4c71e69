import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createMemoryStateBackend } from '#libs/state';
import { ManualClock } from './manual-clock.ts';
import { JoinRun, joinCases, naiveJoin } from './windowed-join.ts';

describe('a stream-stream join over ordered stores', () => {
  it('equals the naive join, through failed records, abandoned epochs and restarts', async () => {
    let pairs = 0;
    await fc.assert(
      fc.asyncProperty(joinCases, async ({ records, steps }) => {
        const backend = createMemoryStateBackend({ clock: new ManualClock(), survivesReopen: true });
        const output = await new JoinRun(backend, records, {}).run(steps);
        expect(output).toEqual(naiveJoin(records));
        pairs += output.length;
      }),
      { numRuns: 150, interruptAfterTimeLimit: 20_000 },
    );
    expect(pairs).toBeGreaterThan(1_000);
  });

  it('equals it also when rows are evicted all the time and ranges are read again', async () => {
    let misses = 0;
    await fc.assert(
      fc.asyncProperty(joinCases, async ({ records, steps }) => {
        const backend = createMemoryStateBackend({ clock: new ManualClock(), survivesReopen: true });
        const run = new JoinRun(backend, records, { cacheBytesMax: 500, writeBehindBytes: 1 });
        expect(await run.run(steps)).toEqual(naiveJoin(records));
        misses += run.misses;
      }),
      { numRuns: 150, interruptAfterTimeLimit: 20_000 },
    );
    expect(misses).toBeGreaterThan(10);
  });
});
