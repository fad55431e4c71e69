// Owns the streams groups of the simulated cluster (KIP-1071): heartbeats, sessions, revocations that take too long, descriptions, and
// who may commit. Rules as in the group coordinator of Kafka 4.3: what that refuses is refused here too.
import { KafkaError } from '#libs/broker';
import type {
  RpcRequests,
  StreamsGroupAssignment,
  StreamsGroupDescribeAnswer,
  StreamsGroupDescription,
  StreamsGroupHeartbeatAnswer,
  StreamsGroupHeartbeatRequest,
  StreamsTopology,
} from '#libs/broker';
import type { ClusterCore, RequestContext } from '../cluster-core.ts';
import type { Coordinators } from '../coordinators.ts';
import { Errors } from '../kafka-errors.ts';
import type { Leadership } from '../leadership.ts';
import type { GroupCoordinator } from './group-coordinator.ts';
import { assignStreamsTasks } from './streams-assign.ts';
import { namesOf, NO_TASK_SETS, StreamsGroupState, StreamsMemberState, wireOf } from './streams-group.ts';
import type { TaskName } from './streams-group.ts';
import { configureTopology } from './streams-topology.ts';

const LEAVE = -1;
const LEAVE_STATIC = -2;
const STALE_TOPOLOGY = 0;
const SHUTDOWN_APPLICATION = 4;
const STALE_MEMBER_EPOCH = 113;

type Request = StreamsGroupHeartbeatRequest;

export interface StreamsGroupSettings {
  /** `group.streams.session.timeout.ms`. */
  readonly sessionTimeoutMs: number;
  /** `group.streams.heartbeat.interval.ms`. */
  readonly heartbeatIntervalMs: number;
  /** `group.streams.num.standby.replicas`. */
  readonly numStandbys: number;
}

export class StreamsCoordinator {
  readonly #core: ClusterCore;
  readonly #coordinators: Coordinators;
  readonly #classic: GroupCoordinator;
  readonly #groups = new Map<string, StreamsGroupState>();

  constructor(core: ClusterCore, coordinators: Coordinators, classic: GroupCoordinator) {
    this.#core = core;
    this.#coordinators = coordinators;
    this.#classic = classic;
  }

  get(groupId: string): StreamsGroupState | undefined {
    return this.#groups.get(groupId);
  }

