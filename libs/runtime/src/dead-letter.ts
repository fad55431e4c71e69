// Owns the headers of a dead letter: the record's own, but for those that only a dead letter has, then what went wrong and where.
import { encodeHeaders } from '#libs/broker';
import { MillraceError } from '#libs/core';
import type { BinaryString, RecordHeader } from '#libs/core';
import { DEAD_LETTER_HEADERS as NAMES, isErrorHeader } from './failure-policy.ts';
import type { FailureStage } from './failure-policy.ts';
import type { RecordHistory } from './retry-headers.ts';

const STACK_CHARACTERS_MAX = 8_192;
const MESSAGE_CHARACTERS_MAX = 2_048;
/** Where room is scarce. */
const MESSAGE_CHARACTERS_SHORT = 256;

export interface DeadLetterCause {
  readonly error: MillraceError;
  readonly stage: FailureStage;
  /** `null`: not known. */
  readonly node: string | null;
  /** Where the record lay at first; topic '': it is of no input, and its headers do not say. */
  readonly history: RecordHistory;
}

/** What our errors are about, where they say it. */
function thrownBehind(error: MillraceError): Error {
  let thrown: Error = error;
  while (thrown instanceof MillraceError && thrown.cause instanceof Error) thrown = thrown.cause;
  return thrown;
}

/** `failedAt`: milliseconds since the Unix epoch. */
export function encodeDeadLetter(
  original: readonly RecordHeader[],
  { error, stage, node, history }: DeadLetterCause,
  failedAt: number,
  withStack: boolean,
): BinaryString {
  const cause = thrownBehind(error);
  const text = (key: string, value: string): RecordHeader => ({ key, value: Buffer.from(value) });
  return encodeHeaders([
    // What an input says of its own end is nobody's account: a redrive would go by it.
    ...original.filter(({ key }) => !isErrorHeader(key)),
    text(NAMES.exception, cause.name),
    text(
      NAMES.message,
      cause.message.slice(0, withStack ? MESSAGE_CHARACTERS_MAX : MESSAGE_CHARACTERS_SHORT),
    ),
    ...(withStack ? [text(NAMES.stacktrace, (cause.stack ?? '').slice(0, STACK_CHARACTERS_MAX))] : []),
    ...(history.topic === ''
      ? []
      : [
          text(NAMES.topic, history.topic),
          text(NAMES.partition, String(history.partition)),
          text(NAMES.offset, String(history.offset)),
        ]),
    text(NAMES.code, error.code),
    text(NAMES.stage, stage),
    ...(node === null ? [] : [text(NAMES.node, node)]),
    text(NAMES.timestamp, String(history.timestamp)),
    text(NAMES.attempts, String(history.attempts)),
    text(NAMES.failedAt, String(failedAt)),
  ]);
}
