// Owns one worker: one loop that owns tasks, one group member, one transactional writer, one reader.
//
// A turn of the loop:
//   1. run what was posted (rebalance, stop)
//   2. recover, if an epoch failed
//   3. route fetched chunks to the tasks' queues
//   4. process a slice of each task
//   5. seal and begin a commit, if due
//   6. yield to I/O, or wait for something to do
//
// The loop never waits for a commit, and the group member's heartbeats never wait for the loop.
import type {
  BrokerClient,
  GroupMember,
  IdempotentWriter,
  RecordReader,
  TransactionalWriter,
} from '#libs/broker';
import {
  FatalError,
  MillraceError,
  RetriableError,
  TaskCorruptedError,
  TaskMigratedError,
  asError,
  sleep,
  yieldToIo,
} from '#libs/core';
import type { Clock, Logger, TaskIdText } from '#libs/core';
import type { StateBackend } from '#libs/state';
import type { ClusterLayout } from './cluster-layout.ts';
import type { RuntimeConfig } from './config.ts';
import { ControlQueue } from './control-queue.ts';
import { DroppedRecords } from './dropped-records.ts';
import { AtLeastOnceCommit, TransactionalCommit, isEpochFailure } from './epoch-commit.ts';
import { EpochCoordinator } from './epoch-coordinator.ts';
import { InputRouter } from './input-router.ts';
import { changelogTopic, transactionalId } from './names.ts';
import { OutputCollector } from './output-collector.ts';
import { RepartitionTrimmer } from './repartition-trimmer.ts';
import { RunLimit } from './run-limit.ts';
import { StoreRestorer } from './store-restorer.ts';
import type { RestoreListener, RestoreProgress } from './store-restorer.ts';
import { TaskOpener } from './task-opener.ts';
import { TaskRegistry } from './task-registry.ts';
import { WorkerMembership } from './worker-membership.ts';

/** Records of one task per turn: a few milliseconds of work. */
const SLICE_RECORDS = 2_000;
const IDLE_WAIT_MS_MAX = 100;
/** Between attempts to begin anew after an epoch failed. */
const RECOVERY_PAUSE_MS = 100;

export interface WorkerParts {
  readonly index: number;
  readonly config: RuntimeConfig;
  readonly layout: ClusterLayout;
  readonly client: BrokerClient;
  readonly backend: StateBackend;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onRestore: RestoreListener | null;
  /** `running`: all assigned tasks process. `rebalancing`: tasks are being handed over, opened or restored. */
  readonly onState: (state: 'rebalancing' | 'running') => void;
}

export class Worker {
  readonly transactionalId: string;
  private readonly parts: WorkerParts;
  private readonly writer: TransactionalWriter | null;
  private readonly idempotentWriter: IdempotentWriter | null;
  private readonly reader: RecordReader;
  private readonly collector: OutputCollector;
  private readonly controls: ControlQueue;
  private readonly dropped: DroppedRecords;
  private readonly restorer: StoreRestorer;
  private readonly registry: TaskRegistry;
  private readonly epochs: EpochCoordinator;
  private readonly router: InputRouter;
  private readonly membership: WorkerMembership;
  private readonly member: GroupMember;
  private readonly runLimit: RunLimit | null;
  private readonly trimmer: RepartitionTrimmer;
  private stopping = false;
  private reportedRunning = false;

