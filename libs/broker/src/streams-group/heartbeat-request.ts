// Owns what a member of a streams group says in a heartbeat: everything as it joins, later what changed, last that it leaves.
// The coordinator of Kafka 4.3 refuses task offsets, warm-up tasks and instance ids, so none is ever sent.
import type { StreamsTasks } from '../contracts/streams-group-member.ts';
import type { StreamsGroupHeartbeatRequest } from '../rpc/index.ts';
import type { StreamsMemberSettings } from './member-settings.ts';
import { NO_TASKS, tasksToWire } from './tasks.ts';

export const EPOCH_JOIN = 0;
export const EPOCH_LEAVE = -1;
/** -1: nothing is known of the others' endpoints. */
export const ENDPOINTS_UNKNOWN = -1;

function bare(settings: StreamsMemberSettings, memberEpoch: number): StreamsGroupHeartbeatRequest {
  return {
    groupId: settings.groupId,
    memberId: settings.memberId,
    memberEpoch,
    endpointInformationEpoch: ENDPOINTS_UNKNOWN,
    instanceId: null,
    rackId: null,
    rebalanceTimeoutMs: -1,
    topology: null,
    activeTasks: null,
    standbyTasks: null,
    warmupTasks: null,
    processId: null,
    userEndpoint: null,
    clientTags: null,
    taskOffsets: null,
    taskEndOffsets: null,
    shutdownApplication: false,
  };
}

function owning(
  tasks: StreamsTasks,
): Pick<StreamsGroupHeartbeatRequest, 'activeTasks' | 'standbyTasks' | 'warmupTasks'> {
  return {
    activeTasks: tasksToWire(tasks.active),
    standbyTasks: tasksToWire(tasks.standby),
    // A warm-up copy is nothing the coordinator waits for, and it takes an empty list only.
    warmupTasks: [],
  };
}

export function joinRequest(settings: StreamsMemberSettings): StreamsGroupHeartbeatRequest {
  return {
    ...bare(settings, EPOCH_JOIN),
    ...owning(NO_TASKS),
    rackId: settings.rackId,
    rebalanceTimeoutMs: settings.rebalanceTimeoutMs,
    topology: settings.topology,
    processId: settings.processId,
    userEndpoint: settings.userEndpoint,
    clientTags: Object.entries(settings.clientTags).map(([key, value]) => ({ key, value })),
  };
}

/** `owned` null: unchanged since the last heartbeat that was answered. */
export function heartbeatRequest(
  settings: StreamsMemberSettings,
  state: {
    readonly memberEpoch: number;
    readonly endpointInformationEpoch: number;
    readonly owned: StreamsTasks | null;
    readonly shutdownApplication: boolean;
  },
): StreamsGroupHeartbeatRequest {
  return {
    ...bare(settings, state.memberEpoch),
    ...(state.owned === null ? {} : owning(state.owned)),
    endpointInformationEpoch: state.endpointInformationEpoch,
    shutdownApplication: state.shutdownApplication,
  };
}

export function leaveRequest(
  settings: StreamsMemberSettings,
  shutdownApplication: boolean,
): StreamsGroupHeartbeatRequest {
  return { ...bare(settings, EPOCH_LEAVE), shutdownApplication };
}
