// Owns topics from outside: created, changed, filled and emptied at once, without a client and without a message. For tests and for
// what an operator would do.
import { encodeHeaders, RecordBatchEncoder, RecordBatchView, stampBatch } from '#libs/broker';
import { MillraceError } from '#libs/core';
import type { BinaryString, RecordHeader } from '#libs/core';
import type { ClusterCore } from '../cluster-core.ts';
import { Errors } from '../kafka-errors.ts';
import { compact } from '../log/compaction.ts';
import type { PartitionLog } from '../log/partition-log.ts';
import { applyRetention } from '../log/retention.ts';
import type { AdminHandlers } from './admin-handlers.ts';
import type { TopicState } from './topic-registry.ts';

export interface NewRecord {
  readonly key: Uint8Array | string | null;
  readonly value: Uint8Array | string | null;
  /** Milliseconds. Default now. */
  readonly timestamp?: number;
  readonly headers?: readonly RecordHeader[];
}

/** A producer that is no client of the cluster: whoever makes one numbers it, and counts its sequences. */
export interface UpstreamProducer {
  /** Above every id that the cluster gives out. */
  readonly producerId: number;
  readonly baseSequence: number;
}

const NO_PRODUCER: UpstreamProducer = { producerId: -1, baseSequence: -1 };

export class TopicAdministration {
  readonly #core: ClusterCore;
  readonly #admin: AdminHandlers;

  constructor(core: ClusterCore, admin: AdminHandlers) {
    this.#core = core;
    this.#admin = admin;
  }

  /** @throws MillraceError MILLRACE_REQUEST_FAILED what a broker would refuse too. */
  create(name: string, partitionCount = 1, configs: Readonly<Record<string, string>> = {}): void {
    const { topics } = this.#admin.createTopics({
      timeoutMs: 0,
      validateOnly: false,
      topics: [
        {
          name,
          numPartitions: partitionCount,
          replicationFactor: -1,
          configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
        },
      ],
    });
    const { errorCode, errorMessage } = topics[0]!;
    if (errorCode !== Errors.NONE)
      throw refused(`Topic "${name}" was not created: ${errorMessage ?? errorCode}`, name);
  }

  delete(name: string): void {
    this.#admin.deleteTopics({ timeoutMs: 0, names: [name] });
  }

  /** More partitions for a topic that is in use. */
  addPartitions(name: string, count: number): void {
    const topic = this.#topic(name);
    this.#core.topics.addPartitions(topic, count, topic.logs[0]!.leadership.replicas.length);
  }

  configure(name: string, changes: Readonly<Record<string, string>>): void {
    const topic = this.#topic(name);
    topic.config = topic.config.with(changes);
  }

  /** Appends records as one batch, outside any transaction. Returns the offset of the first. */
  append(name: string, partition: number, records: readonly NewRecord[]): number {
    return this.#append(name, partition, records, NO_PRODUCER);
  }

  /**
   * Appends records as one batch of a transaction of an upstream producer, which stays open until `endTransaction`. The coordinator knows
   * nothing of it. Returns the offset of the first.
   */
  appendTransactional(
    name: string,
    partition: number,
    records: readonly NewRecord[],
    producer: UpstreamProducer,
  ): number {
    return this.#append(name, partition, records, producer);
  }

  /** Writes the marker of an upstream producer's transaction. */
  endTransaction(
    name: string,
    partition: number,
    { producerId }: UpstreamProducer,
    committed: boolean,
  ): void {
    const log = this.#log(name, partition);
    this.#core.trace.note('marker', log.name, log.endOffset, producerId);
    log.appendMarker(producerId, 0, committed, 0, this.#core.clock.now());
    log.notify();
  }

  #append(
    name: string,
    partition: number,
    records: readonly NewRecord[],
    producer: UpstreamProducer,
  ): number {
    const encoder = new RecordBatchEncoder();
    const now = this.#core.clock.now();
    for (const { key, value, timestamp = now, headers = [] } of records) {
      encoder.append(timestamp, binary(key), binary(value), encodeHeaders(headers));
    }
    const batch = encoder.finish();
    const log = this.#log(name, partition);
    if (batch === undefined) return log.endOffset;
    const isTransactional = producer.producerId >= 0;
    stampBatch(batch, {
      ...producer,
      producerEpoch: isTransactional ? 0 : -1,
      isTransactional,
    });
    const { baseOffset } = log.append(new RecordBatchView(Buffer.from(batch.bytes)), now);
    this.#core.trace.note('append', log.name, baseOffset);
    log.notify();
    return baseOffset;
  }

  /**
   * What the log cleaner would do once it comes by: compacts where `cleanup.policy` says compact, deletes by age and size where it says
   * delete. Of one topic, or of all.
   */
  clean(name?: string): void {
    const now = this.#core.clock.now();
    for (const topic of name === undefined ? this.#core.topics.all() : [this.#topic(name)]) {
      for (const log of topic.logs) {
        const compacted = topic.config.compacted && compact(log, topic.config, now);
        const deleted = topic.config.deleted && applyRetention(log, topic.config, now);
        if (!compacted && !deleted) continue;
        this.#core.trace.note('clean', log.name, log.logStartOffset, log.batches.length);
        log.notify();
      }
    }
  }

  /** Records below `offset` are gone, whatever the policy. */
  deleteRecords(name: string, partition: number, offset: number): void {
    const log = this.#log(name, partition);
    log.deleteBefore(Math.min(offset, log.highWatermark));
    this.#core.trace.note('clean', log.name, log.logStartOffset);
    log.notify();
  }

  /** The brokers forget idle producers, as after `producer.id.expiration.ms`. */
  expireProducers(): void {
    for (const topic of this.#core.topics.all()) for (const log of topic.logs) log.expireProducers();
  }

  #log(name: string, partition: number): PartitionLog {
    const log = this.#topic(name).logs[partition];
    if (log === undefined) throw refused(`Topic "${name}" has no partition ${partition}`, name);
    return log;
  }

  #topic(name: string): TopicState {
    const topic = this.#core.topics.get(name);
    if (topic === undefined) throw refused(`Topic "${name}" does not exist`, name);
    return topic;
  }
}

function binary(bytes: Uint8Array | string | null): BinaryString | null {
  if (bytes === null) return null;
  const buffer =
    typeof bytes === 'string'
      ? Buffer.from(bytes)
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.toString('latin1') as BinaryString;
}

function refused(message: string, topic: string): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_REQUEST_FAILED',
    message: `${message}.`,
    remedy: 'Ask the simulated cluster for what a real one would do.',
    context: { topic },
  });
}
