// The heartbeats of the loop: their expiry, what a guard adds to it, and their timers.
import { describe, expect, it } from '@jest/globals';
import { silentLogger } from '#libs/core';
import { Cluster } from '../../src/cluster/index.ts';
import type { HeartbeatGuard, HeartbeatWatchOptions } from '../../src/contracts/index.ts';
import { Heartbeats } from '../../src/group/heartbeats.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { coordinators, ScriptedRpc } from '../support/scripted-rpc.ts';

const GROUP = { groupId: 'app', generationId: 3, memberId: 'member-1', groupInstanceId: null };

function fixture(options: { maxBlockedMs?: number; sessionTimeoutMs?: number } = {}) {
  const clock = new FakeClock();
  const rpc = new ScriptedRpc(clock).on('FindCoordinator', coordinators).on('Heartbeat', { errorCode: 0 });
  const cluster = new Cluster({ rpc, clock, logger: silentLogger, requestTimeoutMs: 30_000 });
  const events: string[] = [];
  const watched: { options: HeartbeatWatchOptions; ended: boolean; lastContact: number }[] = [];
  const guard: HeartbeatGuard = {
    watch(watchOptions) {
      const watch = { options: watchOptions, ended: false, lastContact: -Infinity };
      watched.push(watch);
      return {
        get lastContact() {
          return watch.lastContact;
        },
        end: () => (watch.ended = true),
      };
    },
    close: () => Promise.resolve(),
  };
  const heartbeats = new Heartbeats(
    cluster,
    { sessionTimeoutMs: 6_000, heartbeatIntervalMs: 2_000, maxBlockedMs: 60_000, ...options },
    {
      onRebalance: () => events.push('rebalance'),
      onLost: (reason) => events.push(`lost: ${reason}`),
      onFailed: (error) => events.push(`failed: ${error.message}`),
    },
    guard,
  );
  heartbeats.contact(clock.monotonic());
  const generationsOf = (index: number) =>
    watched[index]!.options.calls.map((call) =>
      call.api === 'Heartbeat' ? call.request.generationId : undefined,
    );
  return { clock, rpc, heartbeats, events, watched, generationsOf };
}

describe('the expiry of a session', () => {
  it('does not come while a guard reaches the coordinator that the loop does not', async () => {
    const { clock, rpc, heartbeats, events, watched } = fixture();
    rpc.on('Heartbeat', 'unreachable');
    heartbeats.start(GROUP);
    for (let seconds = 0; seconds < 20; seconds++) {
      await clock.advance(1_000);
      watched[0]!.lastContact = clock.monotonic();
    }
    expect([heartbeats.expired, events]).toEqual([false, []]);
    await clock.advance(7_000);
    expect(events).toEqual([expect.stringMatching(/^lost: no heartbeat was answered/)]);
  });

  it('is told once, and does not spin, when less than a millisecond is left of it', async () => {
    const { clock, rpc, heartbeats, events } = fixture({ sessionTimeoutMs: 6_000.4 });
    rpc.on('Heartbeat', 'unreachable');
    // As on a real clock, which rounds a timer's delay down: it fires while a fraction of the session is left.
    const schedule = clock.schedule.bind(clock);
    let scheduled = 0;
    clock.schedule = (delayMs, action) => {
      if (++scheduled > 5_000) throw new Error('timers are scheduled without end');
      return schedule(Math.floor(delayMs), action);
    };
    heartbeats.start(GROUP);
    await clock.advance(6_500);
    expect(events).toHaveLength(1);
    heartbeats.stop();
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('a guard', () => {
  it('watches a membership from its start to its end', () => {
    const { heartbeats, watched, generationsOf } = fixture();
    heartbeats.start(GROUP);
    expect(generationsOf(0)).toEqual([3]);
    heartbeats.stop();
    expect(watched[0]!.ended).toBe(true);
  });

  it('speaks for the next generation too while a JoinGroup is under way, when the loop sends nothing itself', async () => {
    const { clock, rpc, heartbeats, watched, generationsOf } = fixture();
    heartbeats.start(GROUP);
    heartbeats.joining();
    expect([watched[0]!.ended, generationsOf(1)]).toEqual([true, [3, 4]]);
    await clock.advance(30_000);
    expect(rpc.callsOf('Heartbeat')).toHaveLength(0);
    heartbeats.start({ ...GROUP, generationId: 4 });
    expect([watched[1]!.ended, generationsOf(2)]).toEqual([true, [4]]);
  });

  it('is left out when a loop may not be blocked at all', () => {
    const { heartbeats, watched } = fixture({ maxBlockedMs: 0 });
    heartbeats.start(GROUP);
    expect(watched).toHaveLength(0);
  });

  it('hands what it achieved on to the membership after it', () => {
    const { clock, heartbeats, watched } = fixture();
    heartbeats.start(GROUP);
    watched[0]!.lastContact = clock.monotonic() + 5_000;
    heartbeats.joining();
    void clock.advance(10_000);
    expect(heartbeats.expired).toBe(false);
  });
});
