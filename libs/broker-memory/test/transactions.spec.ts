// What the transaction coordinator answers: fencing, ends and their retries, markers that are not written yet, time-outs.
import { describe, expect, it } from '@jest/globals';
import { batchOf, keysIn, newBench } from './raw-client.ts';
import type { Bench, Numbers } from './raw-client.ts';

const INVALID_PRODUCER_EPOCH = 47;
const INVALID_TXN_STATE = 48;
const INVALID_PRODUCER_ID_MAPPING = 49;
const CONCURRENT_TRANSACTIONS = 51;
const PRODUCER_FENCED = 90;
const TRANSACTION_ABORTABLE = 120;

async function withTopic(transactionVersion: 1 | 2 = 2): Promise<Bench & { numbers: Numbers }> {
  const bench = newBench({ transactionVersion });
  bench.cluster.topics.create('t', 2);
  const { errorCode, ...numbers } = await bench.client.init('id');
  expect(errorCode).toBe(0);
  return { ...bench, numbers };
}

/** Writes one record in a transaction of version 2. */
function write(
  { client }: Bench,
  numbers: Numbers,
  key: string,
  sequence = 0,
  partition = 0,
): ReturnType<Bench['client']['produce']> {
  const bytes = batchOf([key], { numbers, sequence, transactional: true });
  return client.produce('t', bytes, { transactionalId: 'id', partition });
}

describe('a transaction of version 2', () => {
  it('begins with its first batch, ends with a marker in each partition, and gives the next epoch', async () => {
    const bench = await withTopic();
    const { client, cluster, clock, numbers } = bench;
    await write(bench, numbers, 'a', 0, 0);
    await write(bench, numbers, 'b', 0, 1);
    expect(cluster.inspect.ends('t', 0)).toMatchObject({ lastStableOffset: 0, highWatermark: 1 });
    const ended = await client.endTxn('id', numbers, true);
    expect(ended).toMatchObject({
      errorCode: 0,
      producerId: numbers.producerId,
      producerEpoch: numbers.producerEpoch + 1,
    });
    await clock.advance(1);
    for (const partition of [0, 1]) {
      expect(cluster.inspect.ends('t', partition)).toMatchObject({ lastStableOffset: 2, highWatermark: 2 });
    }
    expect(cluster.inspect.openTransactions()).toEqual([]);
  });

  it('answers an end that comes again as the first time, before and after its markers, and no other end', async () => {
    const bench = await withTopic();
    const { client, cluster, clock, numbers } = bench;
    await write(bench, numbers, 'a');
    const release = cluster.holdMarkers();
    const ended = await client.endTxn('id', numbers, true);
    expect(await client.endTxn('id', numbers, true)).toMatchObject({ errorCode: CONCURRENT_TRANSACTIONS });
    release();
    await clock.advance(1);
    expect(await client.endTxn('id', numbers, true)).toEqual(ended);
    expect(await client.endTxn('id', numbers, false)).toMatchObject({ errorCode: INVALID_TXN_STATE });
  });

  it('is not decided by an end of the one before', async () => {
    const bench = await withTopic();
    const { client, clock, numbers } = bench;
    await write(bench, numbers, 'a');
    const { errorCode: _, ...next } = await client.endTxn('id', numbers, true);
    await clock.advance(1);
    await write(bench, next, 'b');
    expect(await client.endTxn('id', numbers, true)).toMatchObject({ errorCode: PRODUCER_FENCED });
    expect(await client.endTxn('id', next, false)).toMatchObject({ errorCode: 0 });
    await clock.advance(1);
    expect(keysIn(bench.cluster, 't')).toEqual(['a']);
  });

  it('takes no batch of the one before, were it ever so late', async () => {
    const bench = await withTopic();
    const { client, clock, numbers } = bench;
    await write(bench, numbers, 'a');
    await client.endTxn('id', numbers, true);
    await clock.advance(1);
    expect(await write(bench, numbers, 'late', 1)).toMatchObject({ errorCode: INVALID_PRODUCER_EPOCH });
  });

  it('waits, as its identity does, for the markers of the one before', async () => {
    const bench = await withTopic();
    const { client, cluster, clock, numbers } = bench;
    await write(bench, numbers, 'a');
    const release = cluster.holdMarkers();
    const { errorCode: _, ...next } = await client.endTxn('id', numbers, true);
    expect(await write(bench, next, 'b')).toMatchObject({ errorCode: CONCURRENT_TRANSACTIONS });
    expect(await client.init('id')).toMatchObject({ errorCode: CONCURRENT_TRANSACTIONS });
    release();
    await clock.advance(1);
    expect(await write(bench, next, 'b')).toMatchObject({ errorCode: 0 });
  });

  it('may be aborted although nothing joined it, and not committed', async () => {
    const { client, numbers } = await withTopic();
    expect(await client.endTxn('id', numbers, true)).toMatchObject({ errorCode: INVALID_TXN_STATE });
    expect(await client.endTxn('id', numbers, false)).toMatchObject({
      errorCode: 0,
      producerEpoch: numbers.producerEpoch + 1,
    });
  });
});

