// Owns idempotent writing without transactions: a producer identity of its own, taken when first needed and again after
// each failure and each `abandon`. It never knows of offsets.
import { asError, MillraceError } from '#libs/core';
import { Again, Deadline, retry } from '../cluster/index.ts';
import type { Cluster } from '../cluster/index.ts';
import type {
  CommittedTransaction,
  IdempotentWriter,
  TransactionalWriterOptions,
} from '../contracts/transactional-writer.ts';
import { classify, errorName, isRetriable, KafkaError } from '../protocol/error-codes.ts';
import { epochAborted, refused } from '../protocol/errors.ts';
import type { EncodedBatch } from '../record-batch/index.ts';
import { ProducePipeline } from './produce-pipeline.ts';
import type { ProducerNumbers } from './produce-pipeline.ts';
import { validateWriterOptions } from './writer-options.ts';

const DEADLINE_MS_DEFAULT = 120_000;

interface Waiting {
  readonly topic: string;
  readonly partition: number;
  readonly batch: EncodedBatch;
}

export class KafkaIdempotentWriter implements IdempotentWriter {
  readonly #cluster: Cluster;
  readonly #onClosed: () => void;
  readonly #compression: NonNullable<TransactionalWriterOptions['compression']>;
  readonly #deadlineMs: number;
  #pipeline: ProducePipeline | undefined;
  #starting: Promise<void> | undefined;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #failure: Error | undefined;
  /** Changes with each `abandon` and the close: what began before is of no account. */
  #incarnation = 0;
  /** Rejects each flush that waits. */
  #flushes = new Set<(error: Error) => void>();
  #closed = false;

  constructor(
    cluster: Cluster,
    options: Pick<TransactionalWriterOptions, 'compression' | 'deadlineMs'> = {},
    onClosed: () => void = () => undefined,
  ) {
    validateWriterOptions(options);
    this.#onClosed = onClosed;
    this.#cluster = cluster;
    this.#compression = options.compression ?? 'none';
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS_DEFAULT;
  }

  get pendingBytes(): number {
    return this.#waitingBytes + (this.#pipeline?.pendingBytes ?? 0);
  }

  append(topic: string, partition: number, batch: EncodedBatch): void {
    if (this.#closed) {
      throw new MillraceError({
        code: 'MILLRACE_ILLEGAL_STATE',
        message: 'A batch was appended to a closed writer.',
      });
    }
    // What follows a failure shares its fate: `flush` tells, and the caller writes all of it again.
    if (this.#failure !== undefined) return;
    if (this.#pipeline !== undefined) {
      this.#pipeline.append(topic, partition, batch);
      return;
    }
    this.#waiting.push({ topic, partition, batch });
    this.#waitingBytes += batch.bytes.length;
    this.#starting ??= this.#start();
  }

  flush(): Promise<CommittedTransaction> {
    return new Promise((resolve, reject) => {
      const flushes = this.#flushes.add(reject);
      this.#flush()
        .finally(() => flushes.delete(reject))
        .then(resolve, reject);
    });
  }

  async #flush(): Promise<CommittedTransaction> {
    const incarnation = this.#incarnation;
    await this.#starting;
    const pipeline = this.#pipeline;
    try {
      await pipeline?.drained();
    } catch (error) {
      this.#fail(asError(error), incarnation);
    }
    if (incarnation !== this.#incarnation) throw abandoned();
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
    return { endOffsets: pipeline?.takeEndOffsets() ?? new Map<string, number>() };
  }

  abandon(): void {
    this.#incarnation++;
    for (const { batch } of this.#waiting) batch.release();
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#starting = undefined;
    this.#pipeline?.close(abandoned());
    this.#pipeline = undefined;
    this.#failure = undefined;
    const flushes = this.#flushes;
    this.#flushes = new Set();
    for (const reject of flushes) reject(abandoned());
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#onClosed();
    const starting = this.#starting;
    this.abandon();
    await starting;
  }

  /** Never rejects: a failure waits for `flush`. */
  async #start(): Promise<void> {
    const incarnation = this.#incarnation;
    try {
      const numbers = await this.#newIdentity(incarnation);
      if (incarnation !== this.#incarnation) return;
      this.#pipeline = new ProducePipeline(this.#cluster, numbers, {
        transactionalId: null,
        compression: this.#compression,
        deadlineMs: this.#deadlineMs,
        transactionVersion2: false,
        fenced: (what, code) => epochAborted(`${what} was refused with ${errorName(code)}`),
        onFailure: (error) => this.#fail(error, incarnation),
      });
      for (const { topic, partition, batch } of this.#waiting) this.#pipeline.append(topic, partition, batch);
    } catch (error) {
      this.#fail(asError(error), incarnation);
    } finally {
      if (incarnation === this.#incarnation) {
        this.#waiting = [];
        this.#waitingBytes = 0;
        this.#starting = undefined;
      }
    }
  }

  #fail(error: Error, incarnation: number): void {
    if (incarnation !== this.#incarnation) return;
    this.#failure ??= error;
    this.#pipeline?.close();
    this.#pipeline = undefined;
  }

  #newIdentity(incarnation: number): Promise<ProducerNumbers> {
    const deadline = new Deadline(this.#cluster.clock, this.#deadlineMs);
    const what = 'InitProducerId';
    const request = {
      transactionalId: null,
      transactionTimeoutMs: 60_000,
      producerId: -1n,
      producerEpoch: -1,
    };
    return retry<ProducerNumbers>(
      {
        clock: this.#cluster.clock,
        deadline,
        requestTimeoutMs: this.#cluster.requestTimeoutMs,
        cancelled: () => (incarnation === this.#incarnation ? undefined : abandoned()),
        onDeadline: (last) =>
          epochAborted(`${what} was not answered within ${Math.round(deadline.waitedMs)} ms (${last})`),
      },
      async (timeoutMs) => {
        const answer = await this.#cluster.call('bootstrap', 'InitProducerId', request, timeoutMs);
        if (answer.errorCode === KafkaError.NONE) {
          return { producerId: answer.producerId, producerEpoch: answer.producerEpoch };
        }
        if (isRetriable(classify(answer.errorCode))) return new Again(errorName(answer.errorCode));
        throw refused(what, answer.errorCode);
      },
    );
  }
}

function abandoned(): Error {
  return epochAborted('What was being written was abandoned, or the writer closed');
}
