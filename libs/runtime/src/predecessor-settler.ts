// Owns the settling of dead workers' transactions before their tasks are taken over. Group fencing does not do it: a worker
// killed in mid-transaction leaves it open until its timeout, and reading its offsets (require_stable) would wait for that.
// It never touches the transactional id of a live member.
import type { BrokerClient } from '#libs/broker';
import { asError } from '#libs/core';
import type { Logger, TaskIdText } from '#libs/core';
import type { ClusterLayout } from './cluster-layout.ts';
import type { RuntimeConfig } from './config.ts';
import { decodeOffsetMetadata } from './offset-metadata.ts';

export class PredecessorSettler {
  private readonly client: BrokerClient;
  private readonly config: RuntimeConfig;
  private readonly layout: ClusterLayout;
  private readonly ownId: string;
  private readonly logger: Logger;

  constructor(
    client: BrokerClient,
    config: RuntimeConfig,
    layout: ClusterLayout,
    ownId: string,
    logger: Logger,
  ) {
    this.client = client;
    this.config = config;
    this.layout = layout;
    this.ownId = ownId;
    this.logger = logger;
  }

  /**
   * `departed`: ids the group's leader knows to be gone. Besides them, ids named by the tasks' last committed offsets, in case no
   * member survived to remember them.
   */
  async settle(
    tasks: readonly TaskIdText[],
    departed: readonly string[],
    live: () => readonly string[] | Promise<readonly string[]>,
  ): Promise<void> {
    if (this.config.processingGuarantee !== 'exactly_once') return;
    const ids = new Set(departed);
    const inputs = tasks.flatMap((task) => this.layout.inputs(task));
    const committed = await this.client.admin.committedOffsets(this.config.applicationId, inputs, {
      requireStable: false,
    });
    for (const { metadata } of committed.values()) {
      const decoded = decodeOffsetMetadata(metadata);
      if (decoded !== null) ids.add(decoded.transactionalId);
    }
    // Asked only now: whoever joined while the offsets were read is not to be fenced either.
    for (const id of await live()) ids.delete(id);
    ids.delete(this.ownId);
    // An id outside the application's own name space is never ours to fence, whatever some offset's metadata says.
    const ours = [...ids].filter((id) => id.startsWith(`${this.config.applicationId}-`));
    await Promise.all(ours.map((id) => this.fence(id)));
  }

  private async fence(transactionalId: string): Promise<void> {
    const writer = this.client.createTransactionalWriter({
      transactionalId,
      transactionTimeoutMs: this.config.transactionTimeoutMs,
    });
    try {
      await writer.initialise();
      this.logger.info('Settled the transaction of a departed worker', { transactionalId });
    } catch (error) {
      // Its transaction then ends by its timeout; reading the offsets waits for it.
      this.logger.warn('Could not settle the transaction of a departed worker', {
        transactionalId,
        error: asError(error).message,
      });
    } finally {
      await writer.close();
    }
  }
}
