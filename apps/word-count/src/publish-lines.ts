// Owns publishing the story as any service around Millrace would: with kafkajs, which knows nothing of us.
import { setTimeout as delay } from 'node:timers/promises';
import { Partitioners } from 'kafkajs';
import type { Kafka } from 'kafkajs';
import { createTopics, whileRetriable } from '../../lesson-kit/src/index.ts';
import { TOPICS } from './service/topics.ts';

/** As many copies of the service can share the work. */
export const PARTITIONS = 4;

export async function withTopics(kafka: Kafka): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    await createTopics(admin, [
      { topic: TOPICS.lines, numPartitions: PARTITIONS },
      {
        topic: TOPICS.wordCounts,
        numPartitions: PARTITIONS,
        configEntries: [{ name: 'cleanup.policy', value: 'compact' }],
      },
    ]);
  } finally {
    await admin.disconnect();
  }
}

/** All at once. */
export async function publishOnce(kafka: Kafka, story: readonly string[]): Promise<void> {
  await publish(kafka, (send) => send(story));
}

/** Line by line, over and over, from where an earlier run stopped; until the signal. */
export async function publishForever(
  kafka: Kafka,
  story: readonly string[],
  linesPerSecond: number,
  signal: AbortSignal,
): Promise<void> {
  let next = await publishedSoFar(kafka);
  await publish(kafka, async (send) => {
    // Ten small batches a second at most.
    const batch = Math.ceil(linesPerSecond / 10);
    while (!signal.aborted) {
      await send(Array.from({ length: batch }, () => story[next++ % story.length]!));
      await delay((batch / linesPerSecond) * 1_000, undefined, { signal }).catch(() => undefined);
    }
  });
}

async function publish(
  kafka: Kafka,
  use: (send: (lines: readonly string[]) => Promise<void>) => Promise<void>,
): Promise<void> {
  // Idempotent: a retry after a lost answer does not publish twice.
  const producer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  try {
    await use(async (lines) => {
      // Without a key: the partitions take turns.
      await producer.send({ topic: TOPICS.lines, messages: lines.map((value) => ({ value })) });
    });
  } finally {
    await producer.disconnect();
  }
}

async function publishedSoFar(kafka: Kafka): Promise<number> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const offsets = await whileRetriable(() => admin.fetchTopicOffsets(TOPICS.lines));
    return offsets.reduce((sum, { high }) => sum + Number(high), 0);
  } finally {
    await admin.disconnect();
  }
}
