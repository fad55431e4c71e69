// What the reader fetches, buffers and gives, and what it does when brokers refuse.
import { describe, expect, it } from '@jest/globals';
import { silentLogger } from '#libs/core';
import { Cluster } from '../../src/cluster/index.ts';
import type { RecordReaderOptions } from '../../src/contracts/index.ts';
import { compressBatch } from '../../src/record-batch/index.ts';
import { KafkaRecordReader } from '../../src/reader/index.ts';
import { batchOf, markerBatch, storedBatch, valuesOf } from '../support/batches.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { FakeLogs } from '../support/fake-log.ts';
import { metadataOf, ScriptedRpc, topicIdOf } from '../support/scripted-rpc.ts';

function fixture(options: Partial<RecordReaderOptions> = {}) {
  const clock = new FakeClock();
  const rpc = new ScriptedRpc(clock);
  const logs = new FakeLogs(clock);
  rpc
    .on('Metadata', metadataOf({ in: [1, 2, 1], other: [1] }))
    .on('Fetch', logs.fetch)
    .on('OffsetForLeaderEpoch', (request) => ({
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partition, leaderEpoch }) => ({
          partition,
          errorCode: 0,
          leaderEpoch,
          endOffset: 1_000_000,
        })),
      })),
    }));
  const cluster = new Cluster({ rpc, clock, logger: silentLogger, requestTimeoutMs: 30_000 });
  const reader = new KafkaRecordReader(cluster, { isolation: 'read_committed', ...options });

  /** Takes until `count` values came, or `forMs` passed. */
  async function take(count: number, forMs = 5_000): Promise<string[]> {
    const values: string[] = [];
    const until = clock.monotonic() + forMs;
    while (values.length < count && clock.monotonic() < until) {
      const chunk = reader.take();
      if (chunk === undefined) {
        await clock.run(reader.waitForChunk(until - clock.monotonic()));
        continue;
      }
      for (const batch of chunk.batches) values.push(...valuesOf(batch, chunk.startOffset));
    }
    return values;
  }

  /** Runs until the reader throws, and gives the error. */
  async function failure(): Promise<unknown> {
    for (let i = 0; i < 200; i++) {
      try {
        if (reader.take() === undefined) await clock.run(reader.waitForChunk(1_000));
      } catch (error) {
        return error;
      }
    }
    throw new Error('the reader did not fail');
  }

  return { clock, rpc, logs, reader, take, failure };
}

const fetches = (rpc: ScriptedRpc) => rpc.callsOf('Fetch').map((call) => call.request);

describe('reading', () => {
  it('fetches from leaders by topic id and gives batches in offset order', async () => {
    const { rpc, logs, reader, take } = fixture();
    logs.append('in', 0, storedBatch(0, ['a', 'b']), storedBatch(2, ['c']));
    logs.append('in', 1, storedBatch(0, ['x']));
    reader.assign('in', 0, 0);
    reader.assign('in', 1, 0);
    expect((await take(4)).sort()).toEqual(['a', 'b', 'c', 'x']);
    expect(reader.position('in', 0)).toBe(3);
    expect(
      rpc
        .callsOf('Fetch')
        .map((call) => call.target)
        .slice(0, 2),
    ).toEqual([1, 2]);
    expect(fetches(rpc)[0]!.topics[0]).toMatchObject({ topicId: topicIdOf('in') });
  });

  it('starts within a batch', async () => {
    const { logs, reader, take } = fixture();
    logs.append('in', 0, storedBatch(0, ['a', 'b', 'c']));
    reader.assign('in', 0, 1);
    expect(await take(2)).toEqual(['b', 'c']);
  });

  it('unfolds compressed batches', async () => {
    const { logs, reader, take } = fixture();
    const bytes = storedBatch(0, ['a'.repeat(500)]);
    const zipped = compressBatch(batchOf('a'.repeat(500)), 'gzip');
    const { stampBatch } = await import('../../src/record-batch/index.ts');
    stampBatch(zipped, { producerId: -1, producerEpoch: -1, baseSequence: -1, isTransactional: false });
    expect(zipped.bytes.length).toBeLessThan(bytes.length);
    logs.append('in', 0, zipped.bytes);
    reader.assign('in', 0, 0);
    expect(await take(1)).toEqual(['a'.repeat(500)]);
  });

  it('leaves out an aborted transaction whose marker comes with a later fetch', async () => {
    const { clock, logs, reader, take } = fixture({ partitionMaxBytes: 64 * 1024 });
    const log = logs.log('in', 0);
    const large = 'x'.repeat(60_000);
    logs.append(
      'in',
      0,
      storedBatch(0, [large], { producerId: 7 }),
      storedBatch(1, [large], { producerId: 7, baseSequence: 1 }),
      markerBatch(2, 7, 'abort'),
      storedBatch(3, ['kept'], { producerId: 8 }),
      markerBatch(4, 8, 'commit'),
    );
    log.aborted = [{ producerId: 7n, firstOffset: 0 }];
    reader.assign('in', 0, 0);
    expect(await take(1)).toEqual(['kept']);
    await clock.advance(2_000);
    while (reader.take() !== undefined);
    expect(reader.position('in', 0)).toBe(5);
  });

  it('moves its position although nothing is delivered', async () => {
    const { clock, logs, reader } = fixture();
    logs.append('in', 0, storedBatch(0, ['gone'], { producerId: 7 }), markerBatch(1, 7, 'abort'));
    logs.log('in', 0).aborted = [{ producerId: 7n, firstOffset: 0 }];
    reader.assign('in', 0, 0);
    await clock.run(reader.waitForChunk(1_000));
    const chunk = reader.take()!;
    expect([chunk.batches.length, chunk.nextOffset, reader.position('in', 0)]).toEqual([0, 2, 2]);
  });

  it('tells end offsets as they were answered last', async () => {
    const { clock, logs, reader } = fixture();
    logs.append('in', 0, storedBatch(0, ['a']), storedBatch(1, ['open'], { producerId: 7 }));
    logs.log('in', 0).lastStableOffset = 1;
    reader.assign('in', 0, 0);
    expect(reader.endOffsets('in', 0)).toEqual({ highWatermark: -1, lastStableOffset: -1 });
    await clock.run(reader.waitForChunk(1_000));
    expect(reader.endOffsets('in', 0)).toEqual({ highWatermark: 2, lastStableOffset: 1 });
  });
});

