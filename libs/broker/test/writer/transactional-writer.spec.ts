// What a transactional writer does on each answer of its coordinators, and on none.
import { describe, expect, it } from '@jest/globals';
import { EpochAbortedError, FatalError, TaskMigratedError } from '#libs/core';
import type { RecordedCall } from '../support/scripted-rpc.ts';
import { batchOf, valuesOf, viewOf } from '../support/batches.ts';
import {
  ended,
  GROUP,
  initialised,
  OFFSETS,
  offsetsAnswer,
  writerFixture,
} from '../support/writer-fixture.ts';

function sequences(calls: readonly RecordedCall<'Produce'>[], partition: string): number[] {
  return calls.flatMap((call) => {
    const bytes = call.batches.get(partition);
    return bytes === undefined ? [] : [viewOf(bytes).baseSequence];
  });
}

describe('initialising', () => {
  it('asks with -1/-1, so that the older holder is fenced and never itself', async () => {
    const { rpc } = await initialised({ transactionTimeoutMs: 12_000 });
    expect(rpc.callsOf('InitProducerId').map((call) => call.request)).toEqual([
      { transactionalId: 'app-a-0', transactionTimeoutMs: 12_000, producerId: -1n, producerEpoch: -1 },
    ]);
  });

  it.each([
    ['CONCURRENT_TRANSACTIONS', 51],
    ['COORDINATOR_LOAD_IN_PROGRESS', 14],
    ['NOT_COORDINATOR', 16],
    ['PRODUCER_FENCED', 90],
  ])('tries again on %s', async (_name, errorCode) => {
    const { clock, rpc, writer } = writerFixture();
    rpc.next('InitProducerId', { errorCode, producerId: -1n, producerEpoch: -1 });
    await clock.run(writer.initialise());
    expect(writer.state).toBe('READY');
    expect(rpc.callsOf('InitProducerId')).toHaveLength(2);
  });

  it('looks the coordinator up again when it moved', async () => {
    const { clock, rpc, writer } = writerFixture();
    rpc.next('InitProducerId', { errorCode: 16, producerId: -1n, producerEpoch: -1 });
    await clock.run(writer.initialise());
    expect(rpc.callsOf('FindCoordinator')).toHaveLength(2);
  });

  it('refuses a transaction timeout that the broker does not allow', async () => {
    const { clock, rpc, writer } = writerFixture();
    rpc.next('InitProducerId', { errorCode: 50, producerId: -1n, producerEpoch: -1 });
    await expect(clock.run(writer.initialise())).rejects.toMatchObject({ code: 'MILLRACE_INVALID_CONFIG' });
  });

  it('fails as FatalError without the right to the transactional id', async () => {
    const { clock, rpc, writer } = writerFixture();
    rpc.next('InitProducerId', { errorCode: 53, producerId: -1n, producerEpoch: -1 });
    const outcome = clock.run(writer.initialise());
    await expect(outcome).rejects.toBeInstanceOf(FatalError);
    await expect(outcome).rejects.toMatchObject({ code: 'MILLRACE_AUTHORIZATION_FAILED' });
  });

  it('gives up at the deadline', async () => {
    const { clock, rpc, writer } = writerFixture({ deadlineMs: 5_000 });
    rpc.on('InitProducerId', 'silent');
    await expect(clock.run(writer.initialise())).rejects.toBeInstanceOf(EpochAbortedError);
    expect(writer.state).toBe('FAILED');
  });
});

