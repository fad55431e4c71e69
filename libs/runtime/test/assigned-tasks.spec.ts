// What goes on beside an assignment, for tasks that take long to open.
import { expect, it } from '@jest/globals';
import { VirtualClock } from '#libs/broker-memory';
import { silentLogger } from '#libs/core';
import type { TaskIdText } from '#libs/core';
import { AssignedTasks } from '../src/assigned-tasks.ts';
import type { AssignedTasksParts } from '../src/assigned-tasks.ts';

const TASK = '0_0' as TaskIdText;

/** `failing`: which look is to fail, from 1. */
function fixture(failing = 0) {
  const clock = new VirtualClock();
  let opening: TaskIdText[] = [];
  const settled: { readonly at: number; readonly names: readonly TaskIdText[] }[] = [];
  const parts = {
    clock,
    logger: silentLogger,
    insight: { assigned: () => undefined },
    copies: { assign: () => undefined },
    registry: {
      assignedNames: [],
      get openingNames() {
        return opening;
      },
      openAll: (names: readonly TaskIdText[]) => {
        opening = [...names];
      },
    },
  } as unknown as AssignedTasksParts;
  const assigned = new AssignedTasks(parts);
  const settle = async (names: readonly TaskIdText[]): Promise<void> => {
    settled.push({ at: clock.monotonic(), names });
    if (settled.length === failing) throw new Error('no broker');
  };
  const begin = (): Promise<unknown> =>
    assigned.apply({ active: [TASK], standby: [], warmup: [] }, { source: 'a spec', settle });
  const opened = (): void => {
    opening = [];
  };
  return { clock, assigned, settled, begin, opened };
}

it('looks again at what others left open while a task is being opened: who died may have counted as alive', async () => {
  const { clock, settled, begin, opened } = fixture();
  await begin();
  expect(settled).toEqual([{ at: 0, names: [TASK] }]);
  await clock.advance(10_000);
  expect(settled.slice(1)).toEqual([
    { at: 1_000, names: [TASK] },
    { at: 3_000, names: [TASK] },
    { at: 7_000, names: [TASK] },
  ]);
  opened();
  await clock.advance(600_000);
  expect(settled).toHaveLength(4);
});

it('looks no more once it is closed', async () => {
  const { clock, assigned, settled, begin } = fixture();
  await begin();
  assigned.close();
  await clock.advance(600_000);
  expect(settled).toHaveLength(1);
});

it('looks again after a look that failed', async () => {
  const { clock, settled, begin } = fixture(2);
  await begin();
  await clock.advance(10_000);
  expect(settled.map(({ at }) => at)).toEqual([0, 1_000, 3_000, 7_000]);
});
