// Owns the shapes of what the API tells of an application. The compiler holds them to the types of libs/runtime: a field that is missing
// here does not compile, and a spec holds real answers to the schemas.
import { z } from 'zod';
import type { TaskIdText } from '#libs/core';
import type {
  ApplicationInsight,
  DescribedTopology,
  DropCount,
  EpochFigures,
  HistogramFigures,
  InputFlow,
  InstanceFigures,
  IssueFigures,
  LoopFigures,
  OutputFlow,
  PartitionFigures,
  RebalanceFigures,
  RestoreFigures,
  RestoreProgress,
  RuntimeFigures,
  TaskFigures,
} from '#libs/millrace';
import type { HistorySample } from '../history.ts';
import { textAs } from './json-schema.ts';

const count = z.number().int().min(0);
const ms = z.number().min(0);
const at = z.number().describe('Wall clock, milliseconds since the Unix epoch.');
const names = z.array(z.string());
const lifecycle = z.enum([
  'CREATED',
  'REBALANCING',
  'RUNNING',
  'PENDING_SHUTDOWN',
  'NOT_RUNNING',
  'PENDING_ERROR',
  'ERROR',
]);
const failure = z.object({ code: z.string(), message: z.string() });

export const partition = z.object({
  topic: z.string(),
  partition: count,
  source: z.string(),
  position: count,
  committed: count.nullable(),
  endOffset: count.nullable(),
  lag: count.nullable().describe('Offsets between position and end.'),
  lagMs: ms.nullable(),
  bufferedBytes: z.number(),
  partitionTime: z.number().nullable(),
}) satisfies z.ZodType<PartitionFigures>;

export const task = z.object({
  taskId: textAs<TaskIdText>(),
  subTopology: count,
  partition: count,
  phase: z.enum(['opening', 'restoring', 'claiming', 'running', 'waiting', 'standby', 'warmup']),
  records: count,
  streamTime: z.number().nullable(),
  eventTime: z.number().nullable(),
  partitions: z.array(partition),
  stores: z.array(
    z.object({
      name: z.string(),
      kind: z.enum(['keyValue', 'ordered']),
      changelog: z.string().nullable(),
      changelogOffset: count.nullable(),
      resident: z.boolean(),
    }),
  ),
  cachedBytes: z.number().nullable(),
  unwrittenBytes: z.number().nullable(),
  diskBytes: count.nullable(),
  restoreLag: z.number().nullable(),
}) satisfies z.ZodType<TaskFigures>;

export const epoch = z.object({
  number: count,
  outcome: z.enum(['committing', 'committed', 'aborted']),
  reason: z.string().nullable(),
  openedAt: at,
  sealedAt: at,
  endedAt: at.nullable(),
  tasks: count,
  recordsIn: count,
  recordsOut: count,
  changelogRecords: count,
  bytesOut: count,
  openMs: ms,
  produceMs: ms.nullable(),
  commitMs: ms.nullable(),
}) satisfies z.ZodType<EpochFigures>;

export const restoreProgress = z.object({
  taskId: z.string(),
  store: z.string(),
  role: z.enum(['active', 'standby', 'warmup']),
  startOffset: z.number(),
  position: z.number(),
  endOffset: z.number(),
  records: count,
  recordsPerSecond: z.number(),
}) satisfies z.ZodType<RestoreProgress>;

export const restored = z.object({
  endedAt: at,
  outcome: z.enum(['end', 'suspended']),
  progress: restoreProgress,
}) satisfies z.ZodType<RestoreFigures>;

export const copy = z.object({
  taskId: textAs<TaskIdText>(),
  role: z.enum(['standby', 'warmup']),
  phase: z.enum(['opening', 'following', 'waiting']),
  position: z.number(),
  lag: z.number().nullable(),
  records: count,
});

const rates = { recordsPerSecond: z.number().nullable(), bytesPerSecond: z.number().nullable() };

const input = z.object({
  subTopology: count,
  source: z.string(),
  topic: z.string(),
  kind: z.enum(['stream', 'table', 'repartition', 'retry']),
  records: count,
  bytes: count,
}) satisfies z.ZodType<InputFlow>;

const output = z.object({
  topic: z.string(),
  kind: z.enum(['topic', 'repartition', 'changelog']),
  store: z.string().nullable(),
  records: count,
  bytes: count,
}) satisfies z.ZodType<OutputFlow>;

export const inputFlow = input.extend(rates);
export const outputFlow = output.extend(rates);

