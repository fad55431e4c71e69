// Owns transactions: identities and their fencing, what joins, how they end, their time-outs. Rules as in Kafka's
// TransactionCoordinator. Writing the markers is a step of its own, an event or more after the end was decided.
import type { EndTxnAnswer, InitProducerIdAnswer, RpcAnswers, RpcRequests } from '#libs/broker';
import type { Timer } from '#libs/core';
import type { ClusterCore } from '../cluster-core.ts';
import type { Coordinators } from '../coordinators.ts';
import { Errors } from '../kafka-errors.ts';
import type { PartitionLog } from '../log/partition-log.ts';
import type { MarkerWriter } from './marker-writer.ts';
import { NO_EPOCH, NO_PRODUCER_ID, TransactionState } from './transaction-state.ts';
import type { Participant } from './transaction-state.ts';

const NO_IDENTITY = { producerId: -1n, producerEpoch: -1 };

export class TransactionCoordinator {
  readonly #core: ClusterCore;
  readonly #coordinators: Coordinators;
  readonly #markers: MarkerWriter;
  readonly #transactions = new Map<string, TransactionState>();
  #nextProducerId = 0;
  #sweep: Timer | undefined;
  #sweepDueAt = Infinity;

  constructor(core: ClusterCore, coordinators: Coordinators, markers: MarkerWriter) {
    this.#core = core;
    this.#coordinators = coordinators;
    this.#markers = markers;
  }

  get(transactionalId: string): TransactionState | undefined {
    return this.#transactions.get(transactionalId);
  }

  all(): IterableIterator<TransactionState> {
    return this.#transactions.values();
  }

  // --- identities ----------------------------------------------------------------------------------------------

  initProducerId(request: RpcRequests['InitProducerId'], nodeId: number): InitProducerIdAnswer {
    const { transactionalId, transactionTimeoutMs } = request;
    if (transactionalId === null) return identity(this.#nextProducerId++, 0);
    if (transactionalId === '') return refused(Errors.INVALID_REQUEST);
    const refusal = this.#coordinators.refusal('transaction', transactionalId, nodeId);
    if (refusal !== Errors.NONE) return refused(refusal);
    if (transactionTimeoutMs <= 0 || transactionTimeoutMs > this.#core.settings.transactionMaxTimeoutMs) {
      return refused(Errors.INVALID_TRANSACTION_TIMEOUT);
    }
    let transaction = this.#transactions.get(transactionalId);
    if (transaction === undefined) {
      transaction = new TransactionState(transactionalId, this.#nextProducerId++, transactionTimeoutMs);
      this.#transactions.set(transactionalId, transaction);
    }
    return this.#init(transaction, request);
  }

  #init(transaction: TransactionState, request: RpcRequests['InitProducerId']): InitProducerIdAnswer {
    const expected = request.producerId < 0n ? undefined : request;
    if (expected !== undefined && !isOwn(transaction, expected)) return refused(Errors.PRODUCER_FENCED);
    if (transaction.isPreparing) return refused(Errors.CONCURRENT_TRANSACTIONS);
    if (transaction.phase === 'Ongoing') {
      this.#fence(transaction);
      return refused(Errors.CONCURRENT_TRANSACTIONS);
    }
    if (
      transaction.isEpochExhausted &&
      (expected?.producerEpoch ?? transaction.producerEpoch) === transaction.producerEpoch
    ) {
      transaction.previousProducerId = transaction.producerId;
      transaction.lastProducerEpoch = expected === undefined ? NO_EPOCH : transaction.producerEpoch;
      transaction.producerId = this.#nextProducerId++;
      transaction.producerEpoch = 0;
    } else if (expected === undefined) {
      transaction.lastProducerEpoch = NO_EPOCH;
      transaction.producerEpoch++;
    } else if (
      transaction.producerEpoch === NO_EPOCH ||
      expected.producerEpoch === transaction.producerEpoch
    ) {
      transaction.lastProducerEpoch = transaction.producerEpoch;
      transaction.producerEpoch++;
    } else if (expected.producerEpoch !== transaction.lastProducerEpoch) {
      return refused(Errors.PRODUCER_FENCED);
    }
    transaction.phase = 'Empty';
    transaction.timeoutMs = request.transactionTimeoutMs;
    transaction.endedByVersion2 = false;
    this.#note(transaction);
    return identity(transaction.producerId, transaction.producerEpoch);
  }

  /** Aborts what is open under an epoch that its holder does not have. */
  #fence(transaction: TransactionState): void {
    const { producerEpoch } = transaction;
    this.#prepare(transaction, false, true);
    // One bump, whoever asks: by the preparation under version 2 (KAFKA-19367), here below it.
    transaction.producerEpoch = producerEpoch + 1;
    transaction.lastProducerEpoch = NO_EPOCH;
    this.#markers.write(transaction);
  }

