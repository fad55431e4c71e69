// Owns one instance of the application under test: the production runtime on a simulated process that can be killed, frozen and
// started again with the state it left on its disk.
//
//   down ──start──► running ──stop──► down        running ──kill──► down        running ──freeze──► frozen ──thaw──► running
import { createBrokerClient } from '#libs/broker';
import type { BrokerClient, GroupMember, RecordReader } from '#libs/broker';
import type { Clock, Logger, MillraceError } from '#libs/core';
import { StreamsRuntime } from '#libs/runtime';
import type { RuntimeConfig, RuntimeFigures } from '#libs/runtime';
import { createMemoryStateBackend } from '#libs/state';
import type { MemoryStateBackend, StateBackend, TaskState } from '#libs/state';
import { checkPartitions } from '#libs/topology';
import type { Topology } from '#libs/topology';
import { InstanceLife } from './instance-life.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';

/** Opens the state of an instance: called at each start, with the same id after a crash. */
export type StateBackendFactory = (parts: {
  readonly instanceId: string;
  readonly clock: Clock;
  readonly logger: Logger;
}) => StateBackend | Promise<StateBackend>;

export interface InstanceParts {
  readonly topology: Topology;
  readonly config: RuntimeConfig;
  readonly cluster: SimulatedCluster;
  /** What the application lives by. */
  readonly applicationClock: Clock;
  readonly logger: Logger;
  /** `null`: in memory, kept over a crash as a disk would. */
  readonly openState: StateBackendFactory | null;
  /** A topic that a record chose is not there. */
  readonly onUnknownTopic: (topic: string) => void;
}

/** What lives from a start to the end of the process. */
interface Process {
  readonly life: InstanceLife;
  readonly runtime: StreamsRuntime;
  readonly client: BrokerClient;
  readonly backend: StateBackend;
  readonly readers: RecordReader[];
  readonly members: GroupMember[];
  readonly states: Map<string, TaskState>;
}

export class Instance {
  readonly id: string;
  readonly #parts: InstanceParts;
  #process: Process | null = null;
  /** Outlives the process. */
  #disk: MemoryStateBackend | null = null;

  constructor(parts: InstanceParts) {
    this.id = parts.config.instanceId;
    this.#parts = parts;
  }

  /** Started and neither stopped nor killed; a frozen one counts. */
  get isUp(): boolean {
    return this.#process !== null;
  }

  /** Up and not frozen. */
  get isRunning(): boolean {
    return this.#process !== null && this.#process.life.isRunning;
  }

  get error(): MillraceError | null {
    return this.#process?.runtime.error ?? null;
  }

  /** In state RUNNING: settled in its group, all its tasks open, and none on its way here behind a copy that warms up. */
  get isSettled(): boolean {
    const runtime = this.#process?.runtime;
    if (runtime?.lifecycle.state !== 'RUNNING') return false;
    return runtime.figures?.copies.every(({ role }) => role !== 'warmup') ?? false;
  }

  get state(): string {
    return this.#process?.runtime.lifecycle.state ?? 'DOWN';
  }

  get tasks(): readonly string[] {
    return this.#process?.runtime.figures?.runningTasks ?? [];
  }

  /** Has processed something, a record or what fell due, and not committed it. */
  get isUncommitted(): boolean {
    return this.#process?.runtime.figures?.uncommitted === true;
  }

  /** What waits to be tried again. */
  get failures(): RuntimeFigures['failures'] | null {
    return this.#process?.runtime.figures?.failures ?? null;
  }

  get droppedRecords(): number {
    return this.#process?.runtime.figures?.droppedRecords ?? 0;
  }

  /** Open state by task. */
  get states(): ReadonlyMap<string, TaskState> {
    return this.#process?.states ?? new Map<string, TaskState>();
  }

  /** Resolves once the runtime has begun to join its group. */
  async start(): Promise<void> {
    const { topology, config, cluster, applicationClock, logger } = this.#parts;
    const process = cluster.process(this.id);
    const life = new InstanceLife(process);
    const clock = life.guard(applicationClock);
    const backend = await this.#openBackend(life);
    const states = new Map<string, TaskState>();
    const readers: RecordReader[] = [];
    const members: GroupMember[] = [];
    const client = createBrokerClient({ rpc: process.rpc(), clock: process.clock, logger });
    const runtime = new StreamsRuntime({
      topology,
      config,
      client: this.#observed(client, readers, members),
      backend: recording(backend, states),
      checkPartitions: (built, counts) => checkPartitions(built, counts).repartitionCounts,
      clock,
      logger,
    });
    this.#process = { life, runtime, client, backend, readers, members, states };
    await runtime.start();
  }

