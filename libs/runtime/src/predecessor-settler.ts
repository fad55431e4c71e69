// Owns the settling of dead workers' transactions before their tasks are taken over. Group fencing does not do it: a worker
// killed in mid-transaction leaves it open until its timeout, and reading its offsets (require_stable) would wait for that; so would
// the restore of what it has written to a changelog, and every reader of its output.
//
// It ends transactions and identities, and of nobody who lives. The rule, in the order in which it is asked:
// 1. An offset of a task that is ours now is pending.
// 2. A worker that may have left it, and is not known to live, has a transaction open: its identity and epoch are noted.
// 3. The offset is still pending. A worker that was started again under its old name ended its old transaction as it began, and with
//    it the offset; what it has open since is not what we wait for.
// 4. The transaction is aborted under the identity noted. Of a worker that began anew meanwhile the broker refuses it: harmless.
// 5. If that goes on, whoever left it is a worker of whom no offset and no leader tells: it was killed in the transaction in which it first
//    named itself. So the brokers are asked for every open transaction under a name of this application. One is aborted as in 4, once it
//    - is of no member that is known to live, nor ours;
//    - holds offsets of a group. Where we may not see `__consumer_offsets`, it must do that nothing at all is to be seen of it; then all members
//      have to be known, and two commit intervals to pass, in which a live worker's epoch ends;
//    - has stood there for longer than a commit takes, by the same identity and beginning, since we got the task;
//    - and an offset of ours is pending still. A live worker's commit is over by then, or hangs on what stops ours, too.
//
// 6. Where no offset is pending, the worker may still have died between its first batch and its offsets. Then what 2 finds is aborted
//    unless the worker has become known to live since; one that had joined again by then began anew before it joined. In a group too large for
//    all to be known, only of those whom the leader names as departed: whoever had a task last may live on with others.
// 7. A worker that only slept has nothing open, and would write when it wakes, where nobody looks any more. So if all members are known,
//    whoever committed our tasks last and is none of them loses its identity, provided a transaction was ended under it: a worker that
//    began anew has not used its own yet.
import type { BrokerClient, CommittedOffset, TransactionView } from '#libs/broker';
import { asError, sleep } from '#libs/core';
import type { Clock, Logger, TaskIdText, TopicPartition } from '#libs/core';
import type { ClusterLayout } from './cluster-layout.ts';
import type { RuntimeConfig } from './config.ts';
import { decodeOffsetMetadata } from './offset-metadata.ts';

/** A transaction that is being ended is over in milliseconds: the first looks come soon. */
const PAUSE_FIRST_MS = 5;
const PAUSE_MAX_MS = 1_000;
/** Each after retries of its own. */
const FAILURES_MAX = 3;
/** A predecessor's commit that is under way when its task moves is over before: nobody is looked for. */
const STRANGERS_AFTER_MS = 100;
/** Longer than a healthy commit holds its offsets pending. */
const STRANGER_STANDS_MS = 400;
const GROUP_OFFSETS = '__consumer_offsets';

type Live = () => readonly string[] | Promise<readonly string[]>;

/** Whose transactions may have to do with tasks. */
interface Candidates {
  readonly ids: Set<string>;
  /** Those of them that committed the tasks last. */
  readonly owners: ReadonlySet<string>;
}

