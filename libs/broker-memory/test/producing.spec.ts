// What a broker answers to Produce: idempotence by producer, epoch and sequence, and what it refuses.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { compressBatch, RecordBatchEncoder, stampBatch } from '#libs/broker';
import type { BinaryString } from '#libs/core';
import { batchOf, keysIn, newBench } from './raw-client.ts';
import type { Bench, Numbers } from './raw-client.ts';

const OUT_OF_ORDER_SEQUENCE_NUMBER = 45;
const INVALID_PRODUCER_EPOCH = 47;

let bench: Bench;
let numbers: Numbers;

beforeEach(async () => {
  bench = newBench();
  bench.cluster.topics.create('t');
  numbers = await bench.client.init(null);
});

describe('an idempotent producer', () => {
  it('gets the offset of the first time for a batch that comes again, and it is written once', async () => {
    const { client, cluster } = bench;
    const first = batchOf(['a', 'b'], { numbers, sequence: 0 });
    expect(await client.produce('t', first)).toMatchObject({ errorCode: 0, baseOffset: 0 });
    expect(await client.produce('t', batchOf(['c'], { numbers, sequence: 2 }))).toMatchObject({
      baseOffset: 2,
    });
    expect(await client.produce('t', first)).toMatchObject({ errorCode: 0, baseOffset: 0 });
    expect(keysIn(cluster, 't')).toEqual(['a', 'b', 'c']);
  });

  it('is told of a gap, and of a batch from before the last five', async () => {
    const { client, cluster } = bench;
    for (let sequence = 0; sequence < 6; sequence++) {
      expect(await client.produce('t', batchOf([`${sequence}`], { numbers, sequence }))).toMatchObject({
        errorCode: 0,
      });
    }
    for (const sequence of [7, 0]) {
      const { errorCode } = await client.produce('t', batchOf(['x'], { numbers, sequence }));
      expect(errorCode).toBe(OUT_OF_ORDER_SEQUENCE_NUMBER);
    }
    expect(await client.produce('t', batchOf(['1'], { numbers, sequence: 1 }))).toMatchObject({
      baseOffset: 1,
    });
    expect(keysIn(cluster, 't')).toHaveLength(6);
  });

  it('starts over with a new epoch, at 0 only, and the old epoch is refused then', async () => {
    const { client } = bench;
    const newer = { ...numbers, producerEpoch: 1 };
    await client.produce('t', batchOf(['a'], { numbers, sequence: 0 }));
    expect(await client.produce('t', batchOf(['b'], { numbers: newer, sequence: 1 }))).toMatchObject({
      errorCode: OUT_OF_ORDER_SEQUENCE_NUMBER,
    });
    expect(await client.produce('t', batchOf(['b'], { numbers: newer, sequence: 0 }))).toMatchObject({
      errorCode: 0,
    });
    expect(await client.produce('t', batchOf(['c'], { numbers, sequence: 1 }))).toMatchObject({
      errorCode: INVALID_PRODUCER_EPOCH,
    });
  });

  it('wraps its sequences from 2^31 - 1 to 0', async () => {
    const { client } = bench;
    const last = 0x7fffffff;
    expect(await client.produce('t', batchOf(['a', 'b'], { numbers, sequence: last - 1 }))).toMatchObject({
      errorCode: 0,
    });
    expect(await client.produce('t', batchOf(['c'], { numbers, sequence: 0 }))).toMatchObject({
      errorCode: 0,
    });
  });

  it('that the brokers have forgotten may go on with any sequence', async () => {
    const { client, cluster } = bench;
    await client.produce('t', batchOf(['a'], { numbers, sequence: 0 }));
    cluster.topics.expireProducers();
    expect(await client.produce('t', batchOf(['b'], { numbers, sequence: 17 }))).toMatchObject({
      errorCode: 0,
    });
  });
});

describe('a batch', () => {
  it.each<[string, number, Record<string, string>, () => Buffer]>([
    [
      'whose checksum does not fit',
      2,
      {},
      () => {
        const bytes = batchOf(['a']);
        bytes[bytes.length - 1]! ^= 1;
        return bytes;
      },
    ],
    ['that is cut off', 2, {}, () => batchOf(['a']).subarray(0, 30)],
    ['larger than the topic takes', 10, { 'max.message.bytes': '50' }, () => batchOf(['a'])],
    ['without a key, to a compacted topic', 87, { 'cleanup.policy': 'compact' }, () => batchOf(['a', null])],
    ['of the far future', 32, {}, () => batchOf(['a'], { timestamp: Date.UTC(2100, 0) })],
  ])('%s is refused and leaves nothing', async (_what, errorCode, configs, make) => {
    const { client, cluster } = bench;
    cluster.topics.create('strict', 1, configs);
    expect(await client.produce('strict', make())).toMatchObject({ errorCode, baseOffset: -1 });
    expect(cluster.inspect.ends('strict', 0).highWatermark).toBe(0);
  });

  it('without a key among compressed records is found too', async () => {
    const { client, cluster } = bench;
    cluster.topics.create('strict', 1, { 'cleanup.policy': 'compact,delete' });
    const encoder = new RecordBatchEncoder();
    encoder.append(1_000, 'a' as BinaryString, 'a' as BinaryString);
    encoder.append(1_000, null, 'b' as BinaryString);
    const batch = compressBatch(encoder.finish()!, 'gzip');
    stampBatch(batch, { producerId: -1, producerEpoch: -1, baseSequence: -1, isTransactional: false });
    expect(await client.produce('strict', batch.bytes)).toMatchObject({ errorCode: 87 });
  });

  it('to a topic or partition that does not exist is refused', async () => {
    const { client } = bench;
    expect(await client.produce('absent', batchOf(['a']))).toMatchObject({ errorCode: 3 });
    expect(await client.produce('t', batchOf(['a']), { partition: 1 })).toMatchObject({ errorCode: 3 });
  });

  it('is dated by the broker where the topic says so', async () => {
    const { client, cluster, clock } = bench;
    cluster.topics.create('dated', 1, { 'message.timestamp.type': 'LogAppendTime' });
    expect(await client.produce('dated', batchOf(['a']))).toMatchObject({ errorCode: 0 });
    expect(cluster.inspect.records('dated', 0)[0]!.timestamp).toBe(clock.now());
  });

  it("is the log's own: what a client writes over its bytes later changes nothing", async () => {
    const { client, cluster } = bench;
    const bytes = batchOf(['a']);
    const sent = client.produce('t', bytes);
    bytes.fill(0);
    await sent;
    expect(keysIn(cluster, 't')).toEqual(['a']);
  });
});
