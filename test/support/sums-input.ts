// Owns the input of the sums application and the check of its output by Kafka's own consumer. Record i has key `k<i % KEYS>`
// and value i.
import { expect } from '@jest/globals';
import { Kafka, Partitioners, logLevel } from 'kafkajs';
import { formatTopicPartition } from '#libs/core';
import type { BrokerClient } from '#libs/broker';
import type { SharedBroker } from './broker.ts';
import { readToEnd } from './java-reader.ts';

export const KEYS = 50;
export const PARTITIONS = 3;

type Addressed = Pick<SharedBroker, 'bootstrapServers'>;

function kafka(broker: Addressed): Kafka {
  return new Kafka({ clientId: 'spec', brokers: [...broker.bootstrapServers], logLevel: logLevel.NOTHING });
}

export async function createTopics(broker: Addressed, ...topics: string[]): Promise<void> {
  const admin = kafka(broker).admin();
  await admin.connect();
  // The records' timestamps lie years back: by default the broker deletes them in its first round of retention.
  const configEntries = [{ name: 'retention.ms', value: '-1' }];
  await admin.createTopics({
    topics: topics.map((topic) => ({ topic, numPartitions: PARTITIONS, configEntries })),
  });
  await admin.disconnect();
}

export async function produce(broker: Addressed, topic: string, from: number, count: number): Promise<void> {
  // Idempotent: without, this client doubles a batch whose answer asks for another leader.
  const producer = kafka(broker).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    idempotent: true,
  });
  await producer.connect();
  for (let start = from; start < from + count; start += 2_000) {
    const messages = [];
    for (let i = start; i < Math.min(start + 2_000, from + count); i++) {
      messages.push({ key: `k${i % KEYS}`, value: String(i), timestamp: String(1_700_000_000_000 + i) });
    }
    await producer.send({ topic, messages });
  }
  await producer.disconnect();
}

/**
 * Keys of no input, some megabytes of them, into a changelog: so that its restore takes several fetches. Resolves to their number.
 */
export async function publishPadding(broker: Addressed, changelog: string): Promise<number> {
  const producer = kafka(broker).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    idempotent: true,
  });
  await producer.connect();
  for (let batch = 0; batch < 30; batch++) {
    const messages = [];
    for (let i = 0; i < 1_000; i++) {
      const key = `padding-${batch}-${i}-`.padEnd(300, '.');
      messages.push({ key, value: '1', partition: i % PARTITIONS });
    }
    await producer.send({ topic: changelog, messages });
  }
  await producer.disconnect();
  return 30_000;
}

/** Every update of every key, once and in order, equal to a running sum of the input. */
export async function checkOutput(broker: SharedBroker, topic: string, count: number): Promise<void> {
  const records = await readToEnd(broker, topic, count);
  expect(records.length).toBe(count);
  const updates = new Map<string, number[]>();
  for (const { key, value } of records) {
    const list = updates.get(key!) ?? [];
    list.push(Number(value));
    updates.set(key!, list);
  }
  const expected = new Map<string, number[]>();
  for (let i = 0; i < count; i++) {
    const list = expected.get(`k${i % KEYS}`) ?? [];
    list.push((list.at(-1) ?? 0) + i);
    expected.set(`k${i % KEYS}`, list);
  }
  expect(updates).toEqual(expected);
}

/** Resolves when the group's committed offsets of the topic add up to `count` or more. */
export async function committed(
  client: BrokerClient,
  applicationId: string,
  topic: string,
  count: number,
  isFailed: () => Error | null = () => null,
): Promise<void> {
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition }));
  for (;;) {
    const failure = isFailed();
    if (failure !== null) throw failure;
    const offsets = await client.admin.committedOffsets(applicationId, partitions, { requireStable: false });
    let sum = 0;
    for (const partition of partitions) {
      sum += offsets.get(formatTopicPartition(partition.topic, partition.partition))?.offset ?? 0;
    }
    if (sum >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
