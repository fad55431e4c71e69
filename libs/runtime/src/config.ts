// Owns the configuration of a stream application as the runtime reads it: every option with its default. Validation of
// what users write is done here too, once, and names all that is wrong.
import { MillraceError } from '#libs/core';
import type { Compression } from '#libs/broker';
import { DEFAULT_EXCEPTION_HANDLERS } from './failure-policy.ts';
import type { ExceptionHandlers } from './failure-policy.ts';
import { isWorkerFailureResponse } from './worker-failure.ts';
import type { WorkerFailureConfig } from './worker-failure.ts';

export type ProcessingGuarantee = 'exactly_once' | 'at_least_once';

export type GroupProtocol = 'classic' | 'streams';

export interface RuntimeConfig extends WorkerFailureConfig {
  /** Consumer group, and prefix of internal topics and transactional ids. */
  readonly applicationId: string;
  /** Tells instances of the application apart; stable over restarts, so that a restart settles its own open transaction. */
  readonly instanceId: string;
  readonly processingGuarantee: ProcessingGuarantee;
  /** Longest time between two commits of a worker while records flow; idle workers commit at once. */
  readonly commitIntervalMs: number;
  /** Outputs and changes of one epoch that make it end before the interval. */
  readonly epochBytesMax: number;
  readonly transactionTimeoutMs: number;
  readonly compression: Compression;
  readonly autoOffsetReset: 'earliest' | 'latest' | 'none';
  /** How long a task with several inputs waits for one that is empty though not known to be caught up is Kafka Streams' `max.task.idle.ms`. */
  readonly maxTaskIdleMs: number;
  /** Encoded records buffered per partition before its reading pauses. */
  readonly bufferedBytesPerPartition: number;
  /** Cached state of a worker, divided evenly over the application's stateful tasks. Default 128 MiB. */
  readonly cacheBytesMax: number;
  readonly writeBehindBytes: number;
  readonly writeBehindIntervalMs: number;
  /** Largest batch built for a partition, and largest record accepted. */
  readonly batchBytes: number;
  readonly recordBytesMax: number;
  readonly replicationFactor: number;
  readonly sessionTimeoutMs: number;
  /** What is left to others waits for their next heartbeat: see docs/decisions/0012-no-pause.md. Default 150, in large groups more. */
  readonly heartbeatIntervalMs: number;
  readonly rebalanceTimeoutMs: number;
  /** How long it may take to notice that an input or output got more partitions: Kafka's `metadata.max.age.ms`. Default 300,000. */
  readonly metadataMaxAgeMs: number;
  /**
   * How long a record may block the event loop: heartbeats go on until then, by a thread of their own. Longer, and the partitions go to
   * other members. Kafka's `max.poll.interval.ms`. 0: no thread, so that the session timeout is the limit. Default 300,000.
   */
  readonly maxBlockedMs: number;
  /** Static membership (KIP-345): a name for each instance, the same after a restart. */
  readonly groupInstanceId: string | null;
  /**
   * Who assigns tasks. `classic`: a member of the group, by our own assignor. `streams`: the broker (KIP-1071, Kafka 4.2 and later);
   * sessions, the longest heartbeat interval and standby copies are then settings of the group. Default `classic`.
   */
  readonly groupProtocol: GroupProtocol;
  /** Standby copies of each stateful task, kept by other members. Default 0, as Kafka Streams' `num.standby.replicas`. */
  readonly numStandbys: number;
  /** Most records a copy may be behind to count as caught up: Kafka Streams' `acceptable.recovery.lag`. Default 10,000. */
  readonly acceptableRecoveryLag: number;
  /** Most warm-up copies in the group at a time: Kafka Streams' `max.warmup.replicas`. Default 2. */
  readonly maxWarmups: number;
  /** How long the group waits, while copies warm up, until it looks again; a copy that has caught up says so by itself. Default 600,000. */
  readonly probingRebalanceIntervalMs: number;
  /**
   * Where queries of other instances reach this one, as `host:port`: Kafka Streams' `application.server`. Published to the group. `null`: not
   * said, and no other instance knows what this one has.
   */
  readonly applicationServer: string | null;
  /** Rack or zone this instance runs in; standby copies go to others first. `null`: not said. */
  readonly rack: string | null;
  readonly exceptionHandlers: ExceptionHandlers;
  /** `latest`: stop when the input that existed at start is processed. */
  readonly until: 'stopped' | 'latest';
}

/** What must be given, and whatever of the rest differs from the defaults. */
export type RuntimeOptions = Pick<RuntimeConfig, 'applicationId' | 'instanceId'> &
  Partial<Omit<RuntimeConfig, 'exceptionHandlers'>> & {
    readonly exceptionHandlers?: Partial<ExceptionHandlers>;
  };

const HEARTBEAT_INTERVAL_MS = 150;
const MEBIBYTE = 1024 * 1024;

