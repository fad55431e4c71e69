// Owns which topics there are: names, ids, partitions and who leads them. It answers no requests.
import type { BrokerNodes } from '../broker-nodes.ts';
import { newLeadership } from '../leadership.ts';
import { PartitionLog } from '../log/partition-log.ts';
import { TopicConfig } from './topic-config.ts';

export interface TopicState {
  readonly name: string;
  readonly topicId: string;
  readonly logs: PartitionLog[];
  config: TopicConfig;
}

export class TopicRegistry {
  readonly #nodes: BrokerNodes;
  readonly #newId: () => string;
  readonly #defaults: Readonly<Record<string, string>>;
  readonly #byName = new Map<string, TopicState>();
  readonly #byId = new Map<string, TopicState>();
  #placed = 0;

  constructor(nodes: BrokerNodes, newId: () => string, defaults: Readonly<Record<string, string>>) {
    this.#nodes = nodes;
    this.#newId = newId;
    this.#defaults = defaults;
  }

  get(name: string): TopicState | undefined {
    return this.#byName.get(name);
  }

  byId(topicId: string): TopicState | undefined {
    return this.#byId.get(topicId);
  }

  log(topic: string, partition: number): PartitionLog | undefined {
    return this.#byName.get(topic)?.logs[partition];
  }

  /** By name, in order of creation. */
  all(): IterableIterator<TopicState> {
    return this.#byName.values();
  }

  /** The configuration must be valid, the name free. */
  create(
    name: string,
    partitionCount: number,
    replicationFactor: number,
    configs: ReadonlyMap<string, string>,
  ): TopicState {
    const config = new TopicConfig(configs, this.#defaults);
    const topic: TopicState = { name, topicId: this.#newId(), logs: [], config };
    this.#byName.set(name, topic);
    this.#byId.set(topic.topicId, topic);
    this.addPartitions(topic, partitionCount, replicationFactor);
    return topic;
  }

  addPartitions(topic: TopicState, count: number, replicationFactor: number): void {
    for (let i = 0; i < count; i++) {
      const replicas = this.#nodes.place(this.#placed++, replicationFactor);
      const leadership = newLeadership(replicas, (nodeId) => this.#nodes.isUp(nodeId));
      topic.logs.push(new PartitionLog(topic.name, topic.logs.length, leadership));
    }
  }

  delete(name: string): TopicState | undefined {
    const topic = this.#byName.get(name);
    if (topic === undefined) return undefined;
    this.#byName.delete(name);
    this.#byId.delete(topic.topicId);
    return topic;
  }
}
