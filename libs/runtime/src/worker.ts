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
import type { BrokerClient, IdempotentWriter, RecordReader, TransactionalWriter } from '#libs/broker';
import { asError, yieldToIo } from '#libs/core';
import type { Clock, Logger, TaskIdText } from '#libs/core';
import type { StateBackend } from '#libs/state';
import { AssignedTasks } from './assigned-tasks.ts';
import type { ClusterLayout } from './cluster-layout.ts';
import type { RuntimeConfig } from './config.ts';
import { ControlQueue } from './control-queue.ts';
import { DroppedRecords } from './dropped-records.ts';
import { AtLeastOnceCommit, TransactionalCommit } from './epoch-commit.ts';
import { EpochCoordinator } from './epoch-coordinator.ts';
import { FailureCounts } from './failure-counts.ts';
import type { GlobalStores } from './global-stores.ts';
import { HeldBackWatch, readEnds } from './held-back.ts';
import type { ReadEnds } from './held-back.ts';
import { InputRouter } from './input-router.ts';
import { DiskSizes } from './insight/disk-sizes.ts';
import type { TaskFigures, WorkerFigures } from './insight/figures.ts';
import type { InsightLog } from './insight/insight-log.ts';
import { taskFigures } from './insight/task-figures.ts';
import { createMembership } from './membership.ts';
import type { Membership, WorkerMember } from './membership.ts';
import { transactionalId } from './names.ts';
import { OutputCollector } from './output-collector.ts';
import { migratedIfOvertaken } from './overtaken.ts';
import { PartitionWatch } from './partition-watch.ts';
import { QueryableTasks } from './queries/queryable-tasks.ts';
import { RepartitionTrimmer } from './repartition-trimmer.ts';
import { RunLimit } from './run-limit.ts';
import { StandbyCopies } from './standby-copies.ts';
import { StoreRestorer } from './store-restorer.ts';
import type { RestoreListener } from './store-restorer.ts';
import { TaskOpener } from './task-opener.ts';
import { TaskRegistry } from './task-registry.ts';
import { restartTask, unknownTask } from './task-restart.ts';
import { TurnPace } from './turn-pace.ts';
import { WakeSignal } from './wake-signal.ts';
import { isRecoverable } from './worker-errors.ts';
import { WorkerRecovery } from './worker-recovery.ts';

/** Records of one task per turn: a few milliseconds of work. */
const SLICE_RECORDS = 2_000;
const IDLE_WAIT_MS_MAX = 100;

