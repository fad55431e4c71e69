// How long a round waits for the answers of its coordinator.
import { describe, expect, it } from '@jest/globals';
import { fixture, joined, refusedJoin, refusedSync, requestsOf, stable } from '../support/group-fixture.ts';

it('asks for the assignment again after the request time-out when its answer vanished, not after the rebalance time-out', async () => {
  const { clock, rpc, member, events } = fixture({ rebalanceTimeoutMs: 300_000 });
  rpc.next('SyncGroup', 'silent');
  member.start();
  await clock.advance(31_000);
  expect(rpc.callsOf('SyncGroup').map(({ options }) => options!.timeoutMs)).toEqual([30_000, 30_000]);
  expect([member.state, events]).toEqual(['STABLE', ['beforeJoin', 'assigned 1: 1']]);
});

it('joins the round it missed when the group had moved on behind a vanished answer', async () => {
  const { clock, rpc, member, events } = await stable({ rebalanceTimeoutMs: 300_000 });
  rpc.next('SyncGroup', 'silent', refusedSync(27));
  member.requestRejoin('now');
  await clock.advance(31_000);
  expect([member.state, events.at(-1)]).toEqual(['STABLE', 'assigned 3: 1']);
});

describe('an answer of JoinGroup that does not come', () => {
  const REBALANCING = 27;

  /** In generation 1, its next JoinGroup without an answer. */
  async function joining(heartbeat: number) {
    const all = await stable({ rebalanceTimeoutMs: 300_000 });
    all.rpc.next('JoinGroup', 'silent').on('Heartbeat', { errorCode: heartbeat });
    const first = all.member.metadata!;
    const joins = (): number => all.rpc.callsOf('JoinGroup').length;
    const before = joins();
    all.member.requestRejoin('now');
    await all.clock.settle();
    return { ...all, first, asked: () => joins() - before };
  }

  it.each([
    ['another generation', 22],
    ['a member it does not know', 25],
    ['no rebalance', 0],
  ])('is lost when the coordinator, asked by a heartbeat, knows of %s', async (_what, code) => {
    const { clock, member, asked } = await joining(code);
    await clock.advance(2_900);
    expect(asked()).toBe(1);
    await clock.advance(1_500);
    expect([asked(), member.state, member.losses]).toEqual([2, 'STABLE', 0]);
  });

  it('is lost when a commit was refused: the group has gone on', async () => {
    const { clock, member, first, asked } = await joining(22);
    const renewed = member.renewed(first);
    await clock.advance(1_100);
    expect(asked()).toBe(2);
    expect(await renewed).toMatchObject({ generationId: 2 });
  });

  it('is waited for while the coordinator waits for others, for as long as they take', async () => {
    const { clock, rpc, member, asked, events } = await joining(REBALANCING);
    rpc.on('JoinGroup', 'silent');
    await clock.advance(250_000);
    // Beyond the session (9 s): the heartbeats say that the member lives.
    expect([member.state, member.losses, events.at(-1)]).toEqual(['JOINING', 0, 'beforeJoin']);
    expect(requestsOf(rpc, 'Heartbeat').every(({ generationId }) => generationId === 1)).toBe(true);
    // Once in a request time-out: the request itself may have been lost.
    expect(asked()).toBe(9);
    rpc.on('JoinGroup', joined('member-1', 2));
    await clock.advance(30_000);
    expect([member.state, member.losses]).toEqual(['STABLE', 0]);
  });

  it('is a loss once the coordinator says so', async () => {
    const { clock, rpc, member, events } = await joining(25);
    rpc.next('JoinGroup', refusedJoin(25));
    await clock.advance(4_500);
    expect([member.losses, events.find((event) => event.startsWith('lost'))]).toEqual([
      1,
      'lost: JoinGroup of "app" was answered with UNKNOWN_MEMBER_ID',
    ]);
  });

  it('holds up no leave', async () => {
    const { clock, rpc, member, first } = await joining(REBALANCING);
    const renewed = member.renewed(first);
    await member.leave('the test ends');
    expect(requestsOf(rpc, 'LeaveGroup')).toHaveLength(1);
    expect(await renewed).toBeNull();
    const beats = rpc.callsOf('Heartbeat').length;
    await clock.advance(60_000);
    expect(rpc.callsOf('Heartbeat')).toHaveLength(beats);
  });
});