  constructor(parts: WorkerParts) {
    this.parts = parts;
    const { config, client, clock, logger, layout, backend } = parts;
    this.transactionalId = transactionalId(config.applicationId, config.instanceId, parts.index);
    const exactlyOnce = config.processingGuarantee === 'exactly_once';
    this.writer = exactlyOnce
      ? client.createTransactionalWriter({
          transactionalId: this.transactionalId,
          transactionTimeoutMs: config.transactionTimeoutMs,
          compression: config.compression,
        })
      : null;
    this.idempotentWriter = exactlyOnce
      ? null
      : client.createIdempotentWriter({ compression: config.compression });
    this.reader = client.createReader({ isolation: 'read_committed' });
    this.collector = new OutputCollector(config.batchBytes, config.recordBytesMax);
    this.controls = new ControlQueue(() => this.reader.wake());
    this.dropped = new DroppedRecords(clock, logger);
    this.restorer = new StoreRestorer(client, clock, logger, parts.onRestore);
    const groupMetadata = () => this.member.metadata;
    const target =
      this.writer !== null
        ? new TransactionalCommit(this.writer, groupMetadata)
        : new AtLeastOnceCommit(this.idempotentWriter!, client.admin, groupMetadata);
    const opener = new TaskOpener({
      config,
      layout,
      client,
      backend,
      restorer: this.restorer,
      reader: this.reader,
      collector: this.collector,
      dropped: this.dropped,
      groupMetadata,
      transactionalId: this.transactionalId,
      clock,
      logger,
    });
    this.registry = new TaskRegistry(opener, this.reader, () => this.reader.wake());
    this.epochs = new EpochCoordinator({
      tasks: () => this.registry.tasks,
      collector: this.collector,
      target,
      limits: {
        commitIntervalMs: config.commitIntervalMs,
        epochBytesMax: config.epochBytesMax,
        commitWhenIdle: exactlyOnce,
      },
      applicationId: config.applicationId,
      transactionalId: this.transactionalId,
      clock,
      onCommitEnd: () => this.reader.wake(),
    });
    this.router = new InputRouter(this.reader, config.bufferedBytesPerPartition);
    this.membership = new WorkerMembership({
      config,
      layout,
      client,
      backend,
      logger,
      transactionalId: this.transactionalId,
      controls: this.controls,
      registry: this.registry,
      epochs: this.epochs,
      abandon: () => this.abandon(),
      requestRejoin: (reason) => this.member.requestRejoin(reason),
      onFailed: (error) => this.fail(error),
    });
    this.member = client.createGroupMember(
      {
        groupId: config.applicationId,
        groupInstanceId: config.groupInstanceId,
        sessionTimeoutMs: config.sessionTimeoutMs,
        heartbeatIntervalMs: config.heartbeatIntervalMs,
        rebalanceTimeoutMs: config.rebalanceTimeoutMs,
      },
      this.membership,
    );
    this.runLimit = config.until === 'latest' ? new RunLimit(layout, client, this.registry) : null;
    this.trimmer = new RepartitionTrimmer(layout, client.admin, this.registry, clock, logger);
  }

  /** Figures for metrics and health. */
  get figures(): WorkerFigures {
    return {
      processedRecords: this.registry.processedRecords,
      droppedRecords: this.dropped.total,
      restoredRecords: this.restorer.restoredRecords,
      committedEpochs: this.epochs.committedEpochs,
      runningTasks: [...this.registry.tasks].map((task) => task.name),
      openingTasks: this.registry.openingNames,
      restores: this.restorer.progress,
    };
  }

  /** Runs until stopped or, with `until: latest`, until the input is processed. @throws what stopped it. */
  async run(): Promise<void> {
    try {
      await this.prepare();
      this.member.start();
      await this.loop();
      await this.epochs.commitAll();
      await this.registry.closeAll();
      await this.member.leave('the application stops');
    } catch (error) {
      await this.closeAfterFailure();
      throw error;
    } finally {
      this.controls.close(new Error('the worker has stopped'));
      await this.releaseAll();
    }
  }

  /** Asks the loop to end after the current turn: commit, close, leave. */
  stop(): void {
    this.stopping = true;
    this.reader.wake();
  }

  private failed: unknown = null;

  private fail(error: unknown): void {
    this.failed ??= error;
    this.reader.wake();
  }

  private throwIfFailed(): void {
    const failed = this.failed;
    this.failed = null;
    if (failed !== null) throw asError(failed);
  }

  private async prepare(): Promise<void> {
    const { layout, client } = this.parts;
    for (const sub of layout.topology.subTopologies) {
      for (const sink of sub.sinks) {
        const topic = layout.sinkTopic(sink);
        if (topic !== null) this.collector.addTopic(topic, await client.partitionCount(topic));
      }
      for (const store of sub.stores) {
        const topic = changelogTopic(layout.applicationId, store.name);
        if (store.logged) this.collector.addTopic(topic, await client.partitionCount(topic));
      }
    }
    await this.writer?.initialise();
    await this.runLimit?.start();
  }

  private async loop(): Promise<void> {
    while (!this.stopping) {
      try {
        this.throwIfFailed();
        await this.controls.runAll();
        if (this.epochs.failure !== null) throw asError(this.epochs.failure);
        if (await this.turn()) return;
      } catch (error) {
        await this.recover(error);
      }
    }
  }

  /** One turn; true when the run is complete. */
  private async turn(): Promise<boolean> {
    this.registry.admit();
    this.reportState();
    this.router.route(this.registry);
    const processed = this.processSlices();
    this.epochs.turn(processed === 0 && this.isCaughtUp());
    this.trimmer.turn();
    if (processed > 0) {
      await yieldToIo(this.parts.clock);
      return false;
    }
    if (
      this.runLimit !== null &&
      !this.epochs.isCommitting &&
      !this.epochs.hasWork &&
      (await this.runLimit.isReached())
    )
      return true;
    await this.waitForWork();
    return false;
  }

  /** Every input is read and processed to its known end: what is open may as well be committed. */
  private isCaughtUp(): boolean {
    for (const task of this.registry.tasks) {
      for (const queue of task.group.queues) if (!task.group.isCaughtUp(queue)) return false;
    }
    return true;
  }

