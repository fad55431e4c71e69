// Whole applications in streams groups of the simulated cluster: what the broker assigns, to whom, and what it refuses.
import { describe, expect, it, jest } from '@jest/globals';
import { createBrokerClient } from '#libs/broker';
import type { StreamsGroupView } from '#libs/broker';
import { createMemoryCluster, VirtualClock } from '#libs/broker-memory';
import type { MemoryCluster, MemoryClusterOptions } from '#libs/broker-memory';
import {
  appendOnes,
  createTopics,
  expectedByKey,
  outputByKey,
  outputCount,
  sorted,
  startSums,
} from './sums.ts';
import type { SumsOptions } from './sums.ts';

const STREAMS: SumsOptions = { groupProtocol: 'streams', sessionTimeoutMs: 6_000, heartbeatIntervalMs: 500 };
/** Of real time: on a busy machine. */
jest.setTimeout(60_000);

const PARTITIONS = 4;
const GROUPS = { sessionTimeoutMs: 6_000, heartbeatIntervalMs: 1_000 };

function scene(options: Partial<MemoryClusterOptions> = {}): { clock: VirtualClock; cluster: MemoryCluster } {
  const clock = new VirtualClock();
  const cluster = createMemoryCluster({ clock, latencyMs: 1, streamsGroups: GROUPS, ...options });
  createTopics(cluster, PARTITIONS);
  return { clock, cluster };
}

async function described(cluster: MemoryCluster, clock: VirtualClock): Promise<StreamsGroupView> {
  const client = createBrokerClient({ rpc: cluster.process('looker').rpc(), clock });
  const group = await clock.run(client.admin.describeStreamsGroup('app'));
  await clock.run(client.close());
  return group!;
}

describe('a streams group', () => {
  it('shares the tasks out, and each member publishes the name it writes under', async () => {
    const { clock, cluster } = scene();
    startSums(cluster, 'one', STREAMS);
    startSums(cluster, 'two', STREAMS);
    await clock.advance(10_000);
    const group = await described(cluster, clock);
    expect(group.state).toBe('Stable');
    const members = [...group.members].sort((a, b) => (a.processId < b.processId ? -1 : 1));
    expect(members).toMatchObject([
      { processId: 'one', clientTags: { 'millrace.transactional.id': 'app-one-0' } },
      { processId: 'two', clientTags: { 'millrace.transactional.id': 'app-two-0' } },
    ]);
    expect(members.map(({ assigned }) => assigned.active.length)).toEqual([2, 2]);
    expect(members.flatMap(({ assigned }) => assigned.active).sort()).toEqual(['0_0', '0_1', '0_2', '0_3']);
  });

  it('keeps standby copies as its settings say, and promotes them', async () => {
    const { clock, cluster } = scene({ streamsGroups: { ...GROUPS, numStandbys: 1 } });
    appendOnes(cluster, 200);
    const one = startSums(cluster, 'one', STREAMS);
    startSums(cluster, 'two', STREAMS);
    await clock.advance(10_000);
    const group = await described(cluster, clock);
    for (const { assigned } of group.members) {
      expect([assigned.active.length, assigned.standby.length]).toEqual([2, 2]);
    }
    one.process.kill();
    appendOnes(cluster, 200, 200);
    await clock.runUntil(() => outputCount(cluster) >= 400, 60_000);
    expect(sorted(outputByKey(cluster))).toEqual(sorted(expectedByKey(400)));
  });

  it('never has a live member fenced by who takes a task over from it', async () => {
    const { clock, cluster } = scene();
    appendOnes(cluster, 200);
    startSums(cluster, 'one', STREAMS);
    await clock.runUntil(() => outputCount(cluster) >= 200, 60_000);
    const counted = cluster.fault({ api: 'InitProducerId', on: 'request', action: 0, times: Infinity });
    startSums(cluster, 'two', STREAMS);
    appendOnes(cluster, 200, 200);
    await clock.advance(10_000);
    expect(outputCount(cluster)).toBe(400);
    // Its own, as it began.
    expect(counted.hits).toBe(1);
  });

  it('gives an instance that comes back under its name what it had, before its session is over', async () => {
    const { clock, cluster } = scene();
    const named = (name: string): SumsOptions => ({ ...STREAMS, groupInstanceId: name });
    const one = startSums(cluster, 'one', named('one'));
    startSums(cluster, 'two', named('two'));
    await clock.advance(10_000);
    const before = one.runtime.figures!.runningTasks;
    one.process.kill();
    const again = startSums(cluster, 'one', named('one'));
    await clock.advance(2_000);
    expect(again.runtime.figures!.runningTasks).toEqual(before);
    expect((await described(cluster, clock)).members).toHaveLength(2);
  });

  it.each([
    ['streams', 'classic'],
    ['classic', 'streams'],
  ] as const)('of type %s takes no %s member', async (first, second) => {
    const { clock, cluster } = scene();
    startSums(cluster, 'one', { ...STREAMS, groupProtocol: first });
    await clock.advance(5_000);
    const other = startSums(cluster, 'two', { ...STREAMS, groupProtocol: second });
    await clock.advance(5_000);
    expect(other.failure()).toMatchObject({ code: 'MILLRACE_GROUP_TYPE_MISMATCH' });
  });

  it('is refused where the cluster has none, before any topic is made', async () => {
    const { clock, cluster } = scene({ streamsGroups: null });
    const topics = cluster.inspect.topicNames();
    const { failure } = startSums(cluster, 'one', STREAMS);
    await clock.advance(1_000);
    expect(failure()).toMatchObject({ code: 'MILLRACE_STREAMS_PROTOCOL_UNSUPPORTED' });
    expect(cluster.inspect.topicNames()).toEqual(topics);
  });

  it('tells every member when one asks for the end of the application', async () => {
    const { clock, cluster } = scene();
    const one = startSums(cluster, 'one', STREAMS);
    await clock.advance(3_000);
    const client = createBrokerClient({ rpc: cluster.process('asker').rpc(), clock });
    const group = await clock.run(client.admin.describeStreamsGroup('app'));
    const { memberId, memberEpoch } = group!.members[0]!;
    const rpc = cluster.process('asker').rpc();
    const { nodeId, host, port } = await clock.run(
      rpc.call('bootstrap', 'FindCoordinator', { keyType: 'group', key: 'app' }),
    );
    rpc.learnNodes([{ nodeId, host, port }]);
    const nothing = { instanceId: null, rackId: null, topology: null, processId: null, userEndpoint: null };
    const noTasks = { activeTasks: null, standbyTasks: null, warmupTasks: null, clientTags: null };
    const noOffsets = { taskOffsets: null, taskEndOffsets: null, endpointInformationEpoch: -1 };
    const request = { ...nothing, ...noTasks, ...noOffsets, groupId: 'app', rebalanceTimeoutMs: -1 };
    await clock.run(
      rpc.call(nodeId, 'StreamsGroupHeartbeat', {
        ...request,
        memberId,
        memberEpoch,
        shutdownApplication: true,
      }),
    );
    await clock.advance(2_000);
    expect(one.failure()).toMatchObject({ code: 'MILLRACE_SHUTDOWN_REQUESTED' });
  });
});