describe('taking', () => {
  it('is fair over partitions', async () => {
    const { clock, logs, reader } = fixture({ partitionMaxBytes: 64 * 1024 });
    for (const partition of [0, 2]) {
      for (let i = 0; i < 3; i++) logs.append('in', partition, storedBatch(i, ['x'.repeat(60_000)]));
      reader.assign('in', partition, 0);
    }
    await clock.advance(1_000);
    const taken: number[] = [];
    for (let chunk = reader.take(); chunk !== undefined; chunk = reader.take()) taken.push(chunk.partition);
    expect(taken).toEqual([0, 2, 0, 2, 0, 2]);
  });

  it('gives nothing of a paused partition, and gives it again after resume', async () => {
    const { clock, logs, reader } = fixture();
    logs.append('in', 0, storedBatch(0, ['a']));
    reader.assign('in', 0, 0);
    await clock.run(reader.waitForChunk(1_000));
    reader.pause('in', 0);
    expect(reader.take()).toBeUndefined();
    expect(reader.bufferedBytes).toBeGreaterThan(0);
    reader.resume('in', 0);
    expect(reader.take()!.nextOffset).toBe(1);
  });

  it('gives nothing of an unassigned partition, nor of what was asked before a new position', async () => {
    const { clock, logs, reader } = fixture();
    logs.append('in', 0, storedBatch(0, ['a']), storedBatch(1, ['b']));
    reader.assign('in', 0, 0);
    await clock.settle();
    reader.assign('in', 0, 1);
    await clock.run(reader.waitForChunk(1_000));
    expect(reader.take()!.startOffset).toBe(1);
    reader.unassign('in', 0);
    expect(reader.take()).toBeUndefined();
    expect(() => reader.position('in', 0)).toThrow(/not assigned/);
  });

  it('waits no longer than told, and ends early on wake', async () => {
    const { clock, reader } = fixture();
    reader.assign('in', 0, 0);
    const started = clock.monotonic();
    await clock.run(reader.waitForChunk(40));
    expect(clock.monotonic() - started).toBe(40);
    const waiting = reader.waitForChunk(10_000);
    reader.wake();
    await waiting;
    expect(clock.monotonic() - started).toBe(40);
  });
});

