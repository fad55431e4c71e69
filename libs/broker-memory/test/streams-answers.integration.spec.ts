// The simulated cluster answers the members of a streams group as a real broker of Kafka 4.3 does: one conversation with both.
import { expect, it } from '@jest/globals';
import type {
  RpcPort,
  StreamsGroupHeartbeatAnswer,
  StreamsGroupHeartbeatRequest,
  StreamsTopology,
} from '#libs/broker';
import { createMemoryCluster } from '#libs/broker-memory';
import { silentLogger, sleep, systemClock } from '#libs/core';
import { createKafkaRpc } from '#libs/kafka';
import { describeWithBroker, uniqueName } from '../../../test/support/broker.ts';

const PARTITIONS = 4;
const SETTLE_MS = 500;

interface Note {
  readonly what: string;
  readonly answer: unknown;
}

const UNCHANGED: Omit<StreamsGroupHeartbeatRequest, 'groupId' | 'memberId' | 'memberEpoch'> = {
  endpointInformationEpoch: -1,
  instanceId: null,
  rackId: null,
  rebalanceTimeoutMs: -1,
  topology: null,
  activeTasks: null,
  standbyTasks: null,
  warmupTasks: null,
  processId: null,
  userEndpoint: null,
  clientTags: null,
  taskOffsets: null,
  taskEndOffsets: null,
  shutdownApplication: false,
};

function topologyOf(...sourceTopics: string[]): StreamsTopology {
  const nothing = { stateChangelogTopics: [], repartitionSinkTopics: [], repartitionSourceTopics: [] };
  return {
    epoch: 0,
    subtopologies: [{ subtopologyId: '0', sourceTopics, ...nothing, copartitionGroups: [] }],
  };
}

const owning = (partitions: readonly number[]) => ({
  activeTasks: partitions.length === 0 ? [] : [{ subtopologyId: '0', partitions }],
  standbyTasks: [],
  warmupTasks: [],
});

