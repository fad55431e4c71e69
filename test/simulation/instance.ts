// Owns one instance of the application: its process, which dies and comes back, and its disk, which survives that but for what was not
// flushed. The worker in it is the real one, with the real writer, reader and group member.
import { createBrokerClient } from '#libs/broker';
import type { MemoryCluster, SimulatedProcess } from '#libs/broker-memory';
import type { Clock, Logger } from '#libs/core';
import { resolveRuntimeConfig, StreamsRuntime } from '#libs/runtime';
import type { RuntimeOptions } from '#libs/runtime';
import { createMemoryStateBackend } from '#libs/state';
import type { MemoryStateBackend } from '#libs/state';
import { checkPartitions } from '#libs/topology';
import { APPLICATION } from './scenario.ts';
import type { Scenario } from './scenario.ts';

type Disk = NonNullable<ReturnType<MemoryStateBackend['disk']>>;

export class Instance {
  readonly name: string;
  readonly backend: MemoryStateBackend;
  #process: SimulatedProcess;
  #runtime: StreamsRuntime | null = null;
  /** Of the process that runs now. */
  failure: Error | null = null;
  isRunning = false;
  /** Leaves or has left on purpose. */
  isStopping = false;
  /** Never comes back. */
  isGone = false;
  #startsAgain = false;
  readonly #cluster: MemoryCluster;
  readonly #scenario: Scenario;
  readonly #logger: Logger;

  constructor(name: string, cluster: MemoryCluster, scenario: Scenario, logger: Logger) {
    this.name = name;
    this.#cluster = cluster;
    this.#scenario = scenario;
    this.#logger = logger;
    this.#process = cluster.process(name);
    // The disk outlives processes: its clock is that of the one that runs.
    const clock: Clock = {
      now: () => this.#process.clock.now(),
      monotonic: () => this.#process.clock.monotonic(),
      schedule: (delayMs, action, background) => this.#process.clock.schedule(delayMs, action, background),
      defer: (action) => this.#process.clock.defer(action),
      random: () => this.#process.clock.random(),
    };
    this.backend = createMemoryStateBackend({ clock, survivesReopen: true });
    this.#start();
  }

  get process(): SimulatedProcess {
    return this.#process;
  }

  /** What it has of tasks on its disk. */
  disks(visit: (taskId: string, disk: Disk) => void): void {
    this.backend.eachDisk((applicationId, taskId, disk) => {
      if (applicationId === APPLICATION) visit(taskId, disk);
    });
  }

  /** At once, or when it has stopped if it is about to. */
  start(): void {
    this.#startsAgain = this.isRunning && this.isStopping;
    if (this.isRunning || this.isGone) return;
    this.#process = this.#cluster.process(this.name);
    this.#start();
  }

  #start(): void {
    const { clock } = this.#process;
    const scenario = this.#scenario;
    this.isRunning = true;
    this.isStopping = false;
    this.failure = null;
    const options: RuntimeOptions = {
      applicationId: APPLICATION,
      instanceId: this.name,
      groupInstanceId: scenario.isStatic ? this.name : null,
      sessionTimeoutMs: scenario.sessionTimeoutMs,
      heartbeatIntervalMs: scenario.heartbeatIntervalMs,
      rebalanceTimeoutMs: scenario.rebalanceTimeoutMs,
      commitIntervalMs: scenario.commitIntervalMs,
      transactionTimeoutMs: scenario.transactionTimeoutMs,
      writeBehindIntervalMs: scenario.writeBehindIntervalMs,
      groupProtocol: scenario.groupProtocol,
      // A setting of the group where the broker assigns.
      numStandbys: scenario.groupProtocol === 'streams' ? 0 : scenario.numStandbys,
      // Whatever ends one is to be seen.
      onWorkerFailure: 'stopClient',
      acceptableRecoveryLag: scenario.acceptableRecoveryLag,
      probingRebalanceIntervalMs: scenario.probingRebalanceIntervalMs,
    };
    const runtime = new StreamsRuntime({
      topology: scenario.topology.build(),
      config: resolveRuntimeConfig(options),
      client: createBrokerClient({
        rpc: this.#process.rpc(),
        clock,
        requestTimeoutMs: scenario.requestTimeoutMs,
        logger: this.#logger,
      }),
      backend: this.backend,
      checkPartitions: (built, counts) => checkPartitions(built, counts).repartitionCounts,
      clock,
      logger: this.#logger,
    });
    this.#runtime = runtime;
    const isCurrent = (): boolean => this.#runtime === runtime;
    runtime
      .start()
      .then(() => runtime.whenEnded())
      .then(
        () => {
          if (!isCurrent()) return;
          this.isRunning = false;
          if (this.#startsAgain) this.start();
        },
        (error: unknown) => {
          if (!isCurrent()) return;
          this.isRunning = false;
          this.failure = error as Error;
        },
      );
  }

  /** Tasks are assigned, and all of them process. */
  get isSettled(): boolean {
    return this.#runtime?.lifecycle.state === 'RUNNING';
  }

  get runningTasks(): readonly string[] {
    return this.#runtime?.figures?.runningTasks ?? [];
  }

  /** As SIGKILL. Of what its disk had not flushed, some prefix survives. */
  kill(draw: (max: number) => number): void {
    this.#process.kill();
    this.#runtime = null;
    this.isRunning = false;
    this.#startsAgain = false;
    this.disks((taskId, disk) => this.backend.crash(APPLICATION, taskId, draw(disk.unsyncedBatches)));
  }

  /** As SIGTERM: what is processed is committed, the tasks are handed over. */
  stop(): void {
    this.isStopping = true;
    this.#startsAgain = false;
    this.#runtime?.stop().catch(() => undefined);
  }
}
