// Batches that Kafka's own Java classes wrote (fixtures/java-batches, which also holds the program), in every compression.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { COMPRESSION_TYPES, readRecordBatches } from '#libs/broker';
import { decodeAll } from './support.ts';

const utf8 = (text: string): string => Buffer.from(text).toString('latin1');

describe('record batches of the Java client', () => {
  it.each(COMPRESSION_TYPES)('are read with compression %s', (compression) => {
    const bytes = readFileSync(new URL(`../fixtures/java-batches/${compression}.bin`, import.meta.url));
    expect(readRecordBatches(bytes)).toMatchObject([
      {
        compression,
        baseOffset: 1000,
        lastOffset: 1299,
        producerId: 4242,
        producerEpoch: 3,
        baseSequence: 77,
        partitionLeaderEpoch: 9,
        isTransactional: true,
        isControl: false,
        recordCount: 300,
        maxTimestamp: 1_700_000_298_000,
      },
    ]);
    const expected = Array.from({ length: 300 }, (_, i) => ({
      offset: 1000 + i,
      timestamp: 1_700_000_000_000 + i * 1000 - (i % 2) * 5000,
      key: i % 5 === 0 ? null : utf8(`klíč ${i}`),
      value: i % 7 === 0 ? null : `value ${i} `.repeat(i % 12),
      headers:
        i % 3 === 0
          ? [
              { key: 'n', value: Buffer.from([i & 0xff]) },
              { key: 'none', value: null },
            ]
          : [],
    }));
    expect(decodeAll(bytes)).toEqual(expected);
  });
});
