// Owns the decision what to fetch next: which partitions of which broker, which have to wait, and for what. It sends nothing;
// of the readings it only notes what it finds out about their topic and source.
import type { MetadataCache } from '../cluster/index.ts';
import type { WantedPartition } from './broker-fetches.ts';
import type { PartitionReading } from './partition-reading.ts';
import { needsValidation } from './position-validation.ts';

export interface FetchBounds {
  readonly maxBufferedBytes: number;
  readonly partitionMaxBytes: number;
}

export interface FetchPlan {
  readonly wantedByNode: ReadonlyMap<number, readonly WantedPartition[]>;
  /** Nodes with a partition that is left out only because enough of it is buffered. */
  readonly crowded: ReadonlySet<number>;
  /** Nobody is known to lead these. */
  readonly homeless: readonly PartitionReading[];
  /** The leader changed: does its log hold what was read? */
  readonly unvalidated: readonly PartitionReading[];
  /** The topic of that name has another id now. */
  readonly recreated: readonly { readonly reading: PartitionReading; readonly topicId: string }[];
  /** Monotonic milliseconds when a pause ends; Infinity when none does. */
  readonly wakeAt: number;
}

/** The least a partition is asked for, however many share the buffer. */
const PARTITION_MAX_BYTES_MIN = 64 * 1024;

/**
 * Each partition may buffer half its share before it is left out, and is asked for at most the other half: together they stay
 * within the bound, but for single batches that are larger.
 */
export function planFetches(
  readings: ReadonlyMap<string, PartitionReading>,
  metadata: MetadataCache,
  bounds: FetchBounds,
  now: number,
): FetchPlan {
  const halfShare = Math.floor(bounds.maxBufferedBytes / Math.max(1, readings.size)) >> 1;
  const partitionMaxBytes = Math.min(bounds.partitionMaxBytes, Math.max(PARTITION_MAX_BYTES_MIN, halfShare));
  const wantedByNode = new Map<number, WantedPartition[]>();
  const crowded = new Set<number>();
  const homeless: PartitionReading[] = [];
  const unvalidated: PartitionReading[] = [];
  const recreated: { reading: PartitionReading; topicId: string }[] = [];
  let wakeAt = Infinity;
  for (const reading of readings.values()) {
    if (reading.error !== undefined || reading.inFlight || reading.validating || reading.paused) continue;
    if (reading.notBefore > now) {
      wakeAt = Math.min(wakeAt, reading.notBefore);
      continue;
    }
    const leader = metadata.leader(reading.topic, reading.partition);
    const topic = metadata.topic(reading.topic);
    if (leader === undefined || topic === undefined) {
      homeless.push(reading);
      continue;
    }
    reading.topicId ??= topic.topicId;
    if (reading.topicId !== topic.topicId) {
      recreated.push({ reading, topicId: topic.topicId });
      continue;
    }
    if (needsValidation(reading, leader)) {
      unvalidated.push(reading);
      continue;
    }
    const node = sourceOf(reading, metadata, leader.leaderId, now);
    if (reading.bufferedBytes > halfShare) {
      crowded.add(node);
      continue;
    }
    const wanted: WantedPartition = {
      reading,
      topic: reading.topic,
      topicId: topic.topicId,
      request: {
        partition: reading.partition,
        currentLeaderEpoch: leader.leaderEpoch,
        fetchOffset: reading.fetchOffset,
        lastFetchedEpoch: -1,
        logStartOffset: -1,
        partitionMaxBytes,
      },
    };
    const list = wantedByNode.get(node);
    if (list === undefined) wantedByNode.set(node, [wanted]);
    else list.push(wanted);
  }
  return { wantedByNode, crowded, homeless, unvalidated, recreated, wakeAt };
}

/** The closer replica that the leader named, while that is fresh (KIP-392); otherwise the leader. */
function sourceOf(reading: PartitionReading, metadata: MetadataCache, leaderId: number, now: number): number {
  if (reading.preferredReplica < 0) return leaderId;
  if (reading.preferredUntil > now && metadata.knowsNode(reading.preferredReplica))
    return reading.preferredReplica;
  reading.preferredReplica = -1;
  return leaderId;
}
