import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { RecordBatchView, RecordColumns, crc32c, readRecordBatches } from '#libs/broker';
import { decodeAll, encodeBatch, moveTo, withCrc } from './support.ts';
import type { PlainRecord } from './support.ts';

const binary = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const record: fc.Arbitrary<PlainRecord> = fc.record({
  timestamp: fc.integer({ min: -1, max: 8_640_000_000_000_000 }),
  key: fc.option(binary, { nil: null }),
  value: fc.option(fc.oneof(binary, fc.string({ unit: 'grapheme-ascii', minLength: 50, maxLength: 300 })), {
    nil: null,
  }),
  headers: fc.array(
    fc.record({
      key: fc.string({ unit: 'grapheme', maxLength: 80 }),
      value: fc.option(
        fc.uint8Array({ maxLength: 70 }).map((bytes) => Buffer.from(bytes)),
        { nil: null },
      ),
    }),
    { maxLength: 3 },
  ),
});

describe('RecordColumns', () => {
  it('gives back every record as it was encoded', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 50 }), (records) => {
        const decoded = decodeAll(encodeBatch(records));
        expect(decoded).toEqual(records.map((each, offset) => ({ ...each, offset })));
      }),
    );
  });

  it('skips records before the wanted offset', () => {
    const records = Array.from({ length: 10 }, (_, i) => plain(`v${i}`));
    const bytes = moveTo(encodeBatch(records), 100);
    expect(decodeAll(bytes, 107).map(({ offset, value }) => [offset, value])).toEqual([
      [107, 'v7'],
      [108, 'v8'],
      [109, 'v9'],
    ]);
    expect(decodeAll(bytes, 110)).toEqual([]);
  });

  it('knows whether keys and values are ASCII, whatever the lengths around them', () => {
    const long = 'x'.repeat(100);
    const cases: [string | null, string | null, boolean, boolean][] = [
      ['key', long, true, true],
      ['\u0080\u00ff', long, false, true],
      ['key', `${long}\u00c3\u00a9`, true, false],
      ['\u00ff', '\u00ff', false, false],
      [null, null, true, true],
    ];
    for (const [key, value, asciiKeys, asciiValues] of cases) {
      const columns = decodeColumns(encodeBatch([plain(long), { ...plain(null), key, value, headers: [] }]));
      expect([columns.asciiKeys, columns.asciiValues]).toEqual([asciiKeys, asciiValues]);
    }
  });

  it('does not take a header for a key or a value when it asks for ASCII', () => {
    const headers = [{ key: 'clé', value: Buffer.alloc(300, 0xff) }];
    const columns = decodeColumns(encodeBatch([{ ...plain('value'), headers }]));
    expect([columns.asciiKeys, columns.asciiValues]).toEqual([true, true]);
    expect(columns.readHeaders(0)).toEqual(headers);
  });

  it('passes encoded headers on untouched', () => {
    const headers = [
      { key: 'a', value: Buffer.from([0, 255]) },
      { key: 'a', value: null },
    ];
    const columns = decodeColumns(encodeBatch([{ ...plain('value'), headers }, plain('none')]));
    expect(Buffer.from(columns.encodedHeaders(0), 'latin1').toString('hex')).toBe('0402610400ff026101');
    expect(columns.encodedHeaders(1)).toBe('');
  });

  it('gives the time of append to every record where the broker stamped the batch', () => {
    const bytes = encodeBatch([plain('a', 5), plain('b', 9)]);
    bytes.writeInt16BE(0x08, 21);
    bytes.writeBigInt64BE(77n, 35);
    expect(decodeAll(withCrc(bytes, crc32c)).map(({ timestamp }) => timestamp)).toEqual([77, 77]);
  });

  it('grows for a larger batch and is right again for a smaller one', () => {
    const columns = new RecordColumns();
    const large = readRecordBatches(encodeBatch(Array.from({ length: 5000 }, (_, i) => plain(`v${i}`))))[0]!;
    const small = readRecordBatches(encodeBatch([plain('only')]))[0]!;
    expect(columns.decode(large, 0)).toBe(5000);
    expect(columns.value(4999)).toBe('v4999');
    expect(columns.decode(small, 0)).toBe(1);
    expect(columns.text.substring(columns.valueStart[0]!, columns.valueEnd[0])).toBe('only');
  });

  it('refuses every damage with a code, and never reads out of bounds', () => {
    const good = encodeBatch(
      Array.from({ length: 4 }, (_, i) => ({ ...plain(`value ${i}`), key: `key ${i}` })),
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 57, max: good.length - 1 }),
        fc.integer({ min: 0, max: 255 }),
        (at, byte) => {
          const bad = Buffer.from(good);
          bad[at] = byte;
          let columns: RecordColumns;
          try {
            columns = decodeColumns(withCrc(bad, crc32c));
          } catch (error) {
            expect(error).toMatchObject({ code: 'MILLRACE_CORRUPT_BATCH' });
            return;
          }
          // Damage that makes other records, such as a changed letter, still stays within the bytes.
          for (let i = 0; i < columns.count; i++) {
            expect(columns.valueEnd[i]).toBeLessThanOrEqual(columns.bytes.length);
            expect(columns.keyEnd[i]).toBeLessThanOrEqual(columns.bytes.length);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('refuses records of any bytes that are none', () => {
    const header = encodeBatch([plain('x')]).subarray(0, 61);
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 60 }),
        fc.integer({ min: 0, max: 2 ** 31 - 1 }),
        (garbage, count) => {
          const bytes = Buffer.concat([header, garbage]);
          bytes.writeInt32BE(bytes.length - 12, 8);
          bytes.writeInt32BE(count, 57);
          bytes.writeInt32BE(2 ** 31 - 1, 23);
          const columns = new RecordColumns();
          try {
            columns.decode(new RecordBatchView(bytes), 0);
          } catch (error) {
            expect(error).toMatchObject({ code: 'MILLRACE_CORRUPT_BATCH' });
            expect(columns.count).toBe(0);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('never puts payload into an error', () => {
    const bytes = encodeBatch([{ ...plain('s3cret'), key: 's3cret' }]);
    bytes.writeInt32BE(5, 23);
    bytes.writeInt32BE(2, 57);
    expect(() => decodeAll(withCrc(bytes, crc32c))).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('s3cret') }),
    );
  });
});

function plain(value: string | null, timestamp = 1000): PlainRecord {
  return { timestamp, key: null, value, headers: [] };
}

function decodeColumns(bytes: Buffer): RecordColumns {
  const columns = new RecordColumns();
  columns.decode(readRecordBatches(bytes)[0]!, 0);
  return columns;
}
