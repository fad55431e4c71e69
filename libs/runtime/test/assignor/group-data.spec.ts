import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { TaskIdText } from '#libs/core';
import {
  decodeAssignmentData,
  decodeMemberData,
  encodeAssignmentData,
  encodeMemberData,
} from '../../src/assignor/group-data.ts';
import type { AssignmentData, MemberData } from '../../src/assignor/group-data.ts';

const byOrder = (a: TaskIdText, b: TaskIdText): number => {
  const [subA, partitionA] = a.split('_').map(Number);
  const [subB, partitionB] = b.split('_').map(Number);
  return subA! - subB! || partitionA! - partitionB!;
};
const ordered = (tasks: readonly TaskIdText[]): TaskIdText[] => [...tasks].sort(byOrder);

const task = fc
  .tuple(fc.nat(40), fc.nat(3_000))
  .map(([subTopology, partition]): TaskIdText => `${subTopology}_${partition}`);
const taskSet = fc.uniqueArray(task, { maxLength: 60 });
const ids = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 40 }), { maxLength: 5 });
const position = fc.nat(Number.MAX_SAFE_INTEGER);

const memberData: fc.Arbitrary<MemberData> = fc.record({
  transactionalId: fc.string({ minLength: 1 }),
  instanceId: fc.string({ minLength: 1 }),
  tasks: taskSet,
  expects: taskSet,
  standbys: taskSet,
  positions: fc
    .uniqueArray(fc.tuple(task, position), { selector: ([name]) => name })
    .map((list) => new Map(list)),
  rack: fc.option(fc.string({ minLength: 1 })),
  applicationServer: fc.option(fc.string({ minLength: 1 })),
  capacity: fc.integer({ min: 1, max: 64 }),
  repeats: fc.nat(9),
  shapes: fc
    .uniqueArray(fc.tuple(fc.nat(40), fc.nat(0xffff_ffff)), { selector: ([sub]) => sub })
    .map((list) => new Map(list)),
});
const assignmentData: fc.Arbitrary<AssignmentData> = fc.record({
  active: taskSet,
  standby: taskSet,
  warmup: taskSet,
  givesUp: taskSet,
  expects: taskSet,
  live: ids,
  departed: ids,
  handover: fc.boolean(),
  memberCount: fc.nat(5_000),
  seen: fc.option(fc.nat(0xffff_ffff)),
  hosts: fc.array(
    fc.record({
      host: fc.string({ minLength: 1, maxLength: 40 }),
      active: taskSet.map((tasks) => ordered(tasks)),
      standby: taskSet.map((tasks) => ordered(tasks)),
    }),
    { maxLength: 4 },
  ),
  probeInMs: fc.option(fc.nat(600_000)),
});

const MEMBER: MemberData = {
  transactionalId: 'app-one-0',
  instanceId: 'one',
  tasks: ['0_0', '0_1'],
  expects: [],
  standbys: ['1_0'],
  positions: new Map([['1_0', 12_345]]),
  rack: 'r1',
  applicationServer: null,
  capacity: 1,
  repeats: 0,
  shapes: new Map([[0, 7]]),
};
const NOTHING: AssignmentData = {
  active: [],
  standby: [],
  warmup: [],
  givesUp: [],
  expects: [],
  live: [],
  departed: [],
  handover: false,
  memberCount: 0,
  seen: null,
  hosts: [],
  probeInMs: null,
};

/** As version 1 reads and writes it. */
const v1 = {
  member: (data: object): Uint8Array => Buffer.from(JSON.stringify({ version: 1, ...data })),
  read: (bytes: Uint8Array): Record<string, unknown> =>
    JSON.parse(Buffer.from(bytes).toString('utf8')) as Record<string, unknown>,
};

