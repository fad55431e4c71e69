// What a member of a streams group does on each answer of its coordinator, and on none.
import { describe, expect, it } from '@jest/globals';
import type { HeartbeatWatchOptions } from '../../src/contracts/index.ts';
import type { StreamsGroupHeartbeatRequest } from '../../src/rpc/index.ts';
import {
  alive,
  assigning,
  describing,
  HEARTBEAT_MS,
  refusing,
  stableStreams,
  streamsFixture,
  TOPOLOGY,
} from '../support/streams-group-fixture.ts';

const NONE = { activeTasks: null, standbyTasks: null, warmupTasks: null };
const owning = (...partitions: number[]) => ({
  activeTasks: partitions.length === 0 ? [] : [{ subtopologyId: '0', partitions }],
  standbyTasks: [],
  warmupTasks: [],
});

function last(heartbeats: () => StreamsGroupHeartbeatRequest[]): StreamsGroupHeartbeatRequest {
  return heartbeats().at(-1)!;
}

/** A hook that resolves when it is told to. */
function gate() {
  const waiting: (() => void)[] = [];
  const open = (): void => waiting.shift()?.();
  return { wait: () => new Promise<void>((resolve) => waiting.push(resolve)), open };
}

describe('joining', () => {
  it('says everything of itself at epoch 0, and owns nothing', async () => {
    const { heartbeats, member, events } = await stableStreams({
      rackId: 'zone-a',
      clientTags: { name: 'value' },
      userEndpoint: { host: 'here', port: 80 },
    });
    expect(heartbeats()[0]).toEqual({
      groupId: 'app',
      memberId: 'm',
      memberEpoch: 0,
      endpointInformationEpoch: -1,
      instanceId: null,
      rackId: 'zone-a',
      rebalanceTimeoutMs: 60_000,
      topology: TOPOLOGY,
      ...owning(),
      processId: 'p',
      userEndpoint: { host: 'here', port: 80 },
      clientTags: [{ key: 'name', value: 'value' }],
      taskOffsets: null,
      taskEndOffsets: null,
      shutdownApplication: false,
    });
    expect(events).toEqual(['assigned 1: 0_0']);
    expect(member.metadata).toEqual({
      groupId: 'app',
      generationId: 1,
      memberId: 'm',
      groupInstanceId: null,
    });
  });

  it('says what it took as soon as it has taken it, and nothing more while nothing changes', async () => {
    const { clock, heartbeats } = await stableStreams();
    expect(heartbeats()[1]).toMatchObject({ memberEpoch: 1, topology: null, ...owning(0) });
    const said = heartbeats().length;
    await clock.advance(2 * HEARTBEAT_MS);
    expect(heartbeats().length).toBe(said + 2);
    expect(last(heartbeats)).toMatchObject({ memberEpoch: 1, processId: null, clientTags: null, ...NONE });
  });

  it('keeps joining while the group delays its first assignment', async () => {
    const { clock, rpc, heartbeats, events, member } = streamsFixture();
    const delayed = { status: [{ statusCode: 5, statusDetail: 'delayed' }] };
    rpc.next('StreamsGroupHeartbeat', { ...assigning(0, []), ...delayed }, assigning(2, ['0_1']));
    member.start();
    await clock.settle();
    expect(member.metadata).toBeNull();
    await clock.advance(HEARTBEAT_MS);
    expect(heartbeats()[1]).toMatchObject({ memberEpoch: 0, topology: TOPOLOGY });
    expect(events).toEqual(['not ready', 'ready', 'assigned 2: 0_1']);
  });

  it('goes by the shorter of its own interval and the group’s', async () => {
    const { clock, heartbeats } = await stableStreams({ heartbeatIntervalMs: 250 });
    const said = heartbeats().length;
    await clock.advance(1_000);
    expect(heartbeats().length).toBe(said + 4);
  });
});

