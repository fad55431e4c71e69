// Owns the headers of a dead letter: the record's own, then what went wrong and where.
import { encodeHeaders } from '#libs/broker';
import type { BinaryString, MillraceError, RecordHeader } from '#libs/core';
import { DEAD_LETTER_HEADERS as NAMES } from './failure-policy.ts';
import type { FailureStage } from './failure-policy.ts';

const STACK_CHARACTERS_MAX = 8_192;

export function encodeDeadLetter(
  original: readonly RecordHeader[],
  error: MillraceError,
  stage: FailureStage,
  source: { readonly topic: string; readonly partition: number; readonly offset: number },
  withStack: boolean,
): BinaryString {
  const cause = error.cause instanceof Error ? error.cause : error;
  const text = (key: string, value: string): RecordHeader => ({ key, value: Buffer.from(value) });
  return encodeHeaders([
    ...original,
    text(NAMES.exception, cause.name),
    text(NAMES.message, cause.message),
    ...(withStack ? [text(NAMES.stacktrace, (cause.stack ?? '').slice(0, STACK_CHARACTERS_MAX))] : []),
    text(NAMES.topic, source.topic),
    text(NAMES.partition, String(source.partition)),
    text(NAMES.offset, String(source.offset)),
    text(NAMES.code, error.code),
    text(NAMES.stage, stage),
  ]);
}
