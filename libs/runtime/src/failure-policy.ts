// Owns the application's own answer to a record that cannot be decoded, processed or produced: fail, continue, or dead-letter. It is asked where
// neither the node that failed nor the source of the record has a policy (`FailurePolicy` of libs/topology), or where that leaves it open.
// Whatever the answer, the record leaves nothing behind: no state, no output (unlike Kafka Streams, which keeps partial effects).
import type { MillraceError, RecordOrigin } from '#libs/core';

/** Where in the way of a record it failed. */
export type FailureStage = 'deserialization' | 'processing' | 'production';

/** Of an alarm or a delivery the topic is '' and the offset -1. Of a record out of a retry topic they say where it lay at first. */
export interface RecordFailure extends RecordOrigin {
  readonly stage: FailureStage;
  readonly taskId: string;
  readonly error: MillraceError;
  /** The operator or sink that failed; of a record that cannot be decoded, its source. `null`: not known. */
  readonly node?: string | null;
  /** Tries that failed, in all: 1 without retries. */
  readonly attempts?: number;
}

/** `fail` stops the worker; `continue` skips the record; a dead letter goes out in the same transaction as the offsets. */
export type FailureResponse = 'fail' | 'continue' | { readonly deadLetterTopic: string };

/** Decides on one failed record. Synchronous; a throw counts as `fail`. */
export type ExceptionHandler = (failure: RecordFailure) => FailureResponse;

export const logAndFail: ExceptionHandler = () => 'fail';
export const logAndContinue: ExceptionHandler = () => 'continue';

/**
 * Sends the original record with the error in its headers to `topic`, which must exist. Where no record of the task's failed (a timer, a
 * delivery, a record of a global store) there is nothing to send: it continues, and says so in the log.
 */
export function deadLetter(topic: string): ExceptionHandler {
  const response: FailureResponse = { deadLetterTopic: topic };
  return () => response;
}

export interface ExceptionHandlers {
  readonly deserialization: ExceptionHandler;
  readonly processing: ExceptionHandler;
  readonly production: ExceptionHandler;
}

export const DEFAULT_EXCEPTION_HANDLERS: ExceptionHandlers = {
  deserialization: logAndFail,
  processing: logAndFail,
  production: logAndFail,
};

/** Header names of a dead letter: those of Kafka Streams (KIP-1034), so that existing tools read them. */
export const DEAD_LETTER_HEADERS = {
  exception: '__streams.errors.exception',
  message: '__streams.errors.message',
  stacktrace: '__streams.errors.stacktrace',
  topic: '__streams.errors.topic',
  partition: '__streams.errors.partition',
  offset: '__streams.errors.offset',
  code: 'millrace.errors.code',
  stage: 'millrace.errors.stage',
  node: 'millrace.errors.node',
  timestamp: 'millrace.errors.timestamp',
  attempts: 'millrace.errors.attempts',
  failedAt: 'millrace.errors.failed-at',
} as const;

const ERROR_PREFIXES = ['__streams.errors.', 'millrace.errors.'];

/** Of a header that only a dead letter has, of this version or another. */
export function isErrorHeader(key: string): boolean {
  return ERROR_PREFIXES.some((prefix) => key.startsWith(prefix));
}