describe('an assignment', () => {
  it('is given up first, then said, and only then does another come', async () => {
    const hook = gate();
    let slow = false;
    const { clock, rpc, heartbeats, events, member } = await stableStreams(
      {},
      { onAssigned: async ({ active }) => void (events_.push(active.join()), slow && (await hook.wait())) },
    );
    slow = true;
    rpc.next('StreamsGroupHeartbeat', assigning(1, []));
    await clock.advance(HEARTBEAT_MS);
    expect(member.state).toBe('RECONCILING');
    // Heartbeats go on, and do not say that anything was given up.
    await clock.advance(2 * HEARTBEAT_MS);
    expect(heartbeats().slice(-2)).toMatchObject([NONE, NONE]);
    rpc.next('StreamsGroupHeartbeat', assigning(2, ['0_1']));
    hook.open();
    await clock.settle();
    expect(heartbeats().at(-2)).toMatchObject({ memberEpoch: 1, ...owning() });
    expect(events_).toEqual(['0_0', '', '0_1']);
    expect(events).toEqual([]);
    hook.open();
    await clock.settle();
    expect(last(heartbeats)).toMatchObject({ memberEpoch: 2, ...owning(1) });
    expect(member.state).toBe('STABLE');
  });
  const events_: string[] = [];

  it('that comes while a hook runs is handed on when it has resolved', async () => {
    const hook = gate();
    const seen: string[] = [];
    const { clock, rpc, member } = streamsFixture(
      {},
      { onAssigned: async ({ active }) => void (seen.push(active.join()), await hook.wait()) },
    );
    rpc.next('StreamsGroupHeartbeat', assigning(1, ['0_0']), assigning(2, ['0_0', '0_1']));
    member.start();
    await clock.advance(HEARTBEAT_MS);
    expect(seen).toEqual(['0_0']);
    hook.open();
    await clock.settle();
    expect(seen).toEqual(['0_0', '0_0,0_1']);
    hook.open();
    await clock.settle();
    expect(member.state).toBe('STABLE');
  });

  it('never says less than a hook that runs may hold', async () => {
    const hook = gate();
    let slow = false;
    const { clock, rpc, heartbeats } = await stableStreams(
      {},
      { onAssigned: async () => void (slow && (await hook.wait())) },
    );
    slow = true;
    rpc.next('StreamsGroupHeartbeat', assigning(2, ['0_1']), 'lost');
    await clock.advance(HEARTBEAT_MS);
    rpc.on('StreamsGroupDescribe', describing(2, ['0_1']));
    await clock.advance(2 * HEARTBEAT_MS);
    // 0_0 is not closed yet, and 0_1 may be open already.
    const said = heartbeats().filter(({ activeTasks }) => activeTasks !== null);
    expect(said.at(-1)).toMatchObject({ memberEpoch: 2, ...owning(0, 1) });
    hook.open();
    await clock.settle();
    expect(last(heartbeats)).toMatchObject(owning(1));
  });

  it('of copies is handed on as such, and said', async () => {
    const { clock, rpc, events, heartbeats } = await stableStreams();
    rpc.next('StreamsGroupHeartbeat', assigning(2, ['0_0'], ['0_3']));
    await clock.advance(HEARTBEAT_MS);
    expect(events.at(-1)).toBe('assigned 2: 0_0 standby 0_3');
    expect(last(heartbeats).standbyTasks).toEqual([{ subtopologyId: '0', partitions: [3] }]);
  });

  it('of a task that is none of the topology’s ends the member', async () => {
    const { clock, rpc, events, member } = await stableStreams();
    const activeTasks = [{ subtopologyId: '7', partitions: [0] }];
    rpc.next('StreamsGroupHeartbeat', alive(2, { activeTasks, standbyTasks: [], warmupTasks: [] }));
    await clock.advance(HEARTBEAT_MS);
    expect(member.state).toBe('FAILED');
    expect(events.at(-1)).toBe('failed: MILLRACE_STREAMS_TOPOLOGY_REFUSED');
  });
});

