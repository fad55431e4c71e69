// Owns what one streams group knows (KIP-1071): its topology, its members, what each is to run, what each has been told to run. Rules of
// reconciliation as in Kafka's CurrentAssignmentBuilder. Requests, timers and topics are the coordinator's.
import type { StreamsGroupHeartbeatRequest, StreamsTaskIds, StreamsTopology } from '#libs/broker';

/** A task by sub-topology and partition, as `1_4`. */
export type TaskName = string;

export interface TaskSets {
  readonly active: ReadonlySet<TaskName>;
  readonly standby: ReadonlySet<TaskName>;
}

export const NO_TASK_SETS: TaskSets = { active: new Set(), standby: new Set() };

export class StreamsMemberState {
  readonly memberId: string;
  clientId = '';
  processId = '';
  rackId: string | null = null;
  clientTags: ReadonlyMap<string, string> = new Map();
  rebalanceTimeoutMs = 300_000;
  topologyEpoch = -1;
  memberEpoch = 0;
  previousEpoch = -1;
  phase: 'STABLE' | 'UNREVOKED_TASKS' | 'UNRELEASED_TASKS' = 'STABLE';
  /** Active tasks with the epoch in which they were assigned. */
  active = new Map<TaskName, number>();
  standby = new Set<TaskName>();
  revokingActive = new Map<TaskName, number>();
  revokingStandby = new Set<TaskName>();
  /** Counts the requests heard and the waits begun: a timer that belongs to an earlier one does nothing. */
  heard = 0;
  revocation = 0;

  constructor(memberId: string) {
    this.memberId = memberId;
  }

  /** Takes what the request says. True: something that the assignment goes by has changed. */
  update(request: StreamsGroupHeartbeatRequest, clientId: string): boolean {
    const before = this.#metadata();
    this.clientId = clientId;
    this.processId = request.processId ?? this.processId;
    this.rackId = request.rackId ?? this.rackId;
    if (request.clientTags !== null) {
      this.clientTags = new Map(request.clientTags.map(({ key, value }) => [key, value]));
    }
    if (request.rebalanceTimeoutMs >= 0) this.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
    if (request.topology !== null) this.topologyEpoch = request.topology.epoch;
    return before !== this.#metadata();
  }

  #metadata(): string {
    const { clientId, processId, rackId, clientTags, rebalanceTimeoutMs, topologyEpoch } = this;
    return JSON.stringify([clientId, processId, rackId, [...clientTags], rebalanceTimeoutMs, topologyEpoch]);
  }

  owns(tasks: readonly StreamsTaskIds[] | null, among: { has(task: TaskName): boolean }): boolean {
    return tasks !== null && namesOf(tasks).every((task) => among.has(task));
  }
}

export class StreamsGroupState {
  readonly groupId: string;
  readonly members = new Map<string, StreamsMemberState>();
  topology: StreamsTopology | undefined;
  /** Of the topology with the sizes of its topics. */
  metadata = '';
  groupEpoch = 0;
  assignmentEpoch = 0;
  target: ReadonlyMap<string, TaskSets> = new Map();
  shutdownBy: string | undefined;

  constructor(groupId: string) {
    this.groupId = groupId;
  }

  targetOf(memberId: string): TaskSets {
    return this.target.get(memberId) ?? NO_TASK_SETS;
  }

  /** Process that runs the task, or has yet to give it up; undefined: none. */
  activeProcess(task: TaskName): string | undefined {
    for (const member of this.members.values()) {
      if (member.active.has(task) || member.revokingActive.has(task)) return member.processId;
    }
    return undefined;
  }

  /** Has the process a copy of the task that is not its active one? */
  keepsCopy(task: TaskName, processId: string): boolean {
    for (const member of this.members.values()) {
      if (member.processId !== processId) continue;
      if (member.standby.has(task) || member.revokingStandby.has(task)) return true;
    }
    return false;
  }

  /** Moves the member on towards its target as far as what it says to own allows. `owned` null: it says nothing. */
  reconcile(member: StreamsMemberState, owned: ReadonlySet<TaskName> | null): void {
    if (member.phase === 'STABLE' && member.memberEpoch === this.assignmentEpoch) return;
    let epoch = member.memberEpoch;
    if (member.phase === 'UNREVOKED_TASKS') {
      const pending = [...member.revokingActive.keys(), ...member.revokingStandby];
      if (owned === null || pending.some((task) => owned.has(task))) return;
      epoch++;
    }
    this.#next(member, epoch, owned);
  }

  #next(member: StreamsMemberState, epoch: number, owned: ReadonlySet<TaskName> | null): void {
    const target = this.targetOf(member.memberId);
    const kept = new Map([...member.active].filter(([task]) => target.active.has(task)));
    const keptStandby = new Set([...member.standby].filter((task) => target.standby.has(task)));
    const revoked = new Map([...member.active].filter(([task]) => !target.active.has(task)));
    const revokedStandby = new Set([...member.standby].filter((task) => !target.standby.has(task)));
    const given = [...target.active].filter((task) => !kept.has(task));
    const givenStandby = [...target.standby].filter((task) => !keptStandby.has(task));
    const { processId } = member;
    const free = given.filter(
      (task) => this.activeProcess(task) === undefined && !this.keepsCopy(task, processId),
    );
    const freeStandby = givenStandby.filter(
      (task) => this.activeProcess(task) !== processId && !this.keepsCopy(task, processId),
    );
    const pending = [...revoked.keys(), ...revokedStandby];
    if (pending.length > 0 && (owned === null || pending.some((task) => owned.has(task)))) {
      this.#move(member, 'UNREVOKED_TASKS', epoch, kept, keptStandby);
      member.revokingActive = revoked;
      member.revokingStandby = revokedStandby;
      return;
    }
    for (const task of free) kept.set(task, this.assignmentEpoch);
    for (const task of freeStandby) keptStandby.add(task);
    const waits = free.length < given.length || freeStandby.length < givenStandby.length;
    this.#move(member, waits ? 'UNRELEASED_TASKS' : 'STABLE', this.assignmentEpoch, kept, keptStandby);
    member.revokingActive = new Map();
    member.revokingStandby = new Set();
  }

  #move(
    member: StreamsMemberState,
    phase: StreamsMemberState['phase'],
    epoch: number,
    active: Map<TaskName, number>,
    standby: Set<TaskName>,
  ): void {
    member.phase = phase;
    if (epoch !== member.memberEpoch) {
      member.previousEpoch = member.memberEpoch;
      member.memberEpoch = epoch;
    }
    member.active = active;
    member.standby = standby;
  }
}

export function namesOf(tasks: readonly StreamsTaskIds[]): TaskName[] {
  return tasks.flatMap(({ subtopologyId, partitions }) =>
    partitions.map((partition) => `${subtopologyId}_${partition}`),
  );
}

export function wireOf(tasks: Iterable<TaskName>): StreamsTaskIds[] {
  const bySubtopology = new Map<string, number[]>();
  for (const task of tasks) {
    const at = task.lastIndexOf('_');
    const id = task.slice(0, at);
    const partition = Number(task.slice(at + 1));
    const partitions = bySubtopology.get(id);
    if (partitions === undefined) bySubtopology.set(id, [partition]);
    else partitions.push(partition);
  }
  return [...bySubtopology].map(([subtopologyId, partitions]) => ({
    subtopologyId,
    partitions: partitions.sort((a, b) => a - b),
  }));
}
