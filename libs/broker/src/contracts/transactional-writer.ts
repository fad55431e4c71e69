// Owns the contract of writing exactly once: one transactional id, one transaction at a time.
//
//   NEW ──initialise──► INITIALISING ──► READY ──append──► IN_TRANSACTION ──commit, abort──► ENDING ──► READY
//                         ▲                                      │                             │
//                         ├──initialise── FAILED ◄────────────── anything ambiguous ───────────┤
//                         ├──initialise── FENCED ◄────────────── a newer holder ───────────────┘
//                         └──initialise── READY, IN_TRANSACTION, ENDING: the caller abandons its epoch
//   any ──close──► CLOSED
//
// 1. The transaction begins with the first append after a commit. An empty one is never committed.
// 2. A lost answer is answered with the identical request: same bytes, same sequence, at most 5 batches in flight per partition.
// 3. After EpochAbortedError the writer is FAILED: only `initialise` or `close` are legal. Nothing of the epoch may be reused.
// 4. FENCED: another holder initialised the same transactional id. `initialise` fences it in turn, so it is for a worker that
//    has rejoined its group first; one that is fenced while the group still knows it shares its name with another process.
// 5. `initialise` abandons what is under way, from every state but CLOSED: for epochs that end for reasons the writer cannot know
//    (the group was lost, a store failed). Nothing of the abandoned epoch is sent from that moment on, neither batches nor
//    offsets nor its end; what was on its way then may still arrive, and is settled by the broker before `initialise` resolves.
import type { EncodedBatch } from '../record-batch/index.ts';

/** What a consumer group knows a member by, as read when the offsets' records were fetched. */
export interface GroupMetadata {
  readonly groupId: string;
  readonly generationId: number;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
}

/** The generation to use instead of `refused`; `null`: none, the offsets are not to be committed. */
export type RenewGeneration = (refused: GroupMetadata) => Promise<GroupMetadata | null>;

export interface CommittableOffset {
  readonly topic: string;
  readonly partition: number;
  /** The next offset to read. */
  readonly offset: number;
  readonly leaderEpoch: number;
  /** At most 4,096 bytes (`offset.metadata.max.bytes`). */
  readonly metadata: string;
}

/** What a committed transaction reached. */
export interface CommittedTransaction {
  /**
   * By `formatTopicPartition`: the offset behind the last data record written to the partition in this transaction (the commit
   * marker comes later). Absent where the broker answered a repeated batch without its offset: replaying from an older one is safe.
   */
  readonly endOffsets: ReadonlyMap<string, number>;
}

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';

export interface TransactionalWriterOptions {
  readonly transactionalId: string;
  /** Default 60,000. The broker aborts a transaction open for longer. */
  readonly transactionTimeoutMs?: number;
  /** Default `none`. Snappy is read, never written. */
  readonly compression?: Compression;
  /** Longest wait of one produce, offset commit or end of transaction over all its retries. Default: the transaction timeout. */
  readonly deadlineMs?: number;
}

export type WriterState =
  'NEW' | 'INITIALISING' | 'READY' | 'IN_TRANSACTION' | 'ENDING' | 'FAILED' | 'FENCED' | 'CLOSED';

export interface TransactionalWriter {
  readonly transactionalId: string;
  readonly state: WriterState;
  /**
   * InitProducerId with -1/-1: fences the older holder of the id and settles its transaction. Retries until the deadline.
   * The way back from FAILED, and the way out of any epoch: the transaction that was open is aborted or, if its commit had been
   * decided, completed; read the committed offsets to know. Batches appended before are dropped, and a `flush`, `commit` or `abort`
   * that waits rejects at once with EpochAbortedError. Called while it runs, it gives the same promise.
   * @throws EpochAbortedError the deadline passed, or `close` came first: the writer is FAILED, initialise again. FatalError not
   * authorised, transaction timeout too long. MILLRACE_ILLEGAL_STATE in CLOSED.
   */
  initialise(): Promise<void>;
  /**
   * Queues a batch for a partition of the current transaction and begins to send; the writer owns its bytes from here on.
   * A failure shows at `commit`, and as state FAILED at once; what is appended to a FAILED or FENCED writer is lost with its epoch.
   * @throws MILLRACE_ILLEGAL_STATE in NEW, INITIALISING, ENDING and CLOSED.
   */
  append(topic: string, partition: number, batch: EncodedBatch): void;
  /** Bytes appended and not yet acknowledged. */
  readonly pendingBytes: number;
  /** Resolves when all that was appended is acknowledged. @throws as `commit`. */
  flush(): Promise<void>;
  /**
   * Awaits every acknowledgement, adds the offsets with the group metadata they were read under, ends the transaction.
   * `renewed` is asked when the group refuses that generation as not its newest (ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS): what it
   * resolves to is offered instead, in the same transaction. It answers `null` unless all that the offsets are of has been owned
   * without a break. A member the group does not know, and a fenced instance, are refused without asking.
   * @throws EpochAbortedError outcome is abort or unknown (the transaction timeout among them). TaskMigratedError either
   * MILLRACE_GENERATION_LOST: the group no longer knows the member or generation, the transaction was aborted; or
   * MILLRACE_PRODUCER_FENCED: a newer holder of the id, the writer is FENCED. FatalError not authorised, record too large.
   */
  commit(
    offsets: readonly CommittableOffset[],
    group: GroupMetadata | null,
    renewed?: RenewGeneration,
  ): Promise<CommittedTransaction>;
  /** Aborts the open transaction if there is one. @throws EpochAbortedError when its outcome stays unknown: initialise. */
  abort(): Promise<void>;
  /** Aborts what is open, best effort, and releases the id. */
  close(): Promise<void>;
}

/** Idempotent writes without transactions, for at-least-once. */
export interface IdempotentWriter {
  append(topic: string, partition: number, batch: EncodedBatch): void;
  readonly pendingBytes: number;
  /** End offsets as in CommittedTransaction, of all since the last flush. @throws EpochAbortedError some batch was not written, or may not have been. */
  flush(): Promise<CommittedTransaction>;
  /**
   * Forgets all since the last flush: batches not yet sent, end offsets, failures. A `flush` that waits rejects with EpochAbortedError.
   * What was on its way may still be written once, never again: the next batch goes out under a new identity. Does nothing once closed.
   */
  abandon(): void;
  close(): Promise<void>;
}
