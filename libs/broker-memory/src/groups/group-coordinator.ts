// Owns consumer groups (classic protocol): who is in, when a generation begins, who leads, who has expired. Rules as in Kafka's
// group coordinator (KIP-62, KIP-345 static members, KIP-394 member ids). What is committed is group-offsets'.
import type {
  DescribeGroupsAnswer,
  HeartbeatAnswer,
  JoinGroupAnswer,
  LeaveGroupAnswer,
  RpcRequests,
  SyncGroupAnswer,
} from '#libs/broker';
import type { ClusterCore, RequestContext } from '../cluster-core.ts';
import type { Coordinators } from '../coordinators.ts';
import { Errors } from '../kafka-errors.ts';
import type { Leadership } from '../leadership.ts';
import { GroupMemberState, GroupState, joinRefused, syncRefused } from './group.ts';

type JoinReply = (answer: JoinGroupAnswer) => void;
type SyncReply = (answer: SyncGroupAnswer) => void;

/** How long a member that has no generation yet is waited for, should its client have gone. */
const NEW_MEMBER_JOIN_MS = 300_000;

export class GroupCoordinator {
  readonly #core: ClusterCore;
  readonly #coordinators: Coordinators;
  readonly #groups = new Map<string, GroupState>();

  constructor(core: ClusterCore, coordinators: Coordinators) {
    this.#core = core;
    this.#coordinators = coordinators;
  }

  get(groupId: string): GroupState | undefined {
    return this.#groups.get(groupId);
  }

  getOrCreate(groupId: string): GroupState {
    let group = this.#groups.get(groupId);
    if (group === undefined) this.#groups.set(groupId, (group = new GroupState(groupId)));
    return group;
  }

  all(): IterableIterator<GroupState> {
    return this.#groups.values();
  }

  // --- joining -------------------------------------------------------------------------------------------------

  join(request: RpcRequests['JoinGroup'], { clientId, nodeId }: RequestContext, reply: JoinReply): void {
    const { groupId, memberId, sessionTimeoutMs } = request;
    const refusal = this.#coordinators.refusal('group', groupId, nodeId);
    if (refusal !== Errors.NONE) return reply(joinRefused(refusal, memberId));
    if (groupId === '') return reply(joinRefused(Errors.INVALID_GROUP_ID, memberId));
    const { min, max } = this.#core.settings.sessionTimeoutMs;
    if (sessionTimeoutMs < min || sessionTimeoutMs > max) {
      return reply(joinRefused(Errors.INVALID_SESSION_TIMEOUT, memberId));
    }
    if (memberId === '') this.#joinNew(this.getOrCreate(groupId), request, clientId, reply);
    else this.#joinKnown(this.#groups.get(groupId), request, clientId, reply);
  }

  #joinNew(group: GroupState, request: RpcRequests['JoinGroup'], clientId: string, reply: JoinReply): void {
    if (!group.supports(request.protocolType, request.protocols)) {
      return reply(joinRefused(Errors.INCONSISTENT_GROUP_PROTOCOL));
    }
    const { groupInstanceId } = request;
    const memberId = this.#newMemberId(groupInstanceId ?? clientId);
    if (groupInstanceId === null) {
      // Whoever never comes back for it has cost nothing but an id (KIP-394).
      group.pending.set(memberId, this.#core.clock.monotonic() + request.sessionTimeoutMs);
      this.#core.clock.schedule(request.sessionTimeoutMs, () => this.#expirePending(group, memberId), true);
      return reply(joinRefused(Errors.MEMBER_ID_REQUIRED, memberId));
    }
    const current = group.statics.get(groupInstanceId);
    if (current === undefined) this.#add(group, memberId, request, clientId, reply);
    else this.#replaceStatic(group, group.members.get(current)!, memberId, request, reply);
  }

