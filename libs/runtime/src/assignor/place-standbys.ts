// Owns where standby copies are kept: never in the process that runs the task, nor two in one process; in another rack than the
// task and its other copies, as far as no member gets far more of them than the rest; where copies are already; evenly otherwise.
import type { AssignorSettings } from './contract.ts';
import type { WantedCopy } from './catch-up.ts';
import { NOBODY } from './group-view.ts';
import type { GroupView } from './group-view.ts';
import { Loads } from './level.ts';

export interface StandbyPlacement {
  /** By task: the members that keep a standby copy. */
  readonly keepers: readonly number[][];
  /** Copies to be filled before a standby moves: its present keeper keeps it meanwhile. */
  readonly wanted: readonly WantedCopy[];
}

/** `target`: who is to run each task in the end, once what is on its way has arrived; `runner`: who runs it now. */
export function placeStandbys(
  group: GroupView,
  runner: Int32Array,
  settings: AssignorSettings,
): StandbyPlacement {
  if (settings.numStandbys === 0) return { keepers: group.tasks.map(() => []), wanted: [] };
  const placing = new StandbyPlacing(group, runner, settings);
  placing.keepWhatIsKept();
  placing.placeRest();
  // The one may make room for the other.
  for (let pass = 0; pass < PASSES_MAX; pass++) {
    const moved = placing.improveRacks();
    if (!placing.level() && !moved) break;
  }
  return placing.keepUntilFilled();
}

/** How many times its share of the copies a member takes so that they are in other racks. */
const RACK_SHARE_MAX = 2;
const PASSES_MAX = 8;

class StandbyPlacing {
  private readonly group: GroupView;
  private readonly runner: Int32Array;
  private readonly settings: AssignorSettings;
  private readonly loads: Loads;
  private readonly keepers: number[][];
  private readonly held: Set<number>[];
  private readonly fairShare: number;
  private readonly racks: boolean;
  /** Small number of a member's rack; `NOBODY`: not said. */
  private readonly rackOf: Int32Array;

  constructor(group: GroupView, runner: Int32Array, settings: AssignorSettings) {
    this.group = group;
    this.runner = runner;
    this.settings = settings;
    this.loads = new Loads(group.capacity, group.heaviest);
    this.keepers = group.tasks.map(() => []);
    this.held = group.members.map(() => new Set());
    const stateful = group.tasks.reduce((sum, { stateful, weight }) => sum + (stateful ? weight : 0), 0);
    this.fairShare = (stateful * settings.numStandbys) / group.totalCapacity;
    const racks = new Map<string, number>();
    this.rackOf = Int32Array.from(group.members, ({ rack }) => {
      if (rack === null) return NOBODY;
      if (!racks.has(rack)) racks.set(rack, racks.size);
      return racks.get(rack)!;
    });
    this.racks = racks.size > 0;
  }

  keepWhatIsKept(): void {
    const { group } = this;
    group.keepers.forEach((kept, task) => {
      if (kept.length === 0 || !group.tasks[task]!.stateful) return;
      const nearest = [...kept].sort((a, b) => {
        const [lagA, lagB] = [this.lagBeyond(a, task), this.lagBeyond(b, task)];
        return lagA === lagB ? a - b : lagA < lagB ? -1 : 1;
      });
      for (const member of nearest) {
        if (this.keepers[task]!.length >= this.settings.numStandbys) return;
        if (this.mayKeep(member, task)) this.put(task, member);
      }
    });
  }

  placeRest(): void {
    const { group } = this;
    for (let copy = 0; copy < this.settings.numStandbys; copy++) {
      for (let task = 0; task < group.tasks.length; task++) {
        if (!group.tasks[task]!.stateful || this.keepers[task]!.length > copy) continue;
        const member = this.bestFor(task);
        if (member !== NOBODY) this.put(task, member);
      }
    }
  }

  /** Copies that share a rack with another go where they share none, or with fewer. */
  improveRacks(): boolean {
    if (!this.racks) return false;
    let moved = false;
    for (let task = 0; task < this.keepers.length; task++) {
      for (const member of [...this.keepers[task]!]) {
        const clashes = this.clashes(member, task);
        if (clashes === 0) continue;
        this.remove(task, member);
        const better = this.bestFor(task);
        const weight = this.group.weight[task]!;
        const isBetter =
          better !== NOBODY &&
          this.clashes(better, task) < clashes &&
          this.loads.with(better, weight) <= this.rackLimit(weight);
        this.put(task, isBetter ? better : member);
        if (isBetter) moved = true;
      }
    }
    return moved;
  }

