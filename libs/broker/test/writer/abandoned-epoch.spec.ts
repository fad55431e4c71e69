// What a transactional writer still does for an epoch that its caller abandoned by initialising anew: nothing.
import { describe, expect, it } from '@jest/globals';
import { EpochAbortedError } from '#libs/core';
import { RpcFailure } from '../../src/rpc/index.ts';
import { batchOf, valuesOf, viewOf } from '../support/batches.ts';
import type { FakeClock } from '../support/fake-clock.ts';
import { coordinators } from '../support/scripted-rpc.ts';
import { ended, GROUP, initialised, OFFSETS, offsetsAnswer, produced } from '../support/writer-fixture.ts';

describe('initialising anew', () => {
  /** Outcome of a call that must be over without time passing. */
  async function promptly(clock: FakeClock, pending: Promise<unknown>): Promise<unknown> {
    let outcome: unknown = 'pending';
    pending.then(
      () => (outcome = 'resolved'),
      (error: unknown) => (outcome = error),
    );
    await clock.settle();
    return outcome;
  }

  it('in a transaction drops its batches, sent or not, and the next begins under the new epoch', async () => {
    const { clock, rpc, writer } = await initialised();
    const released: string[] = [];
    let answer = (): void => undefined;
    rpc.next('Produce', (request) => new Promise((resolve) => (answer = () => resolve(produced()(request)))));
    for (const value of ['sent', 'queued']) {
      writer.append('out', 0, Object.assign(batchOf(value), { release: () => void released.push(value) }));
    }
    await clock.settle();
    const again = writer.initialise();
    expect([writer.state, writer.pendingBytes]).toEqual(['INITIALISING', 0]);
    expect(() => writer.append('out', 0, batchOf('x'))).toThrow(/MILLRACE_ILLEGAL_STATE/);
    await clock.run(again);
    // The answer to what was sent comes late: a socket may read the bytes until then, and after.
    answer();
    await clock.advance(60_000);
    expect(released).toEqual(['queued']);
    expect(rpc.callsOf('Produce')).toHaveLength(1);

    writer.append('out', 0, batchOf('next'));
    const { endOffsets } = await clock.run(writer.commit(OFFSETS, GROUP));
    const last = viewOf(rpc.callsOf('Produce')[1]!.batches.get('out-0')!);
    expect([last.producerEpoch, last.baseSequence, valuesOf(last)[0]]).toEqual([20, 0, 'next']);
    expect([...endOffsets]).toEqual([['out-0', 101]]);
    expect(rpc.callsOf('EndTxn').map((call) => call.request.producerEpoch)).toEqual([20]);
  });

  it('sends nothing again whose answer was lost before', async () => {
    const { clock, rpc, writer } = await initialised();
    rpc.on('Produce', 'silent');
    writer.append('out', 0, batchOf('a'));
    await clock.settle();
    await clock.run(writer.initialise());
    await clock.advance(200_000);
    expect(rpc.callsOf('Produce')).toHaveLength(1);
    expect(writer.state).toBe('READY');
  });

  it('while ready begins a new epoch', async () => {
    const { clock, rpc, writer } = await initialised();
    await clock.run(writer.initialise());
    expect(rpc.callsOf('InitProducerId')).toHaveLength(2);
    expect(writer.state).toBe('READY');
  });

  it('twice at once asks once', async () => {
    const { clock, rpc, writer } = await initialised();
    await clock.run(Promise.all([writer.initialise(), writer.initialise()]));
    expect(rpc.callsOf('InitProducerId')).toHaveLength(2);
  });

  it.each(['flush', 'commit', 'abort'] as const)(
    'rejects a %s that waits for batches at once',
    async (call) => {
      const { clock, rpc, writer } = await initialised();
      rpc.on('Produce', 'silent');
      writer.append('out', 0, batchOf('a'));
      await clock.settle();
      const pending = call === 'commit' ? writer.commit(OFFSETS, GROUP) : writer[call]();
      const outcome = promptly(clock, pending);
      const again = writer.initialise();
      expect(await outcome).toBeInstanceOf(EpochAbortedError);
      await clock.run(again);
      await clock.advance(60_000);
      expect([rpc.callsOf('TxnOffsetCommit').length, rpc.callsOf('EndTxn').length]).toEqual([0, 0]);
    },
  );

  it.each([
    ['answered', 'answer'],
    ['lost', 'lose'],
    ['refused for the generation', 'refuse'],
  ])('during TxnOffsetCommit never ends the transaction, though it is %s then', async (_name, how) => {
    const { clock, rpc, writer } = await initialised();
    let answer = (): void => undefined;
    rpc.next('TxnOffsetCommit', (request) => {
      return new Promise((resolve, reject) => {
        answer = () => {
          if (how === 'lose') reject(new RpcFailure('unknown', 2, 'TxnOffsetCommit', new Error('cut')));
          else resolve(offsetsAnswer(how === 'refuse' ? 22 : 0)(request));
        };
      });
    });
    writer.append('out', 0, batchOf('a'));
    const commit = writer.commit(OFFSETS, GROUP);
    commit.catch(() => undefined);
    await clock.advance(100);
    expect(rpc.callsOf('TxnOffsetCommit')).toHaveLength(1);
    const outcome = promptly(clock, commit);
    const again = writer.initialise();
    expect(await outcome).toBeInstanceOf(EpochAbortedError);
    answer();
    await clock.run(again);
    await clock.advance(60_000);
    expect([rpc.callsOf('TxnOffsetCommit').length, rpc.callsOf('EndTxn').length]).toEqual([1, 0]);
    expect(writer.state).toBe('READY');
  });

  it('during the look-up of the coordinator sends no TxnOffsetCommit', async () => {
    const { clock, rpc, writer } = await initialised();
    let answer = (): void => undefined;
    rpc.next('FindCoordinator', (request) => {
      return new Promise((resolve) => (answer = () => resolve(coordinators(request))));
    });
    const commit = writer.commit(OFFSETS, GROUP);
    commit.catch(() => undefined);
    await clock.settle();
    const again = writer.initialise();
    answer();
    await clock.run(again);
    await expect(commit).rejects.toBeInstanceOf(EpochAbortedError);
    expect(rpc.callsOf('TxnOffsetCommit')).toHaveLength(0);
  });

  it.each(['answered', 'lost'])('during EndTxn takes nothing from its answer, %s late', async (how) => {
    const { clock, rpc, writer } = await initialised();
    let answer = (): void => undefined;
    rpc.next('EndTxn', (request) => {
      return new Promise((resolve, reject) => {
        answer = () => {
          if (how === 'lost') reject(new RpcFailure('unknown', 1, 'EndTxn', new Error('cut')));
          else resolve(ended(request));
        };
      });
    });
    writer.append('out', 0, batchOf('a'));
    const commit = writer.commit(OFFSETS, GROUP);
    commit.catch(() => undefined);
    await clock.advance(100);
    expect(rpc.callsOf('EndTxn')).toHaveLength(1);
    const outcome = promptly(clock, commit);
    await clock.run(writer.initialise());
    expect(await outcome).toBeInstanceOf(EpochAbortedError);
    answer();
    await clock.advance(60_000);
    expect([rpc.callsOf('EndTxn').length, writer.state]).toEqual([1, 'READY']);
    writer.append('out', 0, batchOf('b'));
    await clock.run(writer.flush());
    const last = viewOf(rpc.callsOf('Produce').at(-1)!.batches.get('out-0')!);
    expect([last.producerEpoch, last.baseSequence]).toEqual([20, 0]);
  });

  it('that fails leaves a FAILED writer, which never ends what was abandoned', async () => {
    const { clock, rpc, writer } = await initialised({ deadlineMs: 5_000 });
    writer.append('out', 0, batchOf('a'));
    await clock.run(writer.flush());
    rpc.on('InitProducerId', 'silent');
    await expect(clock.run(writer.initialise())).rejects.toBeInstanceOf(EpochAbortedError);
    expect(writer.state).toBe('FAILED');
    await clock.run(writer.close());
    expect(rpc.callsOf('EndTxn')).toHaveLength(0);
  });

  it('gives way to close, whatever is answered later', async () => {
    const { clock, rpc, writer } = await initialised();
    let answer = (): void => undefined;
    rpc.next('InitProducerId', () => {
      return new Promise(
        (resolve) => (answer = () => resolve({ errorCode: 0, producerId: 4000n, producerEpoch: 30 })),
      );
    });
    const again = writer.initialise();
    const outcome = promptly(clock, again);
    await clock.run(writer.close());
    expect(await outcome).toBeInstanceOf(EpochAbortedError);
    answer();
    await clock.settle();
    expect(writer.state).toBe('CLOSED');
  });

  it('below transaction version 2 forgets that partitions had joined, also by an answer that comes late', async () => {
    const { clock, rpc, writer } = await initialised({ transactionVersion: 0 });
    let answer = (): void => undefined;
    rpc.next('AddPartitionsToTxn', ({ topics }) => {
      const joined = topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map((partition) => ({ partition, errorCode: 0 })),
      }));
      return new Promise((resolve) => (answer = () => resolve({ errorCode: 0, topics: joined })));
    });
    writer.append('out', 0, batchOf('a'));
    await clock.settle();
    await clock.run(writer.initialise());
    answer();
    await clock.settle();
    expect(rpc.callsOf('Produce')).toHaveLength(0);
    rpc.on('AddPartitionsToTxn', 'silent');
    writer.append('out', 0, batchOf('b'));
    // Nothing began at the coordinator, which would refuse to end it.
    await clock.run(writer.abort());
    expect(rpc.callsOf('EndTxn')).toHaveLength(0);
  });

  it('below transaction version 2 while a new epoch is being taken keeps the newest', async () => {
    const { clock, rpc, writer } = await initialised({ transactionVersion: 0 });
    let answer = (): void => undefined;
    rpc.next('EndTxn', 'lost').next('InitProducerId', () => {
      return new Promise(
        (resolve) => (answer = () => resolve({ errorCode: 0, producerId: 4000n, producerEpoch: 15 })),
      );
    });
    writer.append('out', 0, batchOf('a'));
    const commit = writer.commit(OFFSETS, GROUP);
    commit.catch(() => undefined);
    await clock.advance(1_000);
    expect(rpc.callsOf('InitProducerId')).toHaveLength(2);
    await clock.run(writer.initialise());
    await expect(commit).rejects.toBeInstanceOf(EpochAbortedError);
    answer();
    await clock.settle();
    writer.append('out', 0, batchOf('b'));
    await clock.run(writer.flush());
    expect(viewOf(rpc.callsOf('Produce').at(-1)!.batches.get('out-0')!).producerEpoch).toBe(20);
  });
});
