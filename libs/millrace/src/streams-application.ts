// Owns a stream application from its options to its end: claims its place in the state folder, opens client and state, runs the
// runtime, and closes in reverse. What a record goes through is libs/runtime's.
//
//   start: slot ─► state backend ─► broker client ─► runtime        end: runtime ─► broker client ─► state backend ─► slot
import { inspect } from 'node:util';
import type { BrokerClient } from '#libs/broker';
import { FatalError, MillraceError, asError, asMillrace, systemClock } from '#libs/core';
import type { Clock, Logger, TaskIdText } from '#libs/core';
import {
  AnyStore,
  QueryableSessionStore,
  QueryableStore,
  QueryableVersionedStore,
  QueryableWindowStore,
  Lifecycle,
  StreamsRuntime,
  noInsight,
  resolveRuntimeConfig,
} from '#libs/runtime';
import type {
  EpochListener,
  InstanceMetadata,
  KeyMetadata,
  LifecycleListener,
  LifecycleState,
  RestoreListener,
  RestoreProgress,
  RuntimeConfig,
  RuntimeFigures,
  RuntimeInsight,
} from '#libs/runtime';
import { createMemoryStateBackend } from '#libs/state';
import type { StateBackend } from '#libs/state';
import { checkPartitions, deadLetterTopics } from '#libs/topology';
import type { DescribedTopology, Topology } from '#libs/topology';
import { connect } from './connect.ts';
import { ApplicationStores } from './application-stores.ts';
import { createConsoleLogger } from './console-logger.ts';
import { MemberNotes, readMember, sayFarewell } from './dead-member.ts';
import { claimInstance, claimSlot } from './instance-slot.ts';
import type { InstanceSlot } from './instance-slot.ts';
import { resolveOptions } from './options.ts';
import type { ResolvedOptions, StreamsApplicationOptions, TopologySource } from './options.ts';
import { planReset, resetApplication } from './reset/index.ts';
import type { OwnResetOptions, ResetOptions, ResetPlan, ResetReport } from './reset/index.ts';
import { shownConfiguration } from './shown-configuration.ts';
import type { ShownValue } from './shown-configuration.ts';

/** How long a start may take before the log says what it waits for. */
const PATIENCE_MS = 5_000;

/** Of a process that ends because its worker failed. */
const EXIT_CODE = 1;

/** What is known of an application at one moment, JSON-safe and without secrets. */
export interface ApplicationSnapshot {
  readonly applicationId: string;
  /** `null` before the application has started. */
  readonly instanceId: string | null;
  readonly state: LifecycleState;
  readonly error: { readonly code: string; readonly message: string } | null;
  /** `null` before the worker exists. */
  readonly figures: RuntimeFigures | null;
}

/** All that is known of an application at one moment: tasks, epochs, flows, failures. JSON-safe and without secrets. */
export interface ApplicationInsight extends ApplicationSnapshot, Omit<RuntimeInsight, 'figures'> {
  /** Since when it is in `state`: wall clock, milliseconds. */
  readonly stateSince: number;
  readonly paused: boolean;
}

export class StreamsApplication {
  readonly applicationId: string;
  private readonly clock: Clock;
  private readonly resolved: ResolvedOptions;
  private readonly logger: Logger;
  private readonly lifecycle = new Lifecycle();
  private readonly restoreListeners = new Set<RestoreListener>();
  private readonly epochListeners = new Set<EpochListener>();
  private stopEpochs: (() => void) | null = null;
  private readonly toClose: { readonly name: string; close(): Promise<void> }[] = [];
  private readonly exitProcess: () => void;
  private readonly ended: Promise<void>;
  private settleEnded!: () => void;
  private topology: Topology | null = null;
  /** What handles of stores ask; also for those who serve queries to others. */
  readonly stores: ApplicationStores = new ApplicationStores({
    topology: () => this.builtTopology(),
    queries: () => this.runtime?.queries ?? null,
    state: () => this.state,
  });
  private runtime: StreamsRuntime | null = null;
  private id: string | null = null;
  private failure: MillraceError | null = null;
  private stopRequested = false;
  private pauseRequested = false;
  private stateSince: number;
  /** While the runtime starts: ends what it waits for. */
  private interruptStart: (() => Promise<void>) | null = null;
  private interrupted = false;