  get #settings(): StreamsGroupSettings {
    return this.#core.settings.streamsGroups!;
  }

  // --- heartbeats ----------------------------------------------------------------------------------------------

  heartbeat(request: Request, { clientId, nodeId }: RequestContext): StreamsGroupHeartbeatAnswer {
    const refusal = this.#coordinators.refusal('group', request.groupId, nodeId);
    if (refusal !== Errors.NONE) return refused(refusal);
    if (this.#core.settings.streamsGroups === null) return refused(KafkaError.UNSUPPORTED_VERSION);
    const invalid = invalidity(request);
    if (invalid !== undefined) return refused(Errors.INVALID_REQUEST, invalid);
    const existing = this.#groups.get(request.groupId);
    const classic = this.#classic.get(request.groupId);
    const isClassic = existing === undefined && classic !== undefined && classic.phase !== 'Empty';
    const joining = request.memberEpoch === 0;
    if (isClassic || (existing === undefined && !joining)) {
      return refused(Errors.GROUP_ID_NOT_FOUND, `Group ${request.groupId} is not a streams group.`);
    }
    const group = existing ?? new StreamsGroupState(request.groupId);
    if (request.memberEpoch === LEAVE) return this.#leave(group, request);
    return this.#hear(group, request, clientId, joining);
  }

  #hear(
    group: StreamsGroupState,
    request: Request,
    clientId: string,
    joining: boolean,
  ): StreamsGroupHeartbeatAnswer {
    const { memberId, memberEpoch } = request;
    const known = group.members.get(memberId);
    if (known === undefined && !joining) return refused(Errors.UNKNOWN_MEMBER_ID);
    const member = known ?? new StreamsMemberState(memberId);
    if (!joining && isFenced(member, request)) {
      return refused(KafkaError.FENCED_MEMBER_EPOCH, `The member epoch is ${member.memberEpoch}.`);
    }
    if (request.topology !== null && group.topology !== undefined) {
      const stale = group.topology.epoch > request.topology.epoch;
      if (!stale && !sameTopology(group.topology, request.topology)) {
        return refused(Errors.INVALID_REQUEST, 'Topology updates are not supported yet.');
      }
    }
    // From here on it counts.
    this.#groups.set(group.groupId, group);
    group.members.set(memberId, member);
    group.topology ??= request.topology!;
    let bump = member.update(request, clientId) || known === undefined;
    const topology = configureTopology(group.topology, (topic) => this.#core.topics.get(topic)?.logs.length);
    if (topology.metadata !== group.metadata) bump = true;
    group.metadata = topology.metadata;
    if (bump) group.groupEpoch++;
    if (group.assignmentEpoch < group.groupEpoch) {
      const { numStandbys } = this.#settings;
      group.target = assignStreamsTasks(group, topology.tasks, topology.stateful, numStandbys);
      group.assignmentEpoch = group.groupEpoch;
      this.#note(group);
    }
    const before = assignmentKey(member);
    const phase = member.phase;
    group.reconcile(member, ownedBy(request));
    if (member.phase === 'UNREVOKED_TASKS' && phase !== 'UNREVOKED_TASKS')
      this.#awaitRevocation(group, member);
    else if (member.phase !== 'UNREVOKED_TASKS') member.revocation++;
    this.#extend(group, member);
    if (request.shutdownApplication) group.shutdownBy = memberId;
    const isChanged = memberEpoch === 0 || before !== assignmentKey(member);
    if (isChanged) this.#note(group, member);
    return {
      ...accepted(member, this.#settings.heartbeatIntervalMs),
      status: statusesOf(group, member, topology.status),
      activeTasks: isChanged ? wireOf(member.active.keys()) : null,
      standbyTasks: isChanged ? wireOf(member.standby) : null,
      warmupTasks: isChanged ? [] : null,
    };
  }

  #leave(group: StreamsGroupState, { memberId, shutdownApplication }: Request): StreamsGroupHeartbeatAnswer {
    const member = group.members.get(memberId);
    if (member === undefined) return refused(Errors.UNKNOWN_MEMBER_ID);
    if (shutdownApplication) group.shutdownBy = memberId;
    this.#remove(group, member);
    return { ...accepted(member, 0), memberEpoch: LEAVE, status: [] };
  }

  #remove(group: StreamsGroupState, member: StreamsMemberState): void {
    if (group.members.get(member.memberId) !== member) return;
    member.heard++;
    member.revocation++;
    group.members.delete(member.memberId);
    group.groupEpoch++;
    if (group.members.size === 0) group.shutdownBy = undefined;
    this.#note(group);
  }

  /** The session begins anew. */
  #extend(group: StreamsGroupState, member: StreamsMemberState): void {
    const heard = ++member.heard;
    this.#core.clock.schedule(
      this.#settings.sessionTimeoutMs,
      () => {
        if (member.heard === heard) this.#remove(group, member);
      },
      true,
    );
  }

  /** Whoever does not give up what it is to give up is put out after its rebalance time-out. */
  #awaitRevocation(group: StreamsGroupState, member: StreamsMemberState): void {
    const revocation = ++member.revocation;
    this.#core.clock.schedule(
      member.rebalanceTimeoutMs,
      () => {
        if (member.revocation === revocation) this.#remove(group, member);
      },
      true,
    );
  }

  /** A new coordinator knows what was written, and gives every member a session. */
  onMoved(leadership: Leadership): void {
    for (const group of this.#groups.values()) {
      if (this.#coordinators.share('group', group.groupId) !== leadership) continue;
      for (const member of group.members.values()) this.#extend(group, member);
    }
  }

  // --- what others ask -----------------------------------------------------------------------------------------

  describe(
    { groupIds }: RpcRequests['StreamsGroupDescribe'],
    { nodeId }: RequestContext,
  ): StreamsGroupDescribeAnswer {
    return {
      groups: groupIds.map((groupId) => {
        const refusal = this.#coordinators.refusal('group', groupId, nodeId);
        if (refusal !== Errors.NONE) return undescribed(groupId, refusal);
        if (this.#core.settings.streamsGroups === null) {
          return undescribed(groupId, KafkaError.UNSUPPORTED_VERSION);
        }
        const group = this.#groups.get(groupId);
        return group === undefined ? undescribed(groupId, Errors.GROUP_ID_NOT_FOUND) : described(group);
      }),
    };
  }

  /**
   * Why the group takes no offsets from this member; NONE if it does. The newest epoch is taken for all partitions, an older one for
   * those that the member has been assigned since. `undefined`: the group is none of these.
   */
  commitRefusal(
    request: Pick<
      RpcRequests['OffsetCommit'],
      'groupId' | 'memberId' | 'generationId' | 'groupInstanceId' | 'topics'
    >,
    isTransactional: boolean,
  ): number | undefined {
    const group = this.#groups.get(request.groupId);
    if (group === undefined) return undefined;
    const { memberId, generationId: epoch, groupInstanceId, topics } = request;
    if (epoch < 0 && group.members.size === 0) return Errors.NONE;
    if (isTransactional && epoch === -1 && memberId === '' && groupInstanceId === null) return Errors.NONE;
    const member = group.members.get(memberId);
    if (member === undefined) return Errors.UNKNOWN_MEMBER_ID;
    if (epoch === member.memberEpoch) return Errors.NONE;
    const stale = isTransactional ? Errors.ILLEGAL_GENERATION : STALE_MEMBER_EPOCH;
    if (epoch > member.memberEpoch) return stale;
    for (const { name, partitions } of topics) {
      const subtopology = group.topology?.subtopologies.find(
        ({ sourceTopics, repartitionSourceTopics }) =>
          sourceTopics.includes(name) || repartitionSourceTopics.some((topic) => topic.name === name),
      );
      for (const { partition } of partitions) {
        const task = `${subtopology?.subtopologyId ?? ''}_${partition}`;
        const assignedIn = member.active.get(task) ?? member.revokingActive.get(task);
        if (assignedIn === undefined || epoch < assignedIn) return stale;
      }
    }
    return Errors.NONE;
  }

  #note(group: StreamsGroupState, member?: StreamsMemberState): void {
    const { trace } = this.#core;
    if (member === undefined) trace.note('group', group.groupId, 'epoch', group.groupEpoch);
    else trace.note('group', `${group.groupId} ${member.memberId}`, member.phase, member.memberEpoch);
  }
}

