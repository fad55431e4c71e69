// Owns finding in the broker's log what would otherwise pass for a fault of the application: a transaction that the broker took for complete
// though its markers were never written.
//
// It happens as a killed broker comes back that is the only replica (seen with Kafka 4.3.1, on a busy machine). It loads its transactions while
// its last metadata still call it the leader, begins to send the markers that are due, and is then without partitions for a
// moment. "Likely deleted", it says of them, and writes down that the transaction is complete. When it loads that again, nothing is left to
// send: the partitions hang, or whoever writes there next decides what becomes of the records.

const SENT = /Sending txn markers for TransactionalIdCoordinatorEpochAndTransitMetadata\(([^,]+),/;
const SKIPPED =
  /Couldn't find leader endpoint for partitions \w+\(([^)]*)\) while trying to send transaction markers for (\S+),/;

export interface LostMarkers {
  readonly transactionalId: string;
  readonly partitions: readonly string[];
}

/** Of the transactions whose markers were left out and not sent again. */
export function lostMarkers(brokerLog: string): LostMarkers[] {
  const skipped = new Map<string, LostMarkers>();
  const lost: LostMarkers[] = [];
  for (const line of brokerLog.split('\n')) {
    const sent = SENT.exec(line);
    if (sent !== null) skipped.delete(sent[1]!);
    const left = SKIPPED.exec(line);
    if (left !== null) {
      const transactionalId = left[2]!;
      skipped.set(transactionalId, { transactionalId, partitions: left[1]!.split(', ').sort() });
    }
    // From here on it writes into other transactions; whether the markers of the last are missing is decided.
    const begun = /Initialized transactionalId (\S+) /.exec(line)?.[1];
    const due = begun === undefined ? undefined : skipped.get(begun);
    if (due === undefined) continue;
    skipped.delete(due.transactionalId);
    lost.push(due);
  }
  return [...lost, ...skipped.values()];
}
