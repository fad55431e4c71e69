// When a group member counts as lost, and that its handler hears of it before anything else.
import { describe, expect, it } from '@jest/globals';
import { decodeSubscription } from '../../src/group/index.ts';
import { fixture, joined, requestsOf, stable } from '../support/group-fixture.ts';

describe('a loss', () => {
  it('is a generation that passed without the member: told before anything is synced, then joined for anew', async () => {
    let release = (): void => undefined;
    const order: string[] = [];
    const { clock, rpc, member } = await stable(
      { groupInstanceId: 'a' },
      {
        onLost: (reason) => {
          order.push(`lost: ${reason}`);
          return new Promise((resolve) => (release = resolve));
        },
        onAssigned: async (_assignment, group) => {
          order.push(`assigned ${group.generationId}`);
        },
      },
    );
    rpc.next('JoinGroup', joined('static-1', 3)).next('JoinGroup', joined('static-1', 4));
    member.requestRejoin('now');
    await clock.settle();
    expect(order).toEqual(['assigned 1', expect.stringMatching(/^lost: .* generation 1 to 3 /)]);
    expect([member.state, member.metadata]).toEqual(['LOST', null]);
    await clock.advance(1_000);
    expect([rpc.callsOf('JoinGroup').length, rpc.callsOf('SyncGroup').length]).toEqual([2, 1]);
    release();
    await clock.settle();
    expect(order.at(-1)).toBe('assigned 4');
    const last = requestsOf(rpc, 'JoinGroup').at(-1)!;
    expect(last.memberId).toBe('static-1');
    expect(decodeSubscription(Buffer.from(last.protocols[0]!.metadata)).generationId).toBe(-1);
    expect(requestsOf(rpc, 'SyncGroup').map((request) => request.generationId)).toEqual([1, 4]);
  });

  it('is a generation missed behind a lost answer of JoinGroup', async () => {
    const { clock, rpc, member, events } = await stable();
    rpc.next('JoinGroup', 'lost').next('JoinGroup', joined('member-1', 3));
    member.requestRejoin('now');
    await clock.advance(1_000);
    expect(events.filter((event) => event.startsWith('lost'))).toHaveLength(1);
  });

  it('is a generation older than the last: the coordinator lost what it knew', async () => {
    const { clock, rpc, member, events } = await stable();
    member.requestRejoin('once');
    await clock.settle();
    rpc.next('JoinGroup', joined('member-1', 1));
    member.requestRejoin('twice');
    await clock.settle();
    expect(events.filter((event) => event.startsWith('lost'))).toHaveLength(1);
  });

  it.each([
    ['the next', 2],
    ['the same', 1],
  ])('is not %s generation', async (_name, generationId) => {
    const { clock, rpc, member, events } = await stable();
    rpc.next('JoinGroup', joined('member-1', generationId));
    member.requestRejoin('now');
    await clock.settle();
    expect(events).toEqual(['beforeJoin', 'assigned 1: 1', 'beforeJoin', `assigned ${generationId}: 1`]);
  });

  it('is not the first generation of a member, whatever its number', async () => {
    const { clock, rpc, member, events } = fixture();
    rpc.next('JoinGroup', joined('member-1', 9));
    member.start();
    await clock.settle();
    expect(events).toEqual(['beforeJoin', 'assigned 9: 1']);
  });

  it('leaves no generation to commit under', async () => {
    let release = (): void => undefined;
    const { clock, rpc, member } = await stable(
      {},
      { onLost: () => new Promise((resolve) => (release = resolve)) },
    );
    rpc.next('Heartbeat', { errorCode: 25 });
    await clock.advance(3_000);
    expect([member.state, member.metadata, member.rebalancing]).toEqual(['LOST', null, true]);
    release();
    await clock.settle();
    expect(member.state).toBe('STABLE');
  });

  it('while the handler gets ready has it asked again, told of the loss first', async () => {
    let release = (): void => undefined;
    const order: string[] = [];
    const { clock, rpc, member } = await stable(
      {},
      {
        beforeJoin: () => {
          order.push('beforeJoin');
          const subscription = { topics: ['in'], ownedPartitions: [], userData: new Uint8Array(0) };
          if (order.length !== 2) return Promise.resolve(subscription);
          return new Promise((resolve) => (release = () => resolve(subscription)));
        },
        onLost: async () => {
          order.push('lost');
        },
      },
    );
    member.requestRejoin('now');
    rpc.next('Heartbeat', { errorCode: 25 });
    await clock.advance(3_000);
    release();
    await clock.settle();
    expect(order).toEqual(['beforeJoin', 'beforeJoin', 'lost', 'beforeJoin']);
  });

  it('is known when JoinGroup cannot reach anybody for longer than the session', async () => {
    const { clock, rpc, member, events } = await stable();
    rpc.on('JoinGroup', 'unreachable');
    member.requestRejoin('now');
    await clock.advance(12_000);
    expect(events[3]).toMatch(/^lost: the session ended/);
  });
});
