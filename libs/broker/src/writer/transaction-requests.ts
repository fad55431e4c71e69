// Owns the five requests that steer a transaction, each retried to its deadline and turned into the error taxonomy.
// It holds no state of the transaction: identity and version come in, the outcome goes out.
import { FatalError, within } from '#libs/core';
import { Again, Deadline, retry } from '../cluster/index.ts';
import type { Cluster } from '../cluster/index.ts';
import type { CommittableOffset, GroupMetadata, RenewGeneration } from '../contracts/transactional-writer.ts';
import { classify, errorName, KafkaError } from '../protocol/error-codes.ts';
import { epochAborted, generationLost, refused } from '../protocol/errors.ts';
import type { OffsetCommitPartition } from '../rpc/index.ts';
import type { ProducerNumbers } from './produce-pipeline.ts';

export interface TransactionContext {
  readonly cluster: Cluster;
  readonly transactionalId: string;
  readonly transactionTimeoutMs: number;
  readonly deadlineMs: number;
  /** An error once the writer failed, was initialised anew or closed meanwhile. */
  readonly cancelled: () => Error | undefined;
  /** The error for INVALID_PRODUCER_EPOCH and PRODUCER_FENCED. */
  readonly fenced: (what: string, code: number) => Error;
  /** An answer was lost: below transaction version 2 the identity must not begin another transaction. */
  readonly onLostAnswer: () => void;
}

/**
 * InitProducerId with -1/-1: bumps the epoch, fences the older holder and settles what it left open. An explicit id and
 * epoch would fence the caller when they mismatch.
 */
export function initProducerId(context: TransactionContext): Promise<ProducerNumbers> {
  const what = `InitProducerId of "${context.transactionalId}"`;
  const request = {
    transactionalId: context.transactionalId,
    transactionTimeoutMs: context.transactionTimeoutMs,
    producerId: -1n,
    producerEpoch: -1,
  };
  return retryAtCoordinator(context, what, ofTransactions(context), async (nodeId, timeoutMs) => {
    const answer = await context.cluster.call(nodeId, 'InitProducerId', request, timeoutMs);
    const code = answer.errorCode;
    if (code === KafkaError.NONE)
      return { producerId: answer.producerId, producerEpoch: answer.producerEpoch };
    if (code === KafkaError.INVALID_TRANSACTION_TIMEOUT) throw timeoutTooLong(context);
    switch (classify(code)) {
      case 'stale-coordinator':
        return new Moved(errorName(code));
      case 'concurrent':
        return new Again(errorName(code), 'concurrent');
      // We claim no epoch of our own, so a fenced answer is about a race of others: try again.
      case 'retriable':
      case 'stale-metadata':
      case 'fenced':
      case 'abortable':
        return new Again(errorName(code));
      default:
        throw refused(what, code, { transactionalId: context.transactionalId });
    }
  });
}

/** Transaction version below 2: partitions join before their first batch. */
export function addPartitions(
  context: TransactionContext,
  numbers: ProducerNumbers,
  partitions: readonly { readonly topic: string; readonly partition: number }[],
): Promise<void> {
  const what = `AddPartitionsToTxn of "${context.transactionalId}"`;
  const byTopic = new Map<string, number[]>();
  for (const { topic, partition } of partitions) {
    const list = byTopic.get(topic);
    if (list === undefined) byTopic.set(topic, [partition]);
    else list.push(partition);
  }
  const topics = [...byTopic].map(([name, list]) => ({ name, partitions: list }));
  const request = { transactionalId: context.transactionalId, ...numbers, topics };
  return retryAtCoordinator(context, what, ofTransactions(context), async (nodeId, timeoutMs) => {
    const answer = await context.cluster.call(nodeId, 'AddPartitionsToTxn', request, timeoutMs);
    const codes = answer.topics.flatMap((topic) => topic.partitions.map((partition) => partition.errorCode));
    const denied = firstDenied(answer.topics);
    if (denied !== undefined)
      throw refused(what, KafkaError.TOPIC_AUTHORIZATION_FAILED, denied, null, 'Write');
    return judge(context, what, [answer.errorCode, ...codes]);
  });
}

/** Transaction version below 2: the group's offsets partition joins before the offsets. */
export function addOffsets(
  context: TransactionContext,
  numbers: ProducerNumbers,
  groupId: string,
): Promise<void> {
  const what = `AddOffsetsToTxn of "${context.transactionalId}" for group "${groupId}"`;
  const request = { transactionalId: context.transactionalId, ...numbers, groupId };
  return retryAtCoordinator(context, what, ofTransactions(context), async (nodeId, timeoutMs) => {
    const answer = await context.cluster.call(nodeId, 'AddOffsetsToTxn', request, timeoutMs);
    return judge(context, what, [answer.errorCode], groupId);
  });
}

