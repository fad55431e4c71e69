// Owns a group member on a scripted coordinator that gives it one generation after the other; all answers well.
import { expect } from '@jest/globals';
import { silentLogger } from '#libs/core';
import { Cluster } from '../../src/cluster/index.ts';
import type { Assignment, GroupMemberHandler, GroupMemberOptions } from '../../src/contracts/index.ts';
import { encodeAssignment, KafkaGroupMember } from '../../src/group/index.ts';
import type { JoinGroupAnswer, RpcRequests, SyncGroupAnswer } from '../../src/rpc/index.ts';
import { FakeClock } from './fake-clock.ts';
import { coordinators, ScriptedRpc } from './scripted-rpc.ts';

export const ASSIGNED: Assignment = {
  partitions: [{ topic: 'in', partition: 1 }],
  userData: new Uint8Array([1, 2]),
};

export function joined(
  memberId: string,
  generationId: number,
  others: Partial<JoinGroupAnswer> = {},
): JoinGroupAnswer {
  return {
    errorCode: 0,
    generationId,
    protocolName: 'millrace',
    leader: 'somebody-else',
    memberId,
    skipAssignment: false,
    members: [],
    ...others,
  };
}

export const refusedJoin = (errorCode: number, memberId = ''): JoinGroupAnswer =>
  joined(memberId, -1, { errorCode });
export const refusedSync = (errorCode: number): SyncGroupAnswer => ({
  errorCode,
  assignment: Buffer.alloc(0),
});

export function fixture(
  options: Partial<GroupMemberOptions> = {},
  overrides: Partial<GroupMemberHandler> = {},
) {
  const clock = new FakeClock();
  const rpc = new ScriptedRpc(clock);
  let generation = 0;
  rpc
    .on('FindCoordinator', coordinators)
    .on('JoinGroup', (request) =>
      request.memberId === '' && request.groupInstanceId === null
        ? refusedJoin(79, 'member-1')
        : joined(request.memberId || 'static-1', ++generation),
    )
    .on('SyncGroup', { errorCode: 0, assignment: encodeAssignment(ASSIGNED) })
    .on('Heartbeat', { errorCode: 0 })
    .on('LeaveGroup', { errorCode: 0, members: [] });
  const events: string[] = [];
  const handler: GroupMemberHandler = {
    beforeJoin: async () => {
      events.push('beforeJoin');
      return {
        topics: ['in'],
        ownedPartitions: [{ topic: 'in', partition: 0 }],
        userData: new Uint8Array([9]),
      };
    },
    assign: async () => new Map(),
    onAssigned: async (assignment, group) => {
      events.push(`assigned ${group.generationId}: ${assignment.partitions.map((p) => p.partition).join()}`);
    },
    onLost: async (reason) => {
      events.push(`lost: ${reason}`);
    },
    onFailed: (error) => {
      events.push(`failed: ${(error as { code?: string }).code ?? error.message}`);
    },
    ...overrides,
  };
  const cluster = new Cluster({ rpc, clock, logger: silentLogger, requestTimeoutMs: 30_000 });
  const member = new KafkaGroupMember(
    cluster,
    {
      groupId: 'app',
      sessionTimeoutMs: 9_000,
      heartbeatIntervalMs: 3_000,
      rebalanceTimeoutMs: 60_000,
      ...options,
    },
    handler,
  );
  return { clock, rpc, member, events };
}

export async function stable(
  options: Partial<GroupMemberOptions> = {},
  overrides: Partial<GroupMemberHandler> = {},
) {
  const all = fixture(options, overrides);
  all.member.start();
  await all.clock.settle();
  expect(all.member.state).toBe('STABLE');
  return all;
}

export const requestsOf = <K extends 'JoinGroup' | 'SyncGroup' | 'Heartbeat' | 'LeaveGroup'>(
  rpc: ScriptedRpc,
  api: K,
): RpcRequests[K][] => rpc.callsOf(api).map((call) => call.request);