describe('a lost answer', () => {
  it('is followed by what is owned, and by a question for what was assigned in it', async () => {
    const { clock, rpc, heartbeats, events } = await stableStreams();
    rpc.next('StreamsGroupHeartbeat', 'lost', alive(2));
    rpc.on('StreamsGroupDescribe', describing(2, ['0_0', '0_2']));
    await clock.advance(HEARTBEAT_MS + 500);
    expect(events.at(-1)).toBe('assigned 2: 0_0,0_2');
    const again = heartbeats().find(({ activeTasks }, index) => index > 1 && activeTasks !== null);
    expect(again).toMatchObject({ memberEpoch: 1, ...owning(0) });
    expect(last(heartbeats)).toMatchObject({ memberEpoch: 2, ...owning(0, 2) });
  });

  it('asks nobody when the next answer carries an assignment', async () => {
    const { clock, rpc, events } = await stableStreams();
    rpc.next('StreamsGroupHeartbeat', 'lost', assigning(3, ['0_1']));
    await clock.advance(HEARTBEAT_MS + 500);
    expect(events.at(-1)).toBe('assigned 3: 0_1');
    expect(rpc.callsOf('StreamsGroupDescribe')).toEqual([]);
  });

  it('may be of a heartbeat that is only late: for three sessions what it was assigned is asked for', async () => {
    const { clock, rpc, events } = await stableStreams();
    rpc.next('StreamsGroupHeartbeat', 'lost', assigning(3, ['0_1']));
    await clock.advance(HEARTBEAT_MS + 500);
    expect(events.at(-1)).toBe('assigned 3: 0_1');
    // It arrives now, and nobody hears what is assigned in its answer.
    rpc.on('StreamsGroupDescribe', describing(3, ['0_1', '0_2']));
    await clock.advance(4 * HEARTBEAT_MS);
    expect(events.at(-1)).toBe('assigned 3: 0_1,0_2');
    await clock.advance(27_000);
    const asked = rpc.callsOf('StreamsGroupDescribe').length;
    await clock.advance(27_000);
    expect(rpc.callsOf('StreamsGroupDescribe')).toHaveLength(asked);
  });

  it('is repeated until the session is over, and then the tasks are lost', async () => {
    const { clock, rpc, events, member } = await stableStreams();
    rpc.on('StreamsGroupHeartbeat', 'lost');
    await clock.advance(12_000);
    expect(events.at(-1)).toMatch(/^lost: no heartbeat was answered for the session timeout of 9000 ms/);
    expect(member.metadata).toBeNull();
    expect(member.losses).toBe(1);
  });
});

describe('a loss', () => {
  it.each([
    [110, 'FENCED_MEMBER_EPOCH'],
    [25, 'UNKNOWN_MEMBER_ID'],
  ])('by error %i (%s) drops everything before it joins again with nothing', async (code, name) => {
    const { clock, rpc, heartbeats, events, member } = await stableStreams();
    rpc.next('StreamsGroupHeartbeat', refusing(code));
    await clock.advance(HEARTBEAT_MS);
    expect(events).toEqual(['assigned 1: 0_0', `lost: the coordinator answered ${name}`, 'assigned 2: 0_0']);
    expect(heartbeats().filter(({ memberEpoch }) => memberEpoch === 0)).toMatchObject([owning(), owning()]);
    expect(member.losses).toBe(1);
    expect(member.metadata!.generationId).toBe(2);
  });

  it('waits for the hook that runs, and is told of before the next', async () => {
    const hook = gate();
    const order: string[] = [];
    const { clock, rpc, member } = streamsFixture(
      {},
      {
        onAssigned: async () => {
          order.push('assigned');
          await hook.wait();
          order.push('done');
        },
        onLost: async () => void order.push('lost'),
      },
    );
    member.start();
    await clock.settle();
    rpc.next('StreamsGroupHeartbeat', refusing(25));
    await clock.advance(HEARTBEAT_MS);
    expect(order).toEqual(['assigned']);
    expect(member.metadata).toBeNull();
    hook.open();
    await clock.settle();
    expect(order).toEqual(['assigned', 'done', 'lost', 'assigned']);
  });

  it('that was asked for is one, told apart', async () => {
    const { clock, member, events } = await stableStreams();
    member.requestRejoin('the epoch failed');
    await clock.settle();
    expect(events.slice(1)).toEqual(['left: the epoch failed', 'assigned 2: 0_0']);
    expect(member.losses).toBe(1);
  });
});

