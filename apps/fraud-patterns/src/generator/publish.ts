// Owns publishing the day as the card terminals' network would: with kafkajs, in the order of arrival.
import { setTimeout as delay } from 'node:timers/promises';
import { Partitioners } from 'kafkajs';
import type { Kafka, Message, Producer } from 'kafkajs';
import { TOPICS } from '../data/topics.ts';
import { SPENDING_LIMIT } from '../data/transaction.ts';
import type { SpendingLimitRule, Transaction } from '../data/transaction.ts';
import { signOffs } from './sign-offs.ts';

const BATCH_RECORDS = 1_000;
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

  async rule(rule: SpendingLimitRule): Promise<void> {
    await this.#send(TOPICS.rules, [{ key: SPENDING_LIMIT, value: JSON.stringify(rule) }]);
  }

  /** `perSecond` `null`: as fast as it goes. */
  async transactions(
    all: readonly Transaction[],
    perSecond: number | null,
    signal: AbortSignal,
  ): Promise<void> {
    const size = perSecond === null ? BATCH_RECORDS : Math.max(1, Math.round(perSecond / BATCHES_PER_SECOND));
    for (let from = 0; from < all.length && !signal.aborted; from += size) {
      await this.#send(TOPICS.transactions, all.slice(from, from + size).map(messageOf));
      if (perSecond !== null) await delay(1_000 / BATCHES_PER_SECOND);
    }
  }

  /** The day is over: event time may go past it, in every partition. */
  async endOfDay(endsAt: number): Promise<void> {
    await this.#send(TOPICS.transactions, signOffs(endsAt).map(messageOf));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#producer.disconnect();
  }

  async #send(topic: string, messages: Message[]): Promise<void> {
    await this.#producer.send({ topic, acks: -1, messages });
  }
}

function messageOf(transaction: Transaction): Message {
  return { key: transaction.card, value: JSON.stringify(transaction) };
}
