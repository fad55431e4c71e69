// The contract of fencing: who may commit, under which id and which generation; what a pending transaction hides.
import { describe, expect, it } from '@jest/globals';
import { EpochAbortedError, TaskMigratedError } from '#libs/core';
import { batch, errorOf, offsetAt, ungrouped } from './bench.ts';
import type { Bench } from './bench.ts';
import { joinAlone, startMember } from './group-helpers.ts';

export function fencingContract(bench: () => Bench): void {
  const name = (prefix: string): string => bench().environment.uniqueName(prefix);

  describe('the same transactional id initialised a second time', () => {
    it('fences the older holder, whose open transaction is aborted', async () => {
      const topic = await bench().topic();
      const transactionalId = name('id');
      const older = await bench().writer({ transactionalId });
      older.append(topic, 0, batch('older'));
      await older.flush();
      const newer = await bench().writer({ transactionalId });
      const error = await errorOf(older.commit([], null));
      expect(error).toBeInstanceOf(TaskMigratedError);
      expect(error).toMatchObject({ code: 'MILLRACE_PRODUCER_FENCED' });
      expect(older.state).toBe('FENCED');
      await bench().committed(newer, topic, 'newer');
      expect(await bench().read(topic)).toEqual(['newer']);
    });

    it('never fences the newer holder by anything the older one does', async () => {
      const topic = await bench().topic();
      const transactionalId = name('id');
      const older = await bench().writer({ transactionalId });
      const newer = await bench().writer({ transactionalId });
      older.append(topic, 0, batch('older'));
      await errorOf(older.commit([], null));
      await errorOf(older.abort());
      await older.close();
      await bench().committed(newer, topic, 'newer');
      expect(await bench().read(topic)).toEqual(['newer']);
    });

    it('settles what a dead holder left open, long before its timeout, so that its offsets can be read', async () => {
      const topic = await bench().topic();
      const groupId = name('group');
      const transactionalId = name('id');
      const clientId = name('client');
      const dead = await bench().writer({
        transactionalId,
        clientId,
        transactionTimeoutMs: 60_000,
        deadlineMs: 1_500,
      });
      await dead.commit([offsetAt(topic, 1)], ungrouped(groupId));
      const cutOff = bench().fault({
        api: 'EndTxn',
        on: 'request',
        action: 'cut',
        times: Infinity,
        clientId,
      });
      dead.append(topic, 0, batch('half'));
      expect(await errorOf(dead.commit([offsetAt(topic, 2)], ungrouped(groupId)))).toBeInstanceOf(
        EpochAbortedError,
      );
      const successor = await bench().writer({ transactionalId });
      expect(await bench().committedOffset(groupId, topic)).toBe(1);
      await bench().committed(successor, topic, 'whole');
      expect(await bench().read(topic)).toEqual(['whole']);
      cutOff.remove();
    });
  });

  describe('a transaction of another', () => {
    const only = async (id: string) => (await bench().client.admin.transactions([id]))[0];

    it('is found by how its id begins while it is open, and told with what it holds', async () => {
      const { admin } = bench().client;
      const topic = await bench().topic(2);
      const groupId = name('group');
      // Both end the same to a pattern that takes the dot for any character.
      const [prefix, alike] = [`${name('a.b')}-`, `${name('axb')}-`];
      const clientId = name('client');
      const held = await bench().writer({ transactionalId: `${prefix}held`, clientId });
      const plain = await bench().writer({ transactionalId: `${prefix}plain` });
      const idle = await bench().writer({ transactionalId: `${prefix}idle` });
      const stranger = await bench().writer({ transactionalId: `${alike}open` });
      for (const writer of [plain, stranger]) {
        writer.append(topic, 1, batch('open'));
        await writer.flush();
      }
      await bench().committed(idle, topic, 'over');
      const ends = bench().fault({ api: 'EndTxn', on: 'request', action: 'hold', clientId });
      const commit = held.commit([offsetAt(topic, 1)], ungrouped(groupId));
      await ends.hit();
      const listed = await admin.openTransactionalIds(prefix);
      expect([...listed].sort()).toEqual([`${prefix}held`, `${prefix}plain`]);
      expect(await admin.openTransactionalIds(`${prefix}no`)).toEqual([]);
      expect(await only(`${prefix}plain`)).toMatchObject({
        phase: 'open',
        startedAtMs: expect.any(Number),
        partitions: [{ topic, partition: 1 }],
      });
      expect(await only(`${prefix}held`)).toMatchObject({
        phase: 'open',
        partitions: [{ topic: '__consumer_offsets', partition: expect.any(Number) }],
      });
      expect(await only(`${prefix}idle`)).toMatchObject({ phase: 'ended', startedAtMs: -1, partitions: [] });
      expect(await admin.transactions([name('absent')])).toEqual([]);
      ends.release();
      await commit;
      for (const writer of [plain, stranger]) await writer.abort();
    });

    it('is aborted under the identity it was seen with: its holder writes no more', async () => {
      const topic = await bench().topic();
      const transactionalId = name('id');
      const holder = await bench().writer({ transactionalId });
      holder.append(topic, 0, batch('open'));
      await holder.flush();
      const seen = (await only(transactionalId))!;
      expect(await bench().client.admin.abortTransaction(seen)).toBe(true);
      holder.append(topic, 0, batch('late'));
      // While markers are on their way some brokers say no more than that the transaction is lost.
      expect(await errorOf(holder.commit([], null))).toMatchObject({
        code: expect.stringMatching(/^MILLRACE_(PRODUCER_FENCED|EPOCH_ABORTED)$/),
      });
      expect(await bench().read(topic)).toEqual([]);
    });

    it('that is over is no excuse: under the identity it was seen with its holder writes no more', async () => {
      const topic = await bench().topic();
      const transactionalId = name('id');
      const holder = await bench().writer({ transactionalId });
      await bench().committed(holder, topic, 'before');
      await bench().sleep(300);
      const seen = (await only(transactionalId))!;
      expect(seen.phase).toBe('ended');
      expect(await bench().client.admin.abortTransaction(seen)).toBe(true);
      holder.append(topic, 0, batch('late'));
      expect(await errorOf(holder.commit([], null))).toMatchObject({ code: 'MILLRACE_PRODUCER_FENCED' });
      expect(await bench().read(topic)).toEqual(['before']);
    });

    it('says nothing about who began anew since: that one goes on', async () => {
      const topic = await bench().topic();
      const transactionalId = name('id');
      const before = await bench().writer({ transactionalId });
      await bench().committed(before, topic, 'before');
      await bench().sleep(300);
      const seen = (await only(transactionalId))!;
      const again = await bench().writer({ transactionalId });
      expect((await only(transactionalId))!.phase).toBe('unused');
      expect(await bench().client.admin.abortTransaction(seen)).toBe(false);
      await bench().committed(again, topic, 'again');
      expect(await bench().read(topic)).toEqual(['before', 'again']);
    });
  });

  it('a transaction open for longer than its timeout is aborted, reported as such, and writing goes on', async () => {
    const topic = await bench().topic();
    const writer = await bench().writer({ transactionTimeoutMs: 1_000, deadlineMs: 20_000 });
    writer.append(topic, 0, batch('slow'));
    await writer.flush();
    await bench().sleep(1_500 + bench().environment.timeoutSweepMs);
    expect(await errorOf(writer.commit([], null))).toBeInstanceOf(EpochAbortedError);
    await writer.initialise();
    await bench().committed(writer, topic, 'next');
    expect(await bench().read(topic)).toEqual(['next']);
  });

  describe('offsets in a pending transaction', () => {
    it('keep a stable read waiting until it ends, and are not seen before', async () => {
      const topic = await bench().topic();
      const groupId = name('group');
      const clientId = name('client');
      const writer = await bench().writer({ clientId });
      await writer.commit([offsetAt(topic, 1)], ungrouped(groupId));
      const held = bench().fault({ api: 'EndTxn', on: 'request', action: 'hold', clientId, times: Infinity });
      const commit = writer.commit([offsetAt(topic, 2)], ungrouped(groupId));
      await held.hit();
      expect(await bench().committedOffset(groupId, topic, false)).toBe(1);
      let answered = false;
      const stable = bench()
        .committedOffset(groupId, topic)
        .finally(() => {
          answered = true;
        });
      await bench().sleep(300);
      expect(answered).toBe(false);
      held.remove();
      held.release();
      await commit;
      expect(await stable).toBe(2);
    });
  });

  describe('offsets of a group with members', () => {
    it('are taken under the member and generation they were read under', async () => {
      const topic = await bench().topic();
      const groupId = name('group');
      const member = await joinAlone(bench(), groupId, topic);
      const writer = await bench().writer();
      writer.append(topic, 0, batch('a'));
      await writer.commit([offsetAt(topic, 1)], member.group());
      expect(await bench().committedOffset(groupId, topic)).toBe(1);
      await member.leave();
    });

    it.each([
      ['an old generation', { generationId: 0 }],
      ['a member the group does not know', { memberId: 'nobody' }],
    ])(
      'are refused under %s: nothing of the transaction is kept, and the writer can go on',
      async (_name, wrong) => {
        const topic = await bench().topic();
        const groupId = name('group');
        const member = await joinAlone(bench(), groupId, topic);
        const writer = await bench().writer();
        writer.append(topic, 0, batch('refused'));
        const error = await errorOf(writer.commit([offsetAt(topic, 9)], { ...member.group(), ...wrong }));
        expect(error).toBeInstanceOf(TaskMigratedError);
        expect(error).toMatchObject({ code: 'MILLRACE_GENERATION_LOST' });
        expect(await bench().committedOffset(groupId, topic)).toBeUndefined();
        writer.append(topic, 0, batch('kept'));
        await writer.commit([offsetAt(topic, 1)], member.group());
        expect(await bench().read(topic)).toEqual(['kept']);
        await member.leave();
      },
    );

    it('are refused under the generation before a rebalance', async () => {
      const topic = await bench().topic();
      const groupId = name('group');
      const member = await joinAlone(bench(), groupId, topic);
      const before = member.group();
      await member.rejoin();
      expect(member.group().generationId).toBeGreaterThan(before.generationId);
      const writer = await bench().writer();
      expect(await errorOf(writer.commit([offsetAt(topic, 9)], before))).toMatchObject({
        code: 'MILLRACE_GENERATION_LOST',
      });
      await member.leave();
    });

    it('are taken under the old generation while the group prepares its next, and under the next from the answer on', async () => {
      const topic = await bench().topic();
      const [groupId, clientId] = [name('group'), name('client')];
      const member = await joinAlone(bench(), groupId, topic, { clientId });
      const old = member.group();
      const writer = await bench().writer();
      // The group prepares: the second has joined, the first has not.
      const joins = bench().fault({ api: 'JoinGroup', on: 'request', action: 'hold', clientId });
      const syncs = bench().fault({ api: 'SyncGroup', on: 'request', action: 'hold', clientId });
      const other = startMember(bench(), groupId, topic);
      await joins.hit();
      await writer.commit([offsetAt(topic, 1)], old);
      // It completes: all have joined, and the first, who leads, has assigned nothing yet.
      joins.release();
      await syncs.hit();
      const next = member.member.metadata!;
      expect(next.generationId).toBe(old.generationId + 1);
      await writer.commit([offsetAt(topic, 2)], next);
      expect(await errorOf(writer.commit([offsetAt(topic, 9)], old))).toMatchObject({
        code: 'MILLRACE_GENERATION_LOST',
      });
      expect(await bench().committedOffset(groupId, topic)).toBe(2);
      joins.remove();
      syncs.remove();
      syncs.release();
      await bench().until(() => other.assignments() > 0, 'the second is assigned');
      await member.leave();
      await other.leave();
    });

    it('are offered again under the next generation when the group moves on while they are on their way', async () => {
      const topic = await bench().topic();
      const [groupId, clientId, writerId] = [name('group'), name('client'), name('client')];
      const member = await joinAlone(bench(), groupId, topic, { clientId });
      const old = member.group();
      const writer = await bench().writer({ clientId: writerId });
      const onTheWay = bench().fault({
        api: 'TxnOffsetCommit',
        on: 'request',
        action: 'hold',
        clientId: writerId,
      });
      writer.append(topic, 0, batch('kept'));
      const commit = writer.commit([offsetAt(topic, 1)], old, (refused) => member.member.renewed(refused));
      await onTheWay.hit();
      // The answer that names the next generation arrives after the refusal.
      const answer = bench().fault({ api: 'JoinGroup', on: 'answer', action: 'hold', clientId });
      const other = startMember(bench(), groupId, topic);
      await answer.hit();
      onTheWay.remove();
      onTheWay.release();
      await bench().sleep(200);
      expect(member.member.metadata).toMatchObject({ generationId: old.generationId });
      answer.remove();
      answer.release();
      await commit;
      expect(await bench().committedOffset(groupId, topic)).toBe(1);
      expect(await bench().read(topic)).toEqual(['kept']);
      expect(member.lost()).toEqual([]);
      await member.leave();
      await other.leave();
    });

    it('are refused for an instance that another process took over', async () => {
      const topic = await bench().topic();
      const groupId = name('group');
      const first = await joinAlone(bench(), groupId, topic, { groupInstanceId: 'same' });
      const old = first.group();
      const second = await joinAlone(bench(), groupId, topic, { groupInstanceId: 'same' });
      const writer = await bench().writer();
      expect(await errorOf(writer.commit([offsetAt(topic, 9)], old))).toMatchObject({
        code: 'MILLRACE_GENERATION_LOST',
      });
      await bench().until(() => first.failed() !== undefined, 'the first process is told');
      expect(first.failed()).toMatchObject({ code: 'MILLRACE_INSTANCE_FENCED' });
      await second.leave(true);
    });
  });
}
