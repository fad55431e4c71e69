// Owns what becomes of transactions that members left open: none may be committed once the offsets are set. Whoever is named by the group's own
// offsets is ended for good; of others only what holds something of this application. See docs/decisions/0014 for the same question in a takeover.
import type { BrokerAdmin, TransactionView } from '#libs/broker';
import { FatalError, sleep } from '#libs/core';
import type { Clock, Logger, TopicPartition } from '#libs/core';

const LOOK_AGAIN_MS = 250;
const GROUP_OFFSETS = '__consumer_offsets';

export interface TransactionParts {
  readonly admin: BrokerAdmin;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly applicationId: string;
  /** Named by offsets of the group. */
  readonly known: ReadonlySet<string>;
  /** Topics that are the application's alone. */
  readonly topics: ReadonlySet<string>;
  /** By group: partitions whose offsets nobody may have pending. */
  readonly offsets: ReadonlyMap<string, readonly TopicPartition[]>;
}

/** What would be ended. */
export async function findTransactions(parts: TransactionParts): Promise<TransactionView[]> {
  const { admin, applicationId, known, topics, logger } = parts;
  const open = await admin.openTransactionalIds(`${applicationId}-`).catch((error: unknown) => {
    logger.warn('Open transactions cannot be listed; those that the group does not name are waited for', {
      error: String(error),
    });
    return [];
  });
  const views = await admin.transactions([...new Set([...known, ...open])]);
  const isPending = views.some(holdsOffsets) && (await pendingOffsets(parts)) > 0;
  return views.filter(
    (view) =>
      known.has(view.transactionalId) ||
      // An application of a longer name may have transactions under the same prefix.
      (view.phase !== 'ended' &&
        (view.partitions.some(({ topic }) => topics.has(topic)) || (isPending && holdsOffsets(view)))),
  );
}

function holdsOffsets({ partitions }: TransactionView): boolean {
  return partitions.some(({ topic }) => topic === GROUP_OFFSETS);
}

async function pendingOffsets({ admin, offsets }: TransactionParts): Promise<number> {
  let count = 0;
  for (const [group, partitions] of offsets) count += (await admin.pendingOffsets(group, partitions)).length;
  return count;
}

/**
 * Ends them, and waits until no offset is pending. Identities end with them, so that whoever sleeps writes no more when it wakes.
 * @throws FatalError MILLRACE_RESET_MEMBERS_LIVE something is open still, though the time is up.
 */
export async function settleTransactions(parts: TransactionParts, timeoutMs: number): Promise<string[]> {
  const { admin, clock, applicationId } = parts;
  const startedAt = clock.monotonic();
  const ended = new Set<string>();
  /** Whose identities were ended, whether or not anything was open. */
  const asked = new Set<string>();
  for (;;) {
    const found = await findTransactions(parts);
    for (const view of found) {
      const { phase, transactionalId } = view;
      if (phase === 'ending' || (phase !== 'open' && asked.has(transactionalId))) continue;
      const isEnded = await admin.abortTransaction(view);
      if (isEnded) asked.add(transactionalId);
      if (isEnded && phase === 'open') ended.add(transactionalId);
    }
    const isOpen = found.some(({ phase }) => phase === 'open' || phase === 'ending');
    const pending = await pendingOffsets(parts);
    if (!isOpen && pending === 0) return [...ended];
    if (clock.monotonic() - startedAt > timeoutMs) {
      throw new FatalError({
        code: 'MILLRACE_RESET_MEMBERS_LIVE',
        message: `Transactions of "${applicationId}" are still open after ${Math.round(timeoutMs / 1_000)} s (${pending} offsets pending): ${found.map(({ transactionalId }) => transactionalId).join(', ') || 'of whom, cannot be seen'}.`,
        remedy:
          'Stop every instance, and wait until the transaction timeout of those that died has passed (60 s unless set).',
        context: { applicationId, pending },
      });
    }
    await sleep(clock, LOOK_AGAIN_MS);
  }
}
