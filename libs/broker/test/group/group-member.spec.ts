// What a group member does on each answer of its coordinator, and on none.
import { describe, expect, it } from '@jest/globals';
import type { MemberSubscription } from '../../src/contracts/index.ts';
import { decodeAssignment, decodeSubscription, encodeSubscription } from '../../src/group/index.ts';
import {
  ASSIGNED,
  fixture,
  joined,
  refusedJoin,
  refusedSync,
  requestsOf,
  stable,
} from '../support/group-fixture.ts';

describe('joining', () => {
  it('takes the member id it is given and comes back with it', async () => {
    const { rpc, member, events } = await stable();
    expect(requestsOf(rpc, 'JoinGroup').map((request) => request.memberId)).toEqual(['', 'member-1']);
    expect(member.metadata).toEqual({
      groupId: 'app',
      generationId: 1,
      memberId: 'member-1',
      groupInstanceId: null,
    });
    expect(events).toEqual(['beforeJoin', 'assigned 1: 1']);
    expect(member.rebalancing).toBe(false);
  });

  it('speaks protocol type consumer, with our data inside the standard framing', async () => {
    const { rpc } = await stable();
    const [request] = requestsOf(rpc, 'JoinGroup');
    expect([request!.protocolType, request!.protocols[0]!.name]).toEqual(['consumer', 'millrace']);
    expect(decodeSubscription(Buffer.from(request!.protocols[0]!.metadata))).toEqual({
      topics: ['in'],
      ownedPartitions: [{ topic: 'in', partition: 0 }],
      userData: new Uint8Array([9]),
      generationId: -1,
    });
    expect([request!.sessionTimeoutMs, request!.rebalanceTimeoutMs]).toEqual([9_000, 60_000]);
  });

  it('asks again after the request time-out, but as a static member that has no id yet: it would overtake itself', async () => {
    const { rpc } = await stable();
    expect(rpc.callsOf('JoinGroup')[1]!.options!.timeoutMs).toBe(30_000);
    const named = await stable({ groupInstanceId: 'one' });
    expect(named.rpc.callsOf('JoinGroup')[0]!.options!.timeoutMs).toBe(65_000);
    named.member.requestRejoin('now');
    await named.clock.settle();
    expect(named.rpc.callsOf('JoinGroup')[1]!.options!.timeoutMs).toBe(30_000);
  });

  it('tells the generation in which it got what it owns when it joins again', async () => {
    const { clock, rpc, member } = await stable();
    member.requestRejoin('new topics');
    await clock.settle();
    const again = requestsOf(rpc, 'JoinGroup').at(-1)!;
    expect(decodeSubscription(Buffer.from(again.protocols[0]!.metadata)).generationId).toBe(1);
    expect([again.memberId, again.reason]).toEqual(['member-1', 'new topics']);
  });

  it('as leader has our assignor decide and sends each member its part', async () => {
    const seen: MemberSubscription[][] = [];
    const { clock, rpc, member } = fixture(
      {},
      {
        assign: async (members) => {
          seen.push([...members]);
          return new Map([['member-1', ASSIGNED]]);
        },
      },
    );
    const metadata = encodeSubscription(
      { topics: ['in'], ownedPartitions: [], userData: new Uint8Array([4]) },
      3,
    );
    rpc.on('JoinGroup', (request) =>
      joined(request.memberId || 'member-1', 4, {
        leader: 'member-1',
        members: [
          { memberId: 'member-1', groupInstanceId: null, metadata },
          { memberId: 'member-2', groupInstanceId: 'i2', metadata },
        ],
      }),
    );
    member.start();
    await clock.settle();
    expect(seen[0]!.map((m) => [m.memberId, m.groupInstanceId, m.generationId, m.userData[0]])).toEqual([
      ['member-1', null, 3, 4],
      ['member-2', 'i2', 3, 4],
    ]);
    const sent = requestsOf(rpc, 'SyncGroup')[0]!.assignments.map(({ memberId, assignment }) => [
      memberId,
      decodeAssignment(Buffer.from(assignment)).partitions.length,
    ]);
    expect(sent).toEqual([
      ['member-1', 1],
      ['member-2', 0],
    ]);
  });

  it('as a leader told to skip the assignment sends none', async () => {
    const { clock, rpc, member } = fixture({ groupInstanceId: 'a' });
    rpc.on('JoinGroup', joined('m', 4, { leader: 'm', skipAssignment: true }));
    member.start();
    await clock.settle();
    expect(requestsOf(rpc, 'SyncGroup')[0]!.assignments).toEqual([]);
  });

  it.each([
    ['COORDINATOR_LOAD_IN_PROGRESS', refusedJoin(14)],
    ['NOT_COORDINATOR', refusedJoin(16)],
    ['COORDINATOR_NOT_AVAILABLE', refusedJoin(15)],
    ['REBALANCE_IN_PROGRESS', refusedJoin(27)],
    ['UNKNOWN_MEMBER_ID', refusedJoin(25)],
    ['a lost answer', 'lost' as const],
  ])('tries again on %s', async (_name, answer) => {
    const { clock, rpc, member, events } = fixture();
    rpc.next('JoinGroup', answer);
    member.start();
    await clock.advance(1_000);
    expect(member.state).toBe('STABLE');
    expect(events).toEqual(['beforeJoin', 'assigned 1: 1']);
  });

  it.each([
    ['GROUP_AUTHORIZATION_FAILED', 30, 'MILLRACE_AUTHORIZATION_FAILED'],
    ['INCONSISTENT_GROUP_PROTOCOL', 23, 'MILLRACE_GROUP_TYPE_MISMATCH'],
    ['INVALID_SESSION_TIMEOUT', 26, 'MILLRACE_REQUEST_FAILED'],
    ['GROUP_MAX_SIZE_REACHED', 81, 'MILLRACE_REQUEST_FAILED'],
    ['FENCED_INSTANCE_ID', 82, 'MILLRACE_INSTANCE_FENCED'],
  ])('fails for good on %s', async (_name, errorCode, code) => {
    const { clock, rpc, member, events } = fixture({ groupInstanceId: 'a' });
    rpc.next('JoinGroup', refusedJoin(errorCode));
    member.start();
    await clock.settle();
    expect(member.state).toBe('FAILED');
    expect(events.at(-1)).toBe(`failed: ${code}`);
  });

  it('fails when the handler throws', async () => {
    const { clock, member, events } = fixture({}, { beforeJoin: () => Promise.reject(new Error('no')) });
    member.start();
    await clock.settle();
    expect([member.state, events]).toEqual(['FAILED', ['failed: no']]);
  });
});

