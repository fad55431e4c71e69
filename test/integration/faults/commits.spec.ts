// Specifies that commits and hand-overs survive what the network and the group do to them in between.
import { expect, it } from '@jest/globals';
import { sleep, systemClock } from '#libs/core';
import { describeWithBroker } from '../../support/broker.ts';
import { freshRunsBehindProxy } from '../../support/fault-run.ts';
import type { FaultRun } from '../../support/fault-run.ts';
import type { ApiName, FaultProxy } from '../../support/proxy.ts';
import type { SumsApplication } from '../../support/sums-application.ts';
import { PARTITIONS, publishPadding } from '../../support/sums-input.ts';

/** The clients of applications are named after their instances. */
const ofClient =
  (name: string) =>
  ({ clientId }: { readonly clientId: string | null }): boolean =>
    clientId === name;

describeWithBroker('a worker', (broker) => {
  let proxy: FaultProxy;
  let run: FaultRun;
  freshRunsBehindProxy(broker, (...given) => {
    [run, proxy] = given;
  });

  it.each<[ApiName, 'request' | 'answer']>([
    ['Produce', 'request'],
    ['Produce', 'answer'],
    ['TxnOffsetCommit', 'request'],
    ['TxnOffsetCommit', 'answer'],
    ['EndTxn', 'request'],
    ['EndTxn', 'answer'],
  ])('whose %s has its %s delayed past the next transaction loses and doubles nothing', async (api, on) => {
    const application = await run.start({ brokers: [proxy.address], requestTimeoutMs: 1_000 });
    await run.more(500);
    await run.committed(application);
    // The client gives up waiting, drops the connection and asks again on another; what is held arrives much later.
    const held = proxy.fault({ api, on, action: 'hold' });
    while (held.hits === 0) await run.more(100);
    for (let transaction = 0; transaction < 3; transaction++) {
      await run.more(100);
      await run.committed(application);
    }
    held.release();
    for (let transaction = 0; transaction < 3; transaction++) {
      await run.more(100);
      await run.committed(application);
    }
    await application.close();
    await run.check();
  });

  it('whose group rebalances in the middle of its epoch, with a commit under way, loses and doubles nothing', async () => {
    const first = await run.start({ brokers: [proxy.address], instanceId: 'first' });
    await run.more(2_000);
    await run.committed(first);
    const held = proxy.fault({ api: 'EndTxn', on: 'request', action: 'hold', when: ofClient('first') });
    while (held.hits === 0) await run.more(100);
    const joins = proxy.seen('JoinGroup');
    const second = await run.start({ brokers: [proxy.address], instanceId: 'second' });
    await run.more(500);
    while (proxy.seen('JoinGroup') === joins) await sleep(systemClock, 20);
    // A heartbeat of the first later, it has heard of the rebalance.
    await sleep(systemClock, 600);
    held.release();
    await bothRunning(first, second);
    await run.more(500);
    await run.committed(first);
    await second.close();
    await first.close();
    await run.check();
  });

  it('whose answer to JoinGroup vanishes asks for it again, and a stop does not wait for it', async () => {
    // As many minutes as Kafka's own clients have it: whoever waits for that is not done in time.
    const patient = { rebalanceTimeoutMs: 300_000, requestTimeoutMs: 30_000, sessionTimeoutMs: 45_000 };
    const first = await run.start({ brokers: [proxy.address], instanceId: 'first', ...patient });
    await run.more(500);
    await run.committed(first);
    const lost = (): ReturnType<FaultProxy['fault']> =>
      proxy.fault({ api: 'JoinGroup', on: 'answer', action: 'drop', when: ofClient('first') });
    const vanished = lost();
    const second = await run.start({ brokers: [proxy.address], instanceId: 'second', ...patient });
    await run.more(500);
    await vanished.hit();
    await bothRunning(first, second);
    await run.more(500);
    await run.committed(first);
    const again = lost();
    const left = second.close();
    await again.hit();
    await run.more(100);
    await first.close();
    await left;
    const third = await run.start({ instanceId: 'third' });
    await run.committed(third);
    await third.close();
    await run.check();
  });

  it('that takes tasks over while their offsets are pending reads them once that transaction has ended', async () => {
    const first = await run.start({ brokers: [proxy.address], instanceId: 'first' });
    await run.more(2_000);
    await run.committed(first);
    // The offsets are written, their transaction does not end.
    const held = proxy.fault({
      ...{ api: 'EndTxn', on: 'request', action: 'hold', times: Infinity },
      when: ofClient('first'),
    });
    while (held.hits === 0) await run.more(100);
    const heartbeats = proxy.fault({
      ...{ api: ['Heartbeat', 'JoinGroup'], on: 'request', action: 'drop', times: Infinity },
      when: ofClient('first'),
    });
    // The group puts it out, though it is alive.
    const reads = proxy.seen('OffsetFetch');
    const second = await run.start({ brokers: [proxy.address], instanceId: 'second' });
    while (proxy.seen('OffsetFetch') === reads) await sleep(systemClock, 20);
    heartbeats.remove();
    held.release();
    await run.more(500);
    await run.committed(second);
    await first.close();
    await run.more(500);
    await run.committed(second);
    await second.close();
    await run.check();
  });

  it('whose group rebalances while it restores goes on restoring what it keeps', async () => {
    await run.more(1_000);
    const filling = await run.start();
    await run.committed(filling);
    await filling.close();
    const padding = await publishPadding(broker(), run.changelog);
    const total = padding + (await run.end(run.changelog));

    const held = proxy.fault({
      ...{ api: 'Fetch', on: 'answer', action: 'hold', skip: 2, times: Infinity },
      when: ofClient('first'),
    });
    const first = await run.start({
      brokers: [proxy.address],
      instanceId: 'first',
      stateDir: run.stateDir(),
    });
    await held.hit();
    const second = await run.start({ instanceId: 'second', stateDir: run.stateDir() });
    const running = (application: SumsApplication): number =>
      application.runtime.figures?.runningTasks.length ?? 0;
    while (running(second) === 0) await sleep(systemClock, 20);
    held.release();
    await run.more(500);
    await run.committed(first);
    await bothRunning(first, second);
    const restored = [first, second].map(({ runtime }) => runtime.figures!.restoredRecords);
    // What the first kept it read once; what it gave up the second read again.
    expect(Math.max(...restored)).toBeGreaterThan(0);
    expect(restored[0]).toBeLessThanOrEqual(total);
    await second.close();
    await first.close();
    await run.check();
  });

  it.each(['refuse', 'silence'] as const)(
    'that is cut off from the brokers (%s) goes on once the network is healed',
    async (mode) => {
      const application = await run.start({
        brokers: [proxy.address],
        requestTimeoutMs: 1_000,
        sessionTimeoutMs: 2_000,
      });
      await run.more(1_000);
      await run.committed(application);
      await run.more(500);
      proxy.sever(mode);
      // Longer than the session: the group puts it out, and it has to come back as a new member.
      await sleep(systemClock, 3_500);
      await run.more(500);
      proxy.heal();
      await run.committed(application);
      await application.close();
      await run.check();
    },
  );

  async function bothRunning(first: SumsApplication, second: SumsApplication): Promise<void> {
    const tasks = (): number =>
      [first, second].reduce((sum, { runtime }) => sum + (runtime.figures?.runningTasks.length ?? 0), 0);
    const states = (): boolean =>
      [first, second].every(({ runtime }) => runtime.lifecycle.state === 'RUNNING');
    while (tasks() !== PARTITIONS || !states()) {
      const failed = first.runtime.error ?? second.runtime.error;
      if (failed !== null) throw failed;
      await sleep(systemClock, 20);
    }
  }
});
