// What the group coordinator answers: joins and syncs that come again, members that expire, static members, commits and their checks.
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { JoinGroupAnswer, JoinGroupRequest } from '#libs/broker';
import { newBench, RawClient } from './raw-client.ts';
import type { Bench } from './raw-client.ts';

const ILLEGAL_GENERATION = 22;
const UNKNOWN_MEMBER_ID = 25;
const REBALANCE_IN_PROGRESS = 27;
const MEMBER_ID_REQUIRED = 79;
const FENCED_INSTANCE_ID = 82;
const SESSION_MS = 6_000;
const REBALANCE_MS = 10_000;

let bench: Bench;

beforeEach(() => {
  bench = newBench();
  bench.cluster.topics.create('t');
});

function joining(options: Partial<JoinGroupRequest> = {}): JoinGroupRequest {
  return {
    groupId: 'g',
    sessionTimeoutMs: SESSION_MS,
    rebalanceTimeoutMs: REBALANCE_MS,
    memberId: '',
    groupInstanceId: null,
    protocolType: 'consumer',
    protocols: [{ name: 'p', metadata: Buffer.from('m') }],
    reason: null,
    ...options,
  };
}

/** A member of the group, on a client of its own. */
class Member {
  readonly client = new RawClient(bench.cluster, bench.clock, 'raw');
  readonly options: Partial<JoinGroupRequest>;
  memberId: string;
  generationId = -1;
  #answer: Promise<JoinGroupAnswer> | undefined;

  constructor(options: Partial<JoinGroupRequest> = {}) {
    this.options = options;
    this.memberId = options.memberId ?? '';
  }

  /** Asks to join, first for an id if it needs one, and does not wait for the others. */
  async ask(options: Partial<JoinGroupRequest> = {}): Promise<void> {
    const request = joining({ ...this.options, memberId: this.memberId, ...options });
    if (request.memberId === '' && request.groupInstanceId === null) {
      const { errorCode, memberId } = await this.client.call('JoinGroup', request);
      expect(errorCode).toBe(MEMBER_ID_REQUIRED);
      this.memberId = memberId;
      return this.ask(options);
    }
    this.#answer = this.client.send('JoinGroup', request, 1, { timeoutMs: 60_000 });
    await bench.clock.advance(0);
  }

