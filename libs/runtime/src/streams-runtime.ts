// Owns a stream application in this process: lays the topology out on the cluster, runs its workers and replaces those that died,
// walks its lifecycle.
// It makes neither the broker client nor the state backend, and closes neither.
import type { BrokerClient } from '#libs/broker';
import { MillraceError, asError, asMillrace, sleep } from '#libs/core';
import type { Clock, Logger, TaskIdText } from '#libs/core';
import { prepareSerdes } from '#libs/serde';
import type { StateBackend } from '#libs/state';
import type { Topology } from '#libs/topology';
import type { RuntimeConfig } from './config.ts';
import { NOTHING_WAITS, NO_FAILURES, addFailures } from './failure-counts.ts';
import { GlobalStores } from './global-stores.ts';
import type { RuntimeFigures, RuntimeInsight } from './insight/figures.ts';
import type { EpochListener } from './insight/epoch-log.ts';
import { InsightLog } from './insight/insight-log.ts';
import type { ClusterLayout } from './cluster-layout.ts';
import { LookUps } from './look-ups.ts';
import { layOut } from './internal-topics.ts';
import type { PartitionCheck } from './internal-topics.ts';
import { Lifecycle } from './lifecycle.ts';
import { StoreQueries } from './queries/store-queries.ts';
import { refuseWithoutStreamsGroups } from './membership.ts';
import { serdeUses } from './serde-uses.ts';
import type { RestoreListener } from './store-restorer.ts';
import { Worker } from './worker.ts';
import { WorkerFailurePolicy } from './worker-failure.ts';
import type { WorkerFailureVerdict } from './worker-failure.ts';

export interface StreamsRuntimeParts {
  readonly topology: Topology;
  readonly config: RuntimeConfig;
  readonly client: BrokerClient;
  readonly backend: StateBackend;
  readonly checkPartitions: PartitionCheck;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onRestore?: RestoreListener;
  /** The group has taken this instance in, under this id; told anew with each assignment. */
  readonly onMember?: (memberId: string) => void;
}

interface Launched {
  readonly worker: Worker;
  readonly globals: GlobalStores;
}

/** Whoever is asked to stop replaces nothing. */
const STOPPED: WorkerFailureVerdict = { response: 'stopClient', pauseMs: 0, refusal: null };

export class StreamsRuntime {
  readonly lifecycle: Lifecycle;
  /** Reads of committed state. */
  readonly queries: StoreQueries;
  private readonly parts: StreamsRuntimeParts;
  private worker: Worker | null = null;
  private failure: MillraceError | null = null;
  private readonly ended: Promise<void>;
  private settleEnded!: () => void;
  private readonly policy: WorkerFailurePolicy;
  private past: RuntimeFigures | null = null;
  private replacements = 0;
  private lastFailure: RuntimeFigures['lastWorkerFailure'] = null;
  /** Aborted once it is to stop. */
  private readonly stopping = new AbortController();
  private readonly insightLog: InsightLog;
  private readonly onRestore: RestoreListener;
  private startedAt: number | null = null;
  private paused = false;
  /** Once the application has ended: its process is to end too. */
  stopsProcess = false;

  constructor(parts: StreamsRuntimeParts) {
    this.parts = parts;
    this.queries = new StoreQueries({
      topology: parts.topology,
      client: parts.client,
      config: parts.config,
      clock: parts.clock,
      tasks: () => (this.lifecycle.ended ? null : (this.worker?.queryable ?? null)),
      lifecycle: () => this.lifecycle.state,
    });
    this.lifecycle = new Lifecycle((error) => {
      parts.logger.error('A lifecycle listener threw', { error: asError(error).message });
    });
    this.insightLog = new InsightLog(parts.clock);
    this.onRestore = this.insightLog.listening(parts.onRestore ?? null);
    this.policy = new WorkerFailurePolicy(parts.config, parts.clock, (error) => {
      parts.logger.error('The handler `onWorkerFailure` failed; the client stops', {
        error: asError(error).message,
      });
    });
    this.ended = new Promise((resolve) => {
      this.settleEnded = resolve;
    });
  }

