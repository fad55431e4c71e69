import { describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import {
  BatchBufferPool,
  RecordBatchEncoder,
  RecordColumns,
  compressBatch,
  encodeHeaders,
  readRecordBatches,
  stampBatch,
} from '#libs/broker';
import type { EncodedBatch } from '#libs/broker';
import type { BinaryString } from '#libs/core';
import { UNSTAMPED, decodeAll } from './support.ts';

const stamp = { producerId: 42, producerEpoch: 3, baseSequence: 100, isTransactional: true };
const bin = (text: string): BinaryString => text as BinaryString;

function read(batch: EncodedBatch): ReturnType<typeof decodeAll> {
  stampBatch(batch, UNSTAMPED);
  return decodeAll(batch.bytes);
}

describe('RecordBatchEncoder', () => {
  it('writes text as UTF-8, ASCII or not', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 200 }), { minLength: 1 }), (texts) => {
        const encoder = new RecordBatchEncoder();
        for (const text of texts) encoder.appendText(1, null, text);
        const values = read(encoder.finish()!).map(({ value }) =>
          Buffer.from(value!, 'latin1').toString('utf8'),
        );
        expect(values).toEqual(texts.map((text) => text.toWellFormed()));
      }),
    );
  });

  it('is byte for byte the same with values written in place', () => {
    const write = (text: string, bytes: Buffer, at: number): number =>
      at + Buffer.byteLength(text) > bytes.length ? -1 : at + bytes.write(text, at);
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            text: fc.oneof(
              fc.string({ unit: 'grapheme' }),
              fc.string({ minLength: 50, maxLength: 70 }),
              fc.string({ minLength: 8100, maxLength: 9000 }),
            ),
            timestamp: fc.integer({ min: 0, max: 2 ** 40 }),
            key: fc.option(fc.string({ unit: 'binary-ascii', maxLength: 100 }), { nil: null }),
            headers: fc.option(
              fc.string().map((key) => encodeHeaders([{ key, value: null }])),
              { nil: undefined },
            ),
          }),
          { minLength: 1, maxLength: 30 },
        ),
        (records) => {
          const expected = new RecordBatchEncoder();
          const encoder = new RecordBatchEncoder();
          for (const { text, timestamp, key, headers } of records) {
            const size = expected.appendText(timestamp, key as BinaryString | null, text, headers);
            const written = encoder.appendValue(timestamp, key as BinaryString | null, text, write, headers);
            if (written < 0) encoder.appendText(timestamp, key as BinaryString | null, text, headers);
            else expect(written).toBe(size);
          }
          expect(encoder.finish()!.bytes.equals(expected.finish()!.bytes)).toBe(true);
        },
      ),
    );
  });

  it('appends nothing when a writer declines', () => {
    const encoder = new RecordBatchEncoder();
    expect(encoder.appendValue(1, bin('key'), 'value', () => -1)).toBe(-1);
    expect(encoder.count).toBe(0);
    expect(encoder.finish()).toBeUndefined();
  });

  it('returns the size of what it appended', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -(2 ** 50), max: 2 ** 50 }),
        fc.option(fc.string({ maxLength: 9000 }), { nil: null }),
        fc.string({ unit: 'grapheme', maxLength: 100 }),
        (timestamp, key, text) => {
          const encoder = new RecordBatchEncoder();
          encoder.append(0, null, null);
          const before = encoder.size;
          const headers = encodeHeaders([{ key: 'h', value: Buffer.from(text) }]);
          expect(encoder.append(timestamp, key as BinaryString | null, null, headers)).toBe(
            encoder.size - before,
          );
          const middle = encoder.size;
          expect(encoder.appendText(timestamp, null, text)).toBe(encoder.size - middle);
          expect(encoder.finish()!.bytes.length).toBeGreaterThan(middle);
        },
      ),
    );
  });

  it('is byte for byte as before once a record is rolled back', () => {
    const operations = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 5000 }), fc.string()), {
      minLength: 1,
    });
    fc.assert(
      fc.property(operations, operations, (kept, undone) => {
        const expected = new RecordBatchEncoder();
        const encoder = new RecordBatchEncoder();
        const mark = encoder.mark();
        for (const [text, timestamp, value] of kept) {
          for (const [, ...rest] of undone) encoder.appendText(rest[0], null, rest[1]);
          encoder.rollback(mark);
          for (const each of [expected, encoder]) {
            if (text) each.appendText(timestamp, bin('k'), value);
            else each.append(timestamp, null, bin('b'));
          }
          encoder.mark(mark);
          expect([encoder.count, encoder.size, encoder.maxTimestamp]).toEqual([
            expected.count,
            expected.size,
            expected.maxTimestamp,
          ]);
        }
        expect(encoder.finish()!.bytes.equals(expected.finish()!.bytes)).toBe(true);
      }),
    );
  });

  it('refuses a mark that lies ahead of it', () => {
    const encoder = new RecordBatchEncoder();
    encoder.append(1, null, bin('value'));
    const mark = encoder.mark();
    encoder.finish();
    expect(() => encoder.rollback(mark)).toThrow();
  });

  it('moves less than it holds while it grows, however many records there are', () => {
    const copy = jest.spyOn(Buffer.prototype, 'copy');
    try {
      const encoder = new RecordBatchEncoder();
      for (let i = 0; i < 50_000; i++) encoder.append(i, bin(`k${i % 100}`), bin(String(i)));
      const { bytes } = encoder.finish()!;
      let moved = 0;
      for (const buffer of copy.mock.contexts) moved += (buffer as Buffer).length;
      expect(moved).toBeGreaterThan(0);
      expect(moved).toBeLessThan(2 * bytes.length);
    } finally {
      copy.mockRestore();
    }
  });

  it('says when a record would take the batch over its limit, but not of an empty batch', () => {
    const encoder = new RecordBatchEncoder();
    expect(encoder.wouldExceed(100, 1000)).toBe(false);
    encoder.append(1, null, bin('value'));
    expect(encoder.wouldExceed(encoder.size + 10, 10)).toBe(false);
    expect(encoder.wouldExceed(encoder.size + 10, 11)).toBe(true);
  });

  it('finishes nothing when nothing was appended', () => {
    expect(new RecordBatchEncoder().finish()).toBeUndefined();
  });

  it('keeps the newest timestamp, and the first as base', () => {
    const encoder = new RecordBatchEncoder();
    for (const timestamp of [5, -1, 9, 7]) encoder.append(timestamp, null, null);
    const batch = encoder.finish()!;
    expect(batch).toMatchObject({ recordCount: 4, baseTimestamp: 5, maxTimestamp: 9 });
    expect(read(batch).map(({ timestamp }) => timestamp)).toEqual([5, -1, 9, 7]);
    expect(encoder.count).toBe(0);
  });
});

