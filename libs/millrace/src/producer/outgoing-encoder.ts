// Owns how records to be published become batches by partition: serdes, the partition of a key as Kafka's clients choose it, sizes. It sends
// nothing.
import { RecordBatchEncoder, encodeHeaders, partitionForKey } from '#libs/broker';
import type { BrokerClient, EncodedBatch } from '#libs/broker';
import { FatalError, MillraceError, asError } from '#libs/core';
import type { BinaryString, Clock, RecordHeader } from '#libs/core';
import { compileCodec, prepareSerdes } from '#libs/serde';
import type { Serde } from '#libs/serde';

export interface OutgoingRecord<K, V> {
  /** `null`: the partitions take turns, call by call. */
  readonly key: K | null;
  /** `null`: a tombstone. */
  readonly value: V | null;
  /** Default: that of the key. */
  readonly partition?: number;
  /** Milliseconds since the Unix epoch. Default now. */
  readonly timestamp?: number;
  readonly headers?: readonly RecordHeader[];
}

export interface Outgoing<K, V> {
  readonly topic: string;
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
  readonly records: readonly OutgoingRecord<K, V>[];
}

export interface OutgoingBatch {
  readonly topic: string;
  readonly partition: number;
  readonly batch: EncodedBatch;
}

const RECORD_BYTES_MAX = 1024 * 1024 - 1024;
const BATCH_BYTES = 512 * 1024;

export class OutgoingEncoder {
  private readonly clock: Clock;
  private readonly recordBytesMax: number;
  /** Partition for the next call's records without a key, by topic. */
  private readonly turns = new Map<string, number>();

  constructor(clock: Clock, recordBytesMax: number = RECORD_BYTES_MAX) {
    this.clock = clock;
    this.recordBytesMax = recordBytesMax;
  }

  /** All of them, or an error: nothing is half encoded. */
  async encode<K, V>(outgoing: Outgoing<K, V>, client: BrokerClient): Promise<OutgoingBatch[]> {
    const { topic, records } = outgoing;
    if (records.length === 0) return [];
    await this.prepare(outgoing);
    const count = await client.partitionCount(topic);
    const turn = this.turns.get(topic) ?? 0;
    this.turns.set(topic, turn + 1);
    const encoders = new Map<number, RecordBatchEncoder>();
    const batches: OutgoingBatch[] = [];
    const finish = (partition: number, encoder: RecordBatchEncoder): void => {
      const batch = encoder.finish();
      if (batch !== undefined) batches.push({ topic, partition, batch });
    };
    const [keys, values] = [compileCodec(outgoing.keySerde), compileCodec(outgoing.valueSerde)];
    for (const record of records) {
      const key =
        record.key === null ? null : this.serialised(topic, 'key', () => keys.toBinary(record.key!));
      const value =
        record.value === null ? null : this.serialised(topic, 'value', () => values.toBinary(record.value!));
      const partition = record.partition ?? (key === null ? turn % count : partitionForKey(key, count));
      checkPartition(topic, partition, count);
      let encoder = encoders.get(partition);
      if (encoder === undefined) encoders.set(partition, (encoder = new RecordBatchEncoder()));
      if (encoder.size >= BATCH_BYTES) finish(partition, encoder);
      const headers = record.headers === undefined ? undefined : encodeHeaders(record.headers);
      const size = encoder.append(record.timestamp ?? this.clock.now(), key, value, headers);
      if (size > this.recordBytesMax) throw tooLarge(topic, partition, size, this.recordBytesMax);
    }
    for (const [partition, encoder] of encoders) finish(partition, encoder);
    return batches;
  }

  /** Serdes that look something up, such as a schema, do so before the first record of a topic. */
  private async prepare<K, V>({ topic, keySerde, valueSerde }: Outgoing<K, V>): Promise<void> {
    const use = { topic, kind: 'external', reads: false, writes: true } as const;
    for (const [serde, part] of [
      [keySerde as Serde<unknown>, 'key'],
      [valueSerde as Serde<unknown>, 'value'],
    ] as const) {
      if (serde.prepare !== undefined || serde.inner !== undefined)
        await prepareSerdes([[serde, { ...use, part }]]);
    }
  }

  private serialised(topic: string, part: 'key' | 'value', encode: () => BinaryString): BinaryString {
    try {
      return encode();
    } catch (cause) {
      if (cause instanceof MillraceError) throw cause;
      throw new FatalError({
        code: 'MILLRACE_SERIALIZATION_FAILED',
        message: `The ${part} of a record for topic "${topic}" could not be serialised: ${asError(cause).message}`,
        remedy: 'Give the topic the serde of what is sent to it.',
        cause,
        context: { topic },
      });
    }
  }
}

function checkPartition(topic: string, partition: number, count: number): void {
  if (Number.isInteger(partition) && partition >= 0 && partition < count) return;
  throw new MillraceError({
    code: 'MILLRACE_INVALID_CONFIG',
    message: `The topic "${topic}" has no partition ${partition}: it has ${count}, counted from 0.`,
    remedy: 'Leave the partition out: then it is that of the key.',
    context: { topic, partition, count },
  });
}

function tooLarge(topic: string, partition: number, size: number, limit: number): FatalError {
  return new FatalError({
    code: 'MILLRACE_RECORD_TOO_LARGE',
    message: `A record for ${topic}-${partition} has ${size} bytes, and at most ${limit} are accepted.`,
    remedy: 'Make it smaller, or raise recordBytesMax and the topic’s max.message.bytes.',
    context: { topic, partition, size, limit },
  });
}
