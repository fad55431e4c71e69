// Owns one round of JoinGroup and SyncGroup: the requests, their retries, and what each refusal means for the member.
// It holds no membership between rounds, and never calls the handler but for the leader's assignment.
import { FatalError } from '#libs/core';
import { Again, Backoff } from '../cluster/index.ts';
import type { Cluster } from '../cluster/index.ts';
import type {
  Assignment,
  GroupMemberHandler,
  MemberSubscription,
  Subscription,
} from '../contracts/group-member.ts';
import { sleep } from '#libs/core';
import { classify, errorName, KafkaError } from '../protocol/error-codes.ts';
import { isRpcFailure, refused } from '../protocol/errors.ts';
import type { JoinGroupAnswer } from '../rpc/index.ts';
import { otherGroupType } from '../streams-group/index.ts';
import type { JoinWatch } from './join-watch.ts';
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  PROTOCOL_TYPE,
} from './consumer-protocol.ts';

export interface JoinSettings {
  readonly groupId: string;
  readonly groupInstanceId: string | null;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocolName: string;
}

/** What the round knows of the member, and what it has to tell while it runs. */
export interface JoinContext {
  readonly memberId: string;
  /** Generation the owned partitions were got in; -1 none. */
  readonly generationId: number;
  readonly reason: string;
  /** True once the round is of no use any more. */
  readonly cancelled: () => boolean;
  /** The session ended while nobody answered. */
  readonly expired: () => boolean;
  readonly onMemberId: (memberId: string) => void;
  readonly onContact: (sentAt: number) => void;
  /** Of the JoinGroup that was just sent; `null`: in no generation yet there is nothing to ask by. */
  readonly watch: () => JoinWatch | null;
}

export type Joined =
  | { readonly kind: 'joined'; readonly answer: JoinGroupAnswer }
  /** The group does not know the member: what it owned is lost. `memberGone`: its id too. */
  | { readonly kind: 'lost'; readonly reason: string; readonly memberGone: boolean }
  | { readonly kind: 'failed'; readonly error: Error }
  | { readonly kind: 'cancelled' };

export type Synced =
  | { readonly kind: 'synced'; readonly assignment: Assignment }
  /** Another rebalance began. */
  | { readonly kind: 'rejoin' }
  | Exclude<Joined, { kind: 'joined' }>;

/** The broker may hold a JoinGroup for the whole rebalance timeout; it needs a moment more to answer. */
const JOIN_LAPSE_MS = 5_000;

/**
 * A member that is known may ask again while it is waited for others: the coordinator answers whoever asked last. A static member without its
 * id may not: who is overtaken by its own first request counts as another process, and is fenced.
 */
function joinTimeoutMs(cluster: Cluster, settings: JoinSettings, memberId: string): number {
  const isNameless = memberId === '' && settings.groupInstanceId !== null;
  if (!isNameless) return cluster.requestTimeoutMs;
  return Math.max(cluster.requestTimeoutMs, settings.rebalanceTimeoutMs + JOIN_LAPSE_MS);
}
/** MEMBER_ID_REQUIRED is answered once; a broker that keeps asking is broken. */
const MEMBER_ID_ROUNDS_MAX = 5;

export async function joinGroup(
  cluster: Cluster,
  settings: JoinSettings,
  context: JoinContext,
  subscription: Subscription,
): Promise<Joined> {
  const what = `JoinGroup of "${settings.groupId}"`;
  const metadata = encodeSubscription(subscription, context.generationId);
  const backoff = new Backoff(cluster.clock);
  let memberId = context.memberId;
  let memberIdRounds = 0;
  for (;;) {
    if (context.cancelled()) return { kind: 'cancelled' };
    if (context.generationId >= 0 && context.expired()) {
      return { kind: 'lost', reason: 'the session ended before the group answered', memberGone: false };
    }
    const sentAt = cluster.clock.monotonic();
    const answered = ask(() =>
      cluster.callCoordinator(
        'group',
        settings.groupId,
        'JoinGroup',
        {
          groupId: settings.groupId,
          sessionTimeoutMs: settings.sessionTimeoutMs,
          rebalanceTimeoutMs: settings.rebalanceTimeoutMs,
          memberId,
          groupInstanceId: settings.groupInstanceId,
          protocolType: PROTOCOL_TYPE,
          protocols: [{ name: settings.protocolName, metadata }],
          reason: context.reason,
        },
        joinTimeoutMs(cluster, settings, memberId),
        'group',
      ),
    );
    const watch = context.watch();
    const outcome = await (watch === null ? answered : Promise.race([answered, watch.lost]));
    watch?.end();
    if (context.cancelled()) return { kind: 'cancelled' };
    if (outcome instanceof Error) return { kind: 'failed', error: outcome };
    if (outcome instanceof Again) {
      await sleep(cluster.clock, backoff.next('normal'));
      continue;
    }
    const { answer, nodeId } = outcome;
    const code = answer.errorCode;
    if (code === KafkaError.NONE) {
      // The broker held the answer back for as long as the others took: the session starts with it.
      context.onContact(cluster.clock.monotonic());
      return { kind: 'joined', answer };
    }
    context.onContact(sentAt);
    if (code === KafkaError.MEMBER_ID_REQUIRED) {
      memberId = answer.memberId;
      context.onMemberId(memberId);
      if (++memberIdRounds <= MEMBER_ID_ROUNDS_MAX) continue;
    }
    switch (classify(code)) {
      case 'generation-lost':
        if (context.generationId >= 0) return lost(what, code);
        memberId = '';
        context.onMemberId('');
        await sleep(cluster.clock, backoff.next('normal'));
        continue;
      case 'stale-coordinator':
        cluster.coordinators.forget('group', settings.groupId, nodeId);
        await sleep(cluster.clock, backoff.next('normal'));
        continue;
      case 'retriable':
      case 'rebalancing':
      case 'stale-metadata':
      case 'abortable':
        await sleep(cluster.clock, backoff.next('normal'));
        continue;
      case 'instance-fenced':
        return { kind: 'failed', error: instanceFenced(settings, what) };
      default:
        return {
          kind: 'failed',
          error:
            code === KafkaError.INCONSISTENT_GROUP_PROTOCOL
              ? otherGroupType(settings.groupId, what, code)
              : refused(what, code, { groupId: settings.groupId }),
        };
    }
  }
}