describe('syncing', () => {
  it('joins again when another rebalance began', async () => {
    const { clock, rpc, member, events } = fixture();
    rpc.next('SyncGroup', refusedSync(27));
    member.start();
    await clock.settle();
    expect(events).toEqual(['beforeJoin', 'beforeJoin', 'assigned 2: 1']);
  });

  it.each([
    ['ILLEGAL_GENERATION', 22, 'member-1'],
    ['UNKNOWN_MEMBER_ID', 25, ''],
  ])('tells the loss on %s and joins again', async (_name, errorCode, memberId) => {
    const { clock, rpc, member, events } = fixture();
    rpc.next('SyncGroup', refusedSync(errorCode));
    member.start();
    await clock.settle();
    expect(events.map((event) => event.split(':')[0])).toEqual([
      'beforeJoin',
      'lost',
      'beforeJoin',
      'assigned 2',
    ]);
    expect(requestsOf(rpc, 'JoinGroup')[2]!.memberId).toBe(memberId);
  });

  it.each([
    ['a lost answer', 'lost' as const],
    ['NOT_COORDINATOR', refusedSync(16)],
    ['COORDINATOR_LOAD_IN_PROGRESS', refusedSync(14)],
  ])('asks again unchanged on %s', async (_name, answer) => {
    const { clock, rpc, member, events } = fixture();
    rpc.next('SyncGroup', answer);
    member.start();
    await clock.advance(1_000);
    const [first, second] = requestsOf(rpc, 'SyncGroup');
    expect(second).toEqual(first);
    expect(events).toEqual(['beforeJoin', 'assigned 1: 1']);
  });
});

