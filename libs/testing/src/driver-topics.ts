// Owns the topics of a driver: which there are, what is piped into them, what they received. It lets nothing run.
import { partitionForKey } from '#libs/broker';
import { MillraceError, formatTopicPartition } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { userTopics } from '#libs/topology';
import type { Topology } from '#libs/topology';
import { partitionMissing, topicMissing } from './errors.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';
import { TopicRecords } from './test-records.ts';
import type { EncodedInput } from './test-topics.ts';

/** Of every topic, or by topic; one without. */
export type PartitionCounts = number | Readonly<Record<string, number>>;

export class DriverTopics {
  readonly #cluster: SimulatedCluster;
  readonly #partitions: PartitionCounts;
  readonly #received = new Map<string, TopicRecords>();
  /** Partition for the next record without a key, by topic. */
  readonly #turns = new Map<string, number>();
  /** Offsets of what was piped and not yet seen in its topic: not what the topology wrote. */
  readonly #piped = new Set<string>();

  constructor(cluster: SimulatedCluster, partitions: PartitionCounts) {
    this.#cluster = cluster;
    this.#partitions = partitions;
  }

  /** The user's topics, and those that the test names. @throws MillraceError MILLRACE_INVALID_CONFIG */
  createAll(topology: Topology): void {
    for (const name of userTopics(topology)) this.create(name);
    for (const { topic } of topology.globalStores) this.create(topic);
    if (typeof this.#partitions === 'object')
      for (const name of Object.keys(this.#partitions)) this.create(name);
  }

  /** Does nothing for one that is there. */
  create(name: string): void {
    if (this.#cluster.partitionCount(name) !== undefined) return;
    const count = typeof this.#partitions === 'number' ? this.#partitions : (this.#partitions[name] ?? 1);
    if (!Number.isInteger(count) || count < 1) {
      throw new MillraceError({
        code: 'MILLRACE_INVALID_CONFIG',
        message: `The topic "${name}" cannot have ${count} partitions.`,
        remedy: 'Give a whole number, 1 or more.',
        context: { topic: name, partitions: count },
      });
    }
    this.#cluster.createTopic(name, count);
  }

  /** @throws MillraceError MILLRACE_TOPIC_MISSING */
  check(name: string): void {
    if (this.#cluster.partitionCount(name) === undefined) throw topicMissing(name, this.#cluster.topics());
  }

  /** @throws MillraceError MILLRACE_INVALID_CONFIG the record names a partition that is not there. */
  append(topic: string, record: EncodedInput): void {
    const count = this.#cluster.partitionCount(topic)!;
    const partition = record.partition ?? this.#choosePartition(topic, record.key, count);
    if (!Number.isInteger(partition) || partition < 0 || partition >= count)
      throw partitionMissing(topic, partition, count);
    const offset = this.#cluster.append({ topic, partition }, record);
    this.#piped.add(`${formatTopicPartition(topic, partition)}@${offset}`);
  }

  #choosePartition(topic: string, key: BinaryString | null, count: number): number {
    if (key !== null) return partitionForKey(key, count);
    const turn = this.#turns.get(topic) ?? 0;
    this.#turns.set(topic, (turn + 1) % count);
    return turn;
  }

  /** Takes over what was committed since the last time, so that reading needs no waiting. */
  collect(): void {
    for (const topic of this.#cluster.topics()) {
      let records = this.#received.get(topic);
      if (records === undefined) {
        records = new TopicRecords();
        this.#received.set(topic, records);
      }
      const count = this.#cluster.partitionCount(topic)!;
      for (let partition = 0; partition < count; partition++) {
        for (const record of this.#cluster.takeCommitted(topic, partition)) {
          if (this.#piped.delete(`${formatTopicPartition(topic, partition)}@${record.offset}`)) continue;
          records.add(partition, record);
        }
      }
    }
  }

  /** What the topology wrote to a topic, as collected. @throws MillraceError MILLRACE_TOPIC_MISSING */
  received(topic: string): TopicRecords {
    const records = this.#received.get(topic);
    if (records === undefined) throw topicMissing(topic, this.#cluster.topics());
    return records;
  }

  /** Topics that have received something. */
  get produced(): readonly string[] {
    return [...this.#received].filter(([, records]) => records.all.length > 0).map(([name]) => name);
  }
}
