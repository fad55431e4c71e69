// Owns publishing outside of a topology: from a controller, a job, a test. It has a client of its own, opened when first needed.
//
// 1. `send` is idempotent: what one call publishes is written once, in the order given, however often a request was repeated.
// 2. `transaction` is all or nothing: what `work` publishes is seen by readers of committed records whole or not at all.
// 3. Neither has a part in an application's epochs: what must be exactly once with a record that is processed is published by the topology.
import { randomUUID } from 'node:crypto';
import type { BrokerClient, Compression, IdempotentWriter, TransactionalWriter } from '#libs/broker';
import { MillraceError, silentLogger, systemClock } from '#libs/core';
import type { Clock, Logger } from '#libs/core';
import { connect } from '../connect.ts';
import type { KafkaConnection } from '../connect.ts';
import { OutgoingEncoder } from './outgoing-encoder.ts';
import type { Outgoing, OutgoingBatch } from './outgoing-encoder.ts';

export interface RecordProducerOptions {
  /** How to reach Kafka, in KafkaJS's shape; or a `SimulatedKafka`. */
  readonly kafka: KafkaConnection;
  /** Named in the broker's logs, where `kafka` names none. Default `millrace-producer`. */
  readonly clientId?: string;
  /**
   * Of transactions. Two producers with the same one fence each other. Default: the client id and a random part, so that every process
   * has its own.
   */
  readonly transactionalId?: string;
  /** Default 60,000. */
  readonly transactionTimeoutMs?: number;
  /** Default `none`. */
  readonly compression?: Compression;
  /** Largest record accepted. Default 1 MiB less 1 KiB, as the broker's. */
  readonly recordBytesMax?: number;
  readonly logger?: Logger;
  /** For tests. */
  readonly clock?: Clock;
}

/** An open transaction. */
export interface ProducerTransaction {
  /** Publishes in the transaction; resolves before the broker has answered. */
  readonly send: <K, V>(outgoing: Outgoing<K, V>) => Promise<void>;
}