describe('heartbeats', () => {
  it('go out at their interval, on the lane of the group', async () => {
    const { clock, rpc } = await stable();
    await clock.advance(9_500);
    expect(rpc.callsOf('Heartbeat')).toHaveLength(3);
    expect(rpc.callsOf('Heartbeat')[0]!.options!.lane).toBe('group');
  });

  it('go on while the assignment is being taken over', async () => {
    const { clock, rpc, member } = fixture({}, { onAssigned: () => new Promise(() => undefined) });
    member.start();
    await clock.advance(30_000);
    expect(rpc.callsOf('Heartbeat').length).toBeGreaterThanOrEqual(9);
    expect(member.state).toBe('STABLE');
  });

  it('go on while the handler gets ready to join', async () => {
    let release = (): void => undefined;
    let calls = 0;
    const { clock, rpc, member } = await stable(
      {},
      {
        beforeJoin: () => {
          if (++calls > 1)
            return new Promise(
              (resolve) =>
                (release = () =>
                  resolve({ topics: ['in'], ownedPartitions: [], userData: new Uint8Array(0) })),
            );
          return Promise.resolve({ topics: ['in'], ownedPartitions: [], userData: new Uint8Array(0) });
        },
      },
    );
    rpc.on('Heartbeat', { errorCode: 27 });
    await clock.advance(20_000);
    expect(member.state).toBe('JOINING');
    expect(rpc.callsOf('Heartbeat').length).toBeGreaterThanOrEqual(6);
    rpc.on('Heartbeat', { errorCode: 0 });
    release();
    await clock.settle();
    expect([member.state, member.metadata!.generationId]).toEqual(['STABLE', 2]);
  });

  it('that hear of a rebalance make the member join once, after the hook that runs', async () => {
    let release = (): void => undefined;
    const { clock, rpc, member, events } = fixture(
      {},
      {
        onAssigned: (_assignment, group) => {
          if (group.generationId > 1) return Promise.resolve();
          return new Promise((resolve) => (release = resolve));
        },
      },
    );
    member.start();
    await clock.settle();
    rpc.next('Heartbeat', { errorCode: 27 }, { errorCode: 27 });
    await clock.advance(7_000);
    expect([member.rebalancing, events]).toEqual([true, ['beforeJoin']]);
    release();
    await clock.settle();
    expect([member.rebalancing, events, member.metadata!.generationId]).toEqual([
      false,
      ['beforeJoin', 'beforeJoin'],
      2,
    ]);
  });

  it.each([
    ['UNKNOWN_MEMBER_ID', 25, ''],
    ['ILLEGAL_GENERATION', 22, 'member-1'],
  ])('of %s mean the loss of everything, then a new join', async (name, errorCode, memberId) => {
    const { clock, rpc, member, events } = await stable();
    rpc.next('Heartbeat', { errorCode });
    const before = requestsOf(rpc, 'JoinGroup').length;
    await clock.advance(3_000);
    expect(events[2]).toBe(`lost: the coordinator answered ${name}`);
    expect(events.slice(3)).toEqual(['beforeJoin', 'assigned 2: 1']);
    expect(requestsOf(rpc, 'JoinGroup')[before]!.memberId).toBe(memberId);
    expect(member.state).toBe('STABLE');
  });

  it('of FENCED_INSTANCE_ID are the end', async () => {
    const { clock, rpc, member, events } = await stable({ groupInstanceId: 'a' });
    rpc.next('Heartbeat', { errorCode: 82 });
    await clock.advance(3_000);
    expect([member.state, events.at(-1)]).toEqual(['FAILED', 'failed: MILLRACE_INSTANCE_FENCED']);
  });

  it('find a coordinator that moved', async () => {
    const { clock, rpc, member } = await stable();
    rpc.next('Heartbeat', { errorCode: 16 });
    const before = rpc.callsOf('FindCoordinator').length;
    await clock.advance(3_500);
    expect(rpc.callsOf('FindCoordinator')).toHaveLength(before + 1);
    expect(rpc.callsOf('Heartbeat')).toHaveLength(2);
    expect(member.state).toBe('STABLE');
  });

  it('that nobody answers for the session timeout mean the loss, known from here', async () => {
    const { clock, rpc, member, events } = await stable();
    rpc.on('Heartbeat', 'silent');
    await clock.advance(8_900);
    expect(member.state).toBe('STABLE');
    await clock.advance(200);
    expect(events[2]).toMatch(/^lost: no heartbeat was answered/);
    expect(events.slice(3)).toEqual(['beforeJoin', 'assigned 2: 1']);
  });

  it('survive answers lost now and then', async () => {
    const { clock, rpc, member, events } = await stable();
    rpc.next('Heartbeat', 'lost', { errorCode: 0 }, 'unreachable', { errorCode: 0 }, 'lost');
    await clock.advance(20_000);
    expect([member.state, events.length]).toEqual(['STABLE', 2]);
  });

  it('answered late, for a membership that is over, change nothing', async () => {
    const { clock, rpc, member, events } = await stable();
    let answer = (_value: { errorCode: number }): void => undefined;
    rpc.next('Heartbeat', () => new Promise((resolve) => (answer = resolve)));
    await clock.advance(3_000);
    member.requestRejoin('now');
    await clock.settle();
    expect(member.metadata!.generationId).toBe(2);
    answer({ errorCode: 22 });
    await clock.settle();
    expect([member.state, events.some((event) => event.startsWith('lost'))]).toEqual(['STABLE', false]);
  });
});

