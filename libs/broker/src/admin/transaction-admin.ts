// Owns what is done to transactions of others: seeing which are open, and ending one that its holder will not end.
// Writers of transactions of one's own are in writer/.
import { Again } from '../cluster/index.ts';
import type { Cluster } from '../cluster/index.ts';
import type { OpenTransaction } from '../contracts/broker-admin.ts';
import { classify, errorName, isRetriable, KafkaError } from '../protocol/error-codes.ts';
import { refused } from '../protocol/errors.ts';
import { adminRetry } from './admin-retry.ts';

/** Of the fence below version 2; the holder that is fenced chooses its own when it begins anew. */
const FENCE_TIMEOUT_MS = 60_000;
const DEADLINE_MS = 10_000;

export async function openTransactions(
  cluster: Cluster,
  transactionalIds: readonly string[],
): Promise<readonly OpenTransaction[]> {
  const described = await Promise.all(transactionalIds.map((id) => describe(cluster, id)));
  return described.filter((transaction) => transaction !== null);
}

function describe(cluster: Cluster, id: string): Promise<OpenTransaction | null> {
  const what = `DescribeTransactions of "${id}"`;
  const request = { transactionalIds: [id] };
  const attempt = async (timeoutMs: number): Promise<OpenTransaction | null | Again> => {
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
    if (transaction.state !== 'Ongoing') return null;
    const { producerId, producerEpoch } = transaction;
    return { transactionalId: id, producerId, producerEpoch };
  };
  return adminRetry(cluster, what, attempt, DEADLINE_MS);
}

/**
 * EndTxn with the identity that the transaction has: the coordinator refuses it of any other, unlike InitProducerId, which under
 * any epoch aborts what is open (Kafka's TransactionCoordinator). The abort bumps the epoch, so that the holder writes no more.
 * Below version 2 it would not, and a late batch of the holder would stand open for ever: there InitProducerId fences it.
 */
export async function abortTransaction(cluster: Cluster, transaction: OpenTransaction): Promise<boolean> {
  const { transactionalId: id } = transaction;
  const what = `Aborting the transaction of "${id}"`;
  const attempt = async (timeoutMs: number): Promise<boolean | Again> => {
    const { transactionVersion } = await cluster.rpc.features();
    const outcome =
      transactionVersion >= 2
        ? await cluster.callCoordinator('transaction', id, 'EndTxn', endOf(transaction), timeoutMs)
        : await cluster.callCoordinator('transaction', id, 'InitProducerId', fenceOf(id), timeoutMs);
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

function endOf(transaction: OpenTransaction) {
  return { ...transaction, committed: false, transactionVersion2: true };
}

function fenceOf(transactionalId: string) {
  return { transactionalId, transactionTimeoutMs: FENCE_TIMEOUT_MS, producerId: -1n, producerEpoch: -1 };
}

function obstacle(cluster: Cluster, what: string, id: string, code: number, nodeId: number): Again {
  const kind = classify(code);
  if (!isRetriable(kind)) throw refused(what, code, { transactionalId: id });
  if (kind === 'stale-coordinator') cluster.coordinators.forget('transaction', id, nodeId);
  return new Again(errorName(code));
}
