// Owns the description of a streams group: who is in it, under which epoch, with which tasks. One request, retried by its callers.
import { Again } from '../cluster/index.ts';
import type { Cluster } from '../cluster/index.ts';
import type { StreamsGroupView } from '../contracts/streams-group-member.ts';
import { classify, errorName, isRetriable, KafkaError } from '../protocol/error-codes.ts';
import { refused } from '../protocol/errors.ts';
import { streamsUnsupported } from './refusals.ts';
import { streamsTasks } from './tasks.ts';

/** @throws FatalError MILLRACE_STREAMS_PROTOCOL_UNSUPPORTED the cluster lacks the API, or has not finalised the feature. */
export async function refuseWithoutStreams(cluster: Cluster): Promise<void> {
  const { apiVersions, streamsVersion } = await cluster.rpc.features();
  if (apiVersions.StreamsGroupHeartbeat === undefined || apiVersions.StreamsGroupDescribe === undefined) {
    throw streamsUnsupported('its brokers do not know StreamsGroupHeartbeat');
  }
  if ((streamsVersion ?? 0) < 1) throw streamsUnsupported('the feature streams.version is not finalised');
}

/**
 * `null`: there is no such streams group. `Again`: not to be had at present.
 * @throws RpcFailure; FatalError MILLRACE_STREAMS_PROTOCOL_UNSUPPORTED, MILLRACE_AUTHORIZATION_FAILED.
 */
export async function describeStreamsGroup(
  cluster: Cluster,
  groupId: string,
  timeoutMs: number,
): Promise<StreamsGroupView | null | Again> {
  const outcome = await cluster.callCoordinator(
    'group',
    groupId,
    'StreamsGroupDescribe',
    { groupIds: [groupId] },
    timeoutMs,
    'group',
  );
  if (outcome instanceof Again) return outcome;
  const group = outcome.answer.groups.find((candidate) => candidate.groupId === groupId);
  const code = group?.errorCode ?? KafkaError.GROUP_ID_NOT_FOUND;
  if (group === undefined || code === KafkaError.GROUP_ID_NOT_FOUND) return null;
  if (code === KafkaError.UNSUPPORTED_VERSION) {
    throw streamsUnsupported('its group coordinator refuses the protocol');
  }
  const kind = classify(code);
  if (kind === 'stale-coordinator') cluster.coordinators.forget('group', groupId, outcome.nodeId);
  if (isRetriable(kind)) return new Again(`the group "${groupId}" is not described: ${errorName(code)}`);
  if (kind !== 'none') {
    throw refused(`StreamsGroupDescribe of "${groupId}"`, code, { groupId }, group.errorMessage);
  }
  return {
    groupId,
    state: group.groupState,
    groupEpoch: group.groupEpoch,
    assignmentEpoch: group.assignmentEpoch,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      memberEpoch: member.memberEpoch,
      processId: member.processId,
      clientTags: Object.fromEntries(member.clientTags.map(({ key, value }) => [key, value])),
      assigned: streamsTasks(member.assignment),
      target: streamsTasks(member.targetAssignment),
    })),
  };
}
