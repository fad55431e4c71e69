// Owns one transactional id: its state, its identity and the order of steps in a commit. Sending batches is the pipeline's
// business, asking coordinators that of transaction-requests. It never reads, and never knows of epochs beyond one.
//
//   any but CLOSED ──initialise──► INITIALISING ──► READY ──append──► IN_TRANSACTION ──► ENDING ──► READY
//                                       │                                   │               │
//                                       ▼                                   ▼               ▼
//                                     FAILED      FAILED: anything ambiguous; FENCED: a newer holder
//
// 1. After anything ambiguous nothing is reused: FAILED drops all batches, and `initialise` takes a new epoch.
// 2. Below transaction version 2, a lost answer costs the epoch once the transaction ended: a delayed EndTxn could
//    otherwise decide the next transaction (KAFKA-17754).
// 3. An incarnation ends with a failure, an initialisation or the close. Whatever it had under way sends nothing more, and
//    what still comes back to it is of no account: each step that waited asks whether its incarnation is over.
// 4. A transaction fenced after it was open for its whole timeout was ended by the coordinator, not by another process.
import { asError, MillraceError, TaskMigratedError } from '#libs/core';
import { Deadline, retry } from '../cluster/index.ts';
import type { Cluster } from '../cluster/index.ts';
import type {
  CommittableOffset,
  CommittedTransaction,
  GroupMetadata,
  RenewGeneration,
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
  /** Changes whenever what is under way must not go on. */
  #incarnation = 0;
  /** Why the incarnation before this one ended. */
  #ending: Error | undefined;
  /** Rejects each call that is waiting. */
  #pending = new Set<(error: Error) => void>();
  #numbers: ProducerNumbers = { producerId: -1n, producerEpoch: -1 };
  #transactionVersion2 = false;
  #pipeline: ProducePipeline | undefined;
  /** The newest one: it goes on while the state is INITIALISING. */
  #initialising: Promise<void> = Promise.resolve();
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
    if (this.#state === 'CLOSED') return Promise.reject(this.#illegal('initialise'));
    if (this.#state !== 'INITIALISING') this.#initialising = this.#initialise();
    return this.#initialising;
  }

  async #initialise(): Promise<void> {
    this.#abandon(epochAborted(`The writer of "${this.transactionalId}" was initialised anew`));
    this.#state = 'INITIALISING';
    const context = this.#context();
    try {
      await this.#orAbandoned(this.#takeIdentity(context));
    } catch (error) {
      throw this.#fail(asError(error), context);
    }
    this.#pipeline = this.#newPipeline(context);
    this.#state = 'READY';
    this.#cluster.logger.debug('Transactional writer initialised', {
      transactionalId: this.transactionalId,
      producerId: String(this.#numbers.producerId),
      producerEpoch: this.#numbers.producerEpoch,
      transactionVersion2: this.#transactionVersion2,
    });
  }

  async #takeIdentity(context: Context): Promise<void> {
    const features = await this.#features(context);
    const numbers = await requests.initProducerId(context);
    refuseWhenOver(context);
    this.#transactionVersion2 = features.transactionVersion >= 2;
    this.#numbers = numbers;
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
      case 'INITIALISING':
      case 'ENDING':
      case 'CLOSED':
        throw this.#illegal('append');
    }
    this.#pipeline!.append(topic, partition, batch);
  }

  async flush(): Promise<void> {
    this.#refuseUnless('flush');
    if (this.#state !== 'READY') await this.#orAbandoned(this.#pipeline!.drained());
  }

  async commit(
    offsets: readonly CommittableOffset[],
    group: GroupMetadata | null,
    renewed?: RenewGeneration,
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
    return this.#orAbandoned(this.#commit(this.#context(), offsets, group, renewed));
  }

  async #commit(
    context: Context,
    offsets: readonly CommittableOffset[],
    group: GroupMetadata | null,
    renewed: RenewGeneration | undefined,
  ): Promise<CommittedTransaction> {
    await this.#settleWork(context, offsets, group, renewed);
    refuseWhenOver(context);
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
    renewed: RenewGeneration | undefined,
  ): Promise<void> {
    try {
      await this.#pipeline!.drained();
      if (group !== null && offsets.length > 0) await this.#sendOffsets(context, offsets, group, renewed);
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
    renewed: RenewGeneration | undefined,
  ): Promise<void> {
    if (!this.#transactionVersion2) {
      await requests.addOffsets(context, this.#numbers, group.groupId);
      refuseWhenOver(context);
      this.#joined = true;
    }
    const { commitOffsets } = requests;
    await commitOffsets(context, this.#numbers, offsets, group, renewed, this.#transactionVersion2);
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
    await this.#orAbandoned(this.#abort(this.#context()));
  }

  async #abort(context: Context): Promise<void> {
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
    this.#onClosed();
    const numbers = this.#numbers;
    this.#abandon(epochAborted(`The writer of "${this.transactionalId}" was closed`));
    this.#state = 'CLOSED';
    if (!open || !known) return;
    const context = { ...this.#context(), deadlineMs: CLOSE_ABORT_MS, cancelled: () => undefined };
    try {
      await requests.endTransaction(context, numbers, false, this.#transactionVersion2);
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
    refuseWhenOver(context);
    if (!this.#transactionVersion2 && (this.#lostAnswer || this.#pipeline!.unresolved)) {
      await this.#renew(context);
      return;
    }
    this.#ready(numbers);
  }

  /** A new epoch after a transaction that ended well but lost an answer on its way. Its failure belongs to the next one. */
  async #renew(context: Context): Promise<void> {
    try {
      const numbers = await requests.initProducerId(context);
      refuseWhenOver(context);
      this.#ready(numbers);
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
      refuseWhenOver(context);
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

  /** Ends the incarnation from outside: every call that waits rejects at once, and nothing more of it is sent. */
  #abandon(why: Error): void {
    this.#incarnation++;
    this.#ending = why;
    this.#pipeline?.close(why);
    this.#pipeline = undefined;
    this.#lostAnswer = false;
    this.#joined = false;
    this.#startedAt = 0;
    const pending = this.#pending;
    this.#pending = new Set();
    for (const reject of pending) reject(why);
  }

  /** The outcome of `work`, unless the writer is initialised or closed before it is there. */
  #orAbandoned<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const pending = this.#pending.add(reject);
      work.finally(() => pending.delete(reject)).then(resolve, reject);
    });
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
        if (incarnation === this.#incarnation) this.#lostAnswer = true;
      },
    };
  }

  /** Takes the writer out of use, once per incarnation. Returns the error to throw: the first one stands. */
  #fail(error: Error, context: Context): Error {
    if (context.incarnation !== this.#incarnation) return this.#cancellation();
    this.#incarnation++;
    this.#ending = error;
    const fenced = error instanceof MillraceError && error.code === 'MILLRACE_PRODUCER_FENCED';
    this.#state = fenced ? 'FENCED' : 'FAILED';
    this.#pipeline?.close(error);
    this.#cluster.logger.warn('Transactional writer failed', {
      transactionalId: this.transactionalId,
      state: this.#state,
      error: error.message,
    });
    return error;
  }

  #cancellation(): Error {
    return this.#ending ?? epochAborted(`The epoch of "${this.transactionalId}" is over`);
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

  async #features(context: Context): Promise<{ readonly transactionVersion: number }> {
    const deadline = new Deadline(this.#cluster.clock, this.#deadlineMs);
    return retry(
      {
        clock: this.#cluster.clock,
        deadline,
        requestTimeoutMs: this.#cluster.requestTimeoutMs,
        cancelled: context.cancelled,
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

/** After a wait. @throws why the incarnation of `context` ended. */
function refuseWhenOver(context: Context): void {
  const over = context.cancelled();
  if (over !== undefined) throw over;
}