  /** @throws FatalError MILLRACE_INVALID_CONFIG naming every fault of the options. Nothing is opened yet. */
  constructor(options: StreamsApplicationOptions) {
    this.resolved = resolveOptions(options);
    this.clock = options.clock ?? systemClock;
    this.applicationId = options.applicationId;
    this.logger = options.logger ?? createConsoleLogger();
    this.exitProcess = options.exitProcess ?? (() => process.exit(EXIT_CODE));
    this.ended = new Promise((resolve) => {
      this.settleEnded = resolve;
    });
    if (options.onRestore !== undefined) this.restoreListeners.add(options.onRestore);
    this.stateSince = this.clock.now();
    this.lifecycle.onChange((state, previous) => {
      this.stateSince = this.clock.now();
      this.logger.info(`Application "${this.applicationId}" goes from ${previous} to ${state}`);
    });
  }

  get state(): LifecycleState {
    return this.lifecycle.state;
  }

  /** Why the application is in ERROR; `null` otherwise. */
  get error(): MillraceError | null {
    return this.failure;
  }

  /** `null` before the application has started. */
  get instanceId(): string | null {
    return this.id;
  }

  /** Live figures of the worker; `null` before it exists. */
  get figures(): RuntimeFigures | null {
    return this.runtime?.figures ?? null;
  }

  snapshot(): ApplicationSnapshot {
    const { failure } = this;
    return {
      applicationId: this.applicationId,
      instanceId: this.id,
      state: this.state,
      error: failure === null ? null : { code: failure.code, message: failure.message },
      figures: this.figures,
    };
  }

  /** Costs a millisecond or so: for dashboards and metrics, which ask now and then. For more often there is `figures`. */
  insight(): ApplicationInsight {
    const { stateSince, isPaused: paused } = this;
    const insight = this.runtime?.insight() ?? noInsight(this.clock);
    return { ...this.snapshot(), ...insight, stateSince, paused };
  }

  get isPaused(): boolean {
    return this.runtime?.isPaused ?? this.pauseRequested;
  }

  /**
   * Processes nothing from now on, neither records nor timers, and commits what was processed; resolves once that is done. The instance
   * stays in its group and keeps its tasks, and so it does through rebalances; copies it keeps go on following. Before `start` too. Of
   * this instance alone, until `resume` or the end of the process. Kafka Streams: `KafkaStreams.pause`, which halts standby tasks too.
   */
  async pause(): Promise<void> {
    this.pauseRequested = true;
    this.logger.info(`Application "${this.applicationId}" is paused`);
    await this.runtime?.pause();
  }

  /** Ends `pause`. */
  resume(): void {
    this.pauseRequested = false;
    this.logger.info(`Application "${this.applicationId}" goes on`);
    this.runtime?.resume();
  }

  /**
   * Closes a task of this instance and opens it again from what is committed; no other instance hears of it. `dirty`: what is processed
   * and not committed is dropped, with that of the instance's other tasks, instead of committed first. Resolves once it is closed.
   * @throws MillraceError MILLRACE_UNKNOWN_TASK it does not run here, MILLRACE_ILLEGAL_STATE the application does not run.
   */
  async restartTask(taskId: string, options: { readonly dirty?: boolean } = {}): Promise<void> {
    if (this.runtime === null) throw this.notRunning(`restart task ${taskId}`);
    await this.runtime.restartTask(taskId as TaskIdText, options.dirty === true);
  }

  /** What `reset` would change; it may run meanwhile. @throws as `planReset`. */
  planReset(options: OwnResetOptions = {}): Promise<ResetPlan> {
    return planReset(this.resetOptions(options));
  }

  /**
   * Sets the inputs to where `target` says, and deletes the state: changelogs, repartition and retry topics, local folders. This object must not
   * run, nor may any other instance. See docs/operations/cli.md. @throws MillraceError MILLRACE_ILLEGAL_STATE it runs; as `resetApplication`.
   */
  async reset(options: OwnResetOptions = {}): Promise<ResetReport> {
    if (this.state !== 'CREATED' && !this.lifecycle.ended) {
      throw new MillraceError({
        code: 'MILLRACE_ILLEGAL_STATE',
        message: `The application "${this.applicationId}" cannot be reset: it is ${this.state}.`,
        remedy: 'Stop every instance of it first.',
      });
    }
    return resetApplication(this.resetOptions(options));
  }

  /** Printed or written as JSON, an application shows what `snapshot` does, and none of its secrets. */
  toJSON(): ApplicationSnapshot {
    return this.snapshot();
  }

  [inspect.custom](): object {
    const { applicationId, instanceId, state, error } = this.snapshot();
    return { applicationId, instanceId, state, error };
  }

