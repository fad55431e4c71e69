// Whole applications under faults by seed: nothing lost, nothing doubled, nothing left hanging, and a seed replays.
//
//   MILLRACE_SIMULATION_SEEDS=1000 npm run jest -- libs/broker-memory/test/simulation     more of them
//   MILLRACE_SIMULATION_SEED=17 npm run jest -- libs/broker-memory/test/simulation        that one
import { describe, expect, it, jest } from '@jest/globals';
import { createMemoryCluster, SeededRandom, VirtualClock } from '#libs/broker-memory';
import type { FaultPlan, MemoryCluster } from '#libs/broker-memory';
import {
  appendOnes,
  createTopics,
  expectedByKey,
  outputByKey,
  outputCount,
  sorted,
  startSums,
} from './sums.ts';
import type { SumsInstance, SumsOptions } from './sums.ts';

const RECORDS = 400;
const ROUNDS = 8;
const REQUEST_TIMEOUT_MS = 2_000;
/** Transactions that nobody ends are aborted after a minute. */
const HANGING_MS_MAX = 90_000;
/** For whatever would still come. */
const QUIET_MS = 5_000;

/** Delays stay below the time-out of a request: what arrives after its repetition is for specs of its own. */
const FAULTS: FaultPlan = {
  dropRequest: 0.02,
  dropAnswer: 0.02,
  duplicateRequest: 0.02,
  delayRequest: 0.04,
  delayAnswer: 0.04,
  delayMs: [1, REQUEST_TIMEOUT_MS / 4],
};

class Simulation {
  readonly seed: number;
  readonly clock: VirtualClock;
  readonly cluster: MemoryCluster;
  readonly #random: SeededRandom;
  readonly #application: SumsOptions;
  readonly #isStatic: boolean;
  readonly #instances: SumsInstance[];

  constructor(seed: number, application: SumsOptions = {}) {
    this.seed = seed;
    this.#application = application;
    this.#random = new SeededRandom(seed);
    this.clock = new VirtualClock({ seed });
    this.cluster = createMemoryCluster({
      clock: this.clock,
      seed,
      transactionVersion: this.#random.chance(0.3) ? 1 : 2,
      brokers: 3,
      latencyMs: (_leg, _api, draw) => draw() * 2,
      markerDelayMs: (draw) => draw() * 10,
      coordinatorLoadMs: 100,
      streamsGroups: {
        sessionTimeoutMs: 6_000,
        heartbeatIntervalMs: 1_000,
        numStandbys: seed % 2,
      },
      faultPlan: FAULTS,
    });
    createTopics(this.cluster, this.#random.integer(1, 5));
    this.#isStatic = this.#random.chance(0.3);
    const names = ['one', 'two', 'three', 'four'].slice(0, this.#random.integer(1, 4));
    this.#instances = names.map((name) => this.#start(name));
  }

  #start(name: string): SumsInstance {
    return startSums(this.cluster, name, {
      sessionTimeoutMs: 6_000,
      heartbeatIntervalMs: 1_000,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      ...(this.#isStatic ? { groupInstanceId: name } : {}),
      ...this.#application,
    });
  }

  get failures(): Error[] {
    return this.#instances.flatMap(({ failure }) => failure() ?? []);
  }

  /** Gives the input in rounds, with a fault in most; then heals, and waits for all of the output. */
  async run(): Promise<void> {
    for (let round = 0; round < ROUNDS; round++) {
      appendOnes(this.cluster, RECORDS / ROUNDS, (round * RECORDS) / ROUNDS);
      await this.#advance(100, 3_000);
      await this.#strike();
      if (this.#random.chance(0.2)) this.cluster.topics.clean();
    }
    this.cluster.setFaultPlan(undefined);
    const done = (): boolean => this.failures.length > 0 || outputCount(this.cluster) >= RECORDS;
    await this.clock.runUntil(done, 300_000, `The output of seed ${this.seed}`);
  }

  async #strike(): Promise<void> {
    const at = this.#random.integer(0, this.#instances.length - 1);
    const { process } = this.#instances[at]!;
    const fate = this.#random.next();
    if (fate < 0.3) {
      process.kill();
      await this.#advance(0, 8_000);
      this.#instances[at] = this.#start(process.clientId);
    } else if (fate < 0.5) {
      process.pause();
      await this.#advance(0, 10_000);
      process.resume();
    } else if (fate < 0.7) {
      const nodeId = this.#random.integer(1, 3);
      this.cluster.stopBroker(nodeId);
      await this.#advance(100, 2_000);
      this.cluster.startBroker(nodeId);
    }
  }

  #advance(fromMs: number, toMs: number): Promise<void> {
    return this.clock.advance(this.#random.integer(fromMs, toMs));
  }

  /** Partitions where readers of committed records do not get to the end. */
  get hanging(): string[] {
    const { inspect } = this.cluster;
    return inspect.topicNames().flatMap((topic) =>
      Array.from({ length: inspect.partitionCount(topic) }, (_, partition) => partition)
        .filter((partition) => {
          const { lastStableOffset, highWatermark } = inspect.ends(topic, partition);
          return lastStableOffset < highWatermark;
        })
        .map((partition) => `${topic}-${partition}`),
    );
  }
}

/** Names of instances are for exactly once only, where the broker assigns. */
const AT_LEAST_ONCE = { processingGuarantee: 'at_least_once', groupInstanceId: null } as const;

/** Of real time: on a busy machine. */
jest.setTimeout(60_000);

function seeds(): number[] {
  const one = process.env['MILLRACE_SIMULATION_SEED'];
  if (one !== undefined) return [Number(one)];
  return Array.from({ length: Number(process.env['MILLRACE_SIMULATION_SEEDS'] ?? 15) }, (_, i) => i + 1);
}

describe.each([
  ['whose members assign its tasks', {}],
  ['whose tasks the broker assigns', { groupProtocol: 'streams' }],
] as const)('an application %s, under faults by seed', (_kind, application) => {
  it.each(seeds())('loses and doubles nothing, and leaves nothing hanging (seed %i)', async (seed) => {
    const simulation = new Simulation(seed, application);
    await simulation.run();
    const { cluster, clock } = simulation;
    expect(simulation.failures).toEqual([]);
    expect(sorted(outputByKey(cluster))).toEqual(sorted(expectedByKey(RECORDS)));
    await clock.runUntil(
      () => simulation.hanging.length === 0,
      HANGING_MS_MAX,
      'The end of all transactions',
    );
    await clock.advance(QUIET_MS);
    expect(simulation.failures).toEqual([]);
    expect(sorted(outputByKey(cluster))).toEqual(sorted(expectedByKey(RECORDS)));
  });

  it('is found out where exactly once is switched off', async () => {
    let doubled = 0;
    for (let seed = 1; seed <= 10; seed++) {
      const simulation = new Simulation(seed, { ...application, ...AT_LEAST_ONCE });
      await simulation.run();
      if (outputCount(simulation.cluster) > RECORDS) doubled++;
    }
    expect(doubled).toBeGreaterThan(0);
  });

  it('happens the same way again for the same seed, and another way for another', async () => {
    const simulate = async (seed: number): Promise<Simulation> => {
      const simulation = new Simulation(seed, application);
      await simulation.run();
      return simulation;
    };
    const [first, again, other] = [await simulate(77), await simulate(77), await simulate(78)];
    expect(again.cluster.eventCount).toBe(first.cluster.eventCount);
    expect(again.cluster.eventHash).toBe(first.cluster.eventHash);
    expect(other.cluster.eventHash).not.toBe(first.cluster.eventHash);
  });
});
