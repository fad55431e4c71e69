// Under which generation an epoch may be committed, and when it may not be at all.
import { describe, expect, it } from '@jest/globals';
import type { GroupMetadata } from '#libs/broker';
import { EpochAbortedError, TaskMigratedError } from '#libs/core';
import { Ownership } from '../src/ownership.ts';

const inGeneration = (generationId: number): GroupMetadata => ({
  groupId: 'app',
  generationId,
  memberId: 'm',
  groupInstanceId: null,
});

/** A member of generation 1. */
class Member {
  losses = 0;
  metadata: GroupMetadata | null = inGeneration(1);
  next: GroupMetadata | null = inGeneration(2);
  whileAsked = (): void => undefined;

  async renewed(): Promise<GroupMetadata | null> {
    await Promise.resolve();
    this.whileAsked();
    return this.next;
  }

  lose(): void {
    this.losses++;
    this.metadata = null;
  }
}

describe('an ownership', () => {
  it('gives the newest generation, whichever it began in', () => {
    const member = new Member();
    const ownership = new Ownership(member);
    expect(ownership.generation().generationId).toBe(1);
    member.metadata = inGeneration(2);
    expect(ownership.generation().generationId).toBe(2);
  });

  it('renews a generation that was refused', async () => {
    expect(await new Ownership(new Member()).renewed(inGeneration(1))).toEqual(inGeneration(2));
  });

  it('is over with a loss: it gives no generation, not even one that the member has joined since', async () => {
    const member = new Member();
    const ownership = new Ownership(member);
    member.lose();
    expect(() => ownership.generation()).toThrow(TaskMigratedError);
    member.metadata = inGeneration(7);
    expect(() => ownership.generation()).toThrow(TaskMigratedError);
    expect(await ownership.renewed(inGeneration(1))).toBeNull();
    expect(new Ownership(member).generation().generationId).toBe(7);
  });

  it('is over when what was opened under it is abandoned', async () => {
    const ownership = new Ownership(new Member());
    ownership.end();
    expect(() => ownership.generation()).toThrow(EpochAbortedError);
    expect(await ownership.renewed(inGeneration(1))).toBeNull();
  });

  it.each([
    ['loss', (_ownership: Ownership, member: Member) => member.lose()],
    ['end', (ownership: Ownership) => ownership.end()],
  ])('renews nothing when its %s comes while the next generation is waited for', async (_name, happens) => {
    const member = new Member();
    const ownership = new Ownership(member);
    member.whileAsked = () => happens(ownership, member);
    expect(await ownership.renewed(inGeneration(1))).toBeNull();
  });

  it('gives no generation while the member is in none', () => {
    const member = new Member();
    member.metadata = null;
    expect(() => new Ownership(member).generation()).toThrow(TaskMigratedError);
  });
});