  /** The options with their defaults, as they may be shown to anyone: passwords, tokens, keys and the like are left out. JSON-safe. */
  configuration(): Readonly<Record<string, ShownValue>> {
    const { resolved } = this;
    const instanceId = this.id ?? resolved.instanceId ?? 'instance';
    const shown = shownConfiguration(resolved, resolveRuntimeConfig({ ...resolved.runtime, instanceId }));
    return { ...shown, instanceId: this.id ?? resolved.instanceId };
  }

  /**
   * A handle to read a store by, as committed: a table, a key-value store, a global table. It can be had at any time, and stays good through
   * rebalances; each of its calls says where the store cannot be read now. It reads what is on this instance. See docs/guide/queries.md.
   */
  store<K = unknown, V = unknown>(name: string): QueryableStore<K, V> {
    return new QueryableStore<K, V>(this.stores, name);
  }

  /** As `store`, of an aggregation in windows, or a window store of a processor. */
  windowStore<K = unknown, V = unknown>(name: string): QueryableWindowStore<K, V> {
    return new QueryableWindowStore<K, V>(this.stores, name);
  }

  /** As `store`, of sessions. */
  sessionStore<K = unknown, V = unknown>(name: string): QueryableSessionStore<K, V> {
    return new QueryableSessionStore<K, V>(this.stores, name);
  }

  /** As `store`, of a versioned table or store. */
  versionedStore<K = unknown, V = unknown>(name: string): QueryableVersionedStore<K, V> {
    return new QueryableVersionedStore<K, V>(this.stores, name);
  }

  /** Instances that have partitions of a store, as far as this one knows: those with an `applicationServer`, and itself. @throws StoreQueryError */
  metadataForStore(name: string): readonly InstanceMetadata[] {
    return this.stores.metadataForStore(name);
  }

  /** Which instance has a key of a store. @throws StoreQueryError */
  metadataForKey<K>(name: string, key: K): Promise<KeyMetadata> {
    return new AnyStore<K>(this.stores, name).metadataForKey(key);
  }

  /** The topology in the layout of Kafka Streams' `TopologyDescription`. @throws MillraceError MILLRACE_INVALID_TOPOLOGY */
  describe(): string {
    return this.builtTopology().describe();
  }

  /** The same as a Mermaid flowchart. */
  describeAsMermaid(): string {
    return this.builtTopology().describeAsMermaid();
  }

  /** The same as data; repartition topics carry their names in Kafka. */
  describeAsGraph(): DescribedTopology {
    const { subTopologies, globalStores } = this.builtTopology().describeAsGraph();
    const named = (topic: string): string => `${this.applicationId}-${topic}`;
    return {
      globalStores,
      subTopologies: subTopologies.map((sub) => ({
        ...sub,
        nodes: sub.nodes.map((node) =>
          node.internal
            ? {
                ...node,
                topics: node.topics.map(named),
                topic: node.topic === null ? null : named(node.topic),
              }
            : node,
        ),
      })),
    };
  }

  /** Called after each transition. Returns how to stop it. */
  onStateChange(listener: LifecycleListener): () => void {
    return this.lifecycle.onChange(listener);
  }

  /**
   * Called as each epoch ends, with those of its records whose producers' traces are sampled (W3C `traceparent` in the headers; 32 per epoch).
   * Called in the worker's loop: be short. While somebody listens, the headers of records are looked at. Returns how to stop it.
   */
  onEpoch(listener: EpochListener): () => void {
    this.epochListeners.add(listener);
    this.stopEpochs ??= this.runtime?.onEpoch(this.tellEpoch) ?? null;
    return () => {
      this.epochListeners.delete(listener);
      if (this.epochListeners.size > 0) return;
      this.stopEpochs?.();
      this.stopEpochs = null;
    };
  }

  private readonly tellEpoch: EpochListener = (epoch, traced) => {
    for (const listener of this.epochListeners) {
      try {
        listener(epoch, traced);
      } catch (error) {
        this.logger.error('A listener of epochs threw', { error: asError(error).message });
      }
    }
  };

  /** Called as stores are restored. Returns how to stop it. */
  onRestore(listener: RestoreListener): () => void {
    this.restoreListeners.add(listener);
    return () => this.restoreListeners.delete(listener);
  }

