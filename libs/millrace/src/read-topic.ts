// Owns reading a topic from its beginning as a plain client: no group, no offsets, no state. For checks, tools and boards, not for
// processing.
import { RecordColumns } from '#libs/broker';
import type { FetchedChunk, IsolationLevel, RecordReader } from '#libs/broker';
import { FatalError, formatTopicPartition, silentLogger, systemClock } from '#libs/core';
import type { Logger, RecordOrigin, TopicPartition } from '#libs/core';
import { SchemaPending, compileCodec, detachBinary } from '#libs/serde';
import type { Codec, Serde } from '#libs/serde';
import { connect } from './connect.ts';
import type { KafkaConnection } from './connect.ts';

export interface TopicRecord<K, V> extends RecordOrigin {
  readonly key: K | null;
  /** `null`: deleted, in a topic that is a table. */
  readonly value: V | null;
}

export interface ReadTopicOptions<K, V> {
  readonly kafka: KafkaConnection;
  readonly topic: string;
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
  /**
   * True: goes on with what is published later, until `signal` is aborted. Default false: ends at the end the topic has now, once all
   * transactions before it are decided.
   */
  readonly follow?: boolean;
  readonly signal?: AbortSignal;
  /** Default `read_committed`. */
  readonly isolation?: IsolationLevel;
  readonly logger?: Logger;
}

const WAIT_MS = 500;

/**
 * The records of a topic, in the order of each partition.
 * @throws MillraceError MILLRACE_TOPIC_MISSING, MILLRACE_DESERIALIZATION_FAILED, or what stands between us and the broker.
 */
export async function* readTopic<K, V>(
  options: ReadTopicOptions<K, V>,
): AsyncGenerator<TopicRecord<K, V>, void, undefined> {
  const { topic, follow = false, signal, isolation = 'read_committed' } = options;
  const client = connect(options.kafka, 'millrace', {
    clock: systemClock,
    logger: options.logger ?? silentLogger,
  });
  try {
    const partitions = await partitionsOf(client.admin, topic);
    const starts = await client.admin.offsets(partitions, 'earliest', isolation);
    // Uncommitted, though what is read is committed: a transaction just committed may still wait for its markers.
    const ends = await client.admin.offsets(partitions, 'latest', 'read_uncommitted');
    const reader = client.createReader({ isolation });
    const wake = (): void => reader.wake();
    signal?.addEventListener('abort', wake);
    try {
      const open = new Map<number, number>();
      for (const { partition } of partitions) {
        const name = formatTopicPartition(topic, partition);
        const [start = 0, end = 0] = [starts.get(name), ends.get(name)];
        if (follow || start < end) {
          reader.assign(topic, partition, start);
          open.set(partition, follow ? Infinity : end);
        }
      }
      yield* drain(reader, open, new RecordDecoder(options.keySerde, options.valueSerde), signal);
    } finally {
      signal?.removeEventListener('abort', wake);
      await reader.close();
    }
  } finally {
    await client.close();
  }
}

async function* drain<K, V>(
  reader: RecordReader,
  open: Map<number, number>,
  decoder: RecordDecoder<K, V>,
  signal: AbortSignal | undefined,
): AsyncGenerator<TopicRecord<K, V>, void, undefined> {
  while (open.size > 0 && signal?.aborted !== true) {
    const chunk = reader.take();
    if (chunk === undefined) {
      await reader.waitForChunk(WAIT_MS);
      continue;
    }
    const end = open.get(chunk.partition) ?? 0;
    for (const record of await decoder.decode(chunk)) if (record.offset < end) yield record;
    if (chunk.nextOffset >= end) {
      open.delete(chunk.partition);
      reader.unassign(chunk.topic, chunk.partition);
    }
  }
}

async function partitionsOf(
  admin: {
    describeTopics(names: readonly string[]): Promise<ReadonlyMap<string, { partitionCount: number }>>;
  },
  topic: string,
): Promise<TopicPartition[]> {
  const description = (await admin.describeTopics([topic])).get(topic);
  if (description === undefined) {
    throw new FatalError({
      code: 'MILLRACE_TOPIC_MISSING',
      message: `The topic "${topic}" does not exist.`,
      remedy: 'Create it, or read another.',
      context: { topics: [topic] },
    });
  }
  return Array.from({ length: description.partitionCount }, (_, partition) => ({ topic, partition }));
}

class RecordDecoder<K, V> {
  private readonly key: Codec<K>;
  private readonly value: Codec<V>;
  private readonly columns = new RecordColumns();

  constructor(keySerde: Serde<K>, valueSerde: Serde<V>) {
    this.key = compileCodec(keySerde);
    this.value = compileCodec(valueSerde);
  }

  async decode(chunk: FetchedChunk): Promise<TopicRecord<K, V>[]> {
    for (;;) {
      try {
        return this.decodeNow(chunk);
      } catch (error) {
        if (!(error instanceof SchemaPending)) throw error;
        await error.ready;
      }
    }
  }

  private decodeNow({ topic, partition, batches, startOffset }: FetchedChunk): TopicRecord<K, V>[] {
    const records: TopicRecord<K, V>[] = [];
    const { columns, key, value } = this;
    for (const batch of batches) {
      columns.decode(batch, startOffset);
      for (let i = 0; i < columns.count; i++) {
        records.push({
          topic,
          partition,
          offset: columns.offsets[i]!,
          timestamp: columns.timestamps[i]!,
          key: this.part(key, columns.keyStart[i]!, columns.keyEnd[i]!, columns.asciiKeys),
          value: this.part(value, columns.valueStart[i]!, columns.valueEnd[i]!, columns.asciiValues),
        });
      }
    }
    return records;
  }

  private part<T>(codec: Codec<T>, start: number, end: number, ascii: boolean): T | null {
    if (start < 0) return null;
    // Detached: the caller may keep it, and must not keep its batch with it.
    return codec.fromBinary(detachBinary(this.columns.text.substring(start, end) as never), ascii);
  }
}