  #newMemberId(prefix: string): string {
    const hex = this.#core.random.hex32();
    return `${prefix}-${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  #joinKnown(
    group: GroupState | undefined,
    request: RpcRequests['JoinGroup'],
    clientId: string,
    reply: JoinReply,
  ): void {
    const { memberId, groupInstanceId } = request;
    if (group === undefined) return reply(joinRefused(Errors.UNKNOWN_MEMBER_ID, memberId));
    if (!group.supports(request.protocolType, request.protocols)) {
      return reply(joinRefused(Errors.INCONSISTENT_GROUP_PROTOCOL, memberId));
    }
    if (group.pending.has(memberId)) return this.#add(group, memberId, request, clientId, reply);
    const refusal = group.memberRefusal(memberId, groupInstanceId);
    if (refusal !== Errors.NONE) return reply(joinRefused(refusal, memberId));
    const member = group.members.get(memberId)!;
    const changed = !member.matches(request.protocols);
    switch (group.phase) {
      case 'PreparingRebalance':
        return this.#rejoin(group, member, request, reply);
      case 'CompletingRebalance':
        // The same again: the answer to the last one was lost.
        return changed ? this.#rejoin(group, member, request, reply) : reply(group.joinAnswer(memberId));
      case 'Stable':
        return changed || group.leaderId === memberId
          ? this.#rejoin(group, member, request, reply)
          : reply(group.joinAnswer(memberId));
      case 'Empty':
        return reply(joinRefused(Errors.UNKNOWN_MEMBER_ID, memberId));
    }
  }

  #add(
    group: GroupState,
    memberId: string,
    request: RpcRequests['JoinGroup'],
    clientId: string,
    reply: JoinReply,
  ): void {
    const member = new GroupMemberState(memberId, clientId, request);
    member.awaitingJoin = reply;
    if (group.phase === 'PreparingRebalance' && group.previousPhase === 'Empty') group.newMemberAdded = true;
    group.add(member, request.protocolType);
    this.#extend(member, NEW_MEMBER_JOIN_MS);
    this.#watch(group, member);
    this.#rebalanceOrComplete(group);
  }

  #rejoin(
    group: GroupState,
    member: GroupMemberState,
    request: RpcRequests['JoinGroup'],
    reply: JoinReply,
  ): void {
    member.update(request, reply);
    this.#rebalanceOrComplete(group);
  }

  #replaceStatic(
    group: GroupState,
    member: GroupMemberState,
    memberId: string,
    request: RpcRequests['JoinGroup'],
    reply: JoinReply,
  ): void {
    // Whoever waits under the old id has been replaced.
    member.awaitingJoin?.(joinRefused(Errors.FENCED_INSTANCE_ID, member.memberId));
    member.awaitingSync?.(syncRefused(Errors.FENCED_INSTANCE_ID));
    member.awaitingSync = undefined;
    group.replaceStatic(member, memberId);
    member.update(request, reply);
    this.#extend(member, member.sessionTimeoutMs);
    this.#watch(group, member);
    switch (group.phase) {
      case 'Stable':
        if (group.selectProtocol() !== group.protocolName) return this.#rebalanceOrComplete(group);
        // Its assignment is still its own: nobody else need know (KIP-345).
        member.awaitingJoin = undefined;
        group.write();
        return reply(group.joinAnswer(memberId, group.leaderId === memberId));
      case 'CompletingRebalance':
        // The leader may have been told the old id.
        return this.#prepare(group);
      case 'PreparingRebalance':
      case 'Empty':
        return this.#maybeComplete(group);
    }
  }

  // --- generations ---------------------------------------------------------------------------------------------

  #rebalanceOrComplete(group: GroupState): void {
    if (group.phase === 'PreparingRebalance') this.#maybeComplete(group);
    else this.#prepare(group);
  }

  #prepare(group: GroupState): void {
    if (group.phase === 'CompletingRebalance') {
      for (const member of group.members.values()) {
        member.assignment = Buffer.alloc(0);
        this.#answerSync(member, syncRefused(Errors.REBALANCE_IN_PROGRESS));
      }
    }
    group.pendingSync.clear();
    const first = group.phase === 'Empty';
    group.to('PreparingRebalance');
    this.#note(group);
    if (first) this.#awaitFirst(group, this.#core.settings.initialRebalanceDelayMs, group.rebalanceTimeoutMs);
    else if (group.allJoined) this.#completeJoin(group);
    else this.#awaitJoins(group);
  }

  /** A new group waits for more members, and on while more come. */
  #awaitFirst(group: GroupState, delayMs: number, remainingMs: number): void {
    const wait = ++group.wait;
    this.#core.after(delayMs, () => {
      if (group.wait !== wait) return;
      const left = remainingMs - delayMs;
      if (group.newMemberAdded && left > 0 && delayMs > 0) {
        group.newMemberAdded = false;
        this.#awaitFirst(group, Math.min(delayMs, left), left);
      } else {
        this.#completeJoin(group);
      }
    });
  }

  #awaitJoins(group: GroupState): void {
    const wait = ++group.wait;
    this.#core.clock.schedule(
      group.rebalanceTimeoutMs,
      () => {
        if (group.wait === wait) this.#completeJoin(group);
      },
      true,
    );
  }

  #maybeComplete(group: GroupState): void {
    if (group.phase !== 'PreparingRebalance' || group.previousPhase === 'Empty') return;
    if (group.allJoined) this.#completeJoin(group);
  }

  #completeJoin(group: GroupState): void {
    group.wait++;
    for (const member of [...group.members.values()]) {
      if (member.awaitingJoin === undefined && member.groupInstanceId === null) group.remove(member.memberId);
    }
    if (group.members.size > 0 && !group.electJoinedLeader()) return this.#awaitJoins(group);
    group.nextGeneration();
    this.#note(group);
    if (group.phase === 'Empty') {
      group.write();
      return;
    }
    for (const member of group.members.values()) {
      const reply = member.awaitingJoin;
      member.awaitingJoin = undefined;
      member.isNew = false;
      group.pendingSync.add(member.memberId);
      this.#extend(member, member.sessionTimeoutMs);
      reply?.(group.joinAnswer(member.memberId));
    }
    this.#awaitSyncs(group);
  }

  /** Whoever joins and never syncs is put out after the rebalance time-out. */
  #awaitSyncs(group: GroupState): void {
    const { generationId } = group;
    this.#core.clock.schedule(
      group.rebalanceTimeoutMs,
      () => {
        const over = group.phase === 'CompletingRebalance' || group.phase === 'Stable';
        if (group.generationId !== generationId || !over || group.pendingSync.size === 0) return;
        for (const memberId of [...group.pendingSync]) group.remove(memberId);
        this.#prepare(group);
      },
      true,
    );
  }

  sync(request: RpcRequests['SyncGroup'], { nodeId }: RequestContext, reply: SyncReply): void {
    const { groupId, memberId } = request;
    const refusal = this.#coordinators.refusal('group', groupId, nodeId);
    if (refusal !== Errors.NONE) {
      // A client that is told to wait would sync a generation that the new coordinator does not know.
      return reply(
        syncRefused(refusal === Errors.COORDINATOR_LOAD_IN_PROGRESS ? Errors.REBALANCE_IN_PROGRESS : refusal),
      );
    }
    const group = this.#groups.get(groupId);
    if (group === undefined) return reply(syncRefused(Errors.UNKNOWN_MEMBER_ID));
    const unknown = group.memberRefusal(memberId, request.groupInstanceId);
    if (unknown !== Errors.NONE) return reply(syncRefused(unknown));
    if (request.generationId !== group.generationId) return reply(syncRefused(Errors.ILLEGAL_GENERATION));
    if (request.protocolType !== group.protocolType || request.protocolName !== group.protocolName) {
      return reply(syncRefused(Errors.INCONSISTENT_GROUP_PROTOCOL));
    }
    const member = group.members.get(memberId)!;
    switch (group.phase) {
      case 'PreparingRebalance':
        return reply(syncRefused(Errors.REBALANCE_IN_PROGRESS));
      case 'CompletingRebalance':
        group.pendingSync.delete(memberId);
        member.awaitingSync = reply;
        if (group.leaderId === memberId) this.#assign(group, request.assignments);
        return;
      case 'Stable':
        group.pendingSync.delete(memberId);
        return reply({ errorCode: Errors.NONE, assignment: member.assignment });
      case 'Empty':
        return reply(syncRefused(Errors.UNKNOWN_MEMBER_ID));
    }
  }

  #assign(group: GroupState, assignments: RpcRequests['SyncGroup']['assignments']): void {
    for (const member of group.members.values()) {
      const given = assignments.find(({ memberId }) => memberId === member.memberId)?.assignment;
      member.assignment = given === undefined ? Buffer.alloc(0) : Buffer.from(given);
    }
    group.to('Stable');
    group.write();
    this.#note(group);
    for (const member of group.members.values()) {
      this.#answerSync(member, { errorCode: Errors.NONE, assignment: member.assignment });
    }
  }

  #answerSync(member: GroupMemberState, answer: SyncGroupAnswer): void {
    const reply = member.awaitingSync;
    if (reply === undefined) return;
    member.awaitingSync = undefined;
    this.#extend(member, member.sessionTimeoutMs);
    reply(answer);
  }

  // --- sessions ------------------------------------------------------------------------------------------------

  heartbeat(request: RpcRequests['Heartbeat'], { nodeId }: RequestContext): HeartbeatAnswer {
    const { groupId, memberId, groupInstanceId, generationId } = request;
    const refusal = this.#coordinators.refusal('group', groupId, nodeId);
    // A group that is being loaded is as good as alive: nobody needs to join again for it.
    if (refusal === Errors.COORDINATOR_LOAD_IN_PROGRESS) return { errorCode: Errors.NONE };
    if (refusal !== Errors.NONE) return { errorCode: refusal };
    const group = this.#groups.get(groupId);
    if (group === undefined) return { errorCode: Errors.UNKNOWN_MEMBER_ID };
    const unknown = group.memberRefusal(memberId, groupInstanceId);
    if (unknown !== Errors.NONE) return { errorCode: unknown };
    if (generationId !== group.generationId) return { errorCode: Errors.ILLEGAL_GENERATION };
    if (group.phase === 'Empty') return { errorCode: Errors.UNKNOWN_MEMBER_ID };
    const member = group.members.get(memberId)!;
    this.#extend(member, member.sessionTimeoutMs);
    return { errorCode: group.phase === 'PreparingRebalance' ? Errors.REBALANCE_IN_PROGRESS : Errors.NONE };
  }

  #extend(member: GroupMemberState, durationMs: number): void {
    member.expiresAt = this.#core.clock.monotonic() + durationMs;
  }

  /** One timer a member, set anew only when it fires: heartbeats just move the moment. */
  #watch(group: GroupState, member: GroupMemberState): void {
    const { memberId, sessionTimeoutMs } = member;
    const leftMs = member.expiresAt - this.#core.clock.monotonic();
    // Of a member that waits there is nothing to see before it is answered, which moves the moment.
    const delayMs = leftMs > 0 ? Math.min(leftMs, sessionTimeoutMs) : sessionTimeoutMs;
    this.#core.clock.schedule(
      Math.max(1, delayMs),
      () => {
        if (group.members.get(memberId) !== member) return;
        const over = this.#core.clock.monotonic() >= member.expiresAt && !member.isWaiting;
        const coordinated = this.#coordinators.outage('group', group.groupId) === Errors.NONE;
        if (over && coordinated) this.#expire(group, member);
        else this.#watch(group, member);
      },
      true,
    );
  }

  #expire(group: GroupState, member: GroupMemberState): void {
    this.#core.trace.note('group', `${group.groupId} ${member.memberId}`, 'expired');
    member.awaitingJoin?.(joinRefused(Errors.UNKNOWN_MEMBER_ID));
    member.awaitingSync?.(syncRefused(Errors.UNKNOWN_MEMBER_ID));
    group.remove(member.memberId);
    this.#afterLoss(group);
  }

  #expirePending(group: GroupState, memberId: string): void {
    if (!group.pending.delete(memberId)) return;
    this.#maybeComplete(group);
  }

  #afterLoss(group: GroupState): void {
    if (group.phase === 'Stable' || group.phase === 'CompletingRebalance') this.#prepare(group);
    else this.#maybeComplete(group);
  }

  leave({ groupId, members }: RpcRequests['LeaveGroup'], { nodeId }: RequestContext): LeaveGroupAnswer {
    const refusal = this.#coordinators.refusal('group', groupId, nodeId);
    if (refusal !== Errors.NONE) return { errorCode: refusal, members: [] };
    const group = this.#groups.get(groupId);
    const outcomes = members.map(({ memberId, groupInstanceId }) => ({
      memberId,
      errorCode:
        group === undefined ? Errors.UNKNOWN_MEMBER_ID : this.#leaveOne(group, memberId, groupInstanceId),
    }));
    if (group !== undefined && outcomes.some(({ errorCode }) => errorCode === Errors.NONE))
      this.#afterLoss(group);
    return { errorCode: Errors.NONE, members: outcomes };
  }

  #leaveOne(group: GroupState, memberId: string, groupInstanceId: string | null): number {
    // Without a member id a static member is put out by its name.
    const id = memberId === '' && groupInstanceId !== null ? group.statics.get(groupInstanceId) : memberId;
    if (id === undefined) return Errors.UNKNOWN_MEMBER_ID;
    if (group.pending.delete(id)) return Errors.NONE;
    const refusal = group.memberRefusal(id, groupInstanceId);
    if (refusal !== Errors.NONE) return refusal;
    group.members.get(id)!.awaitingJoin?.(joinRefused(Errors.UNKNOWN_MEMBER_ID));
    group.remove(id);
    return Errors.NONE;
  }

  // --- coordinators come and go --------------------------------------------------------------------------------

  /**
   * Another broker coordinates these groups now, or none: who waits is told. The new one knows what was written: the last generation
   * that was stable or empty. Whoever was joining since is unknown to it.
   */
  onMoved(leadership: Leadership): void {
    for (const group of this.#groups.values()) {
      if (this.#coordinators.share('group', group.groupId) !== leadership) continue;
      for (const member of group.members.values()) {
        member.awaitingJoin?.(joinRefused(Errors.NOT_COORDINATOR, member.memberId));
        member.awaitingSync?.(syncRefused(Errors.NOT_COORDINATOR));
      }
      group.load();
      this.#note(group);
      for (const member of group.members.values()) {
        this.#extend(member, this.#core.settings.coordinatorLoadMs + member.sessionTimeoutMs);
        this.#watch(group, member);
      }
    }
  }

  describe({ groupIds }: RpcRequests['DescribeGroups'], { nodeId }: RequestContext): DescribeGroupsAnswer {
    return {
      groups: groupIds.map((groupId) => {
        const refusal = this.#coordinators.refusal('group', groupId, nodeId);
        const group = refusal === Errors.NONE ? this.#groups.get(groupId) : undefined;
        if (group === undefined) {
          const groupState = refusal === Errors.NONE ? 'Dead' : '';
          return { errorCode: refusal, groupId, groupState, protocolType: '', protocolName: '', members: [] };
        }
        const stable = group.phase === 'Stable';
        return {
          errorCode: Errors.NONE,
          groupId,
          groupState: group.phase,
          protocolType: group.protocolType ?? '',
          protocolName: stable ? (group.protocolName ?? '') : '',
          members: [...group.members.values()].map((member) => ({
            memberId: member.memberId,
            groupInstanceId: member.groupInstanceId,
            clientId: member.clientId,
            clientHost: '/127.0.0.1',
            metadata: stable ? member.metadata(group.protocolName ?? '') : Buffer.alloc(0),
            assignment: stable ? member.assignment : Buffer.alloc(0),
          })),
        };
      }),
    };
  }

  #note(group: GroupState): void {
    this.#core.trace.note('group', group.groupId, group.phase, group.generationId);
  }
}
