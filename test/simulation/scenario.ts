// Owns what a seed chooses before anything runs: topology, cluster, members, intervals, how often the network fails. It starts nothing.
import { SeededRandom } from '#libs/broker-memory';
import { topologies } from './topologies/index.ts';
import type { TopologyUnderTest } from './topologies/topology-under-test.ts';

export const APPLICATION = 'app';
/** What every seed has at least. */
export const RECORDS_MIN = 200;
export const TASKS_MIN = 4;
export const FAULTS_MIN = 10;

export interface Scenario {
  readonly seed: number;
  readonly topology: TopologyUnderTest;
  readonly partitions: number;
  readonly records: number;
  readonly keys: number;
  readonly instances: number;
  readonly isStatic: boolean;
  /** Who assigns: a member, or the broker (KIP-1071). */
  readonly groupProtocol: 'classic' | 'streams';
  readonly brokers: number;
  readonly transactionVersion: 1 | 2;
  readonly requestTimeoutMs: number;
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly commitIntervalMs: number;
  readonly transactionTimeoutMs: number;
  readonly writeBehindIntervalMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly numStandbys: number;
  /** Records; low: tasks warm up before they move. */
  readonly acceptableRecoveryLag: number;
  readonly probingRebalanceIntervalMs: number;
  readonly strikes: number;
  /** Virtual milliseconds in which input arrives and faults strike. */
  readonly spanMs: number;
  /** Probability of each way in which a leg of a call fails. */
  readonly lossRate: number;
  /** Requests may arrive after their sender gave them up. */
  readonly mayBeLate: boolean;
  readonly delayMsMax: number;
  /** Share of input batches that come by transactions, some of them aborted. */
  readonly upstreamTransactions: number;
  /** Virtual milliseconds from the end of a transaction to each of its markers, at most. */
  readonly markerDelayMsMax: number;
  /** For everything that is drawn while the seed runs. */
  readonly random: SeededRandom;
}

/** The same for the same seed, always. */
export function scenarioOf(seed: number): Scenario {
  const random = new SeededRandom(Math.imul(seed, 0x9e3779b1) ^ 0x2545f491);
  for (let i = 0; i < 3; i++) random.next();
  const topology = topologies[random.integer(0, topologies.length - 1)]!;
  const transactionVersion = random.chance(0.3) ? 1 : 2;
  const requestTimeoutMs = pick(random, [600, 1_000, 2_000]);
  const sessionTimeoutMs = pick(random, [1_500, 3_000, 6_000]);
  const commitIntervalMs = pick(random, [20, 100, 100, 400]);
  const groupProtocol = random.chance(0.3) ? 'streams' : 'classic';
  // Below transaction version 2 a request that arrives after its sender gave up may decide the next transaction (KAFKA-17754). And a streams group
  // tells an assignment once: whoever's heartbeat comes once more, unheard, is not told what that brought.
  const mayBeLate = transactionVersion === 2 && groupProtocol === 'classic' && random.chance(0.5);
  const strikes = random.integer(FAULTS_MIN, FAULTS_MIN + 4);
  return {
    seed,
    topology,
    transactionVersion,
    requestTimeoutMs,
    sessionTimeoutMs,
    commitIntervalMs,
    strikes,
    partitions: Math.ceil(TASKS_MIN / topology.subTopologies) + random.integer(0, 2),
    records: RECORDS_MIN + random.integer(0, 60),
    keys: random.integer(6, 14),
    instances: random.integer(2, 3),
    isStatic: random.chance(0.3),
    groupProtocol,
    mayBeLate,
    brokers: pick(random, [1, 3, 3]),
    heartbeatIntervalMs: Math.floor(sessionTimeoutMs / random.integer(3, 6)),
    transactionTimeoutMs: pick(random, [4_000, 10_000, 60_000]),
    writeBehindIntervalMs: pick(random, [50, 300, 1_000]),
    rebalanceTimeoutMs: pick(random, [3_000, 10_000]),
    numStandbys: random.chance(0.35) ? 1 : 0,
    spanMs: strikes * random.integer(250, 700),
    lossRate: pick(random, [0, 0.005, 0.015, 0.03]),
    delayMsMax: mayBeLate
      ? 3 * requestTimeoutMs
      : Math.floor(Math.min(requestTimeoutMs, sessionTimeoutMs / 3) / 4),
    upstreamTransactions: random.chance(0.5) ? 0.3 : 0,
    markerDelayMsMax: pick(random, [10, 10, 150]),
    acceptableRecoveryLag: pick(random, [0, 5, 10_000]),
    probingRebalanceIntervalMs: pick(random, [60_000, 600_000]),
    random: random.fork(),
  };
}

export function pick<T>(random: SeededRandom, choices: readonly T[]): T {
  return choices[random.integer(0, choices.length - 1)]!;
}

/** For whoever reads a failure. */
export function describeScenario(seed: number): string {
  const { topology, random: _random, seed: _seed, ...rest } = scenarioOf(seed);
  const settings = Object.entries(rest).map(([name, value]) => `${name} ${String(value)}`);
  return `${topology.name}, ${settings.join(', ')}`;
}