/**
 * TxnOffsetCommit with generation, member and instance, which the broker checks from version 3 on. It takes the newest generation
 * alone, whatever the group's state: the old one until every member has asked to join, the next one from then on. So a request that
 * is on its way at that moment is refused, and goes out again under what `renewed` gives.
 * @throws TaskMigratedError when the group knows member or generation no more. The transaction is then still open.
 */
export async function commitOffsets(
  context: TransactionContext,
  numbers: ProducerNumbers,
  offsets: readonly CommittableOffset[],
  group: GroupMetadata,
  renewed: RenewGeneration | undefined,
  transactionVersion2: boolean,
): Promise<void> {
  for (let offered = group; ;) {
    const refusal = await offerOffsets(context, numbers, offsets, offered, transactionVersion2);
    if (refusal === undefined) return;
    const renewal = movedOn(refusal.code) ? renewed?.(offered) : undefined;
    const next =
      renewal === undefined ? null : await within(context.cluster.clock, context.deadlineMs, renewal);
    const over = context.cancelled();
    if (over !== undefined) throw over;
    if (next === null) {
      throw generationLost(refusal.what, refusal.code, {
        groupId: offered.groupId,
        memberId: offered.memberId,
        generationId: offered.generationId,
      });
    }
    offered = next;
  }
}

/** Does `code` say that the member is known, and the generation not the newest? */
function movedOn(code: number): boolean {
  return code === KafkaError.ILLEGAL_GENERATION || code === KafkaError.REBALANCE_IN_PROGRESS;
}

interface Refusal {
  readonly what: string;
  readonly code: number;
}

/** The group's refusal of member or generation; undefined once the offsets are in the transaction. */
function offerOffsets(
  context: TransactionContext,
  numbers: ProducerNumbers,
  offsets: readonly CommittableOffset[],
  group: GroupMetadata,
  transactionVersion2: boolean,
): Promise<Refusal | undefined> {
  const what = `TxnOffsetCommit of "${context.transactionalId}" for group "${group.groupId}"`;
  const request = {
    transactionalId: context.transactionalId,
    ...numbers,
    groupId: group.groupId,
    generationId: group.generationId,
    memberId: group.memberId,
    groupInstanceId: group.groupInstanceId,
    topics: groupByTopic(offsets),
    transactionVersion2,
  };
  return retryAtCoordinator<Refusal | undefined>(
    context,
    what,
    { kind: 'group', key: group.groupId },
    async (nodeId, timeoutMs) => {
      const answer = await context.cluster.call(nodeId, 'TxnOffsetCommit', request, timeoutMs);
      const codes = answer.topics.flatMap((topic) =>
        topic.partitions.map((partition) => partition.errorCode),
      );
      for (const code of codes) {
        const kind = classify(code);
        if (kind === 'generation-lost' || kind === 'instance-fenced' || kind === 'rebalancing')
          return { what, code };
      }
      const denied = firstDenied(answer.topics);
      if (denied !== undefined)
        throw refused(what, KafkaError.TOPIC_AUTHORIZATION_FAILED, denied, null, 'Read');
      return judge(context, what, codes, group.groupId);
    },
  );
}

/**
 * EndTxn, retried until it is decided. Under transaction version 2 a retry of what had been applied answers success with
 * the bumped epoch; below it, a retry with the same epoch answers success. Resolves to the numbers of the next transaction.
 */
export function endTransaction(
  context: TransactionContext,
  numbers: ProducerNumbers,
  committed: boolean,
  transactionVersion2: boolean,
): Promise<ProducerNumbers> {
  const what = `EndTxn (${committed ? 'commit' : 'abort'}) of "${context.transactionalId}"`;
  const request = { transactionalId: context.transactionalId, ...numbers, committed, transactionVersion2 };
  return retryAtCoordinator(context, what, ofTransactions(context), async (nodeId, timeoutMs) => {
    const answer = await context.cluster.call(nodeId, 'EndTxn', request, timeoutMs);
    if (answer.errorCode !== KafkaError.NONE) {
      const again = judge(context, what, [answer.errorCode]);
      return again ?? new Again('an answer without an error code');
    }
    if (!transactionVersion2 || answer.producerId < 0n) return numbers;
    return { producerId: answer.producerId, producerEpoch: answer.producerEpoch };
  });
}