describe('buffering', () => {
  it('is bounded, and a full partition never keeps another from being fetched', async () => {
    const { clock, logs, reader } = fixture({ maxBufferedBytes: 800_000, partitionMaxBytes: 100_000 });
    for (let i = 0; i < 100; i++) logs.append('in', 0, storedBatch(i, ['x'.repeat(50_000)]));
    reader.assign('in', 0, 0);
    reader.assign('in', 2, 0);
    await clock.advance(5_000);
    expect(reader.bufferedBytes).toBeLessThanOrEqual(800_000);
    logs.append('in', 2, storedBatch(0, ['other']));
    await clock.advance(300);
    const seen = new Set<number>();
    for (let chunk = reader.take(); chunk !== undefined; chunk = reader.take()) seen.add(chunk.partition);
    expect(seen).toEqual(new Set([0, 2]));
  });

  it('fetches nothing more of a paused partition', async () => {
    const { clock, rpc, logs, reader } = fixture();
    logs.append('in', 0, storedBatch(0, ['a']));
    reader.assign('in', 0, 0);
    await clock.run(reader.waitForChunk(1_000));
    reader.pause('in', 0);
    await clock.advance(1_000);
    const before = rpc.callsOf('Fetch').length;
    await clock.advance(5_000);
    expect(rpc.callsOf('Fetch')).toHaveLength(before);
  });
});

describe('fetch sessions', () => {
  it('say a partition once, then only what changed', async () => {
    const { clock, rpc, logs, reader, take } = fixture();
    reader.assign('in', 0, 0);
    reader.assign('in', 2, 0);
    await clock.advance(600);
    logs.append('in', 0, storedBatch(0, ['a']));
    expect(await take(1)).toEqual(['a']);
    await clock.advance(600);
    const [first, second, ...rest] = fetches(rpc);
    expect([first!.sessionId, first!.sessionEpoch, first!.topics[0]!.partitions.length]).toEqual([0, 0, 2]);
    expect([second!.sessionId, second!.sessionEpoch, second!.topics.length]).toEqual([100, 1, 0]);
    const changed = rest.find((request) => request.topics.length > 0)!;
    expect(
      changed.topics[0]!.partitions.map(({ partition, fetchOffset }) => [partition, fetchOffset]),
    ).toEqual([[0, 1]]);
    expect(new Set(logs.partitionsAsked)).toEqual(new Set([2]));
  });

  it('forget what is unassigned', async () => {
    const { clock, rpc, reader } = fixture();
    reader.assign('in', 0, 0);
    reader.assign('in', 2, 0);
    await clock.advance(300);
    reader.unassign('in', 2);
    await clock.advance(600);
    const forgetting = fetches(rpc).find((request) => request.forgottenTopics.length > 0)!;
    expect(forgetting.forgottenTopics[0]!.partitions).toEqual([2]);
  });

  it.each([
    ['FETCH_SESSION_ID_NOT_FOUND', 70],
    ['INVALID_FETCH_SESSION_EPOCH', 71],
    ['FETCH_SESSION_TOPIC_ID_ERROR', 106],
  ])('start over on %s', async (_name, code) => {
    const { clock, rpc, logs, reader, take } = fixture();
    reader.assign('in', 0, 0);
    await clock.advance(600);
    logs.topLevelErrors.push(code);
    await clock.advance(600);
    logs.append('in', 0, storedBatch(0, ['a']));
    expect(await take(1)).toEqual(['a']);
    const fresh = fetches(rpc).filter((request) => request.sessionEpoch === 0);
    expect(fresh).toHaveLength(2);
    expect(fresh[1]!.sessionId).toBe(code === 70 ? 0 : 100);
  });

  it('start over after a lost answer, and nothing is skipped', async () => {
    const { rpc, logs, reader, take } = fixture();
    logs.append('in', 0, storedBatch(0, ['a']));
    rpc.next('Fetch', 'lost');
    reader.assign('in', 0, 0);
    expect(await take(1)).toEqual(['a']);
    expect(
      fetches(rpc)
        .slice(0, 2)
        .map((request) => request.sessionEpoch),
    ).toEqual([0, 0]);
  });

  it('are done without where the broker gives none', async () => {
    const { rpc, logs, reader, take } = fixture();
    logs.sessionsOff = true;
    logs.append('in', 0, storedBatch(0, ['a']), storedBatch(1, ['b']));
    reader.assign('in', 0, 0);
    expect(await take(2)).toEqual(['a', 'b']);
    expect(fetches(rpc).every((request) => request.sessionId === 0 && request.sessionEpoch === 0)).toBe(true);
  });
});