describe('a transaction of version 1', () => {
  it('takes batches of partitions that were added, and keeps its epoch', async () => {
    const bench = await withTopic(1);
    const { client, cluster, clock, numbers } = bench;
    const bytes = batchOf(['a'], { numbers, sequence: 0, transactional: true });
    const options = { transactionalId: 'id', version2: false };
    expect(await client.produce('t', bytes, options)).toMatchObject({ errorCode: TRANSACTION_ABORTABLE });
    await client.call('AddPartitionsToTxn', {
      transactionalId: 'id',
      ...numbers,
      topics: [{ name: 't', partitions: [0] }],
    });
    expect(await client.produce('t', bytes, options)).toMatchObject({ errorCode: 0 });
    expect(await client.endTxn('id', numbers, true, false)).toMatchObject({
      errorCode: 0,
      producerEpoch: numbers.producerEpoch,
    });
    await clock.advance(1);
    expect(await client.endTxn('id', numbers, true, false)).toMatchObject({ errorCode: 0 });
    expect(await client.endTxn('id', numbers, false, false)).toMatchObject({ errorCode: INVALID_TXN_STATE });
    expect(keysIn(cluster, 't')).toEqual(['a']);
  });
});

describe('InitProducerId', () => {
  it('aborts what the older holder left open, and fences it', async () => {
    const bench = await withTopic();
    const { client, cluster, numbers } = bench;
    await write(bench, numbers, 'a');
    const newer = await client.initPatiently('id');
    expect(newer.producerEpoch).toBeGreaterThan(numbers.producerEpoch);
    expect(await client.endTxn('id', numbers, true)).toMatchObject({ errorCode: PRODUCER_FENCED });
    expect(keysIn(cluster, 't')).toEqual([]);
    expect(cluster.inspect.records('t', 0, 'read_uncommitted')).toHaveLength(1);
  });

  it('with numbers continues them, answers a retry alike, and refuses those that are fenced', async () => {
    const { client, numbers } = await withTopic();
    const bumped = await client.init('id', numbers);
    expect(bumped).toMatchObject({ errorCode: 0, producerEpoch: numbers.producerEpoch + 1 });
    expect(await client.init('id', numbers)).toEqual(bumped);
    await client.init('id');
    expect(await client.init('id', numbers)).toMatchObject({ errorCode: PRODUCER_FENCED });
  });

  it('refuses a time-out beyond what the brokers allow', async () => {
    const { client } = newBench();
    expect(await client.init('id', undefined, 900_001)).toMatchObject({ errorCode: 50 });
  });

  it('gives another producer id once the epochs are used up', async () => {
    const { client, clock, numbers } = await withTopic();
    const request = {
      transactionalId: 'id',
      transactionTimeoutMs: 1_000,
      producerId: -1n,
      producerEpoch: -1,
    };
    const answers: unknown[] = [];
    while (answers.length < 0x7fff) {
      const wanted = Array.from({ length: 217 }, () => client.send('InitProducerId', request));
      answers.push(...(await clock.run(Promise.all(wanted))));
    }
    expect(answers.at(-2)).toMatchObject({ producerId: numbers.producerId, producerEpoch: 0x7fff - 1 });
    expect(answers.at(-1)).toMatchObject({ producerId: numbers.producerId + 1n, producerEpoch: 0 });
  });
});