// --- rules -----------------------------------------------------------------------------------------------------

function invalidity(request: Request): string | undefined {
  const { memberEpoch, activeTasks, standbyTasks, warmupTasks } = request;
  const owns = [activeTasks, standbyTasks, warmupTasks];
  if (request.groupId === '') return "GroupId can't be empty.";
  if (request.memberId === '') return "MemberId can't be empty.";
  if (request.rackId === '') return "RackId can't be empty.";
  if (request.instanceId !== null) return 'Static membership is not yet supported.';
  if (memberEpoch <= LEAVE_STATIC) return 'A static member would say -2, and there is none.';
  if (request.taskOffsets !== null || request.taskEndOffsets !== null)
    return 'TaskOffsets are not supported yet.';
  if (warmupTasks !== null && warmupTasks.length > 0) return 'WarmupTasks are not supported yet.';
  if (owns.some((tasks) => tasks === null) && owns.some((tasks) => tasks !== null)) {
    return 'If one task-type is non-null, all must be non-null.';
  }
  if (memberEpoch !== 0) {
    return request.topology === null ? undefined : 'Topology can only be provided when (re-)joining.';
  }
  if (request.rebalanceTimeoutMs === -1) return 'RebalanceTimeoutMs must be provided in first request.';
  if (owns.some((tasks) => tasks !== null && tasks.length > 0))
    return 'Tasks must be empty when (re-)joining.';
  return request.topology === null ? 'Topology must be non-null when (re-)joining.' : undefined;
}

/** The epoch before is accepted from whoever owns no more than it has been assigned: the answer with the newer one was lost. */
function isFenced(member: StreamsMemberState, { memberEpoch, activeTasks, standbyTasks }: Request): boolean {
  if (memberEpoch === member.memberEpoch) return false;
  if (memberEpoch > member.memberEpoch || memberEpoch !== member.previousEpoch) return true;
  return !member.owns(activeTasks, member.active) || !member.owns(standbyTasks, member.standby);
}

