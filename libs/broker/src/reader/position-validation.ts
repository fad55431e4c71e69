// Owns the check of a fetch position after a change of leader (KIP-320): does the new leader's log hold what was read?
import type { Cluster } from '../cluster/index.ts';
import type { PartitionLeader } from '../cluster/index.ts';
import { classify, isRetriable, KafkaError } from '../protocol/error-codes.ts';
import { isRpcFailure, refused } from '../protocol/errors.ts';
import type { PartitionReading } from './partition-reading.ts';
import { logTruncated } from './reading-errors.ts';

/** Must the position be checked before `leader` is asked for records? Without a known epoch there is nothing to check. */
export function needsValidation(reading: PartitionReading, leader: PartitionLeader): boolean {
  if (leader.leaderEpoch <= reading.validatedEpoch) return false;
  if (reading.fetchEpoch >= 0) return true;
  reading.validatedEpoch = leader.leaderEpoch;
  return false;
}

/** Never rejects: the outcome shows in `reading` (validated, an error, or a pause before the next try). */
export async function validatePosition(
  cluster: Cluster,
  reading: PartitionReading,
  leader: PartitionLeader,
): Promise<void> {
  const { topic, partition } = reading;
  const request = {
    topics: [
      {
        name: topic,
        partitions: [{ partition, currentLeaderEpoch: leader.leaderEpoch, leaderEpoch: reading.fetchEpoch }],
      },
    ],
  };
  reading.validating = true;
  try {
    const answer = await cluster.call(
      leader.leaderId,
      'OffsetForLeaderEpoch',
      request,
      cluster.requestTimeoutMs,
      'fetch',
    );
    const end = answer.topics[0]?.partitions[0];
    if (end === undefined) reading.pauseFetching();
    else if (end.errorCode !== KafkaError.NONE) onRefusal(cluster, reading, end.errorCode);
    else if (end.endOffset < reading.fetchOffset)
      reading.error = logTruncated(reading, end.endOffset, end.leaderEpoch);
    else reading.validatedEpoch = leader.leaderEpoch;
  } catch (error) {
    if (isRpcFailure(error)) cluster.metadata.forgetLeader(topic, partition);
    else cluster.logger.warn('A position could not be checked', { topic, partition, error: String(error) });
    reading.pauseFetching();
  } finally {
    reading.validating = false;
  }
}

function onRefusal(cluster: Cluster, reading: PartitionReading, code: number): void {
  if (!isRetriable(classify(code)) && code !== -1) {
    const { topic, partition, fetchOffset } = reading;
    reading.error = refused(`Checking the position of ${reading.key}`, code, {
      topic,
      partition,
      offset: fetchOffset,
    });
    return;
  }
  cluster.metadata.forgetLeader(reading.topic, reading.partition);
  reading.pauseFetching();
}
