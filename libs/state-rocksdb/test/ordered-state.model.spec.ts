import { afterAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createRocksStateBackend } from '#libs/state-rocksdb';
import { ManualClock } from '../../state/test/manual-clock.ts';
import { OrderedModelRun } from '../../state/test/ordered-state-model.ts';
import { orderedSteps } from '../../state/test/ordered-state-steps.ts';
import { removeTemporaryDirectories, temporaryDirectory } from './support.ts';

afterAll(removeTemporaryDirectories);

/** A new directory each time. A kill drops all that was not written; what was written stays. */
function rocks(): ConstructorParameters<typeof OrderedModelRun>[0] {
  const clock = new ManualClock();
  const backend = createRocksStateBackend({ stateDir: temporaryDirectory(), clock });
  return { backend, clock, kill: (state) => state.closeDirty() };
}

describe('ordered stores in RocksDB, compared with a naive model', () => {
  it('agree through visits, changes while visiting, undos, commits, abandons, expiry and reopens', async () => {
    await fc.assert(
      fc.asyncProperty(orderedSteps, async (list) => {
        await new OrderedModelRun(rocks(), {}).run(list);
      }),
      { numRuns: 12, interruptAfterTimeLimit: 20_000 },
    );
  }, 60_000);

  it('agree when nearly everything is evicted all the time and every epoch is written', async () => {
    let misses = 0;
    await fc.assert(
      fc.asyncProperty(orderedSteps, async (list) => {
        const run = new OrderedModelRun(rocks(), { cacheBytesMax: 0, writeBehindBytes: 1 });
        await run.run(list, true);
        misses += run.misses;
      }),
      { numRuns: 15, interruptAfterTimeLimit: 20_000 },
    );
    expect(misses).toBeGreaterThan(20);
  }, 60_000);
});
