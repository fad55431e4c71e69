// Owns the routes that change what an application does. They are there on every server, so that its description says what may be asked,
// and refuse where actions are not allowed. Each action is logged.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { asError, within } from '#libs/core';
import { ControlError } from '../control-error.ts';
import type { Applications } from '../applications.ts';
import type { ControlSettings } from '../options.ts';
import * as answers from '../schemas/answers.ts';
import { OF_APPLICATION, OF_TASK } from './parameters.ts';
import type { ApplicationParams, TaskParams } from './parameters.ts';
import { responses } from './read.ts';

/** How long an answer waits for what is under way to be committed. It goes on beyond. */
const WAIT_MS = 5_000;

export function registerActionRoutes(
  server: FastifyInstance,
  applications: Applications,
  { allowActions, logger, clock }: Pick<ControlSettings, 'allowActions' | 'logger' | 'clock'>,
): void {
  const schema = (operationId: string, summary: string, answer: z.ZodType, status = 200) => ({
    operationId,
    summary,
    tags: ['actions'],
    response: responses(answer, status),
  });
  const options = { onRequest: async () => refuseReadOnly(allowActions) };
  const note = (action: string, request: FastifyRequest): void => {
    logger.info(`Control: ${action}`, { from: request.ip });
  };
  const nothing = { type: ['object', 'null'], properties: {}, additionalProperties: false };

  server.post<ApplicationParams>(
    '/v1/applications/:application/pause',
    {
      ...options,
      schema: {
        ...schema(
          'pause',
          'Commits what was processed, and processes nothing more on this instance',
          answers.pausing,
        ),
        params: OF_APPLICATION,
        body: nothing,
      },
    },
    async (request) => {
      const { application } = applications.find(request.params.application);
      note(`pause "${application.applicationId}"`, request);
      await within(clock, WAIT_MS, application.pause());
      return { paused: true };
    },
  );

  server.post<ApplicationParams>(
    '/v1/applications/:application/resume',
    {
      ...options,
      schema: { ...schema('resume', 'Ends a pause', answers.pausing), params: OF_APPLICATION, body: nothing },
    },
    (request) => {
      const { application } = applications.find(request.params.application);
      note(`resume "${application.applicationId}"`, request);
      application.resume();
      return { paused: false };
    },
  );

  server.post<ApplicationParams>(
    '/v1/applications/:application/stop',
    {
      ...options,
      schema: {
        ...schema(
          'stop',
          'Drains and stops this instance: commits, hands its tasks back, leaves the group',
          answers.stopping,
          202,
        ),
        params: OF_APPLICATION,
        body: nothing,
      },
    },
    async (request, reply) => {
      const { application } = applications.find(request.params.application);
      note(`stop "${application.applicationId}"`, request);
      application
        .stop()
        .catch((error: unknown) =>
          logger.error('Control: the stop failed', { error: asError(error).message }),
        );
      return reply.code(202).send({ state: application.state });
    },
  );

  server.post<TaskParams & { Body: { dirty?: boolean } | null }>(
    '/v1/applications/:application/tasks/:task/restart',
    {
      ...options,
      schema: {
        ...schema(
          'restartTask',
          'Closes a task and opens it again from what is committed',
          answers.restarting,
          202,
        ),
        params: OF_TASK,
        body: {
          type: ['object', 'null'],
          properties: {
            dirty: {
              type: 'boolean',
              default: false,
              description:
                'Drop what is not committed, of all tasks of this instance, instead of committing it.',
            },
          },
          additionalProperties: false,
        },
      },
    },
    async (request, reply) => {
      const { application, task } = request.params;
      const dirty = request.body?.dirty === true;
      const served = applications.find(application).application;
      note(`restart task ${task} of "${application}"${dirty ? ', dirty' : ''}`, request);
      await within(clock, WAIT_MS, served.restartTask(task, { dirty }));
      return reply.code(202).send({ taskId: task, dirty });
    },
  );
}

/** @throws ControlError */
export function refuseReadOnly(allowActions: boolean): void {
  if (allowActions) return;
  throw new ControlError(403, {
    code: 'MILLRACE_CONTROL_READ_ONLY',
    message: 'This server only shows; it takes no actions.',
    remedy: 'Create it with allowActions: true.',
  });
}
