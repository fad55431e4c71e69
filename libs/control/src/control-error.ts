// Owns how a refusal looks on the wire: a MILLRACE_ code, what was wrong, with which request, what to do, and the status that HTTP has for
// it. Nothing of the inside (stacks, causes, contexts) leaves the server.
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { MillraceError, asError } from '#libs/core';
import type { ErrorCode, Logger, MillraceErrorOptions } from '#libs/core';

export interface ErrorBody {
  readonly error: {
    readonly code: string;
    readonly message: string;
    /** Method and path. */
    readonly where: string;
    readonly remedy: string | null;
  };
}

/** A refusal with a status of its own. */
export class ControlError extends MillraceError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, options: MillraceErrorOptions, headers: Readonly<Record<string, string>> = {}) {
    super(options);
    this.status = status;
    this.headers = headers;
  }
}

const STATUS: Partial<Readonly<Record<ErrorCode, number>>> = {
  MILLRACE_UNKNOWN_APPLICATION: 404,
  MILLRACE_UNKNOWN_TASK: 404,
  MILLRACE_CONTROL_BAD_REQUEST: 400,
  MILLRACE_CONTROL_READ_ONLY: 403,
  MILLRACE_CONTROL_UNAUTHORIZED: 401,
  MILLRACE_ILLEGAL_STATE: 409,
  MILLRACE_INVALID_CONFIG: 400,
  MILLRACE_RESET_MEMBERS_LIVE: 409,
  MILLRACE_RESET_UNFINISHED: 500,
  MILLRACE_STATE_LOCKED: 409,
  // What passes by itself: the same request again may succeed.
  MILLRACE_EPOCH_ABORTED: 503,
  MILLRACE_GENERATION_LOST: 503,
  MILLRACE_REBALANCE_IN_PROGRESS: 503,
  MILLRACE_BROKER_UNREACHABLE: 503,
};

export function badRequest(status: number, message: string, remedy?: string): ControlError {
  return new ControlError(status, {
    code: 'MILLRACE_CONTROL_BAD_REQUEST',
    message,
    remedy: remedy ?? 'See GET /openapi.json for what the server takes.',
  });
}

/** Answers with whatever a route threw, or fastify refused. */
export function errorHandler(
  logger: Logger,
): (error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  return async (error, request, reply) => {
    const refusal = toRefusal(error, request, logger);
    await reply.code(refusal.status).headers(refusal.headers).send(bodyOf(refusal, request));
  };
}

export function bodyOf(error: MillraceError, request: Pick<FastifyRequest, 'method' | 'url'>): ErrorBody {
  return {
    error: {
      code: error.code,
      message: plainMessage(error),
      // Without what comes behind a question mark, which may be a secret given at the wrong place.
      where: `${request.method} ${request.url.split('?', 1)[0]!}`,
      remedy: error.remedy ?? null,
    },
  };
}

function toRefusal(error: FastifyError | Error, request: FastifyRequest, logger: Logger): ControlError {
  if (error instanceof ControlError) return error;
  if (error instanceof MillraceError && STATUS[error.code] !== undefined) {
    const { code, remedy } = error;
    const status = STATUS[error.code]!;
    const retry: Record<string, string> = status === 503 ? { 'retry-after': '1' } : {};
    return new ControlError(
      status,
      { code, message: plainMessage(error), ...(remedy === undefined ? {} : { remedy }) },
      retry,
    );
  }
  const { statusCode = 500 } = error as Partial<FastifyError>;
  if (!(error instanceof MillraceError) && statusCode >= 400 && statusCode < 500) {
    return badRequest(statusCode, sentence(error.message));
  }
  logger.error(`The control server failed at ${request.method} ${request.routeOptions.url ?? 'a request'}`, {
    error: asError(error).message,
  });
  return new ControlError(500, {
    code: 'MILLRACE_CONTROL_FAILED',
    message:
      error instanceof MillraceError
        ? plainMessage(error)
        : 'The server failed at this request; its log says why.',
    remedy:
      error instanceof MillraceError && error.remedy !== undefined
        ? error.remedy
        : 'See the log of the application.',
  });
}

/** Without the code before and the remedy behind, which have fields of their own. */
function plainMessage({ message, code, remedy }: MillraceError): string {
  let plain = message;
  if (plain.startsWith(`${code}: `)) plain = plain.slice(code.length + 2);
  const suffix = ` Remedy: ${remedy ?? ''}`;
  return remedy !== undefined && plain.endsWith(suffix) ? plain.slice(0, -suffix.length) : plain;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
