// What is sent to a streams group for an event loop that is blocked.
import { expect, it } from '@jest/globals';
import { silentLogger } from '#libs/core';
import { HeartbeatStandIn } from '../../src/group/index.ts';
import { heartbeatRequest } from '../../src/streams-group/heartbeat-request.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { coordinators, ScriptedRpc } from '../support/scripted-rpc.ts';
import { alive, TOPOLOGY } from '../support/streams-group-fixture.ts';

const SETTINGS = {
  groupId: 'app',
  memberId: 'm',
  processId: 'p',
  topology: TOPOLOGY,
  rebalanceTimeoutMs: 60_000,
  rackId: null,
  userEndpoint: null,
  clientTags: {},
};

it('goes with the epoch that the coordinator names, and gives nothing up', async () => {
  const clock = new FakeClock();
  let epoch = 4;
  const rpc = new ScriptedRpc(clock)
    .on('FindCoordinator', coordinators)
    .on('StreamsGroupHeartbeat', () => alive(++epoch));
  const parts = new HeartbeatStandIn({ rpc, clock, logger: silentLogger, requestTimeoutMs: 30_000 });
  const request = heartbeatRequest(SETTINGS, {
    memberEpoch: 4,
    endpointInformationEpoch: 0,
    owned: null,
    shutdownApplication: false,
  });
  const watch = parts.watch(
    {
      groupId: 'app',
      calls: [{ api: 'StreamsGroupHeartbeat', request }],
      sessionTimeoutMs: 6_000,
      heartbeatIntervalMs: 1_000,
      maxBlockedMs: 60_000,
    },
    { turns: () => 1, onContact: () => undefined, onResumed: () => undefined, onGivenUp: () => undefined },
  );
  await clock.advance(5_000);
  watch.end();
  const sent = rpc.callsOf('StreamsGroupHeartbeat').map((call) => call.request);
  expect(sent.length).toBeGreaterThan(3);
  expect(sent.map(({ memberEpoch }) => memberEpoch)).toEqual(sent.map((_, index) => 4 + index));
  for (const { activeTasks, standbyTasks, topology } of sent) {
    expect([activeTasks, standbyTasks, topology]).toEqual([null, null, null]);
  }
});