  /** Why the application is in ERROR; `null` otherwise. */
  get error(): MillraceError | null {
    return this.failure;
  }

  /** `null` before the worker exists. Between a worker and its replacement, what was counted. */
  get figures(): RuntimeFigures | null {
    const { past, replacements: workerReplacements, lastFailure: lastWorkerFailure, paused } = this;
    const figures = this.worker?.figures;
    if (figures === undefined) return past && { ...past, workerReplacements, lastWorkerFailure, paused };
    return {
      ...figures,
      processedRecords: figures.processedRecords + (past?.processedRecords ?? 0),
      droppedRecords: figures.droppedRecords + (past?.droppedRecords ?? 0),
      failures: {
        ...addFailures(figures.failures, past?.failures ?? NO_FAILURES),
        waiting: figures.failures.waiting,
        delayed: figures.failures.delayed,
      },
      restoredRecords: figures.restoredRecords + (past?.restoredRecords ?? 0),
      committedEpochs: figures.committedEpochs + (past?.committedEpochs ?? 0),
      workerReplacements,
      lastWorkerFailure,
      paused,
    };
  }

  /** All that is known at this moment; a copy, JSON-safe. Takes some time: not for every turn. */
  insight(): RuntimeInsight {
    const { worker, figures, startedAt } = this;
    return {
      at: this.parts.clock.now(),
      startedAt,
      transactionalId: worker?.transactionalId ?? null,
      figures,
      tasks: this.lifecycle.ended ? [] : (worker?.tasks ?? []),
      instances: this.lifecycle.ended ? [] : (worker?.queryable.directory.figures ?? []),
      ...this.insightLog.figures,
    };
  }

  /** Called as each epoch ends, in the loop: be short. Returns how to stop it. While somebody listens, headers are looked at for traces. */
  onEpoch(listener: EpochListener): () => void {
    return this.insightLog.epochs.onEpoch(listener);
  }

  get isPaused(): boolean {
    return this.paused;
  }

  /**
   * Processes nothing from now on: neither records nor timers. Tasks, heartbeats and copies are kept; what rebalances bring is opened,
   * restored, and waits too. Resolves once all that was processed is committed. Of this instance, and for as long as it lives.
   */
  async pause(): Promise<void> {
    this.paused = true;
    if (this.worker === null || this.lifecycle.ended) return;
    try {
      await this.worker.settle();
    } catch {
      // The worker has ended, or is being replaced: it processes nothing either way.
    }
  }

  resume(): void {
    this.paused = false;
    this.worker?.wake();
  }

  /**
   * Closes a task and opens it again from what is committed; the group hears nothing of it. `dirty`: nothing is committed before; the
   * worker's other tasks begin again at the last commit too. Resolves once it is closed; it then opens, and restores what it must.
   * @throws MillraceError MILLRACE_UNKNOWN_TASK, MILLRACE_ILLEGAL_STATE there is no worker; what the commit failed with.
   */
  async restartTask(task: TaskIdText, dirty = false): Promise<void> {
    if (this.worker === null || this.lifecycle.ended) {
      throw new MillraceError({
        code: 'MILLRACE_ILLEGAL_STATE',
        message: `Task ${task} cannot be restarted: the application is ${this.lifecycle.state}.`,
        remedy: 'Start the application.',
      });
    }
    await this.worker.restartTask(task, dirty);
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
    this.startedAt = this.parts.clock.now();
    let launched: Launched;
    try {
      launched = await this.launch();
    } catch (error) {
      // What a stop cut short has not failed.
      this.end(this.stopRequested ? null : error);
      throw asMillrace(error, 'The worker');
    }
    this.supervise(launched).catch((error: unknown) => this.end(error));
  }

