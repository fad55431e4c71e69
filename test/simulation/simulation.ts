// Owns one seed from beginning to end: input arrives while faults strike, then all heals, then everything must be there. What holds at
// every moment is looked at between any two events.
import type { ApiName } from '#libs/broker';
import { createMemoryCluster, VirtualClock } from '#libs/broker-memory';
import type { ClusterEvent, MemoryCluster } from '#libs/broker-memory';
import { silentLogger } from '#libs/core';
import type { Logger } from '#libs/core';
import { OutputCheck } from './checks/output-check.ts';
import { OwnershipCheck } from './checks/ownership-check.ts';
import { StoreCheck } from './checks/store-check.ts';
import { InputPlan } from './input-plan.ts';
import { Instance } from './instance.ts';
import { scenarioOf } from './scenario.ts';
import type { Scenario } from './scenario.ts';
import { Strikes } from './strikes.ts';
import { Violation } from './violation.ts';

/** By kind: what was planned and what happened to legs of calls. */
export type FaultCounts = Record<string, number>;

export interface Outcome {
  readonly seed: number;
  /** What was broken; `null`: nothing. */
  readonly violation: string | null;
  /** Over all events: the same each time the seed runs. */
  readonly eventHash: string;
  readonly events: number;
  readonly virtualMs: number;
  /** Virtual milliseconds from the end of all faults until all output was there. */
  readonly healingMs: number;
  readonly faults: FaultCounts;
}

export interface SimulationOptions {
  /** Told of each event and of each fault that strikes. */
  readonly onLine?: (line: string) => void;
  readonly logger?: Logger;
}

/** For what heals by itself: sessions, rebalances, transactions. */
const HEALING_MS = 15_000;
/** A JoinGroup whose answer is lost without its connection is given up so long after the rebalance time-out, as in Kafka's clients. */
const JOIN_GRACE_MS = 5_000;
const STOP_MS = 60_000;
/** Events from one look at all disks to the next: what is wrong on one stays so for longer. */
const STORES_EVERY = 4;
const NAMES = ['one', 'two', 'three', 'four'];
const LEG_FAULTS: Readonly<Record<string, string>> = {
  'lost-request': 'leg-request-lost',
  'lost-answer': 'leg-answer-lost',
  delayed: 'leg-delayed',
  duplicate: 'leg-duplicated',
};
/** A late copy of these fences its own sender, or brings what nobody hears; below version 2 it steers the next transaction. */
const NEVER_TWICE: readonly ApiName[] = ['InitProducerId', 'JoinGroup', 'StreamsGroupHeartbeat'];
const NEVER_TWICE_BELOW_VERSION_2: readonly ApiName[] = [
  ...NEVER_TWICE,
  'EndTxn',
  'AddPartitionsToTxn',
  'AddOffsetsToTxn',
  'TxnOffsetCommit',
];
const OPEN_PHASES: ReadonlySet<string> = new Set(['Ongoing', 'PrepareCommit', 'PrepareAbort']);

export async function simulate(seed: number, options: SimulationOptions = {}): Promise<Outcome> {
  const simulation = new Simulation(scenarioOf(seed), options);
  return simulation.run();
}

class Simulation {
  readonly #scenario: Scenario;
  readonly #options: SimulationOptions;
  readonly #clock: VirtualClock;
  readonly #cluster: MemoryCluster;
  readonly #instances: Instance[] = [];
  readonly #input: InputPlan;
  readonly #strikes: Strikes;
  readonly #output: OutputCheck;
  readonly #ownership: OwnershipCheck;
  readonly #stores: StoreCheck;
  readonly #faults: FaultCounts = {};
  readonly #openTransactions = new Set<string>();
  #violation: string | null = null;
  #healingMs = 0;
  #looks = 0;
  /** Something was decided since the last look. */
  #dirty = false;

