// Owns creating topics for specs, from outside: with kafkajs, and ready to use when it returns.
import { setTimeout as delay } from 'node:timers/promises';

// Node finds only some names of this CommonJS package; its errors come with the whole.
import kafkajs, { Kafka, logLevel } from 'kafkajs';
import type { ITopicConfig, KafkaConfig } from 'kafkajs';

/**
 * Creates the topics and waits until the broker leads all their partitions. KafkaJS's own waiting fails on a broker
 * that has not heard of a topic yet.
 */
export async function createTopics(
  address: string,
  topics: ITopicConfig[],
  config: Partial<KafkaConfig> = {},
): Promise<void> {
  const admin = new Kafka({ brokers: [address], logLevel: logLevel.NOTHING, ...config }).admin();
  await admin.connect();
  try {
    await admin.createTopics({ topics, waitForLeaders: false });
    for (const { topic } of topics) {
      for (let attempt = 1; ; attempt++) {
        try {
          await admin.fetchTopicOffsets(topic);
          break;
        } catch (error) {
          if (attempt === 50 || !(error instanceof kafkajs.KafkaJSError)) throw error;
          await delay(100);
        }
      }
    }
  } finally {
    await admin.disconnect();
  }
}