/** @throws MillraceError MILLRACE_INVALID_CONFIG naming every fault. */
export function resolveRuntimeConfig(options: RuntimeOptions): RuntimeConfig {
  const guarantee = options.processingGuarantee ?? 'exactly_once';
  const config: RuntimeConfig = {
    applicationId: options.applicationId,
    instanceId: options.instanceId,
    processingGuarantee: guarantee,
    commitIntervalMs: options.commitIntervalMs ?? (guarantee === 'exactly_once' ? 100 : 30_000),
    epochBytesMax: options.epochBytesMax ?? 32 * MEBIBYTE,
    transactionTimeoutMs: options.transactionTimeoutMs ?? 60_000,
    compression: options.compression ?? 'none',
    autoOffsetReset: options.autoOffsetReset ?? 'earliest',
    maxTaskIdleMs: options.maxTaskIdleMs ?? 0,
    bufferedBytesPerPartition: options.bufferedBytesPerPartition ?? 4 * MEBIBYTE,
    cacheBytesMax: options.cacheBytesMax ?? 128 * MEBIBYTE,
    writeBehindBytes: options.writeBehindBytes ?? 16 * MEBIBYTE,
    writeBehindIntervalMs: options.writeBehindIntervalMs ?? 1_000,
    batchBytes: options.batchBytes ?? MEBIBYTE / 2,
    recordBytesMax: options.recordBytesMax ?? MEBIBYTE - 1024,
    replicationFactor: options.replicationFactor ?? -1,
    sessionTimeoutMs: options.sessionTimeoutMs ?? 45_000,
    heartbeatIntervalMs:
      options.heartbeatIntervalMs ??
      Math.min(HEARTBEAT_INTERVAL_MS, (options.sessionTimeoutMs ?? 45_000) / 3),
    rebalanceTimeoutMs: options.rebalanceTimeoutMs ?? 300_000,
    metadataMaxAgeMs: options.metadataMaxAgeMs ?? 300_000,
    maxBlockedMs: options.maxBlockedMs ?? 300_000,
    groupInstanceId: options.groupInstanceId ?? null,
    groupProtocol: options.groupProtocol ?? 'classic',
    numStandbys: options.numStandbys ?? 0,
    acceptableRecoveryLag: options.acceptableRecoveryLag ?? 10_000,
    maxWarmups: options.maxWarmups ?? 2,
    probingRebalanceIntervalMs: options.probingRebalanceIntervalMs ?? 600_000,
    applicationServer: options.applicationServer ?? null,
    rack: options.rack ?? null,
    exceptionHandlers: { ...DEFAULT_EXCEPTION_HANDLERS, ...options.exceptionHandlers },
    until: options.until ?? 'stopped',
    onWorkerFailure: options.onWorkerFailure ?? 'stopClient',
    workerReplacementsMax: options.workerReplacementsMax ?? 10,
    workerReplacementWindowMs: options.workerReplacementWindowMs ?? 600_000,
  };
  const faults = findFaults(config);
  if (faults.length > 0) {
    throw new MillraceError({
      code: 'MILLRACE_INVALID_CONFIG',
      message: `The configuration of application "${String(config.applicationId)}" has ${faults.length} fault(s): ${faults.join('; ')}.`,
      remedy: 'Correct the named options.',
      context: { faults },
    });
  }
  return config;
}

const LEGAL_NAME = /^[a-zA-Z0-9._-]{1,200}$/;

