// Owns the decision which member runs which task: a pure function, the same on every member for the same input.
//
// 1. Balance comes first: no member has two tasks more than another.
// 2. Within that, a task stays where it runs, and goes otherwise to where its state lies.
// 3. A task is never given to a new member while another still runs it: the owner is told first, by its absence, and gives
//    it up with a rejoin; the next round hands it over (cooperative rebalancing, KIP-429).
import type { TaskIdText } from '#libs/core';

export interface AssignableMember {
  readonly memberId: string;
  /** What the member runs, from its subscription. */
  readonly owned: readonly TaskIdText[];
  /** What it has state of. */
  readonly local: readonly TaskIdText[];
  /** Generation in which it came to own what it says; of two that claim a task the later is believed. */
  readonly generationId: number;
}

export interface TaskAssignment {
  /** By member id; every member has an entry. */
  readonly assigned: ReadonlyMap<string, readonly TaskIdText[]>;
  /** Tasks withheld until their present owner has given them up. */
  readonly withheld: readonly TaskIdText[];
}

/** `tasks` in the order in which they are spread; stateful ones first, as the caller sees fit. */
export function assignTasks(
  members: readonly AssignableMember[],
  tasks: readonly TaskIdText[],
): TaskAssignment {
  const sorted = [...members].sort((a, b) =>
    a.memberId < b.memberId ? -1 : a.memberId > b.memberId ? 1 : 0,
  );
  const target = new Map<string, TaskIdText[]>(sorted.map((member) => [member.memberId, []]));
  if (sorted.length === 0) return { assigned: target, withheld: [...tasks] };

  const known = new Set<TaskIdText>(tasks);
  const owner = ownersOf(sorted, known);
  const base = Math.floor(tasks.length / sorted.length);
  let extra = tasks.length % sorted.length;
  const unassigned: TaskIdText[] = [];

  // What stays: up to the fair share of each member, the remainder going to members that hold more already.
  const holdings = new Map<string, TaskIdText[]>(sorted.map((member) => [member.memberId, []]));
  for (const task of tasks) {
    const holder = owner.get(task);
    if (holder === undefined) unassigned.push(task);
    else holdings.get(holder)!.push(task);
  }
  const quota = new Map<string, number>();
  for (const member of [...sorted].sort(
    (a, b) => holdings.get(b.memberId)!.length - holdings.get(a.memberId)!.length,
  )) {
    const wantsMore = holdings.get(member.memberId)!.length > base && extra > 0;
    quota.set(member.memberId, wantsMore ? base + 1 : base);
    if (wantsMore) extra--;
  }
  for (const member of sorted) {
    const held = holdings.get(member.memberId)!;
    const limit = quota.get(member.memberId)!;
    target.get(member.memberId)!.push(...held.slice(0, limit));
    unassigned.push(...held.slice(limit));
  }

  // What moves: where its state lies if there is room, otherwise to the least loaded.
  const hasState = new Map<string, Set<TaskIdText>>(
    sorted.map((member) => [member.memberId, new Set(member.local)]),
  );
  for (const task of unassigned) {
    let best: string | null = null;
    let bestScore = -Infinity;
    for (const { memberId } of sorted) {
      const load = target.get(memberId)!.length;
      const room = load < base || (load === base && extra > 0);
      if (!room) continue;
      const score = (hasState.get(memberId)!.has(task) ? 1_000_000 : 0) - load;
      if (score > bestScore) {
        best = memberId;
        bestScore = score;
      }
    }
    const chosen = target.get(best!)!;
    if (chosen.length === base) extra--;
    chosen.push(task);
  }

  const order = new Map(tasks.map((task, index) => [task, index]));
  const withheld: TaskIdText[] = [];
  const assigned = new Map<string, readonly TaskIdText[]>();
  for (const [memberId, list] of target) {
    assigned.set(
      memberId,
      list
        .filter((task) => {
          const holder = owner.get(task);
          const free = holder === undefined || holder === memberId;
          if (!free) withheld.push(task);
          return free;
        })
        .sort((a, b) => order.get(a)! - order.get(b)!),
    );
  }
  return { assigned, withheld };
}

function ownersOf(
  members: readonly AssignableMember[],
  known: ReadonlySet<TaskIdText>,
): Map<TaskIdText, string> {
  const claims = new Map<TaskIdText, { memberId: string; generationId: number } | null>();
  for (const { memberId, owned, generationId } of members) {
    for (const task of owned) {
      if (!known.has(task)) continue;
      const other = claims.get(task);
      if (other === undefined || (other !== null && generationId > other.generationId)) {
        claims.set(task, { memberId, generationId });
      } else if (other !== null && generationId === other.generationId) {
        claims.set(task, null);
      }
    }
  }
  const owner = new Map<TaskIdText, string>();
  for (const [task, claim] of claims) if (claim !== null) owner.set(task, claim.memberId);
  return owner;
}
