// Owns one transactional id: its state, its identity and the order of steps in a commit. Sending batches is the pipeline's
// business, asking coordinators that of transaction-requests. It never reads, and never knows of epochs beyond one.
//
//   NEW ──initialise──► READY ──append──► IN_TRANSACTION ──► ENDING ──► READY
//                         ▲                     │               │
//                         └──initialise── FAILED ◄──────────────┤ anything ambiguous
//                         └──initialise── FENCED ◄──────────────┘ a newer holder (the caller must have rejoined first)
//
// 1. After anything ambiguous nothing is reused: FAILED drops all batches, and `initialise` takes a new epoch.
// 2. Below transaction version 2, a lost answer costs the epoch once the transaction ended: a delayed EndTxn could
//    otherwise decide the next transaction (KAFKA-17754).
// 3. A transaction fenced after it was open for its whole timeout was ended by the coordinator, not by another process.
import { asError, MillraceError, TaskMigratedError } from '#libs/core';
import { Deadline, retry } from '../cluster/index.ts';
import type { Cluster } from '../cluster/index.ts';
import type {
  CommittableOffset,
  CommittedTransaction,
  GroupMetadata,
  TransactionalWriter,
  TransactionalWriterOptions,
  WriterState,
} from '../contracts/transactional-writer.ts';
import { finalRpcError, epochAborted, isRpcFailure, producerFenced } from '../protocol/errors.ts';
import { errorName } from '../protocol/error-codes.ts';
import type { EncodedBatch } from '../record-batch/index.ts';
import { ProducePipeline } from './produce-pipeline.ts';
import type { ProducerNumbers } from './produce-pipeline.ts';
import * as requests from './transaction-requests.ts';
import { validateWriterOptions } from './writer-options.ts';

const TRANSACTION_TIMEOUT_MS_DEFAULT = 60_000;
/** How long `close` waits for its abort: the coordinator's timeout does the same later. */
const CLOSE_ABORT_MS = 2_000;

export class KafkaTransactionalWriter implements TransactionalWriter {
  readonly transactionalId: string;
  readonly #cluster: Cluster;
  readonly #onClosed: () => void;
  readonly #options: TransactionalWriterOptions;
  readonly #transactionTimeoutMs: number;
  readonly #deadlineMs: number;

  #state: WriterState = 'NEW';
  /** Changes whenever what is under way must not go on: a failure, an initialisation, the close. */
  #incarnation = 0;
  #numbers: ProducerNumbers = { producerId: -1n, producerEpoch: -1 };
  #transactionVersion2 = false;
  #pipeline: ProducePipeline | undefined;
  #failure: Error | undefined;
  #initialising: Promise<void> | undefined;
  #startedAt = 0;
  #lostAnswer = false;
  /** Below transaction version 2: does the coordinator know of this transaction? */
  #joined = false;

  constructor(cluster: Cluster, options: TransactionalWriterOptions, onClosed: () => void = () => undefined) {
    validateWriterOptions(options);
    this.#onClosed = onClosed;
    this.transactionalId = options.transactionalId;
    this.#cluster = cluster;
    this.#options = options;
    this.#transactionTimeoutMs = options.transactionTimeoutMs ?? TRANSACTION_TIMEOUT_MS_DEFAULT;
    this.#deadlineMs = options.deadlineMs ?? this.#transactionTimeoutMs;
  }

  get state(): WriterState {
    return this.#state;
  }

  get pendingBytes(): number {
    return this.#pipeline?.pendingBytes ?? 0;
  }

