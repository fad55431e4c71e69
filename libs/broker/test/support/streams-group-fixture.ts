// Owns a member of a streams group on a scripted coordinator that accepts what it hears and assigns what a spec says.
import { expect } from '@jest/globals';
import { silentLogger } from '#libs/core';
import type { TaskIdText } from '#libs/core';
import { Cluster } from '../../src/cluster/index.ts';
import type {
  HeartbeatGuard,
  StreamsGroupMemberHandler,
  StreamsGroupMemberOptions,
} from '../../src/contracts/index.ts';
import type {
  StreamsGroupDescribeAnswer,
  StreamsGroupHeartbeatAnswer,
  StreamsGroupHeartbeatRequest,
  StreamsTopology,
} from '../../src/rpc/index.ts';
import { KafkaStreamsGroupMember } from '../../src/streams-group/index.ts';
import { tasksToWire } from '../../src/streams-group/tasks.ts';
import { FakeClock } from './fake-clock.ts';
import { coordinators, ScriptedRpc } from './scripted-rpc.ts';

export const HEARTBEAT_MS = 1_000;

export const TOPOLOGY: StreamsTopology = {
  epoch: 0,
  subtopologies: [
    {
      subtopologyId: '0',
      sourceTopics: ['in'],
      stateChangelogTopics: [],
      repartitionSinkTopics: [],
      repartitionSourceTopics: [],
      copartitionGroups: [],
    },
  ],
};

/** An answer without news. */
export function alive(
  memberEpoch: number,
  others: Partial<StreamsGroupHeartbeatAnswer> = {},
): StreamsGroupHeartbeatAnswer {
  return {
    errorCode: 0,
    errorMessage: null,
    memberId: 'm',
    memberEpoch,
    heartbeatIntervalMs: HEARTBEAT_MS,
    acceptableRecoveryLag: 0,
    taskOffsetIntervalMs: 0,
    status: [],
    activeTasks: null,
    standbyTasks: null,
    warmupTasks: null,
    endpointInformationEpoch: 0,
    partitionsByUserEndpoint: null,
    ...others,
  };
}

export function assigning(
  memberEpoch: number,
  active: readonly TaskIdText[],
  standby: readonly TaskIdText[] = [],
): StreamsGroupHeartbeatAnswer {
  const tasks = { activeTasks: tasksToWire(active), standbyTasks: tasksToWire(standby), warmupTasks: [] };
  return alive(memberEpoch, tasks);
}

export const refusing = (errorCode: number, errorMessage: string | null = null) =>
  alive(0, { errorCode, errorMessage });

export function describing(memberEpoch: number, active: readonly TaskIdText[]): StreamsGroupDescribeAnswer {
  const assignment = { activeTasks: tasksToWire(active), standbyTasks: [], warmupTasks: [] };
  const member = {
    memberId: 'm',
    memberEpoch,
    instanceId: null,
    rackId: null,
    clientId: 'c',
    clientHost: '/127.0.0.1',
    topologyEpoch: 0,
    processId: 'p',
    userEndpoint: null,
    clientTags: [],
    taskOffsets: [],
    taskEndOffsets: [],
    assignment,
    targetAssignment: assignment,
    isClassic: false,
  };
  const group = {
    errorCode: 0,
    errorMessage: null,
    groupId: 'app',
    groupState: 'Stable',
    groupEpoch: memberEpoch,
    assignmentEpoch: memberEpoch,
    topology: null,
    members: [member],
  };
  return { groups: [group] };
}

export function streamsFixture(
  options: Partial<StreamsGroupMemberOptions> = {},
  overrides: Partial<StreamsGroupMemberHandler> = {},
  guard?: HeartbeatGuard,
) {
  const clock = new FakeClock();
  const rpc = new ScriptedRpc(clock);
  let epoch = 0;
  rpc
    .on('FindCoordinator', coordinators)
    .on('StreamsGroupHeartbeat', ({ memberEpoch }) =>
      memberEpoch === 0 ? assigning(++epoch, ['0_0']) : alive(Math.max(memberEpoch, -1)),
    );
  const events: string[] = [];
  const handler: StreamsGroupMemberHandler = {
    onAssigned: async ({ active, standby }, { generationId }) => {
      const copies = standby.length === 0 ? '' : ` standby ${standby.join()}`;
      events.push(`assigned ${generationId}: ${active.join()}${copies}`);
    },
    onLost: async (reason, asked) => {
      events.push(`${asked ? 'left' : 'lost'}: ${reason}`);
    },
    onReady: (ready) => events.push(ready ? 'ready' : 'not ready'),
    onFailed: (error) => events.push(`failed: ${(error as { code?: string }).code ?? error.message}`),
    ...overrides,
  };
  const cluster = new Cluster({ rpc, clock, logger: silentLogger, requestTimeoutMs: 30_000 });
  const member = new KafkaStreamsGroupMember(
    cluster,
    {
      groupId: 'app',
      memberId: 'm',
      processId: 'p',
      topology: TOPOLOGY,
      sessionTimeoutMs: 9_000,
      rebalanceTimeoutMs: 60_000,
      ...options,
    },
    handler,
    guard,
  );
  const heartbeats = (): StreamsGroupHeartbeatRequest[] =>
    rpc.callsOf('StreamsGroupHeartbeat').map((call) => call.request);
  return { clock, rpc, member, events, heartbeats };
}

/** Joined, and what it was assigned is taken and said. */
export async function stableStreams(
  options: Partial<StreamsGroupMemberOptions> = {},
  overrides: Partial<StreamsGroupMemberHandler> = {},
  guard?: HeartbeatGuard,
) {
  const all = streamsFixture(options, overrides, guard);
  all.member.start();
  await all.clock.settle();
  expect(all.member.state).toBe('STABLE');
  return all;
}
