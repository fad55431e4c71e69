// Owns a topology under test: a simulated cluster, the instances that run the topology on it, virtual time, and the moment at which
// everything that was caused has happened. It processes no record itself: libs/runtime does, as in production.
//
// 1. Nothing happens by itself: time passes while a call of the driver is awaited, and only as far as that call needs.
// 2. When `pipe` or `settle` resolves, every record is processed, committed and readable; no transaction is open.
// 3. The same calls give the same results, offsets and order, always.
import { partitionForKey } from '#libs/broker';
import { VirtualClock } from '#libs/broker-memory';
import {
  MillraceError,
  formatTopicPartition,
  parseTaskId,
  silentLogger,
  sleep,
  systemClock,
  yieldToIo,
} from '#libs/core';
import type { BinaryString, Logger, TopicPartition } from '#libs/core';
import {
  changelogTopic,
  decodeOffsetMetadata,
  repartitionTopic,
  resolveRuntimeConfig,
  shortHash,
} from '#libs/runtime';
import type { ExceptionHandlers, ProcessingGuarantee, RuntimeOptions } from '#libs/runtime';
import type { Serde } from '#libs/serde';
import type { TaskState } from '#libs/state';
import { userTopics } from '#libs/topology';
import type { SourceSpec, StoreSpec, StreamsBuilder, Topology } from '#libs/topology';
import { ApplicationTime } from './application-time.ts';
import {
  driverClosed,
  noRunningInstance,
  noSuchInstance,
  partitionMissing,
  stalled,
  storeMissing,
  topicMissing,
} from './errors.ts';
import { Instance } from './instance.ts';
import type { StateBackendFactory } from './instance.ts';
import { SimulatedCluster } from './simulated-cluster.ts';
import { TopicRecords } from './test-records.ts';
import { TestStore, isExpired } from './test-store.ts';
import type { StoredRow } from './test-store.ts';
import { tableOf } from './topic-table.ts';
import { TestInputTopic, TestOutputTopic } from './test-topics.ts';
import type { EncodedInput, InputTopicOptions } from './test-topics.ts';

export interface TopologyTestDriverOptions {
  /** Consumer group, and prefix of internal topics. Default `test`. */
  readonly applicationId?: string;
  /** Partitions of every topic, or by topic; a topic not named has one. Topics named here exist even if the topology does not name them. */
  readonly partitions?: number | Readonly<Record<string, number>>;
  /** Instances of the application; the tasks are spread over them. Default 1. */
  readonly instances?: number;
  /** The wall clock at the start, milliseconds since the Unix epoch. Default 2024-01-01T00:00:00Z. */
  readonly startTimeMs?: number;
  /** Default `exactly_once`. */
  readonly processingGuarantee?: ProcessingGuarantee;
  /** Default: a failed record fails the call that brought it. */
  readonly exceptionHandlers?: Partial<ExceptionHandlers>;
  /** Default `memory`; it outlives a crash, as a disk does. Another one is opened at each start of an instance. */
  readonly stateBackend?: 'memory' | StateBackendFactory;
  /** Any other option of the runtime. */
  readonly config?: Partial<
    Omit<
      RuntimeOptions,
      'applicationId' | 'instanceId' | 'processingGuarantee' | 'exceptionHandlers' | 'until'
    >
  >;
  /** Default none. */
  readonly logger?: Logger;
}

/** A killed instance is missed after this long, of simulated time. */
const SESSION_TIMEOUT_MS = 6_000;
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

export class TopologyTestDriver {
  readonly applicationId: string;
  readonly #topology: Topology;
  readonly #options: TopologyTestDriverOptions;
  readonly #network: VirtualClock;
  readonly #time: ApplicationTime;
  readonly #cluster: SimulatedCluster;
  readonly #instances: Instance[] = [];
  readonly #topics = new Map<string, TopicRecords>();
  /** Partition for the next record without a key, by topic. */
  readonly #turns = new Map<string, number>();
  /** Offsets of what was piped and not yet seen in its topic: not what the topology wrote. */
  readonly #piped = new Set<string>();
  /** What tasks read; known once an instance has laid the topology out. */
  #inputs: readonly TopicPartition[] = [];
  #taskCount = 0;
  #closed = false;

  private constructor(topology: Topology, options: TopologyTestDriverOptions) {
    this.applicationId = options.applicationId ?? 'test';
    this.#topology = topology;
    this.#options = options;
    const startMs = options.startTimeMs ?? Date.UTC(2024, 0, 1);
    this.#network = new VirtualClock({ startMs });
    this.#time = new ApplicationTime(this.#network, startMs);
    this.#cluster = new SimulatedCluster(this.#network);
  }

