import { describe, expect, it } from '@jest/globals';
import { crc32c, readRecordBatches } from '#libs/broker';
import { crc32cByTable } from '../../src/record-batch/crc32c.ts';
import { encodeBatch, moveTo, withCrc } from './support.ts';

const record = { timestamp: 1000, key: 'k', value: 'v', headers: [] };
const batch = (): Buffer => encodeBatch([record, record]);

describe('readRecordBatches', () => {
  it('reads the headers of concatenated batches', () => {
    const stamp = { producerId: 2 ** 40 + 3, producerEpoch: 7, baseSequence: 12, isTransactional: true };
    const views = readRecordBatches(
      Buffer.concat([moveTo(encodeBatch([record], stamp), 2 ** 33), moveTo(batch(), 2 ** 33 + 1)]),
    );
    expect(views).toHaveLength(2);
    expect(views[0]).toMatchObject({
      baseOffset: 2 ** 33,
      lastOffset: 2 ** 33,
      nextOffset: 2 ** 33 + 1,
      partitionLeaderEpoch: -1,
      compression: 'none',
      isTransactional: true,
      isControl: false,
      isLogAppendTime: false,
      producerId: 2 ** 40 + 3,
      producerEpoch: 7,
      baseSequence: 12,
      baseTimestamp: 1000,
      maxTimestamp: 1000,
      recordCount: 1,
    });
    expect(views[1]).toMatchObject({
      baseOffset: 2 ** 33 + 1,
      lastOffset: 2 ** 33 + 2,
      producerId: -1,
      isTransactional: false,
    });
  });

  it('leaves out a last batch that is cut off, at whatever byte', () => {
    const bytes = Buffer.concat([batch(), batch()]);
    for (let cut = bytes.length / 2; cut < bytes.length; cut++) {
      expect(readRecordBatches(bytes.subarray(0, cut))).toHaveLength(1);
    }
    expect(readRecordBatches(Buffer.alloc(0))).toEqual([]);
  });

  it('refuses a batch whose checksum does not fit, unless told not to look', () => {
    const bytes = batch();
    bytes[bytes.length - 1]! ^= 1;
    expect(() => readRecordBatches(bytes)).toThrow(
      expect.objectContaining({ code: 'MILLRACE_CORRUPT_BATCH' }),
    );
    expect(readRecordBatches(bytes, { checkCrc: false })).toHaveLength(1);
  });

  it('refuses the formats of before Kafka 0.11', () => {
    const bytes = batch();
    bytes[16] = 1;
    expect(() => readRecordBatches(bytes)).toThrow(/magic 1/);
  });

  it('refuses impossible lengths, counts and offsets', () => {
    const damages: ((bytes: Buffer) => void)[] = [
      (bytes) => bytes.writeInt32BE(10, 8),
      (bytes) => bytes.writeInt32BE(-5, 8),
      (bytes) => bytes.writeInt32BE(3, 57),
      (bytes) => bytes.writeInt32BE(-1, 57),
      (bytes) => bytes.writeInt32BE(-1, 23),
      (bytes) => bytes.writeInt16BE(7, 21),
      (bytes) => bytes.writeInt32BE(0x7fffffff, 43),
      (bytes) => bytes.writeInt32BE(-1, 0),
    ];
    for (const damage of damages) {
      const bytes = batch();
      damage(bytes);
      expect(() => readRecordBatches(withCrc(bytes, crc32c))).toThrow(
        expect.objectContaining({ code: 'MILLRACE_CORRUPT_BATCH' }),
      );
    }
  });

  it('tells a control batch by its attribute, not by its key', () => {
    const marker = (type: string): Buffer => {
      const bytes = encodeBatch([
        { ...record, key: `\u0000\u0000\u0000${type}`, value: '\u0000\u0000\u0000\u0000\u0000\u0000' },
      ]);
      expect(readRecordBatches(bytes)[0]!.isControl).toBe(false);
      bytes.writeInt16BE(0x30, 21);
      return withCrc(bytes, crc32c);
    };
    const views = readRecordBatches(Buffer.concat(['\u0000', '\u0001', '\u0005'].map(marker)));
    expect(views.map((view) => view.isControl)).toEqual([true, true, true]);
    expect(views.map((view) => view.controlType())).toEqual(['abort', 'commit', 'unknown']);
  });
});

describe('crc32c', () => {
  it('is CRC-32C, natively and by table', () => {
    for (const checksum of [crc32c, crc32cByTable]) {
      expect(checksum(Buffer.from('123456789'))).toBe(0xe3069283); // the check value of the polynomial's definition
      expect(checksum(Buffer.alloc(32))).toBe(0x8a9136aa); // RFC 3720, B.4
    }
  });
});
