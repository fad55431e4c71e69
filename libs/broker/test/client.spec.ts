// The wiring of a broker client, and its end.
import { describe, expect, it } from '@jest/globals';
import { createBrokerClient } from '../src/client.ts';
import { FakeClock } from './support/fake-clock.ts';
import { coordinators, metadataOf, ScriptedRpc } from './support/scripted-rpc.ts';

function fixture() {
  const clock = new FakeClock();
  const rpc = new ScriptedRpc(clock)
    .on('Metadata', metadataOf({ a: [1, 2] }))
    .on('FindCoordinator', coordinators);
  return { clock, rpc, client: createBrokerClient({ rpc, clock, metadataMaxAgeMs: 1_000 }) };
}

describe('a partition count', () => {
  it('comes from metadata that is young enough, and is asked for anew otherwise', async () => {
    const { clock, rpc, client } = fixture();
    expect(await clock.run(client.partitionCount('a'))).toBe(2);
    expect(await clock.run(client.partitionCount('a'))).toBe(2);
    expect(rpc.callsOf('Metadata')).toHaveLength(1);
    await clock.advance(1_500);
    rpc.on('Metadata', metadataOf({ a: [1, 2, 1] }));
    expect(await clock.run(client.partitionCount('a'))).toBe(3);
  });

  it('of a topic that does not exist is refused with a code', async () => {
    const { clock, client } = fixture();
    await expect(clock.run(client.partitionCount('b'))).rejects.toMatchObject({
      code: 'MILLRACE_TOPIC_MISSING',
    });
  });
});

describe('closing', () => {
  it('ends what is still open, and leaves no timer behind', async () => {
    const { clock, rpc, client } = fixture();
    rpc
      .on('JoinGroup', 'unreachable')
      .on('Fetch', 'silent')
      .on('InitProducerId', 'unreachable')
      .on('OffsetFetch', 'lost');
    const member = client.createGroupMember(
      { groupId: 'g' },
      {
        beforeJoin: () =>
          Promise.resolve({ topics: ['a'], ownedPartitions: [], userData: new Uint8Array(0) }),
        assign: () => Promise.resolve(new Map()),
        onAssigned: () => Promise.resolve(),
        onLost: () => Promise.resolve(),
        onFailed: () => undefined,
      },
    );
    member.start();
    const reader = client.createReader({ isolation: 'read_committed' });
    reader.assign('a', 0, 0);
    const waiting = reader.waitForChunk(60_000);
    const initialising = client.createTransactionalWriter({ transactionalId: 't' }).initialise();
    const asking = client.admin.committedOffsets('g', null);
    const outcomes = Promise.allSettled([initialising, asking]);
    await clock.advance(1_000);
    await client.close();
    await clock.advance(40_000);
    await waiting;
    expect((await outcomes).map((outcome) => outcome.status)).toEqual(['rejected', 'rejected']);
    expect([member.state, rpc.closed, clock.pendingTimers]).toEqual(['LEFT', true, 0]);
    expect(() => client.createReader({ isolation: 'read_committed' })).toThrow(/MILLRACE_ILLEGAL_STATE/);
  });
});
