// What a broker answers to Fetch: limits, waits, sessions, aborted transactions; and to the questions about offsets.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { readRecordBatches } from '#libs/broker';
import type { FetchAnswer, FetchRequest } from '#libs/broker';
import { batchOf, newBench } from './raw-client.ts';
import type { Bench, Numbers } from './raw-client.ts';

let bench: Bench;
let topicId: string;

beforeEach(async () => {
  bench = newBench();
  bench.cluster.topics.create('t', 3);
  topicId = (await bench.client.metadata('t')).topicId;
});

type Asked = Record<number, number>;

function request(offsets: Asked, options: Partial<FetchRequest> = {}): FetchRequest {
  return {
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1_000_000,
    isolation: 'read_committed',
    sessionId: 0,
    sessionEpoch: -1,
    topics: [{ name: 't', topicId, partitions: asked(offsets, options.maxBytes ?? 1_000_000) }],
    forgottenTopics: [],
    rackId: '',
    ...options,
  };
}

function asked(offsets: Asked, partitionMaxBytes = 1_000_000): FetchRequest['topics'][number]['partitions'] {
  return Object.entries(offsets).map(([partition, fetchOffset]) => ({
    partition: Number(partition),
    currentLeaderEpoch: 0,
    fetchOffset,
    lastFetchedEpoch: -1,
    logStartOffset: -1,
    partitionMaxBytes,
  }));
}

const partsOf = (answer: FetchAnswer): FetchAnswer['topics'][number]['partitions'] =>
  answer.topics[0]?.partitions ?? [];
const offsetsIn = (records: Buffer | null): number[] =>
  records === null ? [] : readRecordBatches(records).map((batch) => batch.baseOffset);

async function write(numbers: Numbers, key: string, sequence = 0): Promise<void> {
  const bytes = batchOf([key], { numbers, sequence, transactional: true });
  expect(await bench.client.produce('t', bytes, { transactionalId: 'id' })).toMatchObject({ errorCode: 0 });
}

describe('a fetch', () => {
  it('gets whole batches from the one that holds its offset, up to its limits, and one at least', async () => {
    const { client } = bench;
    const size = batchOf(['a', 'b']).length;
    for (const keys of [
      ['a', 'b'],
      ['c', 'd'],
      ['e', 'f'],
    ])
      await client.produce('t', batchOf(keys));
    const all = partsOf(await client.call('Fetch', request({ 0: 1 })))[0]!;
    expect(offsetsIn(all.records)).toEqual([0, 2, 4]);
    const two = partsOf(await client.call('Fetch', request({ 0: 0 }, { maxBytes: 2 * size })))[0]!;
    expect(offsetsIn(two.records)).toEqual([0, 2]);
    const one = partsOf(await client.call('Fetch', request({ 0: 2 }, { maxBytes: 1 })))[0]!;
    expect(offsetsIn(one.records)).toEqual([2]);
  });

  it('shares its bytes among partitions, so that each has its turn', async () => {
    const { client } = bench;
    const size = batchOf(['a']).length;
    for (const partition of [0, 1, 2]) {
      for (let i = 0; i < 3; i++) await client.produce('t', batchOf(['a']), { partition });
    }
    const first = await client.call(
      'Fetch',
      request({ 0: 0, 1: 0, 2: 0 }, { maxBytes: size, sessionEpoch: 0 }),
    );
    const served: number[] = [];
    let answer = first;
    for (let epoch = 1; epoch <= 3; epoch++) {
      served.push(
        ...partsOf(answer)
          .filter(({ records }) => records !== null)
          .map(({ partition }) => partition),
      );
      answer = await client.call('Fetch', {
        ...request({}, { maxBytes: size }),
        sessionId: first.sessionId,
        sessionEpoch: epoch,
        topics: [],
      });
    }
    expect(served.sort()).toEqual([0, 1, 2]);
  });

  it('waits for data up to its wait, and no longer than until there is enough', async () => {
    const { client, clock } = bench;
    const started = clock.monotonic();
    const empty = await client.call('Fetch', request({ 0: 0 }, { maxWaitMs: 250 }));
    expect([offsetsIn(partsOf(empty)[0]!.records), clock.monotonic() - started]).toEqual([[], 250]);
    const size = batchOf(['a']).length;
    const waiting = client.send('Fetch', request({ 0: 0 }, { maxWaitMs: 5_000, minBytes: 2 * size }), 1, {
      lane: 'fetch',
    });
    let answered = false;
    waiting.then(() => (answered = true)).catch(() => undefined);
    await client.produce('t', batchOf(['a']));
    await clock.advance(1_000);
    expect(answered).toBe(false);
    await client.produce('t', batchOf(['b']));
    expect(offsetsIn(partsOf(await clock.run(waiting))[0]!.records)).toEqual([0, 1]);
    expect(clock.monotonic() - started).toBe(1_250);
  });

  it('of committed records is woken by the marker, not by the records', async () => {
    const { client, clock } = bench;
    const { errorCode: _, ...numbers } = await client.init('id');
    const waiting = client.send('Fetch', request({ 0: 0 }, { maxWaitMs: 60_000 }), 1, { lane: 'fetch' });
    let answered = false;
    waiting.then(() => (answered = true)).catch(() => undefined);
    await write(numbers, 'a');
    await clock.advance(1_000);
    expect(answered).toBe(false);
    await client.endTxn('id', numbers, true);
    const part = partsOf(await clock.run(waiting))[0]!;
    expect(offsetsIn(part.records)).toEqual([0, 1]);
    expect(part).toMatchObject({ lastStableOffset: 2, highWatermark: 2, abortedTransactions: [] });
  });

  it('of committed records is told which transactions were aborted in what it gets', async () => {
    const { client, clock } = bench;
    const { errorCode: _, ...first } = await client.init('id');
    await write(first, 'a');
    const { errorCode: __, ...second } = await client.endTxn('id', first, false);
    await clock.advance(1);
    await write(second, 'b');
    await client.endTxn('id', second, true);
    await clock.advance(1);
    const whole = partsOf(await client.call('Fetch', request({ 0: 0 })))[0]!;
    expect(whole.abortedTransactions).toEqual([{ producerId: first.producerId, firstOffset: 0 }]);
    const later = partsOf(await client.call('Fetch', request({ 0: 2 })))[0]!;
    expect(later.abortedTransactions).toEqual([]);
    const uncommitted = partsOf(
      await client.call('Fetch', request({ 0: 0 }, { isolation: 'read_uncommitted' })),
    )[0]!;
    expect(uncommitted.abortedTransactions).toEqual([]);
  });

  it.each<[string, Asked, Partial<FetchRequest>, number]>([
    ['behind the end', { 0: 1 }, {}, 1],
    ['of a partition that does not exist', { 7: 0 }, {}, 3],
  ])('%s is refused at once', async (_what, offsets, options, errorCode) => {
    const { client, clock } = bench;
    const answer = await client.call('Fetch', request(offsets, { maxWaitMs: 60_000, ...options }));
    expect(partsOf(answer)[0]).toMatchObject({ errorCode, records: null });
    expect(clock.monotonic()).toBe(0);
  });

  it('that waits is told when its topic is deleted', async () => {
    const { client, clock, cluster } = bench;
    const waiting = client.send('Fetch', request({ 0: 0 }, { maxWaitMs: 60_000 }), 1, { lane: 'fetch' });
    await clock.advance(10);
    cluster.topics.delete('t');
    expect(partsOf(await clock.run(waiting))[0]).toMatchObject({ errorCode: 100 });
  });
});

