// What kafkajs writes is read, and what we write is read by kafkajs. Its internals have no types: they are named here.
import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import {
  RecordBatchEncoder,
  compressBatch,
  encodeHeaders,
  readRecordBatches,
  stampBatch,
} from '#libs/broker';
import type { BinaryString } from '#libs/core';
import { partitionForKey } from '#libs/broker';
import { decodeAll } from './support.ts';

interface ForeignRecord {
  timestamp: string;
  offset: string;
  key: Buffer | null;
  value: Buffer | null;
  headers: Record<string, Buffer>;
}
const require = createRequire(import.meta.url);
const internals = 'kafkajs/src/protocol';
const { RecordBatch } = require(`${internals}/recordBatch/v0`) as {
  RecordBatch: (options: object) => Promise<{ buffer: Buffer }>;
};
const Record = require(`${internals}/recordBatch/record/v0`) as (options: object) => object;
const decodeBatch = require(`${internals}/recordBatch/v0/decoder`) as (decoder: object) => Promise<{
  producerId: string;
  producerEpoch: number;
  firstSequence: number;
  inTransaction: boolean;
  lastOffsetDelta: number;
  maxTimestamp: string;
  records: ForeignRecord[];
}>;
const Decoder = require(`${internals}/decoder`) as new (bytes: Buffer) => object;
const defaultPartitioner = require('kafkajs/src/producer/partitioners/default') as () => (
  options: object,
) => number;

describe('record batches and kafkajs', () => {
  it.each([0, 1])('reads what kafkajs writes with compression %i', async (compression) => {
    const records = Array.from({ length: 50 }, (_, i) =>
      Record({
        offsetDelta: i,
        timestampDelta: i * 1000,
        key: i % 3 === 0 ? null : Buffer.from(`clé ${i}`),
        value: Buffer.from('v'.repeat(i * 7)),
        headers: i % 2 === 0 ? {} : { trace: Buffer.from([i, 255]) },
      }),
    );
    const { buffer } = await RecordBatch({
      compression,
      firstTimestamp: 1_700_000_000_000,
      maxTimestamp: 1_700_000_049_000,
      lastOffsetDelta: 49,
      transactional: true,
      producerId: 9,
      producerEpoch: 2,
      firstSequence: 33,
      records,
    });
    const [view] = readRecordBatches(buffer);
    expect(view).toMatchObject({
      producerId: 9,
      producerEpoch: 2,
      baseSequence: 33,
      isTransactional: true,
      recordCount: 50,
      maxTimestamp: 1_700_000_049_000,
    });
    const decoded = decodeAll(buffer);
    expect(decoded).toHaveLength(50);
    decoded.forEach((record, i) => {
      expect(record).toEqual({
        offset: i,
        timestamp: 1_700_000_000_000 + i * 1000,
        key: i % 3 === 0 ? null : Buffer.from(`clé ${i}`).toString('latin1'),
        value: 'v'.repeat(i * 7),
        headers: i % 2 === 0 ? [] : [{ key: 'trace', value: Buffer.from([i, 255]) }],
      });
    });
  });

  it.each(['none', 'gzip'] as const)('writes what kafkajs reads with compression %s', async (compression) => {
    const encoder = new RecordBatchEncoder();
    for (let i = 0; i < 50; i++) {
      encoder.appendText(
        1_700_000_000_000 - i * 86_400_000,
        i % 3 === 0 ? null : (`key ${i}` as BinaryString),
        'é'.repeat(i * 7),
        i % 2 === 0 ? undefined : encodeHeaders([{ key: 'trace', value: Buffer.from([i, 255]) }]),
      );
    }
    const batch = compressBatch(encoder.finish()!, compression);
    stampBatch(batch, { producerId: 9, producerEpoch: 2, baseSequence: 33, isTransactional: true });
    const decoded = await decodeBatch(new Decoder(batch.bytes));
    expect(decoded).toMatchObject({
      producerId: '9',
      producerEpoch: 2,
      firstSequence: 33,
      inTransaction: true,
      lastOffsetDelta: 49,
      maxTimestamp: '1700000000000',
    });
    decoded.records.forEach((record, i) => {
      expect(record).toMatchObject({
        timestamp: String(1_700_000_000_000 - i * 86_400_000),
        offset: String(i),
        key: i % 3 === 0 ? null : Buffer.from(`key ${i}`),
        value: Buffer.from('é'.repeat(i * 7)),
        headers: i % 2 === 0 ? {} : { trace: Buffer.from([i, 255]) },
      });
    });
    expect(decoded.records).toHaveLength(50);
  });

  it('puts keys into the partitions that kafkajs puts them into', () => {
    const partitioner = defaultPartitioner();
    const partitionMetadata = Array.from({ length: 7 }, (_, partitionId) => ({ partitionId, leader: 1 }));
    for (let i = 0; i < 500; i++) {
      const key = Buffer.from(`clé ${i * 7919}`);
      expect(partitionForKey(key.toString('latin1') as BinaryString, 7)).toBe(
        partitioner({ topic: 't', partitionMetadata, message: { key } }),
      );
    }
  });
});
