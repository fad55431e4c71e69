// Owns what a user gives an application, and its checks: all faults in one error, each with the option's path.
// What options mean together is checked by libs/runtime, what concerns the connection by libs/kafka; here all is put together.
import { join } from 'node:path';
import { z } from 'zod';
import { FatalError, MillraceError, silentLogger, systemClock } from '#libs/core';
import type { Clock, Logger } from '#libs/core';
import { createKafkaRpc } from '#libs/kafka';
import { resolveRuntimeConfig } from '#libs/runtime';
import type { RestoreListener, RuntimeOptions } from '#libs/runtime';
import type { StreamsBuilder, Topology } from '#libs/topology';
import type { KafkaConnection } from './connect.ts';
import { isSimulated } from './simulated-kafka.ts';

/** A topology, or the builder that draws one. */
export type TopologySource = Topology | StreamsBuilder;

/** `rocksdb`: on disk, restored by the changelog's tail. `memory`: lives and dies with the process, restored whole at each start. */
export type StateKind = 'rocksdb' | 'memory';

export interface StreamsApplicationOptions extends Partial<
  Omit<RuntimeOptions, 'applicationId' | 'instanceId'>
> {
  /** Consumer group, and prefix of internal topics and transactional ids. */
  readonly applicationId: string;
  /** How to reach Kafka, in KafkaJS's shape; or a `SimulatedKafka`, for demonstrations. */
  readonly kafka: KafkaConnection;
  /** A function is called once, when the application starts or is described. */
  readonly topology: TopologySource | (() => TopologySource);
  /** Folder of the local state. Default `.millrace/state` in the working directory. Applications and their copies may share it. */
  readonly stateDir?: string;
  /** Default `rocksdb`. */
  readonly state?: StateKind;
  /**
   * Tells copies of the application apart; must be the same after a restart. Default: `groupInstanceId`, and without that one is kept in
   * the state folder, and copies that share the folder get different ones.
   */
  readonly instanceId?: string;
  /** Default: lines on stderr. */
  readonly logger?: Logger;
  readonly onRestore?: RestoreListener;
  /**
   * Ends the process when `onWorkerFailure` says `stopProcess`, once everything is closed. Default: `process.exit(1)`; in a Nest
   * application, its shutdown hooks and then the signal SIGTERM.
   */
  readonly exitProcess?: () => void;
  /** For tests. */
  readonly clock?: Clock;
}

/** The options as checked, with those defaults that are not the runtime's. */
export interface ResolvedOptions {
  readonly runtime: Omit<RuntimeOptions, 'instanceId'>;
  readonly instanceId: string | null;
  readonly kafka: KafkaConnection;
  readonly topology: StreamsApplicationOptions['topology'];
  readonly stateDir: string;
  readonly state: StateKind;
}

const functionOption = z.custom<(...given: never[]) => unknown>(
  (value) => typeof value === 'function',
  'must be a function',
);
const objectOption = z.custom<object>(
  (value) => typeof value === 'object' && value !== null,
  'must be an object',
);
/** The runtime says what is wrong with these, value by value. */
const left = z.unknown().optional();

const OPTIONS = z.strictObject({
  applicationId: left,
  instanceId: left,
  kafka: left,
  topology: z.custom(
    (value) =>
      typeof value === 'function' ||
      (typeof value === 'object' && value !== null && ('build' in value || 'subTopologies' in value)),
    'must be a topology, a StreamsBuilder, or a function that gives one',
  ),
  stateDir: z.string('must be a path').min(1, 'must be a path').optional(),
  state: z.enum(['rocksdb', 'memory'], 'must be "rocksdb" or "memory"').optional(),
  logger: objectOption.optional(),
  onRestore: functionOption.optional(),
  exitProcess: functionOption.optional(),
  clock: objectOption.optional(),
  processingGuarantee: left,
  commitIntervalMs: left,
  epochBytesMax: left,
  transactionTimeoutMs: left,
  compression: left,
  autoOffsetReset: left,
  maxTaskIdleMs: left,
  bufferedBytesPerPartition: left,
  cacheBytesMax: left,
  writeBehindBytes: left,
  writeBehindIntervalMs: left,
  batchBytes: left,
  recordBytesMax: left,
  replicationFactor: z
    .int('must be a whole number')
    .min(-1, 'must be -1 (the broker’s default) or more')
    .optional(),
  sessionTimeoutMs: left,
  heartbeatIntervalMs: left,
  rebalanceTimeoutMs: left,
  metadataMaxAgeMs: left,
  maxBlockedMs: left,
  onWorkerFailure: left,
  workerReplacementsMax: left,
  workerReplacementWindowMs: left,
  groupProtocol: left,
  groupInstanceId: left,
  numStandbys: left,
  acceptableRecoveryLag: left,
  maxWarmups: left,
  probingRebalanceIntervalMs: left,
  applicationServer: left,
  rack: left,
  exceptionHandlers: z
    .strictObject({
      deserialization: functionOption.optional(),
      processing: functionOption.optional(),
      production: functionOption.optional(),
    })
    .optional(),
  until: z.enum(['stopped', 'latest'], 'must be "stopped" or "latest"').optional(),
});

