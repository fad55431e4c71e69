// Owns a group of members as the assignor meets it, round after round: what it assigns is run, what is taken away is given up, what
// warms up catches up. Nothing of it knows how tasks are chosen.
import type { TaskIdText } from '#libs/core';
import { assignTasks } from '../../src/assignor/assign-tasks.ts';
import type {
  AssignableMember,
  AssignableTask,
  AssignorSettings,
  GroupAssignment,
  MemberCopies,
} from '../../src/assignor/contract.ts';

export const SETTINGS: AssignorSettings = { numStandbys: 0, acceptableRecoveryLag: 100, maxWarmups: 2 };

export function member(
  memberId: string,
  owned: readonly TaskIdText[] = [],
  rest: Partial<AssignableMember> = {},
): AssignableMember {
  return {
    memberId,
    processId: memberId,
    rack: null,
    capacity: 1,
    owned,
    generationId: 1,
    expects: [],
    standbys: [],
    lags: new Map(),
    runs: null,
    keepsCopies: true,
    ...rest,
  };
}

/** `count` tasks of one sub-topology. */
export function tasksOf(subTopology: number, count: number, stateful: boolean, weight = 1): AssignableTask[] {
  return Array.from({ length: count }, (_, partition) => ({
    name: `${subTopology}_${partition}` as const,
    weight,
    stateful,
  }));
}

export const names = (tasks: readonly AssignableTask[]): TaskIdText[] => tasks.map(({ name }) => name);

interface Node {
  readonly rack: string | null;
  readonly capacity: number;
  readonly processId: string;
  readonly runs: ReadonlySet<number> | null;
  readonly keepsCopies: boolean;
  owned: TaskIdText[];
  expects: TaskIdText[];
  standbys: TaskIdText[];
  /** Records behind, by task whose state it has. */
  lags: Map<TaskIdText, number>;
}

/** How many records a task's changelog has: what somebody without state is behind. */
const CHANGELOG_RECORDS = 1_000;

export class SimulatedGroup {
  readonly nodes = new Map<string, Node>();
  readonly tasks: readonly AssignableTask[];
  readonly settings: AssignorSettings;
  /** Rounds held in all. */
  rounds = 0;
  /** Tasks that began to run somewhere, over all rounds, by member. */
  moves: { task: TaskIdText; to: string; lag: number }[] = [];
  last: GroupAssignment | null = null;

  constructor(tasks: readonly AssignableTask[], settings: Partial<AssignorSettings> = {}) {
    this.tasks = tasks;
    this.settings = { ...SETTINGS, ...settings };
  }

  join(memberId: string, rest: Partial<Node> = {}): this {
    this.nodes.set(memberId, {
      rack: null,
      capacity: 1,
      processId: memberId,
      runs: null,
      keepsCopies: true,
      owned: [],
      expects: [],
      standbys: [],
      lags: new Map(),
      ...rest,
    });
    return this;
  }

  leave(memberId: string): this {
    this.nodes.delete(memberId);
    return this;
  }

  members(): AssignableMember[] {
    return [...this.nodes].map(([memberId, node]) => ({ memberId, generationId: this.rounds, ...node }));
  }

  assign(): GroupAssignment {
    return assignTasks(this.members(), this.tasks, this.settings);
  }

  /** One rebalance and what follows from it. True when it asks for another. */
  round(): boolean {
    const assignment = this.assign();
    this.last = assignment;
    this.rounds++;
    let unsettled = false;
    const runsNow = new Map<TaskIdText, string>();
    for (const [memberId, node] of this.nodes) {
      const copies = assignment.members.get(memberId)!;
      if (node.owned.some((task) => !copies.active.includes(task)) || copies.givesUp.length > 0)
        unsettled = true;
      this.apply(memberId, node, copies);
      for (const task of copies.active) {
        if (runsNow.has(task)) throw new Error(`${task} runs twice`);
        runsNow.set(task, memberId);
      }
    }
    return unsettled || assignment.warmingUp.length > 0;
  }

  /** Until nobody wants another round. @throws when that takes too many. */
  settle(roundsMax = 10_000): number {
    const before = this.rounds;
    while (this.round()) if (this.rounds - before > roundsMax) throw new Error('the group does not settle');
    // Standby copies need no rounds to fill.
    for (const { standbys, lags } of this.nodes.values()) for (const task of standbys) lags.set(task, 0);
    return this.rounds - before;
  }

  load(memberId: string, of: 'owned' | 'standbys' = 'owned'): number {
    const node = this.nodes.get(memberId)!;
    const weights = new Map(this.tasks.map(({ name, weight }) => [name, weight]));
    return node[of].reduce((sum, task) => sum + weights.get(task)!, 0) / node.capacity;
  }

  runners(): Map<TaskIdText, string> {
    const runners = new Map<TaskIdText, string>();
    for (const [memberId, { owned }] of this.nodes) for (const task of owned) runners.set(task, memberId);
    return runners;
  }

  private apply(memberId: string, node: Node, { active, standby, warmup, expects }: MemberCopies): void {
    const stateful = new Set(this.tasks.filter((task) => task.stateful).map(({ name }) => name));
    for (const task of active) {
      if (node.owned.includes(task)) continue;
      this.moves.push({ task, to: memberId, lag: node.lags.get(task) ?? CHANGELOG_RECORDS });
    }
    node.owned = [...active];
    node.expects = [...expects];
    node.standbys = [...standby, ...warmup];
    for (const task of active) if (stateful.has(task)) node.lags.set(task, 0);
    // A copy closes half of its distance between two rounds.
    for (const task of node.standbys) {
      node.lags.set(task, Math.floor((node.lags.get(task) ?? CHANGELOG_RECORDS) / 2));
    }
  }
}
