// Owns the routes that show what is. None of them changes anything, and none asks Kafka: they read what the process knows.
import { createRequire } from 'node:module';
import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import { SAMPLE_MS } from '../history.ts';
import { unknownTaskOf } from '../unknown-task.ts';
import type { Applications, Served } from '../applications.ts';
import * as answers from '../schemas/answers.ts';
import { jsonSchema } from '../schemas/json-schema.ts';
import { OF_APPLICATION, OF_TASK } from './parameters.ts';
import type { ApplicationParams, TaskParams } from './parameters.ts';

const EPOCHS_MAX = 256;

/** Of this package. */
const { version: VERSION } = createRequire(import.meta.url)('millrace/package.json') as {
  readonly version: string;
};

export function registerReadRoutes(
  server: FastifyInstance,
  applications: Applications,
  allowActions: boolean,
): void {
  server.get('/v1/applications', {
    schema: {
      operationId: 'listApplications',
      summary: 'The applications of this server',
      tags: ['applications'],
      response: responses(answers.applications),
    },
    handler: () => ({
      applications: applications.all.map((served) => summaryOf(served)),
      actionsAllowed: allowActions,
      version: VERSION,
    }),
  });

  show(
    '/v1/applications/:application',
    'getApplication',
    'All that is known of an application',
    answers.application,
    wholeOf,
  );
  show(
    '/v1/applications/:application/topology',
    'getTopology',
    'The topology as data, text and Mermaid flowchart',
    answers.topology,
    ({ application }) => ({
      graph: application.describeAsGraph(),
      text: application.describe(),
      mermaid: application.describeAsMermaid(),
    }),
  );
  show(
    '/v1/applications/:application/tasks',
    'listTasks',
    'Tasks and copies of this instance',
    answers.tasks,
    ({ application }) => ({
      tasks: application.insight().tasks,
    }),
  );
  show(
    '/v1/applications/:application/assignments',
    'getAssignments',
    'What the group assigned to this instance, and its last rebalances',
    answers.assignments,
    ({ application }) => {
      const { instanceId, tasks, rebalances } = application.insight();
      const inPhase = (isWanted: (phase: string) => boolean): string[] =>
        tasks.filter(({ phase }) => isWanted(phase)).map(({ taskId }) => taskId);
      return {
        instanceId,
        active: inPhase((phase) => phase !== 'standby' && phase !== 'warmup'),
        standby: inPhase((phase) => phase === 'standby'),
        warmup: inPhase((phase) => phase === 'warmup'),
        rebalances,
      };
    },
  );
  show(
    '/v1/applications/:application/lag',
    'getLag',
    'How far the tasks of this instance are behind their input',
    answers.lag,
    ({ application }) => {
      const partitions = application
        .insight()
        .tasks.flatMap(({ taskId, partitions: inputs }) => inputs.map((input) => ({ taskId, ...input })));
      return {
        records: partitions.reduce((sum, { lag }) => sum + (lag ?? 0), 0),
        ms: partitions.reduce((longest, { lagMs }) => Math.max(longest, lagMs ?? 0), 0),
        unknown: partitions.filter(({ lag }) => lag === null).length,
        partitions,
      };
    },
  );
  show(
    '/v1/applications/:application/flows',
    'getFlows',
    'Records by source and by topic written to, with their rates',
    answers.flows,
    ({ application, rates }) => rates.rated(application.insight()),
  );
  show(
    '/v1/applications/:application/restores',
    'getRestores',
    'What is being restored, copies, and what was restored',
    answers.restores,
    ({ application }) => {
      const { figures, restored } = application.insight();
      return { restoring: figures?.restores ?? [], copies: figures?.copies ?? [], ended: restored };
    },
  );
  show(
    '/v1/applications/:application/errors',
    'getErrors',
    'Failures, dropped records and dead letters',
    answers.errors,
    ({ application }) => {
      const { error, issues, drops, figures } = application.insight();
      return { error, issues, drops, retries: figures?.failures ?? null };
    },
  );
  show(
    '/v1/applications/:application/configuration',
    'getConfiguration',
    'The configuration with its defaults, without secrets',
    answers.configuration,
    ({ application }) => ({
      configuration: application.configuration(),
    }),
  );

  server.get<ApplicationParams & { Querystring: { limit?: number } }>(
    '/v1/applications/:application/epochs',
    {
      schema: {
        operationId: 'listEpochs',
        summary: 'The last epochs, oldest first',
        tags: ['applications'],
        params: OF_APPLICATION,
        querystring: {
          type: 'object',
          properties: { limit: { type: 'integer', minimum: 1, maximum: EPOCHS_MAX, default: EPOCHS_MAX } },
          additionalProperties: false,
        },
        response: responses(answers.epochs),
      },
    },
    (request) => {
      const { epochs, commits } = applications.find(request.params.application).application.insight();
      return { epochs: epochs.slice(-(request.query.limit ?? EPOCHS_MAX)), commits };
    },
  );

  server.get<ApplicationParams & { Querystring: { after?: number } }>(
    '/v1/applications/:application/history',
    {
      schema: {
        operationId: 'getHistory',
        summary: 'The last 15 minutes in steps of 2 s, oldest first: for charts',
        tags: ['applications'],
        params: OF_APPLICATION,
        querystring: {
          type: 'object',
          properties: {
            after: {
              type: 'number',
              minimum: 0,
              default: 0,
              description: 'Only samples later than this `at`.',
            },
          },
          additionalProperties: false,
        },
        response: responses(answers.history),
      },
    },
    (request) => ({
      intervalMs: SAMPLE_MS,
      samples: applications.find(request.params.application).history.after(request.query.after ?? 0),
    }),
  );

  server.get<TaskParams>(
    '/v1/applications/:application/tasks/:task',
    {
      schema: {
        operationId: 'getTask',
        summary: 'One task',
        tags: ['applications'],
        params: OF_TASK,
        response: responses(answers.task),
      },
    },
    ({ params }) => {
      const { tasks } = applications.find(params.application).application.insight();
      const task = tasks.find(({ taskId }) => taskId === params.task);
      if (task === undefined) throw unknownTaskOf(params.task, tasks);
      return task;
    },
  );

  function show(
    url: string,
    operationId: string,
    summary: string,
    answer: z.ZodType,
    handler: (served: Served) => unknown,
  ): void {
    server.get<ApplicationParams>(
      url,
      {
        schema: {
          operationId,
          summary,
          tags: ['applications'],
          params: OF_APPLICATION,
          response: responses(answer),
        },
      },
      (request) => handler(applications.find(request.params.application)),
    );
  }
}

/** All that is known, with rates. */
export function wholeOf({ application, rates }: Served): Record<string, unknown> {
  const insight = application.insight();
  return { ...insight, ...rates.rated(insight) };
}

export function responses(answer: z.ZodType, status = 200): Record<string, unknown> {
  return {
    [status]: { description: 'The answer', ...jsonSchema(answer) },
    '4xx': { description: 'What is wrong with the request', ...jsonSchema(answers.error) },
    '5xx': { description: 'What the server failed with', ...jsonSchema(answers.error) },
  };
}

function summaryOf({ application }: Served): Record<string, unknown> {
  const { applicationId, instanceId, state, stateSince, paused, error } = application.insight();
  return { applicationId, instanceId, state, stateSince, paused, error };
}
