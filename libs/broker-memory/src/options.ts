// Owns the options of a simulated cluster and their defaults.
import { MillraceError, silentLogger } from '#libs/core';
import type { Clock, Logger } from '#libs/core';
import type { ApiName } from '#libs/broker';
import type { ClusterEvent } from './event-trace.ts';
import type { StreamsGroupSettings } from './groups/streams-coordinator.ts';
import type { FaultPlan } from './network/fault-plan.ts';

export type Leg = 'request' | 'apply' | 'answer';

export interface MemoryClusterOptions {
  readonly clock: Clock;
  /** Of everything the cluster draws: ids, faults, delays. Default 1. */
  readonly seed?: number;
  /** Level of `transaction.version`. Default 2. */
  readonly transactionVersion?: 0 | 1 | 2;
  /** Default 1. */
  readonly brokers?: number;
  /** Of topics that do not ask for one, and of what the cluster keeps itself. Default 3, or as many as there are brokers. */
  readonly replicationFactor?: number;
  /** Default none. */
  readonly logger?: Logger;
  /**
   * Milliseconds that a leg takes: to the broker, within it until it is served, back. A function draws from `random`. Default 0: the
   * answer comes after two turns of the event loop.
   */
  readonly latencyMs?: number | ((leg: Leg, api: ApiName, random: () => number) => number);
  /** Milliseconds from the end of a transaction to each of its markers. Default 0. */
  readonly markerDelayMs?: number | ((random: () => number) => number);
  readonly faultPlan?: FaultPlan;
  /** Configurations of topics that do not set them, over Kafka's own defaults. */
  readonly topicDefaults?: Readonly<Record<string, string>>;
  /** Settings of streams groups (KIP-1071), over Kafka's defaults: sessions of 45,000 ms, heartbeats every 5,000, no standby copies. `null`: the
   * cluster has none, as before Kafka 4.2. */
  readonly streamsGroups?: Partial<StreamsGroupSettings> | null;
  /** `group.initial.rebalance.delay.ms`: how long a new group waits for more members. Default 0; Kafka's is 3,000. */
  readonly initialRebalanceDelayMs?: number;
  /** `group.min.session.timeout.ms` and `group.max.session.timeout.ms`. Default 0 and 1,800,000; Kafka's minimum is 6,000. */
  readonly sessionTimeoutMs?: { readonly min: number; readonly max: number };
  /** `transaction.max.timeout.ms`. Default 900,000. */
  readonly transactionMaxTimeoutMs?: number;
  /** How long after its timeout a transaction is aborted. Default 0; Kafka looks every 10,000. */
  readonly transactionTimeoutSweepMs?: number;
  /** How long a new coordinator answers COORDINATOR_LOAD_IN_PROGRESS. Default 0. */
  readonly coordinatorLoadMs?: number;
  /** How often logs are cleaned by their policies. Default 0: only when `topics.clean` is called. */
  readonly cleanIntervalMs?: number;
  /** Default time-out of a call, milliseconds. Default 30,000. */
  readonly requestTimeoutMs?: number;
  /** Told of every event that goes into the hash. */
  readonly onEvent?: (event: ClusterEvent) => void;
}

const STREAMS_GROUP_DEFAULTS: StreamsGroupSettings = {
  sessionTimeoutMs: 45_000,
  heartbeatIntervalMs: 5_000,
  numStandbys: 0,
};

export type ClusterSettings = Required<
  Omit<MemoryClusterOptions, 'faultPlan' | 'onEvent' | 'streamsGroups'>
> &
  Pick<MemoryClusterOptions, 'faultPlan' | 'onEvent'> & {
    readonly streamsGroups: StreamsGroupSettings | null;
  };

/** @throws MillraceError MILLRACE_INVALID_CONFIG */
export function resolveOptions(options: MemoryClusterOptions): ClusterSettings {
  const brokers = options.brokers ?? 1;
  if (!Number.isInteger(brokers) || brokers < 1)
    throw invalid('brokers', `is ${brokers}`, 'Give one or more.');
  const replicationFactor = options.replicationFactor ?? Math.min(3, brokers);
  if (replicationFactor < 1 || replicationFactor > brokers) {
    throw invalid(
      'replicationFactor',
      `is ${replicationFactor} with ${brokers} brokers`,
      'Give 1 to `brokers`.',
    );
  }
  return {
    seed: 1,
    transactionVersion: 2,
    logger: silentLogger,
    latencyMs: 0,
    markerDelayMs: 0,
    topicDefaults: {},
    initialRebalanceDelayMs: 0,
    sessionTimeoutMs: { min: 0, max: 1_800_000 },
    transactionMaxTimeoutMs: 900_000,
    transactionTimeoutSweepMs: 0,
    coordinatorLoadMs: 0,
    cleanIntervalMs: 0,
    requestTimeoutMs: 30_000,
    ...options,
    streamsGroups:
      options.streamsGroups === null ? null : { ...STREAMS_GROUP_DEFAULTS, ...options.streamsGroups },
    brokers,
    replicationFactor,
  };
}

function invalid(option: string, problem: string, remedy: string): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_INVALID_CONFIG',
    message: `Option \`${option}\` of the simulated cluster ${problem}.`,
    remedy,
    context: { option },
  });
}