  /**
   * Checks topology and topics, creates internal topics, joins the group. Resolves once joining has begun: wait for the state
   * RUNNING to know that all tasks process.
   * @throws MillraceError what stands in the way; the application is then in ERROR and everything is closed.
   */
  async start(): Promise<void> {
    if (this.state !== 'CREATED') {
      throw new FatalError({
        code: 'MILLRACE_ILLEGAL_STATE',
        message: `The application "${this.applicationId}" cannot start: it is ${this.state}.`,
        remedy: 'Start each application object once; make a new one to start again.',
      });
    }
    this.lifecycle.to('REBALANCING');
    try {
      const runtime = await this.open();
      // The runtime's lifecycle is ours but for its end, which is only ours once everything is closed.
      runtime.lifecycle.onChange((state) => {
        if (state === 'NOT_RUNNING' || state === 'ERROR' || this.interrupted) return;
        if (this.lifecycle.canGoTo(state)) this.lifecycle.to(state);
      });
      this.runtime = runtime;
      if (this.pauseRequested) await runtime.pause();
      if (this.epochListeners.size > 0) this.stopEpochs = runtime.onEpoch(this.tellEpoch);
      if (this.stopRequested) {
        await this.end(null);
        return;
      }
      const patience = this.clock.schedule(PATIENCE_MS, () => this.reportWaiting(), true);
      await runtime.start().finally(() => patience.cancel());
      this.interruptStart = null;
      void runtime.whenEnded().then(
        () => this.end(null),
        (error: unknown) => this.end(error),
      );
    } catch (error) {
      // What was cut short by a stop has not failed.
      await this.end(this.interrupted ? null : error);
      if (this.failure !== null) throw this.failure;
    }
  }

  /** Drains: commits what is processed, hands the tasks back, leaves the group, closes everything. Never rejects: see `error`. */
  async stop(): Promise<void> {
    if (this.state === 'CREATED') {
      await this.end(null);
      return;
    }
    this.stopRequested = true;
    if (this.lifecycle.canGoTo('PENDING_SHUTDOWN')) this.lifecycle.to('PENDING_SHUTDOWN');
    // A start that waits for a broker would wait out its deadline.
    if (this.interruptStart !== null) {
      const interrupt = this.interruptStart;
      this.interruptStart = null;
      this.interrupted = true;
      // Told first, so that the runtime takes what breaks off for its own end.
      this.runtime?.stop().catch(() => undefined);
      await interrupt();
    }
    if (this.runtime !== null) await this.runtime.stop();
    await this.ended;
  }

  /** Resolves when the application has ended, by itself or by `stop`. @throws MillraceError what ended it in ERROR. */
  async whenEnded(): Promise<void> {
    await this.ended;
    if (this.failure !== null) throw this.failure;
  }

  /** Resolves in the state RUNNING: all assigned tasks process. @throws MillraceError when the application ends before. */
  async whenRunning(): Promise<void> {
    if (this.state === 'RUNNING') return;
    await new Promise<void>((resolve) => {
      const forget = this.lifecycle.onChange((state) => {
        if (state !== 'RUNNING' && !this.lifecycle.ended) return;
        forget();
        resolve();
      });
      if (this.lifecycle.ended) resolve();
    });
    if (this.failure !== null) throw this.failure;
    if (!this.lifecycle.ended) return;
    throw new FatalError({
      code: 'MILLRACE_ILLEGAL_STATE',
      message: `The application "${this.applicationId}" was stopped before it was running.`,
    });
  }

  /** Stops cleanly when the process is asked to end. Returns how to leave the signals alone again. */
  stopOnSignals(signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM']): () => void {
    const onSignal = (signal: NodeJS.Signals): void => {
      forget();
      this.logger.info(`Stopping on ${signal}`);
      this.stop().catch((error: unknown) => this.logger.error(`Stopping failed: ${asError(error).message}`));
    };
    const forget = (): void => {
      for (const signal of signals) process.removeListener(signal, onSignal);
    };
    for (const signal of signals) process.on(signal, onSignal);
    this.ended.then(forget, forget);
    return forget;
  }

  private async open(): Promise<StreamsRuntime> {
    const { resolved, logger } = this;
    const { clock } = this;
    const topology = this.builtTopology();
    const slot = await this.claim();
    this.id = resolved.instanceId ?? slot?.instanceId ?? null;
    if (slot !== null) this.closeLater('state folder', () => slot.release());
    const backend = await this.openBackend(slot);
    this.closeLater('state', () => backend.close());
    const client = connect(resolved.kafka, this.applicationId, { clock, logger });
    this.closeLater('client', () => client.close());
    this.interruptStart = () => client.close();
    const config = resolveRuntimeConfig({ ...resolved.runtime, instanceId: this.id! });
    return new StreamsRuntime({
      topology,
      config,
      client,
      backend,
      checkPartitions: (plan, counts) => checkPartitions(plan, counts).repartitionCounts,
      clock,
      logger,
      onRestore: (event, progress) => this.reportRestore(event, progress),
      ...(await this.rememberMember(slot, client, config)),
    });
  }

