// Owns the answers about offsets of logs: ListOffsets and OffsetForLeaderEpoch.
import type { RpcAnswers, RpcRequests } from '#libs/broker';
import type { ClusterCore } from '../cluster-core.ts';
import { Errors } from '../kafka-errors.ts';
import { leaderRefusal } from '../topics/leader-check.ts';
import type { Isolation, PartitionLog } from './partition-log.ts';

const LATEST = -1;
const EARLIEST = -2;
const NONE_FOUND = { timestamp: -1, offset: -1, leaderEpoch: -1 };

export function listOffsets(
  core: ClusterCore,
  { topics, isolation }: RpcRequests['ListOffsets'],
  nodeId: number,
): RpcAnswers['ListOffsets'] {
  return {
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partition, currentLeaderEpoch, timestamp }) => {
        const log = core.topics.log(name, partition);
        const errorCode = leaderRefusal(log, nodeId, currentLeaderEpoch);
        if (errorCode !== Errors.NONE) return { partition, errorCode, ...NONE_FOUND };
        return { partition, errorCode, ...locate(log!, timestamp, isolation) };
      }),
    })),
  };
}

function locate(log: PartitionLog, timestamp: number, isolation: Isolation): typeof NONE_FOUND {
  const { leaderEpoch } = log.leadership;
  if (timestamp === LATEST) return { timestamp: -1, offset: log.bound(isolation), leaderEpoch };
  if (timestamp === EARLIEST) return { timestamp: -1, offset: log.logStartOffset, leaderEpoch };
  const found = log.offsetAtTime(timestamp, log.bound(isolation));
  return found === undefined ? NONE_FOUND : { ...found, leaderEpoch };
}

export function offsetForLeaderEpoch(
  core: ClusterCore,
  { topics }: RpcRequests['OffsetForLeaderEpoch'],
  nodeId: number,
): RpcAnswers['OffsetForLeaderEpoch'] {
  return {
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partition, currentLeaderEpoch, leaderEpoch }) => {
        const log = core.topics.log(name, partition);
        const errorCode = leaderRefusal(log, nodeId, currentLeaderEpoch);
        if (errorCode !== Errors.NONE) return { partition, errorCode, leaderEpoch: -1, endOffset: -1 };
        const { epoch, endOffset } = log!.endOfEpoch(leaderEpoch);
        return { partition, errorCode, leaderEpoch: epoch, endOffset };
      }),
    })),
  };
}
