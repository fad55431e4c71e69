// Specifies the orders-payments lesson as its users run it: built, its service killed half-way, its dead letters put back. What it claims of
// itself is looked at with another client.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { consumeWithJavaConsole } from '#libs/broker-local';
import type { LocalBrokerOptions } from '#libs/broker-local';
import { recompute } from '../../apps/orders-payments/src/check/recompute.ts';
import type { Account, Settlement, ShipmentRelease } from '../../apps/orders-payments/src/data/records.ts';
import { generateDays } from '../../apps/orders-payments/src/generator/days.ts';
import { describeWithBroker } from '../support/broker.ts';
import { startNode } from '../support/child-process.ts';
import type { RunningProcess } from '../support/child-process.ts';

const ROOT = join(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'dist/apps/orders-payments/src/main.js');
/** Of the lesson's mended service. */
const RATES = { EUR: 1, USD: 0.92, GBP: 1.17, SEK: 0.09 };
/** The names of the lesson's topics are fixed: this broker is not the one that all specs share. */
const OWN_BROKER: LocalBrokerOptions = { properties: { 'log.cleaner.enable': false } };

let lesson: RunningProcess | undefined;

beforeAll(() => {
  // Decorators cannot be run as they are: the service is the built one.
  const build = spawnSync(process.execPath, [join(ROOT, 'scripts/build.mjs')], { encoding: 'utf8' });
  if (build.status !== 0) throw new Error(build.stdout + build.stderr);
}, 180_000);

afterAll(() => void lesson?.child.kill('SIGKILL'));

describeWithBroker(
  'the orders-payments lesson',
  (broker) => {
    it('balances to the cent after a kill and a redrive, each order settled once', async () => {
      const environment = { KAFKA_BROKERS: broker().bootstrapServers.join(',') };
      lesson = startNode([MAIN, '--rate', '1500', '--seed', '7'], environment);
      expect({ code: await lesson.ended(), output: lesson.output() }).toEqual({
        code: 0,
        output: expect.stringContaining('Ordered = paid + unpaid + refused'),
      });
      const output = lesson.output();
      const settledBefore = /is dead \(SIGKILL\): ([\d,]+) orders were settled/.exec(output)?.[1];
      expect(Number(settledBefore?.replaceAll(',', ''))).toBeGreaterThan(0);
      expect(output).toMatch(/put back +[1-9]\d* redriven/);
      expect(output).toMatch(/once more +0 redriven/);
      expect(output).toMatch(/discarded +[1-9]\d* that nobody can read/);

      const expected = recompute(generateDays({ seed: 7 }), { rates: RATES, until: Infinity, isOver: true });
      // One more than there should be is waited for, and does not come.
      const settlements = await read<Settlement>('settlements', expected.settlements.size + 1);
      expect(settlements).toHaveLength(expected.settlements.size);
      expect(new Map(settlements.map(({ value }) => [value.order, value]))).toEqual(expected.settlements);
      expect(newest(await read<Account>('accounts', Infinity))).toEqual(expected.accounts);
      expect(newest(await read<ShipmentRelease>('shipment-releases', Infinity))).toEqual(expected.releases);
    }, 240_000);

    /** With Kafka's own consumer: committed records only. */
    async function read<T>(topic: string, max: number): Promise<{ key: string; value: T }[]> {
      const maxMessages = Math.min(max, 1_000_000);
      const records = await consumeWithJavaConsole(broker(), topic, { maxMessages, timeoutMs: 5_000 });
      return records.map(({ key, value }) => ({ key: key!, value: JSON.parse(value!) as T }));
    }
  },
  OWN_BROKER,
);

function newest<T>(records: readonly { readonly key: string; readonly value: T }[]): Map<string, T> {
  return new Map(records.map(({ key, value }) => [key, value]));
}
