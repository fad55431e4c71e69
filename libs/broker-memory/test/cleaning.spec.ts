// What the log cleaner leaves, and what retention and DeleteRecords take.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { compressBatch, RecordBatchEncoder, readRecordBatches, stampBatch } from '#libs/broker';
import type { BinaryString } from '#libs/core';
import { batchOf, keyedBatch, newBench } from './raw-client.ts';
import type { Bench, Numbers } from './raw-client.ts';

const COMPACT = { 'cleanup.policy': 'compact', 'delete.retention.ms': '1000' };

let bench: Bench;

beforeEach(() => {
  bench = newBench();
  bench.cluster.topics.create('t', 1, COMPACT);
});

const append = (...records: [string, string | null][]): void => {
  bench.cluster.topics.append(
    't',
    0,
    records.map(([key, value]) => ({ key, value, timestamp: 1_000 })),
  );
};
const left = (isolation?: 'read_uncommitted'): unknown[] =>
  bench.cluster.inspect
    .records('t', 0, isolation)
    .map(({ offset, key, value }) => [offset, String(key), value === null ? null : String(value)]);

describe('compaction', () => {
  it('keeps the newest record of each key at its offset, and the last batch as it is', () => {
    append(['a', '1'], ['b', '1'], ['a', '2']);
    append(['c', '1']);
    append(['b', '2'], ['b', '3']);
    append(['c', '2'], ['c', '3']);
    bench.cluster.topics.clean();
    expect(left()).toEqual([
      [2, 'a', '2'],
      [3, 'c', '1'],
      [5, 'b', '3'],
      [6, 'c', '2'],
      [7, 'c', '3'],
    ]);
    expect(bench.cluster.inspect.ends('t', 0)).toMatchObject({ logStartOffset: 0, highWatermark: 8 });
    for (const bytes of bench.cluster.inspect.batches('t', 0)) readRecordBatches(bytes);
  });

  it('keeps the offsets that a batch covers, whatever is gone of it', () => {
    append(['a', '1'], ['a', '2'], ['b', '1']);
    append(['b', '2'], ['x', '1']);
    append(['x', '2']);
    bench.cluster.topics.clean();
    const [first] = readRecordBatches(bench.cluster.inspect.batches('t', 0)[0]!);
    expect(first).toMatchObject({ baseOffset: 0, lastOffset: 2, recordCount: 1 });
  });

  it('takes a tombstone only after delete.retention.ms', async () => {
    append(['a', '1']);
    append(['a', null]);
    append(['z', '1']);
    bench.cluster.topics.clean();
    expect(left()).toEqual([
      [1, 'a', null],
      [2, 'z', '1'],
    ]);
    await bench.clock.advance(999);
    bench.cluster.topics.clean();
    expect(left()).toHaveLength(2);
    await bench.clock.advance(1);
    bench.cluster.topics.clean();
    expect(left()).toEqual([[2, 'z', '1']]);
  });

  it('reads compressed batches', async () => {
    const encoder = new RecordBatchEncoder();
    for (const value of ['1', '2', '3']) encoder.append(1_000, 'a' as BinaryString, value as BinaryString);
    const batch = compressBatch(encoder.finish()!, 'gzip');
    stampBatch(batch, { producerId: -1, producerEpoch: -1, baseSequence: -1, isTransactional: false });
    await bench.client.produce('t', batch.bytes);
    append(['z', '1']);
    bench.cluster.topics.clean();
    expect(left()).toEqual([
      [2, 'a', '3'],
      [3, 'z', '1'],
    ]);
  });

  describe('of transactions', () => {
    async function write(numbers: Numbers, key: string, value: string): Promise<void> {
      const bytes = keyedBatch([[key, value]], { numbers, sequence: 0, transactional: true });
      expect(await bench.client.produce('t', bytes, { transactionalId: 'id' })).toMatchObject({
        errorCode: 0,
      });
    }

    async function end(numbers: Numbers, committed: boolean): Promise<Numbers> {
      const { errorCode, ...next } = await bench.client.endTxn('id', numbers, committed);
      expect(errorCode).toBe(0);
      await bench.clock.advance(1);
      return next;
    }

    it('drops what was aborted, which hides nothing', async () => {
      append(['a', 'kept']);
      const numbers = await bench.client.initPatiently('id');
      await write(numbers, 'a', 'aborted');
      await end(numbers, false);
      append(['z', '1']);
      bench.cluster.topics.clean();
      expect(left('read_uncommitted')).toEqual([
        [0, 'a', 'kept'],
        [3, 'z', '1'],
      ]);
    });

    it('tells readers of no aborted transaction whose marker may go: what its producer wrote since is committed', async () => {
      let numbers = await bench.client.initPatiently('id');
      await write(numbers, 'a', 'aborted');
      numbers = await end(numbers, false);
      await write(numbers, 'a', 'committed');
      await end(numbers, true);
      append(['z', '1']);
      bench.cluster.topics.clean();
      const { topicId } = await bench.client.metadata('t');
      const fetched = await bench.client.call('Fetch', {
        maxWaitMs: 0,
        minBytes: 1,
        maxBytes: 1_000_000,
        isolation: 'read_committed',
        sessionId: 0,
        sessionEpoch: -1,
        topics: [
          {
            name: 't',
            topicId,
            partitions: [
              {
                partition: 0,
                currentLeaderEpoch: 0,
                fetchOffset: 0,
                lastFetchedEpoch: -1,
                logStartOffset: -1,
                partitionMaxBytes: 1_000_000,
              },
            ],
          },
        ],
        forgottenTopics: [],
        rackId: '',
      });
      expect(fetched.topics[0]!.partitions[0]).toMatchObject({ errorCode: 0, abortedTransactions: [] });
    });

    it('drops a marker in the end that has no data left', async () => {
      let numbers = await bench.client.initPatiently('id');
      await write(numbers, 'a', '1');
      numbers = await end(numbers, true);
      await write(numbers, 'a', '2');
      await end(numbers, true);
      append(['z', '1']);
      const count = (): number => bench.cluster.inspect.ends('t', 0).batchCount;
      bench.cluster.topics.clean();
      expect(count()).toBe(4);
      await bench.clock.advance(1_000);
      bench.cluster.topics.clean();
      expect(count()).toBe(3);
      expect(left()).toEqual([
        [2, 'a', '2'],
        [4, 'z', '1'],
      ]);
    });

    it('stops at what is not decided yet', async () => {
      append(['a', '1'], ['a', '2']);
      const numbers = await bench.client.initPatiently('id');
      await write(numbers, 'b', 'open');
      append(['a', '3'], ['a', '4']);
      append(['z', '1']);
      bench.cluster.topics.clean();
      expect(left('read_uncommitted').map((record) => (record as unknown[])[0])).toEqual([1, 2, 3, 4, 5]);
    });
  });
});

