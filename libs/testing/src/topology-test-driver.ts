// Owns what a test sees of a topology under test: topics, stores, time, instances. What happens is the simulated application's, and
// there libs/runtime's: no record is processed by other code than in production.
//
// 1. Nothing happens by itself: time passes while a call of the driver is awaited, and only as far as that call needs.
// 2. When `pipe` or `settle` resolves, every record is processed, committed and readable; no transaction is open.
// 3. The same calls give the same results, offsets and order, always.
import { MillraceError, silentLogger } from '#libs/core';
import type { Logger } from '#libs/core';
import {
  changelogTopic,
  decodeOffsetMetadata,
  repartitionTopic,
  resolveRuntimeConfig,
  sourceTopic,
} from '#libs/runtime';
import type { ExceptionHandlers, ProcessingGuarantee, RuntimeOptions } from '#libs/runtime';
import type { Serde } from '#libs/serde';
import type { StreamsBuilder, Topology } from '#libs/topology';
import { checkDriverOptions, checkedTopology } from './checks.ts';
import { DriverStores } from './driver-stores.ts';
import { DriverTopics } from './driver-topics.ts';
import type { PartitionCounts } from './driver-topics.ts';
import type { Instance, StateBackendFactory } from './instance.ts';
import { SimulatedApplication } from './simulated-application.ts';
import type { TestStore } from './test-store.ts';
import { TestInputTopic, TestOutputTopic } from './test-topics.ts';
import type { InputTopicOptions } from './test-topics.ts';

export interface TopologyTestDriverOptions {
  /** Consumer group, and prefix of internal topics. Default `test`. */
  readonly applicationId?: string;
  /** Partitions of every topic, or by topic; a topic not named has one. Topics named here exist even if the topology does not name them. */
  readonly partitions?: PartitionCounts;
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

export class TopologyTestDriver {
  readonly applicationId: string;
  readonly #topology: Topology;
  readonly #options: TopologyTestDriverOptions;
  readonly #application: SimulatedApplication;
  readonly #topics: DriverTopics;
  readonly #stores: DriverStores;