async function converse(
  rpc: RpcPort,
  groupId: string,
  topic: string,
  other: string,
): Promise<readonly Note[]> {
  const notes: Note[] = [];
  const note = (what: string, answer: unknown): void => void notes.push({ what, answer });
  const topics = [topic, other].map((name) => ({
    name,
    numPartitions: PARTITIONS,
    replicationFactor: 1,
    configs: [],
  }));
  await rpc.call('bootstrap', 'CreateTopics', { timeoutMs: 10_000, validateOnly: false, topics });
  await sleep(systemClock, SETTLE_MS);
  let found = await rpc.call('bootstrap', 'FindCoordinator', { keyType: 'group', key: groupId });
  // A broker that has had no group makes the topic of offsets first, and then loads it.
  for (; found.errorCode !== 0; await sleep(systemClock, SETTLE_MS)) {
    found = await rpc.call('bootstrap', 'FindCoordinator', { keyType: 'group', key: groupId });
  }
  await sleep(systemClock, SETTLE_MS);
  const { nodeId, host, port } = found;
  rpc.learnNodes([{ nodeId, host, port }]);

  const beat = (
    memberId: string,
    memberEpoch: number,
    fields: Partial<StreamsGroupHeartbeatRequest> = {},
  ): Promise<StreamsGroupHeartbeatAnswer> =>
    rpc.call(nodeId, 'StreamsGroupHeartbeat', { ...UNCHANGED, groupId, memberId, memberEpoch, ...fields });
  const joining = (processId: string): Partial<StreamsGroupHeartbeatRequest> => ({
    topology: topologyOf(topic),
    rebalanceTimeoutMs: 60_000,
    processId,
    clientTags: [],
    ...owning([]),
  });
  let first = 0;
  /** Code, epoch from the first one on, how many tasks; null: the assignment is not told. */
  const summary = (answer: StreamsGroupHeartbeatAnswer): unknown => [
    answer.errorCode,
    answer.errorCode === 0 && answer.memberEpoch > 0 ? answer.memberEpoch - first : answer.memberEpoch,
    answer.activeTasks?.flatMap(({ partitions }) => partitions).length ?? null,
    answer.standbyTasks?.length ?? null,
    (answer.status ?? []).map(({ statusCode }) => statusCode),
  ];
  const tasksOf = (answer: StreamsGroupHeartbeatAnswer): number[] =>
    (answer.activeTasks ?? []).flatMap(({ partitions }) => [...partitions]);
  const state = async (): Promise<unknown> => {
    const { groups } = await rpc.call(nodeId, 'StreamsGroupDescribe', { groupIds: [groupId] });
    const group = groups[0]!;
    return [group.errorCode, group.errorCode === 0 ? group.groupState : '', group.members.length];
  };
  const commit = async (memberId: string, epoch: number, partitions: readonly number[]): Promise<unknown> => {
    const offset = { committedOffset: 0, committedLeaderEpoch: -1, committedMetadata: '' };
    const asked = [{ name: topic, partitions: partitions.map((partition) => ({ partition, ...offset })) }];
    const member = { groupId, generationId: epoch, memberId, groupInstanceId: null };
    const answer = await rpc.call(nodeId, 'OffsetCommit', { ...member, topics: asked });
    return [...new Set(answer.topics[0]!.partitions.map(({ errorCode }) => errorCode))];
  };

  note('description of no group', await state());
  note('heartbeat in no group', summary(await beat('a', 5)));
  note('join without a topology', (await beat('a', 0, { ...joining('p'), topology: null })).errorCode);
  note('join with tasks', (await beat('a', 0, { ...joining('p'), ...owning([1]) })).errorCode);
  note(
    'join without a time-out',
    (await beat('a', 0, { ...joining('p'), rebalanceTimeoutMs: -1 })).errorCode,
  );
  note('join as an instance', (await beat('a', 0, { ...joining('p'), instanceId: 'i' })).errorCode);
  note('join with offsets', (await beat('a', 0, { ...joining('p'), taskOffsets: [] })).errorCode);

  const a = await beat('a', 0, joining('p'));
  first = a.memberEpoch;
  note('join', summary(a));
  note('join again', summary(await beat('a', 0, joining('p'))));
  note('heartbeat', summary(await beat('a', first)));
  note('heartbeat with all tasks', summary(await beat('a', first, owning([0, 1, 2, 3]))));
  note('heartbeat with one list of three', (await beat('a', first, { activeTasks: [] })).errorCode);
  note('heartbeat with a topology', (await beat('a', first, { topology: topologyOf(topic) })).errorCode);
  note('heartbeat of a later epoch', (await beat('a', first + 5)).errorCode);
  note('heartbeat of an unknown member', (await beat('b', first)).errorCode);
  note(
    'join with another topology',
    (await beat('b', 0, { ...joining('q'), topology: topologyOf(other) })).errorCode,
  );
  note('state', await state());
  note('commit', await commit('a', first, [0, 1, 2, 3]));
  note('commit of a later epoch', await commit('a', first + 1, [0]));
  note('commit of an earlier epoch', await commit('a', first - 1, [0]));
  note('commit of an unknown member', await commit('b', first, [0]));
  note('commit of nobody', await commit('', -1, [0]));

  note('join of a second', summary(await beat('b', 0, joining('q'))));
  const revoking = await beat('a', first);
  note('heartbeat that takes away', summary(revoking));
  const kept = tasksOf(revoking);
  const taken = [0, 1, 2, 3].filter((partition) => !kept.includes(partition));
  note('state while it gives up', await state());
  note('heartbeat that says nothing of it', summary(await beat('a', first)));
  note('commit of what is to be given up', await commit('a', first, taken));
  note('heartbeat of who waits', summary(await beat('b', first + 1)));
  const gaveUp = await beat('a', first, owning(kept));
  note('heartbeat that gives up', summary(gaveUp));
  note('commit of what was kept, under the earlier epoch', await commit('a', first, kept));
  note('commit of what was given up, under the earlier epoch', await commit('a', first, taken));
  note('heartbeat under the epoch before', summary(await beat('a', first, owning(kept))));
  note('heartbeat under the epoch before, of unknown tasks', (await beat('a', first)).errorCode);
  note('heartbeat of who waited', summary(await beat('b', first + 1, owning([]))));
  note('state when all is given', await state());

  note('leave', summary(await beat('a', -1)));
  note('heartbeat after the leave', (await beat('a', first + 1)).errorCode);
  note('heartbeat of who stays', summary(await beat('b', first + 1)));
  note('shutdown', summary(await beat('b', first + 2, { shutdownApplication: true })));
  note('heartbeat after it', summary(await beat('b', first + 2)));
  note('leave of the last', summary(await beat('b', -1)));
  note('state in the end', await state());
  note('commit of nobody in the end', await commit('', -1, [0]));
  return notes;
}

describeWithBroker('a streams group of the simulated cluster', (broker) => {
  it('answers as that of a real broker does', async () => {
    const [major, minor] = broker().version.split('.').map(Number) as [number, number];
    if (major < 4 || (major === 4 && minor < 3)) return;
    const real = createKafkaRpc(
      { brokers: [...broker().bootstrapServers], clientId: 'script' },
      { clock: systemClock, logger: silentLogger },
    );
    const simulated = createMemoryCluster({ clock: systemClock }).rpc('script');
    const [group, topic, other] = ['group', 'in', 'other'].map(uniqueName) as [string, string, string];
    const [expected, answered] = await Promise.all([
      converse(real, group, topic, other),
      converse(simulated, group, topic, other),
    ]);
    await Promise.all([real.close(), simulated.close()]);
    expect(answered).toEqual(expected);
    expect(expected.length).toBeGreaterThan(35);
  }, 60_000);
});
