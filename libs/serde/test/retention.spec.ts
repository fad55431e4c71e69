// What users keep of a record must not keep the record's whole batch alive: V8's substrings are views of their source.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { Serdes, compileCodec, detachBinary } from '#libs/serde';
import type { BinaryString } from '#libs/serde';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const BATCHES = 64;
const BATCH_BYTES = 1024 * 1024;

/** Large strings lie outside V8's heap. */
function memoryUsed(): number {
  collectGarbage();
  collectGarbage();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external - arrayBuffers;
}

/** Bytes that stay alive when `keep` takes something of each of many batches. */
function retained(keep: (text: string, bytes: Buffer, start: number, end: number) => unknown): number {
  const record = JSON.stringify({ short: 'abc', middle: 'm'.repeat(20), long: 'l'.repeat(60) });
  const kept: unknown[] = [];
  const before = memoryUsed();
  for (let i = 0; i < BATCHES; i++) {
    const bytes = Buffer.alloc(BATCH_BYTES, record);
    kept.push(keep(bytes.toString('latin1'), bytes, 0, record.length));
  }
  const after = memoryUsed();
  expect(kept).toHaveLength(BATCHES);
  return after - before;
}

describe('what is kept of a batch', () => {
  const json = compileCodec(Serdes.json());
  const string = compileCodec(Serdes.string());

  it('is all of it with a plain substring, which shows that this spec can fail', () => {
    expect(retained((text, _, start, end) => text.substring(start, end))).toBeGreaterThan(
      (BATCHES / 2) * BATCH_BYTES,
    );
  });

  it.each<[string, Parameters<typeof retained>[0]]>([
    [
      'a detached substring',
      (text, _, start, end) => detachBinary(text.substring(start, end) as BinaryString),
    ],
    ['a detached substring of 20 characters', (text) => detachBinary(text.substring(0, 20) as BinaryString)],
    ['a value of JSON', (text, bytes, start, end) => json.decodeRange!(text, start, end, bytes)],
    ['a value of JSON, without bytes', (text, _, start, end) => json.decodeRange!(text, start, end)],
    ['a string', (text, bytes, start, end) => string.decodeRange!(text, start, end, bytes, true)],
    ['a string of 20 characters', (text) => string.fromBinary(text.substring(0, 20) as BinaryString, true)],
  ])('is little with %s', (_, keep) => {
    expect(retained(keep)).toBeLessThan((BATCHES / 4) * BATCH_BYTES);
  });
});