  /** A worker with all it needs; nothing of an earlier one is used again. @throws what the checks found. */
  private async launch(): Promise<Launched> {
    const { topology, config, client, backend, checkPartitions, clock, logger } = this.parts;
    const { onRestore } = this;
    const globals = new GlobalStores({
      specs: topology.globalStores,
      client,
      clock,
      logger,
      deserialization: config.exceptionHandlers.deserialization,
      listener: onRestore,
      onFailed: (error) => worker?.failForGood(error),
    });
    let worker: Worker | undefined;
    try {
      if (config.groupProtocol === 'streams') await refuseWithoutStreamsGroups(client, config);
      const layout = await layOut(topology, config, client, checkPartitions);
      await this.prepareSerdes(layout);
      worker = new Worker({
        index: 0,
        config,
        layout,
        client,
        backend,
        clock,
        logger,
        globals,
        onRestore,
        onMember: this.parts.onMember ?? (() => undefined),
        insight: this.insightLog,
        isPaused: () => this.paused,
        onState: (state) => this.onWorkerState(state),
      });
      this.worker = worker;
      await globals.start();
    } catch (error) {
      await globals.close();
      throw error;
    }
    if (this.stopRequested) worker.stop();
    return { worker, globals };
  }

  /** A wrong or missing schema is known before any record; a registry that does not answer is waited for. @throws what the serdes found. */
  private async prepareSerdes(layout: ClusterLayout): Promise<void> {
    const { clock, logger, config } = this.parts;
    const lookUps = new LookUps(clock, logger, `The start of "${config.applicationId}"`);
    for (;;) {
      try {
        await prepareSerdes(serdeUses(layout));
        lookUps.settle();
        return;
      } catch (error) {
        const pauseMs = lookUps.toPause(error);
        await sleep(this.parts.clock, pauseMs, this.stopping.signal);
        if (this.stopRequested) throw error;
      }
    }
  }

  /** Runs a worker and, for as long as the policy says so, its replacements. */
  private async supervise(first: Launched): Promise<void> {
    let launched: Launched | null = first;
    while (launched !== null) {
      let failure: unknown;
      try {
        await launched.worker.run().finally(() => launched?.globals.close());
        this.end(null);
        return;
      } catch (error) {
        failure = error;
      }
      launched = await this.replace(failure);
    }
  }

  /** The next worker; `null` when there is none and the application has ended. */
  private async replace(failure: unknown): Promise<Launched | null> {
    const { logger } = this.parts;
    for (;;) {
      const error = asMillrace(failure, 'The worker');
      const { response, pauseMs, refusal } = this.stopRequested ? STOPPED : this.policy.decide(error);
      if (response !== 'replace') {
        if (refusal !== null)
          logger.error(`The worker is not replaced again: ${refusal}`, { code: error.code });
        this.stopsProcess = response === 'stopProcess';
        this.end(failure);
        return null;
      }
      this.replacements++;
      this.lastFailure = { code: error.code, message: error.message };
      this.insightLog.issue('workerDied', error.code, '', error.message);
      this.onWorkerState('rebalancing');
      logger.error(`The worker died and is replaced: ${error.message}`, {
        code: error.code,
        ...error.context,
        replacement: this.replacements,
        pauseMs,
      });
      await sleep(this.parts.clock, pauseMs, this.stopping.signal);
      if (this.stopRequested) {
        this.end(null);
        return null;
      }
      this.keepCounts();
      try {
        return await this.launch();
      } catch (launching) {
        failure = launching;
      }
    }
  }

  private get stopRequested(): boolean {
    return this.stopping.signal.aborted;
  }

  /** What a worker counted is still counted once it is gone. */
  private keepCounts(): void {
    const { figures } = this;
    this.worker = null;
    if (figures === null) return;
    this.past = {
      ...figures,
      uncommitted: false,
      failures: { ...figures.failures, ...NOTHING_WAITS },
      runningTasks: [],
      openingTasks: [],
      restores: [],
      copies: [],
    };
  }

  /** Drains: commits what is processed, hands the tasks back, leaves the group. Resolves when the application has ended. */
  async stop(): Promise<void> {
    if (this.lifecycle.state === 'CREATED') {
      this.lifecycle.to('PENDING_SHUTDOWN');
      this.lifecycle.to('NOT_RUNNING');
      this.settleEnded();
      return;
    }
    this.stopping.abort();
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
      this.failure = asMillrace(error, 'The worker');
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
