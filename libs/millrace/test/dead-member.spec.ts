// Specifies what an instance remembers of the member it was, and how it says farewell for it.
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { GroupView } from '#libs/broker';
import { RetriableError, silentLogger, systemClock } from '#libs/core';
import type { Logger } from '#libs/core';
import { MemberNotes, readMember, sayFarewell } from '../src/dead-member.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-member-'));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

const member = (memberId: string) => ({ groupId: 'shop', type: 'classic' as const, memberId });

describe('the note of a member', () => {
  it('is the last one, whoever wrote before', async () => {
    expect(await readMember(directory)).toBeNull();
    const notes = new MemberNotes(directory, silentLogger);
    for (const id of ['a', 'b', 'b', 'c']) notes.note(member(id));
    await notes.close();
    expect(await readMember(directory)).toEqual(member('c'));
    expect(await readdir(directory)).toEqual(['member']);
  });

  it.each(['', '{', '[]', '{"groupId":"shop","type":"other","memberId":"a"}', '{"groupId":"shop"}'])(
    'that is none (%p) is nobody',
    async (text) => {
      await writeFile(join(directory, 'member'), text);
      expect(await readMember(directory)).toBeNull();
    },
  );

  it('that cannot be written stops nothing', async () => {
    const notes = new MemberNotes(join(directory, 'gone'), silentLogger);
    notes.note(member('a'));
    await notes.close();
  });
});

describe('a farewell', () => {
  it('puts the member out of its group', async () => {
    const removed: GroupView[] = [];
    const admin = { removeMembers: async (group: GroupView) => void removed.push(group) };
    await sayFarewell({ admin, clock: systemClock, logger: silentLogger }, member('dead'));
    expect(removed).toMatchObject([
      { groupId: 'shop', type: 'classic', members: [{ memberId: 'dead', groupInstanceId: null }] },
    ]);
  });

  it('that is refused lets the session decide, and says so', async () => {
    const warnings: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (message) => void warnings.push(message) };
    const refusal = new RetriableError({ code: 'MILLRACE_BROKER_UNREACHABLE', message: 'nobody is there' });
    const admin = { removeMembers: () => Promise.reject(refusal) };
    await sayFarewell({ admin, clock: systemClock, logger }, member('dead'));
    expect(warnings).toEqual([expect.stringMatching(/until its session is over/)]);
  });
});