export const issue = z.object({
  at,
  kind: z.enum(['dropped', 'deadLetter', 'recovered', 'workerDied', 'heldBack']),
  code: z.string(),
  where: z.string(),
  message: z.string(),
  count,
}) satisfies z.ZodType<IssueFigures>;

export const drop = z.object({
  code: z.string(),
  kind: z.enum(['dropped', 'deadLetter']),
  where: z.string(),
  records: count,
}) satisfies z.ZodType<DropCount>;

export const retries = z.object({
  retriedInPlace: count,
  sentToRetryTopics: count,
  takenFromRetryTopics: count,
  deadLettered: count,
  skipped: count,
  waiting: names.describe('Tasks that wait before they try a record again.'),
  delayed: z.array(z.object({ topic: z.string(), partition: count, dueAt: at })),
}) satisfies z.ZodType<RuntimeFigures['failures']>;

export const rebalance = z.object({
  at,
  kind: z.enum(['assigned', 'lost']),
  source: z.string(),
  active: names,
  revoked: names,
  added: names,
  standby: names,
  warmup: names,
}) satisfies z.ZodType<RebalanceFigures>;

const histogram = z.object({
  bounds: z.array(z.number()),
  counts: z.array(z.number()),
  count: z.number(),
  sum: z.number(),
  max: z.number(),
}) satisfies z.ZodType<HistogramFigures>;

const loop = z.object({
  turns: count,
  busyMs: ms,
  longestTurnMs: ms,
  longestTurnAt: at.nullable(),
}) satisfies z.ZodType<LoopFigures>;

/** Of the runtime; what other parts add to it is shown too. */
const figures = z.looseObject({
  processedRecords: count,
  droppedRecords: count,
  restoredRecords: count,
  committedEpochs: count,
  uncommitted: z.boolean(),
  sinceTurnMs: z.number(),
  sinceCommitMs: z.number().nullable(),
  runningTasks: names,
  openingTasks: names,
  restores: z.array(restoreProgress),
  copies: z.array(copy),
  workerReplacements: count,
  lastWorkerFailure: failure.nullable(),
  paused: z.boolean(),
});

export const summary = z.object({
  applicationId: z.string(),
  instanceId: z.string().nullable(),
  state: lifecycle,
  stateSince: at,
  paused: z.boolean(),
  error: failure.nullable(),
});

const instance = z.object({
  applicationServer: z.string().nullable(),
  isLocal: z.boolean(),
  active: names,
  standby: names,
}) satisfies z.ZodType<InstanceFigures>;

const commits = z.object({ committed: count, aborted: count, totalMs: ms, longestMs: ms });
const rebalances = z.object({ total: count, lost: count, last: z.array(rebalance) });

export const insight = summary.extend({
  at,
  startedAt: at.nullable(),
  transactionalId: z.string().nullable(),
  figures: (figures as unknown as z.ZodType<RuntimeFigures>).nullable(),
  tasks: z.array(task),
  instances: z.array(instance),
  inputs: z.array(inputFlow),
  outputs: z.array(outputFlow),
  epochs: z.array(epoch),
  commits,
  latency: histogram.describe('Milliseconds from the timestamp of a record to its commit.'),
  restored: z.array(restored),
  drops: z.array(drop),
  issues: z.array(issue),
  rebalances,
  loop,
}) satisfies z.ZodType<ApplicationInsight>;

const perSecond = z.number().min(0);

export const historySample = z.object({
  at,
  recordsInPerSecond: perSecond,
  recordsOutPerSecond: perSecond,
  bytesOutPerSecond: perSecond,
  lag: z.number().nullable(),
  lagMs: ms.nullable(),
  latencyP50Ms: ms.nullable(),
  latencyP99Ms: ms.nullable(),
  committedEpochs: count,
  abortedEpochs: count,
  commitMs: ms.nullable(),
  busy: z.number().min(0).max(1),
}) satisfies z.ZodType<HistorySample>;

const node = z.object({
  name: z.string(),
  kind: z.enum(['source', 'processor', 'sink']),
  internal: z.boolean(),
  topics: names,
  topic: z.string().nullable(),
  stores: names,
  globalStores: names,
  children: z.array(z.object({ name: z.string(), side: z.string().nullable() })),
});

export const graph = z.object({
  subTopologies: z.array(
    z.object({
      id: count,
      nodes: z.array(node),
      stores: z.array(
        z.object({
          name: z.string(),
          kind: z.enum(['keyValue', 'ordered']),
          logged: z.boolean(),
          persistence: z.enum(['default', 'memory']),
        }),
      ),
    }),
  ),
  globalStores: z.array(z.object({ name: z.string(), topic: z.string() })),
}) satisfies z.ZodType<DescribedTopology>;
