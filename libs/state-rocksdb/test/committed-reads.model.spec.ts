import { afterAll, describe, it } from '@jest/globals';
import fc from 'fast-check';
import { createRocksStateBackend } from '#libs/state-rocksdb';
import { CommittedReadsRun, readsSteps } from '../../state/test/committed-reads-model.ts';
import { ManualClock } from '../../state/test/manual-clock.ts';
import { removeTemporaryDirectories, temporaryDirectory } from './support.ts';

afterAll(removeTemporaryDirectories);

function rocks(): ConstructorParameters<typeof CommittedReadsRun>[0] {
  const clock = new ManualClock();
  const backend = createRocksStateBackend({ stateDir: temporaryDirectory(), clock });
  return { backend, clock, kill: (state) => state.closeDirty() };
}

describe('committed reads of RocksDB, compared with a naive model', () => {
  it('give what was committed when they began, whatever is processed, aborted and written meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(readsSteps, async (list) => {
        await new CommittedReadsRun(rocks(), { writeBehindBytes: 200 }).run(list);
      }),
      { numRuns: 12, interruptAfterTimeLimit: 20_000 },
    );
  }, 60_000);

  it('do so when nearly everything is evicted all the time and every epoch is written', async () => {
    await fc.assert(
      fc.asyncProperty(readsSteps, async (list) => {
        await new CommittedReadsRun(rocks(), { cacheBytesMax: 600, writeBehindBytes: 1 }).run(list);
      }),
      { numRuns: 12, interruptAfterTimeLimit: 20_000 },
    );
  }, 60_000);
});
