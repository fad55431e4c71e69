// Owns which fetched batches are delivered: data batches, under read_committed only those of committed transactions.
//
// 1. Control batches are known by their attribute bit, never by what a key looks like (design).
// 2. The aborted index of an answer lists each aborted transaction that overlaps the fetched range, in any order, also one
//    that began in an earlier answer or whose marker lies in a later one. So each answer is filtered by its own index alone.
// 3. The position moves behind what is left out too.
import type { IsolationLevel } from '../contracts/record-reader.ts';
import type { RecordBatchView } from '../record-batch/index.ts';
import type { AbortedTransaction } from '../rpc/index.ts';

export interface Deliverable {
  readonly batches: readonly RecordBatchView[];
  /** Behind the last batch of the answer, delivered or not. */
  readonly nextOffset: number;
  /** Leader epoch of the last batch of the answer; -1 when there is none. */
  readonly leaderEpoch: number;
}

export function deliverableBatches(
  batches: readonly RecordBatchView[],
  startOffset: number,
  isolation: IsolationLevel,
  abortedTransactions: readonly AbortedTransaction[],
): Deliverable {
  const committedOnly = isolation === 'read_committed' && abortedTransactions.length > 0;
  const index = committedOnly ? [...abortedTransactions].sort((a, b) => a.firstOffset - b.firstOffset) : [];
  const aborted = new Set<number>();
  const delivered: RecordBatchView[] = [];
  let nextInIndex = 0;
  let nextOffset = startOffset;
  let leaderEpoch = -1;
  for (const batch of batches) {
    while (nextInIndex < index.length && index[nextInIndex]!.firstOffset <= batch.lastOffset) {
      aborted.add(Number(index[nextInIndex++]!.producerId));
    }
    leaderEpoch = batch.partitionLeaderEpoch;
    if (batch.nextOffset > nextOffset) nextOffset = batch.nextOffset;
    if (batch.isControl) {
      if (aborted.size > 0 && batch.controlType() === 'abort') aborted.delete(batch.producerId);
      continue;
    }
    if (batch.isTransactional && aborted.has(batch.producerId)) continue;
    // Compaction may leave a batch without records, and the first batch may end before the position.
    if (batch.recordCount === 0 || batch.nextOffset <= startOffset) continue;
    delivered.push(batch);
  }
  return { batches: delivered, nextOffset, leaderEpoch };
}
