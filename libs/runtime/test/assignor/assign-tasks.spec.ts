import { describe, expect, it } from '@jest/globals';
import type { TaskIdText } from '#libs/core';
import { assignableTask, assignTasks } from '../../src/assignor/assign-tasks.ts';
import { member, names, SETTINGS, SimulatedGroup, tasksOf } from './simulated-group.ts';

const TASKS = tasksOf(0, 4, false);
const STATEFUL = tasksOf(0, 4, true);
const lags = (entries: Record<string, number>): Map<TaskIdText, number> =>
  new Map(Object.entries(entries) as [TaskIdText, number][]);

describe('the assignor', () => {
  it('gives a lone member everything', () => {
    expect(assignTasks([member('a')], TASKS, SETTINGS).members.get('a')!.active).toEqual(names(TASKS));
  });

  it('withholds everything when nobody is there', () => {
    expect(assignTasks([], TASKS, SETTINGS)).toEqual({
      members: new Map(),
      withheld: names(TASKS),
      warmingUp: [],
    });
  });

  it('hands a task over in two rounds: withheld first, then given', () => {
    const first = assignTasks([member('a', names(TASKS)), member('b')], TASKS, SETTINGS);
    expect(first.members.get('a')).toMatchObject({ active: ['0_0', '0_1'], givesUp: ['0_2', '0_3'] });
    expect(first.members.get('b')!.active).toEqual([]);
    expect(first.withheld).toEqual(['0_2', '0_3']);
    const second = assignTasks([member('a', ['0_0', '0_1']), member('b')], TASKS, SETTINGS);
    expect(second.members.get('a')!.active).toEqual(['0_0', '0_1']);
    expect(second.members.get('b')!.active).toEqual(['0_2', '0_3']);
    expect(second.withheld).toEqual([]);
  });

  it('gives the tasks of a member that left to where their state lies', () => {
    const left = member('b', ['0_1'], { lags: lags({ '0_2': 0 }) });
    const { members } = assignTasks([member('a', ['0_0']), left], STATEFUL, SETTINGS);
    expect(members.get('a')!.active).toEqual(['0_0', '0_3']);
    expect(members.get('b')!.active).toEqual(['0_1', '0_2']);
  });

  it('believes the later generation when two members claim a task, and neither when they tie', () => {
    const zombie = member('a', ['0_0'], { generationId: 1 });
    const owner = member('b', ['0_0'], { generationId: 2 });
    const [task] = TASKS;
    const told = assignTasks([zombie, owner], [task!], SETTINGS);
    expect(told.members.get('b')!.active).toEqual(['0_0']);
    const tie = assignTasks([{ ...zombie, generationId: 2 }, owner], [task!], SETTINGS);
    expect([...tie.members.values()].flatMap(({ active }) => active)).toEqual(['0_0']);
  });

  it('weighs inputs and stores, so that nobody gets all of the heavy sub-topology', () => {
    expect(assignableTask('0_0', 2, 3)).toEqual({ name: '0_0', weight: 5, stateful: true });
    const tasks = [...tasksOf(0, 4, false, 1), ...tasksOf(1, 4, true, 5)];
    const group = new SimulatedGroup(tasks).join('a').join('b');
    group.settle();
    for (const id of ['a', 'b']) {
      const { owned } = group.nodes.get(id)!;
      expect(owned.filter((task) => task.startsWith('1_'))).toHaveLength(2);
      expect(owned.filter((task) => task.startsWith('0_'))).toHaveLength(2);
    }
  });

  it('gives a member of twice the capacity twice the work', () => {
    const group = new SimulatedGroup(tasksOf(0, 9, false)).join('a').join('b', { capacity: 2 });
    group.settle();
    expect(group.nodes.get('a')!.owned).toHaveLength(3);
    expect(group.nodes.get('b')!.owned).toHaveLength(6);
  });
});

describe('warm-up copies', () => {
  const owner = member('a', names(STATEFUL));

  it('let a task stay where it runs until the copy has caught up', () => {
    const first = assignTasks([owner, member('b')], STATEFUL, SETTINGS);
    expect(first.members.get('a')!.active).toEqual(names(STATEFUL));
    expect(first.members.get('b')).toMatchObject({ active: [], warmup: ['0_2', '0_3'] });
    expect(first.warmingUp).toEqual(['0_2', '0_3']);
    expect(first.withheld).toEqual([]);

    const filling = member('b', [], { standbys: ['0_2', '0_3'], lags: lags({ '0_2': 500, '0_3': 100 }) });
    const second = assignTasks([owner, filling], STATEFUL, SETTINGS);
    expect(second.withheld).toEqual(['0_3']);
    // It keeps what it has until the owner has given it up.
    expect(second.members.get('b')).toMatchObject({ active: [], warmup: ['0_2', '0_3'] });
    expect(second.warmingUp).toEqual(['0_2']);
  });

  it('are no more at a time than maxWarmups, those under way first', () => {
    const tasks = tasksOf(0, 10, true);
    const b = member('b', [], { standbys: ['0_3'], lags: lags({ '0_3': 900, '0_7': 200 }) });
    const { members, warmingUp } = assignTasks([member('a', names(tasks)), b], tasks, SETTINGS);
    expect(members.get('b')!.warmup).toEqual(['0_3', '0_7']);
    expect(warmingUp).toHaveLength(2);
  });

  it('are not waited for where nobody is caught up', () => {
    const { members, warmingUp } = assignTasks([member('a'), member('b')], STATEFUL, SETTINGS);
    expect(members.get('a')!.active).toHaveLength(2);
    expect(members.get('b')!.active).toHaveLength(2);
    expect(warmingUp).toEqual([]);
  });

  it('are filled while the one with least to restore runs the task, where nobody is caught up', () => {
    const a = member('a', [], { lags: lags({ '0_0': 500, '0_1': 500, '0_2': 500, '0_3': 500 }) });
    const { members, warmingUp } = assignTasks([a, member('b')], STATEFUL, SETTINGS);
    expect(members.get('a')!.active).toEqual(names(STATEFUL));
    expect(warmingUp).toHaveLength(2);
  });

  it('are no reason to wait for a member of a version that keeps none', () => {
    const { members, withheld } = assignTasks([owner, member('b', [], { keepsCopies: false })], STATEFUL, {
      ...SETTINGS,
      numStandbys: 1,
    });
    expect(withheld).toEqual(['0_2', '0_3']);
    expect(members.get('b')).toMatchObject({ standby: [], warmup: [] });
  });

  it('take a task from one that still restores it to one that has it all', () => {
    const restoring = member('a', ['0_0'], { lags: lags({ '0_0': 800 }) });
    const ready = member('b', [], { lags: lags({ '0_0': 10 }) });
    const [task] = STATEFUL;
    expect(assignTasks([restoring, ready], [task!], SETTINGS).withheld).toEqual(['0_0']);
    const behind = member('b', [], { lags: lags({ '0_0': 700 }) });
    expect(assignTasks([restoring, behind], [task!], SETTINGS).members.get('a')!.active).toEqual(['0_0']);
  });
});

