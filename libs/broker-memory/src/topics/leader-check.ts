// Owns the question every request about a partition is asked first: does the broker lead it, and does the client know so (KIP-320)?
import { Errors } from '../kafka-errors.ts';
import type { PartitionLog } from '../log/partition-log.ts';

/** The error code for asking `nodeId` about `log`; -1 as the client's epoch: it knows none. */
export function leaderRefusal(
  log: PartitionLog | undefined,
  nodeId: number,
  currentLeaderEpoch: number,
): number {
  if (log === undefined) return Errors.UNKNOWN_TOPIC_OR_PARTITION;
  const { leaderId, leaderEpoch } = log.leadership;
  if (leaderId !== nodeId) return Errors.NOT_LEADER_OR_FOLLOWER;
  if (currentLeaderEpoch < 0 || currentLeaderEpoch === leaderEpoch) return Errors.NONE;
  return currentLeaderEpoch < leaderEpoch ? Errors.FENCED_LEADER_EPOCH : Errors.UNKNOWN_LEADER_EPOCH;
}

/** What an answer says of the leader, for a client that asked the wrong one (KIP-951). */
export function currentLeader(log: PartitionLog): { leaderId: number; leaderEpoch: number } {
  return { leaderId: log.leadership.leaderId, leaderEpoch: log.leadership.leaderEpoch };
}