/** The coordinator is another broker now. */
class Moved extends Again {}

/** What the worst of `codes` demands: nothing, another try, or an error thrown. */
function judge(
  { fenced, transactionalId }: TransactionContext,
  what: string,
  codes: readonly number[],
  groupId?: string,
): Again | undefined {
  let again: Again | undefined;
  for (const code of codes) {
    const name = errorName(code);
    switch (classify(code)) {
      case 'none':
      case 'duplicate':
        break;
      case 'concurrent':
        again ??= new Again(name, 'concurrent');
        break;
      case 'stale-coordinator':
        again = new Moved(name);
        break;
      case 'retriable':
      case 'stale-metadata':
        if (!(again instanceof Moved)) again = new Again(name);
        break;
      case 'fenced':
        throw fenced(what, code);
      case 'abortable':
        throw epochAborted(`${what} was refused with ${name}`, { kafkaError: name, kafkaErrorCode: code });
      default:
        throw refused(what, code, { transactionalId, ...(groupId === undefined ? {} : { groupId }) });
    }
  }
  return again;
}

interface AnsweredTopic {
  readonly name: string;
  readonly partitions: readonly { readonly errorCode: number }[];
}

/** A topic that an ACL is missing on: the refusal is to name it. */
function firstDenied(topics: readonly AnsweredTopic[]): { readonly topic: string } | undefined {
  for (const { name, partitions } of topics) {
    for (const { errorCode } of partitions)
      if (errorCode === KafkaError.TOPIC_AUTHORIZATION_FAILED) return { topic: name };
  }
  return undefined;
}

type Attempt<T> = (nodeId: number, timeoutMs: number) => Promise<T | Again>;

function ofTransactions(context: TransactionContext): Coordinator {
  return { kind: 'transaction', key: context.transactionalId };
}

interface Coordinator {
  readonly kind: 'transaction' | 'group';
  readonly key: string;
}

function retryAtCoordinator<T>(
  context: TransactionContext,
  what: string,
  { kind, key }: Coordinator,
  attempt: Attempt<T>,
): Promise<T> {
  const { cluster } = context;
  const deadline = new Deadline(cluster.clock, context.deadlineMs);
  return retry<T>(
    {
      clock: cluster.clock,
      deadline,
      requestTimeoutMs: cluster.requestTimeoutMs,
      cancelled: context.cancelled,
      onDeadline: (last) =>
        epochAborted(`${what} was not answered within ${Math.round(deadline.waitedMs)} ms (${last})`),
      onRpcFailure: (failure) => {
        // Looking up a coordinator changes nothing, so its lost answer leaves nothing in doubt.
        if (failure.kind === 'unknown' && failure.api !== 'FindCoordinator') context.onLostAnswer();
      },
    },
    async (timeoutMs) => {
      const nodeId = await cluster.findCoordinator(kind, key, timeoutMs);
      if (nodeId instanceof Again) return nodeId;
      // The look-up may have taken long: what was abandoned meanwhile is not sent.
      const over = context.cancelled();
      if (over !== undefined) throw over;
      let result: T | Again;
      try {
        result = await attempt(nodeId, timeoutMs);
      } catch (error) {
        cluster.coordinators.forget(kind, key, nodeId);
        throw error;
      }
      if (result instanceof Moved) cluster.coordinators.forget(kind, key, nodeId);
      return result;
    },
  );
}

function groupByTopic(
  offsets: readonly CommittableOffset[],
): { name: string; partitions: OffsetCommitPartition[] }[] {
  const byTopic = new Map<string, OffsetCommitPartition[]>();
  for (const offset of offsets) {
    const entry = {
      partition: offset.partition,
      committedOffset: offset.offset,
      committedLeaderEpoch: offset.leaderEpoch,
      committedMetadata: offset.metadata,
    };
    const list = byTopic.get(offset.topic);
    if (list === undefined) byTopic.set(offset.topic, [entry]);
    else list.push(entry);
  }
  return [...byTopic].map(([name, partitions]) => ({ name, partitions }));
}

function timeoutTooLong(context: TransactionContext): FatalError {
  return new FatalError({
    code: 'MILLRACE_INVALID_CONFIG',
    message: `A transaction timeout of ${context.transactionTimeoutMs} ms is longer than the broker allows.`,
    remedy: 'Lower it, or raise `transaction.max.timeout.ms` of the brokers.',
    context: { transactionalId: context.transactionalId, transactionTimeoutMs: context.transactionTimeoutMs },
  });
}
