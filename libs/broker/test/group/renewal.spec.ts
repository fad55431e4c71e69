// Which generation follows one that the coordinator refused for a commit, and when none does.
import { describe, expect, it } from '@jest/globals';
import type { GroupMetadata } from '../../src/contracts/index.ts';
import { joined, refusedJoin, refusedSync, stable } from '../support/group-fixture.ts';

/** A member in generation 1 whose next JoinGroup is answered when the test says so. */
async function joining(options: Parameters<typeof stable>[0] = {}) {
  const all = await stable(options);
  let answer = (_answer: ReturnType<typeof joined>): void => undefined;
  all.rpc.next(
    'JoinGroup',
    () => new Promise<ReturnType<typeof joined>>((resolve) => (answer = resolve)) as never,
  );
  const first = all.member.metadata!;
  all.member.requestRejoin('now');
  await all.clock.settle();
  return { ...all, first, answer: (given: ReturnType<typeof joined>) => answer(given) };
}

/** What `renewed` answers, once it does. */
function asked(promise: Promise<GroupMetadata | null>): { answer: GroupMetadata | null | undefined } {
  const seen: { answer: GroupMetadata | null | undefined } = { answer: undefined };
  void promise.then((answer) => (seen.answer = answer));
  return seen;
}

describe('the generation after one that was refused', () => {
  it('is waited for while JoinGroup is under way', async () => {
    const { clock, member, first, answer } = await joining();
    const seen = asked(member.renewed(first));
    await clock.settle();
    expect(seen.answer).toBeUndefined();
    answer(joined('member-1', 2));
    await clock.settle();
    expect(seen.answer).toEqual({ ...first, generationId: 2 });
    expect(member.losses).toBe(0);
  });

  it('is there at once when the member heard of it before the refusal', async () => {
    const { clock, member, first, answer } = await joining();
    answer(joined('member-1', 2));
    await clock.settle();
    expect(await member.renewed(first)).toEqual({ ...first, generationId: 2 });
  });

  it('stays known through another round that begins with the assignment', async () => {
    const { clock, rpc, member, first, answer } = await joining();
    rpc.next('SyncGroup', refusedSync(27)).next('JoinGroup', joined('member-1', 3));
    answer(joined('member-1', 2));
    await clock.settle();
    expect(member.metadata).toMatchObject({ generationId: 3 });
    expect(await member.renewed(first)).toMatchObject({ generationId: 3 });
  });

  it('is none when the member has not asked to join: the group moved on without it', async () => {
    const { member } = await stable();
    expect(await member.renewed(member.metadata!)).toBeNull();
  });

  it.each([
    ['a generation was missed', joined('member-1', 3)],
    ['the group does not know the member', refusedJoin(25)],
    ['another process took the instance over', refusedJoin(82)],
  ])('is none when %s', async (_name, given) => {
    const { clock, member, first, answer } = await joining();
    const seen = asked(member.renewed(first));
    answer(given);
    await clock.settle();
    expect(seen.answer).toBeNull();
  });

  it('is none when the member leaves meanwhile', async () => {
    const { clock, member, first } = await joining();
    const seen = asked(member.renewed(first));
    await clock.run(member.leave('the test ends'));
    await clock.settle();
    expect(seen.answer).toBeNull();
  });

  it('is another membership’s after a loss: the losses count', async () => {
    const { clock, rpc, member } = await stable();
    rpc.next('Heartbeat', { errorCode: 22 });
    await clock.advance(3_000);
    await clock.settle();
    expect([member.losses, member.state]).toEqual([1, 'STABLE']);
  });
});