function sameTopology(a: StreamsTopology, b: StreamsTopology): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function ownedBy({ activeTasks, standbyTasks }: Request): ReadonlySet<TaskName> | null {
  if (activeTasks === null || standbyTasks === null) return null;
  return new Set([...namesOf(activeTasks), ...namesOf(standbyTasks)]);
}

function assignmentKey(member: StreamsMemberState): string {
  return JSON.stringify([[...member.active].sort(), [...member.standby].sort()]);
}

function statusesOf(
  group: StreamsGroupState,
  member: StreamsMemberState,
  topics: { readonly statusCode: number; readonly statusDetail: string } | null,
): { statusCode: number; statusDetail: string }[] {
  const statuses: { statusCode: number; statusDetail: string }[] = [];
  const epoch = group.topology?.epoch ?? 0;
  if (member.topologyEpoch < epoch) {
    const statusDetail = `The member's topology epoch ${member.topologyEpoch} is behind the group's topology epoch ${epoch}.`;
    statuses.push({ statusCode: STALE_TOPOLOGY, statusDetail });
  }
  if (topics !== null) statuses.push(topics);
  if (group.shutdownBy !== undefined) {
    const statusDetail = `Streams group member ${group.shutdownBy} requested a shutdown for the entire application.`;
    statuses.push({ statusCode: SHUTDOWN_APPLICATION, statusDetail });
  }
  return statuses;
}

// --- answers ---------------------------------------------------------------------------------------------------

function accepted(member: StreamsMemberState, heartbeatIntervalMs: number): StreamsGroupHeartbeatAnswer {
  return {
    errorCode: Errors.NONE,
    errorMessage: null,
    memberId: member.memberId,
    memberEpoch: member.memberEpoch,
    heartbeatIntervalMs,
    acceptableRecoveryLag: 0,
    taskOffsetIntervalMs: 0,
    status: null,
    activeTasks: null,
    standbyTasks: null,
    warmupTasks: null,
    endpointInformationEpoch: 0,
    partitionsByUserEndpoint: null,
  };
}

function refused(errorCode: number, errorMessage: string | null = null): StreamsGroupHeartbeatAnswer {
  return { ...accepted(new StreamsMemberState(''), 0), errorCode, errorMessage };
}

function undescribed(groupId: string, errorCode: number): StreamsGroupDescription {
  return {
    errorCode,
    errorMessage: null,
    groupId,
    groupState: '',
    groupEpoch: 0,
    assignmentEpoch: 0,
    topology: null,
    members: [],
  };
}

function described(group: StreamsGroupState): StreamsGroupDescription {
  const assignment = (active: Iterable<TaskName>, standby: Iterable<TaskName>): StreamsGroupAssignment => ({
    activeTasks: wireOf(active),
    standbyTasks: wireOf(standby),
    warmupTasks: [],
  });
  const members = [...group.members.values()];
  const isReconciled = members.every(
    ({ phase, memberEpoch }) => phase === 'STABLE' && memberEpoch === group.assignmentEpoch,
  );
  return {
    ...undescribed(group.groupId, Errors.NONE),
    groupState:
      members.length === 0
        ? 'Empty'
        : group.groupEpoch > group.assignmentEpoch
          ? 'Assigning'
          : isReconciled
            ? 'Stable'
            : 'Reconciling',
    groupEpoch: group.groupEpoch,
    assignmentEpoch: group.assignmentEpoch,
    topology: { epoch: group.topology?.epoch ?? 0, subtopologies: group.topology?.subtopologies ?? null },
    members: members.map((member) => {
      const target = group.target.get(member.memberId) ?? NO_TASK_SETS;
      return {
        memberId: member.memberId,
        memberEpoch: member.memberEpoch,
        instanceId: null,
        rackId: member.rackId,
        clientId: member.clientId,
        clientHost: '/127.0.0.1',
        topologyEpoch: member.topologyEpoch,
        processId: member.processId,
        userEndpoint: null,
        clientTags: [...member.clientTags].map(([key, value]) => ({ key, value })),
        taskOffsets: [],
        taskEndOffsets: [],
        assignment: assignment(member.active.keys(), member.standby),
        targetAssignment: assignment(target.active, target.standby),
        isClassic: false,
      };
    }),
  };
}
