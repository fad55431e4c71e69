// Owns the error taxonomy: errors are named by what the worker must do about them.
//
//   RetriableError      send the same bytes again
//   EpochAbortedError   abandon the epoch and all built on it, re-initialise the writer
//   TaskMigratedError   fenced, or the generation is gone: close the tasks dirty, rejoin
//   TaskCorruptedError  set this task's store aside and restore it
//   FatalError          stop the worker, report unhealthy
import type { ErrorCode } from './error-codes.ts';

export interface MillraceErrorOptions {
  readonly code: ErrorCode;
  /** What was wrong, with which input, where: one sentence. */
  readonly message: string;
  /** What to do about it: one sentence. */
  readonly remedy?: string;
  readonly cause?: unknown;
  /** Structured facts for logs and health. Never secrets, never payloads. */
  readonly context?: Readonly<Record<string, unknown>>;
}

/** Every refusal of Millrace. `docs/errors/<code>.md` explains the code. */
export class MillraceError extends Error {
  readonly code: ErrorCode;
  readonly remedy: string | undefined;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(options: MillraceErrorOptions) {
    super(
      `${options.code}: ${options.message}${options.remedy === undefined ? '' : ` Remedy: ${options.remedy}`}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.name = new.target.name;
    this.code = options.code;
    this.remedy = options.remedy;
    this.context = options.context ?? {};
  }
}

/** The same bytes may be sent again: the request had no effect, or a repeated effect is deduplicated. */
export class RetriableError extends MillraceError {}

/** The epoch's outcome is failure or unknown: nothing of it, or of any later epoch, may be kept. */
export class EpochAbortedError extends MillraceError {}

/** This worker no longer owns what it was working on. Close its tasks without committing and rejoin. */
export class TaskMigratedError extends MillraceError {}

/** The local state of the named tasks cannot be trusted. Set it aside and restore it from the changelog. */
export class TaskCorruptedError extends MillraceError {
  readonly taskIds: readonly string[];

  constructor(taskIds: readonly string[], options: MillraceErrorOptions) {
    super(options);
    this.taskIds = taskIds;
  }
}

/** Nothing the worker can do helps: it stops and reports unhealthy. */
export class FatalError extends MillraceError {}

/** `error` as an Error, whatever was thrown. */
/** The error itself, or, where nobody foresaw it, one that says that `what` failed. */
export function asMillrace(error: unknown, what: string): MillraceError {
  if (error instanceof MillraceError) return error;
  return new FatalError({
    code: 'MILLRACE_PROCESSING_FAILED',
    message: `${what} failed: ${asError(error).message}`,
    remedy: 'See the cause.',
    cause: error,
  });
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