describe('what members tell the group', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(memberData, (data) => {
        expect(decodeMemberData('m', encodeMemberData(data))).toEqual({
          ...data,
          expects: ordered(data.expects),
          standbys: ordered(data.standbys),
          version: 2,
          localTasks: [],
        });
      }),
    );
  });

  it('is understood by a leader of version 1: who they are and what they run', () => {
    expect(v1.read(encodeMemberData(MEMBER))).toMatchObject({
      transactionalId: 'app-one-0',
      instanceId: 'one',
      tasks: ['0_0', '0_1'],
    });
  });

  it('is understood from members of version 1', () => {
    const bytes = v1.member({
      transactionalId: 't',
      instanceId: 'i',
      tasks: ['0_0'],
      localTasks: ['0_0', '1_1'],
    });
    expect(decodeMemberData('m', bytes)).toEqual({
      version: 1,
      transactionalId: 't',
      instanceId: 'i',
      tasks: ['0_0'],
      localTasks: ['0_0', '1_1'],
      expects: [],
      standbys: [],
      positions: new Map(),
      rack: null,
      applicationServer: null,
      capacity: 1,
      repeats: 0,
      shapes: null,
    });
  });

  it('is understood from members of a version to come, but for what that adds', () => {
    const json = v1.read(encodeMemberData(MEMBER));
    const more = Buffer.concat([Buffer.from(json['more'] as string, 'base64'), Buffer.of(99, 2, 1, 1)]);
    const later = Buffer.from(
      JSON.stringify({
        ...json,
        version: 7,
        more: more.toString('base64'),
        news: { of: ['another', 'kind'] },
      }),
    );
    expect(decodeMemberData('m', later)).toEqual({ ...MEMBER, version: 7, localTasks: [] });
  });

  it('is refused by name where it is no word of ours', () => {
    for (const bytes of [
      Buffer.from('range'),
      Buffer.from('{}'),
      Buffer.from('[]'),
      Buffer.of(0, 1, 2),
      Buffer.of(),
    ]) {
      expect(() => decodeMemberData('stranger', bytes)).toThrow(/"stranger".*not a Millrace worker/);
    }
    const json = v1.read(encodeMemberData(MEMBER));
    const cut = Buffer.from(json['more'] as string, 'base64').subarray(0, -1);
    const damaged = Buffer.from(JSON.stringify({ ...json, more: cut.toString('base64') }));
    expect(() => decodeMemberData('m', damaged)).toThrow(
      /MILLRACE_PROTOCOL_ERROR.*Member "m".*does not decode/,
    );
  });
});

describe('what the leader answers', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(assignmentData, (data) => {
        const { active, standby, warmup, givesUp, expects } = data;
        expect(decodeAssignmentData(encodeAssignmentData(data, 2))).toEqual({
          ...data,
          active: ordered(active),
          standby: ordered(standby),
          warmup: ordered(warmup),
          givesUp: ordered(givesUp),
          expects: ordered(expects),
        });
      }),
    );
  });

  it('is in the words of version 1 for a member of version 1', () => {
    const data = {
      ...NOTHING,
      active: ['0_1' as const],
      live: ['a'],
      departed: ['b'],
      givesUp: ['0_2' as const],
    };
    expect(v1.read(encodeAssignmentData(data, 1))).toMatchObject({
      version: 1,
      tasks: ['0_1'],
      live: ['a'],
      departed: ['b'],
      givesUp: ['0_2'],
    });
    expect(decodeAssignmentData(encodeAssignmentData(data, 1))).toEqual({ ...data, memberCount: 1 });
  });

  it('is nothing where a leader has left the member out', () => {
    expect(decodeAssignmentData(Buffer.of())).toEqual(NOTHING);
  });

  it('is read from a leader of a version to come, but for what that adds', () => {
    const bytes = Buffer.concat([
      encodeAssignmentData({ ...NOTHING, active: ['0_1'] }, 9),
      Buffer.of(77, 1, 5),
    ]);
    bytes[1] = 9;
    expect(decodeAssignmentData(bytes)).toEqual({ ...NOTHING, active: ['0_1'] });
  });

  it('is refused by name where it is damaged, whatever the damage', () => {
    const good = encodeAssignmentData({ ...NOTHING, active: ['0_1', '0_9'], live: ['someone'] }, 2);
    expect(() => decodeAssignmentData(good.subarray(0, -1))).toThrow(
      /MILLRACE_PROTOCOL_ERROR.*does not decode/,
    );
    expect(() => decodeAssignmentData(Buffer.from('{"tasks": ['))).toThrow(/MILLRACE_PROTOCOL_ERROR/);
    expect(() => decodeAssignmentData(Buffer.from('tasks'))).toThrow(/MILLRACE_PROTOCOL_ERROR/);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (noise) => {
        try {
          decodeAssignmentData(Buffer.concat([Buffer.of(0xfd, 2), noise]));
        } catch (error) {
          expect((error as { code?: string }).code).toBe('MILLRACE_PROTOCOL_ERROR');
        }
      }),
    );
  });

  it('does not grow with the group: a few bytes for each task', () => {
    const scattered = Array.from({ length: 10 }, (_, i): TaskIdText => `${i % 3}_${i * 97}`);
    const data = {
      ...NOTHING,
      active: scattered,
      standby: scattered.map((name): TaskIdText => `1${name}` as TaskIdText),
    };
    expect(encodeAssignmentData(data, 2).length).toBeLessThan(100);
    const all = Array.from({ length: 10_000 }, (_, i): TaskIdText => `0_${i}`);
    expect(encodeAssignmentData({ ...NOTHING, active: all }, 2).length).toBeLessThan(20);
  });
});
