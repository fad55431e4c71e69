import { afterAll, describe, it } from '@jest/globals';
import fc from 'fast-check';
import { createRocksStateBackend } from '#libs/state-rocksdb';
import { ManualClock } from '../../state/test/manual-clock.ts';
import { ModelRun, steps } from '../../state/test/task-state-model.ts';
import { removeTemporaryDirectories, temporaryDirectory } from './support.ts';

afterAll(removeTemporaryDirectories);

/** A new directory each time. A kill drops all that was not written; what was written stays. */
function rocks(): ConstructorParameters<typeof ModelRun>[0] {
  const clock = new ManualClock();
  const backend = createRocksStateBackend({ stateDir: temporaryDirectory(), clock });
  return { backend, clock, kill: (state) => state.closeDirty() };
}

describe('the state of a task in RocksDB, compared with a naive model', () => {
  it('agrees through sets, undos, seals, commits, abandons, writes and reopens', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (list) => {
        await new ModelRun(rocks(), {}).run(list);
      }),
      { numRuns: 12, interruptAfterTimeLimit: 20_000 },
    );
  }, 60_000);

  it('agrees when nearly everything is evicted all the time and every epoch is written', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (list) => {
        await new ModelRun(rocks(), { cacheBytesMax: 600, writeBehindBytes: 1 }).run(list);
      }),
      { numRuns: 12, interruptAfterTimeLimit: 20_000 },
    );
  }, 60_000);
});
