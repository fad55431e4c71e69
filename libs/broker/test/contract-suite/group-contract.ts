// The contract of the group member: who owns what, when that is over, and how it is told.
import { describe, expect, it } from '@jest/globals';
import type { ApiName } from '#libs/broker';
import type { Bench } from './bench.ts';
import { joinAlone, startMember } from './group-helpers.ts';

export function groupContract(bench: () => Bench): void {
  const name = (prefix: string): string => bench().environment.uniqueName(prefix);

  it('members share the partitions, and one that leaves hands its own over', async () => {
    const topic = await bench().topic(4);
    const groupId = name('group');
    const one = await joinAlone(bench(), groupId, topic, { partitionCount: 4 });
    expect(one.owned()).toEqual([0, 1, 2, 3]);
    const two = startMember(bench(), groupId, topic, { partitionCount: 4 });
    await bench().until(() => one.owned().length === 2 && two.owned().length === 2, 'an even share');
    expect([...one.owned(), ...two.owned()].sort()).toEqual([0, 1, 2, 3]);
    expect(one.group().generationId).toBe(two.group().generationId);
    await two.leave();
    await bench().until(() => one.owned().length === 4, 'all partitions');
    await one.leave();
  });

  it('taking an assignment over may last longer than the session', async () => {
    const topic = await bench().topic();
    const member = await joinAlone(bench(), name('group'), topic, {
      sessionTimeoutMs: 1_500,
      onAssigned: () => bench().sleep(4_000),
    });
    await bench().sleep(4_500);
    expect([member.member.state, member.lost(), member.assignments()]).toEqual(['STABLE', [], 1]);
    await member.leave();
  });

  it.each<[ApiName, 'request' | 'answer']>([
    ['JoinGroup', 'request'],
    ['JoinGroup', 'answer'],
    ['SyncGroup', 'request'],
    ['SyncGroup', 'answer'],
    ['Heartbeat', 'request'],
    ['Heartbeat', 'answer'],
    ['FindCoordinator', 'answer'],
  ])('a lost %s (%s) costs no partition', async (api, on) => {
    const topic = await bench().topic(2);
    const clientId = name('client');
    const fault = bench().fault({ api, on, action: 'cut', clientId });
    const member = await joinAlone(bench(), name('group'), topic, { partitionCount: 2, clientId });
    await fault.hit();
    await bench().sleep(700);
    expect([member.member.state, member.owned(), member.lost()]).toEqual(['STABLE', [0, 1], []]);
    await member.leave();
  });

  it('a member whose heartbeats do not get through knows by itself that it has lost, while another takes over', async () => {
    const topic = await bench().topic(2);
    const groupId = name('group');
    const clientId = name('client');
    const cutOff = await joinAlone(bench(), groupId, topic, {
      partitionCount: 2,
      clientId,
      sessionTimeoutMs: 2_000,
    });
    const fault = bench().fault({
      api: ['Heartbeat', 'JoinGroup', 'FindCoordinator'],
      on: 'request',
      action: 'drop',
      times: Infinity,
      clientId,
    });
    const other = startMember(bench(), groupId, topic, { partitionCount: 2 });
    await bench().until(() => cutOff.lost().length > 0, 'the loss is known');
    expect(cutOff.member.metadata).toBeNull();
    await bench().until(() => other.owned().length === 2, 'the other member owns all');
    fault.remove();
    await bench().until(
      () => cutOff.owned().length === 1 && other.owned().length === 1,
      'both share again',
      30_000,
    );
    await cutOff.leave();
    await other.leave();
  });

  it('a static member that restarts gets its own back without a rebalance of the others', async () => {
    const topic = await bench().topic(2);
    const groupId = name('group');
    const one = await joinAlone(bench(), groupId, topic, { partitionCount: 2, groupInstanceId: 'one' });
    const two = startMember(bench(), groupId, topic, { partitionCount: 2, groupInstanceId: 'two' });
    await bench().until(() => one.owned().length === 1 && two.owned().length === 1, 'an even share');
    const before = {
      owned: two.owned(),
      assignments: one.assignments(),
      generation: one.group().generationId,
    };
    await two.leave();
    const again = await joinAlone(bench(), groupId, topic, { partitionCount: 2, groupInstanceId: 'two' });
    expect(again.owned()).toEqual(before.owned);
    expect([one.assignments(), again.group().generationId]).toEqual([before.assignments, before.generation]);
    await again.leave(true);
    await bench().until(() => one.owned().length === 2, 'all partitions');
    await one.leave(true);
  });

  it('asking to rejoin makes a new generation for all', async () => {
    const topic = await bench().topic(2);
    const groupId = name('group');
    const one = await joinAlone(bench(), groupId, topic, { partitionCount: 2 });
    const two = startMember(bench(), groupId, topic, { partitionCount: 2 });
    await bench().until(() => one.owned().length === 1 && two.owned().length === 1, 'an even share');
    const before = one.group().generationId;
    await two.rejoin();
    await bench().until(() => one.group().generationId > before, 'a new generation');
    expect(two.group().generationId).toBe(one.group().generationId);
    await one.leave();
    await two.leave();
  });

  describe('leaving', () => {
    it('frees the partitions at once, not after the session', async () => {
      const topic = await bench().topic();
      const groupId = name('group');
      const one = await joinAlone(bench(), groupId, topic, { sessionTimeoutMs: 30_000 });
      await one.leave();
      const started = bench().environment.clock.monotonic();
      const two = await joinAlone(bench(), groupId, topic);
      expect(two.owned()).toEqual([0]);
      expect(bench().environment.clock.monotonic() - started).toBeLessThan(15_000);
      await two.leave();
    });
  });
}
