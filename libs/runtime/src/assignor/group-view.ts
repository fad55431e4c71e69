// Owns the group as the assignor's steps look at it: members and tasks as numbers, in an order that does not depend on that of the
// input, with who runs what and who has what state. It decides nothing.
import { parseTaskId } from '#libs/core';
import type { TaskIdText } from '#libs/core';
import type { AssignableMember, AssignableTask } from './contract.ts';

export const NOBODY = -1;

/** A member has state of a task, this many records behind. */
export interface StateCopy {
  readonly task: number;
  readonly member: number;
  readonly lag: number;
}

export class GroupView {
  /** By process, then member id: an instance that comes back under another member id stands where it stood. */
  readonly members: readonly AssignableMember[];
  /** By weight, heaviest first, then sub-topology and partition: the order in which they are placed. */
  readonly tasks: readonly AssignableTask[];
  readonly taskIndex = new Map<TaskIdText, number>();
  readonly weight: Float64Array;
  readonly capacity: Float64Array;
  readonly totalWeight: number;
  readonly totalCapacity: number;
  readonly heaviest: number;
  /** Small number of a task's sub-topology. */
  readonly subOf: Int32Array;
  readonly subCount: number;
  /** Small number of a member's process. */
  readonly processOf: Int32Array;
  /** Member that runs the task; `NOBODY`. */
  readonly owner: Int32Array;
  /** Member that the last round meant to run the task in the end; `NOBODY`: it runs where it belongs. */
  readonly expecting: Int32Array;
  /** Members with state of the task. */
  readonly copies: readonly StateCopy[][];
  /** By task: members that keep a standby or warm-up copy. */
  readonly keepers: readonly number[][];
  private readonly subTopologyIds: readonly number[];
  private readonly isUniform: boolean;

  constructor(members: readonly AssignableMember[], tasks: readonly AssignableTask[]) {
    this.members = [...members].sort(
      (a, b) => compare(a.processId, b.processId) || compare(a.memberId, b.memberId),
    );
    const numbered = tasks.map((task) => ({ task, id: parseTaskId(task.name) }));
    numbered.sort(
      (a, b) =>
        b.task.weight - a.task.weight ||
        Number(b.task.stateful) - Number(a.task.stateful) ||
        a.id.subTopology - b.id.subTopology ||
        a.id.partition - b.id.partition,
    );
    this.tasks = numbered.map(({ task }) => task);
    const subs = new Map<number, number>();
    this.subOf = Int32Array.from(numbered, ({ id }) => numberOf(subs, id.subTopology));
    this.subCount = subs.size;
    this.subTopologyIds = [...subs.keys()];
    this.tasks.forEach((task, index) => this.taskIndex.set(task.name, index));
    this.weight = Float64Array.from(this.tasks, (task) => task.weight);
    this.capacity = Float64Array.from(this.members, (member) => Math.max(1, member.capacity));
    this.totalWeight = this.weight.reduce((sum, weight) => sum + weight, 0);
    this.totalCapacity = this.capacity.reduce((sum, capacity) => sum + capacity, 0);
    this.heaviest = this.weight.reduce((most, weight) => Math.max(most, weight), 0);
    const processes = new Map<string, number>();
    this.processOf = Int32Array.from(this.members, (member) => numberOf(processes, member.processId));
    this.isUniform = this.members.every((member) => member.runs === null);
    this.owner = this.findClaims(({ owned }) => owned);
    this.expecting = this.findClaims(({ expects }) => expects);
    this.keepers = this.findKeepers();
    this.copies = this.findCopies();
  }

  /** The member's version of the application has this task. */
  canRun(member: number, task: number): boolean {
    if (this.isUniform) return true;
    const { runs } = this.members[member]!;
    return runs === null || runs.has(this.subTopologyIds[this.subOf[task]!]!);
  }

  /** Records the member is behind; `Infinity`: it has nothing of it. */
  lag(member: number, task: number): number {
    for (const copy of this.copies[task]!) if (copy.member === member) return copy.lag;
    return Infinity;
  }

  keeps(member: number, task: number): boolean {
    return this.keepers[task]!.includes(member);
  }

  /** The task's names, in order of sub-topology and partition. */
  names(tasks: readonly number[]): TaskIdText[] {
    return tasks
      .map((task) => ({ name: this.tasks[task]!.name, id: parseTaskId(this.tasks[task]!.name) }))
      .sort((a, b) => a.id.subTopology - b.id.subTopology || a.id.partition - b.id.partition)
      .map(({ name }) => name);
  }

  /** Of two that claim a task the later generation is believed, and neither when they tie: both have lost it. */
  private findClaims(claims: (member: AssignableMember) => readonly TaskIdText[]): Int32Array {
    const owner = new Int32Array(this.tasks.length).fill(NOBODY);
    const claimedIn = new Float64Array(this.tasks.length).fill(-Infinity);
    this.members.forEach((claimant, member) => {
      const { generationId } = claimant;
      for (const name of new Set(claims(claimant))) {
        const task = this.taskIndex.get(name);
        if (task === undefined || generationId < claimedIn[task]!) continue;
        owner[task] = generationId === claimedIn[task] ? NOBODY : member;
        claimedIn[task] = generationId;
      }
    });
    return owner;
  }

  private findKeepers(): number[][] {
    const keepers = this.tasks.map((): number[] => []);
    this.members.forEach(({ standbys }, member) => {
      for (const name of new Set(standbys)) {
        const task = this.taskIndex.get(name);
        if (task !== undefined && this.owner[task] !== member) keepers[task]!.push(member);
      }
    });
    return keepers;
  }

  private findCopies(): StateCopy[][] {
    const copies = this.tasks.map((): StateCopy[] => []);
    this.members.forEach(({ lags }, member) => {
      for (const [name, lag] of lags) {
        const task = this.taskIndex.get(name);
        if (task !== undefined && this.tasks[task]!.stateful) copies[task]!.push({ task, member, lag });
      }
    });
    // Who runs a task and says nothing of its state has all of it.
    this.owner.forEach((member, task) => {
      if (member === NOBODY || !this.tasks[task]!.stateful) return;
      if (!copies[task]!.some((copy) => copy.member === member)) copies[task]!.push({ task, member, lag: 0 });
    });
    return copies;
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function numberOf<K>(numbers: Map<K, number>, key: K): number {
  let number = numbers.get(key);
  if (number === undefined) {
    number = numbers.size;
    numbers.set(key, number);
  }
  return number;
}
