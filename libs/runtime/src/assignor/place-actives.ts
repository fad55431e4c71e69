// Owns where tasks are to run in the end: balanced by weight, each where it runs already unless that would leave the group uneven,
// then where its state lies. Whether a task may go there at once is not asked here (see catch-up.ts).
import { NOBODY } from './group-view.ts';
import type { GroupView, StateCopy } from './group-view.ts';
import { isLess, Loads } from './level.ts';

const PASSES_MAX = 16;

/** By task: the member that is to run it; `NOBODY`: no member can. */
export function placeActives(group: GroupView, acceptableRecoveryLag: number): Int32Array {
  const placing = new ActivePlacing(group, acceptableRecoveryLag);
  placing.keepWhatRuns();
  placing.placeBesideState();
  placing.placeRest();
  placing.moveToState();
  placing.level();
  return placing.target;
}

class ActivePlacing {
  readonly target: Int32Array;
  private readonly group: GroupView;
  private readonly acceptable: number;
  private readonly loads: Loads;
  /** Tasks of a sub-topology on a member, at `member * subCount + sub`. */
  private readonly perSub: Int32Array;
  private readonly held: Set<number>[];

  constructor(group: GroupView, acceptable: number) {
    this.group = group;
    this.acceptable = acceptable;
    this.target = new Int32Array(group.tasks.length).fill(NOBODY);
    this.loads = new Loads(group.capacity, group.heaviest);
    this.perSub = new Int32Array(group.members.length * group.subCount);
    this.held = group.members.map(() => new Set());
  }

  /** Where the last round meant it to run, or else where it runs. */
  keepWhatRuns(): void {
    const { owner, expecting, tasks } = this.group;
    for (let task = 0; task < tasks.length; task++) {
      const member = expecting[task] === NOBODY ? owner[task]! : expecting[task]!;
      if (member !== NOBODY && this.group.canRun(member, task)) this.put(task, member);
    }
  }

  /** Up to a member's fair share, the nearest copy first, of equally near ones that of whoever has least. `placeRest` evens out the rest. */
  placeBesideState(): void {
    const { group } = this;
    const fairShare = group.totalWeight / group.totalCapacity;
    for (const { task, member } of this.copiesByNearness()) {
      if (this.target[task] !== NOBODY || !group.canRun(member, task)) continue;
      const weight = group.weight[task]!;
      const near = this.nearness(task, member);
      let best = member;
      for (const copy of group.copies[task]!) {
        if (this.nearness(task, copy.member) !== near || !group.canRun(copy.member, task)) continue;
        if (this.loads.with(copy.member, weight) < this.loads.with(best, weight)) best = copy.member;
      }
      if (this.loads.with(best, weight) <= fairShare) this.put(task, best);
    }
  }

  /** To whoever has least with it; of equals to whoever has state of it, then to whoever has fewest of its sub-topology. */
  placeRest(): void {
    const { group } = this;
    for (let task = 0; task < group.tasks.length; task++) {
      if (this.target[task] !== NOBODY) continue;
      let best = NOBODY;
      let bestLoad = Infinity;
      for (let member = 0; member < group.members.length; member++) {
        const load = this.loads.with(member, group.weight[task]!);
        if (load > bestLoad || !group.canRun(member, task)) continue;
        if (load < bestLoad || this.isCloser(task, member, best)) {
          best = member;
          bestLoad = load;
        }
      }
      if (best !== NOBODY) this.put(task, best);
    }
  }

  /** Where tasks have to move anyway, those first whose state the other side has: what warms up there goes on to do so. */
  moveToState(): void {
    const copies = this.copiesByNearness();
    // What one cannot spare at first it can once others have given theirs.
    for (let pass = 0; pass < PASSES_MAX; pass++) if (!this.moveOnce(copies)) return;
  }

  private moveOnce(copies: readonly StateCopy[]): boolean {
    const { group, target, loads } = this;
    let moved = false;
    for (const { task, member } of copies) {
      const from = target[task]!;
      if (from === member || from === NOBODY || !loads.isUneven(from, member)) continue;
      // Not from one that would then have too little itself, and need another's task in turn.
      if (!group.canRun(member, task) || !loads.canSpare(from, group.weight[task]!)) continue;
      this.move(task, from, member);
      moved = true;
    }
    return moved;
  }

  level(): void {
    this.loads.level((from, to) => {
      const task = this.bestToMove(from, to);
      if (task === NOBODY) return false;
      this.move(task, from, to);
      return true;
    });
  }

  /**
   * Of the sub-topology of which `from` has most compared with `to`; of that the task that `to` has the nearest copy of. None that
   * would leave `to` with more than `from`, unless there are only such: then the lightest.
   */
  private bestToMove(from: number, to: number): number {
    const { group } = this;
    let best = NOBODY;
    let bestRank: readonly number[] = [];
    for (const task of this.held[from]!) {
      if (!group.canRun(to, task)) continue;
      const weight = group.weight[task]!;
      const overshoots = this.loads.with(to, weight) > this.loads.with(from, -weight);
      const crowding = this.crowding(to, task) - this.crowding(from, task);
      // The later of equals moves: those with low numbers stay where they are.
      const rank = [overshoots ? weight : 0, crowding, group.lag(to, task), -weight, -task];
      if (best === NOBODY || isLess(rank, bestRank)) {
        best = task;
        bestRank = rank;
      }
    }
    return best;
  }

  private isCloser(task: number, member: number, than: number): boolean {
    if (than === NOBODY) return true;
    const { group } = this;
    const lag = group.lag(member, task);
    const other = group.lag(than, task);
    if (lag !== other) return lag < other;
    return this.crowding(member, task) < this.crowding(than, task);
  }

  /** How much of the task's sub-topology the member has, by its capacity. */
  private crowding(member: number, task: number): number {
    const { group } = this;
    return this.perSub[member * group.subCount + group.subOf[task]!]! / group.capacity[member]!;
  }

  private copiesByNearness(): StateCopy[] {
    const { group } = this;
    const ranked: { copy: StateCopy; near: number }[] = [];
    for (const copies of group.copies) {
      for (const copy of copies) {
        if (copy.lag === Infinity || copy.member === group.owner[copy.task]) continue;
        ranked.push({ copy, near: this.nearness(copy.task, copy.member) });
      }
    }
    ranked.sort((a, b) => a.near - b.near || a.copy.task - b.copy.task || a.copy.member - b.copy.member);
    return ranked.map(({ copy }) => copy);
  }

  /** Caught-up copies first: of those the ones that are kept up. Then by lag. */
  private nearness(task: number, member: number): number {
    const lag = this.group.lag(member, task);
    if (lag > this.acceptable) return lag;
    return this.group.keeps(member, task) ? -2 : -1;
  }

  private put(task: number, member: number): void {
    this.target[task] = member;
    this.count(task, member, 1);
    this.held[member]!.add(task);
  }

  private move(task: number, from: number, to: number): void {
    this.count(task, from, -1);
    this.held[from]!.delete(task);
    this.put(task, to);
  }

  private count(task: number, member: number, by: 1 | -1): void {
    const { group } = this;
    this.loads.add(member, by * group.weight[task]!);
    this.perSub[member * group.subCount + group.subOf[task]!]! += by;
  }
}
