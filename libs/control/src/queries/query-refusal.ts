// Owns how a refused query looks on the wire: as every other refusal of the server, and when to ask again and whom.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { MillraceError, asError } from '#libs/core';
import type { ErrorCode, Logger } from '#libs/core';
import { StoreQueryError } from '#libs/millrace';
import { bodyOf, ControlError } from '../control-error.ts';
import type { ErrorBody } from '../control-error.ts';

export interface QueryErrorBody {
  readonly error: ErrorBody['error'] & {
    readonly retryAfterMs: number | null;
    readonly owner: string | null;
  };
}

const STATUS: Partial<Readonly<Record<ErrorCode, number>>> = {
  MILLRACE_QUERY_INVALID: 400,
  MILLRACE_STORE_UNKNOWN: 404,
  MILLRACE_CHANGES_LOST: 410,
  MILLRACE_STORE_NOT_RUNNING: 503,
  MILLRACE_STORE_REBALANCING: 503,
  MILLRACE_STORE_ELSEWHERE: 503,
  MILLRACE_STANDBY_TOO_STALE: 503,
  MILLRACE_QUERY_UNANSWERED: 503,
  MILLRACE_SCHEMA_REGISTRY_UNAVAILABLE: 503,
};

export function queryErrorHandler(
  logger: Logger,
): (error: Error, request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  return async (thrown, request, reply) => {
    const { status, error } = refusalOf(thrown, request, logger);
    const { retryAfterMs } = error;
    if (retryAfterMs !== null)
      void reply.header('retry-after', String(Math.max(1, Math.ceil(retryAfterMs / 1_000))));
    const { error: body } = bodyOf(error, request);
    const answer: QueryErrorBody = { error: { ...body, retryAfterMs, owner: error.owner } };
    await reply.code(status).type('application/json; charset=utf-8').send(answer);
  };
}

export function refusalOf(
  thrown: unknown,
  request: Pick<FastifyRequest, 'method' | 'url'>,
  logger: Logger,
): { readonly status: number; readonly error: StoreQueryError } {
  if (thrown instanceof StoreQueryError) return { status: STATUS[thrown.code] ?? 500, error: thrown };
  if (thrown instanceof ControlError) {
    const { status, code, message, remedy = 'See docs/operations/security.md.' } = thrown;
    const plain = message.replace(`${code}: `, '').replace(` Remedy: ${remedy}`, '');
    return { status, error: new StoreQueryError({ code, message: plain, remedy }) };
  }
  const { statusCode = 500 } = thrown as { readonly statusCode?: number };
  if (!(thrown instanceof MillraceError) && statusCode >= 400 && statusCode < 500) {
    const message = asError(thrown).message;
    return {
      status: statusCode,
      error: new StoreQueryError({
        code: 'MILLRACE_QUERY_INVALID',
        message: /[.!?]$/.test(message) ? message : `${message}.`,
        remedy: 'See docs/guide/queries.md for what the routes take.',
      }),
    };
  }
  logger.error(`A query failed at ${request.method} ${request.url.split('?', 1)[0]!}`, {
    error: asError(thrown).message,
  });
  const code = thrown instanceof MillraceError ? thrown.code : 'MILLRACE_CONTROL_FAILED';
  const error = new StoreQueryError({
    code,
    message:
      thrown instanceof MillraceError ? 'The store could not be read.' : 'The server failed at this query.',
    remedy: 'See the log of the application.',
    retryAfterMs: STATUS[code] === 503 ? 1_000 : null,
  });
  return { status: STATUS[code] ?? 500, error };
}

export function unanswered(owner: string, why: string): StoreQueryError {
  return new StoreQueryError({
    code: 'MILLRACE_QUERY_UNANSWERED',
    message: `The instance ${owner} did not answer: ${why}.`,
    remedy: 'Ask again later; or with from=activeOrStandby, where there are standby copies.',
    retryAfterMs: 1_000,
    owner,
    context: { owner },
  });
}