describe('a commit', () => {
  it('writes, offers the offsets under their generation, ends, and takes the bumped epoch with sequences from 0', async () => {
    const { clock, rpc, writer } = await initialised();
    writer.append('out', 0, batchOf('a', 'b'));
    expect(writer.state).toBe('IN_TRANSACTION');
    const committed = await clock.run(writer.commit(OFFSETS, GROUP));
    expect(writer.state).toBe('READY');
    expect([...committed.endOffsets]).toEqual([['out-0', 102]]);

    writer.append('out', 0, batchOf('c'));
    await clock.run(writer.commit(OFFSETS, GROUP));
    const batches = rpc.callsOf('Produce').map((call) => viewOf(call.batches.get('out-0')!));
    expect(batches.map((batch) => [batch.producerId, batch.producerEpoch, batch.baseSequence])).toEqual([
      [4000, 10, 0],
      [4000, 11, 0],
    ]);
    expect(batches.every((batch) => batch.isTransactional && batch.hasValidCrc())).toBe(true);
    expect(rpc.callsOf('TxnOffsetCommit')[0]!.request).toMatchObject({
      generationId: 7,
      memberId: 'member-1',
      groupInstanceId: null,
      transactionVersion2: true,
      topics: [
        {
          name: 'in',
          partitions: [
            { partition: 0, committedOffset: 42, committedLeaderEpoch: 3, committedMetadata: 'epoch 1' },
          ],
        },
      ],
    });
    expect(rpc.callsOf('AddPartitionsToTxn')).toHaveLength(0);
  });

  it('of nothing sends nothing', async () => {
    const { clock, rpc, writer } = await initialised();
    await clock.run(writer.commit([], null));
    expect(rpc.callsOf('EndTxn')).toHaveLength(0);
  });

  it('of offsets alone is a transaction', async () => {
    const { clock, rpc, writer } = await initialised();
    await clock.run(writer.commit(OFFSETS, GROUP));
    expect(rpc.callsOf('EndTxn').map((call) => call.request.committed)).toEqual([true]);
  });

  it('ends only when every batch is acknowledged', async () => {
    const { clock, rpc, writer } = await initialised();
    rpc.next('Produce', 'silent');
    writer.append('out', 0, batchOf('a'));
    const commit = writer.commit(OFFSETS, GROUP);
    await clock.advance(29_000);
    expect(rpc.callsOf('EndTxn')).toHaveLength(0);
    await clock.run(commit);
    expect(rpc.callsOf('EndTxn')).toHaveLength(1);
  });
});

