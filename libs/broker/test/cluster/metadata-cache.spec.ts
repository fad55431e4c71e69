// What is believed about topics and leaders, and how often the cluster is asked.
import { describe, expect, it } from '@jest/globals';
import { silentLogger } from '#libs/core';
import { MetadataCache } from '../../src/cluster/index.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { metadataOf, ScriptedRpc } from '../support/scripted-rpc.ts';

function fixture() {
  const clock = new FakeClock();
  const rpc = new ScriptedRpc(clock).on('Metadata', metadataOf({ a: [1, 2], b: [2] }));
  return { clock, rpc, cache: new MetadataCache(rpc, clock, silentLogger, 30_000) };
}

describe('leader epochs', () => {
  it('never go backwards', async () => {
    const { rpc, cache } = fixture();
    await cache.refresh(['a']);
    rpc.on('Metadata', metadataOf({ a: [2, 2] }, 4));
    await cache.refresh(['a']);
    expect(cache.leader('a', 0)).toEqual({ leaderId: 1, leaderEpoch: 5 });
    rpc.on('Metadata', metadataOf({ a: [2, 2] }, 6));
    await cache.refresh(['a']);
    expect(cache.leader('a', 0)).toEqual({ leaderId: 2, leaderEpoch: 6 });
  });

  it('start over with a topic made anew', async () => {
    const { rpc, cache } = fixture();
    await cache.refresh(['a']);
    rpc.on('Metadata', (request) => {
      const answer = metadataOf({ a: [2] }, 0)(request);
      for (const topic of answer.topics) topic.topicId = 'e'.repeat(32);
      return answer;
    });
    await cache.refresh(['a']);
    expect(cache.leader('a', 0)).toEqual({ leaderId: 2, leaderEpoch: 0 });
    expect(cache.topic('a')!.partitions).toHaveLength(1);
  });

  it('are kept over a forgotten leader', async () => {
    const { rpc, cache } = fixture();
    await cache.refresh(['a']);
    cache.forgetLeader('a', 0);
    expect(cache.leader('a', 0)).toBeUndefined();
    rpc.on('Metadata', metadataOf({ a: [2, 2] }, 4));
    await cache.refresh(['a']);
    expect(cache.leader('a', 0)).toBeUndefined();
  });

  it('come from other answers too, when they are newer and the node is known', async () => {
    const { cache } = fixture();
    await cache.refresh(['a']);
    expect(cache.learnLeader('a', 0, { leaderId: 2, leaderEpoch: 5 })).toBe(false);
    expect(cache.learnLeader('a', 0, { leaderId: 77, leaderEpoch: 6 })).toBe(false);
    expect(cache.learnLeader('a', 0, { leaderId: 2, leaderEpoch: 6 })).toBe(true);
    expect(cache.leader('a', 0)!.leaderId).toBe(2);
  });
});

describe('asking', () => {
  it('for the same topics shares the request under way', async () => {
    const { rpc, cache } = fixture();
    await Promise.all([cache.refresh(['a', 'b']), cache.refresh(['b']), cache.refresh(['a'])]);
    expect(rpc.callsOf('Metadata')).toHaveLength(1);
  });

  it('for other topics meanwhile shares the next one', async () => {
    const { rpc, cache } = fixture();
    await Promise.all([cache.refresh(['a']), cache.refresh(['b']), cache.refresh(['c'])]);
    expect(rpc.callsOf('Metadata').map((call) => call.request.topics)).toEqual([['a'], ['b', 'c']]);
  });

  it('after a failure asks again', async () => {
    const { rpc, cache } = fixture();
    rpc.next('Metadata', 'lost');
    await expect(cache.refresh(['a'])).rejects.toThrow(/no answer/);
    await cache.refresh(['a']);
    expect(cache.leader('a', 1)!.leaderId).toBe(2);
  });
});

describe('a topic that does not exist', () => {
  it('counts as missing only after the grace', async () => {
    const { clock, cache } = fixture();
    await cache.refresh(['nowhere']);
    expect(cache.isMissing('nowhere', 5_000)).toBe(false);
    await clock.advance(5_000);
    await cache.refresh(['nowhere']);
    expect(cache.isMissing('nowhere', 5_000)).toBe(true);
  });
});
