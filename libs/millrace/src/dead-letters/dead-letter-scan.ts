// Owns the reading of a dead-letter topic: from what was dealt with to the end that it has at the start, with the notes of earlier redrives. It writes nothing.
import { RecordColumns } from '#libs/broker';
import type { BrokerClient } from '#libs/broker';
import { FatalError, formatTopicPartition } from '#libs/core';
import type { Logger, TopicPartition } from '#libs/core';
import { RedriveProgress } from './redrive-progress.ts';

const WAIT_MS = 500;

export interface ScanParts {
  readonly client: BrokerClient;
  readonly group: string;
  readonly topic: string;
  readonly logger: Logger;
  readonly signal: AbortSignal | undefined;
}

export interface ScanStart {
  readonly progress: ReadonlyMap<number, RedriveProgress>;
  /** By partition: where it ends now, of what is committed. */
  readonly ends: ReadonlyMap<number, number>;
}

/** Name of the group, and of the transactions, of an application's redrives. */
export function redriveGroup(applicationId: string): string {
  return `${applicationId}-dlq-redrive`;
}

/** @throws FatalError MILLRACE_TOPIC_MISSING */
export async function readProgress({ client, group, topic, logger }: ScanParts): Promise<ScanStart> {
  const { admin } = client;
  const description = (await admin.describeTopics([topic])).get(topic);
  if (description === undefined) {
    throw new FatalError({
      code: 'MILLRACE_TOPIC_MISSING',
      message: `The dead-letter topic "${topic}" does not exist.`,
      remedy: 'Name the topic that the failure policies of the application send to.',
      context: { topics: [topic] },
    });
  }
  const partitions: TopicPartition[] = Array.from({ length: description.partitionCount }, (_, partition) => ({
    topic,
    partition,
  }));
  const committed = await admin.committedOffsets(group, partitions);
  const starts = await admin.offsets(partitions, 'earliest', 'read_committed');
  const latest = await admin.offsets(partitions, 'latest', 'read_committed');
  const progress = new Map<number, RedriveProgress>();
  const ends = new Map<number, number>();
  for (const { partition } of partitions) {
    const name = formatTopicPartition(topic, partition);
    const [start, end] = [starts.get(name) ?? 0, latest.get(name) ?? 0];
    const noted = committed.get(name);
    ends.set(partition, end);
    if (noted === undefined || noted.offset > end) {
      if (noted !== undefined)
        logger.warn(
          `${name} ends before the offset that redrives have reached: it was made anew, and is read from its start`,
        );
      progress.set(partition, new RedriveProgress(topic, partition, start, ''));
      continue;
    }
    const found = new RedriveProgress(topic, partition, noted.offset, noted.metadata);
    // What retention has deleted since needs no reading.
    found.scannedTo = Math.max(found.scannedTo, start);
    progress.set(partition, found);
  }
  return { progress, ends };
}

/**
 * Shows each record from what was dealt with on, in the order of its partition, until `visit` gives `false`; a promise is waited for. `scannedTo` of a partition
 * is behind the record while it is visited. Resolves with whether all was shown.
 */
export async function scan(
  { client, topic, signal }: ScanParts,
  { progress, ends }: ScanStart,
  visit: (columns: RecordColumns, index: number, progress: RedriveProgress) => boolean | Promise<boolean>,
): Promise<boolean> {
  const open = new Map<number, number>();
  const reader = client.createReader({ isolation: 'read_committed' });
  const wake = (): void => reader.wake();
  const isAborted = (): boolean => signal?.aborted === true;
  signal?.addEventListener('abort', wake);
  try {
    for (const [partition, end] of ends) {
      const { scannedTo } = progress.get(partition)!;
      if (scannedTo >= end) continue;
      reader.assign(topic, partition, scannedTo);
      open.set(partition, end);
    }
    const columns = new RecordColumns();
    while (open.size > 0) {
      if (isAborted()) return false;
      const chunk = reader.take();
      if (chunk === undefined) {
        await reader.waitForChunk(WAIT_MS);
        continue;
      }
      const end = open.get(chunk.partition) ?? 0;
      const noted = progress.get(chunk.partition)!;
      for (const batch of chunk.batches) {
        columns.decode(batch, chunk.startOffset);
        for (let i = 0; i < columns.count; i++) {
          const offset = columns.offsets[i]!;
          if (offset >= end) break;
          if (isAborted()) return false;
          noted.scannedTo = offset + 1;
          const goesOn = visit(columns, i, noted);
          if (!(typeof goesOn === 'boolean' ? goesOn : await goesOn)) return false;
        }
      }
      noted.scannedTo = Math.min(end, chunk.nextOffset);
      if (chunk.nextOffset < end) continue;
      open.delete(chunk.partition);
      reader.unassign(topic, chunk.partition);
    }
    return true;
  } finally {
    signal?.removeEventListener('abort', wake);
    await reader.close();
  }
}