describe('standby copies', () => {
  it('are never kept by the process that runs the task', () => {
    const group = new SimulatedGroup(STATEFUL, { numStandbys: 1 })
      .join('a', { processId: 'p' })
      .join('b', { processId: 'p' })
      .join('c', { processId: 'q' });
    group.settle();
    for (const [task, runner] of group.runners()) {
      const process = group.nodes.get(runner)!.processId;
      const keepers = [...group.nodes.values()].filter(({ standbys }) => standbys.includes(task));
      expect(keepers).toHaveLength(1);
      expect(keepers[0]!.processId).not.toBe(process);
    }
  });

  it('go to other racks first, and to the same one if there is no other', () => {
    const group = new SimulatedGroup(tasksOf(0, 6, true), { numStandbys: 1 })
      .join('a', { rack: 'r1' })
      .join('b', { rack: 'r1' })
      .join('c', { rack: 'r2' })
      .join('d', { rack: 'r2' });
    group.settle();
    for (const [task, runner] of group.runners()) {
      const keeper = [...group.nodes.values()].find(({ standbys }) => standbys.includes(task))!;
      expect(keeper.rack).not.toBe(group.nodes.get(runner)!.rack);
    }
    group.leave('c').leave('d').settle();
    for (const [task, runner] of group.runners()) {
      const [keeper] = [...group.nodes].find(([, { standbys }]) => standbys.includes(task))!;
      expect(keeper).not.toBe(runner);
    }
  });

  it('do not all pile up on the one member of another rack', () => {
    const group = new SimulatedGroup(tasksOf(0, 40, true), { numStandbys: 1 }).join('far', { rack: 'r2' });
    for (let i = 0; i < 9; i++) group.join(`m${i}`, { rack: 'r1' });
    group.settle();
    expect(group.nodes.get('far')!.standbys.length).toBeLessThanOrEqual(2 * 4 + 1);
  });

  it('take over when the member that runs the task is gone, and a new copy begins elsewhere', () => {
    const group = new SimulatedGroup(STATEFUL, { numStandbys: 1 }).join('a').join('b').join('c');
    group.settle();
    group.moves = [];
    group.leave('a').settle();
    expect(group.moves.length).toBeGreaterThan(0);
    for (const { lag } of group.moves) expect(lag).toBeLessThanOrEqual(SETTINGS.acceptableRecoveryLag);
    for (const { name } of STATEFUL) {
      expect([...group.nodes.values()].filter(({ standbys }) => standbys.includes(name))).toHaveLength(1);
    }
  });

  it('move to another member only once the copy there is filled', () => {
    const group = new SimulatedGroup(tasksOf(0, 12, true), { numStandbys: 1 }).join('a').join('b');
    group.settle();
    group.join('c');
    for (let more = true; more;) {
      more = group.round();
      for (const { name } of group.tasks) {
        const filled = [...group.nodes.values()].filter(
          (node) => node.standbys.includes(name) && node.lags.get(name)! <= SETTINGS.acceptableRecoveryLag,
        );
        expect(filled.length).toBeGreaterThanOrEqual(1);
      }
    }
    expect(group.nodes.get('c')!.standbys.length).toBeGreaterThan(0);
  });
});

describe('members of another version of the application', () => {
  it('get only tasks of sub-topologies that they know', () => {
    const tasks = [...tasksOf(0, 4, false), ...tasksOf(1, 4, false)];
    const group = new SimulatedGroup(tasks).join('new').join('old', { runs: new Set([0]) });
    group.settle();
    expect(group.nodes.get('old')!.owned).toEqual(['0_0', '0_1', '0_2', '0_3']);
    expect(group.nodes.get('new')!.owned).toEqual(['1_0', '1_1', '1_2', '1_3']);
  });

  it('give up what they run and the leader says is another sub-topology now', () => {
    const tasks = tasksOf(1, 2, false);
    const old = member('old', ['1_0', '1_1'], { runs: new Set([0]) });
    const told = assignTasks([old, member('new')], tasks, SETTINGS);
    expect(told.members.get('old')).toMatchObject({ active: [], givesUp: ['1_0', '1_1'] });
    expect(told.withheld).toEqual(['1_0', '1_1']);
  });
});