  initialise(): Promise<void> {
    if (this.#state === 'CLOSED' || this.#state === 'IN_TRANSACTION' || this.#state === 'ENDING') {
      return Promise.reject(this.#illegal('initialise'));
    }
    this.#initialising ??= this.#initialise().finally(() => {
      this.#initialising = undefined;
    });
    return this.#initialising;
  }

  async #initialise(): Promise<void> {
    const context = this.#begin();
    this.#pipeline?.close();
    this.#pipeline = undefined;
    try {
      const features = await this.#features();
      this.#transactionVersion2 = features.transactionVersion >= 2;
      this.#numbers = await requests.initProducerId(context);
    } catch (error) {
      if (this.#state !== 'CLOSED') this.#fail(asError(error), context);
      throw error;
    }
    this.#lostAnswer = false;
    this.#joined = false;
    this.#failure = undefined;
    this.#pipeline = this.#newPipeline(context);
    this.#state = 'READY';
    this.#cluster.logger.debug('Transactional writer initialised', {
      transactionalId: this.transactionalId,
      producerId: String(this.#numbers.producerId),
      producerEpoch: this.#numbers.producerEpoch,
      transactionVersion2: this.#transactionVersion2,
    });
  }

  append(topic: string, partition: number, batch: EncodedBatch): void {
    switch (this.#state) {
      case 'READY':
        this.#enterTransaction();
        break;
      case 'IN_TRANSACTION':
        break;
      case 'FAILED':
      case 'FENCED':
        // The failure shows at `commit`. What is appended until then is lost with the epoch.
        batch.release();
        return;
      case 'NEW':
      case 'ENDING':
      case 'CLOSED':
        throw this.#illegal('append');
    }
    this.#pipeline!.append(topic, partition, batch);
  }

  async flush(): Promise<void> {
    this.#refuseUnless('flush');
    if (this.#state !== 'READY') await this.#pipeline!.drained();
  }

  async commit(
    offsets: readonly CommittableOffset[],
    group: GroupMetadata | null,
  ): Promise<CommittedTransaction> {
    this.#refuseUnless('commit');
    if (offsets.length > 0 && group === null) {
      throw new MillraceError({
        code: 'MILLRACE_ILLEGAL_STATE',
        message: 'Offsets were given to commit without the group metadata they were read under.',
        remedy: 'Read `metadata` of the group member when the records are taken, and pass it along.',
      });
    }
    if (this.#state === 'READY') {
      if (offsets.length === 0) return { endOffsets: new Map() };
      this.#enterTransaction();
    }
    this.#state = 'ENDING';
    const context = this.#context();
    await this.#settleWork(context, offsets, group);
    const endOffsets = this.#pipeline!.takeEndOffsets();
    await this.#end(context, true);
    return { endOffsets };
  }

  /**
   * Steps 1 and 2 of a commit: all batches acknowledged, then all offsets in the transaction. Not side by side: a broker that
   * asks the coordinator about two partitions of one transaction at once refuses the older question (measured: every second
   * offset commit had to be sent again).
   */
  async #settleWork(
    context: Context,
    offsets: readonly CommittableOffset[],
    group: GroupMetadata | null,
  ): Promise<void> {
    try {
      await this.#pipeline!.drained();
      if (group !== null && offsets.length > 0) await this.#sendOffsets(context, offsets, group);
    } catch (error) {
      const migrated = error instanceof TaskMigratedError && error.code === 'MILLRACE_GENERATION_LOST';
      if (!migrated || context.cancelled() !== undefined) throw this.#fail(asError(error), context);
      await this.#abortAfterMigration(context);
      throw error;
    }
  }

  async #sendOffsets(
    context: Context,
    offsets: readonly CommittableOffset[],
    group: GroupMetadata,
  ): Promise<void> {
    if (!this.#transactionVersion2) {
      await requests.addOffsets(context, this.#numbers, group.groupId);
      this.#joined = true;
    }
    await requests.commitOffsets(context, this.#numbers, offsets, group, this.#transactionVersion2);
  }

  /** The group took the work away: the transaction is aborted, and the error of the group is what the caller sees. */
  async #abortAfterMigration(context: Context): Promise<void> {
    try {
      await this.#end(context, false);
    } catch (error) {
      this.#cluster.logger.warn('The transaction of a migrated task could not be aborted', {
        transactionalId: this.transactionalId,
        error: asError(error).message,
      });
    }
  }

  async abort(): Promise<void> {
    this.#refuseUnless('abort');
    if (this.#state === 'READY') return;
    this.#state = 'ENDING';
    const context = this.#context();
    try {
      await this.#pipeline!.abandonUnsent();
    } catch (error) {
      throw this.#fail(asError(error), context);
    }
    await this.#end(context, false);
  }

  async close(): Promise<void> {
    if (this.#state === 'CLOSED') return;
    const open = this.#state === 'IN_TRANSACTION' || this.#state === 'ENDING' || this.#state === 'FAILED';
    const known =
      this.#numbers.producerId >= 0n && this.#startedAt > 0 && (this.#transactionVersion2 || this.#joined);
    this.#state = 'CLOSED';
    this.#onClosed();
    this.#incarnation++;
    this.#pipeline?.close();
    if (!open || !known) return;
    const context = { ...this.#context(), deadlineMs: CLOSE_ABORT_MS, cancelled: () => undefined };
    try {
      await requests.endTransaction(context, this.#numbers, false, this.#transactionVersion2);
    } catch (error) {
      // Best effort: the next holder's initialise, or the timeout, settles it.
      this.#cluster.logger.debug('The open transaction was left to its timeout', {
        transactionalId: this.transactionalId,
        error: asError(error).message,
      });
    }
  }

  // --- steps -------------------------------------------------------------------------------------------------

  async #end(context: Context, committed: boolean): Promise<void> {
    let numbers: ProducerNumbers;
    try {
      // Below version 2 the coordinator refuses to end what never began.
      const begun = this.#transactionVersion2 || this.#joined;
      numbers = begun
        ? await requests.endTransaction(context, this.#numbers, committed, this.#transactionVersion2)
        : this.#numbers;
    } catch (error) {
      throw this.#fail(asError(error), context);
    }
    if (context.incarnation !== this.#incarnation) throw this.#cancellation();
    if (!this.#transactionVersion2 && (this.#lostAnswer || this.#pipeline!.unresolved)) {
      await this.#renew(context);
      return;
    }
    this.#ready(numbers);
  }

  /** A new epoch after a transaction that ended well but lost an answer on its way. Its failure belongs to the next one. */
  async #renew(context: Context): Promise<void> {
    try {
      this.#ready(await requests.initProducerId(context));
    } catch (error) {
      this.#fail(asError(error), context);
    }
  }

  #ready(numbers: ProducerNumbers): void {
    this.#numbers = numbers;
    this.#lostAnswer = false;
    this.#joined = false;
    this.#startedAt = 0;
    this.#pipeline!.startTransaction(numbers);
    this.#state = 'READY';
  }

  #enterTransaction(): void {
    this.#state = 'IN_TRANSACTION';
    this.#startedAt = this.#cluster.clock.monotonic();
  }

  #newPipeline(context: Context): ProducePipeline {
    const admit = async (partitions: readonly { topic: string; partition: number }[]): Promise<void> => {
      await requests.addPartitions(context, this.#numbers, partitions);
      this.#joined = true;
    };
    return new ProducePipeline(this.#cluster, this.#numbers, {
      transactionalId: this.transactionalId,
      compression: this.#options.compression ?? 'none',
      deadlineMs: this.#deadlineMs,
      transactionVersion2: this.#transactionVersion2,
      ...(this.#transactionVersion2 ? {} : { admit }),
      fenced: context.fenced,
      onFailure: (error) => this.#fail(error, context),
    });
  }

  // --- failures ----------------------------------------------------------------------------------------------

  #begin(): Context {
    this.#incarnation++;
    return this.#context();
  }

  #context(): Context {
    const incarnation = this.#incarnation;
    return {
      cluster: this.#cluster,
      transactionalId: this.transactionalId,
      transactionTimeoutMs: this.#transactionTimeoutMs,
      deadlineMs: this.#deadlineMs,
      incarnation,
      cancelled: () => (incarnation === this.#incarnation ? undefined : this.#cancellation()),
      fenced: (what, code) => this.#fencedError(what, code),
      onLostAnswer: () => {
        this.#lostAnswer = true;
      },
    };
  }

  /** Takes the writer out of use, once per incarnation. Returns the error to throw: the first one stands. */
  #fail(error: Error, context: Context): Error {
    if (context.incarnation !== this.#incarnation) return this.#cancellation();
    this.#incarnation++;
    this.#failure = error;
    const fenced = error instanceof MillraceError && error.code === 'MILLRACE_PRODUCER_FENCED';
    this.#state = fenced ? 'FENCED' : 'FAILED';
    this.#pipeline?.close();
    this.#cluster.logger.warn('Transactional writer failed', {
      transactionalId: this.transactionalId,
      state: this.#state,
      error: error.message,
    });
    return error;
  }

  #cancellation(): Error {
    return this.#failure ?? epochAborted(`The writer of "${this.transactionalId}" was closed`);
  }

  #fencedError(what: string, code: number): Error {
    const openForMs = this.#startedAt === 0 ? 0 : this.#cluster.clock.monotonic() - this.#startedAt;
    if (openForMs < this.#transactionTimeoutMs) return producerFenced(this.transactionalId, what, code);
    return epochAborted(
      `${what} was refused with ${errorName(code)}: the transaction was open for ${Math.round(openForMs)} ms, longer than its timeout of ${this.#transactionTimeoutMs} ms`,
      { transactionalId: this.transactionalId, openForMs, transactionTimeoutMs: this.#transactionTimeoutMs },
    );
  }

  /** @throws the failure in FAILED and FENCED; MILLRACE_ILLEGAL_STATE where the call makes no sense. */
  #refuseUnless(operation: string): void {
    if (this.#state === 'READY' || this.#state === 'IN_TRANSACTION') return;
    if (this.#state === 'FAILED' || this.#state === 'FENCED') throw this.#cancellation();
    throw this.#illegal(operation);
  }

  #illegal(operation: string): MillraceError {
    return new MillraceError({
      code: 'MILLRACE_ILLEGAL_STATE',
      message: `\`${operation}\` was called on the writer of "${this.transactionalId}" in state ${this.#state}.`,
      remedy: 'This is a defect of the caller: see the state diagram of TransactionalWriter.',
      context: { transactionalId: this.transactionalId, state: this.#state },
    });
  }

  async #features(): Promise<{ readonly transactionVersion: number }> {
    const deadline = new Deadline(this.#cluster.clock, this.#deadlineMs);
    return retry(
      {
        clock: this.#cluster.clock,
        deadline,
        requestTimeoutMs: this.#cluster.requestTimeoutMs,
        onDeadline: (last) => epochAborted(`The cluster did not say what it can do (${last})`),
      },
      async () => {
        try {
          return await this.#cluster.rpc.features();
        } catch (error) {
          throw isRpcFailure(error) ? error : finalRpcError(error);
        }
      },
    );
  }
}

interface Context extends requests.TransactionContext {
  readonly incarnation: number;
}
