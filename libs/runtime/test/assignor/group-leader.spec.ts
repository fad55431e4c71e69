// What the leader makes of what members say: copies measured, versions understood, answers in words that each member knows.
import { describe, expect, it } from '@jest/globals';
import type { BrokerAdmin, MemberSubscription } from '#libs/broker';
import { silentLogger, systemClock } from '#libs/core';
import type { TaskIdText } from '#libs/core';
import { Serdes } from '#libs/serde';
import { StreamsBuilder } from '#libs/topology';
import { decodeAssignmentData, encodeMemberData, identityOf } from '../../src/assignor/group-data.ts';
import type { AssignmentData, MemberData } from '../../src/assignor/group-data.ts';
import { topologyShapes } from '../../src/assignor/topology-shape.ts';
import { ClusterLayout } from '../../src/cluster-layout.ts';
import { resolveRuntimeConfig } from '../../src/config.ts';
import { GroupLeader } from '../../src/group-leader.ts';

const PARTITIONS = 4;
const END = 50_000;

function layoutOf(store: string, extraTopic?: string): ClusterLayout {
  const builder = new StreamsBuilder();
  const serdes = { keySerde: Serdes.string(), valueSerde: Serdes.json<number>() };
  builder
    .stream<string, number>('in', serdes)
    .groupByKey()
    .aggregate(
      () => 0,
      (_key, value, sum) => sum + value,
      { name: store, ...serdes },
    )
    .toStream()
    .to('out', serdes);
  if (extraTopic !== undefined) builder.stream<string, number>(extraTopic, serdes).to('out', serdes);
  const counts = new Map(['in', 'out', 'more'].map((topic) => [topic, PARTITIONS]));
  return new ClusterLayout('app', builder.build(), counts, 'earliest');
}

const LAYOUT = layoutOf('sums');
const ALL: TaskIdText[] = ['0_0', '0_1', '0_2', '0_3'];

function leader(layout = LAYOUT, ends: 'known' | 'refused' = 'known', ownId = 'app-leader-0') {
  const asked: string[][] = [];
  const admin = {
    offsets: (partitions: readonly { topic: string; partition: number }[]) => {
      asked.push(partitions.map(({ topic, partition }) => `${topic}-${partition}`));
      if (ends === 'refused') return Promise.reject(new Error('no broker'));
      return Promise.resolve(new Map(asked.at(-1)!.map((key) => [key, END])));
    },
  } as unknown as BrokerAdmin;
  const config = resolveRuntimeConfig({ applicationId: 'app', instanceId: 'one' });
  return { asked, leader: new GroupLeader(config, layout, admin, ownId, systemClock, silentLogger) };
}

function subscription(
  memberId: string,
  data: Partial<MemberData> & { readonly version1?: readonly TaskIdText[] } = {},
  layout = LAYOUT,
): MemberSubscription {
  const { version1, ...rest } = data;
  const said: MemberData = {
    transactionalId: `app-${memberId}-0`,
    instanceId: memberId,
    tasks: [],
    expects: [],
    standbys: [],
    positions: new Map(),
    rack: null,
    applicationServer: null,
    capacity: 1,
    repeats: 0,
    shapes: topologyShapes(layout),
    ...rest,
  };
  const { transactionalId, instanceId, tasks } = said;
  const old = { version: 1, transactionalId, instanceId, tasks, localTasks: version1 };
  return {
    memberId,
    groupInstanceId: null,
    generationId: 1,
    topics: layout.subscribedTopics(),
    ownedPartitions: said.tasks.flatMap((task) => layout.inputs(task)),
    userData: version1 === undefined ? encodeMemberData(said) : Buffer.from(JSON.stringify(old)),
  };
}

async function assigned(
  by: GroupLeader,
  members: readonly MemberSubscription[],
  known: readonly string[] = [],
): Promise<Map<string, AssignmentData>> {
  const answers = await by.assign(members, known);
  return new Map([...answers].map(([id, { userData }]) => [id, decodeAssignmentData(userData)]));
}