describe('errors of a partition', () => {
  it.each([
    ['NOT_LEADER_OR_FOLLOWER', 6],
    ['FENCED_LEADER_EPOCH', 74],
    ['UNKNOWN_LEADER_EPOCH', 75],
    ['OFFSET_NOT_AVAILABLE', 78],
    ['KAFKA_STORAGE_ERROR', 56],
    ['UNKNOWN_TOPIC_OR_PARTITION', 3],
    ['UNKNOWN_TOPIC_ID', 100],
    ['UNKNOWN_SERVER_ERROR', -1],
  ])('of %s are tried again', async (_name, errorCode) => {
    const { logs, reader, take } = fixture();
    logs.odd('in', 0, { errorCode, records: null });
    logs.append('in', 0, storedBatch(0, ['a']));
    reader.assign('in', 0, 0);
    expect(await take(1)).toEqual(['a']);
  });

  it('follow a new leader', async () => {
    const { rpc, logs, reader, take } = fixture();
    logs.odd('in', 0, { errorCode: 6, records: null });
    rpc.next('Metadata', metadataOf({ in: [1, 2, 1] }));
    rpc.on('Metadata', metadataOf({ in: [2, 2, 1] }, 6));
    logs.append('in', 0, storedBatch(0, ['a']));
    reader.assign('in', 0, 0);
    expect(await take(1)).toEqual(['a']);
    expect(
      rpc
        .callsOf('Fetch')
        .map((call) => call.target)
        .slice(0, 2),
    ).toEqual([1, 2]);
    expect(fetches(rpc)[1]!.topics[0]!.partitions[0]!.currentLeaderEpoch).toBe(6);
  });

  it('never believe an older leader epoch', async () => {
    const { clock, rpc, logs, reader } = fixture();
    logs.odd('in', 0, { errorCode: 6, records: null });
    rpc.on('Metadata', metadataOf({ in: [2, 2, 1] }, 4));
    rpc.next('Metadata', metadataOf({ in: [1, 2, 1] }, 5));
    reader.assign('in', 0, 0);
    await clock.advance(1_000);
    expect(rpc.callsOf('Fetch').every((call) => call.target === 1)).toBe(true);
  });

  it('of an offset out of range stop the partition with a code, and skip nothing', async () => {
    const { logs, reader, failure } = fixture();
    logs.odd('in', 0, { errorCode: 1, logStartOffset: 50, records: null });
    logs.append('in', 2, storedBatch(0, ['other']));
    reader.assign('in', 0, 10);
    expect(await failure()).toMatchObject({
      code: 'MILLRACE_OFFSET_OUT_OF_RANGE',
      context: { topic: 'in', partition: 0, offset: 10, logStartOffset: 50 },
    });
    expect(() => reader.take()).toThrow(/MILLRACE_OFFSET_OUT_OF_RANGE/);
    reader.unassign('in', 0);
    expect(reader.take()).toBeUndefined();
  });

  it('show only after what was read before them, and never keep other partitions from theirs', async () => {
    const { clock, logs, reader } = fixture();
    logs.append('in', 0, storedBatch(0, ['a']));
    reader.assign('in', 0, 0);
    await clock.run(reader.waitForChunk(1_000));
    logs.odd('in', 0, { errorCode: 1, records: null });
    logs.append('in', 2, storedBatch(0, ['other']));
    reader.assign('in', 2, 0);
    await clock.advance(1_000);
    expect(reader.take()!.partition).toBe(0);
    const others: unknown[] = [];
    for (let i = 0; i < 4; i++) {
      try {
        others.push(reader.take()?.partition);
      } catch (error) {
        others.push((error as { code: string }).code);
      }
    }
    expect(others).toContain(2);
    expect(others).toContain('MILLRACE_OFFSET_OUT_OF_RANGE');
  });

  it('of broken bytes are fetched again, and stop the partition when they stay broken', async () => {
    const { logs, reader, take, failure } = fixture();
    const broken = storedBatch(0, ['a']);
    broken[64]! ^= 0xff;
    logs.odd('in', 0, { records: broken });
    logs.append('in', 0, storedBatch(0, ['a']));
    reader.assign('in', 0, 0);
    expect(await take(1)).toEqual(['a']);
    logs.odd('in', 0, { records: broken }, { records: broken }, { records: broken });
    expect(await failure()).toMatchObject({
      code: 'MILLRACE_CORRUPT_BATCH',
      context: { topic: 'in', partition: 0, offset: 1 },
    });
  });

  it('of authorisation stop the partition', async () => {
    const { logs, reader, failure } = fixture();
    logs.odd('in', 0, { errorCode: 29, records: null });
    reader.assign('in', 0, 0);
    expect(await failure()).toMatchObject({
      code: 'MILLRACE_AUTHORIZATION_FAILED',
      context: { topic: 'in' },
    });
  });

  it('of a topic that does not exist stop the partition after a grace', async () => {
    const { clock, reader, failure } = fixture();
    const started = clock.monotonic();
    reader.assign('nowhere', 0, 0);
    expect(await failure()).toMatchObject({ code: 'MILLRACE_TOPIC_MISSING', context: { topic: 'nowhere' } });
    expect(clock.monotonic() - started).toBeGreaterThanOrEqual(10_000);
  });

  it('of a topic made anew stop the partition: its offsets mean something else now', async () => {
    const { rpc, logs, reader, failure } = fixture();
    logs.odd('in', 0, { errorCode: 100, records: null });
    rpc.next('Metadata', metadataOf({ in: [1, 2, 1] }));
    rpc.on('Metadata', (request) => {
      const answer = metadataOf({ in: [1, 2, 1] })(request);
      for (const topic of answer.topics) topic.topicId = 'f'.repeat(32);
      return answer;
    });
    reader.assign('in', 0, 0);
    expect(await failure()).toMatchObject({ code: 'MILLRACE_TOPIC_MISSING' });
  });
});

