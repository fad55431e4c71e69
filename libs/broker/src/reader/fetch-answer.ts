// Owns what one partition's part of a fetch answer means: chunks, or what has to happen before it can be fetched again.
import { MillraceError } from '#libs/core';
import type { Cluster } from '../cluster/index.ts';
import type { IsolationLevel } from '../contracts/record-reader.ts';
import { classify, isRetriable, KafkaError } from '../protocol/error-codes.ts';
import { refused } from '../protocol/errors.ts';
import { readRecordBatches } from '../record-batch/index.ts';
import type { RecordBatchView } from '../record-batch/index.ts';
import type { FetchAnswer } from '../rpc/index.ts';
import { deliverableBatches } from './deliverable-batches.ts';
import type { PartitionReading } from './partition-reading.ts';
import { inPartition, logTruncated, offsetOutOfRange } from './reading-errors.ts';

type PartitionAnswer = FetchAnswer['topics'][number]['partitions'][number];

/** Broken bytes are fetched again this often before they count as broken on the broker too. */
const CORRUPT_FETCHES_MAX = 3;
/** How long a preferred replica is used before the leader is asked again (`metadata.max.age.ms` in Kafka's consumer). */
const PREFERRED_REPLICA_MS = 300_000;

/** Takes one partition's answer in. `requestedOffset` is what was asked for; an answer to anything else is dropped. */
export function absorbPartition(
  cluster: Cluster,
  isolation: IsolationLevel,
  reading: PartitionReading,
  requestedOffset: number,
  node: number,
  answer: PartitionAnswer,
): void {
  if (reading.dropped || reading.error !== undefined || reading.fetchOffset !== requestedOffset) return;
  if (answer.errorCode !== KafkaError.NONE) {
    absorbError(cluster, reading, node, answer);
    return;
  }
  if (answer.highWatermark >= 0) reading.highWatermark = answer.highWatermark;
  if (answer.lastStableOffset >= 0) reading.lastStableOffset = answer.lastStableOffset;
  if (answer.divergingEpoch !== undefined && answer.divergingEpoch.endOffset < reading.fetchOffset) {
    reading.error = logTruncated(reading, answer.divergingEpoch.endOffset, answer.divergingEpoch.epoch);
    return;
  }
  if (answer.preferredReadReplica >= 0 && answer.preferredReadReplica !== node) {
    reading.preferredReplica = answer.preferredReadReplica;
    reading.preferredUntil = cluster.clock.monotonic() + PREFERRED_REPLICA_MS;
  }
  if (answer.records !== null && answer.records.length > 0)
    absorbRecords(isolation, reading, answer, answer.records);
  else reading.succeeded();
}

function absorbRecords(
  isolation: IsolationLevel,
  reading: PartitionReading,
  answer: PartitionAnswer,
  records: Buffer,
): void {
  let batches: readonly RecordBatchView[];
  try {
    batches = readRecordBatches(records);
    if (batches.length === 0) {
      throw new MillraceError({
        code: 'MILLRACE_CORRUPT_BATCH',
        message: `The broker answered ${records.length} bytes without one whole batch.`,
      });
    }
  } catch (error) {
    if (++reading.corruptFetches >= CORRUPT_FETCHES_MAX) reading.error = inPartition(reading, error);
    else reading.pauseFetching();
    return;
  }
  reading.corruptFetches = 0;
  reading.succeeded();
  const startOffset = reading.fetchOffset;
  const deliverable = deliverableBatches(batches, startOffset, isolation, answer.abortedTransactions);
  if (deliverable.nextOffset <= startOffset) return;
  reading.push({
    topic: reading.topic,
    partition: reading.partition,
    startOffset,
    batches: deliverable.batches,
    nextOffset: deliverable.nextOffset,
    leaderEpoch: deliverable.leaderEpoch,
    highWatermark: answer.highWatermark,
    lastStableOffset: answer.lastStableOffset,
    byteLength: records.length,
    heldBytes: records.length,
  });
}

function absorbError(
  cluster: Cluster,
  reading: PartitionReading,
  node: number,
  answer: PartitionAnswer,
): void {
  const code = answer.errorCode;
  const fromReplica = reading.preferredReplica === node;
  reading.preferredReplica = -1;
  if (code === KafkaError.OFFSET_OUT_OF_RANGE) {
    // A follower may lag behind; only the leader knows what exists.
    if (fromReplica) reading.pauseFetching('concurrent');
    else reading.error = offsetOutOfRange(reading, answer.logStartOffset);
    return;
  }
  const kind = classify(code);
  if (kind === 'stale-metadata') {
    const learnt =
      answer.currentLeader !== undefined &&
      cluster.metadata.learnLeader(reading.topic, reading.partition, answer.currentLeader);
    if (!learnt) cluster.metadata.forgetLeader(reading.topic, reading.partition);
    reading.pauseFetching();
    return;
  }
  // An unknown error of the server is no reason to stop: nothing was read, so nothing is in doubt.
  if (isRetriable(kind) || kind === 'session' || code === -1) reading.pauseFetching();
  else reading.error = refused(`Fetching ${reading.key}`, code, placeOf(reading), null, 'Read');
}

function placeOf(reading: PartitionReading): Record<string, unknown> {
  return { topic: reading.topic, partition: reading.partition, offset: reading.fetchOffset };
}
