// Owns one consumer group (classic protocol): its members, its generation, what it waits for. It sets no timers and answers nobody.
//
//   Empty ──join──► PreparingRebalance ──all joined, or time up──► CompletingRebalance ──leader's sync──► Stable
//     ▲                    ▲  │ nobody left                               │                                 │
//     └────────────────────┼──┘◄──────── a member joins, leaves, expires ─┴─────────────────────────────────┘
import type { JoinGroupAnswer, JoinGroupRequest, SyncGroupAnswer } from '#libs/broker';
import { Errors } from '../kafka-errors.ts';

export type GroupPhase = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable';

export type Protocols = JoinGroupRequest['protocols'];

const NO_ASSIGNMENT = Buffer.alloc(0);

export class GroupMemberState {
  memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  protocols: Protocols;
  assignment: Buffer = NO_ASSIGNMENT;
  /** Has not been in any generation yet. */
  isNew = true;
  /** Monotonic milliseconds when its session is over. */
  expiresAt = 0;
  awaitingJoin: ((answer: JoinGroupAnswer) => void) | undefined;
  awaitingSync: ((answer: SyncGroupAnswer) => void) | undefined;

  constructor(
    memberId: string,
    clientId: string,
    request: Pick<
      JoinGroupRequest,
      'groupInstanceId' | 'sessionTimeoutMs' | 'rebalanceTimeoutMs' | 'protocols'
    >,
  ) {
    this.memberId = memberId;
    this.clientId = clientId;
    this.groupInstanceId = request.groupInstanceId;
    this.sessionTimeoutMs = request.sessionTimeoutMs;
    this.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
    this.protocols = request.protocols;
  }

  update(request: JoinGroupRequest, awaitingJoin: ((answer: JoinGroupAnswer) => void) | undefined): void {
    this.protocols = request.protocols;
    this.sessionTimeoutMs = request.sessionTimeoutMs;
    this.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
    this.awaitingJoin = awaitingJoin;
  }

  /** As a coordinator finds it that has just loaded the group. */
  loaded(): GroupMemberState {
    const copy = new GroupMemberState(this.memberId, this.clientId, this.#asRequest());
    copy.assignment = this.assignment;
    copy.isNew = false;
    return copy;
  }

  #asRequest(): Pick<
    JoinGroupRequest,
    'groupInstanceId' | 'sessionTimeoutMs' | 'rebalanceTimeoutMs' | 'protocols'
  > {
    const { groupInstanceId, sessionTimeoutMs, rebalanceTimeoutMs, protocols } = this;
    return { groupInstanceId, sessionTimeoutMs, rebalanceTimeoutMs, protocols };
  }

  /** Has it joined with just these protocols? */
  matches(protocols: Protocols): boolean {
    if (protocols.length !== this.protocols.length) return false;
    return protocols.every(({ name, metadata }, i) => {
      const own = this.protocols[i]!;
      return own.name === name && Buffer.compare(own.metadata, metadata) === 0;
    });
  }

  metadata(protocolName: string): Buffer {
    const found = this.protocols.find(({ name }) => name === protocolName)?.metadata;
    return found === undefined
      ? NO_ASSIGNMENT
      : Buffer.from(found.buffer, found.byteOffset, found.byteLength);
  }

  /** While the coordinator itself holds its answer back, a member need not be heard of. */
  get isWaiting(): boolean {
    return !this.isNew && (this.awaitingJoin !== undefined || this.awaitingSync !== undefined);
  }
}

interface WrittenGroup {
  readonly generationId: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leaderId: string | undefined;
  readonly members: readonly GroupMemberState[];
}

const NOTHING_WRITTEN: WrittenGroup = {
  generationId: 0,
  protocolType: null,
  protocolName: null,
  leaderId: undefined,
  members: [],
};

export class GroupState {
  readonly groupId: string;
  phase: GroupPhase = 'Empty';
  previousPhase: GroupPhase = 'Empty';
  generationId = 0;
  protocolType: string | null = null;
  protocolName: string | null = null;
  leaderId: string | undefined;
  /** In order of joining. */
  members = new Map<string, GroupMemberState>();
  /** Member id by instance. */
  readonly statics = new Map<string, string>();
  /** Ids given out whose members have not joined yet, with the moment when they are forgotten. */
  readonly pending = new Map<string, number>();
  /** Who has not synced since the last join. */
  readonly pendingSync = new Set<string>();
  /** Grows with each wait for joins or syncs: an older wait's end is of no account. */
  wait = 0;
  newMemberAdded = false;
  #written: WrittenGroup = NOTHING_WRITTEN;

  constructor(groupId: string) {
    this.groupId = groupId;
  }

  /** Writes down what the next coordinator is to find: a broker does so for a stable group, and for one that is empty. */
  write(): void {
    const { generationId, protocolType, protocolName, leaderId } = this;
    const members = [...this.members.values()].map((member) => member.loaded());
    this.#written = { generationId, protocolType, protocolName, leaderId, members };
  }

  /** What was not written down is forgotten. */
  load(): void {
    const { members, ...written } = this.#written;
    Object.assign(this, written);
    this.members = new Map(members.map((member) => [member.memberId, member.loaded()]));
    this.statics.clear();
    for (const { memberId, groupInstanceId } of members) {
      if (groupInstanceId !== null) this.statics.set(groupInstanceId, memberId);
    }
    this.pending.clear();
    this.pendingSync.clear();
    this.newMemberAdded = false;
    this.wait++;
    this.to(members.length === 0 ? 'Empty' : 'Stable');
  }