interface Waiting {
  readonly batches: readonly OutgoingBatch[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class RecordProducer {
  private readonly options: RecordProducerOptions;
  private readonly clientId: string;
  private readonly encoder: OutgoingEncoder;
  private client: BrokerClient | null = null;
  private writer: IdempotentWriter | null = null;
  private transactional: TransactionalWriter | null = null;
  private waiting: Waiting[] = [];
  private sending: Promise<void> | null = null;
  /** Ends when the transactions so far have. */
  private transactions: Promise<unknown> = Promise.resolve();
  private closing: Promise<void> | null = null;

  /** Nothing is opened yet. */
  constructor(options: RecordProducerOptions) {
    this.options = options;
    this.clientId = options.clientId ?? 'millrace-producer';
    this.encoder = new OutgoingEncoder(options.clock ?? systemClock, options.recordBytesMax);
  }

  /**
   * Resolves when all in-sync replicas have the records. Calls made while others are on their way travel together.
   * @throws MillraceError MILLRACE_TOPIC_MISSING, MILLRACE_RECORD_TOO_LARGE, MILLRACE_SERIALIZATION_FAILED: nothing was sent.
   * EpochAbortedError: some may have been written, and some not.
   */
  async send<K, V>(outgoing: Outgoing<K, V>): Promise<void> {
    const client = this.open();
    const batches = await this.encoder.encode(outgoing, client);
    this.refuseIfClosed();
    await new Promise<void>((resolve, reject) => {
      this.waiting.push({ batches, resolve, reject });
      this.sending ??= this.sendWaiting(client);
    });
  }

  /**
   * Runs `work` in a transaction, one after the other; a transaction inside of `work` would wait for ever. Resolves to what `work` gave once it is
   * committed.
   * @throws what `work` threw: the transaction is aborted. EpochAbortedError: it was aborted, or its outcome is unknown.
   * TaskMigratedError MILLRACE_PRODUCER_FENCED: another producer has the same transactional id.
   */
  async transaction<T>(work: (transaction: ProducerTransaction) => Promise<T> | T): Promise<T> {
    const client = this.open();
    const before = this.transactions;
    const result = before.then(() => this.runTransaction(client, work));
    this.transactions = result.catch(() => undefined);
    return result;
  }

  /** Lets what is under way end, then closes the client. */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async sendWaiting(client: BrokerClient): Promise<void> {
    const { compression = 'none' } = this.options;
    this.writer ??= client.createIdempotentWriter({ compression });
    while (this.waiting.length > 0) {
      const round = this.waiting;
      this.waiting = [];
      try {
        for (const { batches } of round)
          for (const { topic, partition, batch } of batches) this.writer.append(topic, partition, batch);
        await this.writer.flush();
        for (const { resolve } of round) resolve();
      } catch (error) {
        for (const { reject } of round) reject(error);
      }
    }
    this.sending = null;
  }

  private async runTransaction<T>(
    client: BrokerClient,
    work: (transaction: ProducerTransaction) => Promise<T> | T,
  ): Promise<T> {
    const writer = await this.readyWriter(client);
    const open = new OpenTransaction(writer, client, this.encoder);
    let result: T;
    try {
      result = await work(open);
      await open.end();
    } catch (error) {
      open.refuseMore();
      // An abort that fails leaves the writer FAILED: the next transaction begins by settling this one.
      await writer.abort().catch(() => undefined);
      throw error;
    }
    if (open.count > 0) await writer.commit([], null);
    return result;
  }

  private async readyWriter(client: BrokerClient): Promise<TransactionalWriter> {
    const { compression = 'none', transactionTimeoutMs, transactionalId } = this.options;
    this.transactional ??= client.createTransactionalWriter({
      transactionalId: transactionalId ?? `${this.clientId}-${randomUUID()}`,
      compression,
      ...(transactionTimeoutMs === undefined ? {} : { transactionTimeoutMs }),
    });
    const writer = this.transactional;
    if (writer.state === 'FENCED') {
      throw new MillraceError({
        code: 'MILLRACE_PRODUCER_FENCED',
        message: `The producer "${writer.transactionalId}" was fenced: another one has the same transactional id.`,
        remedy: 'Give each producer its own transactionalId, or leave it out.',
      });
    }
    if (writer.state === 'NEW' || writer.state === 'FAILED') await writer.initialise();
    return writer;
  }

  private open(): BrokerClient {
    this.refuseIfClosed();
    const { kafka, clock = systemClock, logger = silentLogger } = this.options;
    this.client ??= connect(kafka, this.clientId, { clock, logger });
    return this.client;
  }

  private refuseIfClosed(): void {
    if (this.closing === null) return;
    throw new MillraceError({
      code: 'MILLRACE_ILLEGAL_STATE',
      message: 'The producer is closed.',
      remedy: 'Publish before the application shuts down, or make a producer of your own.',
    });
  }

  private async end(): Promise<void> {
    await this.sending;
    await this.transactions;
    await this.writer?.close();
    await this.transactional?.close();
    await this.client?.close();
  }
}

class OpenTransaction implements ProducerTransaction {
  count = 0;
  private readonly writer: TransactionalWriter;
  private readonly client: BrokerClient;
  private readonly encoder: OutgoingEncoder;
  private readonly encoding = new Set<Promise<void>>();
  private isOver = false;

  constructor(writer: TransactionalWriter, client: BrokerClient, encoder: OutgoingEncoder) {
    this.writer = writer;
    this.client = client;
    this.encoder = encoder;
  }

  /** A function of its own: `({ send }) => …` is how it is mostly taken. */
  readonly send = <K, V>(outgoing: Outgoing<K, V>): Promise<void> => {
    const sent = this.append(outgoing);
    this.encoding.add(sent);
    // Whether or not anybody waits for it: `end` does, where the work itself does not fail.
    sent.catch(() => undefined);
    return sent;
  };

  /** What was sent and not awaited belongs to the transaction too. */
  async end(): Promise<void> {
    await Promise.all(this.encoding);
    this.refuseMore();
  }

  refuseMore(): void {
    this.isOver = true;
  }

  private async append<K, V>(outgoing: Outgoing<K, V>): Promise<void> {
    this.refuseIfOver();
    const batches = await this.encoder.encode(outgoing, this.client);
    this.refuseIfOver();
    for (const { topic, partition, batch } of batches) {
      this.count++;
      this.writer.append(topic, partition, batch);
    }
  }

  private refuseIfOver(): void {
    if (!this.isOver) return;
    throw new MillraceError({
      code: 'MILLRACE_ILLEGAL_STATE',
      message: 'A record was sent in a transaction that is over.',
      remedy: 'Await what the function given to `transaction` does.',
    });
  }
}