  /**
   * Creates the topics, starts the instances, and resolves when all tasks run.
   * @throws MillraceError what is wrong with the topology, the partitions or the options.
   */
  static async start(
    topology: Topology | StreamsBuilder,
    options: TopologyTestDriverOptions = {},
  ): Promise<TopologyTestDriver> {
    const built = 'build' in topology ? topology.build() : topology;
    const driver = new TopologyTestDriver(built, options);
    driver.#createTopics();
    const count = options.instances ?? 1;
    for (let i = 0; i < count; i++) driver.#addInstance();
    try {
      // At the same time, so that the group is formed once.
      await driver.#run(Promise.all(driver.#instances.map((instance) => instance.start())));
      await driver.settle();
    } catch (error) {
      await driver.close();
      throw error;
    }
    return driver;
  }

  // --- topics and stores -------------------------------------------------------------------------------------

  /** A topic to pipe records into. @throws MillraceError MILLRACE_TOPIC_MISSING */
  inputTopic<K, V>(
    name: string,
    keySerde: Serde<K>,
    valueSerde: Serde<V>,
    options: InputTopicOptions = {},
  ): TestInputTopic<K, V> {
    this.#refuseIfClosed();
    if (this.#cluster.partitionCount(name) === undefined) throw topicMissing(name, this.#cluster.topics());
    return new TestInputTopic(name, keySerde, valueSerde, options, {
      now: () => this.#time.now(),
      append: (topic, record) => this.#append(topic, record),
      settle: () => this.settle(),
    });
  }

  /**
   * A topic to read from: what was piped into it is not read, what the topology wrote is. Internal topics can be read too. All objects for
   * one topic read on from the same place. @throws MillraceError MILLRACE_TOPIC_MISSING when it is first read and no record chose it.
   */
  outputTopic<K, V>(name: string, keySerde: Serde<K>, valueSerde: Serde<V>): TestOutputTopic<K, V> {
    this.#refuseIfClosed();
    return new TestOutputTopic(name, keySerde, valueSerde, {
      records: (topic) => {
        this.#refuseIfClosed();
        const records = this.#topics.get(topic);
        if (records === undefined) throw topicMissing(topic, this.#cluster.topics());
        return records;
      },
    });
  }

  /** Changelogs and repartition topics, by their full names. */
  get internalTopics(): readonly string[] {
    const names = new Set<string>();
    for (const { name } of this.#topology.repartitions) names.add(repartitionTopic(this.applicationId, name));
    for (const { stores } of this.#topology.subTopologies)
      for (const store of stores) if (store.logged) names.add(changelogTopic(this.applicationId, store.name));
    return [...names].filter((name) => this.#cluster.partitionCount(name) !== undefined);
  }

  /** Topics that have received a record from the topology. */
  get producedTopics(): readonly string[] {
    return [...this.#topics].filter(([, records]) => records.all.length > 0).map(([name]) => name);
  }

  /**
   * A store's committed state. Windowed stores have keys with a window: `store<Windowed<string>, number>(name)`.
   * @throws MillraceError MILLRACE_INVALID_TOPOLOGY there is none of that name.
   */
  store<K = unknown, V = unknown>(name: string): TestStore<K, V> {
    this.#refuseIfClosed();
    const global = this.#topology.globalStores.find((store) => store.name === name);
    if (global !== undefined) {
      const { topic } = global;
      return new TestStore<K, V>({ ...global, kind: 'keyValue' }, tableOf(this.#cluster, topic));
    }
    const { spec, subTopology } = this.#findStore(name);
    return new TestStore<K, V>(spec, {
      find: async (key) => {
        for (const [partition, state] of this.#statesOf(subTopology)) {
          const found = await this.#run(state.committed(name, key));
          if (found !== undefined && !isExpired(spec, key, this.#expireBefore(spec, subTopology, partition)))
            return found;
        }
        return undefined;
      },
      scan: async () => {
        const rows: StoredRow[] = [];
        for (const [partition, state] of this.#statesOf(subTopology)) {
          const expireBefore = this.#expireBefore(spec, subTopology, partition);
          for (const row of await this.#run(readAll(state, name)))
            if (!isExpired(spec, row.key, expireBefore)) rows.push(row);
        }
        return rows;
      },
    });
  }

  // --- time --------------------------------------------------------------------------------------------------

  /** The wall clock of the application, milliseconds since the Unix epoch. */
  get wallClockTime(): number {
    return this.#time.now();
  }

  /** Moves the wall clock at once by all of `ms`; resolves when everything that fell due is done and committed. */
  async advanceWallClockTime(ms: number): Promise<void> {
    this.#refuseIfClosed();
    if (!(ms >= 0)) {
      throw new MillraceError({
        code: 'MILLRACE_INVALID_CONFIG',
        message: `The wall clock cannot be advanced by ${ms} ms.`,
        remedy: 'Give milliseconds, 0 or more.',
      });
    }
    await this.#time.advance(ms, async () => {
      for (const instance of this.#instances) if (instance.isRunning) instance.wake();
      await this.settle();
    });
  }

  /** The highest timestamp that any task has processed and committed, milliseconds since the Unix epoch; -1: none. */
  get streamTime(): number {
    let streamTime = -1;
    for (const { metadata } of this.#cluster.committedOffsets(this.applicationId).values())
      streamTime = Math.max(streamTime, decodeOffsetMetadata(metadata)?.streamTime ?? -1);
    return streamTime;
  }

  /** Lets the application process all there is. @throws MillraceError what it failed with, MILLRACE_TEST_STALLED */
  async settle(): Promise<void> {
    this.#refuseIfClosed();
    await this.#runUntil(() => {
      this.#throwIfFailed();
      return this.#isSettled();
    });
    this.#collect();
  }

  /**
   * Lets so many events happen: answers of the cluster, timers, turns of the application's loop. For tests that crash or freeze
   * an instance in the middle of something; how many events a thing takes is not promised from version to version.
   */
  async step(events = 1): Promise<void> {
    this.#refuseIfClosed();
    const until = this.#network.eventCount + events;
    // With every instance down or frozen there may be none to come.
    await this.#network.runUntil(() => this.#network.eventCount >= until || this.#network.pending === 0);
    this.#collect();
  }

  // --- instances ---------------------------------------------------------------------------------------------

  /** How many instances were started, those that are down now included. */
  get instanceCount(): number {
    return this.#instances.length;
  }

  /** The tasks that an instance runs, such as `0_1`. */
  tasksOf(instance: number): readonly string[] {
    return this.#instance(instance).tasks;
  }

  /** Records dropped by rule (null keys, late ones) or by an exception handler, over the running instances. */
  get droppedRecords(): number {
    return this.#instances.reduce((sum, instance) => sum + instance.droppedRecords, 0);
  }

  /**
   * As kill −9 of one instance, or of all: at once, whatever was going on. What an open epoch had done is not kept. Other instances take the
   * tasks over when the group has missed it, which `settle` waits for.
   */
  async crash(instance?: number): Promise<void> {
    this.#refuseIfClosed();
    const crashing = instance === undefined ? this.#instances : [this.#instance(instance)];
    for (const each of crashing) await each.kill();
    this.#collect();
  }

  /** Starts instances that are down, or one of them; one that runs is stopped first. Resolves when all tasks run. */
  async restart(instance?: number): Promise<void> {
    this.#refuseIfClosed();
    const starting =
      instance === undefined
        ? this.#instances.some(({ isUp }) => !isUp)
          ? this.#instances.filter(({ isUp }) => !isUp)
          : this.#instances
        : [this.#instance(instance)];
    await this.#run(Promise.all(starting.map((each) => each.stop())));
    await this.#run(Promise.all(starting.map((each) => each.start())));
    await this.settle();
  }

  /** Starts another instance; resolves with its number when the tasks are spread anew. */
  async addInstance(): Promise<number> {
    this.#refuseIfClosed();
    const instance = this.#addInstance();
    await this.#run(instance.start());
    await this.settle();
    return this.#instances.indexOf(instance);
  }

  /** Stops an instance cleanly, the last one if not told which; resolves when the others run its tasks. */
  async removeInstance(instance = this.#instances.findLastIndex(({ isUp }) => isUp)): Promise<void> {
    this.#refuseIfClosed();
    await this.#run(this.#instance(instance).stop());
    await this.settle();
  }

  /** Lets every instance join the group anew. */
  async rebalance(): Promise<void> {
    this.#refuseIfClosed();
    for (const instance of this.#instances) if (instance.isRunning) instance.rejoin();
    await this.settle();
  }

  /** As a long pause of the process: nothing of it runs, and the group may give its tasks away, until `thaw`. */
  freeze(instance = 0): void {
    this.#instance(instance).freeze();
  }

  async thaw(instance = 0): Promise<void> {
    this.#instance(instance).thaw();
    await this.settle();
  }

  /** Ends everything. What was not read cannot be read any more. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const instance of this.#instances) await instance.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  // --- inside ------------------------------------------------------------------------------------------------

  #createTopics(): void {
    const { partitions } = this.#options;
    for (const name of userTopics(this.#topology)) this.#createTopic(name);
    for (const { topic } of this.#topology.globalStores) this.#createTopic(topic);
    if (typeof partitions === 'object') for (const name of Object.keys(partitions)) this.#createTopic(name);
  }

  #createTopic(name: string): void {
    if (this.#cluster.partitionCount(name) !== undefined) return;
    const { partitions = 1 } = this.#options;
    const count = typeof partitions === 'number' ? partitions : (partitions[name] ?? 1);
    if (!Number.isInteger(count) || count < 1) {
      throw new MillraceError({
        code: 'MILLRACE_INVALID_CONFIG',
        message: `The topic "${name}" cannot have ${count} partitions.`,
        remedy: 'Give a whole number, 1 or more.',
        context: { topic: name, partitions: count },
      });
    }
    this.#cluster.createTopic(name, count);
  }

  #addInstance(): Instance {
    const { processingGuarantee, exceptionHandlers, config, stateBackend, logger } = this.#options;
    const instance = new Instance({
      topology: this.#topology,
      config: resolveRuntimeConfig({
        sessionTimeoutMs: SESSION_TIMEOUT_MS,
        heartbeatIntervalMs: SESSION_TIMEOUT_MS / 3,
        ...config,
        ...(processingGuarantee === undefined ? {} : { processingGuarantee }),
        ...(exceptionHandlers === undefined ? {} : { exceptionHandlers }),
        applicationId: this.applicationId,
        instanceId: `instance-${this.#instances.length}`,
      }),
      cluster: this.#cluster,
      applicationClock: this.#time,
      logger: logger ?? silentLogger,
      openState: stateBackend === undefined || stateBackend === 'memory' ? null : stateBackend,
      onUnknownTopic: (topic) => this.#createTopic(topic),
    });
    this.#instances.push(instance);
    return instance;
  }

  #append(topic: string, record: EncodedInput): void {
    this.#refuseIfClosed();
    const count = this.#cluster.partitionCount(topic)!;
    const partition = record.partition ?? this.#choosePartition(topic, record.key, count);
    if (!Number.isInteger(partition) || partition < 0 || partition >= count)
      throw partitionMissing(topic, partition, count);
    const offset = this.#cluster.append({ topic, partition }, record);
    this.#piped.add(`${formatTopicPartition(topic, partition)}@${offset}`);
  }

  #choosePartition(topic: string, key: BinaryString | null, count: number): number {
    if (key !== null) return partitionForKey(key, count);
    const turn = this.#turns.get(topic) ?? 0;
    this.#turns.set(topic, (turn + 1) % count);
    return turn;
  }

  /** Takes over what was committed since the last time, so that reading needs no waiting. */
  #collect(): void {
    for (const topic of this.#cluster.topics()) {
      let records = this.#topics.get(topic);
      if (records === undefined) {
        records = new TopicRecords();
        this.#topics.set(topic, records);
      }
      const count = this.#cluster.partitionCount(topic)!;
      for (let partition = 0; partition < count; partition++) {
        for (const record of this.#cluster.takeCommitted(topic, partition)) {
          if (this.#piped.delete(`${formatTopicPartition(topic, partition)}@${record.offset}`)) continue;
          records.add(partition, record);
        }
      }
    }
  }

  #isSettled(): boolean {
    let running = 0;
    for (const instance of this.#instances) if (instance.isRunning) running++;
    // Nobody is there to do anything.
    if (running === 0) return true;
    if (!this.#knowsInputs()) return false;
    if (this.#cluster.hasOpenTransaction()) return false;
    if (this.#cluster.unconsumed(this.applicationId, this.#inputs).length > 0) return false;
    let tasks = 0;
    for (const instance of this.#instances) {
      if (!instance.isRunning) continue;
      if (!instance.isSettled || instance.isUncommitted) return false;
      tasks += instance.tasks.length;
    }
    return tasks === this.#taskCount;
  }

  /** Repartition topics exist once the first instance has started. */
  #knowsInputs(): boolean {
    if (this.#inputs.length > 0) return true;
    const inputs: TopicPartition[] = [];
    let tasks = 0;
    for (const { sources } of this.#topology.subTopologies) {
      let highest = 0;
      for (const source of sources) {
        const topic = this.#topicOf(source);
        const count = this.#cluster.partitionCount(topic);
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
    for (const { topic, partition } of this.#cluster.unconsumed(this.applicationId, this.#inputs))
      waiting.push(`records of ${topic}-${partition} are not committed`);
    if (this.#cluster.hasOpenTransaction()) waiting.push('a transaction is open');
    for (const instance of this.#instances) {
      if (!instance.isRunning) continue;
      if (!instance.isSettled) waiting.push(`${instance.id} is ${instance.state}`);
      if (instance.isUncommitted) waiting.push(`${instance.id} has not committed what it processed`);
    }
    return waiting.length > 0 ? waiting : ['not all tasks run'];
  }

  #throwIfFailed(): void {
    for (const { error } of this.#instances) if (error !== null) throw error;
  }

  #refuseIfClosed(): void {
    if (this.#closed) throw driverClosed();
  }

  #instance(index: number): Instance {
    const instance = this.#instances[index];
    if (instance === undefined) throw noSuchInstance(index, this.#instances.length);
    return instance;
  }

  #findStore(name: string): {
    readonly spec: Topology['subTopologies'][number]['stores'][number];
    readonly subTopology: number;
  } {
    const known: string[] = [];
    for (const { id, stores } of this.#topology.subTopologies) {
      for (const spec of stores) {
        if (spec.name === name) return { spec, subTopology: id };
        known.push(spec.name);
      }
    }
    throw storeMissing(name, known);
  }

  /** Open state of a sub-topology's tasks, by partition. */
  #statesOf(subTopology: number): (readonly [partition: number, state: TaskState])[] {
    this.#refuseIfClosed();
    if (!this.#instances.some(({ isRunning }) => isRunning)) throw noRunningInstance('Reading a store');
    const states = new Map<number, TaskState>();
    for (const instance of this.#instances) {
      if (!instance.isRunning) continue;
      for (const [task, state] of instance.states) {
        const id = parseTaskId(task);
        if (id.subTopology === subTopology) states.set(id.partition, state);
      }
    }
    return [...states].sort(([a], [b]) => a - b);
  }

  /** Rows of the store that begin with an earlier time are expired, whether they are dropped yet or not. */
  #expireBefore(store: StoreSpec, subTopology: number, partition: number): number {
    if (store.kind !== 'ordered' || store.expiry === null) return -Infinity;
    const committed = this.#cluster.committedOffsets(this.applicationId);
    const clock = shortHash(store.expiry.clock);
    let now = -Infinity;
    for (const source of this.#topology.subTopologies.find(({ id }) => id === subTopology)!.sources) {
      const metadata =
        committed.get(formatTopicPartition(this.#topicOf(source), partition))?.metadata ?? null;
      now = Math.max(now, decodeOffsetMetadata(metadata)?.clocks.get(clock) ?? -Infinity);
    }
    return now - store.expiry.retentionMs;
  }

  #topicOf({ kind, topic }: SourceSpec): string {
    return kind === 'repartition' ? repartitionTopic(this.applicationId, topic) : topic;
  }

  /** Gives what `promise` gives, moving simulated time as far as it needs. */
  async #run<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const outcome = promise.finally(() => {
      settled = true;
    });
    outcome.catch(() => undefined);
    await this.#runUntil(() => settled);
    return outcome;
  }

  /**
   * Moves simulated time as far as `done` needs: not at all if it can be. @throws MillraceError MILLRACE_TEST_STALLED, or what `done` throws.
   */
  async #runUntil(done: () => boolean): Promise<void> {
    let elapsedMs = 0;
    let stepMs = 0;
    for (let round = 0; ; round++) {
      await this.#network.advance(stepMs);
      elapsedMs += stepMs;
      if (done()) return;
      if (elapsedMs >= SIMULATED_LIMIT_MS) break;
      if (round >= PATIENT_ROUNDS)
        await (this.#usesFiles ? sleep(systemClock, REAL_PAUSE_MS) : yieldToIo(systemClock));
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

  get #usesFiles(): boolean {
    const { stateBackend } = this.#options;
    return stateBackend !== undefined && stateBackend !== 'memory';
  }
}

async function readAll(state: TaskState, store: string): Promise<StoredRow[]> {
  const rows: StoredRow[] = [];
  for await (const row of state.scan(store)) rows.push(row);
  return rows;
}