  to(phase: GroupPhase): void {
    this.previousPhase = this.phase;
    this.phase = phase;
  }

  add(member: GroupMemberState, protocolType: string): void {
    if (this.members.size === 0) this.protocolType = protocolType;
    if (member.groupInstanceId !== null) this.statics.set(member.groupInstanceId, member.memberId);
    this.leaderId ??= member.memberId;
    this.members.set(member.memberId, member);
    this.pending.delete(member.memberId);
  }

  remove(memberId: string): void {
    const member = this.members.get(memberId);
    this.members.delete(memberId);
    this.pending.delete(memberId);
    this.pendingSync.delete(memberId);
    if (member !== undefined && member.groupInstanceId !== null) this.statics.delete(member.groupInstanceId);
    if (this.leaderId === memberId) this.leaderId = this.members.keys().next().value;
  }

  /** A static member comes back under a new id, which takes the place of the old one. */
  replaceStatic(member: GroupMemberState, newMemberId: string): void {
    const { memberId } = member;
    // Keeps its place: the order of members is the order an assignor sees.
    const entries = [...this.members].map(([id, other]): [string, GroupMemberState] => [
      id === memberId ? newMemberId : id,
      other,
    ]);
    this.members = new Map(entries);
    member.memberId = newMemberId;
    this.statics.set(member.groupInstanceId!, newMemberId);
    if (this.leaderId === memberId) this.leaderId = newMemberId;
    if (this.pendingSync.delete(memberId)) this.pendingSync.add(newMemberId);
  }

  /** Why a member with this id and instance is not one of the group; NONE if it is. */
  memberRefusal(memberId: string, groupInstanceId: string | null): number {
    if (groupInstanceId !== null) {
      const current = this.statics.get(groupInstanceId);
      if (current === undefined) return Errors.UNKNOWN_MEMBER_ID;
      if (current !== memberId) return Errors.FENCED_INSTANCE_ID;
    }
    return this.members.has(memberId) ? Errors.NONE : Errors.UNKNOWN_MEMBER_ID;
  }

  get allJoined(): boolean {
    if (this.pending.size > 0) return false;
    for (const member of this.members.values()) if (member.awaitingJoin === undefined) return false;
    return true;
  }

  get rebalanceTimeoutMs(): number {
    let longest = 0;
    for (const member of this.members.values()) longest = Math.max(longest, member.rebalanceTimeoutMs);
    return longest;
  }

  supports(protocolType: string, protocols: Protocols): boolean {
    if (protocols.length === 0 || protocolType === '') return false;
    if (this.members.size === 0) return true;
    if (this.protocolType !== protocolType) return false;
    return protocols.some(({ name }) => this.#isCommon(name));
  }

  #isCommon(name: string): boolean {
    for (const member of this.members.values()) {
      if (!member.protocols.some((protocol) => protocol.name === name)) return false;
    }
    return true;
  }

  /** The protocol that most members like best of those all have. */
  selectProtocol(): string {
    const votes = new Map<string, number>();
    for (const member of this.members.values()) {
      const choice = member.protocols.find(({ name }) => this.#isCommon(name))?.name;
      if (choice !== undefined) votes.set(choice, (votes.get(choice) ?? 0) + 1);
    }
    let best = '';
    let most = 0;
    for (const [name, count] of votes) {
      if (count <= most) continue;
      best = name;
      most = count;
    }
    return best;
  }

  /** The leader, if it has joined; otherwise somebody who has takes its place. False: nobody has. */
  electJoinedLeader(): boolean {
    if (this.leaderId === undefined) return false;
    if (this.members.get(this.leaderId)?.awaitingJoin !== undefined) return true;
    for (const [memberId, member] of this.members) {
      if (member.awaitingJoin === undefined) continue;
      this.leaderId = memberId;
      return true;
    }
    return false;
  }

  /** The next generation, of those who are there. */
  nextGeneration(): void {
    this.generationId++;
    if (this.members.size === 0) {
      this.protocolName = null;
      this.to('Empty');
      return;
    }
    this.protocolName = this.selectProtocol();
    this.to('CompletingRebalance');
  }

  /** What the leader is told of the others. */
  memberList(): JoinGroupAnswer['members'] {
    const name = this.protocolName ?? '';
    return [...this.members.values()].map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      metadata: member.metadata(name),
    }));
  }

  joinAnswer(memberId: string, skipAssignment = false): JoinGroupAnswer {
    return {
      errorCode: Errors.NONE,
      generationId: this.generationId,
      protocolName: this.protocolName,
      leader: this.leaderId ?? '',
      memberId,
      skipAssignment,
      members: memberId === this.leaderId ? this.memberList() : [],
    };
  }
}

export function joinRefused(errorCode: number, memberId = ''): JoinGroupAnswer {
  return {
    errorCode,
    generationId: -1,
    protocolName: null,
    leader: '',
    memberId,
    skipAssignment: false,
    members: [],
  };
}

export function syncRefused(errorCode: number): SyncGroupAnswer {
  return { errorCode, assignment: NO_ASSIGNMENT };
}