/** The leader's part: what each member gets. Members that the assignor left out get nothing. */
export async function assignAsLeader(
  handler: Pick<GroupMemberHandler, 'assign'>,
  answer: JoinGroupAnswer,
): Promise<{ memberId: string; assignment: Uint8Array }[]> {
  if (answer.leader !== answer.memberId || answer.skipAssignment) return [];
  const members: MemberSubscription[] = answer.members.map(({ memberId, groupInstanceId, metadata }) => ({
    memberId,
    groupInstanceId,
    ...decodeSubscription(metadata),
  }));
  const assignments = await handler.assign(members);
  const none: Assignment = { partitions: [], userData: new Uint8Array(0) };
  return members.map(({ memberId }) => ({
    memberId,
    assignment: encodeAssignment(assignments.get(memberId) ?? none),
  }));
}

export async function syncGroup(
  cluster: Cluster,
  settings: JoinSettings,
  context: JoinContext,
  joined: JoinGroupAnswer,
  assignments: readonly { readonly memberId: string; readonly assignment: Uint8Array }[],
): Promise<Synced> {
  const what = `SyncGroup of "${settings.groupId}"`;
  const backoff = new Backoff(cluster.clock);
  // Not as long as a join: asking again is cheap while the leader is not done, and the group may have moved on unheard.
  const timeoutMs = cluster.requestTimeoutMs;
  const request = {
    groupId: settings.groupId,
    generationId: joined.generationId,
    memberId: joined.memberId,
    groupInstanceId: settings.groupInstanceId,
    protocolType: PROTOCOL_TYPE,
    protocolName: joined.protocolName ?? settings.protocolName,
    assignments,
  };
  for (;;) {
    if (context.cancelled()) return { kind: 'cancelled' };
    if (context.expired()) {
      return { kind: 'lost', reason: 'the session ended before the group answered', memberGone: false };
    }
    const outcome = await ask(() =>
      cluster.callCoordinator('group', settings.groupId, 'SyncGroup', request, timeoutMs, 'group'),
    );
    if (context.cancelled()) return { kind: 'cancelled' };
    if (outcome instanceof Error) return { kind: 'failed', error: outcome };
    if (outcome instanceof Again) {
      await sleep(cluster.clock, backoff.next('normal'));
      continue;
    }
    const { answer, nodeId } = outcome;
    const code = answer.errorCode;
    if (code === KafkaError.NONE) {
      context.onContact(cluster.clock.monotonic());
      return { kind: 'synced', assignment: decodeAssignment(answer.assignment) };
    }
    switch (classify(code)) {
      case 'rebalancing':
        return { kind: 'rejoin' };
      case 'generation-lost':
        return lost(what, code);
      case 'stale-coordinator':
        cluster.coordinators.forget('group', settings.groupId, nodeId);
        await sleep(cluster.clock, backoff.next('normal'));
        continue;
      case 'retriable':
      case 'stale-metadata':
      case 'abortable':
        await sleep(cluster.clock, backoff.next('normal'));
        continue;
      case 'instance-fenced':
        return { kind: 'failed', error: instanceFenced(settings, what) };
      default:
        return { kind: 'failed', error: refused(what, code, { groupId: settings.groupId }) };
    }
  }
}

/** An answer, `Again` after a lost one, or the final error. */
async function ask<T>(call: () => Promise<T | Again>): Promise<T | Again | Error> {
  try {
    return await call();
  } catch (error) {
    return isRpcFailure(error) ? new Again(error.message) : (error as Error);
  }
}

function lost(what: string, code: number): Joined & { kind: 'lost' } {
  return {
    kind: 'lost',
    reason: `${what} was answered with ${errorName(code)}`,
    memberGone: code === KafkaError.UNKNOWN_MEMBER_ID,
  };
}

export function instanceFenced(
  settings: Pick<JoinSettings, 'groupId' | 'groupInstanceId'>,
  what: string,
): FatalError {
  return new FatalError({
    code: 'MILLRACE_INSTANCE_FENCED',
    message: `${what} was refused: another process joined as instance "${settings.groupInstanceId ?? ''}".`,
    remedy: 'Two processes run with the same instance name: give each its own.',
    context: { groupId: settings.groupId, groupInstanceId: settings.groupInstanceId },
  });
}