describe('an offset commit', () => {
  it.each([
    ['ILLEGAL_GENERATION', 22],
    ['UNKNOWN_MEMBER_ID', 25],
    ['FENCED_INSTANCE_ID', 82],
  ])('of %s aborts the transaction and reports the migration', async (_name, code) => {
    const { clock, rpc, writer } = await initialised();
    rpc.next('TxnOffsetCommit', offsetsAnswer(code));
    writer.append('out', 0, batchOf('a'));
    const outcome = clock.run(writer.commit(OFFSETS, GROUP));
    await expect(outcome).rejects.toBeInstanceOf(TaskMigratedError);
    await expect(outcome).rejects.toMatchObject({ code: 'MILLRACE_GENERATION_LOST' });
    expect(rpc.callsOf('EndTxn').map((call) => call.request.committed)).toEqual([false]);
    expect(writer.state).toBe('READY');
  });

  it.each([
    ['ILLEGAL_GENERATION', 22],
    ['REBALANCE_IN_PROGRESS', 27],
  ])('of %s goes out again under the next generation, in the same transaction', async (_name, code) => {
    const { clock, rpc, writer } = await initialised();
    rpc.next('TxnOffsetCommit', offsetsAnswer(code));
    writer.append('out', 0, batchOf('a'));
    const refused: number[] = [];
    await clock.run(
      writer.commit(OFFSETS, GROUP, async (group) => {
        refused.push(group.generationId);
        return { ...group, generationId: 8 };
      }),
    );
    expect(refused).toEqual([7]);
    const [first, second] = rpc.callsOf('TxnOffsetCommit').map(({ request }) => request);
    expect(second).toEqual({ ...first, generationId: 8 });
    expect(rpc.callsOf('EndTxn').map((call) => call.request.committed)).toEqual([true]);
  });

  it.each([
    ['ILLEGAL_GENERATION without a next generation', 22, 1],
    ['UNKNOWN_MEMBER_ID, without asking for one', 25, 0],
    ['FENCED_INSTANCE_ID, without asking for one', 82, 0],
  ])('of %s aborts the transaction', async (_name, code, asked) => {
    const { clock, rpc, writer } = await initialised();
    rpc.next('TxnOffsetCommit', offsetsAnswer(code));
    let count = 0;
    const commit = writer.commit(OFFSETS, GROUP, async () => {
      count++;
      return null;
    });
    await expect(clock.run(commit)).rejects.toMatchObject({ code: 'MILLRACE_GENERATION_LOST' });
    expect(count).toBe(asked);
    expect(rpc.callsOf('TxnOffsetCommit')).toHaveLength(1);
    expect(rpc.callsOf('EndTxn').map((call) => call.request.committed)).toEqual([false]);
  });

  it('waits for the next generation no longer than its deadline', async () => {
    const { clock, rpc, writer } = await initialised({ deadlineMs: 3_000 });
    rpc.next('TxnOffsetCommit', offsetsAnswer(22));
    const commit = writer.commit(OFFSETS, GROUP, () => new Promise(() => undefined));
    await expect(clock.run(commit)).rejects.toMatchObject({ code: 'MILLRACE_GENERATION_LOST' });
    expect(clock.monotonic()).toBeGreaterThanOrEqual(3_000);
  });

  it('sends nothing under the next generation once the writer was initialised anew', async () => {
    const { clock, rpc, writer } = await initialised();
    rpc.next('TxnOffsetCommit', offsetsAnswer(22));
    let renew = (): void => undefined;
    const commit = writer.commit(
      OFFSETS,
      GROUP,
      (group) => new Promise((resolve) => (renew = () => resolve({ ...group, generationId: 8 }))),
    );
    commit.catch(() => undefined);
    await clock.settle();
    const again = writer.initialise();
    renew();
    await clock.run(again);
    await expect(commit).rejects.toBeInstanceOf(EpochAbortedError);
    expect(rpc.callsOf('TxnOffsetCommit')).toHaveLength(1);
  });

  it('of a lost generation reports the migration even when the abort fails, and is FAILED then', async () => {
    const { clock, rpc, writer } = await initialised({ deadlineMs: 3_000 });
    rpc.next('TxnOffsetCommit', offsetsAnswer(22)).on('EndTxn', 'silent');
    writer.append('out', 0, batchOf('a'));
    await expect(clock.run(writer.commit(OFFSETS, GROUP))).rejects.toMatchObject({
      code: 'MILLRACE_GENERATION_LOST',
    });
    expect(writer.state).toBe('FAILED');
  });

  it.each([
    ['lost', 'lost' as const],
    ['NOT_COORDINATOR', offsetsAnswer(16)],
    ['COORDINATOR_LOAD_IN_PROGRESS', offsetsAnswer(14)],
    ['CONCURRENT_TRANSACTIONS', offsetsAnswer(51)],
    ['UNKNOWN_TOPIC_OR_PARTITION', offsetsAnswer(3)],
    ['NOT_ENOUGH_REPLICAS', offsetsAnswer(19)],
  ])('(%s) is sent again unchanged', async (_name, answer) => {
    const { clock, rpc, writer } = await initialised();
    rpc.next('TxnOffsetCommit', answer);
    await clock.run(writer.commit(OFFSETS, GROUP));
    const [first, second] = rpc.callsOf('TxnOffsetCommit');
    expect(second!.request).toEqual(first!.request);
  });

  it.each([
    ['INVALID_PRODUCER_ID_MAPPING', 49, EpochAbortedError],
    ['INVALID_TXN_STATE', 48, EpochAbortedError],
    ['PRODUCER_FENCED', 90, TaskMigratedError],
    ['GROUP_AUTHORIZATION_FAILED', 30, FatalError],
    ['OFFSET_METADATA_TOO_LARGE', 12, FatalError],
  ])('of %s ends the writer', async (_name, code, errorClass) => {
    const { clock, rpc, writer } = await initialised();
    rpc.next('TxnOffsetCommit', offsetsAnswer(code));
    writer.append('out', 0, batchOf('a'));
    await expect(clock.run(writer.commit(OFFSETS, GROUP))).rejects.toBeInstanceOf(errorClass);
    expect(rpc.callsOf('EndTxn')).toHaveLength(0);
  });

  it('without the group it was read under is refused', async () => {
    const { writer } = await initialised();
    await expect(writer.commit(OFFSETS, null)).rejects.toMatchObject({ code: 'MILLRACE_ILLEGAL_STATE' });
  });
});

