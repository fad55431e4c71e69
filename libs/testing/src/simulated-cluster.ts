// Owns what the driver asks of the simulated cluster: topics, appends, what is committed and what of it is consumed. It reads each
// record of a log once; it knows no test API.
import { createMemoryCluster } from '#libs/broker-memory';
import type { LoggedRecord, MemoryCluster, SimulatedProcess } from '#libs/broker-memory';
import { formatTopicPartition } from '#libs/core';
import type { BinaryString, Clock, RecordHeader, TopicPartition } from '#libs/core';
import { bytesFromBinary } from '#libs/serde';

/** What has been read of a partition. */
interface Tail {
  /** Committed and read up to here. */
  stableOffset: number;
  /** Of the last committed data record; -1: there is none. Markers and aborted records are nobody's to consume. */
  lastOffset: number;
  /** Read and not yet handed over. */
  fresh: LoggedRecord[];
}

export interface CommittedOffsetView {
  readonly offset: number;
  readonly metadata: string | null;
}

/** Event times of tests are of any time, and stay. */
const TOPIC_DEFAULTS = {
  'retention.ms': '-1',
  'message.timestamp.after.max.ms': String(Number.MAX_SAFE_INTEGER),
};

export class SimulatedCluster {
  readonly #cluster: MemoryCluster;
  readonly #tails = new Map<string, Tail>();

  constructor(clock: Clock) {
    this.#cluster = createMemoryCluster({ clock, topicDefaults: TOPIC_DEFAULTS });
  }

  createTopic(name: string, partitionCount: number): void {
    this.#cluster.topics.create(name, partitionCount);
  }

  /** `undefined`: no such topic. */
  partitionCount(topic: string): number | undefined {
    const count = this.#cluster.inspect.partitionCount(topic);
    return count < 0 ? undefined : count;
  }

  topics(): readonly string[] {
    return this.#cluster.inspect.topicNames();
  }

  /** As a producer without transactions. Gives the offset of the record. */
  append(
    { topic, partition }: TopicPartition,
    record: {
      readonly key: BinaryString | null;
      readonly value: BinaryString | null;
      readonly timestamp: number;
      readonly headers: readonly RecordHeader[];
    },
  ): number {
    const { key, value, timestamp, headers } = record;
    return this.#cluster.topics.append(topic, partition, [
      {
        key: key === null ? null : bytesFromBinary(key),
        value: value === null ? null : bytesFromBinary(value),
        timestamp,
        headers,
      },
    ]);
  }

  /** Records committed since the last call for the partition. */
  takeCommitted(topic: string, partition: number): readonly LoggedRecord[] {
    const tail = this.#tail(topic, partition);
    if (tail.fresh.length === 0) return tail.fresh;
    const { fresh } = tail;
    tail.fresh = [];
    return fresh;
  }

  /** All committed records of a topic. */
  committedRecords(topic: string): LoggedRecord[] {
    const count = this.partitionCount(topic) ?? 0;
    const partitions = Array.from({ length: count }, (_, partition) => partition);
    return partitions.flatMap((partition) => this.#cluster.inspect.records(topic, partition));
  }

  /** Are all committed records of these partitions below the group's committed offsets? Gives those that are not. */
  unconsumed(group: string, partitions: readonly TopicPartition[]): TopicPartition[] {
    const committed = this.#cluster.inspect.committedOffsets(group);
    return partitions.filter(({ topic, partition }) => {
      const { lastOffset } = this.#tail(topic, partition);
      if (lastOffset < 0) return false;
      return (committed.get(formatTopicPartition(topic, partition))?.offset ?? 0) <= lastOffset;
    });
  }

  hasOpenTransaction(): boolean {
    return this.#cluster.inspect.openTransactions().length > 0;
  }

  /** By `formatTopicPartition`. */
  committedOffsets(group: string): ReadonlyMap<string, CommittedOffsetView> {
    return this.#cluster.inspect.committedOffsets(group);
  }

  process(clientId: string): SimulatedProcess {
    return this.#cluster.process(clientId);
  }

  #tail(topic: string, partition: number): Tail {
    const name = formatTopicPartition(topic, partition);
    let tail = this.#tails.get(name);
    if (tail === undefined) {
      tail = { stableOffset: 0, lastOffset: -1, fresh: [] };
      this.#tails.set(name, tail);
    }
    const { lastStableOffset } = this.#cluster.inspect.ends(topic, partition);
    if (lastStableOffset > tail.stableOffset) {
      const records = this.#cluster.inspect.records(topic, partition, 'read_committed', tail.stableOffset);
      for (const record of records) tail.fresh.push(record);
      tail.lastOffset = records.at(-1)?.offset ?? tail.lastOffset;
      tail.stableOffset = lastStableOffset;
    }
    return tail;
  }
}
