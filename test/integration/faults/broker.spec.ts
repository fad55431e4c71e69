// Specifies what an application does when its broker is killed, forgets it, or ends its transactions: it goes on. On a broker of its own,
// which is killed, and has small limits on all that it remembers.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { brokerAvailability, startLocalBroker } from '#libs/broker-local';
import type { LocalBroker } from '#libs/broker-local';
import { sleep, systemClock } from '#libs/core';
import { freshRunsBehindProxy } from '../../support/fault-run.ts';
import type { FaultRun } from '../../support/fault-run.ts';
import type { FaultProxy } from '../../support/proxy.ts';

const available = await brokerAvailability({ roads: ['local'] });
const describeHere = available.road === undefined ? describe.skip : describe;

/** Of all that the broker remembers of producers and transactional ids. */
const EXPIRY_MS = 1_000;

describeHere(
  `an application whose broker fails it${available.road === undefined ? ` (skipped: ${available.reasons.join(' ')})` : ''}`,
  () => {
    let broker: LocalBroker;
    let proxy: FaultProxy;
    let run: FaultRun;

    beforeAll(async () => {
      broker = await startLocalBroker({
        roads: ['local'],
        properties: {
          'producer.id.expiration.ms': EXPIRY_MS,
          'producer.id.expiration.check.interval.ms': 500,
          'transactional.id.expiration.ms': EXPIRY_MS,
          'transaction.remove.expired.transaction.cleanup.interval.ms': 500,
          'transaction.abort.timed.out.transaction.cleanup.interval.ms': 300,
        },
      });
    }, 60_000);
    freshRunsBehindProxy(
      () => broker,
      (...given) => {
        [run, proxy] = given;
      },
    );
    afterAll(() => broker.stop());

    it('goes on when the broker was killed and started again on its data', async () => {
      const application = await run.start({ requestTimeoutMs: 2_000 });
      await run.more(1_000);
      await run.committed(application);
      // Killed with records on their way: an epoch is open, and with luck one in commit.
      await run.more(500);
      await broker.restart({ stop: 'crash', downMs: 500 });
      await run.more(500);
      await run.committed(application);
      await application.close();
      await run.check();
    });

    it('begins anew when its transaction was open for longer than its timeout', async () => {
      const application = await run.start({
        brokers: [proxy.address],
        transactionTimeoutMs: 1_000,
        requestTimeoutMs: 10_000,
      });
      await run.more(500);
      await run.committed(application);
      const held = proxy.fault({ api: 'EndTxn', on: 'request', action: 'hold' });
      while (held.hits === 0) await run.more(100);
      const written = await run.end(run.output);
      // The coordinator's abort shows as markers, behind what the transaction has written.
      while ((await run.end(run.output, 'read_committed')) <= written) await sleep(systemClock, 50);
      held.release();
      await run.more(500);
      await run.committed(application);
      await application.close();
      await run.check();
    });

    it('goes on after it was idle for longer than the broker remembers producers and transactional ids', async () => {
      const application = await run.start({ brokers: [proxy.address] });
      await run.more(500);
      await run.committed(application);
      const before = proxy.seen('InitProducerId');
      await sleep(systemClock, 3 * EXPIRY_MS);
      await run.more(500);
      await run.committed(application);
      // It was forgotten indeed, and had to take a new identity.
      expect(proxy.seen('InitProducerId')).toBeGreaterThan(before);
      await application.close();
      await run.check();
    });
  },
);
