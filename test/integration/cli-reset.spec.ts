// Specifies `millrace reset` on a real broker: refused while members live, exact from scratch afterwards, to a time, and run again after a kill in the middle.
// What each step leaves is specified in libs/millrace/test/reset.spec.ts on the simulated cluster.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { createBrokerClient } from '#libs/broker';
import { silentLogger, systemClock } from '#libs/core';
import { createKafkaRpc } from '#libs/kafka';
import type { ResetPlan, ResetReport } from '#libs/millrace';
import { describeWithBroker } from '../support/broker.ts';
import { startNode } from '../support/child-process.ts';
import { CliFixture, eventually } from './cli-fixture.ts';

const WORDS = ['ant', 'bee', 'ant', 'cat', 'bee', 'ant'] as const;
const MINUTE = 60_000;
/** Brokers delete what is old by their own clock. */
const BASE = Math.floor(Date.now() / MINUTE - 180) * MINUTE;
const MAIN = join(import.meta.dirname, '../../libs/cli/src/main.ts');

describeWithBroker('millrace reset', (broker) => {
  let words: CliFixture;

  beforeEach(async () => {
    words = await CliFixture.on(broker());
    await words.publish(WORDS.map((word, at) => [word, BASE + at * MINUTE]));
  });
  afterEach(() => words.close());

  const reset = (...args: string[]) =>
    words.command('reset', words.applicationId, '--state-dir', words.stateDir, ...args);

  it.each(['classic', 'streams'] as const)(
    'is refused while a member of a %s group lives',
    async (groupProtocol) => {
      const application = await words.start({ groupProtocol });
      await eventually(async () => (await words.totals())['ant'] === 3);
      const dry = await reset();
      expect(dry.exitCode).toBe(0);
      expect(dry.stdout).toContain('Members, which have to go first:');
      const refused = await reset('--execute');
      expect(refused.exitCode).toBe(1);
      expect(refused.stderr).toContain('MILLRACE_STATE_LOCKED');
      const elsewhere = await words.command(
        ...['reset', words.applicationId, '--state-dir', await words.folder(), '--execute'],
      );
      expect(elsewhere).toMatchObject({
        exitCode: 1,
        stderr: expect.stringContaining('MILLRACE_RESET_MEMBERS_LIVE'),
      });
      // Who lives joins again: it stops at the mark, or the reset does, which is then run again.
      const before = await words.written();
      await words.command(
        ...['reset', words.applicationId, '--state-dir', await words.folder(), '--execute', '--force'],
      );
      await application.stop();
      expect((await reset('--execute')).exitCode).toBe(0);
      await words.run();
      expect(await words.totals(before)).toEqual({ ant: 3, bee: 2, cat: 1 });
    },
  );

  it('changes nothing without --execute, and everything together with it', async () => {
    await words.run();
    const before = await words.written();
    const dry = await reset();
    expect(dry.stdout).toContain(`${words.applicationId}-counts-changelog`);
    expect(dry.stdout).toContain('Nothing was changed.');
    const { plan, executed } = await words.json<{ plan: ResetPlan; executed: boolean }>(
      ...['reset', words.applicationId, '--state-dir', words.stateDir],
    );
    expect([executed, plan.offsets.map(({ from }) => from)]).toEqual([false, [3, 3]]);
    await words.run();
    expect(await words.written()).toBe(before);

    const done = await reset('--execute');
    expect(done).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Done: 2 offsets set') });
    const folder = join(words.stateDir, words.applicationId, 'instance-0', words.applicationId);
    expect(await readdir(folder).catch(() => [])).toEqual([]);
    await words.run();
    expect(await words.totals(before)).toEqual({ ant: 3, bee: 2, cat: 1 });
  });

  it('begins at a time, or so long ago', async () => {
    await words.run();
    let before = await words.written();
    await reset('--execute', '--to-datetime', new Date(BASE + 3 * MINUTE).toISOString());
    await words.run();
    // cat, bee, ant lie at that time or later.
    expect(await words.totals(before)).toEqual({ cat: 1, bee: 1, ant: 1 });

    before = await words.written();
    const { plan } = await words.json<{ plan: ResetPlan }>(
      ...['reset', words.applicationId, '--state-dir', words.stateDir, '--by-duration', 'PT1H'],
    );
    // Of times long ago there is nothing within the last hour.
    expect(plan.offsets.map(({ to }) => to)).toEqual([3, 3]);
    const age = `${Math.round((Date.now() - BASE - 4.5 * MINUTE) / 1_000)} s`;
    await reset('--execute', '--by-duration', age);
    await words.run();
    expect(await words.totals(before)).toEqual({ ant: 1 });
  });

  it('is run again after it was killed in the middle, and until then the application does not start', async () => {
    await words.run();
    const before = await words.written();
    const args = ['reset', words.applicationId, '--state-dir', words.stateDir, '-b', words.brokers.join(',')];
    const killed = startNode([
      ...[
        '--conditions=millrace-source',
        '--disable-warning=ExperimentalWarning',
        MAIN,
        ...args,
        '--execute',
      ],
    ]);
    await killed.until(/Deleting \d+ internal topics/);
    await killed.end('SIGKILL');
    // By chance it may have come to its end.
    const { plan } = await words.json<{ plan: ResetPlan }>(...args.slice(0, 4));
    if (plan.unfinished)
      await expect(words.run()).rejects.toMatchObject({ code: 'MILLRACE_RESET_UNFINISHED' });
    expect(await words.written()).toBe(before);
    expect((await reset('--execute')).exitCode).toBe(0);
    await words.run();
    expect(await words.totals(before)).toEqual({ ant: 3, bee: 2, cat: 1 });
  });

  it('ends the transaction of a dead member, so that its offsets are never committed', async () => {
    await words.run();
    const before = await words.written();
    const rpc = createKafkaRpc({ brokers: words.brokers }, { clock: systemClock, logger: silentLogger });
    const dead = createBrokerClient({ rpc });
    try {
      const transactionalId = `${words.applicationId}-dead-0`;
      const { transactionVersion } = await rpc.features();
      const coordinator = async (keyType: 'group' | 'transaction', key: string) => {
        for (;;) {
          const found = await rpc.call('bootstrap', 'FindCoordinator', { keyType, key });
          if (found.errorCode !== 0) continue;
          rpc.learnNodes([found]);
          return found.nodeId;
        }
      };
      const node = await coordinator('transaction', transactionalId);
      const init = { transactionalId, transactionTimeoutMs: 60_000, producerId: -1n, producerEpoch: -1 };
      let identity = await rpc.call(node, 'InitProducerId', init);
      while (identity.errorCode !== 0) identity = await rpc.call(node, 'InitProducerId', init);
      const { producerId, producerEpoch } = identity;
      const own = { transactionalId, producerId, producerEpoch };
      if (transactionVersion < 2)
        await rpc.call(node, 'AddOffsetsToTxn', { ...own, groupId: words.applicationId });
      const answer = await rpc.call(await coordinator('group', words.applicationId), 'TxnOffsetCommit', {
        ...{ ...own, groupId: words.applicationId, generationId: -1, memberId: '', groupInstanceId: null },
        topics: [
          {
            name: words.lines,
            partitions: [
              { partition: 0, committedOffset: 2, committedLeaderEpoch: -1, committedMetadata: '' },
            ],
          },
        ],
        transactionVersion2: transactionVersion >= 2,
      });
      expect(answer.topics[0]!.partitions[0]!.errorCode).toBe(0);

      const report = await words.json<ResetReport>(
        ...['reset', words.applicationId, '--state-dir', words.stateDir, '--execute'],
      );
      expect(report.endedTransactions).toEqual([transactionalId]);
      const ended = await rpc.call(node, 'EndTxn', {
        ...{ ...own, committed: true, transactionVersion2: transactionVersion >= 2 },
      });
      expect(ended.errorCode).not.toBe(0);
      await words.run();
      expect(await words.totals(before)).toEqual({ ant: 3, bee: 2, cat: 1 });
    } finally {
      await dead.close();
    }
  });
});