it('a transaction older than its time-out is aborted, and its holder cannot commit it', async () => {
  const bench = newBench({ transactionTimeoutSweepMs: 100 });
  const { client, cluster, clock } = bench;
  cluster.topics.create('t');
  const { errorCode: _, ...numbers } = await client.init('id', undefined, 1_000);
  await write(bench, numbers, 'a');
  await clock.advance(1_050);
  expect(cluster.inspect.openTransactions()).toHaveLength(1);
  await clock.advance(100);
  expect(cluster.inspect.openTransactions()).toEqual([]);
  expect(cluster.inspect.ends('t', 0)).toMatchObject({ lastStableOffset: 2 });
  expect((await client.endTxn('id', numbers, true)).errorCode).not.toBe(0);
  expect(keysIn(cluster, 't')).toEqual([]);
});

it('a coordinator that does not know the id, or is another broker, says so', async () => {
  const { client, cluster } = newBench({ brokers: 2, replicationFactor: 1 });
  const { nodeId } = await client.call('FindCoordinator', { keyType: 'transaction', key: 'id' });
  const end = {
    transactionalId: 'id',
    producerId: 0n,
    producerEpoch: 0,
    committed: true,
    transactionVersion2: true,
  };
  expect(await client.call('EndTxn', end, nodeId)).toMatchObject({ errorCode: INVALID_PRODUCER_ID_MAPPING });
  expect(await client.call('EndTxn', end, 3 - nodeId)).toMatchObject({ errorCode: 16 });
  cluster.loadCoordinator('transaction', 'id', 100);
  expect(await client.call('EndTxn', end, nodeId)).toMatchObject({ errorCode: 14 });
});

describe('offsets in a transaction', () => {
  const offset = (committedOffset: number) => [
    {
      name: 't',
      partitions: [{ partition: 0, committedOffset, committedLeaderEpoch: 0, committedMetadata: 'm' }],
    },
  ];
  const nobody = { generationId: -1, memberId: '', groupInstanceId: null };

  async function fetchOffset(
    { client }: Bench,
    requireStable: boolean,
  ): Promise<{ errorCode: number; committedOffset: number }> {
    const topics = [{ name: 't', partitions: [0] }];
    const answer = await client.call('OffsetFetch', { groupId: 'g', topics, requireStable });
    return answer.topics[0]!.partitions[0]!;
  }

  it('are pending until the marker, and gone after an abort', async () => {
    const bench = await withTopic();
    const { client, cluster, clock, numbers } = bench;
    const commit = { transactionalId: 'id', groupId: 'g', ...nobody, transactionVersion2: true };
    await client.call('TxnOffsetCommit', { ...commit, ...numbers, topics: offset(5) });
    const release = cluster.holdMarkers();
    const { errorCode: _, ...next } = await client.endTxn('id', numbers, true);
    expect(await fetchOffset(bench, false)).toMatchObject({ committedOffset: -1 });
    expect(await fetchOffset(bench, true)).toMatchObject({ errorCode: 88 });
    release();
    await clock.advance(1);
    expect(await fetchOffset(bench, true)).toMatchObject({ errorCode: 0, committedOffset: 5 });
    await client.call('TxnOffsetCommit', { ...commit, ...next, topics: offset(9) });
    await client.endTxn('id', next, false);
    await clock.advance(1);
    expect(await fetchOffset(bench, true)).toMatchObject({ errorCode: 0, committedOffset: 5 });
  });

  it('give way to a plain commit that came after them', async () => {
    const bench = await withTopic();
    const { client, clock, numbers } = bench;
    const commit = { transactionalId: 'id', groupId: 'g', ...nobody, transactionVersion2: true };
    await client.call('TxnOffsetCommit', { ...commit, ...numbers, topics: offset(5) });
    await client.call('OffsetCommit', { groupId: 'g', ...nobody, topics: offset(7) });
    await client.endTxn('id', numbers, true);
    await clock.advance(1);
    expect(await fetchOffset(bench, true)).toMatchObject({ committedOffset: 7 });
  });

  it('of an older epoch are refused', async () => {
    const bench = await withTopic();
    const { client, numbers } = bench;
    await client.init('id');
    const answer = await client.call('TxnOffsetCommit', {
      transactionalId: 'id',
      groupId: 'g',
      ...nobody,
      ...numbers,
      topics: offset(5),
      transactionVersion2: true,
    });
    expect(answer.topics[0]!.partitions[0]).toMatchObject({ errorCode: INVALID_PRODUCER_EPOCH });
  });
});
