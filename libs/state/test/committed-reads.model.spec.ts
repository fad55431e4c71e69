import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createMemoryStateBackend } from '#libs/state';
import { CommittedReadsRun, readsSteps } from './committed-reads-model.ts';
import { ManualClock } from './manual-clock.ts';

function memory(): ConstructorParameters<typeof CommittedReadsRun>[0] {
  const clock = new ManualClock();
  const backend = createMemoryStateBackend({ clock, survivesReopen: true });
  return { backend, clock, kill: async () => undefined };
}

describe('committed reads, compared with a naive model', () => {
  it('give what was committed when they began, whatever is processed, sealed, aborted and written meanwhile', async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(readsSteps, async (list) => {
        const run = new CommittedReadsRun(memory(), {});
        await run.run(list);
        compared += run.compared;
      }),
      { numRuns: 150, interruptAfterTimeLimit: 20_000 },
    );
    expect(compared).toBeGreaterThan(100);
  }, 60_000);

  it('do so when nearly everything is evicted all the time and every epoch is written', async () => {
    await fc.assert(
      fc.asyncProperty(readsSteps, async (list) => {
        await new CommittedReadsRun(memory(), { cacheBytesMax: 600, writeBehindBytes: 1 }).run(list);
      }),
      { numRuns: 150, interruptAfterTimeLimit: 20_000 },
    );
  }, 60_000);
});
