import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createMemoryStateBackend } from '#libs/state';
import { ManualClock } from './manual-clock.ts';
import { OrderedModelRun } from './ordered-state-model.ts';
import { orderedSteps } from './ordered-state-steps.ts';

/** Reads and writes take many turns, so that much happens meanwhile. */
class SlowClock extends ManualClock {
  override defer(action: () => void): void {
    let turnsLeft = 12;
    const next = (): void => {
      if (turnsLeft-- === 0) action();
      else setImmediate(next);
    };
    next();
  }
}

/** A task's state in memory that outlives its process but for the newest unsynced batches. */
function memory(
  lostBatches: number,
  clock = new ManualClock(),
): ConstructorParameters<typeof OrderedModelRun>[0] {
  const backend = createMemoryStateBackend({ clock, survivesReopen: true });
  return { backend, clock, kill: async () => backend.crash('app', '0_0', lostBatches) };
}

describe('ordered stores, compared with a naive model', () => {
  it('agree through visits, changes while visiting, undos, commits, abandons, expiry and reopens', async () => {
    await fc.assert(
      fc.asyncProperty(orderedSteps, fc.integer({ min: 0, max: 3 }), async (list, lost) => {
        await new OrderedModelRun(memory(lost), {}).run(list);
      }),
      { numRuns: 60, interruptAfterTimeLimit: 20_000 },
    );
  }, 60_000);

  it('agree when nearly everything is evicted all the time and every epoch is written', async () => {
    let misses = 0;
    await fc.assert(
      fc.asyncProperty(orderedSteps, fc.integer({ min: 0, max: 3 }), async (list, lost) => {
        const run = new OrderedModelRun(memory(lost), { cacheBytesMax: 0, writeBehindBytes: 1 });
        await run.run(list, true);
        misses += run.misses;
      }),
      { numRuns: 60, interruptAfterTimeLimit: 20_000 },
    );

    expect(misses).toBeGreaterThan(50);
  }, 60_000);

  it('agree when reads go on for long beside sets, evictions and deletions of the same rows', async () => {
    await fc.assert(
      fc.asyncProperty(orderedSteps, async (list) => {
        const slow = memory(0, new SlowClock());
        await new OrderedModelRun(slow, { cacheBytesMax: 600, writeBehindBytes: 1 }).run(list, true);
      }),
      { numRuns: 60, interruptAfterTimeLimit: 20_000 },
    );
  }, 60_000);
});