  /** Commits, hands the tasks back, leaves the group, closes. */
  async stop(): Promise<void> {
    const process = this.#process;
    if (process === null) return;
    // What stands still cannot stop.
    process.life.thaw();
    await process.runtime.stop();
    await process.client.close();
    await process.backend.close();
    this.#process = null;
  }

  /** As kill −9: nothing of it runs any more; what it had written to its disk stays. */
  async kill(): Promise<void> {
    const process = this.#process;
    if (process === null) return;
    process.life.kill();
    this.#process = null;
    if (this.#disk !== null) {
      const { applicationId } = this.#parts.config;
      for (const task of process.states.keys()) this.#disk.crash(applicationId, task, 0);
      return;
    }
    // A database of this very process cannot be left to die: it is closed as it is.
    for (const state of process.states.values()) await state.closeDirty();
    await process.backend.close();
  }

  freeze(): void {
    this.#process?.life.freeze();
  }

  thaw(): void {
    this.#process?.life.thaw();
  }

  /** Ends waits for input, so that the worker looks at the clock. */
  wake(): void {
    for (const reader of this.#process?.readers ?? []) reader.wake();
  }

  rejoin(): void {
    for (const member of this.#process?.members ?? []) member.requestRejoin('the test asked for a rebalance');
  }

  async #openBackend(life: InstanceLife): Promise<StateBackend> {
    const { openState, applicationClock, logger } = this.#parts;
    if (openState !== null)
      return openState({ instanceId: this.id, clock: life.guard(applicationClock), logger });
    // Its waits go through the life of the process that waits.
    const clock: Clock = {
      now: () => applicationClock.now(),
      monotonic: () => applicationClock.monotonic(),
      schedule: (delayMs, action) => this.#currentClock().schedule(delayMs, action),
      defer: (action) => this.#currentClock().defer(action),
      random: () => applicationClock.random(),
    };
    this.#disk ??= createMemoryStateBackend({ clock, logger, survivesReopen: true });
    return this.#disk;
  }

  #currentClock(): Clock {
    const { applicationClock } = this.#parts;
    return this.#process === null ? applicationClock : this.#process.life.guard(applicationClock);
  }

  /** The client, with its parts noted, and topics made as records choose them: a test need not list what a function may name. */
  #observed(client: BrokerClient, readers: RecordReader[], members: GroupMember[]): BrokerClient {
    const { cluster, onUnknownTopic } = this.#parts;
    return {
      admin: client.admin,
      createReader(options) {
        const reader = client.createReader(options);
        readers.push(reader);
        return reader;
      },
      createTransactionalWriter: (options) => client.createTransactionalWriter(options),
      createIdempotentWriter: (options) => client.createIdempotentWriter(options),
      createGroupMember(options, handler) {
        const member = client.createGroupMember(options, handler);
        members.push(member);
        return member;
      },
      createStreamsGroupMember: (options, handler) => client.createStreamsGroupMember(options, handler),
      partitionCount(topic) {
        if (cluster.partitionCount(topic) === undefined) onUnknownTopic(topic);
        return client.partitionCount(topic);
      },
      close: () => client.close(),
    };
  }
}

/** `backend`, with the state of open tasks noted in `states`. */
function recording(backend: StateBackend, states: Map<string, TaskState>): StateBackend {
  return {
    name: backend.name,
    async open(options) {
      const state = await backend.open(options);
      const { taskId } = options;
      states.set(taskId, state);
      const forget = (): void => {
        if (states.get(taskId) === state) states.delete(taskId);
      };
      const close = state.close.bind(state);
      const closeDirty = state.closeDirty.bind(state);
      state.close = () => close().finally(forget);
      state.closeDirty = () => closeDirty().finally(forget);
      return state;
    },
    localTasks: (applicationId) => backend.localTasks(applicationId),
    localCheckpoints: (applicationId) => backend.localCheckpoints(applicationId),
    diskBytes: (applicationId, taskId) => backend.diskBytes(applicationId, taskId),
    setAside: (applicationId, taskId, reason) => backend.setAside(applicationId, taskId, reason),
    destroy: (applicationId, taskId) => backend.destroy(applicationId, taskId),
    close: () => backend.close(),
  };
}