describe('the end of a transaction', () => {
  it('with a lost answer is asked for again with the old epoch, and the bumped one is taken from the retry', async () => {
    const { clock, rpc, writer } = await initialised();
    rpc.next('EndTxn', 'lost');
    writer.append('out', 0, batchOf('a'));
    await clock.run(writer.commit(OFFSETS, GROUP));
    const [first, second] = rpc.callsOf('EndTxn');
    expect(second!.request).toEqual(first!.request);
    writer.append('out', 0, batchOf('b'));
    await clock.run(writer.flush());
    expect(viewOf(rpc.callsOf('Produce').at(-1)!.batches.get('out-0')!).producerEpoch).toBe(11);
    // Version 2 needs no new identity for it.
    expect(rpc.callsOf('InitProducerId')).toHaveLength(1);
  });

  it('takes a new producer id when the epochs of the old one are used up', async () => {
    const { clock, rpc, writer } = await initialised();
    rpc.next('EndTxn', { errorCode: 0, producerId: 9000n, producerEpoch: 0 });
    writer.append('out', 0, batchOf('a'));
    await clock.run(writer.commit(OFFSETS, GROUP));
    writer.append('out', 0, batchOf('b'));
    await clock.run(writer.flush());
    const view = viewOf(rpc.callsOf('Produce').at(-1)!.batches.get('out-0')!);
    expect([view.producerId, view.producerEpoch, view.baseSequence]).toEqual([9000, 0, 0]);
  });

  it.each([
    ['CONCURRENT_TRANSACTIONS', 51],
    ['COORDINATOR_NOT_AVAILABLE', 15],
    ['NOT_COORDINATOR', 16],
    ['COORDINATOR_LOAD_IN_PROGRESS', 14],
  ])('is asked for again on %s', async (_name, errorCode) => {
    const { clock, rpc, writer } = await initialised();
    rpc.next('EndTxn', { errorCode, producerId: -1n, producerEpoch: -1 });
    writer.append('out', 0, batchOf('a'));
    await clock.run(writer.commit(OFFSETS, GROUP));
    expect(rpc.callsOf('EndTxn')).toHaveLength(2);
  });

  it('that stays unknown to the deadline aborts the epoch', async () => {
    const { clock, rpc, writer } = await initialised({ deadlineMs: 10_000 });
    rpc.on('EndTxn', 'silent');
    writer.append('out', 0, batchOf('a'));
    await expect(clock.run(writer.commit(OFFSETS, GROUP))).rejects.toBeInstanceOf(EpochAbortedError);
    expect(writer.state).toBe('FAILED');
    rpc.on('EndTxn', ended);
    await clock.run(writer.initialise());
    expect(writer.state).toBe('READY');
  });

  it('in a state that the coordinator calls invalid aborts the epoch', async () => {
    const { clock, rpc, writer } = await initialised();
    rpc.next('EndTxn', { errorCode: 48, producerId: -1n, producerEpoch: -1 });
    writer.append('out', 0, batchOf('a'));
    await expect(clock.run(writer.commit(OFFSETS, GROUP))).rejects.toBeInstanceOf(EpochAbortedError);
  });
});

describe('an abort', () => {
  it('drops what was not sent, awaits what was, ends the transaction', async () => {
    const { clock, rpc, writer } = await initialised();
    rpc.next('Produce', 'silent');
    for (const value of ['a', 'b', 'c']) writer.append('out', 0, batchOf(value));
    await clock.settle();
    await clock.run(writer.abort());
    expect(rpc.callsOf('Produce')).toHaveLength(1);
    expect(rpc.callsOf('EndTxn').map((call) => call.request.committed)).toEqual([false]);
    expect(writer.state).toBe('READY');
    writer.append('out', 0, batchOf('d'));
    await clock.run(writer.commit(OFFSETS, GROUP));
    const last = viewOf(rpc.callsOf('Produce').at(-1)!.batches.get('out-0')!);
    expect([last.producerEpoch, last.baseSequence, valuesOf(last)[0]]).toEqual([11, 0, 'd']);
  });

  it('without a transaction does nothing', async () => {
    const { clock, rpc, writer } = await initialised();
    await clock.run(writer.abort());
    expect(rpc.callsOf('EndTxn')).toHaveLength(0);
  });

  it('of unknown outcome asks for initialise', async () => {
    const { clock, rpc, writer } = await initialised({ deadlineMs: 5_000 });
    rpc.on('EndTxn', 'silent');
    writer.append('out', 0, batchOf('a'));
    await expect(clock.run(writer.abort())).rejects.toBeInstanceOf(EpochAbortedError);
    expect(writer.state).toBe('FAILED');
  });
});

