import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { TaskIdText } from '#libs/core';
import { assignTasks } from '../src/assignor/assign-tasks.ts';
import type { AssignableMember } from '../src/assignor/assign-tasks.ts';

function member(memberId: string, owned: TaskIdText[] = [], local: TaskIdText[] = owned): AssignableMember {
  return { memberId, owned, local, generationId: 1 };
}
const TASKS: TaskIdText[] = ['0_0', '0_1', '0_2', '0_3'];

describe('assignTasks', () => {
  it('gives a lone member everything', () => {
    expect(assignTasks([member('a')], TASKS).assigned.get('a')).toEqual(TASKS);
  });

  it('hands a task over in two rounds: withheld first, then given', () => {
    const first = assignTasks([member('a', TASKS), member('b')], TASKS);
    expect(first.assigned.get('a')).toEqual(['0_0', '0_1']);
    expect(first.assigned.get('b')).toEqual([]);
    expect([...first.withheld].sort()).toEqual(['0_2', '0_3']);
    const second = assignTasks([member('a', ['0_0', '0_1'], TASKS), member('b')], TASKS);
    expect(second.assigned.get('a')).toEqual(['0_0', '0_1']);
    expect([...second.assigned.get('b')!].sort()).toEqual(['0_2', '0_3']);
    expect(second.withheld).toEqual([]);
  });

  it('gives the tasks of a member that left to where their state lies', () => {
    const { assigned } = assignTasks(
      [member('a', ['0_0'], ['0_0']), member('b', ['0_1'], ['0_1', '0_2', '0_3'])],
      TASKS,
    );
    expect([...assigned.get('a')!].sort().length).toBe(2);
    expect(assigned.get('b')).toContain('0_2');
  });

  it('believes the later generation when two members claim a task, and neither when they tie', () => {
    const zombie = { ...member('a', ['0_0']), generationId: 1 };
    const owner = { ...member('b', ['0_0']), generationId: 2 };
    expect(assignTasks([zombie, owner], ['0_0']).assigned.get('b')).toEqual(['0_0']);
    const tie = assignTasks([{ ...zombie, generationId: 2 }, owner], ['0_0']);
    expect([...tie.assigned.values()].flat()).toEqual(['0_0']);
  });

  it('is balanced, complete, free of double ownership, and stable once settled', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 0, max: 60 }),
        fc.infiniteStream(fc.nat()),
        (memberCount, taskCount, stream) => {
          const tasks = Array.from({ length: taskCount }, (_, i): TaskIdText => `0_${i}`);
          const owned = Array.from({ length: memberCount }, (): TaskIdText[] => []);
          for (const task of tasks) {
            const pick = stream.next().value! % (memberCount + 1);
            if (pick < memberCount) owned[pick]!.push(task);
          }
          let members = owned.map((list, i) => member(`m${String(i).padStart(2, '0')}`, list));
          let result = assignTasks(members, tasks);
          // Revoke and rejoin until nothing is withheld: at most one more round.
          members = members.map((m) => ({
            ...m,
            owned: result.assigned.get(m.memberId)!.filter((t) => m.owned.includes(t)),
          }));
          for (const m of members)
            expect(
              result.assigned.get(m.memberId)!.every((t) => m.owned.includes(t) || !owned.flat().includes(t)),
            ).toBe(true);
          result = assignTasks(
            members.map((m) => ({ ...m, owned: result.assigned.get(m.memberId)! })),
            tasks,
          );
          expect(result.withheld).toEqual([]);
          const sizes = members.map((m) => result.assigned.get(m.memberId)!.length);
          expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
          const all = [...result.assigned.values()].flat();
          expect(all.length).toBe(taskCount);
          expect(new Set(all).size).toBe(taskCount);
          const again = assignTasks(
            members.map((m) => ({ ...m, owned: result.assigned.get(m.memberId)! })),
            tasks,
          );
          expect(again.assigned).toEqual(result.assigned);
        },
      ),
      { numRuns: 300 },
    );
  });
});
