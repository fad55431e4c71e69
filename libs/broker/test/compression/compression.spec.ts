import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { COMPRESSION_TYPES, compress, decompress } from '#libs/broker';
import type { CompressionType } from '#libs/broker';
import { snappyCompressFramed } from '../../src/compression/snappy.ts';

const writable = ['none', 'gzip', 'lz4', 'zstd'] as const;
const text = Buffer.from('{"id":1,"account":"k12","amount":3.5}\n'.repeat(20_000));
const pack = (type: CompressionType, bytes: Buffer): Buffer =>
  type === 'snappy' ? snappyCompressFramed(bytes) : compress(type, bytes);

describe('compression', () => {
  it.each(writable)('gives back what %s compressed', (type) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) => {
        expect(decompress(type, compress(type, Buffer.from(bytes))).equals(bytes)).toBe(true);
      }),
      { numRuns: 30 },
    );
    expect(decompress(type, compress(type, text)).equals(text)).toBe(true);
  });

  it('reads Snappy in frames of several chunks, and raw', () => {
    expect(decompress('snappy', snappyCompressFramed(text)).equals(text)).toBe(true);
    // A raw block by hand: its length, one literal of three bytes, a copy of six bytes from three back.
    const raw = Buffer.from([9, (3 - 1) << 2, 0x61, 0x62, 0x63, ((6 - 4) << 2) | 1, 3]);
    expect(decompress('snappy', raw).toString()).toBe('abcabcabc');
  });

  it('refuses to write Snappy', () => {
    expect(() => compress('snappy', text)).toThrow(
      expect.objectContaining({ code: 'MILLRACE_INVALID_CONFIG' }),
    );
  });

  it('writes LZ4 frames of independent blocks, which Java insists on', () => {
    const frame = compress('lz4', text);
    expect(frame.readUInt32LE(0)).toBe(0x184d2204);
    expect(frame[4]! >> 6).toBe(1); // version
    expect(frame[4]! & 0x20).toBe(0x20); // blocks independent
    expect(frame[4]! & 0x03).toBe(0); // reserved, no dictionary
  });

  it.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'refuses a %s batch that unfolds beyond the limit',
    (type) => {
      const bomb = pack(type, Buffer.alloc(10_000_000));
      expect(() => decompress(type, bomb, { maxBytes: 1_000_000 })).toThrow(
        expect.objectContaining({ code: 'MILLRACE_BATCH_TOO_LARGE' }),
      );
      expect(decompress(type, bomb, { maxBytes: 12_000_000 })).toHaveLength(10_000_000);
    },
  );

  it.each(['gzip', 'lz4', 'zstd'] as const)(
    'refuses %s frames that together unfold beyond the limit',
    (type) => {
      const bomb = pack(type, Buffer.alloc(700_000));
      let length = 0;
      try {
        length = decompress(type, Buffer.concat([bomb, bomb, bomb]), { maxBytes: 1_000_000 }).length;
      } catch (error) {
        expect(error).toMatchObject({ code: 'MILLRACE_BATCH_TOO_LARGE' });
      }
      expect(length).toBeLessThanOrEqual(1_000_000);
    },
  );

  it('allocates nothing for a Snappy block that announces more than it can hold', () => {
    const liar = Buffer.from([0x80, 0x80, 0x80, 0x40, 0, 0, 0]);
    expect(() => decompress('snappy', liar, { maxBytes: 256 * 1024 * 1024 })).toThrow(
      expect.objectContaining({ code: 'MILLRACE_CORRUPT_BATCH' }),
    );
  });

  it.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('refuses damaged %s data with a code', (type) => {
    const good = pack(type, Buffer.from('some text that repeats, some text that repeats'));
    const refusal = { code: expect.stringMatching(/^MILLRACE_(CORRUPT_BATCH|BATCH_TOO_LARGE)$/) };
    for (let cut = 0; cut < good.length - 12; cut++) {
      let result: Buffer | undefined;
      try {
        result = decompress(type, good.subarray(0, cut), { maxBytes: 1_000_000 });
      } catch (error) {
        expect(error).toMatchObject(refusal);
      }
      // Empty or headless input is an empty batch to some formats, never a wrong one.
      if (result !== undefined) expect(result).toHaveLength(0);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        try {
          decompress(type, Buffer.from(bytes), { maxBytes: 1_000_000 });
        } catch (error) {
          expect(error).toMatchObject(refusal);
        }
      }),
    );
  });

  it('reads what the reference implementations in Node write', () => {
    expect(decompress('gzip', gzipSync(text)).equals(text)).toBe(true);
    expect(decompress('zstd', zstdCompressSync(text)).equals(text)).toBe(true);
  });

  it('numbers the types as the protocol does', () => {
    expect(COMPRESSION_TYPES).toEqual(['none', 'gzip', 'snappy', 'lz4', 'zstd']);
  });
});