/** @throws FatalError MILLRACE_INVALID_CONFIG naming every fault with the option's path. */
export function resolveOptions(options: StreamsApplicationOptions): ResolvedOptions {
  const faults = optionFaults(options);
  if (faults.length > 0) {
    throw new FatalError({
      code: 'MILLRACE_INVALID_CONFIG',
      message: `The configuration of ${nameOf(options)} has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}: ${faults.join('; ')}.`,
      remedy: 'Correct the named options.',
      context: { faults },
    });
  }
  return {
    runtime: runtimeOptions(options, ''),
    instanceId: instanceIdOf(options),
    kafka: options.kafka,
    topology: options.topology,
    stateDir: options.stateDir ?? join(process.cwd(), '.millrace', 'state'),
    state: options.state ?? 'rocksdb',
  };
}

/**
 * Static members are their own successors: under a transactional id of its own each restart ends at once what it had left open, on
 * whatever disk, and the brokers tell two processes of one name apart. `null`: the state folder keeps an id.
 */
function instanceIdOf({ instanceId, groupInstanceId }: StreamsApplicationOptions): string | null {
  return instanceId ?? groupInstanceId ?? null;
}

/** What is wrong with the options, each fault beginning with the option's path. */
export function optionFaults(options: StreamsApplicationOptions): string[] {
  const faults: string[] = [];
  const parsed = OPTIONS.safeParse(options);
  if (!parsed.success) for (const issue of parsed.error.issues) faults.push(...describeIssue(issue));
  if (typeof options === 'object' && options !== null) {
    const { kafka } = options;
    if (!isSimulated(kafka))
      faults.push(...faultsOf(() => createKafkaRpc(kafka, { clock: systemClock, logger: silentLogger })));
    faults.push(
      ...faultsOf(() => resolveRuntimeConfig(runtimeOptions(options, instanceIdOf(options) ?? 'instance'))),
    );
    faults.push(...contradictions(options));
  }
  return faults;
}

/** Only what the runtime knows, and only what was given: an explicit `undefined` means the default. */
export function runtimeOptions(options: StreamsApplicationOptions, instanceId: string): RuntimeOptions {
  const { kafka, topology, stateDir, state, logger, onRestore, exitProcess, clock, ...rest } = options;
  void [kafka, topology, stateDir, state, logger, onRestore, exitProcess, clock];
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return { ...given, applicationId: options.applicationId, instanceId };
}

function contradictions(options: StreamsApplicationOptions): string[] {
  if (options.state === 'memory' && options.stateDir !== undefined && instanceIdOf(options) !== null) {
    return [
      'stateDir: contradicts state "memory" with an instanceId or groupInstanceId, where nothing is kept on disk',
    ];
  }
  return [];
}

function describeIssue(issue: z.core.$ZodIssue): string[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => `${[...path, key].join('.')}: no such option`);
  return [`${path.length === 0 ? 'options' : path.join('.')}: ${issue.message}`];
}

/** The faults another part finds. */
function faultsOf(check: () => unknown): string[] {
  try {
    check();
    return [];
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    const { faults } = error.context;
    return Array.isArray(faults) ? faults.map(String) : [error.message];
  }
}

function nameOf(options: unknown): string {
  const name =
    typeof options === 'object' && options !== null
      ? (options as { applicationId?: unknown }).applicationId
      : undefined;
  return typeof name === 'string' && name !== '' ? `application "${name}"` : 'the application';
}