describe('stampBatch', () => {
  const make = (): EncodedBatch => {
    const encoder = new RecordBatchEncoder();
    for (let i = 0; i < 100; i++) encoder.appendText(i, bin(`key ${i}`), `some value that repeats ${i}`);
    return encoder.finish()!;
  };

  it('gives the same bytes for the same numbers, whatever was stamped in between', () => {
    const batch = make();
    stampBatch(batch, stamp);
    const first = Buffer.from(batch.bytes);
    stampBatch(batch, { ...stamp, producerEpoch: 4, isTransactional: false });
    expect(batch.bytes.equals(first)).toBe(false);
    stampBatch(batch, stamp);
    expect(batch.bytes.equals(first)).toBe(true);
  });

  it.each(['gzip', 'lz4', 'zstd'] as const)('writes batches compressed by %s', (compression) => {
    const plain = read(make());
    const batch = compressBatch(make(), compression);
    stampBatch(batch, stamp);
    expect(batch.bytes.length).toBeLessThan(make().bytes.length);
    const [view] = readRecordBatches(batch.bytes);
    expect(view).toMatchObject({
      compression,
      producerId: 42,
      isTransactional: true,
      recordCount: 100,
      maxTimestamp: 99,
    });
    expect(decodeAll(batch.bytes)).toEqual(plain);
    expect(new RecordColumns().decode(view!, 90)).toBe(10);
  });
});

describe('BatchBufferPool', () => {
  it('lends the memory of released batches again, once', () => {
    const pool = new BatchBufferPool();
    const encoder = new RecordBatchEncoder(pool, 4096);
    encoder.append(1, null, bin('first'));
    const first = encoder.finish()!;
    const memory = first.bytes.buffer;
    first.release();
    first.release();
    expect(pool.retainedBytes).toBe(4096);
    encoder.append(1, null, bin('second'));
    expect(encoder.finish()!.bytes.buffer).toBe(memory);
    encoder.append(1, null, bin('third'));
    expect(encoder.finish()!.bytes.buffer).not.toBe(memory);
  });

  it('keeps no more than its bound', () => {
    const pool = new BatchBufferPool(10_000);
    for (let i = 0; i < 5; i++) pool.give(Buffer.alloc(4096));
    expect(pool.retainedBytes).toBe(8192);
  });
});
