import { describe, it } from '@jest/globals';
import fc from 'fast-check';
import { createMemoryStateBackend } from '#libs/state';
import { ManualClock } from './manual-clock.ts';
import { ModelRun, steps } from './task-state-model.ts';

/** A task's state in memory that outlives its process but for the newest unsynced batches. */
function memory(lostBatches: number): ConstructorParameters<typeof ModelRun>[0] {
  const clock = new ManualClock();
  const backend = createMemoryStateBackend({ clock, survivesReopen: true });
  return { backend, clock, kill: async () => backend.crash('app', '0_0', lostBatches) };
}

describe('the state of a task, compared with a naive model', () => {
  it('agrees through sets, undos, seals, commits, abandons, writes and reopens', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 0, max: 3 }), async (list, lost) => {
        await new ModelRun(memory(lost), {}).run(list);
      }),
      { numRuns: 150, interruptAfterTimeLimit: 20_000 },
    );
  });

  it('agrees when nearly everything is evicted all the time and every epoch is written', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 0, max: 3 }), async (list, lost) => {
        await new ModelRun(memory(lost), { cacheBytesMax: 600, writeBehindBytes: 1 }).run(list);
      }),
      { numRuns: 150, interruptAfterTimeLimit: 20_000 },
    );
  });
});
