// Owns the answer to Produce: each batch checked, made part of its transaction, and appended. It copies no bytes: the network has.
import { RecordBatchView } from '#libs/broker';
import type { ProduceAnswer, RpcRequests } from '#libs/broker';
import type { ClusterCore } from '../cluster-core.ts';
import { Errors } from '../kafka-errors.ts';
import { currentLeader, leaderRefusal } from '../topics/leader-check.ts';
import type { TopicConfig } from '../topics/topic-config.ts';
import type { TransactionCoordinator } from '../transactions/transaction-coordinator.ts';
import {
  BATCH_LENGTH,
  checksumOf,
  LENGTH_PREFIX_BYTES,
  RECORDS,
  stampLogAppendTime,
} from './batch-header.ts';
import type { PartitionLog } from './partition-log.ts';
import { hasNullKey } from './record-scan.ts';

type PartitionOutcome = ProduceAnswer['topics'][number]['partitions'][number];

interface Refusal {
  readonly errorCode: number;
  readonly errorMessage: string | null;
}

export class ProduceHandler {
  readonly #core: ClusterCore;
  readonly #transactions: TransactionCoordinator;

  constructor(core: ClusterCore, transactions: TransactionCoordinator) {
    this.#core = core;
    this.#transactions = transactions;
  }

  produce(request: RpcRequests['Produce'], nodeId: number): ProduceAnswer {
    const grown: PartitionLog[] = [];
    const topics = request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partition, records }) => {
        const log = this.#core.topics.log(name, partition);
        return this.#append(request, nodeId, log, partition, records, grown);
      }),
    }));
    for (const log of grown) log.notify();
    return { topics, throttleTimeMs: 0 };
  }

  #append(
    request: RpcRequests['Produce'],
    nodeId: number,
    log: PartitionLog | undefined,
    partition: number,
    records: readonly Uint8Array[],
    grown: PartitionLog[],
  ): PartitionOutcome {
    const unled = leaderRefusal(log, nodeId, -1);
    if (unled !== Errors.NONE) {
      const leader = log === undefined ? {} : { currentLeader: currentLeader(log) };
      return { ...outcome(partition, unled, null), ...leader };
    }
    if (request.acks !== -1 && request.acks !== 0 && request.acks !== 1) {
      return outcome(partition, Errors.INVALID_REQUIRED_ACKS, null);
    }
    const config = this.#core.topics.get(log!.topic)!.config;
    let baseOffset = -1;
    for (const view of batchesOf(records)) {
      const refusal = view === undefined ? CORRUPT : this.#refusal(request, log!, config, view);
      if (refusal !== undefined) return outcome(partition, refusal.errorCode, refusal.errorMessage);
      const nowMs = this.#core.clock.now();
      const checksum = checksumOf(view!.bytes);
      if (config.logAppendTime) stampLogAppendTime(view!.bytes, nowMs);
      const appended = log!.append(config.logAppendTime ? new RecordBatchView(view!.bytes) : view!, nowMs);
      if (appended.errorCode !== Errors.NONE) return outcome(partition, appended.errorCode, null);
      if (baseOffset < 0) baseOffset = appended.baseOffset;
      if (appended.duplicate) continue;
      this.#core.trace.note('append', log!.name, appended.baseOffset, checksum);
      if (grown.at(-1) !== log) grown.push(log!);
    }
    return { ...outcome(partition, Errors.NONE, null), baseOffset, logStartOffset: log!.logStartOffset };
  }

  #refusal(
    request: RpcRequests['Produce'],
    log: PartitionLog,
    config: TopicConfig,
    view: RecordBatchView,
  ): Refusal | undefined {
    if (view.isTransactional && view.producerId >= 0) {
      const errorCode = this.#joinTransaction(request, log, view);
      if (errorCode !== Errors.NONE) return { errorCode, errorMessage: null };
    }
    const { bytes } = view;
    if (bytes.length > config.maxMessageBytes) {
      return {
        errorCode: Errors.MESSAGE_TOO_LARGE,
        errorMessage: `The record batch size in the append to ${log.name} is ${bytes.length} bytes which exceeds the maximum configured value of ${config.maxMessageBytes}.`,
      };
    }
    if (!view.hasValidCrc()) return CORRUPT;
    if (!config.logAppendTime && view.maxTimestamp - this.#core.clock.now() > config.timestampAfterMaxMs) {
      return {
        errorCode: Errors.INVALID_TIMESTAMP,
        errorMessage: `Timestamp ${view.maxTimestamp} of message is later than what ${log.name} takes.`,
      };
    }
    if (config.compacted && hasNullKey(view)) {
      return {
        errorCode: Errors.INVALID_RECORD,
        errorMessage: `Compacted topic cannot accept message without key in topic partition ${log.name}.`,
      };
    }
    return undefined;
  }

  /** Version 2 adds the partition to the transaction, below it must have been added (KIP-890). Not asked again while it is open. */
  #joinTransaction(
    { transactionalId, transactionVersion2 }: RpcRequests['Produce'],
    log: PartitionLog,
    view: RecordBatchView,
  ): number {
    const { producerId, producerEpoch } = view;
    if (log.hasOpenTransaction(producerId, producerEpoch)) return Errors.NONE;
    if (transactionalId === null) return Errors.INVALID_PRODUCER_ID_MAPPING;
    // What was written before needs no transaction to be told so.
    return transactionVersion2
      ? this.#transactions.joinImplicitly(transactionalId, producerId, producerEpoch, { log })
      : this.#transactions.verify(transactionalId, producerId, producerEpoch, { log });
  }
}

const CORRUPT: Refusal = { errorCode: Errors.CORRUPT_MESSAGE, errorMessage: null };

function outcome(partition: number, errorCode: number, errorMessage: string | null): PartitionOutcome {
  return {
    partition,
    errorCode,
    errorMessage,
    baseOffset: -1,
    logAppendTimeMs: -1,
    logStartOffset: -1,
    recordErrors: [],
  };
}

/** The batches of one partition; undefined for one whose header makes no sense. */
function batchesOf(records: readonly Uint8Array[]): (RecordBatchView | undefined)[] {
  const views: (RecordBatchView | undefined)[] = [];
  for (const part of records) {
    const bytes = part as Buffer;
    let at = 0;
    while (at < bytes.length) {
      const size =
        bytes.length - at >= RECORDS ? LENGTH_PREFIX_BYTES + bytes.readInt32BE(at + BATCH_LENGTH) : 0;
      if (size < RECORDS || at + size > bytes.length) return [...views, undefined];
      views.push(viewOf(bytes.subarray(at, at + size)));
      at += size;
    }
  }
  return views;
}

function viewOf(bytes: Buffer): RecordBatchView | undefined {
  try {
    return new RecordBatchView(bytes);
  } catch {
    return undefined;
  }
}