describe('asking to rejoin', () => {
  it('several times makes one round', async () => {
    const { clock, rpc, member } = await stable();
    for (const reason of ['one', 'two', 'three']) member.requestRejoin(reason);
    expect(member.rebalancing).toBe(true);
    await clock.settle();
    expect(
      requestsOf(rpc, 'JoinGroup')
        .slice(2)
        .map((request) => request.reason),
    ).toEqual(['one']);
  });

  it('while a join is under way makes one more after it', async () => {
    const { clock, rpc, member } = await stable();
    let answer = (): void => undefined;
    rpc.next('JoinGroup', () => new Promise((resolve) => (answer = () => resolve(joined('member-1', 2)))));
    member.requestRejoin('one');
    await clock.settle();
    member.requestRejoin('two');
    answer();
    await clock.settle();
    expect(
      requestsOf(rpc, 'JoinGroup')
        .slice(2)
        .map((request) => request.reason),
    ).toEqual(['one', 'two']);
  });
});

describe('leaving', () => {
  it('tells the coordinator, and stops at once', async () => {
    const { clock, rpc, member } = await stable();
    await clock.run(member.leave('done'));
    expect(requestsOf(rpc, 'LeaveGroup')[0]).toEqual({
      groupId: 'app',
      members: [{ memberId: 'member-1', groupInstanceId: null, reason: 'done' }],
    });
    await clock.advance(20_000);
    expect([member.state, rpc.callsOf('Heartbeat').length, clock.pendingTimers]).toEqual(['LEFT', 0, 0]);
  });

  it('as a static member says nothing, so that its place is kept', async () => {
    const { clock, rpc, member } = await stable({ groupInstanceId: 'a' });
    await clock.run(member.leave('restart'));
    expect(rpc.callsOf('LeaveGroup')).toHaveLength(0);
  });

  it('for good as a static member names the instance', async () => {
    const { clock, rpc, member } = await stable({ groupInstanceId: 'a' });
    await clock.run(member.leave('scaled down', true));
    expect(requestsOf(rpc, 'LeaveGroup')[0]!.members).toEqual([
      { memberId: '', groupInstanceId: 'a', reason: 'scaled down' },
    ]);
  });

  it('while a join is pending ignores its answer', async () => {
    const { clock, rpc, member, events } = await stable();
    rpc.on('JoinGroup', 'silent');
    member.requestRejoin('now');
    await clock.settle();
    await clock.run(member.leave('done'));
    await clock.advance(70_000);
    expect([member.state, events.length]).toEqual(['LEFT', 3]);
  });
});

describe('options', () => {
  it('that leave no room for heartbeats are refused', () => {
    expect(() => fixture({ sessionTimeoutMs: 6_000, heartbeatIntervalMs: 3_000 })).toThrow(
      /MILLRACE_INVALID_CONFIG/,
    );
  });
});
