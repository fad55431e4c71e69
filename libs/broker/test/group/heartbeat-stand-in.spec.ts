// What is sent for an event loop that is blocked, and when that begins and ends.
import { describe, expect, it } from '@jest/globals';
import { silentLogger } from '#libs/core';
import type { HeartbeatWatchOptions } from '../../src/contracts/index.ts';
import { HeartbeatStandIn } from '../../src/group/index.ts';
import type { RpcRequests } from '../../src/rpc/index.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { coordinators, ScriptedRpc } from '../support/scripted-rpc.ts';

const [OK, UNKNOWN_MEMBER, ILLEGAL_GENERATION, REBALANCING, NOT_COORDINATOR] = [0, 25, 22, 27, 16].map(
  (errorCode) => ({ errorCode }),
);

function heartbeat(generationId: number): HeartbeatWatchOptions['calls'][number] {
  const request: RpcRequests['Heartbeat'] = {
    groupId: 'app',
    generationId,
    memberId: 'member-1',
    groupInstanceId: null,
  };
  return { api: 'Heartbeat', request };
}

/** A stand-in whose loop turns until the spec blocks it. The heartbeat that tries the way has been sent. */
async function standIn(options: Partial<HeartbeatWatchOptions> = {}) {
  const clock = new FakeClock();
  const rpc = new ScriptedRpc(clock).on('FindCoordinator', coordinators).on('Heartbeat', OK!);
  const parts = new HeartbeatStandIn({ rpc, clock, logger: silentLogger, requestTimeoutMs: 30_000 });
  let blocked = false;
  let turns = 0;
  const contacts: number[] = [];
  const events: string[] = [];
  const watch = parts.watch(
    {
      groupId: 'app',
      calls: [heartbeat(7)],
      sessionTimeoutMs: 6_000,
      heartbeatIntervalMs: 2_000,
      maxBlockedMs: 60_000,
      ...options,
    },
    {
      turns: () => (blocked ? turns : ++turns),
      onContact: (sentAt) => contacts.push(sentAt),
      onResumed: (_blockedMs, heartbeats) => events.push(`resumed after ${heartbeats}`),
      onGivenUp: () => events.push('given up'),
    },
  );
  await clock.advance(500);
  expect(rpc.callsOf('Heartbeat')).toHaveLength(1);
  rpc.calls.length = 0;
  contacts.length = 0;
  return {
    clock,
    rpc,
    watch,
    contacts,
    events,
    parts,
    block: (value: boolean) => (blocked = value),
    generations: () => rpc.callsOf('Heartbeat').map(({ request }) => request.generationId),
  };
}

describe('heartbeats beside the event loop', () => {
  it('are none while it turns', async () => {
    const { clock, rpc } = await standIn();
    await clock.advance(60_000);
    expect(rpc.callsOf('Heartbeat')).toHaveLength(0);
  });

  it('begin within an interval of the block, leave once an interval, and end with it', async () => {
    const { clock, rpc, contacts, events, block } = await standIn();
    block(true);
    const since = clock.monotonic();
    await clock.advance(20_500);
    const times = rpc.callsOf('Heartbeat').map(({ at }) => at - since);
    expect(times[0]).toBeLessThanOrEqual(2_000);
    expect(times).toHaveLength(10);
    expect(contacts).toHaveLength(10);
    block(false);
    await clock.advance(20_000);
    expect(rpc.callsOf('Heartbeat')).toHaveLength(10);
    expect(events).toEqual(['resumed after 10']);
  });

  it('leave ten times in a session at most, however often the loop sends its own', async () => {
    const { clock, rpc, block } = await standIn({ heartbeatIntervalMs: 100 });
    block(true);
    await clock.advance(6_000);
    expect(rpc.callsOf('Heartbeat').length).toBeGreaterThanOrEqual(8);
    expect(rpc.callsOf('Heartbeat').length).toBeLessThanOrEqual(10);
  });

  it('end after the longest time a loop may be blocked, and begin again once it turned', async () => {
    const { clock, rpc, events, block } = await standIn({ maxBlockedMs: 10_000 });
    block(true);
    await clock.advance(60_000);
    expect(rpc.callsOf('Heartbeat')).toHaveLength(5);
    expect(events).toEqual(['given up']);
    block(false);
    await clock.advance(1_000);
    block(true);
    await clock.advance(9_000);
    expect(rpc.callsOf('Heartbeat').length).toBeGreaterThan(5);
  });

  it('count as contact while the group waits for the blocked member', async () => {
    const { clock, rpc, contacts, block } = await standIn();
    rpc.on('Heartbeat', REBALANCING!);
    block(true);
    await clock.advance(9_000);
    expect(contacts).toHaveLength(4);
  });

  it('end for good when the group does not know the member', async () => {
    const { clock, rpc, contacts, block } = await standIn();
    rpc.on('Heartbeat', UNKNOWN_MEMBER!);
    block(true);
    await clock.advance(30_000);
    expect([rpc.callsOf('Heartbeat').length, contacts.length]).toEqual([1, 0]);
  });

  it('go on under the next generation when a join was answered that the loop has not read', async () => {
    const { clock, rpc, contacts, block, generations } = await standIn({
      calls: [heartbeat(7), heartbeat(8)],
    });
    rpc.next('Heartbeat', REBALANCING!, ILLEGAL_GENERATION!);
    block(true);
    await clock.advance(7_000);
    expect(generations()).toEqual([7, 7, 8, 8]);
    expect(contacts).toHaveLength(3);
  });

  it('follow the coordinator, and are tried again soon after a lost answer', async () => {
    const { clock, rpc, contacts, block } = await standIn();
    rpc.next('Heartbeat', NOT_COORDINATOR!, 'lost');
    block(true);
    await clock.advance(4_000);
    expect(rpc.callsOf('FindCoordinator').length).toBe(2);
    expect(contacts.length).toBeGreaterThanOrEqual(1);
  });

  it('are told of when the loop, free again, ends the watch at once', async () => {
    const { clock, events, block, watch } = await standIn();
    block(true);
    await clock.advance(10_000);
    block(false);
    watch.end();
    expect(events).toEqual(['resumed after 5']);
  });

  it('leave no timer behind', async () => {
    const { clock, parts, watch } = await standIn();
    watch.end();
    parts.close();
    expect(clock.pendingTimers).toBe(0);
  });
});
