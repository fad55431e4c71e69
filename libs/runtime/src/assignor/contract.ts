// Owns the words in which an assignment is asked for and answered: tasks, members, settings, and what each member gets.
// Types only; what is decided is in assign-tasks.ts, how it travels is in group-data.ts.
import type { TaskIdText } from '#libs/core';

/** What one member runs and keeps. No task is in two of the lists. */
export interface TaskCopies {
  /** Run by the member: it alone processes and commits them. */
  readonly active: readonly TaskIdText[];
  /** Copies of stores kept for the case that the one who runs the task is gone (`numStandbys`). */
  readonly standby: readonly TaskIdText[];
  /** Copies on their way to a task that is to move here once they have caught up. */
  readonly warmup: readonly TaskIdText[];
}

export const NO_COPIES: TaskCopies = { active: [], standby: [], warmup: [] };

export interface AssignableTask {
  readonly name: TaskIdText;
  /** What running it costs, compared with other tasks: a whole number, at least 1. */
  readonly weight: number;
  /** It has a store that is restored from a changelog: moving it costs time, and copies of it can be kept. */
  readonly stateful: boolean;
}

export interface AssignableMember {
  readonly memberId: string;
  /** Members of one process (or machine) die together: the copies of a task never share one. */
  readonly processId: string;
  /** Where it runs: zone, rack. `null`: not said. */
  readonly rack: string | null;
  /** How much of the work it can take, compared with other members: usually 1. Whole, at least 1. */
  readonly capacity: number;
  /** What it runs, or is opening, as it joins. */
  readonly owned: readonly TaskIdText[];
  /** Generation in which it came to own what it says; of two that claim a task the later is believed. */
  readonly generationId: number;
  /** What the last assignment meant it to run in the end and it does not run yet: a plan is carried out, not made anew each round. */
  readonly expects: readonly TaskIdText[];
  /** What it keeps standby and warm-up copies of, as it joins. */
  readonly standbys: readonly TaskIdText[];
  /** Records it is behind, by task whose state it has: 0 where the task runs here or nothing is missing. Absent: it has no state of it. */
  readonly lags: ReadonlyMap<TaskIdText, number>;
  /** Sub-topologies it can run, where that is not all of them: members of another version of the application. */
  readonly runs: ReadonlySet<number> | null;
  /** Keeps standby and warm-up copies: false for members of a version that knows none. */
  readonly keepsCopies: boolean;
}

export interface AssignorSettings {
  /** Standby copies of each stateful task. */
  readonly numStandbys: number;
  /** Most records a copy may be behind to count as caught up. */
  readonly acceptableRecoveryLag: number;
  /** Most warm-up copies in the group at a time. */
  readonly maxWarmups: number;
}

export interface MemberCopies extends TaskCopies {
  /** Tasks that wait for this member to give them up, by joining again without them. */
  readonly givesUp: readonly TaskIdText[];
  /** Tasks that are to run here in the end, and do not yet: to be said again at the next join. */
  readonly expects: readonly TaskIdText[];
}

export interface GroupAssignment {
  /** By member id; every member has an entry. */
  readonly members: ReadonlyMap<string, MemberCopies>;
  /** Tasks that nobody may run yet: their present owner has to give them up first. */
  readonly withheld: readonly TaskIdText[];
  /** Warm-up copies that are being filled: another round is wanted once they have caught up. */
  readonly warmingUp: readonly TaskIdText[];
}
