// Owns everything the open epoch will write: output partitions by topic, and the batches already cut from them.
// It never sends; libs/broker's writer does, when the epoch commit hands it the batches.
//
// 1. Records are appended between `beginRecord` and the next `beginRecord`; `undoRecord` takes back the current one whole.
// 2. Batches are cut between records only.
// 3. A topic's partitions only become more, and only between epochs: within one, a key's records stay in one partition.
import { BatchBufferPool, partitionForKey } from '#libs/broker';
import type { EncodedBatch } from '#libs/broker';
import { MillraceError } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { PartitionOutput } from './partition-output.ts';
import type { BatchConsumer } from './partition-output.ts';

export interface PendingBatch {
  readonly topic: string;
  readonly partition: number;
  readonly batch: EncodedBatch;
}

/** A topic written to: its partitions, and the partition that records without a key go to for now. */
export class TopicOutput {
  readonly topic: string;
  /** Grows by `OutputCollector.grow` alone. */
  readonly partitions: readonly PartitionOutput[];
  sticky = 0;

  constructor(topic: string, partitions: readonly PartitionOutput[]) {
    this.topic = topic;
    this.partitions = partitions;
  }

  /** The default partitioner: murmur2 of the key as Kafka's clients do; without a key one partition per epoch, in turn. */
  choose(key: BinaryString | null): PartitionOutput {
    const partitions = this.partitions;
    if (partitions.length === 1) return partitions[0]!;
    return partitions[key === null ? this.sticky : partitionForKey(key, partitions.length)]!;
  }
}

/** Thrown while a record is processed when the partition count of its output topic is not known yet. */
export class TopicPending extends Error {
  readonly topic: string;

  constructor(topic: string) {
    super(`the partition count of topic "${topic}" is not known yet`);
    this.name = 'TopicPending';
    this.topic = topic;
  }
}

export class OutputCollector {
  /** Number of the record in process. */
  recordNumber = 0;
  /** The first TopicPending or SchemaPending of the record: it has to wait, whoever swallows the error. */
  awaited: Error | null = null;
  /** The sink that the record failed in; `null`: none. */
  failedSink: string | null = null;
  private readonly topics = new Map<string, TopicOutput>();
  /** New partition counts of topics, from the next epoch on. */
  private readonly growing = new Map<string, number>();
  private readonly outputs: PartitionOutput[] = [];
  /** Outputs that the record in process appended to. */
  private readonly touched: PartitionOutput[] = [];
  private cut: PendingBatch[] = [];
  private cutBytes = 0;
  private readonly pool = new BatchBufferPool();
  private readonly batchBytes: number;
  readonly recordBytesMax: number;
  private readonly consume: BatchConsumer;

  constructor(batchBytes: number, recordBytesMax: number) {
    this.batchBytes = batchBytes;
    this.recordBytesMax = recordBytesMax;
    this.consume = (topic, partition, batch) => {
      this.cut.push({ topic, partition, batch });
      this.cutBytes += batch.bytes.length;
    };
  }

  /** Makes a topic known with its partition count; known already: nothing changes. */
  addTopic(topic: string, partitionCount: number): TopicOutput {
    let output = this.topics.get(topic);
    if (output === undefined) {
      output = new TopicOutput(topic, this.makePartitions(topic, 0, partitionCount));
      this.topics.set(topic, output);
    }
    return output;
  }

  private makePartitions(topic: string, from: number, to: number): PartitionOutput[] {
    const partitions: PartitionOutput[] = [];
    for (let partition = from; partition < to; partition++) {
      partitions.push(new PartitionOutput(topic, partition, this.batchBytes, this.pool));
    }
    this.outputs.push(...partitions);
    return partitions;
  }

  /** The topics known, and their partition counts of now. */
  get partitionCounts(): ReadonlyMap<string, number> {
    return new Map([...this.topics.values()].map(({ topic, partitions }) => [topic, partitions.length]));
  }

  /** A topic has got more partitions: they are written to from the end of the open epoch on. */
  grow(topic: string, partitionCount: number): void {
    this.growing.set(topic, partitionCount);
  }

  get isGrowing(): boolean {
    return this.growing.size > 0;
  }

  /** Nothing of the open epoch was output, or all of it was cut: what comes goes by the newest partition counts. */
  endEpoch(): void {
    for (const [topic, count] of this.growing) {
      const partitions = this.topics.get(topic)!.partitions as PartitionOutput[];
      partitions.push(...this.makePartitions(topic, partitions.length, count));
    }
    this.growing.clear();
  }

  /** @throws TopicPending */
  topic(name: string): TopicOutput {
    const output = this.topics.get(name);
    if (output === undefined) throw this.await(new TopicPending(name));
    return output;
  }

  /** Notes what the record has to wait for, or that an output failed, and gives it back to be thrown. */
  await<E extends Error>(signal: E): E {
    this.awaited ??= signal;
    return signal;
  }

  beginRecord(): void {
    this.recordNumber++;
    this.awaited = null;
    this.failedSink = null;
    if (this.touched.length > 0) this.touched.length = 0;
  }

  /** Must be called before each append to `output` within a record. */
  open(output: PartitionOutput): void {
    if (output.recordNumber !== this.recordNumber) {
      output.begin(this.recordNumber);
      this.touched.push(output);
    } else {
      output.again();
    }
  }

  /** @throws RecordTooLarge when an appended record is larger than the broker takes. */
  checkSize(output: PartitionOutput, encodedBytes: number): void {
    if (encodedBytes > this.recordBytesMax)
      throw new RecordTooLarge(output.topic, encodedBytes, this.recordBytesMax);
  }

  /** Was anything appended since `beginRecord`? */
  get recordHasOutput(): boolean {
    return this.touched.length > 0;
  }

  undoRecord(): void {
    this.awaited = null;
    for (const output of this.touched) output.rollback();
    this.touched.length = 0;
  }

  /** Cuts what is full, between records. */
  cutFull(): void {
    for (const output of this.outputs) output.drain(false, this.consume);
  }

  /** Cuts everything; the epoch ends. */
  cutAll(): void {
    for (const output of this.outputs) output.drain(true, this.consume);
    for (const topic of this.topics.values()) topic.sticky = (topic.sticky + 1) % topic.partitions.length;
  }

  /** The batches cut so far, handed over. */
  takeBatches(): PendingBatch[] {
    const batches = this.cut;
    this.cut = [];
    this.cutBytes = 0;
    return batches;
  }

  /** Bytes cut and not taken plus bytes still open. */
  get bytes(): number {
    let bytes = this.cutBytes;
    for (const output of this.outputs) bytes += output.bytes;
    return bytes;
  }

  /** Drops everything: the epoch is abandoned. */
  clear(): void {
    for (const output of this.outputs) output.clear();
    for (const pending of this.cut) pending.batch.release();
    this.cut = [];
    this.cutBytes = 0;
    this.touched.length = 0;
    this.endEpoch();
  }
}

/** An output record above `recordBytesMax`: caught when appended, not when sent. */
export class RecordTooLarge extends MillraceError {
  constructor(topic: string, bytes: number, limit: number) {
    super({
      code: 'MILLRACE_RECORD_TOO_LARGE',
      message: `A record of ${bytes} bytes for topic "${topic}" is larger than the ${limit} bytes allowed.`,
      remedy: "Send smaller records, or raise recordBytesMax together with the topic's max.message.bytes.",
      context: { topic, bytes, limit },
    });
  }
}