describe('a fetch session', () => {
  it('remembers what is asked for, and answers what is news', async () => {
    const { client } = bench;
    await client.produce('t', batchOf(['a']), { partition: 1 });
    const opened = await client.call('Fetch', request({ 0: 0, 1: 0 }, { sessionEpoch: 0 }));
    expect(partsOf(opened).map(({ partition }) => partition)).toEqual([0, 1]);
    const next = (epoch: number, offsets: Asked, forgotten: number[] = []): FetchRequest => ({
      ...request(offsets),
      sessionId: opened.sessionId,
      sessionEpoch: epoch,
      forgottenTopics: forgotten.length === 0 ? [] : [{ name: 't', topicId, partitions: forgotten }],
    });
    expect(partsOf(await client.call('Fetch', next(1, { 1: 1 })))).toEqual([]);
    await client.produce('t', batchOf(['b']), { partition: 1 });
    await client.produce('t', batchOf(['c']), { partition: 0 });
    const news = partsOf(await client.call('Fetch', next(2, {}, [0])));
    expect(news.map(({ partition, records }) => [partition, offsetsIn(records)])).toEqual([[1, [1]]]);
  });

  it('of another epoch, or that nobody opened, is refused', async () => {
    const { client } = bench;
    const { sessionId } = await client.call('Fetch', request({ 0: 0 }, { sessionEpoch: 0 }));
    expect(await client.call('Fetch', request({}, { sessionId, sessionEpoch: 3 }))).toMatchObject({
      errorCode: 71,
    });
    expect(await client.call('Fetch', request({}, { sessionId: 999, sessionEpoch: 1 }))).toMatchObject({
      errorCode: 70,
    });
  });

  it('is gone once closed', async () => {
    const { client } = bench;
    const { sessionId } = await client.call('Fetch', request({ 0: 0 }, { sessionEpoch: 0 }));
    const closed = await client.call('Fetch', { ...request({}), sessionId, sessionEpoch: -1, topics: [] });
    expect(closed).toMatchObject({ errorCode: 0, sessionId: 0 });
    expect(await client.call('Fetch', request({}, { sessionId, sessionEpoch: 1 }))).toMatchObject({
      errorCode: 70,
    });
  });
});

describe('ListOffsets', () => {
  it('finds the first record at or behind a time, within batches, and none that is not committed', async () => {
    const { client, cluster } = bench;
    cluster.topics.append('t', 0, [
      { key: 'a', value: 'a', timestamp: 100 },
      { key: 'b', value: 'b', timestamp: 300 },
      { key: 'c', value: 'c', timestamp: 200 },
    ]);
    const { errorCode: _, ...numbers } = await client.init('id');
    const late = batchOf(['d'], { numbers, sequence: 0, transactional: true, timestamp: 900 });
    await client.produce('t', late, { transactionalId: 'id' });
    const at = async (
      timestamp: number,
      isolation: FetchRequest['isolation'] = 'read_committed',
    ): Promise<unknown> => {
      const topics = [{ name: 't', partitions: [{ partition: 0, currentLeaderEpoch: -1, timestamp }] }];
      const { offset, timestamp: found } = (await client.call('ListOffsets', { isolation, topics }))
        .topics[0]!.partitions[0]!;
      return [offset, found];
    };
    expect(await at(150)).toEqual([1, 300]);
    expect(await at(301)).toEqual([-1, -1]);
    expect(await at(301, 'read_uncommitted')).toEqual([3, 900]);
    expect(await at(-1)).toEqual([3, -1]);
    expect(await at(-1, 'read_uncommitted')).toEqual([4, -1]);
    expect(await at(-2)).toEqual([0, -1]);
  });
});
