// Owns the route that resets an application. Nothing of it runs then: the instance was stopped before, and the server outlives it.
import type { FastifyInstance } from 'fastify';
import type { OwnResetOptions } from '#libs/millrace';
import type { Applications } from '../applications.ts';
import type { ControlSettings } from '../options.ts';
import { resetting } from '../schemas/answers.ts';
import { RESET_BODY } from '../schemas/reset.ts';
import { refuseReadOnly } from './actions.ts';
import { OF_APPLICATION } from './parameters.ts';
import type { ApplicationParams } from './parameters.ts';
import { responses } from './read.ts';

interface ResetBody {
  readonly execute?: boolean;
  readonly target?: OwnResetOptions['target'];
  readonly deadLetters?: OwnResetOptions['deadLetters'];
  readonly force?: boolean;
}

export function registerResetRoute(
  server: FastifyInstance,
  applications: Applications,
  { allowActions, logger }: Pick<ControlSettings, 'allowActions' | 'logger'>,
): void {
  server.post<ApplicationParams & { Body: ResetBody | null }>(
    '/v1/applications/:application/reset',
    {
      onRequest: async () => refuseReadOnly(allowActions),
      schema: {
        operationId: 'reset',
        summary:
          'Sets the inputs and deletes the state of the application, which must not run anywhere; without `execute` it says what would change',
        tags: ['actions'],
        response: responses(resetting),
        params: OF_APPLICATION,
        body: RESET_BODY,
      },
    },
    async (request) => {
      const { application } = applications.find(request.params.application);
      const { execute = false, ...options } = request.body ?? {};
      if (!execute) {
        const plan = await application.planReset(options);
        return { executed: false, plan, removedMembers: 0, endedTransactions: [] };
      }
      logger.info(`Control: reset "${application.applicationId}"`, { from: request.ip });
      const { plan, removedMembers, endedTransactions } = await application.reset(options);
      return { executed: true, plan, removedMembers, endedTransactions };
    },
  );
}
