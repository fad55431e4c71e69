import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { murmur2, murmur2OfBytes, partitionForKey } from '#libs/broker';
import type { BinaryString } from '#libs/core';

describe('murmur2', () => {
  // The values of Kafka's own UtilsTest.
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('hashes %s as Java does', (key, hash) => {
    expect(murmur2(key as BinaryString)).toBe(hash);
    expect(murmur2OfBytes(Buffer.from(`..${key}..`), 2, 2 + key.length)).toBe(hash);
  });

  it('is the same of bytes and of binary strings', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const binary = Buffer.from(bytes).toString('latin1') as BinaryString;
        expect(murmur2(binary)).toBe(murmur2OfBytes(bytes));
      }),
    );
  });

  it('masks the sign for the partition instead of negating', () => {
    expect(partitionForKey('21' as BinaryString, 7)).toBe((-973932308 & 0x7fffffff) % 7);
    expect(partitionForKey('abc' as BinaryString, 7)).toBe(479470107 % 7);
  });
});
