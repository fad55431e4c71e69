// Owns the question who runs a task *now* when the one that is to run it in the end still lacks its state: whoever is caught up goes
// on, and the other warms up a copy first, a few at a time (Kafka Streams: KIP-441).
import type { AssignorSettings } from './contract.ts';
import { NOBODY } from './group-view.ts';
import type { GroupView } from './group-view.ts';

/** A copy that a member is to fill before something moves to it. */
export interface WantedCopy {
  readonly task: number;
  readonly member: number;
}

export interface Placement {
  /** By task: who runs it, once its present owner has given it up. */
  readonly runner: Int32Array;
  /** Copies that are to be filled before the rest can move. */
  readonly wanted: readonly WantedCopy[];
}

export function placeForNow(group: GroupView, target: Int32Array, settings: AssignorSettings): Placement {
  const runner = target.slice();
  const wanted: WantedCopy[] = [];
  const load = new Float64Array(group.members.length);
  target.forEach((member, task) => {
    if (member !== NOBODY) load[member]! += group.weight[task]! / group.capacity[member]!;
  });
  for (let task = 0; task < runner.length; task++) {
    const member = target[task]!;
    // A member of a version that warms nothing up is no sooner ready than now.
    if (member === NOBODY || !group.tasks[task]!.stateful || !group.members[member]!.keepsCopies) continue;
    const better = betterPlaced(group, task, member, settings.acceptableRecoveryLag, load);
    if (better === NOBODY) continue;
    runner[task] = better;
    load[member]! -= group.weight[task]! / group.capacity[member]!;
    load[better]! += group.weight[task]! / group.capacity[better]!;
    wanted.push({ task, member });
  }
  return { runner, wanted };
}

/** The member that runs the task meanwhile; `NOBODY`: it may go where it belongs. */
function betterPlaced(
  group: GroupView,
  task: number,
  member: number,
  acceptable: number,
  load: Float64Array,
): number {
  const own = group.lag(member, task);
  if (own <= acceptable) return NOBODY;
  const owner = group.owner[task]!;
  let best = NOBODY;
  let bestLag = Infinity;
  for (const copy of group.copies[task]!) {
    if (copy.member === member || !group.canRun(copy.member, task)) continue;
    // All that are caught up are equally good, but for the one that runs it: it need not even move.
    const lag = copy.lag > acceptable ? copy.lag : copy.member === owner ? -1 : 0;
    const isBetter =
      lag < bestLag ||
      (lag === bestLag && best !== NOBODY && lag !== Infinity && isLessLoaded(load, copy.member, best));
    if (isBetter) {
      best = copy.member;
      bestLag = lag;
    }
  }
  if (best === NOBODY) return NOBODY;
  if (bestLag <= 0) return best;
  // Nobody is caught up: whoever runs it already goes on restoring, or else whoever has least to restore.
  return member !== owner && bestLag < own ? best : NOBODY;
}

function isLessLoaded(load: Float64Array, member: number, than: number): boolean {
  return load[member]! < load[than]! || (load[member] === load[than] && member < than);
}

/**
 * Which of the wanted copies are filled now: those being filled already first, then those with least to go, then those that relieve
 * whoever runs most. One that is kept as a standby anyway needs no place among the `maxWarmups`.
 */
export function chooseWarmups(
  group: GroupView,
  wanted: readonly WantedCopy[],
  isStandby: (task: number, member: number) => boolean,
  maxWarmups: number,
): { readonly warmups: WantedCopy[]; readonly filling: WantedCopy[] } {
  const ranked = wanted.map((copy) => ({
    copy,
    isKept: group.keeps(copy.member, copy.task),
    lag: group.lag(copy.member, copy.task),
    relief: 0,
  }));
  const ownLoad = new Float64Array(group.members.length);
  const share = (task: number, owner: number): number => group.weight[task]! / group.capacity[owner]!;
  group.owner.forEach((owner, task) => {
    if (owner !== NOBODY) ownLoad[owner]! += share(task, owner);
  });
  // Each one counts as gone for the next of the same owner.
  for (const entry of ranked) {
    const { task } = entry.copy;
    const owner = group.owner[task]!;
    if (owner === NOBODY) continue;
    entry.relief = ownLoad[owner]!;
    ownLoad[owner]! -= share(task, owner);
  }
  ranked.sort((a, b) => {
    if (a.isKept !== b.isKept) return a.isKept ? -1 : 1;
    if (a.lag !== b.lag) return a.lag < b.lag ? -1 : 1;
    return b.relief - a.relief || a.copy.task - b.copy.task || a.copy.member - b.copy.member;
  });
  const warmups: WantedCopy[] = [];
  const filling: WantedCopy[] = [];
  for (const { copy } of ranked) {
    if (!isStandby(copy.task, copy.member)) {
      if (warmups.length >= maxWarmups) continue;
      warmups.push(copy);
    }
    filling.push(copy);
  }
  return { warmups, filling };
}
