import { describe, expect, it } from '@jest/globals';
import { EpochAbortedError, MillraceError, formatTaskId, parseTaskId, parseTopicPartition } from '#libs/core';

describe('MillraceError', () => {
  it('carries code, cause, remedy and context, and says code and remedy in its message', () => {
    const cause = new Error('socket closed');
    const error = new EpochAbortedError({
      code: 'MILLRACE_EPOCH_ABORTED',
      message: 'The end of transaction "a-0" has no answer.',
      remedy: 'None needed: the worker starts over from the committed offsets.',
      cause,
      context: { transactionalId: 'a-0' },
    });
    expect(error).toBeInstanceOf(MillraceError);
    expect(error.name).toBe('EpochAbortedError');
    expect(error.message).toContain('MILLRACE_EPOCH_ABORTED');
    expect(error.message).toContain('Remedy: None needed');
    expect(error.cause).toBe(cause);
    expect(error.context).toEqual({ transactionalId: 'a-0' });
  });
});

describe('ids', () => {
  it('round trip through their text form', () => {
    expect(parseTaskId(formatTaskId({ subTopology: 2, partition: 17 }))).toEqual({
      subTopology: 2,
      partition: 17,
    });
    expect(parseTopicPartition('a-b-3')).toEqual({ topic: 'a-b', partition: 3 });
  });
});
