// Owns publishing the shop's records as its other services would: with kafkajs, in the order of their times.
import { setTimeout as delay } from 'node:timers/promises';
import { Partitioners } from 'kafkajs';
import type { Kafka, Producer, TopicMessages } from 'kafkajs';
import type { Message } from './days.ts';

const BATCH_RECORDS = 500;
const BATCHES_PER_SECOND = 20;

export class Publisher implements AsyncDisposable {
  readonly #producer: Producer;

  private constructor(producer: Producer) {
    this.#producer = producer;
  }

  static async connect(kafka: Kafka): Promise<Publisher> {
    // Idempotent: a retry after a lost answer does not publish twice.
    const producer = kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    return new Publisher(producer);
  }

  /** `perSecond` `null`: as fast as it goes. */
  async publish(all: readonly Message[], perSecond: number | null, signal: AbortSignal): Promise<void> {
    const size = perSecond === null ? BATCH_RECORDS : Math.max(1, Math.round(perSecond / BATCHES_PER_SECOND));
    for (let from = 0; from < all.length && !signal.aborted; from += size) {
      await this.#producer.sendBatch({ acks: -1, topicMessages: byTopic(all.slice(from, from + size)) });
      if (perSecond !== null) await delay(1_000 / BATCHES_PER_SECOND);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#producer.disconnect();
  }
}

function byTopic(messages: readonly Message[]): TopicMessages[] {
  const topics = new Map<string, TopicMessages>();
  for (const { topic, key, value, timestamp } of messages) {
    const of = topics.get(topic) ?? { topic, messages: [] };
    of.messages.push({ key, value, timestamp: String(timestamp) });
    topics.set(topic, of);
  }
  return [...topics.values()];
}