  private processSlices(): number {
    if (this.epochs.isFull && (this.epochs.isCommitting || this.epochs.held)) return 0;
    let processed = 0;
    for (const task of this.registry.tasks) {
      if (task.state !== null && task.state.failure !== null) throw task.state.failure;
      if (task.suspended === null) processed += task.process(SLICE_RECORDS);
      if (task.suspended !== null) this.registry.awaitSuspended(task, (error) => this.fail(error));
    }
    return processed;
  }

  private async waitForWork(): Promise<void> {
    if (!this.controls.isEmpty || this.epochs.failure !== null || this.failed !== null) return;
    if (this.epochs.isCommitting && this.epochs.isFull) {
      await this.epochs.settled();
      return;
    }
    const due =
      this.epochs.hasWork && !this.epochs.isCommitting ? Math.max(1, this.epochs.dueInMs) : IDLE_WAIT_MS_MAX;
    await this.reader.waitForChunk(Math.min(due, IDLE_WAIT_MS_MAX));
  }

  private reportState(): void {
    const running = this.membership.isSettled && this.registry.openingNames.length === 0;
    if (running === this.reportedRunning) return;
    this.reportedRunning = running;
    this.parts.onState(running ? 'running' : 'rebalancing');
  }

  /** After a failure: begin anew from the committed offsets, or give up with the error. */
  private async recover(error: unknown): Promise<void> {
    const { logger, clock } = this.parts;
    if (error instanceof TaskCorruptedError) {
      logger.warn('The state of a task cannot be trusted; it is restored', {
        error: error.message,
        tasks: error.taskIds,
      });
    } else if (isEpochFailure(error) || error instanceof RetriableError) {
      logger.warn('The epoch is abandoned; the worker goes on from the committed offsets', {
        error: error.message,
      });
    } else {
      throw error;
    }
    const owned = this.registry.assignedNames;
    await this.abandon();
    if (isFencing(error)) this.refuseSecondFencing(error);
    for (;;) {
      try {
        await this.writer?.initialise();
        break;
      } catch (again) {
        if (!(isEpochFailure(again) || again instanceof RetriableError) || this.stopping) throw again;
        await sleep(clock, RECOVERY_PAUSE_MS);
      }
    }
    if (error instanceof TaskMigratedError) {
      this.membership.reset();
      this.member.requestRejoin('the generation of the epoch is gone');
      return;
    }
    if (error instanceof TaskCorruptedError) {
      for (const name of error.taskIds) {
        await this.parts.backend.setAside(this.parts.config.applicationId, name, error.message);
      }
    }
    this.registry.openAll(owned, (failure) => this.fail(failure));
  }

  /**
   * A worker that was paused for longer than its session is fenced by its successor once, and the group tells it so. Fenced again
   * while the group keeps it: another process runs under the same transactional id, and the two would fence each other for ever.
   */
  private refuseSecondFencing(error: TaskMigratedError): void {
    if (this.lossesAtFencing === this.membership.losses) {
      throw new FatalError({
        code: 'MILLRACE_PRODUCER_FENCED',
        message: `Another process uses the transactional id "${this.transactionalId}".`,
        remedy: 'Give each instance of the application an instanceId and a state directory of its own.',
        cause: error,
        context: { transactionalId: this.transactionalId },
      });
    }
    this.lossesAtFencing = this.membership.losses;
  }

  private lossesAtFencing = -1;

  /** Closes every task dirty: nothing of the open epoch, nor of one being committed, is kept. */
  private async abandon(): Promise<void> {
    this.epochs.restart();
    await this.registry.closeAllDirty();
    this.reportedRunning = false;
    this.parts.onState('rebalancing');
  }

  private async closeAfterFailure(): Promise<void> {
    try {
      await this.abandon();
      await this.member.leave('the worker failed');
    } catch (error) {
      this.parts.logger.warn('Closing after a failure met another', { error: asError(error).message });
    }
  }

  private async releaseAll(): Promise<void> {
    await this.restorer.close();
    await this.writer?.close();
    await this.idempotentWriter?.close();
    await this.reader.close();
  }
}

function isFencing(error: unknown): error is TaskMigratedError {
  return error instanceof TaskMigratedError && error.code === 'MILLRACE_PRODUCER_FENCED';
}

export interface WorkerFigures {
  readonly processedRecords: number;
  readonly droppedRecords: number;
  readonly restoredRecords: number;
  readonly committedEpochs: number;
  readonly runningTasks: readonly string[];
  readonly openingTasks: readonly TaskIdText[];
  readonly restores: readonly RestoreProgress[];
}

/** `error` as one that stops the worker. */
export function asFatal(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  return new FatalError({
    code: 'MILLRACE_PROCESSING_FAILED',
    message: `The worker failed: ${asError(error).message}`,
    remedy: 'See the cause.',
    cause: error,
  });
}
