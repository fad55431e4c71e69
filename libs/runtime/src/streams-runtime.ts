// Owns a stream application in this process: lays the topology out on the cluster, runs its workers, walks its lifecycle.
// It makes neither the broker client nor the state backend, and closes neither.
import type { BrokerClient } from '#libs/broker';
import { MillraceError, asError } from '#libs/core';
import type { Clock, Logger } from '#libs/core';
import type { StateBackend } from '#libs/state';
import type { Topology } from '#libs/topology';
import type { RuntimeConfig } from './config.ts';
import { GlobalStores } from './global-stores.ts';
import { layOut } from './internal-topics.ts';
import type { PartitionCheck } from './internal-topics.ts';
import { Lifecycle } from './lifecycle.ts';
import { refuseUnknownProtocol } from './membership.ts';
import type { RestoreListener } from './store-restorer.ts';
import { Worker, asFatal } from './worker.ts';
import type { WorkerFigures } from './worker.ts';

export interface StreamsRuntimeParts {
  readonly topology: Topology;
  readonly config: RuntimeConfig;
  readonly client: BrokerClient;
  readonly backend: StateBackend;
  readonly checkPartitions: PartitionCheck;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onRestore?: RestoreListener;
}

export class StreamsRuntime {
  readonly lifecycle: Lifecycle;
  private readonly parts: StreamsRuntimeParts;
  private worker: Worker | null = null;
  private failure: MillraceError | null = null;
  private stopRequested = false;
  private readonly ended: Promise<void>;
  private settleEnded!: () => void;

  constructor(parts: StreamsRuntimeParts) {
    this.parts = parts;
    this.lifecycle = new Lifecycle((error) => {
      parts.logger.error('A lifecycle listener threw', { error: asError(error).message });
    });
    this.ended = new Promise((resolve) => {
      this.settleEnded = resolve;
    });
  }

  /** Why the application is in ERROR; `null` otherwise. */
  get error(): MillraceError | null {
    return this.failure;
  }

  /** `null` before the worker exists. */
  get figures(): WorkerFigures | null {
    return this.worker?.figures ?? null;
  }

  /**
   * Checks topics, creates internal ones, starts the worker. Resolves once it has begun to join its group.
   * @throws MillraceError what the checks found; the application is then in ERROR.
   */
  async start(): Promise<void> {
    if (this.lifecycle.state !== 'CREATED') {
      throw new MillraceError({
        code: 'MILLRACE_ILLEGAL_STATE',
        message: `The application "${this.parts.config.applicationId}" cannot start: it is ${this.lifecycle.state}.`,
        remedy: 'Start each application object once; make a new one to start again.',
      });
    }
    this.lifecycle.to('REBALANCING');
    const { topology, config, client, backend, checkPartitions, clock, logger, onRestore } = this.parts;
    let worker: Worker;
    const globals = new GlobalStores({
      specs: topology.globalStores,
      client,
      clock,
      logger,
      deserialization: config.exceptionHandlers.deserialization,
      listener: onRestore ?? null,
      onFailed: (error) => this.worker?.failForGood(error),
    });
    try {
      await refuseUnknownProtocol(client, config);
      const layout = await layOut(topology, config, client, checkPartitions);
      worker = new Worker({
        index: 0,
        config,
        layout,
        client,
        backend,
        clock,
        logger,
        globals,
        onRestore: onRestore ?? null,
        onState: (state) => this.onWorkerState(state),
      });
      this.worker = worker;
      await globals.start();
    } catch (error) {
      await globals.close();
      this.end(error);
      throw asFatal(error);
    }
    void worker
      .run()
      .finally(() => globals.close())
      .then(
        () => this.end(null),
        (error: unknown) => this.end(error),
      );
    if (this.stopRequested) worker.stop();
  }

  /** Drains: commits what is processed, hands the tasks back, leaves the group. Resolves when the application has ended. */
  async stop(): Promise<void> {
    if (this.lifecycle.state === 'CREATED') {
      this.lifecycle.to('PENDING_SHUTDOWN');
      this.lifecycle.to('NOT_RUNNING');
      this.settleEnded();
      return;
    }
    this.stopRequested = true;
    if (this.lifecycle.canGoTo('PENDING_SHUTDOWN')) this.lifecycle.to('PENDING_SHUTDOWN');
    this.worker?.stop();
    await this.ended;
  }

  /** Resolves when the application has ended by itself or by `stop`. @throws MillraceError what ended it in ERROR. */
  async whenEnded(): Promise<void> {
    await this.ended;
    if (this.failure !== null) throw this.failure;
  }

  private onWorkerState(state: 'rebalancing' | 'running'): void {
    const next = state === 'running' ? 'RUNNING' : 'REBALANCING';
    if (this.lifecycle.canGoTo(next)) this.lifecycle.to(next);
  }

  private end(error: unknown): void {
    if (error === null) {
      if (this.lifecycle.canGoTo('PENDING_SHUTDOWN')) this.lifecycle.to('PENDING_SHUTDOWN');
      this.lifecycle.to('NOT_RUNNING');
    } else {
      this.failure = asFatal(error);
      this.parts.logger.error(`The application stopped with an error: ${asError(error).message}`, {
        code: this.failure.code,
        ...this.failure.context,
      });
      this.lifecycle.to('PENDING_ERROR');
      this.lifecycle.to('ERROR');
    }
    this.settleEnded();
  }
}
