// Owns the outside of a lesson: a client that knows nothing of Millrace creates the topics and publishes the input, as other services would.
import { setTimeout as delay } from 'node:timers/promises';
// Node finds only some names of this CommonJS package; its errors come with the whole.
import kafkajs, { Kafka, logLevel } from 'kafkajs';
import type { Admin, ITopicConfig } from 'kafkajs';

const ATTEMPTS = 50;
const PAUSE_MS = 100;

/** It says nothing of itself: what goes wrong is thrown. */
export function outsideClient(brokers: readonly string[], clientId: string): Kafka {
  return new Kafka({ clientId, brokers: [...brokers], logLevel: logLevel.NOTHING });
}

/**
 * Creates those of the topics that are missing.
 * @throws Error when one is there with another number of partitions.
 */
export async function createTopics(
  admin: Admin,
  configs: readonly (ITopicConfig & { readonly numPartitions: number })[],
): Promise<void> {
  const present = new Set(await admin.listTopics());
  const missing = configs.filter(({ topic }) => !present.has(topic));
  await admin.createTopics({ topics: missing, waitForLeaders: false });
  const topics = configs.map(({ topic }) => topic);
  // A broker may not have heard yet of a topic that was created this moment.
  const metadata = await whileRetriable(() => admin.fetchTopicMetadata({ topics }));
  for (const { name, partitions } of metadata.topics) {
    const wanted = configs.find(({ topic }) => topic === name)?.numPartitions;
    if (wanted === undefined || partitions.length === wanted) continue;
    throw new Error(
      `Topic '${name}' has ${partitions.length} partitions, not ${wanted}. Delete it, or use another broker.`,
    );
  }
}

/** Runs `ask` again while it fails with an error that passes: a topic not known yet, a partition not led yet. */
export async function whileRetriable<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      if (attempt === ATTEMPTS || !(error instanceof kafkajs.KafkaJSError) || !error.retriable) throw error;
      await delay(PAUSE_MS);
    }
  }
}
