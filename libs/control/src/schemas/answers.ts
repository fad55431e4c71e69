// Owns the shapes of the API's answers, route by route.
import { z } from 'zod';
import * as shapes from './insight.ts';
import { resetPlan } from './reset.ts';

export const error = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    where: z.string(),
    remedy: z.string().nullable(),
  }),
});

export const applications = z.object({
  applications: z.array(shapes.summary),
  actionsAllowed: z.boolean(),
  version: z.string().describe('Of the package millrace.'),
});

export const application = shapes.insight;

export const topology = z.object({
  graph: shapes.graph,
  text: z.string().describe("In the layout of Kafka Streams' TopologyDescription."),
  mermaid: z.string(),
});

export const tasks = z.object({ tasks: z.array(shapes.task) });

export const task = shapes.task;

export const assignments = z.object({
  instanceId: z.string().nullable(),
  active: z.array(z.string()),
  standby: z.array(z.string()),
  warmup: z.array(z.string()),
  rebalances: z.object({ total: z.number(), lost: z.number(), last: z.array(shapes.rebalance) }),
});

export const lag = z.object({
  records: z.number().describe('Of the partitions whose end is known.'),
  ms: z.number().describe('The largest of all partitions.'),
  unknown: z.number().describe('Partitions whose end is not known yet.'),
  partitions: z.array(shapes.partition.extend({ taskId: z.string() })),
});

export const flows = z.object({ inputs: z.array(shapes.inputFlow), outputs: z.array(shapes.outputFlow) });

export const epochs = z.object({
  epochs: z.array(shapes.epoch),
  commits: z.object({
    committed: z.number(),
    aborted: z.number(),
    totalMs: z.number(),
    longestMs: z.number(),
  }),
});

export const history = z.object({ intervalMs: z.number(), samples: z.array(shapes.historySample) });

export const restores = z.object({
  restoring: z.array(shapes.restoreProgress),
  copies: z.array(shapes.copy),
  ended: z.array(shapes.restored),
});

export const errors = z.object({
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  issues: z.array(shapes.issue),
  drops: z.array(shapes.drop),
  retries: shapes.retries.nullable(),
});

export const configuration = z.object({ configuration: z.record(z.string(), z.unknown()) });

export const pausing = z.object({ paused: z.boolean() });

export const stopping = z.object({ state: z.string() });

export const resetting = z.object({
  executed: z.boolean(),
  plan: resetPlan,
  removedMembers: z.number(),
  endedTransactions: z.array(z.string()),
});

export const restarting = z.object({ taskId: z.string(), dirty: z.boolean() });