describe('a commit that was refused', () => {
  it('is offered again under the epoch that an answer on its way names', async () => {
    const { clock, rpc, member } = await stableStreams();
    const before = member.metadata!;
    let answer: () => void = () => undefined;
    rpc.next('StreamsGroupHeartbeat', () => new Promise((resolve) => (answer = () => resolve(alive(2)))));
    await clock.advance(HEARTBEAT_MS);
    const renewed = member.renewed(before);
    answer();
    await clock.settle();
    expect(await renewed).toMatchObject({ generationId: 2 });
  });

  it('is not, when no other epoch is known, or the member was lost', async () => {
    const { clock, rpc, member } = await stableStreams();
    const before = member.metadata!;
    expect(await member.renewed(before)).toBeNull();
    rpc.next('StreamsGroupHeartbeat', refusing(110));
    await clock.advance(HEARTBEAT_MS);
    expect(await member.renewed(before)).toMatchObject({ generationId: 2 });
    rpc.next('StreamsGroupHeartbeat', () => Promise.resolve(refusing(110)));
    const now = member.metadata!;
    const advanced = clock.advance(HEARTBEAT_MS);
    const renewed = member.renewed(now);
    await advanced;
    expect(await renewed).toBeNull();
  });
});

describe('what the group says of itself', () => {
  const status = (statusCode: number) => ({ status: [{ statusCode, statusDetail: 'why' }] });

  it.each([
    [2, 'MILLRACE_PARTITIONS_MISMATCH'],
    [4, 'MILLRACE_SHUTDOWN_REQUESTED'],
  ])('ends the member at once: status %i', async (code, error) => {
    const { clock, rpc, events } = await stableStreams();
    rpc.next('StreamsGroupHeartbeat', alive(1, status(code)));
    await clock.advance(HEARTBEAT_MS);
    expect(events.at(-1)).toBe(`failed: ${error}`);
  });

  it('gives missing source topics two heartbeats, as Kafka Streams does', async () => {
    const { clock, rpc, events } = await stableStreams();
    rpc.on('StreamsGroupHeartbeat', alive(1, status(1)));
    await clock.advance(2 * HEARTBEAT_MS);
    expect(events.slice(1)).toEqual(['not ready']);
    await clock.advance(HEARTBEAT_MS);
    expect(events.at(-1)).toBe('failed: MILLRACE_TOPIC_MISSING');
  });

  it('is waited out where the group mends it', async () => {
    const { clock, rpc, events } = await stableStreams();
    rpc.next('StreamsGroupHeartbeat', alive(1, status(3)), alive(1, status(3)));
    await clock.advance(4 * HEARTBEAT_MS);
    expect(events.slice(1)).toEqual(['not ready', 'ready']);
  });
});