it('is done by itself as often as the cluster is told to', async () => {
  const { clock, cluster } = newBench({ cleanIntervalMs: 1_000 });
  cluster.topics.create('t', 1, { 'retention.ms': '500' });
  cluster.topics.append('t', 0, [{ key: 'k', value: 'v' }]);
  await clock.advance(999);
  expect(cluster.inspect.ends('t', 0).logStartOffset).toBe(0);
  await clock.advance(1);
  expect(cluster.inspect.ends('t', 0).logStartOffset).toBe(1);
});

describe('retention', () => {
  it('takes what is older than the topic keeps', () => {
    const { clock, cluster } = bench;
    cluster.topics.create('short', 1, { 'retention.ms': '1000' });
    for (const age of [3_000, 1_500, 500]) {
      cluster.topics.append('short', 0, [{ key: 'k', value: 'v', timestamp: clock.now() - age }]);
    }
    cluster.topics.clean('short');
    expect(cluster.inspect.ends('short', 0)).toMatchObject({ logStartOffset: 2, highWatermark: 3 });
  });

  it('takes what is more than the topic keeps', () => {
    const { cluster } = bench;
    const size = batchOf(['k']).length;
    cluster.topics.create('small', 1, { 'retention.bytes': `${2 * size}`, 'retention.ms': '-1' });
    for (let i = 0; i < 4; i++) cluster.topics.append('small', 0, [{ key: 'k', value: 'k' }]);
    cluster.topics.clean('small');
    expect(cluster.inspect.ends('small', 0)).toMatchObject({ logStartOffset: 2, batchCount: 2 });
  });
});

describe('DeleteRecords', () => {
  const ask = async (topic: string, offset: number): Promise<unknown> => {
    const topics = [{ name: topic, partitions: [{ partition: 0, offset }] }];
    return (await bench.client.call('DeleteRecords', { timeoutMs: 0, topics })).topics[0]!.partitions[0];
  };

  it('moves the start of the log, within a batch too, never back and not behind the end', async () => {
    const { cluster } = bench;
    cluster.topics.create('d');
    cluster.topics.append(
      'd',
      0,
      [1, 2, 3, 4].map((i) => ({ key: `${i}`, value: 'v', timestamp: 1_000 })),
    );
    expect(await ask('d', 2)).toMatchObject({ errorCode: 0, lowWatermark: 2 });
    expect(cluster.inspect.records('d', 0).map(({ key }) => String(key))).toEqual(['3', '4']);
    expect(await ask('d', 1)).toMatchObject({ errorCode: 0, lowWatermark: 2 });
    expect(await ask('d', 5)).toMatchObject({ errorCode: 1 });
    expect(await ask('d', -1)).toMatchObject({ errorCode: 0, lowWatermark: 4 });
  });

  it('is refused by a topic that is only compacted', async () => {
    append(['a', '1']);
    expect(await ask('t', 1)).toMatchObject({ errorCode: 44 });
  });
});