  // --- joining -------------------------------------------------------------------------------------------------

  /** One outcome for all partitions of the request: it is taken whole or not at all. */
  addPartitions(request: RpcRequests['AddPartitionsToTxn'], nodeId: number): number {
    const { transactionalId, producerEpoch } = request;
    const producerId = Number(request.producerId);
    const refusal = this.#coordinators.refusal('transaction', transactionalId, nodeId);
    if (refusal !== Errors.NONE) return refusal;
    const logs: PartitionLog[] = [];
    for (const { name, partitions } of request.topics) {
      for (const partition of partitions) {
        const log = this.#core.topics.log(name, partition);
        if (log === undefined) return Errors.UNKNOWN_TOPIC_OR_PARTITION;
        logs.push(log);
      }
    }
    for (const log of logs) {
      const refused = this.#join(transactionalId, producerId, producerEpoch, { log });
      if (refused !== Errors.NONE) return refused;
    }
    return Errors.NONE;
  }

  addOffsets(
    { transactionalId, producerId, producerEpoch, groupId }: RpcRequests['AddOffsetsToTxn'],
    nodeId: number,
  ): number {
    const refusal = this.#coordinators.refusal('transaction', transactionalId, nodeId);
    if (refusal !== Errors.NONE) return refusal;
    return this.#join(transactionalId, Number(producerId), producerEpoch, { groupId });
  }

