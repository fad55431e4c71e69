// Owns the settling of dead workers' transactions before their tasks are taken over. Group fencing does not do it: a worker
// killed in mid-transaction leaves it open until its timeout, and reading its offsets (require_stable) would wait for that; so would
// the restore of what it has written to a changelog, and every reader of its output.
//
// It ends transactions, and fences nobody who lives. The rule, in the order in which it is asked:
// 1. An offset of a task that is ours now is pending.
// 2. A worker that may have left it, and is not known to live, has a transaction open: its identity and epoch are noted.
// 3. The offset is still pending. A worker that was started again under its old name ended its old transaction as it began, and with
//    it the offset; what it has open since is not what we wait for.
// 4. The transaction is aborted under the identity noted. Of a worker that began anew meanwhile the broker refuses it: harmless.
//
// Where no offset is pending, the worker may still have died between its first batch and its offsets. Then what 2 finds is aborted unless
// the worker has become known to live since; one that had joined again by then began anew before it joined.
import type { BrokerClient, OpenTransaction } from '#libs/broker';
import { asError, formatTopicPartition, sleep } from '#libs/core';
import type { Clock, Logger, TaskIdText, TopicPartition } from '#libs/core';
import type { ClusterLayout } from './cluster-layout.ts';
import type { RuntimeConfig } from './config.ts';
import { decodeOffsetMetadata } from './offset-metadata.ts';

/** A transaction that is being ended is over in milliseconds: the first looks come soon. */
const PAUSE_FIRST_MS = 5;
const PAUSE_MAX_MS = 1_000;
/** Each after retries of its own. */
const FAILURES_MAX = 3;

export class PredecessorSettler {
  private readonly client: BrokerClient;
  private readonly config: RuntimeConfig;
  private readonly layout: ClusterLayout;
  private readonly ownId: string;
  private readonly clock: Clock;
  private readonly logger: Logger;

  constructor(
    client: BrokerClient,
    config: RuntimeConfig,
    layout: ClusterLayout,
    ownId: string,
    clock: Clock,
    logger: Logger,
  ) {
    this.client = client;
    this.config = config;
    this.layout = layout;
    this.ownId = ownId;
    this.clock = clock;
    this.logger = logger;
  }

  /**
   * Resolves once no offset of the tasks is pending and nothing is left open, or when all has been tried: reading the offsets then waits for the
   * transaction's timeout. `departed`: ids that the group's leader knows to be gone. Besides them, ids named by the tasks' last
   * committed offsets. `live`: ids of present members, as far as they are known.
   */
  async settle(
    tasks: readonly TaskIdText[],
    departed: readonly string[],
    live: () => readonly string[] | Promise<readonly string[]>,
  ): Promise<void> {
    if (this.config.processingGuarantee !== 'exactly_once') return;
    const inputs = tasks.flatMap((task) => this.layout.inputs(task));
    const startedAt = this.clock.monotonic();
    let failures = 0;
    for (let pauseMs = PAUSE_FIRST_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
      try {
        const pending = await this.pending(inputs);
        if (pending.length === 0) {
          await this.endLeftOpen(inputs, departed, live);
          return;
        }
        await this.endTransactions(pending, departed, live);
      } catch (error) {
        this.logger.warn('Could not settle what earlier owners of tasks left open', {
          error: asError(error).message,
        });
        if (++failures >= FAILURES_MAX) return;
      }
      if (this.clock.monotonic() - startedAt > this.config.transactionTimeoutMs) return;
      await sleep(this.clock, pauseMs);
    }
  }

  private async endTransactions(
    pending: readonly TopicPartition[],
    departed: readonly string[],
    live: () => readonly string[] | Promise<readonly string[]>,
  ): Promise<void> {
    const open = await this.leftOpen(pending, departed, live);
    if (open.length === 0) return;
    const still = new Set((await this.pending(pending)).map(keyOf));
    if (!pending.some((partition) => still.has(keyOf(partition)))) return;
    await this.abort(open);
  }

  /** Of workers that died before their offsets were in the transaction. */
  private async endLeftOpen(
    inputs: readonly TopicPartition[],
    departed: readonly string[],
    live: () => readonly string[] | Promise<readonly string[]>,
  ): Promise<void> {
    const open = await this.leftOpen(inputs, departed, live);
    if (open.length === 0) return;
    const back = new Set(await live());
    await this.abort(open.filter(({ transactionalId }) => !back.has(transactionalId)));
  }

  /** Open transactions of workers that may have written for these partitions, and are not known to live. */
  private async leftOpen(
    partitions: readonly TopicPartition[],
    departed: readonly string[],
    live: () => readonly string[] | Promise<readonly string[]>,
  ): Promise<readonly OpenTransaction[]> {
    const ids = await this.candidates(partitions, departed);
    // Asked only now: whoever joined while the offsets were read is not meant either.
    for (const id of await live()) ids.delete(id);
    return ids.size === 0 ? [] : this.client.admin.openTransactions([...ids]);
  }

  private async abort(open: readonly OpenTransaction[]): Promise<void> {
    await Promise.all(
      open.map(async (transaction) => {
        const { transactionalId } = transaction;
        if (await this.client.admin.abortTransaction(transaction))
          this.logger.info('Settled the transaction of a departed worker', { transactionalId });
      }),
    );
  }

  private async candidates(
    pending: readonly TopicPartition[],
    departed: readonly string[],
  ): Promise<Set<string>> {
    const ids = new Set(departed);
    const committed = await this.client.admin.committedOffsets(this.config.applicationId, pending, {
      requireStable: false,
    });
    for (const { metadata } of committed.values()) {
      const decoded = decodeOffsetMetadata(metadata);
      if (decoded !== null) ids.add(decoded.transactionalId);
    }
    ids.delete(this.ownId);
    // An id outside the application's own name space is never ours to end, whatever some offset's metadata says.
    for (const id of ids) if (!id.startsWith(`${this.config.applicationId}-`)) ids.delete(id);
    return ids;
  }

  private pending(inputs: readonly TopicPartition[]): Promise<readonly TopicPartition[]> {
    return this.client.admin.pendingOffsets(this.config.applicationId, inputs);
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return formatTopicPartition(topic, partition);
}
