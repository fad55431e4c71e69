// How long a round waits for the answers of its coordinator.
import { expect, it } from '@jest/globals';
import { fixture, refusedSync, stable } from '../support/group-fixture.ts';

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