/** When each transaction that no known worker holds was first seen, monotonic milliseconds; keyed by all that makes it this one. */
type Strangers = ReadonlyMap<string, number>;

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
   * transaction's timeout. Never rejects. Without tasks, only what `departed` left open is ended. `departed`: ids that the group's leader knows to be gone. Besides them, ids named by the tasks' last
   * committed offsets. `live`: ids of present members, as far as they are known. `signal`:
   * nobody wants it any more.
   */
  async settle(
    tasks: readonly TaskIdText[],
    departed: readonly string[],
    live: Live,
    signal?: AbortSignal,
  ): Promise<void> {
    if (this.config.processingGuarantee !== 'exactly_once') return;
    const inputs = tasks.flatMap((task) => this.layout.inputs(task));
    const startedAt = this.clock.monotonic();
    let failures = 0;
    let strangers: Strangers | null = new Map();
    for (let pauseMs = PAUSE_FIRST_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
      try {
        const pending = await this.pending(inputs);
        if (pending.length === 0) {
          await this.endLeftOpen(inputs, departed, live);
          return;
        }
        await this.endTransactions(pending, departed, live);
        if (strangers !== null && this.clock.monotonic() - startedAt >= STRANGERS_AFTER_MS)
          strangers = await this.endStrangers(pending, live, strangers);
      } catch (error) {
        this.logger.warn('Could not settle what earlier owners of tasks left open', {
          error: asError(error).message,
        });
        if (++failures >= FAILURES_MAX) return;
      }
      if (this.clock.monotonic() - startedAt > this.config.transactionTimeoutMs) return;
      const isWatching = strangers !== null && strangers.size > 0;
      await sleep(this.clock, isWatching ? Math.min(pauseMs, STRANGER_STANDS_MS / 2) : pauseMs, signal);
      if (signal?.aborted === true) return;
    }
  }

  private async endTransactions(
    pending: readonly TopicPartition[],
    departed: readonly string[],
    live: Live,
  ): Promise<void> {
    const { ids } = await this.candidates(pending, departed);
    // Asked only now: whoever joined while the offsets were read is not meant either.
    for (const id of await live()) ids.delete(id);
    const open = (await this.described(ids)).filter(({ phase }) => phase === 'open');
    if (open.length > 0 && (await this.isStillPending(pending))) await this.abort(open);
  }

  /** Of workers that died before their offsets were in the transaction, or may wake yet. */
  private async endLeftOpen(
    inputs: readonly TopicPartition[],
    departed: readonly string[],
    live: Live,
  ): Promise<void> {
    const { ids, owners } = await this.candidates(inputs, departed);
    if (ids.size === 0) return;
    for (const id of await live()) ids.delete(id);
    const described = await this.described(ids);
    if (described.length === 0) return;
    const back = new Set(await live());
    const allKnown = back.has(this.ownId);
    const gone = new Set(departed);
    await this.abort(
      described.filter(({ transactionalId: id, phase }) => {
        if (back.has(id)) return false;
        // Where not all are known, whoever had a task last may be as alive as ever, with other tasks.
        if (phase === 'open') return allKnown || gone.has(id);
        return phase === 'ended' && allKnown && owners.has(id);
      }),
    );
  }

  /** Resolves to those that are to be looked at again; `null`: brokers list none, so that nobody is to be looked for again. */
  private async endStrangers(
    pending: readonly TopicPartition[],
    live: Live,
    before: Strangers,
  ): Promise<Strangers | null> {
    const listed = await this.client.admin.openTransactionalIds(this.namePrefix).catch((error: unknown) => {
      this.logger.warn('Could not list open transactions, to find workers that nobody has heard of', {
        error: asError(error).message,
      });
      return null;
    });
    if (listed === null) return null;
    const ids = new Set(listed);
    ids.delete(this.ownId);
    const known = new Set(await live());
    for (const id of known) ids.delete(id);
    const now = this.clock.monotonic();
    const after = new Map<string, number>();
    const due: TransactionView[] = [];
    for (const transaction of await this.described(ids)) {
      const standsMs = this.strangerStandsMs(transaction, known.has(this.ownId));
      if (transaction.phase !== 'open' || standsMs === null) continue;
      const { transactionalId, producerId, producerEpoch, startedAtMs } = transaction;
      const key = `${transactionalId} ${producerId} ${producerEpoch} ${startedAtMs}`;
      const since = before.get(key) ?? now;
      after.set(key, since);
      if (now - since >= standsMs) due.push(transaction);
    }
    if (due.length > 0 && (await this.isStillPending(pending))) await this.abort(due);
    return after;
  }

  /** How long a transaction has to stand before it cannot be a live worker's; `null`: offsets of ours are not in it. */
  private strangerStandsMs({ partitions }: TransactionView, allKnown: boolean): number | null {
    if (partitions.some(({ topic }) => topic === GROUP_OFFSETS)) return STRANGER_STANDS_MS;
    if (partitions.length > 0 || !allKnown) return null;
    return Math.max(STRANGER_STANDS_MS, 2 * this.config.commitIntervalMs);
  }

  private async isStillPending(partitions: readonly TopicPartition[]): Promise<boolean> {
    return (await this.pending(partitions)).length > 0;
  }

  private described(ids: ReadonlySet<string>): Promise<readonly TransactionView[]> {
    return ids.size === 0 ? Promise.resolve([]) : this.client.admin.transactions([...ids]);
  }

  private async abort(transactions: readonly TransactionView[]): Promise<void> {
    await Promise.all(
      transactions.map(async (transaction) => {
        const { transactionalId, phase } = transaction;
        if ((await this.client.admin.abortTransaction(transaction)) && phase === 'open')
          this.logger.info('Settled the transaction of a departed worker', { transactionalId });
      }),
    );
  }

  private async candidates(
    inputs: readonly TopicPartition[],
    departed: readonly string[],
  ): Promise<Candidates> {
    const ids = new Set(departed);
    const owners = new Set<string>();
    const committed =
      inputs.length === 0
        ? new Map<string, CommittedOffset>()
        : await this.client.admin.committedOffsets(this.config.applicationId, inputs, {
            requireStable: false,
          });
    for (const { metadata } of committed.values()) {
      const decoded = decodeOffsetMetadata(metadata);
      if (decoded === null) continue;
      ids.add(decoded.transactionalId);
      owners.add(decoded.transactionalId);
    }
    ids.delete(this.ownId);
    // An id outside the application's own name space is never ours to end, whatever some offset's metadata says.
    for (const id of ids) if (!id.startsWith(this.namePrefix)) ids.delete(id);
    return { ids, owners };
  }

  private get namePrefix(): string {
    return `${this.config.applicationId}-`;
  }

  private pending(inputs: readonly TopicPartition[]): Promise<readonly TopicPartition[]> {
    if (inputs.length === 0) return Promise.resolve([]);
    return this.client.admin.pendingOffsets(this.config.applicationId, inputs);
  }
}