  private constructor(topology: Topology, options: TopologyTestDriverOptions) {
    this.applicationId = options.applicationId ?? 'test';
    this.#topology = topology;
    this.#options = options;
    this.#application = new SimulatedApplication({
      topology,
      applicationId: this.applicationId,
      startMs: options.startTimeMs ?? Date.UTC(2024, 0, 1),
      usesFiles: openStateOf(options) !== null,
      onSettled: () => this.#topics.collect(),
    });
    this.#topics = new DriverTopics(this.#application.cluster, options.partitions ?? 1);
    this.#stores = new DriverStores(this.#application);
  }

  /**
   * Creates the topics, starts the instances, and resolves when all tasks run.
   * @throws MillraceError what is wrong with the topology, the partitions or the options.
   */
  static async start(
    topology: Topology | StreamsBuilder,
    options: TopologyTestDriverOptions = {},
  ): Promise<TopologyTestDriver> {
    checkDriverOptions(options);
    const built = checkedTopology(topology);
    const driver = new TopologyTestDriver(built, options);
    driver.#topics.createAll(built);
    const instances = Array.from({ length: options.instances ?? 1 }, () => driver.#add());
    try {
      await driver.#application.start(instances);
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
    this.#application.refuseIfClosed();
    this.#topics.check(name);
    return new TestInputTopic(name, keySerde, valueSerde, options, {
      now: () => this.wallClockTime,
      append: (topic, record) => {
        this.#application.refuseIfClosed();
        this.#topics.append(topic, record);
      },
      settle: () => this.settle(),
    });
  }

  /**
   * A topic to read from: what was piped into it is not read, what the topology wrote is. Internal topics can be read too. All objects for
   * one topic read on from the same place. @throws MillraceError MILLRACE_TOPIC_MISSING when it is first read and no record chose it.
   */
  outputTopic<K, V>(name: string, keySerde: Serde<K>, valueSerde: Serde<V>): TestOutputTopic<K, V> {
    this.#application.refuseIfClosed();
    return new TestOutputTopic(name, keySerde, valueSerde, {
      records: (topic) => {
        this.#application.refuseIfClosed();
        return this.#topics.received(topic);
      },
    });
  }

  /** Changelogs, repartition and retry topics, by their full names. */
  get internalTopics(): readonly string[] {
    const names = new Set<string>();
    for (const { name } of this.#topology.repartitions) names.add(repartitionTopic(this.applicationId, name));
    for (const { stores } of this.#topology.subTopologies)
      for (const store of stores) if (store.logged) names.add(changelogTopic(this.applicationId, store.name));
    for (const { sources } of this.#topology.subTopologies)
      for (const source of sources)
        if (source.kind === 'retry') names.add(sourceTopic(this.applicationId, source));
    return [...names].filter((name) => this.#application.cluster.partitionCount(name) !== undefined);
  }

  /** Topics that have received a record from the topology. */
  get producedTopics(): readonly string[] {
    return this.#topics.produced;
  }

  /**
   * A store's committed state. Windowed stores have keys with a window: `store<Windowed<string>, number>(name)`.
   * @throws MillraceError MILLRACE_INVALID_TOPOLOGY there is none of that name.
   */
  store<K = unknown, V = unknown>(name: string): TestStore<K, V> {
    this.#application.refuseIfClosed();
    return this.#stores.store<K, V>(name);
  }

  // --- time --------------------------------------------------------------------------------------------------

  /** The wall clock of the application, milliseconds since the Unix epoch. */
  get wallClockTime(): number {
    return this.#application.time.now();
  }

  /** Moves the wall clock at once by all of `ms`; resolves when everything that fell due is done and committed. */
  async advanceWallClockTime(ms: number): Promise<void> {
    this.#application.refuseIfClosed();
    if (!(ms >= 0)) {
      throw new MillraceError({
        code: 'MILLRACE_INVALID_CONFIG',
        message: `The wall clock cannot be advanced by ${ms} ms.`,
        remedy: 'Give milliseconds, 0 or more.',
      });
    }
    await this.#application.advance(ms);
  }

  /** The highest timestamp that any task has processed and committed, milliseconds since the Unix epoch; -1: none. */
  get streamTime(): number {
    const committed = this.#application.cluster.committedOffsets(this.applicationId);
    let streamTime = -1;
    for (const { metadata } of committed.values())
      streamTime = Math.max(streamTime, decodeOffsetMetadata(metadata)?.streamTime ?? -1);
    return streamTime;
  }

  /** Lets the application process all there is. @throws MillraceError what it failed with, MILLRACE_TEST_STALLED */
  async settle(): Promise<void> {
    await this.#application.settle();
  }

  /**
   * Lets so many events happen: answers of the cluster, timers, turns of the application's loop. For tests that crash or freeze
   * an instance in the middle of something; how many events a thing takes is not promised from version to version.
   */
  async step(events = 1): Promise<void> {
    this.#application.refuseIfClosed();
    await this.#application.step(events);
  }

  // --- instances ---------------------------------------------------------------------------------------------

  /** How many instances were started, those that are down now included. */
  get instanceCount(): number {
    return this.#application.instances.length;
  }

  /** The tasks that an instance runs, such as `0_1`. */
  tasksOf(instance: number): readonly string[] {
    return this.#application.instance(instance).tasks;
  }

  /** Records dropped by rule (null keys, late ones) or by an exception handler, over the running instances. */
  get droppedRecords(): number {
    return this.#application.instances.reduce((sum, instance) => sum + instance.droppedRecords, 0);
  }

  /**
   * As kill −9 of one instance, or of all: at once, whatever was going on. What an open epoch had done is not kept. Other instances take the
   * tasks over when the group has missed it, which `settle` waits for.
   */
  async crash(instance?: number): Promise<void> {
    this.#application.refuseIfClosed();
    await this.#application.kill(this.#chosen(instance));
  }

  /** Starts instances that are down, or one of them; one that runs is stopped first. Resolves when all tasks run. */
  async restart(instance?: number): Promise<void> {
    this.#application.refuseIfClosed();
    const chosen = this.#chosen(instance);
    const down = chosen.filter(({ isUp }) => !isUp);
    const starting = down.length > 0 ? down : chosen;
    await this.#application.stop(starting);
    await this.#application.start(starting);
  }

  /** Starts another instance; resolves with its number when the tasks are spread anew. */
  async addInstance(): Promise<number> {
    this.#application.refuseIfClosed();
    await this.#application.start([this.#add()]);
    return this.instanceCount - 1;
  }

  /** Stops an instance cleanly, the last one if not told which; resolves when the others run its tasks. */
  async removeInstance(instance?: number): Promise<void> {
    this.#application.refuseIfClosed();
    const { instances } = this.#application;
    const index = instance ?? instances.findLastIndex(({ isUp }) => isUp);
    await this.#application.stop([this.#application.instance(index)]);
    await this.settle();
  }

  /** Lets every instance join the group anew. */
  async rebalance(): Promise<void> {
    this.#application.refuseIfClosed();
    for (const instance of this.#application.instances) if (instance.isRunning) instance.rejoin();
    await this.settle();
  }

  /** As a long pause of the process: nothing of it runs, and the group may give its tasks away, until `thaw`. */
  freeze(instance = 0): void {
    this.#application.instance(instance).freeze();
  }

  async thaw(instance = 0): Promise<void> {
    this.#application.instance(instance).thaw();
    await this.settle();
  }

  /** Ends everything. What was not read cannot be read any more. */
  async close(): Promise<void> {
    await this.#application.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The one that is meant, or all. */
  #chosen(instance: number | undefined): readonly Instance[] {
    return instance === undefined ? this.#application.instances : [this.#application.instance(instance)];
  }

  #add(): Instance {
    const { processingGuarantee, exceptionHandlers, config, logger } = this.#options;
    return this.#application.add({
      config: resolveRuntimeConfig({
        sessionTimeoutMs: SESSION_TIMEOUT_MS,
        heartbeatIntervalMs: SESSION_TIMEOUT_MS / 3,
        ...config,
        ...(processingGuarantee === undefined ? {} : { processingGuarantee }),
        ...(exceptionHandlers === undefined ? {} : { exceptionHandlers }),
        applicationId: this.applicationId,
        instanceId: `instance-${this.instanceCount}`,
      }),
      logger: logger ?? silentLogger,
      openState: openStateOf(this.#options),
      onUnknownTopic: (topic) => this.#topics.create(topic),
    });
  }
}

/** `null`: in memory. */
function openStateOf({ stateBackend = 'memory' }: TopologyTestDriverOptions): StateBackendFactory | null {
  return stateBackend === 'memory' ? null : stateBackend;
}