  /** Static members come back under their name, and whoever has no folder knows nothing of the one before. */
  private async rememberMember(
    slot: InstanceSlot | null,
    { admin }: BrokerClient,
    { groupInstanceId, groupProtocol: type, applicationId: groupId }: RuntimeConfig,
  ): Promise<{ readonly onMember?: (memberId: string) => void }> {
    if (slot === null || groupInstanceId !== null) return {};
    const { clock, logger } = this;
    const dead = await readMember(slot.directory);
    if (dead !== null) await sayFarewell({ admin, clock, logger }, dead);
    const notes = new MemberNotes(slot.directory, logger);
    this.closeLater('note of the member', () => notes.close());
    return { onMember: (memberId) => notes.note({ groupId, type, memberId }) };
  }

  /** The place this process has in the state folder; `null` when it needs none. */
  private async claim(): Promise<InstanceSlot | null> {
    const { stateDir, state, instanceId } = this.resolved;
    if (state === 'memory' && instanceId !== null) return null;
    // Loaded here: who keeps no state on disk and names its instances does not need the binding.
    const { tryLockDirectory } = await import('#libs/state-rocksdb');
    return instanceId === null
      ? claimSlot(stateDir, this.applicationId, tryLockDirectory)
      : claimInstance(stateDir, this.applicationId, instanceId, tryLockDirectory);
  }

  private async openBackend(slot: InstanceSlot | null): Promise<StateBackend> {
    const { clock } = this;
    if (this.resolved.state === 'memory') return createMemoryStateBackend({ clock, logger: this.logger });
    const { createRocksStateBackend } = await import('#libs/state-rocksdb');
    return createRocksStateBackend({ stateDir: slot!.directory, clock, logger: this.logger });
  }

  private resetOptions(options: OwnResetOptions): ResetOptions {
    const { applicationId, clock, logger } = this;
    const { kafka, stateDir } = this.resolved;
    const deadLetters = [...deadLetterTopics(this.builtTopology())];
    return { ...options, kafka, applicationId, stateDir, deadLetterTopics: deadLetters, clock, logger };
  }

  private notRunning(what: string): MillraceError {
    return new MillraceError({
      code: 'MILLRACE_ILLEGAL_STATE',
      message: `The application "${this.applicationId}" cannot ${what}: it is ${this.state}.`,
      remedy: 'Start the application first.',
    });
  }

  private builtTopology(): Topology {
    if (this.topology === null) {
      const { topology } = this.resolved;
      const source: TopologySource = typeof topology === 'function' ? topology() : topology;
      this.topology = 'build' in source ? source.build() : source;
    }
    return this.topology;
  }

  private reportRestore(event: Parameters<RestoreListener>[0], progress: RestoreProgress): void {
    for (const listener of this.restoreListeners) listener(event, progress);
  }

  private reportWaiting(): void {
    const { kafka } = this.resolved;
    const brokers = 'brokers' in kafka ? kafka.brokers : ['simulated'];
    this.logger.warn('The brokers have not answered what the start needs; still trying', {
      brokers: typeof brokers === 'function' ? 'found by a function' : brokers,
    });
  }

  private closeLater(name: string, close: () => Promise<void>): void {
    this.toClose.unshift({ name, close });
  }

  /** Closes everything, then walks the lifecycle to its end. Called once the runtime has ended, or never began. */
  private async end(error: unknown): Promise<void> {
    if (this.lifecycle.ended) return;
    const failed = error !== null;
    if (failed) this.failure = asMillrace(error, 'The application');
    const pending = failed ? 'PENDING_ERROR' : 'PENDING_SHUTDOWN';
    if (this.lifecycle.canGoTo(pending)) this.lifecycle.to(pending);
    for (const part of this.toClose.splice(0)) {
      try {
        await part.close();
      } catch (closing) {
        this.logger.warn(`Closing the ${part.name} failed`, { error: asError(closing).message });
      }
    }
    this.lifecycle.to(failed ? 'ERROR' : 'NOT_RUNNING');
    this.settleEnded();
    if (failed && this.runtime?.stopsProcess === true) this.exitProcess();
  }
}