describe('leader epochs', () => {
  it('have the position checked before a new leader is asked for records', async () => {
    const { clock, rpc, logs, reader, take } = fixture();
    logs.append('in', 0, storedBatch(0, ['a']));
    reader.assign('in', 0, 0);
    expect(await take(1)).toEqual(['a']);
    rpc.on('Metadata', metadataOf({ in: [2, 2, 1] }, 6));
    logs.odd('in', 0, { errorCode: 6, records: null });
    await clock.advance(1_000);
    const check = rpc.callsOf('OffsetForLeaderEpoch')[0]!;
    expect([check.target, check.request.topics[0]!.partitions[0]]).toEqual([
      2,
      { partition: 0, currentLeaderEpoch: 6, leaderEpoch: 5 },
    ]);
  });

  it('that end below the position mean records read are gone: a code, never a skip', async () => {
    const { rpc, reader, failure } = fixture();
    rpc.on('OffsetForLeaderEpoch', {
      topics: [{ name: 'in', partitions: [{ partition: 0, errorCode: 0, leaderEpoch: 3, endOffset: 40 }] }],
    });
    reader.assign('in', 0, 50, 3);
    expect(await failure()).toMatchObject({
      code: 'MILLRACE_OFFSET_OUT_OF_RANGE',
      context: { offset: 50, truncatedTo: 40 },
    });
    expect(rpc.callsOf('Fetch')).toHaveLength(0);
  });

  it('that diverge in a fetch answer mean the same', async () => {
    const { logs, reader, failure } = fixture();
    logs.odd('in', 0, { divergingEpoch: { epoch: 3, endOffset: 40 }, records: null });
    reader.assign('in', 0, 50);
    expect(await failure()).toMatchObject({ code: 'MILLRACE_OFFSET_OUT_OF_RANGE' });
  });
});

describe('a closer replica', () => {
  it('that the leader names is read from', async () => {
    const { rpc, logs, reader, take } = fixture({ rack: 'here' });
    logs.odd('in', 0, { preferredReadReplica: 2, records: null });
    logs.append('in', 0, storedBatch(0, ['a']));
    reader.assign('in', 0, 0);
    expect(await take(1)).toEqual(['a']);
    expect(
      rpc
        .callsOf('Fetch')
        .map((call) => call.target)
        .slice(0, 2),
    ).toEqual([1, 2]);
    expect(fetches(rpc)[0]!.rackId).toBe('here');
  });

  it('that lags behind is left for the leader, and its out-of-range is not believed', async () => {
    const { rpc, logs, reader, take } = fixture({ rack: 'here' });
    logs.odd('in', 0, { preferredReadReplica: 2, records: null }, { errorCode: 1, records: null });
    logs.append('in', 0, storedBatch(0, ['a']));
    reader.assign('in', 0, 0);
    expect(await take(1)).toEqual(['a']);
    expect(
      rpc
        .callsOf('Fetch')
        .map((call) => call.target)
        .slice(0, 3),
    ).toEqual([1, 2, 1]);
  });
});

describe('closing', () => {
  it('frees the session and ends a wait', async () => {
    const { clock, rpc, reader } = fixture();
    reader.assign('in', 0, 0);
    await clock.advance(600);
    const waiting = reader.waitForChunk(60_000);
    await reader.close();
    await waiting;
    expect(fetches(rpc).at(-1)!.sessionEpoch).toBe(-1);
    expect(() => reader.assign('in', 0, 0)).toThrow(/MILLRACE_ILLEGAL_STATE/);
  });
});