  #join(
    transactionalId: string,
    producerId: number,
    producerEpoch: number,
    participant: Participant,
  ): number {
    const transaction = this.#transactions.get(transactionalId);
    const refusal = claimRefusal(transaction, producerId, producerEpoch);
    if (refusal !== Errors.NONE) return refusal;
    if (transaction!.phase === 'Ongoing' && transaction!.has(participant)) return Errors.NONE;
    transaction!.join(participant, this.#core.clock.monotonic());
    this.#note(transaction!);
    this.#scheduleSweep(transaction!.startedAt + transaction!.timeoutMs);
    return Errors.NONE;
  }

  /** A broker asks on behalf of a batch or of offsets under version 2. The code is what the client is to see. */
  joinImplicitly(
    transactionalId: string,
    producerId: number,
    producerEpoch: number,
    participant: Participant,
  ): number {
    const outage = this.#coordinators.outage('transaction', transactionalId);
    if (outage !== Errors.NONE) return unverifiable(participant);
    return asSeenByProducer(this.#join(transactionalId, producerId, producerEpoch, participant));
  }

  /** A broker asks whether the client has added what it writes to, below version 2. */
  verify(
    transactionalId: string,
    producerId: number,
    producerEpoch: number,
    participant: Participant,
  ): number {
    const outage = this.#coordinators.outage('transaction', transactionalId);
    if (outage !== Errors.NONE) return unverifiable(participant);
    const transaction = this.#transactions.get(transactionalId);
    const refusal = claimRefusal(transaction, producerId, producerEpoch);
    if (refusal === Errors.CONCURRENT_TRANSACTIONS) return unverifiable(participant);
    if (refusal !== Errors.NONE) return asSeenByProducer(refusal);
    return transaction!.has(participant) ? Errors.NONE : Errors.TRANSACTION_ABORTABLE;
  }

  // --- ending --------------------------------------------------------------------------------------------------

  endTxn(request: RpcRequests['EndTxn'], nodeId: number): EndTxnAnswer {
    const { transactionalId, producerEpoch, committed } = request;
    const refusal = this.#coordinators.refusal('transaction', transactionalId, nodeId);
    if (refusal !== Errors.NONE) return refused(refusal);
    const transaction = this.#transactions.get(transactionalId);
    if (transaction === undefined) return refused(Errors.INVALID_PRODUCER_ID_MAPPING);
    const version2 = request.transactionVersion2 && this.#core.settings.transactionVersion >= 2;
    const { endedByVersion2, phase } = transaction;
    const isRetry = endedByVersion2 && transaction.producerEpoch === producerEpoch + 1;
    const isRetryOverRotation =
      endedByVersion2 &&
      transaction.previousProducerId === Number(request.producerId) &&
      producerEpoch === 0x7fff - 1 &&
      transaction.producerEpoch === 0;
    if (transaction.producerId !== Number(request.producerId) && !isRetryOverRotation) {
      return refused(Errors.INVALID_PRODUCER_ID_MAPPING);
    }
    const isCurrent = producerEpoch === transaction.producerEpoch;
    const repeats = isRetry || isRetryOverRotation;
    if (!isCurrent && !(repeats && phase !== 'Ongoing' && phase !== 'Empty'))
      return refused(Errors.PRODUCER_FENCED);
    switch (phase) {
      case 'Ongoing':
        this.#prepare(transaction, committed, version2);
        this.#markers.write(transaction);
        return identity(transaction.producerId, transaction.producerEpoch);
      case 'PrepareCommit':
      case 'PrepareAbort':
        // Under version 2 the current epoch is one that the client cannot have got yet.
        if (endedByVersion2 && !repeats) return refused(Errors.PRODUCER_FENCED);
        return refused(
          committed === (phase === 'PrepareCommit')
            ? Errors.CONCURRENT_TRANSACTIONS
            : Errors.INVALID_TXN_STATE,
        );
      case 'CompleteCommit':
      case 'CompleteAbort':
        if (repeats || !version2) {
          if (committed !== (phase === 'CompleteCommit')) return refused(Errors.INVALID_TXN_STATE);
          return identity(transaction.producerId, transaction.producerEpoch);
        }
        return this.#endWithoutWork(transaction, committed, version2);
      case 'Empty':
        return this.#endWithoutWork(transaction, committed, version2);
    }
  }

  /** Version 2 lets a transaction be aborted that no partition has joined: the client cannot know (KIP-890). */
  #endWithoutWork(transaction: TransactionState, committed: boolean, version2: boolean): EndTxnAnswer {
    if (committed || !version2) return refused(Errors.INVALID_TXN_STATE);
    this.#prepare(transaction, false, true);
    this.#markers.write(transaction);
    return identity(transaction.producerId, transaction.producerEpoch);
  }

  #prepare(transaction: TransactionState, committed: boolean, version2: boolean): void {
    transaction.phase = committed ? 'PrepareCommit' : 'PrepareAbort';
    transaction.endedByVersion2 = version2 && this.#core.settings.transactionVersion >= 2;
    if (transaction.endedByVersion2) {
      if (transaction.isEpochExhausted) transaction.nextProducerId = this.#nextProducerId++;
      transaction.lastProducerEpoch = transaction.producerEpoch;
      transaction.producerEpoch++;
    }
    this.#note(transaction);
  }

  /** All markers are written. */
  complete(transaction: TransactionState): void {
    transaction.phase = transaction.phase === 'PrepareCommit' ? 'CompleteCommit' : 'CompleteAbort';
    transaction.participants.clear();
    transaction.startedAt = -1;
    if (transaction.nextProducerId !== NO_PRODUCER_ID) {
      transaction.previousProducerId = transaction.producerId;
      transaction.producerId = transaction.nextProducerId;
      transaction.nextProducerId = NO_PRODUCER_ID;
      transaction.producerEpoch = 0;
    }
    this.#note(transaction);
  }

  // --- what is told of them --------------------------------------------------------------------------------------

  describe(
    { transactionalIds }: RpcRequests['DescribeTransactions'],
    nodeId: number,
  ): RpcAnswers['DescribeTransactions'] {
    const now = this.#core.clock.now();
    const sinceStart = this.#core.clock.monotonic();
    return {
      transactions: transactionalIds.map((transactionalId) => {
        const nothing = {
          transactionalId,
          state: '',
          timeoutMs: 0,
          startTimeMs: -1,
          topics: [],
          ...NO_IDENTITY,
        };
        const refusal = this.#coordinators.refusal('transaction', transactionalId, nodeId);
        if (refusal !== Errors.NONE) return { ...nothing, errorCode: refusal };
        const transaction = this.#transactions.get(transactionalId);
        if (transaction === undefined) return { ...nothing, errorCode: Errors.TRANSACTIONAL_ID_NOT_FOUND };
        const { phase, timeoutMs, startedAt } = transaction;
        return {
          errorCode: Errors.NONE,
          transactionalId,
          state: phase,
          timeoutMs,
          startTimeMs: startedAt < 0 ? -1 : Math.round(now - (sinceStart - startedAt)),
          producerId: BigInt(transaction.producerId),
          producerEpoch: transaction.producerEpoch,
          topics: this.#topics(transaction),
        };
      }),
    };
  }

  #topics({ participants }: TransactionState): { name: string; partitions: number[] }[] {
    const topics = new Map<string, number[]>();
    for (const participant of participants.values()) {
      const [name, partition] =
        'groupId' in participant
          ? (['__consumer_offsets', this.#coordinators.shareNumber(participant.groupId)] as const)
          : ([participant.log.topic, participant.log.partition] as const);
      topics.set(name, [...(topics.get(name) ?? []), partition]);
    }
    return [...topics].map(([name, partitions]) => ({ name, partitions }));
  }

  /** Of what `nodeId` coordinates; nothing while any of that loads. */
  list(
    { states, transactionalIdPattern }: RpcRequests['ListTransactions'],
    nodeId: number,
  ): RpcAnswers['ListTransactions'] {
    if (this.#coordinators.isLoading('transaction', nodeId))
      return { errorCode: Errors.COORDINATOR_LOAD_IN_PROGRESS, transactions: [] };
    const pattern = transactionalIdPattern === null ? null : new RegExp(`^(?:${transactionalIdPattern})$`);
    const found: { transactionalId: string; producerId: bigint; state: string }[] = [];
    for (const { transactionalId, producerId, phase } of this.#transactions.values()) {
      if (this.#coordinators.refusal('transaction', transactionalId, nodeId) !== Errors.NONE) continue;
      if (states.length > 0 && !states.includes(phase)) continue;
      if (pattern !== null && !pattern.test(transactionalId)) continue;
      found.push({ transactionalId, producerId: BigInt(producerId), state: phase });
    }
    return { errorCode: Errors.NONE, transactions: found };
  }

  // --- time-outs -----------------------------------------------------------------------------------------------

  /** One timer, for the transaction that runs out first: back-to-back transactions set none. */
  #scheduleSweep(dueAt: number): void {
    if (dueAt >= this.#sweepDueAt) return;
    this.#sweep?.cancel();
    this.#sweepDueAt = dueAt;
    const delayMs = dueAt - this.#core.clock.monotonic() + this.#core.settings.transactionTimeoutSweepMs;
    this.#sweep = this.#core.clock.schedule(
      Math.max(1, delayMs),
      () => {
        this.#sweepDueAt = Infinity;
        this.#abortTimedOut();
        let next = Infinity;
        for (const { phase, startedAt, timeoutMs } of this.#transactions.values()) {
          if (phase === 'Ongoing') next = Math.min(next, startedAt + timeoutMs);
        }
        this.#scheduleSweep(next);
      },
      true,
    );
  }

  #abortTimedOut(): void {
    const now = this.#core.clock.monotonic();
    for (const transaction of this.#transactions.values()) {
      if (transaction.phase !== 'Ongoing' || now - transaction.startedAt < transaction.timeoutMs) continue;
      // Whoever is without a coordinator is aborted by the next one.
      if (this.#coordinators.outage('transaction', transaction.transactionalId) === Errors.NONE)
        this.#fence(transaction);
    }
  }

  #note({ transactionalId, phase, producerEpoch, producerId }: TransactionState): void {
    this.#core.trace.note('transaction', transactionalId, phase, producerId * 0x8000 + producerEpoch);
  }
}

