// What holds for any group: random topologies, members, histories. The assignor is asked, never looked into.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { TaskIdText } from '#libs/core';
import { assignTasks } from '../../src/assignor/assign-tasks.ts';
import type { AssignableMember, AssignableTask } from '../../src/assignor/contract.ts';
import { SETTINGS, SimulatedGroup, tasksOf } from './simulated-group.ts';

const subTopology = fc.record({
  count: fc.integer({ min: 1, max: 24 }),
  stateful: fc.boolean(),
  weight: fc.integer({ min: 1, max: 5 }),
});
const topology = fc
  .array(subTopology, { minLength: 1, maxLength: 4 })
  .map((subs) => subs.flatMap(({ count, stateful, weight }, id) => tasksOf(id, count, stateful, weight)));
const rack = fc.constantFrom(null, 'r1', 'r2', 'r3');
const node = fc.record({
  rack,
  capacity: fc.constantFrom(1, 1, 1, 2),
  process: fc.integer({ min: 0, max: 20 }),
});
const nodes = fc.array(node, { minLength: 1, maxLength: 9 });
const settings = fc.record({
  numStandbys: fc.integer({ min: 0, max: 2 }),
  maxWarmups: fc.integer({ min: 1, max: 3 }),
});

type GroupSpec = readonly {
  readonly rack: string | null;
  readonly capacity: number;
  readonly process: number;
}[];

function groupOf(tasks: readonly AssignableTask[], spec: GroupSpec, options = {}): SimulatedGroup {
  const group = new SimulatedGroup(tasks, options);
  spec.forEach(({ rack: at, capacity, process }, i) =>
    group.join(`m${i}`, { rack: at, capacity, processId: `p${process}` }),
  );
  return group;
}

function checkBalance(group: SimulatedGroup, of: 'owned' | 'standbys' = 'owned'): void {
  const heaviest = Math.max(0, ...group.tasks.map(({ weight }) => weight));
  const members = [...group.nodes].map(([id, { capacity }]) => ({ load: group.load(id, of), capacity }));
  const most = Math.max(...members.map(({ load }) => load));
  const least = Math.min(...members.map(({ load, capacity }) => load + heaviest / capacity));
  expect(most).toBeLessThanOrEqual(least + 1e-9);
}

function checkComplete(group: SimulatedGroup): void {
  expect([...group.runners().keys()].sort()).toEqual(group.tasks.map(({ name }) => name).sort());
}

function checkStandbys(group: SimulatedGroup): void {
  const runners = group.runners();
  const processes = new Set([...group.nodes.values()].map(({ processId }) => processId)).size;
  const faults: string[] = [];
  for (const { name, stateful } of group.tasks) {
    const keepers = [...group.nodes.values()].filter(({ standbys }) => standbys.includes(name));
    const wanted = stateful ? Math.min(group.settings.numStandbys, processes - 1) : 0;
    if (keepers.length !== wanted) faults.push(`${name} has ${keepers.length} copies, not ${wanted}`);
    const hosts = [group.nodes.get(runners.get(name)!)!, ...keepers].map(({ processId }) => processId);
    if (new Set(hosts).size !== hosts.length) faults.push(`${name} is in one process twice`);
  }
  expect(faults).toEqual([]);
}

const RUNS = { numRuns: 100 };

