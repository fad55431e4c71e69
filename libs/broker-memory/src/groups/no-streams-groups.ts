// Owns what a broker answers that does not offer the streams rebalance protocol (KIP-1071).
import type { StreamsGroupDescribeAnswer, StreamsGroupHeartbeatAnswer } from '#libs/broker';
import { KafkaError } from '#libs/broker';

export const NO_STREAMS_HEARTBEAT: StreamsGroupHeartbeatAnswer = {
  errorCode: KafkaError.UNSUPPORTED_VERSION,
  errorMessage: null,
  memberId: '',
  memberEpoch: 0,
  heartbeatIntervalMs: 0,
  acceptableRecoveryLag: 0,
  taskOffsetIntervalMs: 0,
  status: null,
  activeTasks: null,
  standbyTasks: null,
  warmupTasks: null,
  endpointInformationEpoch: 0,
  partitionsByUserEndpoint: null,
};

export function noStreamsGroups(groupIds: readonly string[]): StreamsGroupDescribeAnswer {
  const groups = groupIds.map((groupId) => ({
    errorCode: KafkaError.UNSUPPORTED_VERSION,
    errorMessage: null,
    groupId,
    groupState: '',
    groupEpoch: 0,
    assignmentEpoch: 0,
    topology: null,
    members: [],
  }));
  return { groups };
}
