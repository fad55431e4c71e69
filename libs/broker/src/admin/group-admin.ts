// Owns looking at groups from outside, and putting members out of them. It never joins one.
import { Again } from '../cluster/index.ts';
import type { Cluster } from '../cluster/index.ts';
import type { GroupMemberView, GroupView } from '../contracts/broker-admin.ts';
import { decodeAssignment } from '../group/consumer-protocol.ts';
import { classify, errorName, isRetriable, KafkaError } from '../protocol/error-codes.ts';
import { refused } from '../protocol/errors.ts';
import { ENDPOINTS_UNKNOWN, EPOCH_LEAVE } from '../streams-group/heartbeat-request.ts';
import { streamsTasks } from '../streams-group/tasks.ts';
import { adminRetry } from './admin-retry.ts';

const CONSUMER_PROTOCOL = 'consumer';
const REASON = 'put out by an administrator';

/** Streams groups are looked for first: to DescribeGroups one is as a group that is not there. */
export async function describeGroup(cluster: Cluster, groupId: string): Promise<GroupView> {
  return adminRetry(cluster, `Describing the group "${groupId}"`, async (timeoutMs) => {
    const streams = await describeStreams(cluster, groupId, timeoutMs);
    return streams ?? describeClassic(cluster, groupId, timeoutMs);
  });
}

async function describeStreams(
  cluster: Cluster,
  groupId: string,
  timeoutMs: number,
): Promise<GroupView | null | Again> {
  const { apiVersions, streamsVersion = 0 } = await cluster.rpc.features();
  if (apiVersions.StreamsGroupDescribe === undefined || streamsVersion < 1) return null;
  const request = { groupIds: [groupId] };
  const outcome = await cluster.callCoordinator('group', groupId, 'StreamsGroupDescribe', request, timeoutMs);
  if (outcome instanceof Again) return outcome;
  const group = outcome.answer.groups[0];
  const code = group?.errorCode ?? KafkaError.GROUP_ID_NOT_FOUND;
  if (
    group === undefined ||
    code === KafkaError.GROUP_ID_NOT_FOUND ||
    code === KafkaError.UNSUPPORTED_VERSION
  )
    return null;
  if (code !== KafkaError.NONE)
    return obstacle(cluster, `Describing the group "${groupId}"`, groupId, code, outcome.nodeId);
  return {
    groupId,
    type: 'streams',
    state: group.groupState,
    members: group.members.map((member): GroupMemberView => {
      const { active, standby, warmup } = streamsTasks(member.assignment);
      return {
        memberId: member.memberId,
        groupInstanceId: member.instanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        partitions: [],
        tasks: { active, standby, warmup },
        userData: null,
      };
    }),
  };
}

async function describeClassic(
  cluster: Cluster,
  groupId: string,
  timeoutMs: number,
): Promise<GroupView | Again> {
  const request = { groupIds: [groupId] };
  const outcome = await cluster.callCoordinator('group', groupId, 'DescribeGroups', request, timeoutMs);
  if (outcome instanceof Again) return outcome;
  const group = outcome.answer.groups[0];
  const code = group?.errorCode ?? KafkaError.GROUP_ID_NOT_FOUND;
  if (group === undefined || code === KafkaError.GROUP_ID_NOT_FOUND)
    return { groupId, type: 'classic', state: 'Dead', members: [] };
  if (code !== KafkaError.NONE)
    return obstacle(cluster, `Describing the group "${groupId}"`, groupId, code, outcome.nodeId);
  const isReadable = group.protocolType === CONSUMER_PROTOCOL;
  return {
    groupId,
    type: 'classic',
    state: group.groupState,
    members: group.members.map((member): GroupMemberView => {
      const { memberId, groupInstanceId, clientId, clientHost } = member;
      const assigned = isReadable ? decodeAssignment(member.assignment) : null;
      return {
        ...{ memberId, groupInstanceId, clientId, clientHost },
        partitions: assigned?.partitions ?? [],
        tasks: null,
        userData: assigned === null ? null : Uint8Array.from(assigned.userData),
      };
    }),
  };
}

/** Of a classic group by LeaveGroup, as Kafka's own administration; of a streams group each member's own farewell is sent for it. */
export async function removeMembers(cluster: Cluster, group: GroupView): Promise<void> {
  const { groupId, members, type } = group;
  if (members.length === 0) return;
  if (type === 'streams') {
    for (const { memberId } of members) await leaveStreams(cluster, groupId, memberId);
    return;
  }
  const what = `Putting the members of "${groupId}" out`;
  const request = {
    groupId,
    members: members.map(({ memberId, groupInstanceId }) =>
      // A static member is known by its name, whatever its member id is by now.
      groupInstanceId === null
        ? { memberId, groupInstanceId, reason: REASON }
        : { memberId: '', groupInstanceId, reason: REASON },
    ),
  };
  await adminRetry(cluster, what, async (timeoutMs) => {
    const outcome = await cluster.callCoordinator('group', groupId, 'LeaveGroup', request, timeoutMs);
    if (outcome instanceof Again) return outcome;
    const { answer, nodeId } = outcome;
    for (const errorCode of [answer.errorCode, ...answer.members.map((member) => member.errorCode)]) {
      if (isDone(errorCode)) continue;
      return obstacle(cluster, what, groupId, errorCode, nodeId);
    }
    return undefined;
  });
}

async function leaveStreams(cluster: Cluster, groupId: string, memberId: string): Promise<void> {
  const what = `Putting member ${memberId} out of "${groupId}"`;
  const request = {
    ...{ groupId, memberId, memberEpoch: EPOCH_LEAVE, endpointInformationEpoch: ENDPOINTS_UNKNOWN },
    ...{ instanceId: null, rackId: null, rebalanceTimeoutMs: -1, topology: null },
    ...{ activeTasks: null, standbyTasks: null, warmupTasks: null, processId: null, userEndpoint: null },
    ...{ clientTags: null, taskOffsets: null, taskEndOffsets: null, shutdownApplication: false },
  };
  await adminRetry(cluster, what, async (timeoutMs) => {
    const outcome = await cluster.callCoordinator(
      'group',
      groupId,
      'StreamsGroupHeartbeat',
      request,
      timeoutMs,
    );
    if (outcome instanceof Again) return outcome;
    const { errorCode } = outcome.answer;
    return isDone(errorCode) ? undefined : obstacle(cluster, what, groupId, errorCode, outcome.nodeId);
  });
}

/** Who is not in the group any more need not be put out. */
function isDone(code: number): boolean {
  return (
    code === KafkaError.NONE ||
    code === KafkaError.UNKNOWN_MEMBER_ID ||
    code === KafkaError.GROUP_ID_NOT_FOUND
  );
}

function obstacle(cluster: Cluster, what: string, groupId: string, code: number, nodeId: number): Again {
  const kind = classify(code);
  if (!isRetriable(kind)) throw refused(what, code, { groupId }, null, 'Read');
  if (kind === 'stale-coordinator') cluster.coordinators.forget('group', groupId, nodeId);
  return new Again(errorName(code));
}
