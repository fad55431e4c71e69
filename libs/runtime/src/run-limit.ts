// Owns the end of a bounded run (`until: latest`): the ends of the application's inputs at start, and whether all up to them,
// and all that it caused in repartition topics, is processed and committed.
import type { BrokerClient } from '#libs/broker';
import { formatTopicPartition } from '#libs/core';
import type { TopicPartition } from '#libs/core';
import type { ClusterLayout } from './cluster-layout.ts';
import type { TaskRegistry } from './task-registry.ts';

export class RunLimit {
  private readonly layout: ClusterLayout;
  private readonly client: BrokerClient;
  private readonly registry: TaskRegistry;
  /** By `formatTopicPartition`, external inputs only. */
  private ends: ReadonlyMap<string, number> = new Map();

  constructor(layout: ClusterLayout, client: BrokerClient, registry: TaskRegistry) {
    this.layout = layout;
    this.client = client;
    this.registry = registry;
  }

  async start(): Promise<void> {
    const inputs: TopicPartition[] = [];
    for (const topic of this.layout.subscribedTopics()) {
      if (this.layout.isRepartition(topic)) continue;
      const count = this.layout.partitionCounts.get(topic) ?? 0;
      for (let partition = 0; partition < count; partition++) inputs.push({ topic, partition });
    }
    this.ends = await this.client.admin.offsets(inputs, 'latest', 'read_committed');
  }

  /**
   * To be asked when nothing is uncommitted. Tasks that other instances run are theirs to finish, so a topology with repartition
   * topics is run to its end by one instance only: what another sends to a task that has ended comes too late.
   */
  async isReached(): Promise<boolean> {
    if (!this.registry.isComplete) return false;
    const repartitions: { topic: string; partition: number; position: number }[] = [];
    let tasks = 0;
    for (const task of this.registry.tasks) {
      tasks++;
      for (const queue of task.group.queues) {
        const end = this.ends.get(formatTopicPartition(queue.topic, queue.partition));
        if (end !== undefined && queue.position < end) return false;
        if (end === undefined)
          repartitions.push({ topic: queue.topic, partition: queue.partition, position: queue.position });
      }
    }
    if (tasks === 0) return false;
    if (repartitions.length === 0) return true;
    const ends = await this.client.admin.offsets(repartitions, 'latest', 'read_committed');
    return repartitions.every(
      ({ topic, partition, position }) => position >= (ends.get(formatTopicPartition(topic, partition)) ?? 0),
    );
  }
}