function findFaults(config: RuntimeConfig): string[] {
  const faults: string[] = [];
  const positive = (name: keyof RuntimeConfig): void => {
    const value: unknown = config[name];
    if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
      faults.push(`${name} must be a positive number, is ${JSON.stringify(value)}`);
    }
  };
  for (const name of ['applicationId', 'instanceId'] as const) {
    if (typeof config[name] !== 'string' || !LEGAL_NAME.test(config[name]) || /^\.\.?$/.test(config[name])) {
      faults.push(
        `${name} must be 1 to 200 characters of a-z A-Z 0-9 . _ -, not . or .. (it names topics and folders), is "${String(config[name])}"`,
      );
    }
  }
  const { groupInstanceId } = config;
  if (
    groupInstanceId !== null &&
    (typeof groupInstanceId !== 'string' || !LEGAL_NAME.test(groupInstanceId))
  ) {
    faults.push(
      `groupInstanceId must be 1 to 200 characters of a-z A-Z 0-9 . _ -, or left out, is ${JSON.stringify(groupInstanceId)}`,
    );
  }
  if (config.processingGuarantee !== 'exactly_once' && config.processingGuarantee !== 'at_least_once') {
    faults.push(
      `processingGuarantee must be exactly_once or at_least_once, is "${String(config.processingGuarantee)}"`,
    );
  }
  positive('commitIntervalMs');
  positive('epochBytesMax');
  positive('transactionTimeoutMs');
  positive('bufferedBytesPerPartition');
  positive('cacheBytesMax');
  positive('writeBehindBytes');
  positive('writeBehindIntervalMs');
  positive('batchBytes');
  positive('recordBytesMax');
  positive('sessionTimeoutMs');
  positive('heartbeatIntervalMs');
  positive('rebalanceTimeoutMs');
  positive('metadataMaxAgeMs');
  faults.push(...scalingFaults(config), ...groupProtocolFaults(config));
  if (
    config.processingGuarantee === 'exactly_once' &&
    config.transactionTimeoutMs < config.commitIntervalMs * 5
  ) {
    faults.push(
      `transactionTimeoutMs (${config.transactionTimeoutMs}) must be at least 5 times commitIntervalMs (${config.commitIntervalMs}), or the broker aborts epochs that are still being committed`,
    );
  }
  if (config.heartbeatIntervalMs * 3 > config.sessionTimeoutMs) {
    faults.push(
      `heartbeatIntervalMs (${config.heartbeatIntervalMs}) must be at most a third of sessionTimeoutMs (${config.sessionTimeoutMs})`,
    );
  }
  if (typeof config.onWorkerFailure !== 'function' && !isWorkerFailureResponse(config.onWorkerFailure)) {
    faults.push(
      `onWorkerFailure must be replace, stopClient, stopProcess or a function, is ${JSON.stringify(config.onWorkerFailure)}`,
    );
  }
  positive('workerReplacementsMax');
  positive('workerReplacementWindowMs');
  if (!Number.isFinite(config.maxBlockedMs) || config.maxBlockedMs < 0) {
    faults.push(`maxBlockedMs must be 0 or a positive number, is ${JSON.stringify(config.maxBlockedMs)}`);
  }
  if (config.maxTaskIdleMs < 0 && config.maxTaskIdleMs !== -1) {
    faults.push(`maxTaskIdleMs must be -1, 0 or positive, is ${config.maxTaskIdleMs}`);
  }
  if (!['none', 'gzip', 'lz4', 'zstd'].includes(config.compression)) {
    faults.push(
      `compression must be none, gzip, lz4 or zstd (snappy is read only), is "${config.compression}"`,
    );
  }
  if (!['earliest', 'latest', 'none'].includes(config.autoOffsetReset)) {
    faults.push(`autoOffsetReset must be earliest, latest or none, is "${config.autoOffsetReset}"`);
  }
  return faults;
}

/** What the broker decides when it assigns the tasks, and so cannot be asked for here. */
function groupProtocolFaults(config: RuntimeConfig): string[] {
  if (config.groupProtocol === 'classic') return [];
  if (config.groupProtocol !== 'streams') {
    return [`groupProtocol must be classic or streams, is ${JSON.stringify(config.groupProtocol)}`];
  }
  const faults: string[] = [];
  if (config.numStandbys > 0) {
    faults.push(
      'numStandbys is a setting of the group under groupProtocol streams: leave it out here, and set streams.num.standby.replicas of the group (kafka-configs.sh --entity-type groups)',
    );
  }
  if (config.groupInstanceId !== null && config.processingGuarantee !== 'exactly_once') {
    faults.push(
      'groupInstanceId under groupProtocol streams needs exactly_once: the broker does not tell two processes of the same name apart, their transactional id does',
    );
  }
  return faults;
}

const RACK_LENGTH_MAX = 200;

/** What concerns how the group spreads tasks and their copies. */
function scalingFaults(config: RuntimeConfig): string[] {
  const faults: string[] = [];
  const whole = (name: 'numStandbys' | 'acceptableRecoveryLag' | 'maxWarmups', least: number): void => {
    const value: unknown = config[name];
    if (!Number.isSafeInteger(value) || (value as number) < least) {
      faults.push(`${name} must be a whole number of ${least} or more, is ${JSON.stringify(value)}`);
    }
  };
  whole('numStandbys', 0);
  whole('acceptableRecoveryLag', 0);
  whole('maxWarmups', 1);
  // Kafka Streams' least is a minute too: each round asks every member to join.
  const probing: unknown = config.probingRebalanceIntervalMs;
  if (typeof probing !== 'number' || !Number.isFinite(probing) || probing < 60_000) {
    faults.push(`probingRebalanceIntervalMs must be 60000 or more, is ${JSON.stringify(probing)}`);
  }
  if (config.applicationServer !== null && parseHost(config.applicationServer) === null) {
    faults.push(
      `applicationServer must be host:port, such as 10.0.0.7:8080 or [::1]:8080, is ${JSON.stringify(config.applicationServer)}`,
    );
  }
  const rack: unknown = config.rack;
  if (rack !== null && (typeof rack !== 'string' || rack === '' || rack.length > RACK_LENGTH_MAX)) {
    faults.push(
      `rack must be a name of 1 to ${RACK_LENGTH_MAX} characters, or left out, is ${JSON.stringify(rack)}`,
    );
  }
  return faults;
}

const HOST_AND_PORT = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([a-zA-Z0-9._-]{1,253})):(\d{1,5})$/;

/** The parts of an `applicationServer`; `null`: it is none. */
export function parseHost(text: unknown): { readonly host: string; readonly port: number } | null {
  const parts = typeof text === 'string' ? HOST_AND_PORT.exec(text) : null;
  const port = Number(parts?.[3]);
  return parts === null || port < 1 || port > 65_535 ? null : { host: parts[1] ?? parts[2]!, port };
}