  level(): boolean {
    const { group } = this;
    return this.loads.level((from, to) => {
      let best = NOBODY;
      let bestLag = Infinity;
      for (const task of this.held[from]!) {
        if (!this.mayKeep(to, task, from)) continue;
        if (this.clashes(to, task, from) > this.clashes(from, task, from)) continue;
        const lag = group.lag(to, task);
        if (best === NOBODY || lag < bestLag || (lag === bestLag && task > best)) {
          best = task;
          bestLag = lag;
        }
      }
      if (best === NOBODY) return false;
      this.remove(best, from);
      this.put(best, to);
      return true;
    });
  }

  /** A copy that is caught up is given up only for one that is caught up as well. */
  keepUntilFilled(): StandbyPlacement {
    const { group, keepers } = this;
    const wanted: WantedCopy[] = [];
    const now = keepers.map((members, task) => {
      const spare = group.keepers[task]!.filter(
        (member) => !members.includes(member) && this.isCaughtUp(member, task) && this.mayKeep(member, task),
      );
      if (spare.length === 0) return members;
      return members.map((member) => {
        if (spare.length === 0 || this.isCaughtUp(member, task)) return member;
        wanted.push({ task, member });
        return spare.shift()!;
      });
    });
    return { keepers: now, wanted };
  }

  /** Fewest clashes of racks, within what a member takes for that; then state that lies there, up to its fair share; then least load. */
  private bestFor(task: number): number {
    const { group, loads, keepers, runner } = this;
    const weight = group.weight[task]!;
    const rackLimit = this.rackLimit(weight);
    const hosts = runner[task] === NOBODY ? keepers[task]! : [runner[task]!, ...keepers[task]!];
    const hasState = group.copies[task]!.length > 0;
    let best = NOBODY;
    let bestClashes = Infinity;
    let bestLag = Infinity;
    let bestLoad = Infinity;
    // Asked for every copy of every member: no objects in here.
    for (let member = 0; member < group.members.length; member++) {
      const load = loads.with(member, weight);
      let clashes = 0;
      if (this.racks) {
        if (load > rackLimit) clashes = Infinity;
        else if (this.rackOf[member]! !== NOBODY)
          for (const host of hosts) if (this.rackOf[host] === this.rackOf[member]) clashes++;
        if (clashes > bestClashes) continue;
      }
      const lag = hasState && load <= this.fairShare ? group.lag(member, task) : Infinity;
      if (best !== NOBODY && clashes === bestClashes) {
        if (lag > bestLag || (lag === bestLag && load >= bestLoad)) continue;
      }
      if (!this.mayKeep(member, task)) continue;
      best = member;
      bestClashes = clashes;
      bestLag = lag;
      bestLoad = load;
    }
    return best;
  }

  private mayKeep(member: number, task: number, instead: number = NOBODY): boolean {
    const { group, runner } = this;
    if (!group.members[member]!.keepsCopies || !group.canRun(member, task)) return false;
    const process = group.processOf[member]!;
    const active = runner[task]!;
    if (active !== NOBODY && group.processOf[active] === process) return false;
    for (const other of this.keepers[task]!) {
      if (other !== instead && group.processOf[other] === process) return false;
    }
    return true;
  }

  /** Copies of the task, the running one among them, that are in the member's rack. */
  private clashes(member: number, task: number, instead: number = NOBODY): number {
    if (!this.racks) return 0;
    const rack = this.rackOf[member]!;
    // Not said where it runs: any of the others may be there too.
    if (rack === NOBODY) return 0;
    const active = this.runner[task]!;
    let count = active !== NOBODY && this.rackOf[active] === rack ? 1 : 0;
    for (const other of this.keepers[task]!) {
      if (other !== instead && other !== member && this.rackOf[other] === rack) count++;
    }
    return count;
  }

  private rackLimit(weight: number): number {
    return RACK_SHARE_MAX * this.fairShare + weight;
  }

  /** 0 for all that are caught up. */
  private lagBeyond(member: number, task: number): number {
    return this.isCaughtUp(member, task) ? 0 : this.group.lag(member, task);
  }

  private isCaughtUp(member: number, task: number): boolean {
    return this.group.lag(member, task) <= this.settings.acceptableRecoveryLag;
  }

  private put(task: number, member: number): void {
    this.keepers[task]!.push(member);
    this.held[member]!.add(task);
    this.loads.add(member, this.group.weight[task]!);
  }

  private remove(task: number, member: number): void {
    this.keepers[task]!.splice(this.keepers[task]!.indexOf(member), 1);
    this.held[member]!.delete(task);
    this.loads.add(member, -this.group.weight[task]!);
  }
}
