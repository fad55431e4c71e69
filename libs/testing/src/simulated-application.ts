// Owns the application under test as a whole: its instances on the simulated cluster, the time they live by, and the moment at which
// everything that was caused has happened. It knows nothing of what a test pipes or reads.
import { VirtualClock } from '#libs/broker-memory';
import { formatTopicPartition, parseTaskId, sleep, systemClock, yieldToIo } from '#libs/core';
import type { TopicPartition } from '#libs/core';
import { sourceTopic } from '#libs/runtime';
import type { TaskState } from '#libs/state';
import type { SourceSpec, Topology } from '#libs/topology';
import { ApplicationTime } from './application-time.ts';
import { driverClosed, noSuchInstance, stalled } from './errors.ts';
import { Instance } from './instance.ts';
import type { InstanceParts } from './instance.ts';
import { SimulatedCluster } from './simulated-cluster.ts';

export interface SimulatedApplicationParts {
  readonly topology: Topology;
  readonly applicationId: string;
  /** The wall clock at the start. */
  readonly startMs: number;
  /** State is in files: they are waited for in real time. */
  readonly usesFiles: boolean;
  /** After everything has happened that a call asked for. */
  readonly onSettled: () => void;
}

/** Simulated time within which all that is simulated comes to rest: sessions and transactions time out long before. */
const SIMULATED_LIMIT_MS = 5 * 60_000;
/** What is not simulated is waited for after that, in real time: the file system, calls of the user's. */
const REAL_LIMIT_MS = 4_000;
const REAL_PAUSE_MS = 1;
/** A producer waits 3 ms for more before it sends. */
const STEP_MS_FIRST = 4;
const STEP_MS_MAX = 1_000;
/** Rounds without result after which what is not simulated gets a turn. */
const PATIENT_ROUNDS = 4;

export class SimulatedApplication {
  readonly topology: Topology;
  readonly applicationId: string;
  readonly cluster: SimulatedCluster;
  readonly time: ApplicationTime;
  readonly instances: Instance[] = [];
  readonly #network: VirtualClock;
  readonly #usesFiles: boolean;
  readonly #onSettled: () => void;
  /** What tasks read; known once an instance has laid the topology out. */
  #inputs: readonly TopicPartition[] = [];
  #taskCount = 0;
  #closed = false;

  constructor({ topology, applicationId, startMs, usesFiles, onSettled }: SimulatedApplicationParts) {
    this.topology = topology;
    this.applicationId = applicationId;
    this.#network = new VirtualClock({ startMs });
    this.time = new ApplicationTime(this.#network, startMs);
    this.cluster = new SimulatedCluster(this.#network);
    this.#usesFiles = usesFiles;
    this.#onSettled = onSettled;
  }

  // --- instances ---------------------------------------------------------------------------------------------

  /** Not started yet. */
  add(parts: Pick<InstanceParts, 'config' | 'logger' | 'openState' | 'onUnknownTopic'>): Instance {
    const { topology, cluster } = this;
    const instance = new Instance({ ...parts, topology, cluster, applicationClock: this.time });
    this.instances.push(instance);
    return instance;
  }

  /** @throws MillraceError MILLRACE_ILLEGAL_STATE */
  instance(index: number): Instance {
    const instance = this.instances[index];
    if (instance === undefined) throw noSuchInstance(index, this.instances.length);
    return instance;
  }

  /** Starts them at the same time, so that the group is formed once; resolves when all tasks run. */
  async start(instances: readonly Instance[]): Promise<void> {
    await this.run(Promise.all(instances.map((instance) => instance.start())));
    await this.settle();
  }

  async stop(instances: readonly Instance[]): Promise<void> {
    await this.run(Promise.all(instances.map((instance) => instance.stop())));
  }

  async kill(instances: readonly Instance[]): Promise<void> {
    for (const instance of instances) await instance.kill();
    this.#onSettled();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const instance of this.instances) await instance.kill();
  }

  /** @throws MillraceError MILLRACE_ILLEGAL_STATE */
  refuseIfClosed(): void {
    if (this.#closed) throw driverClosed();
  }

  /** Does any instance run? */
  get isRunning(): boolean {
    return this.instances.some((instance) => instance.isRunning);
  }

  /** Open state of a sub-topology's tasks, by partition. */
  statesOf(subTopology: number): ReadonlyMap<number, TaskState> {
    const states = new Map<number, TaskState>();
    for (const instance of this.instances) {
      if (!instance.isRunning) continue;
      for (const [task, state] of instance.states) {
        const id = parseTaskId(task);
        if (id.subTopology === subTopology) states.set(id.partition, state);
      }
    }
    return states;
  }

  /** The real name of a source's topic. */
  topicOf(source: SourceSpec): string {
    return sourceTopic(this.applicationId, source);
  }

  // --- letting it run ----------------------------------------------------------------------------------------

  /** Until all is processed and committed. @throws MillraceError what the application failed with, MILLRACE_TEST_STALLED */
  async settle(): Promise<void> {
    this.refuseIfClosed();
    await this.#runUntil(() => {
      for (const { error } of this.instances) if (error !== null) throw error;
      return this.#isSettled();
    });
    this.#onSettled();
  }

  /** So many events, whatever they are. */
  async step(events: number): Promise<void> {
    const until = this.#network.eventCount + events;
    // With every instance down or frozen there may be none to come.
    await this.#network.runUntil(() => this.#network.eventCount >= until || this.#network.pending === 0);
    this.#onSettled();
  }

  /** Moves the application's time, and lets happen what falls due. */
  async advance(ms: number): Promise<void> {
    await this.time.advance(ms, async () => {
      for (const instance of this.instances) if (instance.isRunning) instance.wake();
      await this.settle();
    });
  }

  /** Gives what `promise` gives, moving simulated time as far as it needs. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const outcome = promise.finally(() => {
      settled = true;
    });
    outcome.catch(() => undefined);
    await this.#runUntil(() => settled);
    return outcome;
  }

  /** Moves simulated time as far as `done` needs: not at all if it can be. @throws MILLRACE_TEST_STALLED, or what `done` throws. */
  async #runUntil(done: () => boolean): Promise<void> {
    let elapsedMs = 0;
    let stepMs = 0;
    for (let round = 0; elapsedMs < SIMULATED_LIMIT_MS; round++) {
      await this.#network.advance(stepMs);
      elapsedMs += stepMs;
      if (done()) return;
      // While this was awaited, by somebody who did not await it.
      this.refuseIfClosed();
      if (round >= PATIENT_ROUNDS) await this.#turnOfTheRealWorld();
      stepMs = Math.min(STEP_MS_MAX, stepMs === 0 ? STEP_MS_FIRST : stepMs * 2);
    }
    const started = systemClock.monotonic();
    while (systemClock.monotonic() - started < REAL_LIMIT_MS) {
      await sleep(systemClock, REAL_PAUSE_MS);
      await this.#network.advance(REAL_PAUSE_MS);
      if (done()) return;
    }
    throw stalled(elapsedMs, this.#outstanding());
  }

  #turnOfTheRealWorld(): Promise<void> {
    return this.#usesFiles ? sleep(systemClock, REAL_PAUSE_MS) : yieldToIo(systemClock);
  }

