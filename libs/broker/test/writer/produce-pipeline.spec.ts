// How batches of a transaction get into their partitions: order, sequences, identical retries.
import { describe, expect, it } from '@jest/globals';
import { EpochAbortedError, FatalError, TaskMigratedError } from '#libs/core';
import type { RecordedCall } from '../support/scripted-rpc.ts';
import { metadataOf } from '../support/scripted-rpc.ts';
import { batchOf, valuesOf, viewOf } from '../support/batches.ts';
import { GROUP, initialised, OFFSETS, produced } from '../support/writer-fixture.ts';

function sequences(calls: readonly RecordedCall<'Produce'>[], partition: string): number[] {
  return calls.flatMap((call) => {
    const bytes = call.batches.get(partition);
    return bytes === undefined ? [] : [viewOf(bytes).baseSequence];
  });
}

describe('sending', () => {
  it('puts batches appended together into one request per broker, one batch per partition', async () => {
    const { clock, rpc, writer } = await initialised();
    for (const partition of [0, 1, 2]) writer.append('out', partition, batchOf(`p${partition}`));
    await clock.run(writer.flush());
    const calls = rpc.callsOf('Produce');
    expect(calls.map((call) => [call.target, [...call.batches.keys()].sort()])).toEqual([
      [1, ['out-0', 'out-2']],
      [2, ['out-1']],
    ]);
  });

  it('has one request at a time bring new partitions to a broker, and the next one bring all that queued meanwhile', async () => {
    const { clock, rpc, writer } = await initialised();
    const answers: (() => void)[] = [];
    rpc.on(
      'Produce',
      (request) => new Promise((resolve) => answers.push(() => resolve(produced()(request)))),
    );
    writer.append('out', 0, batchOf('a'));
    await clock.settle();
    for (const value of ['b', 'c']) {
      writer.append('out', 2, batchOf(value));
      await clock.settle();
    }
    expect(rpc.callsOf('Produce').map((call) => [...call.batches.keys()])).toEqual([['out-0']]);
    answers[0]!();
    await clock.settle();
    expect(rpc.callsOf('Produce')[1]!.batches.has('out-2')).toBe(true);
  });

  it('lets the markers of the transaction before be written first, under version 2', async () => {
    const { clock, rpc, writer } = await initialised();
    writer.append('out', 0, batchOf('a'));
    await clock.run(writer.commit([], null));
    const endedAt = clock.monotonic();
    writer.append('out', 0, batchOf('b'));
    await clock.run(writer.flush());
    const waited = rpc.callsOf('Produce')[1]!.at - endedAt;
    expect(waited).toBeGreaterThan(0);
    expect(waited).toBeLessThan(10);
    // Nobody waits when that was long ago.
    await clock.run(writer.commit([], null));
    await clock.advance(100);
    const later = clock.monotonic();
    writer.append('out', 0, batchOf('c'));
    await clock.run(writer.flush());
    expect(rpc.callsOf('Produce')[2]!.at).toBe(later);
  });

  it('keeps at most five requests in flight to a broker', async () => {
    const { clock, rpc, writer } = await initialised();
    writer.append('out', 0, batchOf('first'));
    await clock.run(writer.flush());
    rpc.on('Produce', 'silent');
    for (let i = 0; i < 9; i++) writer.append('out', 0, batchOf(`v${i}`));
    await clock.settle();
    expect(sequences(rpc.callsOf('Produce'), 'out-0')).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('continues sequences by record counts within a transaction', async () => {
    const { clock, rpc, writer } = await initialised();
    writer.append('out', 0, batchOf('a', 'b', 'c'));
    writer.append('out', 0, batchOf('d'));
    await clock.run(writer.flush());
    expect(sequences(rpc.callsOf('Produce'), 'out-0')).toEqual([0, 3]);
  });

  it('compresses and stamps once', async () => {
    const { clock, rpc, writer } = await initialised({ compression: 'gzip' });
    rpc.next('Produce', 'lost');
    writer.append('out', 0, batchOf('aaaaaaaa', 'bbbbbbbb'));
    await clock.run(writer.flush());
    const [first, second] = rpc.callsOf('Produce').map((call) => call.batches.get('out-0')!);
    expect(second!.equals(first!)).toBe(true);
    expect(viewOf(first!).compression).toBe('gzip');
    expect(valuesOf(viewOf(first!))).toEqual(['aaaaaaaa', 'bbbbbbbb']);
  });
});

describe('a produce request without an answer', () => {
  it.each(['lost', 'unreachable', 'silent'] as const)(
    '(%s) goes out again byte for byte, and the commit succeeds',
    async (kind) => {
      const { clock, rpc, writer } = await initialised();
      rpc.next('Produce', kind);
      writer.append('out', 0, batchOf('a', 'b'));
      await clock.run(writer.commit(OFFSETS, GROUP));
      const sent = rpc.callsOf('Produce').map((call) => call.batches.get('out-0')!);
      expect(sent).toHaveLength(2);
      expect(sent[1]!.equals(sent[0]!)).toBe(true);
    },
  );

  it('never has its sequence given to the next batch, of the same size or not', async () => {
    const { clock, rpc, writer } = await initialised();
    rpc.next('Produce', 'lost');
    writer.append('out', 0, batchOf('a'));
    await clock.settle();
    writer.append('out', 0, batchOf('b'));
    await clock.run(writer.commit(OFFSETS, GROUP));
    const sent = rpc.callsOf('Produce').map((call) => {
      const view = viewOf(call.batches.get('out-0')!);
      return [view.baseSequence, valuesOf(view)[0]];
    });
    expect(sent).toEqual([
      [0, 'a'],
      [0, 'a'],
      [1, 'b'],
    ]);
  });

  it('has all batches in flight settled before any of them goes again, in order', async () => {
    const { clock, rpc, writer } = await initialised();
    writer.append('out', 0, batchOf('0'));
    await clock.run(writer.flush());
    // The second of three is lost; the third, which reached the broker, is out of order there.
    rpc.next('Produce', produced(0), 'lost', produced(45));
    for (const value of ['1', '2', '3']) writer.append('out', 0, batchOf(value));
    await clock.run(writer.commit(OFFSETS, GROUP));
    expect(sequences(rpc.callsOf('Produce'), 'out-0')).toEqual([0, 1, 2, 3, 2, 3]);
    expect(writer.state).toBe('READY');
  });

  it('ends the epoch when the deadline passes', async () => {
    const { clock, rpc, writer } = await initialised({ deadlineMs: 40_000 });
    rpc.on('Produce', 'silent');
    writer.append('out', 0, batchOf('a'));
    await expect(clock.run(writer.commit(OFFSETS, GROUP))).rejects.toBeInstanceOf(EpochAbortedError);
    expect(writer.state).toBe('FAILED');
    expect(rpc.callsOf('EndTxn')).toHaveLength(0);
  });
});

describe('a produce answer', () => {
  it.each([
    ['NOT_LEADER_OR_FOLLOWER', 6],
    ['NOT_ENOUGH_REPLICAS', 19],
    ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 20],
    ['REQUEST_TIMED_OUT', 7],
    ['CONCURRENT_TRANSACTIONS', 51],
    ['COORDINATOR_LOAD_IN_PROGRESS', 14],
    ['NOT_COORDINATOR', 16],
    ['UNKNOWN_TOPIC_OR_PARTITION', 3],
    ['KAFKA_STORAGE_ERROR', 56],
    ['CORRUPT_MESSAGE', 2],
  ])('of %s is retried with the same bytes', async (_name, code) => {
    const { clock, rpc, writer } = await initialised();
    rpc.next('Produce', produced(code));
    writer.append('out', 0, batchOf('a'));
    await clock.run(writer.commit(OFFSETS, GROUP));
    const sent = rpc.callsOf('Produce').map((call) => call.batches.get('out-0')!);
    expect(sent).toHaveLength(2);
    expect(sent[1]!.equals(sent[0]!)).toBe(true);
  });

  it('of CONCURRENT_TRANSACTIONS is retried within single milliseconds', async () => {
    const { clock, rpc, writer } = await initialised();
    rpc.next('Produce', produced(51), produced(51), produced(51));
    writer.append('out', 0, batchOf('a'));
    await clock.run(writer.flush());
    const calls = rpc.callsOf('Produce');
    expect(calls).toHaveLength(4);
    expect(calls[3]!.at - calls[0]!.at).toBeLessThan(10);
  });

  it('of NOT_LEADER_OR_FOLLOWER sends to the new leader', async () => {
    const { clock, rpc, writer } = await initialised();
    rpc.next('Produce', produced(6));
    writer.append('out', 0, batchOf('a'));
    await clock.settle();
    rpc.on('Metadata', metadataOf({ out: [2, 2, 2] }, 6));
    await clock.run(writer.flush());
    expect(rpc.callsOf('Produce').map((call) => call.target)).toEqual([1, 2]);
  });

  it('that names the new leader saves the request for metadata', async () => {
    const { clock, rpc, writer } = await initialised();
    writer.append('out', 0, batchOf('a'));
    await clock.run(writer.flush());
    const asked = rpc.callsOf('Metadata').length;
    rpc.next('Produce', (request) => {
      const answer = produced(6)(request);
      Object.assign(answer.topics[0]!.partitions[0]!, { currentLeader: { leaderId: 2, leaderEpoch: 9 } });
      return answer;
    });
    writer.append('out', 0, batchOf('b'));
    await clock.run(writer.flush());
    expect(rpc.callsOf('Metadata')).toHaveLength(asked);
    expect(rpc.callsOf('Produce').at(-1)!.target).toBe(2);
  });

  it('of DUPLICATE_SEQUENCE_NUMBER is success without an offset', async () => {
    const { clock, rpc, writer } = await initialised();
    rpc.next('Produce', 'lost', produced(46));
    writer.append('out', 0, batchOf('a'));
    const committed = await clock.run(writer.commit(OFFSETS, GROUP));
    expect(committed.endOffsets.size).toBe(0);
  });

  it.each([
    ['OUT_OF_ORDER_SEQUENCE_NUMBER', 45],
    ['UNKNOWN_PRODUCER_ID', 59],
    ['INVALID_PRODUCER_ID_MAPPING', 49],
    ['INVALID_TXN_STATE', 48],
    ['TRANSACTION_ABORTABLE', 120],
    ['UNKNOWN_SERVER_ERROR', -1],
  ])('of %s aborts the epoch', async (_name, code) => {
    const { clock, rpc, writer } = await initialised();
    rpc.next('Produce', produced(code));
    writer.append('out', 0, batchOf('a'));
    await expect(clock.run(writer.commit(OFFSETS, GROUP))).rejects.toBeInstanceOf(EpochAbortedError);
    expect(writer.state).toBe('FAILED');
    expect(rpc.callsOf('EndTxn')).toHaveLength(0);
  });

  it.each([
    ['MESSAGE_TOO_LARGE', 10, 'MILLRACE_RECORD_TOO_LARGE'],
    ['RECORD_LIST_TOO_LARGE', 18, 'MILLRACE_RECORD_TOO_LARGE'],
    ['TOPIC_AUTHORIZATION_FAILED', 29, 'MILLRACE_AUTHORIZATION_FAILED'],
    ['INVALID_RECORD', 87, 'MILLRACE_REQUEST_FAILED'],
    ['a code unknown to us', 999, 'MILLRACE_REQUEST_FAILED'],
  ])('of %s is fatal', async (_name, errorCode, code) => {
    const { clock, rpc, writer } = await initialised();
    rpc.next('Produce', produced(errorCode));
    writer.append('out', 0, batchOf('a'));
    const outcome = clock.run(writer.commit(OFFSETS, GROUP));
    await expect(outcome).rejects.toBeInstanceOf(FatalError);
    await expect(outcome).rejects.toMatchObject({ code });
  });

  it('shows a failure as state FAILED at once, and drops what is appended until commit tells', async () => {
    const { clock, rpc, writer } = await initialised();
    rpc.next('Produce', produced(45));
    writer.append('out', 0, batchOf('a'));
    await clock.settle();
    expect(writer.state).toBe('FAILED');
    writer.append('out', 0, batchOf('b'));
    await clock.settle();
    expect(rpc.callsOf('Produce')).toHaveLength(1);
    await expect(clock.run(writer.commit(OFFSETS, GROUP))).rejects.toBeInstanceOf(EpochAbortedError);
  });

  it('reports a topic that stays unknown as missing', async () => {
    const { clock, writer } = await initialised();
    writer.append('nowhere', 0, batchOf('a'));
    await expect(clock.run(writer.commit(OFFSETS, GROUP))).rejects.toMatchObject({
      code: 'MILLRACE_TOPIC_MISSING',
    });
  });

  it('reports a partition that the topic does not have', async () => {
    const { clock, writer } = await initialised();
    writer.append('out', 9, batchOf('a'));
    await expect(clock.run(writer.flush())).rejects.toMatchObject({ code: 'MILLRACE_PARTITIONS_MISMATCH' });
  });
});

describe('fencing', () => {
  it.each([
    ['INVALID_PRODUCER_EPOCH', 47],
    ['PRODUCER_FENCED', 90],
  ])('by %s on a produce answer means that the tasks have migrated', async (_name, code) => {
    const { clock, rpc, writer } = await initialised();
    rpc.next('Produce', produced(code));
    writer.append('out', 0, batchOf('a'));
    const outcome = clock.run(writer.commit(OFFSETS, GROUP));
    await expect(outcome).rejects.toBeInstanceOf(TaskMigratedError);
    await expect(outcome).rejects.toMatchObject({ code: 'MILLRACE_PRODUCER_FENCED' });
    expect(writer.state).toBe('FENCED');
  });

  it('on EndTxn does the same', async () => {
    const { clock, rpc, writer } = await initialised();
    rpc.next('EndTxn', { errorCode: 90, producerId: -1n, producerEpoch: -1 });
    writer.append('out', 0, batchOf('a'));
    await expect(clock.run(writer.commit(OFFSETS, GROUP))).rejects.toMatchObject({
      code: 'MILLRACE_PRODUCER_FENCED',
    });
    expect(writer.state).toBe('FENCED');
  });

  it('after the whole transaction timeout is the timeout: the epoch is aborted, nobody else took over', async () => {
    const { clock, rpc, writer } = await initialised({ transactionTimeoutMs: 10_000, deadlineMs: 60_000 });
    writer.append('out', 0, batchOf('a'));
    await clock.advance(15_000);
    rpc.next('EndTxn', { errorCode: 90, producerId: -1n, producerEpoch: -1 });
    await expect(clock.run(writer.commit(OFFSETS, GROUP))).rejects.toBeInstanceOf(EpochAbortedError);
    expect(writer.state).toBe('FAILED');
  });

  it('is left only by an explicit initialise', async () => {
    const { clock, rpc, writer } = await initialised();
    rpc.next('Produce', produced(47));
    writer.append('out', 0, batchOf('a'));
    await expect(clock.run(writer.flush())).rejects.toBeInstanceOf(TaskMigratedError);
    await expect(clock.run(writer.commit([], null))).rejects.toBeInstanceOf(TaskMigratedError);
    await clock.run(writer.initialise());
    expect(writer.state).toBe('READY');
  });
});