/** A record each 20 ms to every partition, and the longest time in which nothing was committed of one. */
async function longestPause(
  cluster: MemoryCluster,
  clock: VirtualClock,
  durationMs: number,
): Promise<number> {
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
  const reached = (partition: number): number =>
    cluster.inspect.committedOffsets('app').get(`in-${partition}`)?.offset ?? 0;
  const seen = partitions.map(reached);
  const since = partitions.map(() => clock.monotonic());
  let longest = 0;
  for (const end = clock.monotonic() + durationMs; clock.monotonic() < end;) {
    appendOnes(cluster, PARTITIONS);
    await clock.advance(20);
    for (const partition of partitions) {
      const now = reached(partition);
      if (now === seen[partition]) longest = Math.max(longest, clock.monotonic() - since[partition]!);
      else since[partition] = clock.monotonic();
      seen[partition] = now;
    }
  }
  return longest;
}

describe('a partition of a streams group, in virtual time', () => {
  const fast: SumsOptions = { ...STREAMS, heartbeatIntervalMs: 150 };

  it('pauses for a heartbeat or two when a member joins or leaves', async () => {
    const { clock, cluster } = scene();
    const one = startSums(cluster, 'one', fast);
    await longestPause(cluster, clock, 2_000);
    const two = startSums(cluster, 'two', fast);
    expect(await longestPause(cluster, clock, 2_000)).toBeLessThanOrEqual(300);
    const left = two.runtime.stop();
    expect(await longestPause(cluster, clock, 2_000)).toBeLessThanOrEqual(300);
    await clock.run(left);
    expect(one.failure()).toBeUndefined();
  });

  it('pauses for the session and a heartbeat or two when a member is killed', async () => {
    const { clock, cluster } = scene();
    startSums(cluster, 'one', fast);
    const two = startSums(cluster, 'two', fast);
    await longestPause(cluster, clock, 2_000);
    two.process.kill();
    const pause = await longestPause(cluster, clock, 8_000);
    expect(pause).toBeGreaterThan(GROUPS.sessionTimeoutMs - 500);
    expect(pause).toBeLessThanOrEqual(GROUPS.sessionTimeoutMs + 1_000);
  });
});
