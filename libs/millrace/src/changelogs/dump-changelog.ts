// Owns a store's contents as its changelog has them, of an application that need not run: the newest committed value of each key. Two passes: the
// first remembers where each key was written last, the second gives those records; so memory holds keys, not values.
import type { BrokerClient } from '#libs/broker';
import {
  FatalError,
  formatTopicPartition,
  parseTopicPartition,
  readOrderedTime,
  silentLogger,
  systemClock,
} from '#libs/core';
import type { BinaryString, Clock, Logger, TopicPartition } from '#libs/core';
import { changelogTopic, decodeOffsetMetadata, shortHash } from '#libs/runtime';
import { detachBinary } from '#libs/serde';
import { suffixOfKey } from '#libs/state';
import { connect } from '../connect.ts';
import type { KafkaConnection } from '../connect.ts';
import { readRecords } from './read-records.ts';
import type { ReadProgress, RecordSpan } from './read-records.ts';

/** Of a suffix that begins with a time. */
const TIME_BYTES = 8;

export interface DumpChangelogOptions {
  readonly kafka: KafkaConnection;
  readonly applicationId: string;
  readonly store: string;
  /** Default `<applicationId>-<store>-changelog`; for a table whose source topic is its changelog, that topic. */
  readonly topic?: string | undefined;
  /** Default all. */
  readonly partitions?: readonly number[] | undefined;
  /** Which rows are meant, by encoded key. Default all. */
  readonly where?: ((key: BinaryString) => boolean) | undefined;
  /**
   * Of a store whose rows expire: the name of its clock, and how long rows are kept. Rows that are older by the clock that was committed last are
   * left out, as queries leave them out. Default: all rows that the changelog still has.
   */
  readonly expiry?: { readonly clock: string; readonly retentionMs: number } | undefined;
  /** Rows at most. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: ReadProgress) => void) | undefined;
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
}

/** A row, encoded. Of ordered stores (windows and the like) the key is length and bytes of the group, then the suffix. */
export interface ChangelogRow {
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since the Unix epoch. */
  readonly timestamp: number;
  readonly key: BinaryString;
  readonly value: BinaryString;
}

/**
 * Gives `visit` each row once, and waits for its promise, in the order in which it was written last; resolves with how many there were. As of the moment at which it was called.
 * @throws MillraceError MILLRACE_TOPIC_MISSING
 */
export async function dumpChangelog(
  options: DumpChangelogOptions,
  visit: (row: ChangelogRow) => void | Promise<void>,
): Promise<number> {
  const {
    clock = systemClock,
    logger = silentLogger,
    where = () => true,
    limit = Infinity,
    signal,
  } = options;
  const topic = options.topic ?? changelogTopic(options.applicationId, options.store);
  const client = connect(options.kafka, 'millrace-dump', { clock, logger });
  try {
    const spans = await changelogSpans(client, topic, options.partitions);
    const expiredBefore = await expiryBounds(client, options);
    const total = spans.reduce((sum, { from, to }) => sum + to - from, 0);
    const newest = new Map<number, Map<BinaryString, number>>();
    const pass = (number: number) => ({
      signal,
      onProgress: ({ done }: ReadProgress) =>
        options.onProgress?.({ done: number * total + done, total: 2 * total }),
    });
    await readRecords(
      client,
      spans,
      (columns, index, partition) => {
        const key = columns.key(index);
        if (key === null || !where(key) || isExpired(key, expiredBefore.get(partition))) return;
        let offsets = newest.get(partition);
        if (offsets === undefined) newest.set(partition, (offsets = new Map<BinaryString, number>()));
        if (columns.value(index) === null) offsets.delete(key);
        else offsets.set(detachBinary(key), columns.offsets[index]!);
      },
      pass(0),
    );
    let rows = 0;
    if (limit <= 0) return rows;
    await readRecords(
      client,
      spans,
      (columns, index, partition) => {
        const key = columns.key(index);
        const offset = columns.offsets[index]!;
        if (key === null || newest.get(partition)?.get(key) !== offset) return true;
        const value = detachBinary(columns.value(index)!);
        const goesOn = ++rows < limit;
        const row = {
          partition,
          offset,
          timestamp: columns.timestamps[index]!,
          key: detachBinary(key),
          value,
        };
        const visited = visit(row);
        return visited === undefined ? goesOn : visited.then(() => goesOn);
      },
      pass(1),
    );
    return rows;
  } finally {
    await client.close();
  }
}

/** By partition: rows of an earlier time are expired. */
async function expiryBounds(
  { admin }: BrokerClient,
  { applicationId, expiry }: DumpChangelogOptions,
): Promise<ReadonlyMap<number, number>> {
  const bounds = new Map<number, number>();
  if (expiry === undefined) return bounds;
  const clock = shortHash(expiry.clock);
  for (const [key, { metadata }] of await admin.committedOffsets(applicationId, null, {
    requireStable: false,
  })) {
    const time = decodeOffsetMetadata(metadata)?.clocks.get(clock);
    if (time === undefined) continue;
    const { partition } = parseTopicPartition(key);
    bounds.set(partition, Math.max(bounds.get(partition) ?? -Infinity, time - expiry.retentionMs));
  }
  return bounds;
}

function isExpired(key: BinaryString, before: number | undefined): boolean {
  if (before === undefined) return false;
  const suffix = suffixOfKey(key);
  return suffix.length >= TIME_BYTES && readOrderedTime(suffix, 0) < before;
}

/** From its start to the end of what is committed. @throws MillraceError MILLRACE_TOPIC_MISSING, MILLRACE_INVALID_CONFIG */
async function changelogSpans(
  { admin }: BrokerClient,
  topic: string,
  wanted: readonly number[] | undefined,
): Promise<RecordSpan[]> {
  const description = (await admin.describeTopics([topic])).get(topic);
  if (description === undefined) {
    throw new FatalError({
      code: 'MILLRACE_TOPIC_MISSING',
      message: `The changelog topic "${topic}" does not exist.`,
      remedy:
        'Check the id of the application and the name of the store. Stores without logging have none; a table may have its source topic as changelog: name it.',
      context: { topics: [topic] },
    });
  }
  const count = description.partitionCount;
  const missing = wanted?.filter((partition) => partition >= count) ?? [];
  if (missing.length > 0) {
    throw new FatalError({
      code: 'MILLRACE_INVALID_CONFIG',
      message: `The topic "${topic}" has ${count} partitions, not ${missing.join(', ')}.`,
      remedy: `Name partitions from 0 to ${count - 1}.`,
    });
  }
  const partitions: TopicPartition[] = (wanted ?? Array.from({ length: count }, (_, at) => at)).map(
    (partition) => ({ topic, partition }),
  );
  const [starts, ends] = await Promise.all([
    admin.offsets(partitions, 'earliest', 'read_committed'),
    admin.offsets(partitions, 'latest', 'read_committed'),
  ]);
  return partitions.map(({ partition }) => {
    const key = formatTopicPartition(topic, partition);
    return { topic, partition, from: starts.get(key) ?? 0, to: ends.get(key) ?? 0 };
  });
}