describe('the assignor, whatever the group', () => {
  it('settles balanced, complete, with every standby in a process of its own, and then moves nothing', () => {
    fc.assert(
      fc.property(topology, nodes, settings, (tasks, spec, options) => {
        const group = groupOf(tasks, spec, options);
        group.settle();
        checkComplete(group);
        checkBalance(group);
        checkStandbys(group);
        const before = group.members();
        expect(group.round()).toBe(false);
        expect(group.members().map(({ owned, standbys }) => ({ owned, standbys }))).toEqual(
          before.map(({ owned, standbys }) => ({ owned, standbys })),
        );
      }),
      RUNS,
    );
  });

  it('settles through joins and leaves one upon the other, never running a task twice', () => {
    const step = fc.record({
      joins: fc.boolean(),
      pick: fc.nat(),
      rounds: fc.integer({ min: 0, max: 3 }),
      node,
    });
    fc.assert(
      fc.property(
        topology,
        nodes,
        settings,
        fc.array(step, { maxLength: 8 }),
        (tasks, spec, options, steps) => {
          const group = groupOf(tasks, spec, options);
          let joined = spec.length;
          for (const { joins, pick, rounds, node: newcomer } of steps) {
            if (joins) {
              const { rack: at, capacity, process } = newcomer;
              group.join(`m${joined++}`, { rack: at, capacity, processId: `p${process}` });
            } else if (group.nodes.size > 1) {
              group.leave([...group.nodes.keys()][pick % group.nodes.size]!);
            }
            for (let i = 0; i < rounds; i++) group.round();
          }
          group.settle();
          checkComplete(group);
          checkBalance(group);
          checkStandbys(group);
          group.settle();
          expect(group.round()).toBe(false);
        },
      ),
      RUNS,
    );
  });

  it('moves only to the newcomer when one joins, and no more than its fair share', () => {
    fc.assert(
      fc.property(topology, nodes, settings, (tasks, spec, options) => {
        const group = groupOf(tasks, spec, options);
        group.settle();
        group.moves = [];
        group.join('new').settle();
        for (const { to } of group.moves) expect(to).toBe('new');
        const total = tasks.reduce((sum, { weight }) => sum + weight, 0);
        const capacity = [...group.nodes.values()].reduce((sum, member) => sum + member.capacity, 0);
        expect(group.load('new')).toBeLessThan(
          total / capacity + Math.max(...tasks.map(({ weight }) => weight)),
        );
        expect(group.moves).toHaveLength(group.nodes.get('new')!.owned.length);
        checkBalance(group);
      }),
      RUNS,
    );
  });

  it('moves only the tasks of the member that leaves, at once, and with a standby to where they are ready', () => {
    fc.assert(
      fc.property(topology, nodes, settings, fc.nat(), (tasks, spec, options, pick) => {
        fc.pre(spec.length > 1);
        const group = groupOf(tasks, spec, options);
        group.settle();
        const leaver = [...group.nodes.keys()][pick % group.nodes.size]!;
        const { owned } = group.nodes.get(leaver)!;
        const kept = new Set([...group.nodes.values()].flatMap(({ standbys }) => standbys));
        group.leave(leaver);
        group.moves = [];
        group.round();
        checkComplete(group);
        expect(group.moves.map(({ task }) => task).sort()).toEqual([...owned].sort());
        const isStateful = new Map(tasks.map(({ name, stateful }) => [name, stateful]));
        for (const { task, lag } of group.moves) {
          if (isStateful.get(task) && kept.has(task)) expect(lag).toBe(0);
        }
      }),
      RUNS,
    );
  });

  it('says the same in whatever order members and tasks come', () => {
    fc.assert(
      fc.property(
        topology,
        nodes,
        settings,
        fc.integer({ min: 0, max: 3 }),
        fc.nat(),
        (tasks, spec, options, rounds, seed) => {
          const group = groupOf(tasks, spec, options);
          for (let i = 0; i < rounds; i++) group.round();
          group.join('new');
          const members = group.members();
          const all = { ...SETTINGS, ...options };
          const said = assignTasks(members, tasks, all);
          const again = assignTasks(shuffled(members, seed), shuffled(tasks, seed + 1), all);
          expect(again.withheld).toEqual(said.withheld);
          expect(again.warmingUp).toEqual(said.warmingUp);
          for (const [id, copies] of said.members) expect(again.members.get(id)).toEqual(copies);
        },
      ),
      RUNS,
    );
  });

  it('gives nothing twice and nothing that another claims, whatever the members claim', () => {
    const claim = fc.record({
      owned: fc.array(fc.nat(40)),
      standbys: fc.array(fc.nat(40)),
      generation: fc.nat(3),
    });
    fc.assert(
      fc.property(
        topology,
        fc.array(claim, { minLength: 1, maxLength: 6 }),
        settings,
        (tasks, claims, options) => {
          const nameAt = (i: number): TaskIdText => tasks[i % tasks.length]!.name;
          const members = claims.map(({ owned, standbys, generation }, i): AssignableMember => ({
            memberId: `m${i}`,
            processId: `m${i}`,
            rack: null,
            capacity: 1,
            owned: owned.map(nameAt),
            generationId: generation,
            expects: standbys.slice(0, 2).map(nameAt),
            standbys: standbys.map(nameAt),
            lags: new Map(standbys.map((n) => [nameAt(n), n * 10])),
            runs: null,
            keepsCopies: true,
          }));
          const { members: given, withheld } = assignTasks(members, tasks, { ...SETTINGS, ...options });
          const active = [...given.values()].flatMap((copies) => copies.active);
          expect([...active, ...withheld].sort()).toEqual(tasks.map(({ name }) => name).sort());
          for (const { memberId, owned, generationId } of members) {
            for (const task of given.get(memberId)!.active) {
              if (owned.includes(task)) continue;
              const rivals = members.filter(
                (other) => other.memberId !== memberId && other.owned.includes(task),
              );
              const newest = Math.max(...rivals.map((rival) => rival.generationId));
              const claimants = rivals.filter((rival) => rival.generationId === newest);
              expect(claimants.length === 1).toBe(false);
            }
            void generationId;
          }
          for (const { active: runs, standby, warmup } of given.values()) {
            const all = [...runs, ...standby, ...warmup];
            expect(new Set(all).size).toBe(all.length);
          }
        },
      ),
      RUNS,
    );
  });

  it('gives members of another version nothing that they do not know', () => {
    fc.assert(
      fc.property(
        topology,
        nodes,
        fc.array(fc.subarray([0, 1, 2, 3]), { minLength: 9, maxLength: 9 }),
        settings,
        (tasks, spec, known, options) => {
          const group = new SimulatedGroup(tasks, options);
          spec.forEach((_, i) => group.join(`m${i}`, { runs: i === 0 ? null : new Set(known[i]) }));
          group.settle();
          checkComplete(group);
          for (const { runs, owned, standbys } of group.nodes.values()) {
            for (const task of [...owned, ...standbys]) {
              if (runs !== null) expect(runs.has(Number(task.split('_')[0]))).toBe(true);
            }
          }
        },
      ),
      RUNS,
    );
  });

  it('gives tasks back to a member that returns with their state, before anything else', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 30 }), fc.integer({ min: 2, max: 6 }), (count, size) => {
        const group = new SimulatedGroup(tasksOf(0, count, true));
        for (let i = 0; i < size; i++) group.join(`m${i}`);
        group.settle();
        const { owned } = group.nodes.get('m0')!;
        group.leave('m0').settle();
        group.join('m0', { lags: new Map(owned.map((task) => [task, 5])) }).settle();
        expect(new Set(group.nodes.get('m0')!.owned).size).toBe(group.nodes.get('m0')!.owned.length);
        for (const task of group.nodes.get('m0')!.owned) expect(owned).toContain(task);
      }),
      RUNS,
    );
  });
});

function shuffled<T>(items: readonly T[], seed: number): T[] {
  const copy = [...items];
  let state = seed + 1;
  for (let i = copy.length - 1; i > 0; i--) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const j = state % (i + 1);
    [copy[i], copy[j]] = [copy[j]!, copy[i]!];
  }
  return copy;
}