export interface WorkerParts {
  readonly index: number;
  readonly config: RuntimeConfig;
  readonly layout: ClusterLayout;
  readonly client: BrokerClient;
  readonly backend: StateBackend;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly globals: GlobalStores;
  readonly onRestore: RestoreListener;
  /** The group has taken the worker in, under this id; told anew with each assignment. */
  readonly onMember: (memberId: string) => void;
  readonly insight: InsightLog;
  /** Nothing is fetched or processed while it says so; what is open is committed, and the tasks are kept. */
  readonly isPaused: () => boolean;
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
  private readonly signal: WakeSignal;
  private readonly controls: ControlQueue;
  private readonly dropped: DroppedRecords;
  private readonly failures = new FailureCounts();
  private readonly restorer: StoreRestorer;
  private readonly registry: TaskRegistry;
  private readonly copies: StandbyCopies;
  /** What queries may read of this worker. */
  readonly queryable: QueryableTasks;
  private readonly assigned: AssignedTasks;
  private readonly epochs: EpochCoordinator;
  private readonly router: InputRouter;
  private readonly membership: Membership;
  private readonly member: WorkerMember;
  private readonly runLimit: RunLimit | null;
  private readonly trimmer: RepartitionTrimmer;
  private readonly partitionWatch: PartitionWatch;
  private readonly heldBackWatch: HeldBackWatch;
  private readonly sizes: DiskSizes;
  private readonly recovery: WorkerRecovery;
  private readonly pace: TurnPace;
  /** Monotonic. */
  private turnedAt: number;
  private committedAt: number | null = null;
  /** Aborted once it is to stop. */
  private readonly ending = new AbortController();
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
    this.turnedAt = clock.monotonic();
    this.pace = new TurnPace(clock, exactlyOnce ? config.transactionTimeoutMs : null);
    this.collector = new OutputCollector(config.batchBytes, config.recordBytesMax);
    this.signal = new WakeSignal(clock);
    this.controls = new ControlQueue(() => this.wake());
    this.dropped = new DroppedRecords(clock, logger, parts.insight);
    this.sizes = new DiskSizes(backend, config.applicationId, clock);
    parts.insight.describe(layout);
    this.restorer = new StoreRestorer(
      client,
      clock,
      logger,
      config.exceptionHandlers.deserialization,
      parts.onRestore,
    );
    const target =
      this.writer !== null
        ? new TransactionalCommit(this.writer)
        : new AtLeastOnceCommit(this.idempotentWriter!, client.admin, clock);
    this.copies = new StandbyCopies({
      config,
      layout,
      client,
      backend,
      clock,
      logger,
      deserialization: config.exceptionHandlers.deserialization,
      listener: parts.onRestore,
      isRestoring: () => this.restorer.isRestoring,
      onWarm: (name) => this.member.requestRejoin(`the copy of task ${name} is warm`),
    });
    const opener = new TaskOpener({
      copies: this.copies,
      claims: () => this.epochs.claims,
      config,
      layout,
      client,
      backend,
      restorer: this.restorer,
      reader: this.reader,
      collector: this.collector,
      dropped: this.dropped,
      failures: this.failures,
      insight: parts.insight,
      globals: parts.globals,
      transactionalId: this.transactionalId,
      clock,
      logger,
      wake: () => this.wake(),
    });
    this.registry = new TaskRegistry(opener, this.reader, () => this.wake());
    this.queryable = new QueryableTasks(config, layout, parts.globals, this.registry, this.copies);
    this.epochs = new EpochCoordinator({
      tasks: () => this.registry.tasks,
      collector: this.collector,
      target,
      limits: {
        commitIntervalMs: config.commitIntervalMs,
        epochBytesMax: config.epochBytesMax,
        commitWhenIdle: exactlyOnce,
      },
      transactionalId: this.transactionalId,
      clock,
      member: () => this.member,
      onCommitEnd: () => this.onCommitEnd(),
      insight: parts.insight.epochs,
    });
    this.assigned = new AssignedTasks({
      registry: this.registry,
      epochs: this.epochs,
      copies: this.copies,
      layout,
      backend,
      config,
      clock,
      logger,
      insight: parts.insight,
      requestRound: (reason) => this.member.requestRejoin(reason),
      onFailed: (error) => this.fail(error),
    });
    this.router = new InputRouter(this.reader, config.bufferedBytesPerPartition);
    const { membership, member } = createMembership({
      config,
      layout,
      client,
      backend,
      clock,
      logger,
      transactionalId: this.transactionalId,
      controls: this.controls,
      registry: this.registry,
      assigned: this.assigned,
      epochs: this.epochs,
      directory: this.queryable.directory,
      insight: parts.insight,
      onMember: parts.onMember,
      stopping: this.ending.signal,
      abandon: () => this.recovery.abandon(true),
      onFailed: (error) => this.fail(error),
      onFatal: (error) => this.failForGood(error),
    });
    this.membership = membership;
    this.member = member;
    this.recovery = new WorkerRecovery({
      ...{ backend, clock, logger, membership, member },
      applicationId: config.applicationId,
      transactionalId: this.transactionalId,
      sessionTimeoutMs: config.sessionTimeoutMs,
      writer: this.writer,
      idempotentWriter: this.idempotentWriter,
      epochs: this.epochs,
      registry: this.registry,
      copies: this.copies,
      insight: parts.insight,
      stopping: this.ending.signal,
      onTry: () => (this.turnedAt = clock.monotonic()),
      onAbandoned: () => {
        this.reportedRunning = false;
        parts.onState('rebalancing');
      },
      onFailed: (error) => this.fail(error),
    });
    this.runLimit =
      config.until === 'latest'
        ? new RunLimit(
            layout,
            client,
            this.registry,
            () => this.membership.isSettled,
            clock,
            config.groupProtocol === 'streams',
          )
        : null;
    this.trimmer = new RepartitionTrimmer(layout, client.admin, this.registry, clock, logger);
    this.partitionWatch = new PartitionWatch({
      ...{ layout, clock, logger },
      admin: client.admin,
      collector: this.collector,
      intervalMs: config.metadataMaxAgeMs,
      onRefused: (error) => this.failForGood(error),
    });
    this.heldBackWatch = new HeldBackWatch({
      ...{ clock, logger, insight: parts.insight },
      ends: () => this.readEnds(),
    });
    parts.globals.ready.then(
      () => this.wake(),
      () => undefined,
    );
  }

  /** Figures for metrics and health. */
  get figures(): WorkerFigures {
    return {
      processedRecords: this.registry.processedRecords,
      droppedRecords: this.dropped.total,
      failures: { ...this.failures.figures, ...this.registry.waitingFailures },
      restoredRecords: this.restorer.restoredRecords,
      committedEpochs: this.epochs.committedEpochs,
      uncommitted: this.epochs.hasWork || this.epochs.isCommitting,
      sinceTurnMs: this.parts.clock.monotonic() - this.turnedAt,
      sinceCommitMs: this.committedAt === null ? null : this.parts.clock.monotonic() - this.committedAt,
      runningTasks: [...this.registry.tasks].map((task) => task.name),
      openingTasks: this.registry.openingNames,
      restores: this.restorer.progress,
      copies: this.copies.figures,
    };
  }

  get tasks(): TaskFigures[] {
    const { layout, clock } = this.parts;
    const { reader, sizes, registry, restorer, copies } = this;
    return taskFigures({
      ...{ layout, clock, reader, sizes },
      running: registry.tasks,
      opening: registry.openingNames,
      restores: restorer.progress,
      copies: copies.figures,
    });
  }

  private *readEnds(): Iterable<ReadEnds> {
    for (const { group } of this.registry.tasks)
      for (const { topic, partition } of group.queues) yield readEnds(this.reader, topic, partition);
    yield* this.restorer.ends;
    yield* this.copies.ends;
  }

  /** Resolves once nothing is open that could be committed, or the attempt failed, from which the worker recovers. */
  settle(): Promise<void> {
    return this.controls.post(() => this.epochs.commitAll().catch((error: unknown) => this.fail(error)));
  }

  /** See task-restart.ts. @throws MillraceError MILLRACE_UNKNOWN_TASK */
  async restartTask(name: TaskIdText, dirty: boolean): Promise<void> {
    const { registry, epochs, copies } = this;
    const onFailed = (error: unknown): void => this.fail(error);
    const restarted = await this.controls.post(() =>
      restartTask(
        { registry, epochs, copies, onFailed, abandon: () => this.recovery.abandon(false) },
        name,
        dirty,
      ),
    );
    if (!restarted) throw unknownTask(name, registry.assignedNames);
  }

  /** Runs until stopped or, with `until: latest`, until the input is processed. @throws what stopped it. */
  async run(): Promise<void> {
    try {
      await this.prepare();
      if (!this.stopping) this.member.start();
      await this.loop();
      await this.drain();
      // Beside each other: what the databases have not written yet is in the changelogs, and no successor need wait for their end.
      await Promise.all([this.closeTasks(), this.member.leave('the application stops')]);
    } catch (error) {
      await this.closeAfterFailure();
      throw error;
    } finally {
      this.controls.close(new Error('the worker has stopped'));
      await this.releaseAll();
    }
  }

  /** The end of a clean stop. An epoch that cannot be committed any more is left to the next worker: nothing of it is lost. */
  private async drain(): Promise<void> {
    try {
      await this.epochs.commitAll();
    } catch (error) {
      if (!isRecoverable(error)) throw error;
      this.parts.logger.warn('The last epoch could not be committed; its records are processed again', {
        error: asError(error).message,
      });
      this.epochs.restart();
      await this.registry.closeAllDirty();
    }
  }

  private async closeTasks(): Promise<void> {
    try {
      await this.registry.closeAll();
    } catch (error) {
      if (!isRecoverable(error)) throw error;
      this.parts.logger.warn(
        'A task could not be closed cleanly; its state is restored from where it was written',
        {
          error: asError(error).message,
        },
      );
      await this.registry.closeAllDirty();
    }
  }

  private get stopping(): boolean {
    return this.ending.signal.aborted;
  }

  /** Asks the loop to end after the current turn: commit, close, leave. */
  stop(): void {
    this.ending.abort();
    this.wake();
  }

  private onCommitEnd(): void {
    if (this.epochs.failure === null) this.committedAt = this.parts.clock.monotonic();
    this.wake();
  }

  /** Ends a wait: something has changed that the loop goes by. */
  wake(): void {
    this.reader.wake();
    this.signal.notify();
  }

  private failed: unknown = null;
  private fatal: unknown = null;

  private fail(error: unknown): void {
    this.failed ??= error;
    this.wake();
  }

  /** Nothing helps any more: the loop ends with this error. */
  failForGood(error: unknown): void {
    this.fatal ??= error;
    this.wake();
  }

  private throwIfFailed(): void {
    const failed = this.failed;
    this.failed = null;
    if (failed !== null) throw asError(failed);
  }

  private async prepare(): Promise<void> {
    const { layout, client } = this.parts;
    for (const topic of layout.failureTopics)
      this.collector.addTopic(topic, layout.partitionCounts.get(topic)!);
    for (const sub of layout.topology.subTopologies) {
      for (const sink of sub.sinks) {
        const topic = layout.sinkTopic(sink);
        if (topic !== null) this.collector.addTopic(topic, await client.partitionCount(topic));
      }
      for (const store of sub.stores) {
        const topic = layout.changelogTopic(sub, store);
        if (topic !== null) this.collector.addTopic(topic, await client.partitionCount(topic));
      }
    }
    // A start that takes long, the process stopped or the cluster away, is no reason to give up.
    await this.recovery.beginAnew();
    await this.runLimit?.start();
  }

  private async loop(): Promise<void> {
    while (!this.stopping) {
      this.turnedAt = this.parts.clock.monotonic();
      try {
        this.throwIfFailed();
        await this.controls.runAll();
        if (this.epochs.failure !== null) throw asError(this.epochs.failure);
        if (await this.turn()) return;
      } catch (thrown) {
        const { client, config } = this.parts;
        const error = await migratedIfOvertaken(thrown, client.admin, config.applicationId);
        if (!isRecoverable(error)) throw error;
        await this.recovery.recover(error, () => {
          // A commit for a rebalance tells its failure twice: as its epoch's and as the hook's. It is one.
          if (this.failed === error) this.failed = null;
        });
      }
      if (this.fatal !== null) throw asError(this.fatal);
    }
  }

  /** One turn; true when the run is complete. */
  private async turn(): Promise<boolean> {
    this.registry.admit();
    this.reportState();
    const isPaused = this.parts.isPaused();
    if (isPaused) this.router.hold(this.registry);
    else this.router.route(this.registry);
    const processed = this.processSlices();
    this.epochs.turn(isPaused || this.isCaughtUp(), this.pace.isCareful);
    this.trimmer.turn();
    this.partitionWatch.turn();
    this.heldBackWatch.turn();
    if (this.collector.isGrowing && !this.epochs.hasWork) this.collector.endEpoch();
    if (this.runLimit !== null) {
      const idle = processed === 0 && !this.epochs.isCommitting && !this.epochs.hasWork;
      if (await this.runLimit.isReached(idle)) {
        // Here, and not in the drain: what cannot be committed is processed again before the run ends.
        await this.epochs.commitAll();
        return true;
      }
    }
    if (processed > 0) {
      await yieldToIo(this.parts.clock);
      return false;
    }
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
    if (this.isHeldBack) return 0;
    const startedAt = this.parts.clock.monotonic();
    let processed = 0;
    let slices = 0;
    for (const task of this.pace.beginTurn(this.registry.tasks)) {
      if (task.state !== null && task.state.failure !== null) throw task.state.failure;
      if (task.suspended === null && !task.claimPending) {
        processed += task.process(SLICE_RECORDS, this.pace.sliceEnd());
      }
      if (task.suspended !== null) this.registry.awaitSuspended(task, (error) => this.fail(error));
      if (this.pace.isOver(++slices)) break;
    }
    this.parts.insight.turned(this.parts.clock.monotonic() - startedAt);
    return processed;
  }

  /** Nothing may be processed now: what is open is as large as it may be, or must be settled first. */
  private get isHeldBack(): boolean {
    if (this.parts.isPaused() || this.epochs.isFull || this.epochs.isBehind) return true;
    return this.pace.isCareful && this.epochs.isSending;
  }

  private async waitForWork(): Promise<void> {
    if (!this.controls.isEmpty || this.epochs.failure !== null || this.failed !== null) return;
    const mayCommit = this.epochs.hasWork && !this.epochs.isCommitting;
    let waitMs = mayCommit ? Math.max(1, this.epochs.dueInMs) : IDLE_WAIT_MS_MAX;
    // What is buffered in the reader does not matter while nothing may be processed: then only a wake or the time ends the wait.
    const blocked = this.isHeldBack;
    if (!blocked) waitMs = Math.min(waitMs, Math.max(1, this.wallDueInMs()));
    if (blocked) await this.signal.wait(Math.min(waitMs, IDLE_WAIT_MS_MAX));
    else await this.reader.waitForChunk(Math.min(waitMs, IDLE_WAIT_MS_MAX));
  }

  /** Until an alarm goes off by the wall clock; `Infinity`: none is set. */
  private wallDueInMs(): number {
    let due = Infinity;
    for (const task of this.registry.tasks) {
      if (task.suspended === null && !task.claimPending && task.wallDue < due) due = task.wallDue;
    }
    return due === Infinity ? due : Math.ceil(due - this.parts.clock.now());
  }

  private reportState(): void {
    const running = this.membership.isSettled && this.registry.isComplete && this.parts.globals.isReady;
    if (running === this.reportedRunning) return;
    this.reportedRunning = running;
    this.parts.onState(running ? 'running' : 'rebalancing');
  }

  private async closeAfterFailure(): Promise<void> {
    this.epochs.restart();
    for (const close of [() => this.registry.closeAllDirty(), () => this.member.leave('the worker failed')]) {
      try {
        await close();
      } catch (error) {
        this.parts.logger.warn('Closing after a failure met another', { error: asError(error).message });
      }
    }
  }

  private async releaseAll(): Promise<void> {
    this.assigned.close();
    await this.copies.close();
    await this.restorer.close();
    await this.writer?.close();
    await this.idempotentWriter?.close();
    await this.reader.close();
  }
}
