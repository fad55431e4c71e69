// Specifies when state without committed offsets is taken for state whose offsets were forgotten.
import { describe, expect, it } from '@jest/globals';
import type { BrokerAdmin, BrokerClient, CommittedOffset } from '#libs/broker';
import { Serdes } from '#libs/serde';
import { StreamsBuilder } from '#libs/topology';
import { ClusterLayout } from '../src/cluster-layout.ts';
import { resolveRuntimeConfig } from '../src/index.ts';
import { readStartingPoint } from '../src/starting-point.ts';

const text = Serdes.string();
const NONE = new Map<string, CommittedOffset>();
const COMMITTED = new Map([['in-0', { offset: 7, leaderEpoch: 0, metadata: '' }]]);

/** `committed`: what the group answers, look by look; the last one stands. */
function start(changelogEnd: number, ...committed: ReadonlyMap<string, CommittedOffset>[]) {
  const builder = new StreamsBuilder();
  builder
    .stream<string, string>('in', { keySerde: text, valueSerde: text })
    .groupByKey()
    .count({ name: 'counts', keySerde: text });
  const layout = new ClusterLayout('app', builder.build(), new Map([['in', 1]]), 'earliest');
  let looks = 0;
  const admin: Pick<BrokerAdmin, 'committedOffsets' | 'offsets'> = {
    committedOffsets: () => Promise.resolve(committed[Math.min(looks++, committed.length - 1)]!),
    offsets: (_places, at) =>
      Promise.resolve(
        new Map([
          ['in-0', 0],
          ['app-counts-changelog-0', at === 'latest' ? changelogEnd : 0],
        ]),
      ),
  };
  const config = resolveRuntimeConfig({ applicationId: 'app', instanceId: 'one' });
  const client = { admin } as unknown as BrokerClient;
  return readStartingPoint({ client, config, layout, transactionalId: 'app-one-0' }, '0_0');
}

describe('a task without committed offsets', () => {
  it('starts where the inputs begin if its changelogs are empty', async () => {
    expect((await start(0, NONE)).offsets.get('in-0')).toBe(0);
  });

  it('is refused if there is something in its changelogs', async () => {
    await expect(start(5, NONE)).rejects.toMatchObject({ code: 'MILLRACE_OFFSETS_LOST' });
  });

  it('is looked at again if another worker has committed and written since the first look', async () => {
    const point = await start(5, NONE, COMMITTED);
    expect([point.offsets.get('in-0'), point.needsClaim]).toEqual([7, true]);
  });
});
