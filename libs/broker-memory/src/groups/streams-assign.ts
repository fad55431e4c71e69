// Owns which member of a streams group is to run which task: balanced, and kept where they are. Kafka's sticky assignor in outline.
import type { StreamsGroupState, StreamsMemberState, TaskName, TaskSets } from './streams-group.ts';

export function assignStreamsTasks(
  group: StreamsGroupState,
  tasks: readonly TaskName[],
  stateful: ReadonlySet<TaskName>,
  numStandbys: number,
): ReadonlyMap<string, TaskSets> {
  const members = [...group.members.values()].sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
  const sets = new Map(
    members.map(({ memberId }) => [memberId, { active: new Set<TaskName>(), standby: new Set<TaskName>() }]),
  );
  if (members.length === 0) return sets;
  const active = (member: StreamsMemberState): Set<TaskName> => sets.get(member.memberId)!.active;
  const standby = (member: StreamsMemberState): Set<TaskName> => sets.get(member.memberId)!.standby;
  const quota = Math.ceil(tasks.length / members.length);

  const waiting: TaskName[] = [];
  for (const task of tasks) {
    const holder = members.find(({ memberId }) => group.targetOf(memberId).active.has(task));
    if (holder !== undefined && active(holder).size < quota) active(holder).add(task);
    else waiting.push(task);
  }
  for (const task of waiting) {
    const keeper = members.find(
      (member) => active(member).size < quota && group.targetOf(member.memberId).standby.has(task),
    );
    active(keeper ?? least(members, (member) => active(member).size)).add(task);
  }
  // No member has two tasks more than another.
  for (;;) {
    const fewest = least(members, (member) => active(member).size);
    const most = least(members, (member) => -active(member).size);
    if (active(most).size - active(fewest).size < 2) break;
    const moved = [...active(most)].at(-1)!;
    active(most).delete(moved);
    active(fewest).add(moved);
  }

  for (const task of tasks) {
    if (!stateful.has(task)) continue;
    const taken = new Set(
      members.filter((member) => active(member).has(task)).map((member) => member.processId),
    );
    for (let copy = 0; copy < numStandbys; copy++) {
      const free = members.filter(({ processId }) => !taken.has(processId));
      if (free.length === 0) break;
      const keeper =
        free.find(({ memberId }) => group.targetOf(memberId).standby.has(task)) ??
        least(free, (member) => standby(member).size);
      standby(keeper).add(task);
      taken.add(keeper.processId);
    }
  }
  return sets;
}

function least(
  members: readonly StreamsMemberState[],
  weight: (member: StreamsMemberState) => number,
): StreamsMemberState {
  let best = members[0]!;
  for (const member of members) if (weight(member) < weight(best)) best = member;
  return best;
}