  constructor(scenario: Scenario, options: SimulationOptions) {
    const { seed, topology, partitions, brokers, transactionVersion, lossRate, delayMsMax } = scenario;
    this.#scenario = scenario;
    this.#options = options;
    this.#clock = new VirtualClock({ seed, waitsForIo: false });
    this.#cluster = createMemoryCluster({
      clock: this.#clock,
      seed,
      transactionVersion,
      brokers,
      latencyMs: (_leg, _api, draw) => draw() * 2,
      markerDelayMs: (draw) => draw() * scenario.markerDelayMsMax,
      coordinatorLoadMs: 50,
      streamsGroups: {
        sessionTimeoutMs: scenario.sessionTimeoutMs,
        heartbeatIntervalMs: scenario.heartbeatIntervalMs,
        numStandbys: scenario.numStandbys,
      },
      faultPlan: {
        dropRequest: lossRate,
        dropAnswer: lossRate,
        duplicateRequest: lossRate,
        neverTwice: transactionVersion === 2 ? NEVER_TWICE : NEVER_TWICE_BELOW_VERSION_2,
        delayRequest: 2 * lossRate,
        delayAnswer: 2 * lossRate,
        delayMs: [1, delayMsMax],
      },
      onEvent: (event) => this.#onEvent(event),
    });
    // Records are as old as they say: nothing of theirs is to expire.
    const forever = { 'retention.ms': '-1' };
    for (const topic of topology.inputs) this.#cluster.topics.create(topic, partitions, forever);
    this.#cluster.topics.create('out', partitions, forever);
    this.#input = new InputPlan(scenario);
    this.#output = new OutputCheck(this.#cluster, topology, this.#input.records, partitions);
    this.#ownership = new OwnershipCheck(this.#cluster, scenario.groupProtocol === 'streams');
    this.#stores = new StoreCheck(this.#cluster);
    this.#input.schedule(this.#cluster, this.#clock);
    for (let i = 0; i < scenario.instances; i++) this.#addInstance();
    this.#strikes = new Strikes({
      cluster: this.#cluster,
      clock: this.#clock,
      instances: this.#instances,
      scenario,
      count: (kind) => this.#count(kind),
      note: (what) => this.#line('fault', what),
      addInstance: () => this.#addInstance(),
      beforeCleaning: () => this.#stores.readAll(),
    });
  }

  #addInstance(): Instance {
    const name = NAMES[this.#instances.length]!;
    const logger = this.#options.logger ?? silentLogger;
    const instance = new Instance(name, this.#cluster, this.#scenario, prefixed(logger, name));
    this.#instances.push(instance);
    return instance;
  }

  async run(): Promise<Outcome> {
    try {
      await this.#phases();
    } catch (error) {
      this.#violation ??= (error as Error).message;
    }
    return {
      seed: this.#scenario.seed,
      violation: this.#violation,
      eventHash: this.#cluster.eventHash,
      events: this.#cluster.eventCount,
      virtualMs: this.#clock.monotonic(),
      healingMs: this.#healingMs,
      faults: this.#faults,
    };
  }

  async #phases(): Promise<void> {
    const { transactionTimeoutMs, rebalanceTimeoutMs, sessionTimeoutMs, spanMs } = this.#scenario;
    // No transaction's time-out is waited for: a successor settles what a departed member left open.
    const patienceMs = HEALING_MS + 3 * sessionTimeoutMs + rebalanceTimeoutMs + JOIN_GRACE_MS;
    await this.#until(
      () => this.#input.isComplete && this.#strikes.isOver,
      spanMs + 2 * patienceMs + transactionTimeoutMs,
      'The span',
    );
    this.#heal();
    const healedAt = this.#clock.monotonic();
    await this.#until(() => this.#output.isComplete, patienceMs, 'All output');
    this.#healingMs = this.#clock.monotonic() - healedAt;
    await this.#until(
      () => !this.#isHanging(),
      transactionTimeoutMs + HEALING_MS,
      'The end of all transactions',
    );
    this.#output.compareOffsetsWithOutput();
    // Who was paused until now believes what it was told before: it has to hear from its group first.
    const heardAt = healedAt + sessionTimeoutMs;
    await this.#until(
      () => this.#clock.monotonic() >= heardAt && this.#allTasksRun(),
      sessionTimeoutMs + patienceMs,
      'Every task at work',
    );
    for (const instance of this.#instances) instance.stop();
    await this.#until(() => this.#instances.every(({ isRunning }) => !isRunning), STOP_MS, 'A clean stop');
    await this.#until(
      () => !this.#isHanging(),
      transactionTimeoutMs + HEALING_MS,
      'The end of all transactions',
    );
    this.#judgeStores();
  }

  /** Nothing fails any more, and everybody is there. */
  #heal(): void {
    this.#line('healed', '');
    this.#cluster.setFaultPlan(undefined);
    this.#strikes.disarm();
    for (const instance of this.#instances) {
      instance.process.resume();
      instance.start();
    }
  }

  #judgeStores(): void {
    this.#stores.look(this.#instances);
    this.#stores.requireComplete(this.#instances);
    for (const store of this.#stores.stores) {
      const expected = this.#output.model.finalValues(store);
      if (expected === undefined) continue;
      const found = this.#stores.finalValues(store).sort();
      const wanted = [...expected].sort();
      const at = wanted.findIndex((value, i) => !found[i]?.includes(value));
      if (at < 0 && found.length === wanted.length) continue;
      throw new Violation(
        `Store "${store}" holds ${found.length} values in the end, the model ${wanted.length}; the first that differs is ${found[at] ?? 'missing'}, not ${wanted[at] ?? 'nothing'}.`,
      );
    }
  }

  #allTasksRun(): boolean {
    const { partitions, topology } = this.#scenario;
    let running = 0;
    for (const instance of this.#instances) {
      if (instance.isGone) continue;
      if (!instance.isSettled) return false;
      running += instance.runningTasks.length;
    }
    return running === partitions * topology.subTopologies;
  }

  #isHanging(): boolean {
    const { inspect } = this.#cluster;
    if (this.#openTransactions.size > 0) return true;
    for (const topic of inspect.topicNames()) {
      for (let partition = 0; partition < inspect.partitionCount(topic); partition++) {
        const { lastStableOffset, highWatermark } = inspect.ends(topic, partition);
        if (lastStableOffset < highWatermark) return true;
      }
    }
    return false;
  }

  // --- every step ----------------------------------------------------------------------------------------------

  /** @throws Violation also when `condition` does not hold in time */
  async #until(condition: () => boolean, limitMs: number, what: string): Promise<void> {
    const found = await this.#clock.runUntilWithin(() => {
      this.#look();
      return this.#violation !== null || condition();
    }, limitMs);
    if (this.#violation !== null) throw new Violation(this.#violation);
    if (!found) throw new Violation(`${what}: not there after ${limitMs} ms without faults.${this.#state()}`);
  }

  #look(): void {
    if (this.#violation !== null) return;
    try {
      if (this.#dirty) {
        this.#dirty = false;
        this.#output.look();
        this.#output.lookAtOffsets();
        if (this.#openTransactions.size === 0) this.#output.compareOffsetsWithOutput();
      }
      if (++this.#looks % STORES_EVERY === 0) this.#stores.look(this.#instances);
      for (const instance of this.#instances) {
        if (instance.failure !== null) this.#onFailure(instance, instance.failure);
      }
    } catch (error) {
      this.#violate(error);
    }
  }

  /** Whoever looks after the processes starts one again that said why it ended, where that is the named outcome. */
  #onFailure(instance: Instance, failure: Error): void {
    const code = String((failure as { code?: string }).code);
    // The group's new coordinator may not have heard of a static member's restart, and then takes it for a second process (KIP-345).
    const isNamed = code === 'MILLRACE_INSTANCE_FENCED' && this.#scenario.isStatic;
    if (!isNamed)
      throw new Violation(`Instance "${instance.name}" stopped with an error: ${explain(failure)}`);
    this.#line('restarted', `${instance.name} after ${code}`);
    instance.start();
  }

  #onEvent(event: ClusterEvent): void {
    const { kind, subject, detail } = event;
    this.#options.onLine?.(`${event.at.toFixed(3).padStart(10)} ${kind} ${subject} ${detail}`);
    const fault = LEG_FAULTS[kind];
    if (fault !== undefined) this.#count(fault);
    if (kind === 'marker') this.#dirty = true;
    if (kind === 'transaction') {
      this.#dirty = true;
      if (OPEN_PHASES.has(String(detail))) this.#openTransactions.add(subject);
      else this.#openTransactions.delete(subject);
    }
    this.#strikes?.onEvent(event);
    if (this.#violation !== null) return;
    try {
      this.#ownership.onEvent(event);
    } catch (error) {
      this.#violate(error);
    }
  }

  #violate(error: unknown): void {
    this.#violation ??= (error as Error).message;
    this.#line('VIOLATION', this.#violation);
  }

  #count(kind: string): void {
    this.#faults[kind] = (this.#faults[kind] ?? 0) + 1;
  }

  #line(kind: string, what: string): void {
    this.#options.onLine?.(`${this.#clock.monotonic().toFixed(3).padStart(10)} ${kind} ${what}`);
  }

  /** For the reader of a seed that goes nowhere. */
  #state(): string {
    const members = this.#cluster.inspect.group('app');
    const instances = this.#instances.map(
      ({ name, isRunning, process }) => `${name} ${isRunning ? process.state : 'stopped'}`,
    );
    return ` ${this.#output.outputs} of ${this.#output.model.expectedOutputs} outputs; ${instances.join(', ')}; group ${members?.phase ?? 'none'} with ${members?.members.length ?? 0}; open transactions: ${[...this.#openTransactions].join(', ') || 'none'}.`;
  }
}

function explain(error: Error): string {
  const { code } = error as { code?: string };
  return `${code === undefined ? error.name : code} ${error.message}`;
}

function prefixed(logger: Logger, name: string): Logger {
  if (logger === silentLogger) return logger;
  return {
    debug: (message, fields) => logger.debug(`${name}: ${message}`, fields),
    info: (message, fields) => logger.info(`${name}: ${message}`, fields),
    warn: (message, fields) => logger.warn(`${name}: ${message}`, fields),
    error: (message, fields) => logger.error(`${name}: ${message}`, fields),
  };
}
