// Owns what is done to transactions of others: finding them, seeing how they stand, and ending one that its holder will not end.
// Writers of transactions of one's own are in writer/.
import type { TopicPartition } from '#libs/core';
import { Again } from '../cluster/index.ts';
import type { Cluster } from '../cluster/index.ts';
import type { TransactionIdentity, TransactionView } from '../contracts/broker-admin.ts';
import { classify, errorName, isRetriable, KafkaError } from '../protocol/error-codes.ts';
import { isRpcFailure, refused } from '../protocol/errors.ts';
import { adminRetry } from './admin-retry.ts';

/** Of the fence below version 2; the holder that is fenced chooses its own when it begins anew. */
const FENCE_TIMEOUT_MS = 60_000;
const DEADLINE_MS = 10_000;

export async function transactions(
  cluster: Cluster,
  transactionalIds: readonly string[],
): Promise<readonly TransactionView[]> {
  const described = await Promise.all(transactionalIds.map((id) => describe(cluster, id)));
  return described.filter((transaction) => transaction !== null);
}

function describe(cluster: Cluster, id: string): Promise<TransactionView | null> {
  const what = `DescribeTransactions of "${id}"`;
  const request = { transactionalIds: [id] };
  const attempt = async (timeoutMs: number): Promise<TransactionView | null | Again> => {
    const outcome = await cluster.callCoordinator(
      'transaction',
      id,
      'DescribeTransactions',
      request,
      timeoutMs,
    );
    if (outcome instanceof Again) return outcome;
    const transaction = outcome.answer.transactions[0];
    const code = transaction?.errorCode ?? KafkaError.TRANSACTIONAL_ID_NOT_FOUND;
    if (transaction === undefined || code === KafkaError.TRANSACTIONAL_ID_NOT_FOUND) return null;
    if (code !== KafkaError.NONE) return obstacle(cluster, what, id, code, outcome.nodeId);
    const { producerId, producerEpoch, startTimeMs, topics } = transaction;
    const phase = phaseOf(transaction.state);
    return {
      transactionalId: id,
      producerId,
      producerEpoch,
      phase,
      // Kafka tells it of one that is over, too.
      startedAtMs: phase === 'ended' ? -1 : startTimeMs,
      partitions: topics.flatMap(({ name, partitions }): TopicPartition[] =>
        partitions.map((partition) => ({ topic: name, partition })),
      ),
    };
  };
  return adminRetry(cluster, what, attempt, DEADLINE_MS);
}

/** From the names of Kafka's TransactionState. */
function phaseOf(state: string): TransactionView['phase'] {
  if (state === 'Ongoing') return 'open';
  if (state === 'CompleteCommit' || state === 'CompleteAbort') return 'ended';
  return state === 'Empty' ? 'unused' : 'ending';
}

/** Coordinators list only what they coordinate, and say nothing while one of their partitions loads. */
export async function openTransactionalIds(cluster: Cluster, prefix: string): Promise<readonly string[]> {
  const timeoutMs = cluster.requestTimeoutMs;
  const { brokers } = await adminRetry(
    cluster,
    'Looking for the brokers',
    (withinMs) => cluster.call('bootstrap', 'Metadata', { topics: [] }, withinMs),
    DEADLINE_MS,
  );
  cluster.metadata.learnNodes(brokers);
  const request = { states: ['Ongoing'], transactionalIdPattern: `${literally(prefix)}.*` };
  const answers = await Promise.allSettled(
    brokers.map(({ nodeId }) => cluster.call(nodeId, 'ListTransactions', request, timeoutMs)),
  );
  const ids: string[] = [];
  for (const answer of answers) {
    if (answer.status === 'rejected') {
      if (isRpcFailure(answer.reason)) continue;
      throw answer.reason;
    }
    const { errorCode, transactions: listed } = answer.value;
    if (errorCode !== KafkaError.NONE && !isRetriable(classify(errorCode)))
      throw refused('Listing open transactions', errorCode);
    // Below version 2 nobody but us has looked at the prefix.
    for (const { transactionalId } of listed)
      if (transactionalId.startsWith(prefix)) ids.push(transactionalId);
  }
  return ids;
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

/**
 * EndTxn with the identity that the transaction has: the coordinator refuses it of any other, and takes it where nothing is open, unlike
 * InitProducerId, which under any epoch aborts what is open (Kafka's TransactionCoordinator). The abort bumps the epoch, so
 * that the holder writes no more. Below version 2 it would not, and a late batch of the holder would stand open for ever: there it is
 * InitProducerId, which bumps the epoch of nobody who has another.
 */
export async function abortTransaction(cluster: Cluster, identity: TransactionIdentity): Promise<boolean> {
  const { transactionalId: id, producerId, producerEpoch } = identity;
  const what = `Aborting the transaction of "${id}"`;
  const own = { transactionalId: id, producerId, producerEpoch };
  const attempt = async (timeoutMs: number): Promise<boolean | Again> => {
    const { transactionVersion } = await cluster.rpc.features();
    const outcome =
      transactionVersion >= 2
        ? await cluster.callCoordinator(
            'transaction',
            id,
            'EndTxn',
            { ...own, committed: false, transactionVersion2: true },
            timeoutMs,
          )
        : await cluster.callCoordinator(
            'transaction',
            id,
            'InitProducerId',
            { ...own, transactionTimeoutMs: FENCE_TIMEOUT_MS },
            timeoutMs,
          );
    if (outcome instanceof Again) return outcome;
    const code = outcome.answer.errorCode;
    switch (classify(code)) {
      case 'none':
      case 'concurrent': // It is being ended, by us or by another.
        return true;
      case 'fenced':
      case 'abortable':
        return false;
      default:
        return obstacle(cluster, what, id, code, outcome.nodeId);
    }
  };
  return adminRetry(cluster, what, attempt, DEADLINE_MS);
}

function obstacle(cluster: Cluster, what: string, id: string, code: number, nodeId: number): Again {
  const kind = classify(code);
  if (!isRetriable(kind)) throw refused(what, code, { transactionalId: id });
  if (kind === 'stale-coordinator') cluster.coordinators.forget('transaction', id, nodeId);
  return new Again(errorName(code));
}
