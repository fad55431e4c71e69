// Owns the errors that end the reading of a partition. Each names topic, partition and offset in its context.
import { FatalError, MillraceError } from '#libs/core';
import type { PartitionReading } from './partition-reading.ts';

function contextOf(reading: PartitionReading): Record<string, unknown> {
  return { topic: reading.topic, partition: reading.partition, offset: reading.fetchOffset };
}

export function offsetOutOfRange(reading: PartitionReading, logStartOffset: number): FatalError {
  const start = logStartOffset >= 0 ? ` (the log starts at ${logStartOffset})` : '';
  return new FatalError({
    code: 'MILLRACE_OFFSET_OUT_OF_RANGE',
    message: `Offset ${reading.fetchOffset} of ${reading.key} does not exist${start}.`,
    remedy:
      'Decide what the lost records mean, then move the group to an offset that exists; raise the retention.',
    context: { ...contextOf(reading), logStartOffset },
  });
}

export function logTruncated(reading: PartitionReading, endOffset: number, epoch: number): FatalError {
  const where = endOffset < 0 ? 'at an unknown offset' : `at offset ${endOffset}`;
  return new FatalError({
    code: 'MILLRACE_OFFSET_OUT_OF_RANGE',
    message: `The log of ${reading.key} was truncated below offset ${reading.fetchOffset}: leader epoch ${reading.fetchEpoch} ends ${where} there.`,
    remedy:
      'Records that were read are gone from the log (unclean leader election): check results, then reset the group.',
    context: {
      ...contextOf(reading),
      truncatedTo: endOffset,
      leaderEpoch: reading.fetchEpoch,
      answeredEpoch: epoch,
    },
  });
}

export function topicRecreated(reading: PartitionReading, topicId: string): FatalError {
  return new FatalError({
    code: 'MILLRACE_TOPIC_MISSING',
    message: `Topic "${reading.topic}" was deleted and created again while it was read.`,
    remedy: 'Its offsets start over: reset the group for this topic, then start again.',
    context: { ...contextOf(reading), topicId, formerTopicId: reading.topicId },
  });
}

export function partitionMissing(reading: PartitionReading, partitionCount: number): FatalError {
  return new FatalError({
    code: 'MILLRACE_TOPIC_MISSING',
    message: `Partition ${reading.key} does not exist: the topic has ${partitionCount} partitions.`,
    remedy: 'Check who assigned it, and whether the topic was created again with fewer partitions.',
    context: contextOf(reading),
  });
}

/** `error` with the place where it happened. */
export function inPartition(reading: PartitionReading, error: unknown): MillraceError {
  if (!(error instanceof MillraceError)) throw error;
  return new FatalError({
    code: error.code,
    message: `${reading.key} cannot be read at offset ${reading.fetchOffset}: ${error.message.replace(`${error.code}: `, '')}`,
    cause: error,
    context: { ...error.context, ...contextOf(reading) },
  });
}