describe('the leader of the group', () => {
  it('asks for the ends of changelogs only where somebody has state of what it does not run', async () => {
    const { asked, leader: by } = leader();
    await assigned(by, [subscription('a', { tasks: ALL }), subscription('b')]);
    expect(asked).toEqual([]);
    await assigned(by, [
      subscription('a', { tasks: ALL }),
      subscription('b', { positions: new Map([['0_2', 7]]) }),
    ]);
    expect(asked).toEqual([['app-sums-changelog-2']]);
  });

  it('moves a task to a copy that is near the end, and warms one up that is not', async () => {
    const { leader: by } = leader();
    const near = subscription('b', {
      standbys: ['0_2'],
      positions: new Map<TaskIdText, number>([
        ['0_2', END - 10_000],
        ['0_3', END - 10_001],
      ]),
    });
    const told = await assigned(by, [subscription('a', { tasks: ALL }), near]);
    expect(told.get('a')).toMatchObject({ active: ['0_0', '0_1', '0_3'], givesUp: ['0_2'], handover: true });
    expect(told.get('b')).toMatchObject({
      active: [],
      warmup: ['0_2', '0_3'],
      expects: ['0_2', '0_3'],
      probeInMs: 600_000,
    });
  });

  it('takes copies for behind while no broker tells the ends', async () => {
    const { leader: by } = leader(LAYOUT, 'refused');
    const told = await assigned(by, [
      subscription('a', { tasks: ALL }),
      subscription('b', { positions: new Map([['0_2', END]]) }),
    ]);
    expect(told.get('a')!.active).toEqual(ALL);
  });

  it('gives a member of version 1 what it understands, and tasks at once', async () => {
    const { leader: by } = leader();
    const members = [subscription('a', { tasks: ALL }), subscription('old', { version1: [] })];
    const answers = await by.assign(members, ['app-gone-0']);
    const old = JSON.parse(Buffer.from(answers.get('old')!.userData).toString()) as Record<string, unknown>;
    expect(old).toMatchObject({ version: 1, tasks: [], live: ['app-a-0', 'app-old-0'], givesUp: [] });
    expect(decodeAssignmentData(answers.get('a')!.userData).givesUp).toEqual(['0_2', '0_3']);
  });

  it('hears of the departed itself where nobody gains: a static member counts until its session is over', async () => {
    const { leader: by } = leader(LAYOUT, 'known', 'app-a-0');
    const told = await assigned(
      by,
      [subscription('a', { tasks: ['0_0', '0_1'] }), subscription('b', { tasks: ['0_2', '0_3'] })],
      ['app-a-0', 'app-b-0', 'app-gone-0'],
    );
    expect(told.get('a')!.departed).toEqual(['app-gone-0']);
    expect(told.get('b')!.departed).toEqual([]);
  });

  it('names the departed to those who gain tasks', async () => {
    const { leader: by } = leader();
    const members = [subscription('a', { tasks: ['0_0', '0_1'] }), subscription('b', { tasks: ['0_2'] })];
    const told = await assigned(by, members, ['app-a-0', 'app-gone-0']);
    expect(told.get('b')).toMatchObject({ active: ['0_2', '0_3'], departed: ['app-gone-0'] });
    expect(told.get('a')!.departed).toEqual([]);
  });

  it('remembers who was there, though a large group is not told its ids', async () => {
    const { leader: by } = leader();
    const crowd = Array.from({ length: 200 }, (_, i) => subscription(`member-${i}`));
    const first = await assigned(by, crowd);
    const [id] = [...first].find(([, { active }]) => active.length > 0)!;
    expect(first.get(id)).toMatchObject({ live: [], memberCount: 200 });
    const left = crowd.filter(({ memberId }) => memberId !== id);
    const second = await assigned(by, left);
    const gained = [...second.values()].filter(({ departed }) => departed.length > 0);
    expect(gained.length).toBeGreaterThan(0);
    for (const { departed } of gained) expect(departed).toEqual([`app-${id}-0`]);
  });

  it('gives instances of another version only what both versions have', async () => {
    const grown = layoutOf('sums', 'more');
    const { leader: by } = leader(grown);
    const told = await assigned(by, [subscription('new', {}, grown), subscription('old')]);
    const [old, young] = [told.get('old')!.active, told.get('new')!.active];
    expect(old.filter((task) => task.startsWith('1_'))).toEqual([]);
    expect(old.length).toBeGreaterThan(0);
    expect([...old, ...young].sort()).toEqual([...ALL, '1_0', '1_1', '1_2', '1_3']);
  });

  it('waits for partitions that an instance of another version reads under another name or store', async () => {
    const { leader: by } = leader(layoutOf('totals'));
    const renamed = layoutOf('totals');
    const told = await assigned(by, [subscription('old', { tasks: ALL }), subscription('new', {}, renamed)]);
    expect(told.get('old')).toMatchObject({ active: [], givesUp: ALL });
    expect(told.get('new')).toMatchObject({ active: [], expects: ALL });
    const after = await assigned(by, [subscription('old'), subscription('new', { expects: ALL }, renamed)]);
    expect(after.get('new')!.active).toEqual(ALL);
  });

  it('tells everybody who has which tasks, of those that have said where they are', async () => {
    const { leader: by } = leader();
    const told = await assigned(by, [
      subscription('a', { tasks: [ALL[0]!], applicationServer: 'a:80' }),
      subscription('b', { tasks: ALL.slice(1), applicationServer: 'b:80' }),
      subscription('c', {}),
    ]);
    const hosts = told.get('c')!.hosts;
    expect(hosts.map(({ host }) => host)).toEqual(['a:80', 'b:80']);
    for (const { host, active } of hosts) expect(active).toEqual(told.get(host[0]!)!.active);
    expect(told.get('a')!.hosts).toEqual(hosts);
  });

  it('says nothing of addresses where nobody has one, or where they would fill the record of the group', async () => {
    const { leader: by } = leader();
    const none = await assigned(by, [subscription('a'), subscription('b')]);
    expect(none.get('a')!.hosts).toEqual([]);
    const many = Array.from({ length: 200 }, (_, i) =>
      subscription(`m${i}`, { applicationServer: `a-rather-long-name-of-a-host.example.org:${8_000 + i}` }),
    );
    const told = await assigned(by, many);
    expect(told.get('m0')!.hosts).toEqual([]);
    expect(told.get('m0')!.memberCount).toBe(200);
  });

  it('knows a static member that comes back with another address for another', () => {
    const shapes = new Map([[0, 1]]);
    const same = { transactionalId: 't', rack: null, capacity: 1, shapes };
    const identities = [null, 'a:80', 'b:80'].map((applicationServer) =>
      identityOf({ ...same, applicationServer }),
    );
    expect(new Set(identities).size).toBe(3);
  });

  it('refuses a group that another kind of client has joined', async () => {
    const { leader: by } = leader();
    const stranger = { ...subscription('x'), userData: Buffer.from('range') };
    await expect(by.assign([subscription('a'), stranger], [])).rejects.toThrow(
      /MILLRACE_PROTOCOL_ERROR.*"x"/,
    );
  });
});