describe('a refusal', () => {
  it.each([
    [69, null, 'MILLRACE_GROUP_TYPE_MISMATCH'],
    [35, null, 'MILLRACE_STREAMS_PROTOCOL_UNSUPPORTED'],
    [130, null, 'MILLRACE_STREAMS_TOPOLOGY_REFUSED'],
    [42, 'Topology updates are not supported yet.', 'MILLRACE_STREAMS_TOPOLOGY_REFUSED'],
    [42, 'Something else.', 'MILLRACE_REQUEST_FAILED'],
    [81, null, 'MILLRACE_REQUEST_FAILED'],
    [30, null, 'MILLRACE_AUTHORIZATION_FAILED'],
  ])('of the join with error %i (%s) is %s', async (code, detail, error) => {
    const { clock, rpc, events, member } = streamsFixture();
    rpc.next('StreamsGroupHeartbeat', refusing(code, detail));
    member.start();
    await clock.settle();
    expect(events).toEqual([`failed: ${error}`]);
    expect(member.state).toBe('FAILED');
  });

  it('by a broker that is not the coordinator any more leads to the next one', async () => {
    const { clock, rpc, member } = await stableStreams();
    const looked = rpc.callsOf('FindCoordinator').length;
    rpc.next('StreamsGroupHeartbeat', refusing(16));
    await clock.advance(HEARTBEAT_MS + 100);
    expect(rpc.callsOf('FindCoordinator').length).toBe(looked + 1);
    expect(member.state).toBe('STABLE');
  });
});

describe('leaving', () => {
  it('is a heartbeat of epoch -1', async () => {
    const { member, clock, heartbeats } = await stableStreams();
    await member.leave('done', true);
    await clock.advance(3 * HEARTBEAT_MS);
    expect(last(heartbeats)).toMatchObject({ memberEpoch: -1, topology: null, ...NONE });
    expect(member.metadata).toBeNull();
  });

  it('is silent for a member of a lasting name', async () => {
    const { member, heartbeats } = await stableStreams();
    const said = heartbeats().length;
    await member.leave('done');
    expect(heartbeats().length).toBe(said);
    expect(member.state).toBe('LEFT');
  });

  it('asks the others to stop where that was wanted', async () => {
    const { member, clock, heartbeats } = await stableStreams();
    member.requestShutdown();
    await clock.settle();
    expect(last(heartbeats)).toMatchObject({ memberEpoch: 1, shutdownApplication: true });
  });
});

describe('a guard', () => {
  function guarded() {
    const watches: { options: HeartbeatWatchOptions; lastContact: number; ended: boolean }[] = [];
    const guard = {
      watch: (options: HeartbeatWatchOptions) => {
        const watch = { options, lastContact: -Infinity, ended: false };
        watches.push(watch);
        return Object.assign(watch, { end: () => void (watch.ended = true) });
      },
      close: () => Promise.resolve(),
    };
    return { guard, watches };
  }

  it('speaks for the epoch, and never says that anything was given up', async () => {
    const { guard, watches } = guarded();
    const { clock, rpc, member } = await stableStreams({ maxBlockedMs: 60_000 }, {}, guard);
    rpc.next('StreamsGroupHeartbeat', alive(2));
    await clock.advance(HEARTBEAT_MS);
    expect(watches.map(({ options, ended }) => [options.calls[0]!.request, ended])).toMatchObject([
      [{ memberEpoch: 1, topology: null, ...NONE }, true],
      [{ memberEpoch: 2, topology: null, ...NONE }, false],
    ]);
    expect(watches[0]!.options.maxBlockedMs).toBe(60_000);
    await member.leave('done');
    expect(watches.at(-1)!.ended).toBe(true);
  });

  it('may have heard what the member did not: it asks before it says anything under an old epoch', async () => {
    const { guard, watches } = guarded();
    const { clock, rpc, heartbeats, events } = await stableStreams({}, {}, guard);
    rpc.on('StreamsGroupDescribe', describing(5, ['0_4']));
    watches.at(-1)!.lastContact = clock.monotonic() + 1;
    await clock.advance(HEARTBEAT_MS);
    expect(events.at(-1)).toBe('assigned 5: 0_4');
    expect(last(heartbeats)).toMatchObject({ memberEpoch: 5, ...owning(4) });
    expect(events.filter((event) => event.startsWith('lost'))).toEqual([]);
  });
});