  // --- at rest -----------------------------------------------------------------------------------------------

  #isSettled(): boolean {
    // Nobody is there to do anything.
    if (!this.isRunning) return true;
    if (!this.#knowsInputs()) return false;
    if (this.cluster.hasOpenTransaction()) return false;
    if (this.#unconsumed().length > 0) return false;
    let tasks = 0;
    for (const instance of this.instances) {
      if (!instance.isRunning) continue;
      if (!instance.isSettled || instance.isUncommitted) return false;
      tasks += instance.tasks.length;
    }
    return tasks === this.#taskCount;
  }

  /** Inputs with records to be processed now: those of a retry topic may be due only when the wall clock is moved. */
  #unconsumed(): readonly TopicPartition[] {
    const unconsumed = this.cluster.unconsumed(this.applicationId, this.#inputs);
    if (unconsumed.length === 0) return unconsumed;
    const delayed = new Set<string>();
    for (const { isRunning, failures } of this.instances) {
      if (!isRunning) continue;
      for (const { topic, partition } of failures?.delayed ?? [])
        delayed.add(formatTopicPartition(topic, partition));
    }
    return unconsumed.filter(({ topic, partition }) => !delayed.has(formatTopicPartition(topic, partition)));
  }

  /** Repartition topics exist once the first instance has started. */
  #knowsInputs(): boolean {
    if (this.#inputs.length > 0) return true;
    const inputs: TopicPartition[] = [];
    let tasks = 0;
    for (const { sources } of this.topology.subTopologies) {
      let highest = 0;
      for (const source of sources) {
        const topic = this.topicOf(source);
        const count = this.cluster.partitionCount(topic);
        if (count === undefined) return false;
        for (let partition = 0; partition < count; partition++) inputs.push({ topic, partition });
        highest = Math.max(highest, count);
      }
      tasks += highest;
    }
    this.#inputs = inputs;
    this.#taskCount = tasks;
    return true;
  }

  /** What `settle` still waits for, for the message when it waits no longer. */
  #outstanding(): string[] {
    const waiting: string[] = [];
    for (const { topic, partition } of this.#unconsumed())
      waiting.push(`records of ${formatTopicPartition(topic, partition)} are not committed`);
    if (this.cluster.hasOpenTransaction()) waiting.push('a transaction is open');
    for (const instance of this.instances) {
      if (!instance.isRunning) continue;
      if (!instance.isSettled) waiting.push(`${instance.id} is ${instance.state}`);
      if (instance.isUncommitted) waiting.push(`${instance.id} has not committed what it processed`);
    }
    return waiting.length > 0 ? waiting : ['not all tasks run'];
  }
}
