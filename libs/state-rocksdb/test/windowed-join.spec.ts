import { afterAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createRocksStateBackend } from '#libs/state-rocksdb';
import { ManualClock } from '../../state/test/manual-clock.ts';
import { JoinRun, joinCases, naiveJoin } from '../../state/test/windowed-join.ts';
import { removeTemporaryDirectories, temporaryDirectory } from './support.ts';

afterAll(removeTemporaryDirectories);

describe('a stream-stream join over ordered stores in RocksDB', () => {
  it('equals the naive join with rows read back from disk', async () => {
    await fc.assert(
      fc.asyncProperty(joinCases, async ({ records, steps }) => {
        const backend = createRocksStateBackend({ stateDir: temporaryDirectory(), clock: new ManualClock() });
        const run = new JoinRun(backend, records, { cacheBytesMax: 500, writeBehindBytes: 1 });
        expect(await run.run(steps)).toEqual(naiveJoin(records));
      }),
      { numRuns: 10, interruptAfterTimeLimit: 20_000 },
    );
  }, 60_000);
});
