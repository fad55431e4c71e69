// Owns what the harness itself asks of the broker: topics, and how far a group has committed.
import { setTimeout as delay } from 'node:timers/promises';

import kafkajs, { AssignerProtocol, Kafka, logLevel } from 'kafkajs';
import type { Admin } from 'kafkajs';

import { createBrokerClient } from '#libs/broker';
import type { BrokerClient } from '#libs/broker';
import { silentLogger, systemClock } from '#libs/core';
import { createKafkaRpc } from '#libs/kafka';

export class BenchCluster {
  readonly bootstrapServers: string;
  readonly #admin: Admin;
  /** For what KafkaJS does not know: groups whose tasks the broker assigns. */
  readonly #client: BrokerClient;

  constructor(bootstrapServers: readonly string[]) {
    this.bootstrapServers = bootstrapServers.join(',');
    const kafka = new Kafka({
      clientId: 'bench',
      brokers: [...bootstrapServers],
      logLevel: logLevel.NOTHING,
    });
    this.#admin = kafka.admin();
    const rpc = createKafkaRpc(
      { brokers: [...bootstrapServers], clientId: 'bench' },
      { clock: systemClock, logger: silentLogger },
    );
    this.#client = createBrokerClient({ rpc });
  }

  async connect(): Promise<void> {
    await this.#admin.connect();
    // The group coordinator's topic is made at the first question, not in the first run.
    await this.committed('bench-warmup', ['none']).catch(() => 0);
  }

  async close(): Promise<void> {
    await this.#admin.disconnect();
    await this.#client.close();
  }

  async createTopic(topic: string, partitions: number): Promise<void> {
    const configEntries = [
      // The input's timestamps lie in the past.
      { name: 'retention.ms', value: '-1' },
      { name: 'compression.type', value: 'producer' },
    ];
    const topics = [{ topic, numPartitions: partitions, configEntries }];
    await this.#admin.createTopics({ topics, waitForLeaders: false, timeout: 20_000 });
    // KafkaJS's own waiting fails when the first broker asked has not heard of the topic yet.
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#admin.fetchTopicMetadata({ topics: [topic] });
        return;
      } catch (error) {
        if (attempt === 50 || !(error instanceof kafkajs.KafkaJSError)) throw error;
        await delay(100);
      }
    }
  }

  /** Who has which partition of `topic`, by member id, as the group's coordinator says; empty while it rebalances. */
  async owners(group: string, topic: string): Promise<ReadonlyMap<number, string>> {
    const owners = new Map<number, string>();
    const { groups } = await this.#admin.describeGroups([group]);
    for (const { memberId, memberAssignment } of groups[0]?.members ?? []) {
      if (memberAssignment.length === 0) continue;
      const decoded = AssignerProtocol.MemberAssignment.decode(memberAssignment);
      for (const partition of decoded?.assignment[topic] ?? []) owners.set(partition, memberId);
    }
    return owners;
  }

  /** As `owners`, of a streams group (KIP-1071) whose topology is one sub-topology: its task 0_3 is about partition 3. */
  async streamsOwners(group: string): Promise<ReadonlyMap<number, string>> {
    const owners = new Map<number, string>();
    const view = await this.#client.admin.describeStreamsGroup(group);
    for (const { memberId, assigned } of view?.members ?? []) {
      for (const task of assigned.active) owners.set(Number(task.split('_')[1]), memberId);
    }
    return owners;
  }

  /** Records of `topics` that `group` has committed: the sum of its committed offsets, as the topics begin at 0. */
  async committed(group: string, topics: readonly string[]): Promise<number> {
    const answers = await this.#admin.fetchOffsets({ groupId: group, topics: [...topics] });
    let sum = 0;
    for (const { partitions } of answers) {
      for (const { offset } of partitions) sum += Math.max(0, Number(offset));
    }
    return sum;
  }
}
