// Owns the choice of the group protocol: what a worker sees of its membership, whoever assigns the tasks.
import type { BrokerClient, GroupMember, GroupMemberOptions } from '#libs/broker';
import type { RuntimeConfig } from './config.ts';
import { StreamsMembership } from './streams-membership.ts';
import { WorkerMembership } from './worker-membership.ts';
import type { MembershipParts } from './worker-membership.ts';

export interface Membership {
  /** Assigned, and nothing to be handed over. */
  readonly isSettled: boolean;
  /** How often the group gave this worker's tasks away without asking. */
  readonly losses: number;
  /** The assignment is void until the next one. */
  reset(): void;
}

export type WorkerMember = Pick<
  GroupMember,
  'losses' | 'metadata' | 'renewed' | 'start' | 'requestRejoin' | 'leave'
>;

export function createMembership(parts: Omit<MembershipParts, 'requestRejoin' | 'paceHeartbeats'>): {
  readonly membership: Membership;
  readonly member: WorkerMember;
} {
  if (parts.config.groupProtocol === 'streams') {
    const membership = new StreamsMembership(parts);
    return { membership, member: membership.createMember() };
  }
  const membership: WorkerMembership = new WorkerMembership({
    ...parts,
    requestRejoin: (reason) => member.requestRejoin(reason),
    paceHeartbeats: (intervalMs) => member.paceHeartbeats(intervalMs),
  });
  const member = parts.client.createGroupMember(groupOptions(parts.config), membership);
  return { membership, member };
}

/**
 * Before anything is made or started for the application.
 * @throws FatalError MILLRACE_STREAMS_PROTOCOL_UNSUPPORTED the brokers do not assign tasks.
 */
export async function refuseWithoutStreamsGroups(client: BrokerClient, config: RuntimeConfig): Promise<void> {
  await client.admin.describeStreamsGroup(config.applicationId);
}

function groupOptions(config: RuntimeConfig): GroupMemberOptions {
  return {
    groupId: config.applicationId,
    groupInstanceId: config.groupInstanceId,
    sessionTimeoutMs: config.sessionTimeoutMs,
    heartbeatIntervalMs: config.heartbeatIntervalMs,
    rebalanceTimeoutMs: config.rebalanceTimeoutMs,
    maxBlockedMs: config.maxBlockedMs,
  };
}
