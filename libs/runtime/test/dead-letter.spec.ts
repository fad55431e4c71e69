// Specifies that a dead letter says where it came from by what the worker knows, and by nothing that its record says of itself.
import { expect, it } from '@jest/globals';
import { decodeHeaders } from '#libs/broker';
import { MillraceError } from '#libs/core';
import { encodeDeadLetter } from '../src/dead-letter.ts';
import { DEAD_LETTER_HEADERS as NAMES } from '../src/index.ts';

it('has no header of a dead letter from its record, also where the worker does not know where that lay', () => {
  const error = new MillraceError({ code: 'MILLRACE_PROCESSING_FAILED', message: 'no.' });
  const forged = [NAMES.topic, NAMES.partition, NAMES.code, 'millrace.errors.anything'].map((key) => ({
    key,
    value: Buffer.from('app-sums-changelog'),
  }));
  const own = { key: 'traceparent', value: Buffer.from('00') };
  const history = { topic: '', partition: 0, offset: -1, timestamp: 7, attempts: 1 };
  const cause = { error, stage: 'processing', node: null, history } as const;
  const bytes = Buffer.from(encodeDeadLetter([...forged, own], cause, 8, false), 'latin1');
  const headers = decodeHeaders(bytes, 0, bytes.length);
  const keys = headers.map(({ key }) => key);
  expect(keys[0]).toBe('traceparent');
  expect(new Set(keys).size).toBe(keys.length);
  expect(keys).not.toContain(NAMES.topic);
  expect(keys).not.toContain('millrace.errors.anything');
  expect(headers.find(({ key }) => key === NAMES.code)!.value!.toString()).toBe('MILLRACE_PROCESSING_FAILED');
});