  async joined(): Promise<JoinGroupAnswer> {
    const answer = await bench.clock.run(this.#answer!);
    if (answer.errorCode === 0) {
      this.memberId = answer.memberId;
      this.generationId = answer.generationId;
    }
    return answer;
  }

  async join(options: Partial<JoinGroupRequest> = {}): Promise<JoinGroupAnswer> {
    await this.ask(options);
    return this.joined();
  }

  /** Without waiting: a follower's answer comes with the leader's. */
  sync(assignments: Record<string, string> = {}): Promise<{ errorCode: number; assignment: Buffer }> {
    return this.client.send('SyncGroup', {
      groupId: 'g',
      generationId: this.generationId,
      memberId: this.memberId,
      groupInstanceId: this.options.groupInstanceId ?? null,
      protocolType: 'consumer',
      protocolName: 'p',
      assignments: Object.entries(assignments).map(([memberId, text]) => ({
        memberId,
        assignment: Buffer.from(text),
      })),
    });
  }

  async heartbeat(): Promise<number> {
    const { memberId, generationId } = this;
    const groupInstanceId = this.options.groupInstanceId ?? null;
    return (await this.client.call('Heartbeat', { groupId: 'g', generationId, memberId, groupInstanceId }))
      .errorCode;
  }

  async leave(): Promise<number> {
    const members = [{ memberId: this.memberId, groupInstanceId: null, reason: null }];
    return (await this.client.call('LeaveGroup', { groupId: 'g', members })).members[0]!.errorCode;
  }

  async commit(offset: number): Promise<number> {
    const answer = await this.client.call('OffsetCommit', {
      groupId: 'g',
      generationId: this.generationId,
      memberId: this.memberId,
      groupInstanceId: this.options.groupInstanceId ?? null,
      topics: [
        {
          name: 't',
          partitions: [
            { partition: 0, committedOffset: offset, committedLeaderEpoch: 0, committedMetadata: '' },
          ],
        },
      ],
    });
    return answer.topics[0]!.partitions[0]!.errorCode;
  }
}

/** Two members that have joined and synced; the first leads. */
async function pair(second: Partial<JoinGroupRequest> = {}): Promise<[Member, Member]> {
  const one = new Member();
  const two = new Member(second);
  await one.join();
  await bench.clock.run(one.sync());
  await two.ask();
  await one.ask();
  await one.joined();
  await two.joined();
  const synced = two.sync();
  await bench.clock.run(one.sync({ [one.memberId]: 'first', [two.memberId]: 'second' }));
  expect(String((await bench.clock.run(synced)).assignment)).toBe('second');
  return [one, two];
}

const phase = (): string | undefined => bench.cluster.inspect.group('g')?.phase;

describe('joining', () => {
  it('makes the first member lead a generation of one, with its assignment', async () => {
    const member = new Member();
    const answer = await member.join();
    expect(answer).toMatchObject({ generationId: 1, leader: member.memberId, protocolName: 'p' });
    expect(answer.members).toMatchObject([{ memberId: member.memberId, groupInstanceId: null }]);
    expect(phase()).toBe('CompletingRebalance');
    const synced = await bench.clock.run(member.sync({ [member.memberId]: 'all' }));
    expect([synced.errorCode, String(synced.assignment), phase()]).toEqual([0, 'all', 'Stable']);
  });

  it('of a new member has the others join again, under the next generation; the leader alone hears of all', async () => {
    const [one, two] = await pair();
    expect([one.generationId, two.generationId]).toEqual([2, 2]);
    expect(await one.heartbeat()).toBe(0);
    const three = new Member();
    await three.ask();
    expect(await one.heartbeat()).toBe(REBALANCE_IN_PROGRESS);
    await one.ask();
    await two.ask();
    expect((await one.joined()).members).toHaveLength(3);
    expect((await two.joined()).members).toEqual([]);
    expect((await three.joined()).generationId).toBe(3);
  });

  it('again with nothing new, before the sync, gets the same generation: its answer was lost', async () => {
    const member = new Member();
    const first = await member.join();
    expect(await member.join()).toEqual(first);
  });

  it('again, as a follower with nothing new, disturbs nobody; as the leader it makes a generation', async () => {
    const [one, two] = await pair();
    expect(await two.join()).toMatchObject({ errorCode: 0, generationId: 2 });
    expect(phase()).toBe('Stable');
    await one.ask();
    expect(phase()).toBe('PreparingRebalance');
  });

  it('with a protocol that the others lack is refused', async () => {
    await pair();
    const stranger = new Member({ protocols: [{ name: 'other', metadata: Buffer.alloc(0) }] });
    const answer = await stranger.client.call('JoinGroup', joining(stranger.options));
    expect(answer.errorCode).toBe(23);
  });

  it('under an id nobody gave is refused', async () => {
    await pair();
    const { client } = bench;
    expect(await client.call('JoinGroup', joining({ memberId: 'invented' }))).toMatchObject({
      errorCode: UNKNOWN_MEMBER_ID,
    });
    expect(await client.call('JoinGroup', joining({ groupId: 'none', memberId: 'invented' }))).toMatchObject({
      errorCode: UNKNOWN_MEMBER_ID,
    });
  });

  it('waits for a member that got an id only as long as its session', async () => {
    const [one, two] = await pair();
    await new Member().client.call('JoinGroup', joining());
    await one.ask();
    await two.ask();
    expect(phase()).toBe('PreparingRebalance');
    const started = bench.clock.monotonic();
    await one.joined();
    expect(bench.clock.monotonic() - started).toBe(SESSION_MS);
  });

  it('leaves out who does not come within the rebalance time-out', async () => {
    const [one, two] = await pair();
    await one.ask();
    await bench.clock.advance(SESSION_MS / 2);
    await two.heartbeat();
    const answer = await one.joined();
    expect(answer.members).toHaveLength(1);
    expect(await two.heartbeat()).toBe(UNKNOWN_MEMBER_ID);
  });
});

describe('a member', () => {
  it('that is silent for its session is put out, and the others join again', async () => {
    const [one, two] = await pair();
    for (let i = 0; i < 4; i++) {
      await bench.clock.advance(SESSION_MS / 4);
      expect(await one.heartbeat()).toBe(i < 3 ? 0 : REBALANCE_IN_PROGRESS);
    }
    expect(await two.heartbeat()).toBe(UNKNOWN_MEMBER_ID);
  });

  it('that waits for the others needs no heartbeat', async () => {
    const one = new Member({ rebalanceTimeoutMs: 60_000 });
    const two = new Member();
    await one.join();
    await bench.clock.run(one.sync());
    await two.ask();
    await bench.clock.advance(SESSION_MS - 1);
    expect(await one.heartbeat()).toBe(REBALANCE_IN_PROGRESS);
    await bench.clock.advance(SESSION_MS - 1);
    await one.ask();
    expect((await two.joined()).errorCode).toBe(0);
  });

  it('that leaves frees its place at once', async () => {
    const [one, two] = await pair();
    expect(await two.leave()).toBe(0);
    expect(await one.heartbeat()).toBe(REBALANCE_IN_PROGRESS);
    expect(await two.leave()).toBe(UNKNOWN_MEMBER_ID);
    expect((await one.join()).members).toHaveLength(1);
  });

  it('that joins and does not sync is put out after the rebalance time-out', async () => {
    const [one, two] = await pair();
    await one.ask();
    await two.ask();
    await one.joined();
    await two.joined();
    await bench.clock.run(one.sync());
    for (let ms = 0; ms <= REBALANCE_MS; ms += 1_000) {
      await bench.clock.advance(1_000);
      await one.heartbeat();
      await two.heartbeat();
    }
    expect(await two.heartbeat()).toBe(UNKNOWN_MEMBER_ID);
    expect(await one.heartbeat()).toBe(REBALANCE_IN_PROGRESS);
  });

  it('hears of a rebalance in its sync', async () => {
    const [one, two] = await pair();
    await one.ask();
    await two.ask();
    await one.joined();
    await two.joined();
    const waiting = two.sync();
    await bench.clock.advance(1);
    await new Member().ask();
    expect((await bench.clock.run(waiting)).errorCode).toBe(REBALANCE_IN_PROGRESS);
  });

  it('of an older generation is told so', async () => {
    const [one] = await pair();
    one.generationId = 1;
    expect(await one.heartbeat()).toBe(ILLEGAL_GENERATION);
    expect((await bench.clock.run(one.sync())).errorCode).toBe(ILLEGAL_GENERATION);
    expect(await one.commit(1)).toBe(ILLEGAL_GENERATION);
  });
});

describe('a static member', () => {
  it('comes back under its name with its assignment and no rebalance, and fences who had it', async () => {
    const [one, two] = await pair({ groupInstanceId: 'two' });
    const again = new Member({ groupInstanceId: 'two' });
    expect(await again.join()).toMatchObject({ errorCode: 0, generationId: 2, skipAssignment: false });
    expect(again.memberId).not.toBe(two.memberId);
    expect(String((await bench.clock.run(again.sync())).assignment)).toBe('second');
    expect(await one.heartbeat()).toBe(0);
    expect(await two.heartbeat()).toBe(FENCED_INSTANCE_ID);
    expect(await two.commit(1)).toBe(FENCED_INSTANCE_ID);
    expect(await again.commit(1)).toBe(0);
  });

  it('as the leader is told all, and not to assign anew', async () => {
    const one = new Member({ groupInstanceId: 'one' });
    await one.join();
    await bench.clock.run(one.sync({ [one.memberId]: 'all' }));
    const again = new Member({ groupInstanceId: 'one' });
    const answer = await again.join();
    expect(answer).toMatchObject({ leader: answer.memberId, skipAssignment: true });
    expect(answer.members).toHaveLength(1);
  });
});

describe('a commit of offsets', () => {
  it('is taken from members of the generation, refused while it is being made', async () => {
    const [one, two] = await pair();
    expect(await one.commit(3)).toBe(0);
    await one.ask();
    await two.ask();
    await one.joined();
    await two.joined();
    expect(await one.commit(4)).toBe(REBALANCE_IN_PROGRESS);
    expect(bench.cluster.inspect.committedOffsets('g').get('t-0')).toMatchObject({ offset: 3 });
  });

  it('without a membership is taken only while the group has none', async () => {
    const nobody = new Member();
    expect(await nobody.commit(3)).toBe(0);
    await pair();
    expect(await nobody.commit(4)).toBe(UNKNOWN_MEMBER_ID);
  });

  it('of a topic that does not exist is refused', async () => {
    bench.cluster.topics.delete('t');
    expect(await new Member().commit(3)).toBe(3);
  });
});

it('groups survive their coordinator: the next one loads, and knows them then', async () => {
  bench = newBench({ brokers: 2, coordinatorLoadMs: 500 });
  bench.cluster.topics.create('t');
  const find = async (): Promise<number> =>
    (await bench.client.call('FindCoordinator', { keyType: 'group', key: 'g' }, 'bootstrap')).nodeId;
  const nodeId = await find();
  const ask = (request: JoinGroupRequest, target: number): Promise<JoinGroupAnswer> =>
    bench.client.send('JoinGroup', request, target);
  const { memberId } = await bench.clock.run(ask(joining(), nodeId));
  const joined = await bench.clock.run(ask(joining({ memberId }), nodeId));
  const sync = { groupId: 'g', memberId, groupInstanceId: null, protocolType: 'consumer', protocolName: 'p' };
  const assignments = [{ memberId, assignment: Buffer.from('all') }];
  await bench.client.call('SyncGroup', { ...sync, generationId: joined.generationId, assignments }, nodeId);
  bench.cluster.stopBroker(nodeId);
  const next = await find();
  expect(next).not.toBe(nodeId);
  const heartbeat = { groupId: 'g', memberId, groupInstanceId: null, generationId: joined.generationId };
  expect(await bench.client.call('Heartbeat', heartbeat, next)).toMatchObject({ errorCode: 0 });
  expect(await bench.client.call('JoinGroup', joining({ memberId }), next)).toMatchObject({ errorCode: 14 });
  await bench.clock.advance(500);
  expect(await bench.client.call('Heartbeat', heartbeat, next)).toMatchObject({ errorCode: 0 });
  await bench.clock.advance(SESSION_MS);
  expect(bench.cluster.inspect.group('g')!.members).toEqual([]);
});

it('a generation that nobody has synced is unknown to the next coordinator, and the one before it is in force', async () => {
  bench = newBench({ brokers: 2 });
  bench.cluster.topics.create('t');
  const { clock, cluster, client } = bench;
  const find = async (): Promise<number> =>
    (await client.call('FindCoordinator', { keyType: 'group', key: 'g' }, 'bootstrap')).nodeId;
  const nodeId = await find();
  const ask = (request: JoinGroupRequest): Promise<JoinGroupAnswer> =>
    new RawClient(cluster, clock, 'raw').send('JoinGroup', request, nodeId);
  const { memberId } = await clock.run(ask(joining()));
  const { generationId } = await clock.run(ask(joining({ memberId })));
  const sync = { groupId: 'g', groupInstanceId: null, protocolType: 'consumer', protocolName: 'p' };
  await client.call('SyncGroup', { ...sync, memberId, generationId, assignments: [] }, nodeId);
  const { memberId: late } = await clock.run(ask(joining()));
  const joins = [ask(joining({ memberId: late })), ask(joining({ memberId }))];
  const [second] = await clock.run(Promise.all(joins));
  expect(second!.generationId).toBe(generationId + 1);
  cluster.stopBroker(nodeId);
  const next = await find();
  const synced = { ...sync, memberId: late, generationId: second!.generationId, assignments: [] };
  expect(await client.call('SyncGroup', synced, next)).toMatchObject({ errorCode: UNKNOWN_MEMBER_ID });
  const heartbeat = { groupId: 'g', memberId, groupInstanceId: null, generationId };
  expect(await client.call('Heartbeat', heartbeat, next)).toMatchObject({ errorCode: 0 });
  expect(cluster.inspect.group('g')).toMatchObject({
    phase: 'Stable',
    generationId,
    members: [{ memberId }],
  });
});