function isOwn(
  transaction: TransactionState,
  expected: { producerId: bigint; producerEpoch: number },
): boolean {
  const producerId = Number(expected.producerId);
  return (
    transaction.producerEpoch === NO_EPOCH ||
    producerId === transaction.producerId ||
    (producerId === transaction.previousProducerId && expected.producerEpoch >= 0x7fff - 1)
  );
}

function claimRefusal(
  transaction: TransactionState | undefined,
  producerId: number,
  producerEpoch: number,
): number {
  if (transaction === undefined || transaction.producerId !== producerId)
    return Errors.INVALID_PRODUCER_ID_MAPPING;
  if (transaction.producerEpoch !== producerEpoch) return Errors.PRODUCER_FENCED;
  return transaction.isPreparing ? Errors.CONCURRENT_TRANSACTIONS : Errors.NONE;
}

/** Producers know INVALID_PRODUCER_EPOCH where the coordinator says PRODUCER_FENCED. */
function asSeenByProducer(errorCode: number): number {
  return errorCode === Errors.PRODUCER_FENCED ? Errors.INVALID_PRODUCER_EPOCH : errorCode;
}

/** The coordinator could not be asked: the client tries again, under a name that older clients retry on as well. */
function unverifiable(participant: Participant): number {
  return 'log' in participant ? Errors.NOT_ENOUGH_REPLICAS : Errors.COORDINATOR_LOAD_IN_PROGRESS;
}

function identity(producerId: number, producerEpoch: number): InitProducerIdAnswer {
  return { errorCode: Errors.NONE, producerId: BigInt(producerId), producerEpoch };
}

function refused(errorCode: number): InitProducerIdAnswer {
  return { errorCode, producerId: -1n, producerEpoch: -1 };
}
