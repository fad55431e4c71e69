// Owns what a broker's answer about one batch means, and why a topic cannot be written at all. Pure: it changes nothing.
import { FatalError, formatTopicPartition } from '#libs/core';
import type { MetadataCache, Pace } from '../cluster/index.ts';
import { classify, errorName, KafkaError } from '../protocol/error-codes.ts';
import { epochAborted, refused, topicMissing } from '../protocol/errors.ts';
import type { ProduceAnswer } from '../rpc/index.ts';
import type { PartitionQueue, PendingBatch } from './partition-queue.ts';

export type PartitionOutcome = ProduceAnswer['topics'][number]['partitions'][number];

export type Verdict =
  | { readonly kind: 'acknowledged' }
  /** The identical request again; `staleLeader`: of a leader to be found first. */
  | { readonly kind: 'again'; readonly pace: Pace; readonly staleLeader: boolean }
  | { readonly kind: 'failed'; readonly error: Error };

const ACKNOWLEDGED: Verdict = { kind: 'acknowledged' };
const AGAIN: Verdict = { kind: 'again', pace: 'normal', staleLeader: false };
const AGAIN_SOON: Verdict = { kind: 'again', pace: 'concurrent', staleLeader: false };
const AGAIN_ELSEWHERE: Verdict = { kind: 'again', pace: 'normal', staleLeader: true };

/** `fenced` makes the error for an epoch that is not the newest. */
export function judgeOutcome(
  queue: PartitionQueue,
  pending: PendingBatch,
  outcome: PartitionOutcome,
  fenced: (what: string, code: number) => Error,
): Verdict {
  const code = outcome.errorCode;
  const what = `Produce to ${formatTopicPartition(queue.topic, queue.partition)}`;
  const context = { topic: queue.topic, partition: queue.partition };
  switch (classify(code)) {
    case 'none':
    case 'duplicate':
      return ACKNOWLEDGED;
    case 'concurrent':
      return AGAIN_SOON;
    case 'stale-metadata':
      return AGAIN_ELSEWHERE;
    case 'retriable':
    case 'stale-coordinator':
    case 'session':
    case 'rebalancing':
      return AGAIN;
    case 'fenced':
      return { kind: 'failed', error: fenced(what, code) };
    case 'too-large':
      return { kind: 'failed', error: tooLarge(queue, pending, code) };
    case 'abortable': {
      // A gap is the doing of an earlier batch that is still on its way: after it, this one fits.
      if (code === KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER && queue.hasEarlier(pending)) return AGAIN;
      const name = errorName(code);
      return {
        kind: 'failed',
        error: epochAborted(`${what} was refused with ${name}`, { ...context, kafkaError: name }),
      };
    }
    case 'generation-lost':
    case 'instance-fenced':
    case 'unauthorized':
    case 'fatal':
      return { kind: 'failed', error: refused(what, code, context, outcome.errorMessage, 'Write') };
  }
}

function tooLarge({ topic, partition }: PartitionQueue, { batch }: PendingBatch, code: number): FatalError {
  return new FatalError({
    code: 'MILLRACE_RECORD_TOO_LARGE',
    message: `A batch of ${batch.recordCount} records and ${batch.bytes.length} bytes was refused by ${formatTopicPartition(topic, partition)} (${errorName(code)}).`,
    remedy: 'Raise `max.message.bytes` of the topic, lower the batch size, or keep smaller values.',
    context: { topic, partition, records: batch.recordCount, bytes: batch.bytes.length },
  });
}

/** Why no leader will ever be found, as far as metadata tells; undefined while there is hope. */
export function topicRefusal(
  metadata: MetadataCache,
  { topic, partition }: { readonly topic: string; readonly partition: number },
  missingGraceMs: number,
): Error | undefined {
  if (metadata.isMissing(topic, missingGraceMs)) return topicMissing(topic, { partition });
  const absence = metadata.absence(topic);
  if (absence !== undefined && classify(absence.errorCode) === 'unauthorized') {
    return refused(`Metadata of topic "${topic}"`, absence.errorCode, { topic }, null, 'Write');
  }
  const known = metadata.topic(topic);
  if (known === undefined || partition < known.partitions.length) return undefined;
  const partitionCount = known.partitions.length;
  return new FatalError({
    code: 'MILLRACE_PARTITIONS_MISMATCH',
    message: `A batch is meant for ${formatTopicPartition(topic, partition)}, but the topic has ${partitionCount} partitions.`,
    remedy:
      'Find out who made the topic again with fewer partitions; it must keep the count the topology was built for.',
    context: { topic, partition, partitionCount },
  });
}
