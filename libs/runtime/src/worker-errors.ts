// Owns what an error means to a worker's loop: begin anew, or end.
import { RetriableError, TaskCorruptedError, TaskMigratedError } from '#libs/core';
import { isEpochFailure } from './epoch-commit.ts';

/** What the worker can begin anew from. */
export function isRecoverable(error: unknown): error is Error {
  return isEpochFailure(error) || error instanceof RetriableError || error instanceof TaskCorruptedError;
}

export function isFencing(error: unknown): error is TaskMigratedError {
  return error instanceof TaskMigratedError && error.code === 'MILLRACE_PRODUCER_FENCED';
}