describe('below transaction version 2', () => {
  it('adds partitions and the group before their first use, once a transaction', async () => {
    const { clock, rpc, writer } = await initialised({ transactionVersion: 0 });
    writer.append('out', 0, batchOf('a'));
    writer.append('out', 1, batchOf('b'));
    await clock.run(writer.flush());
    writer.append('out', 0, batchOf('c'));
    await clock.run(writer.commit(OFFSETS, GROUP));
    const order = rpc.calls
      .map((call) => call.api)
      .filter((api) => api !== 'Metadata' && api !== 'FindCoordinator');
    expect(order).toEqual([
      'InitProducerId',
      'AddPartitionsToTxn',
      'Produce',
      'Produce',
      'Produce',
      'AddOffsetsToTxn',
      'TxnOffsetCommit',
      'EndTxn',
    ]);
    expect(rpc.callsOf('Produce').every((call) => !call.request.transactionVersion2)).toBe(true);
  });

  it('continues epoch and sequences over transactions', async () => {
    const { clock, rpc, writer } = await initialised({ transactionVersion: 1 });
    for (const value of ['a', 'b']) {
      writer.append('out', 0, batchOf(value));
      await clock.run(writer.commit(OFFSETS, GROUP));
    }
    expect(sequences(rpc.callsOf('Produce'), 'out-0')).toEqual([0, 1]);
    expect(rpc.callsOf('AddPartitionsToTxn')).toHaveLength(2);
    expect(rpc.callsOf('InitProducerId')).toHaveLength(1);
  });

  it.each(['Produce', 'AddPartitionsToTxn', 'AddOffsetsToTxn', 'TxnOffsetCommit', 'EndTxn'] as const)(
    'takes a new epoch before the next transaction after a lost answer to %s',
    async (api) => {
      const { clock, rpc, writer } = await initialised({ transactionVersion: 0 });
      rpc.next(api, 'lost');
      writer.append('out', 0, batchOf('a'));
      await clock.run(writer.commit(OFFSETS, GROUP));
      expect(writer.state).toBe('READY');
      expect(rpc.callsOf('InitProducerId')).toHaveLength(2);
      writer.append('out', 0, batchOf('b'));
      await clock.run(writer.flush());
      const last = viewOf(rpc.callsOf('Produce').at(-1)!.batches.get('out-0')!);
      expect([last.producerEpoch, last.baseSequence]).toEqual([20, 0]);
    },
  );

  it('does not take a new epoch for a request that never left', async () => {
    const { clock, rpc, writer } = await initialised({ transactionVersion: 0 });
    rpc.next('EndTxn', 'unreachable');
    writer.append('out', 0, batchOf('a'));
    await clock.run(writer.commit(OFFSETS, GROUP));
    expect(rpc.callsOf('InitProducerId')).toHaveLength(1);
  });

  it('does not end what never began', async () => {
    const { clock, rpc, writer } = await initialised({ transactionVersion: 0, deadlineMs: 1_000 });
    rpc.on('Metadata', 'silent');
    writer.append('out', 0, batchOf('a'));
    rpc.next('AddPartitionsToTxn', 'unreachable', 'unreachable');
    await clock.run(writer.abort());
    expect(rpc.callsOf('EndTxn')).toHaveLength(0);
  });
});

describe('legal calls', () => {
  it('before initialise and after close are none', async () => {
    const { clock, writer } = writerFixture();
    expect(() => writer.append('out', 0, batchOf('a'))).toThrow(/MILLRACE_ILLEGAL_STATE/);
    await expect(writer.commit([], null)).rejects.toMatchObject({ code: 'MILLRACE_ILLEGAL_STATE' });
    await clock.run(writer.close());
    await expect(writer.initialise()).rejects.toMatchObject({ code: 'MILLRACE_ILLEGAL_STATE' });
  });

  it('include close in a transaction, which aborts it', async () => {
    const { clock, rpc, writer } = await initialised();
    writer.append('out', 0, batchOf('a'));
    await clock.run(writer.close());
    expect(rpc.callsOf('EndTxn').map((call) => call.request.committed)).toEqual([false]);
  });

  it('include close while a commit waits, which then reports an unknown outcome', async () => {
    const { clock, rpc, writer } = await initialised();
    rpc.on('Produce', 'silent');
    writer.append('out', 0, batchOf('a'));
    const commit = writer.commit(OFFSETS, GROUP);
    await clock.settle();
    const outcome = expect(commit).rejects.toBeInstanceOf(EpochAbortedError);
    await clock.run(writer.close());
    await outcome;
  });

  it('refuse snappy', () => {
    expect(() => writerFixture({ compression: 'snappy' })).toThrow(/MILLRACE_INVALID_CONFIG/);
  });
});
