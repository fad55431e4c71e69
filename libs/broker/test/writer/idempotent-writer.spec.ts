// Idempotent writing for at-least-once.
import { describe, expect, it } from '@jest/globals';
import { EpochAbortedError, silentLogger } from '#libs/core';
import { Cluster } from '../../src/cluster/index.ts';
import { KafkaIdempotentWriter } from '../../src/writer/index.ts';
import { batchOf, valuesOf, viewOf } from '../support/batches.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { metadataOf, ScriptedRpc } from '../support/scripted-rpc.ts';
import { produced } from '../support/writer-fixture.ts';

function fixture() {
  const clock = new FakeClock();
  let producerId = 500n;
  const rpc = new ScriptedRpc(clock)
    .on('Metadata', metadataOf({ out: [1, 2] }))
    .on('InitProducerId', () => ({ errorCode: 0, producerId: producerId++, producerEpoch: 0 }))
    .on('Produce', produced());
  const cluster = new Cluster({ rpc, clock, logger: silentLogger, requestTimeoutMs: 30_000 });
  return { clock, rpc, writer: new KafkaIdempotentWriter(cluster) };
}

describe('an idempotent writer', () => {
  it('takes an identity when first needed, writes outside any transaction, and tells where records end', async () => {
    const { clock, rpc, writer } = fixture();
    writer.append('out', 0, batchOf('a'));
    writer.append('out', 0, batchOf('b', 'c'));
    expect(writer.pendingBytes).toBeGreaterThan(0);
    const { endOffsets } = await clock.run(writer.flush());
    expect(endOffsets.get('out-0')).toBe(102);
    const views = rpc.callsOf('Produce').map((call) => viewOf(call.batches.get('out-0')!));
    expect(views.map((view) => [view.producerId, view.baseSequence, view.isTransactional])).toEqual([
      [500, 0, false],
      [500, 1, false],
    ]);
    expect(rpc.callsOf('Produce')[0]!.request.transactionalId).toBeNull();
    expect(writer.pendingBytes).toBe(0);
  });

  it('sends the same bytes again after a lost answer', async () => {
    const { clock, rpc, writer } = fixture();
    rpc.next('Produce', 'lost');
    writer.append('out', 0, batchOf('a'));
    await clock.run(writer.flush());
    const sent = rpc.callsOf('Produce').map((call) => call.batches.get('out-0')!);
    expect(sent[1]!.equals(sent[0]!)).toBe(true);
  });

  it('tells of what was not written at flush, and goes on with a new identity', async () => {
    const { clock, rpc, writer } = fixture();
    rpc.next('Produce', produced(45));
    writer.append('out', 0, batchOf('a'));
    await expect(clock.run(writer.flush())).rejects.toBeInstanceOf(EpochAbortedError);
    writer.append('out', 0, batchOf('a'));
    await clock.run(writer.flush());
    expect(rpc.callsOf('Produce').map((call) => viewOf(call.batches.get('out-0')!).producerId)).toEqual([
      500, 501,
    ]);
  });

  it('forgets what it abandons: end offsets, batches not sent, a failure', async () => {
    const { clock, rpc, writer } = fixture();
    writer.append('out', 1, batchOf('acknowledged'));
    await clock.advance(10);
    rpc.next('Produce', produced(45));
    writer.append('out', 0, batchOf('refused'));
    await clock.advance(10);
    writer.append('out', 0, batchOf('behind a failure'));
    writer.abandon();
    expect(writer.pendingBytes).toBe(0);
    expect((await clock.run(writer.flush())).endOffsets.size).toBe(0);
    writer.append('out', 0, batchOf('next'));
    const { endOffsets } = await clock.run(writer.flush());
    expect([...endOffsets]).toEqual([['out-0', 101]]);
    const last = viewOf(rpc.callsOf('Produce').at(-1)!.batches.get('out-0')!);
    expect([last.producerId, last.baseSequence]).toEqual([501, 0]);
  });

  it('tells a flush that waits at once that its batches were abandoned, and never sends them again', async () => {
    const { clock, rpc, writer } = fixture();
    rpc.next('Produce', 'silent');
    writer.append('out', 0, batchOf('a'));
    await clock.advance(10);
    const flush = expect(writer.flush()).rejects.toBeInstanceOf(EpochAbortedError);
    writer.abandon();
    await flush;
    await clock.advance(200_000);
    expect(rpc.callsOf('Produce')).toHaveLength(1);
  });

  it('abandoned before it has an identity writes only what comes after', async () => {
    const { clock, rpc, writer } = fixture();
    writer.append('out', 0, batchOf('a'));
    writer.abandon();
    writer.append('out', 0, batchOf('b'));
    await clock.run(writer.flush());
    expect(rpc.callsOf('Produce').map((call) => valuesOf(viewOf(call.batches.get('out-0')!)))).toEqual([
      ['b'],
    ]);
  });

  it('takes nothing once closed', async () => {
    const { writer } = fixture();
    await writer.close();
    expect(() => writer.append('out', 0, batchOf('a'))).toThrow(/MILLRACE_ILLEGAL_STATE/);
  });
});
