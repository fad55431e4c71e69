// Owns the decision which member runs which task and keeps which copies: a pure function, the same on every member for the same
// input, in whatever order that comes.
//
// 1. Balance comes first, by weight (level.ts); within that a task stays where it runs, or goes where its state lies (place-actives.ts).
// 2. A task whose new place lacks its state is run by whoever is caught up until the copy there has warmed up (catch-up.ts).
// 3. Standby copies are kept apart from what they stand by for (place-standbys.ts).
// 4. A task is never given to a new member while another still runs it: the owner is told first, by its absence, and gives
//    it up with a rejoin; the next round hands it over (cooperative rebalancing, KIP-429).
//
// See docs/decisions/0014-assignor.md for why it is done so, and docs/guide/scaling.md for what users see of it.
import type { TaskIdText } from '#libs/core';
import { chooseWarmups, placeForNow } from './catch-up.ts';
import type { WantedCopy } from './catch-up.ts';
import type {
  AssignableMember,
  AssignableTask,
  AssignorSettings,
  GroupAssignment,
  MemberCopies,
} from './contract.ts';
import { GroupView, NOBODY } from './group-view.ts';
import { placeActives } from './place-actives.ts';
import { placeStandbys } from './place-standbys.ts';

export function assignTasks(
  members: readonly AssignableMember[],
  tasks: readonly AssignableTask[],
  settings: AssignorSettings,
): GroupAssignment {
  const group = new GroupView(members, tasks);
  const target = placeActives(group, settings.acceptableRecoveryLag);
  const { runner, wanted } = placeForNow(group, target, settings);
  const standbys = placeStandbys(group, runner, settings);
  const isStandby = (task: number, member: number): boolean => standbys.keepers[task]!.includes(member);
  // What lets a task move comes before what only moves a standby.
  const first = chooseWarmups(group, wanted, isStandby, settings.maxWarmups);
  const second = chooseWarmups(
    group,
    standbys.wanted.filter(({ task, member }) => !isWanted(first.filling, task, member)),
    isStandby,
    settings.maxWarmups - first.warmups.length,
  );
  const answer = new Answer(group);
  runner.forEach((member, task) => answer.addActive(task, member, target[task]!));
  standbys.keepers.forEach((keepers, task) => {
    for (const member of keepers) answer.addStandby(task, member);
  });
  for (const { task, member } of [...first.warmups, ...second.warmups]) answer.addWarmup(task, member);
  answer.keepCopiesOfWithheld(runner);
  return answer.finish([...first.filling, ...second.filling]);
}

function isWanted(copies: readonly WantedCopy[], task: number, member: number): boolean {
  return copies.some((copy) => copy.task === task && copy.member === member);
}

interface Lists {
  readonly active: number[];
  readonly standby: number[];
  readonly warmup: number[];
  readonly givesUp: number[];
  readonly expects: number[];
}

/** Gathers what each member gets. */
class Answer {
  private readonly group: GroupView;
  private readonly lists: Lists[];
  private readonly withheld: number[] = [];

  constructor(group: GroupView) {
    this.group = group;
    this.lists = group.members.map(() => ({ active: [], standby: [], warmup: [], givesUp: [], expects: [] }));
  }

  addActive(task: number, member: number, target: number): void {
    const owner = this.group.owner[task]!;
    if (member !== NOBODY && (owner === NOBODY || owner === member)) {
      this.lists[member]!.active.push(task);
      if (target !== member) this.lists[target]!.expects.push(task);
      return;
    }
    if (target !== NOBODY) this.lists[target]!.expects.push(task);
    // It is another's still, or none that is here can run it.
    this.withheld.push(task);
  }

  addStandby(task: number, member: number): void {
    this.lists[member]!.standby.push(task);
  }

  addWarmup(task: number, member: number): void {
    if (this.group.owner[task] !== member) this.lists[member]!.warmup.push(task);
  }

  /** What is about to run where a copy of it is kept is not to lose the copy while its owner gives it up. */
  keepCopiesOfWithheld(runner: Int32Array): void {
    for (const task of this.withheld) {
      const member = runner[task]!;
      if (member === NOBODY || !this.group.keeps(member, task)) continue;
      const { standby, warmup } = this.lists[member]!;
      if (!standby.includes(task) && !warmup.includes(task)) warmup.push(task);
    }
  }

  finish(filling: readonly WantedCopy[]): GroupAssignment {
    const { group, withheld } = this;
    const isWithheld = new Set(withheld);
    group.members.forEach(({ owned }, member) => {
      // Also from one whose claim is not believed: it, too, has to hear that the task is not its own.
      for (const name of new Set(owned)) {
        const task = group.taskIndex.get(name);
        if (task !== undefined && isWithheld.has(task)) this.lists[member]!.givesUp.push(task);
      }
    });
    const members = new Map<string, MemberCopies>();
    group.members.forEach(({ memberId }, member) => {
      const { active, standby, warmup, givesUp, expects } = this.lists[member]!;
      members.set(memberId, {
        active: group.names(active),
        standby: group.names(standby),
        warmup: group.names(warmup),
        givesUp: group.names(givesUp),
        expects: group.names(expects),
      });
    });
    return {
      members,
      withheld: group.names(withheld),
      warmingUp: group.names([...new Set(filling.map(({ task }) => task))]),
    };
  }
}

/** A task as the assignor weighs it: one for each partition it reads, one for each store it restores (docs/guide/scaling.md). */
export function assignableTask(name: TaskIdText, inputs: number, stores: number): AssignableTask {
  return { name, weight: Math.max(1, inputs) + stores, stateful: stores > 0 };
}
