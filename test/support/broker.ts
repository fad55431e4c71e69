// Owns how a spec gets a real broker: one per Jest worker and kind, shared by the spec files that this worker runs and started
// when the first test needs it. Specs therefore keep to topics, groups and ids of their own (`uniqueName`) and never kill the shared
// broker; a spec about faults starts its own with `startLocalBroker`.
//
//   MILLRACE_TEST_KAFKA_VERSION          release the shared broker runs on, such as 3.9.2
//   MILLRACE_TEST_TRANSACTION_VERSION    0, 1 or 2: its level of transaction.version
import { randomBytes } from 'node:crypto';

import { afterAll, beforeAll, describe, it } from '@jest/globals';

import { brokerAvailability, startLocalBroker } from '#libs/broker-local';
import type { LocalBroker, LocalBrokerOptions } from '#libs/broker-local';

/** A broker as specs see it: without the means to end it. */
export type SharedBroker = Omit<LocalBroker, 'stop' | 'kill' | 'restart'>;

/** What the environment asks of the shared broker. */
export function testBrokerOptions(): LocalBrokerOptions {
  const version = process.env['MILLRACE_TEST_KAFKA_VERSION'];
  const level = process.env['MILLRACE_TEST_TRANSACTION_VERSION'];
  return {
    ...(version === undefined || version === '' ? {} : { version }),
    ...(level === undefined || level === '' ? {} : { transactionVersion: Number(level) as 0 | 1 | 2 }),
  };
}

/**
 * The same, but never a broker from KAFKA_BROKERS: for suites that need its proxy listener. Where KAFKA_BROKERS is not
 * set, this is the broker all others share.
 */
export function ownTestBrokerOptions(): LocalBrokerOptions {
  const given = process.env['KAFKA_BROKERS'] ?? '';
  return given === '' ? testBrokerOptions() : { ...testBrokerOptions(), roads: ['docker', 'local'] };
}

/**
 * A `describe` whose tests have a broker: `broker()` inside tests and hooks. Skipped, with the reason in its name,
 * where this machine can have none. `options` asks for a kind of broker other than the plain one.
 */
export function describeWithBroker(
  name: string,
  body: (broker: () => SharedBroker) => void,
  options: LocalBrokerOptions = testBrokerOptions(),
): void {
  const reason = whyNone.get(roadsOf(options));
  if (reason !== undefined) {
    describe.skip(`${name} (skipped: ${reason})`, () => {
      body(() => {
        throw new Error('skipped');
      });
      it('has at least one test', () => undefined);
    });
    return;
  }
  describe(name, () => {
    let broker: SharedBroker | undefined;
    let own: LocalBroker | undefined;
    beforeAll(async () => {
      const keeper = process.env['MILLRACE_TEST_BROKER_KEEPER'];
      if (keeper === undefined) {
        // Jest was started without our global setup: a broker for this suite alone.
        own = await startLocalBroker(options);
        broker = own;
      } else {
        broker = await askKeeper(keeper, options);
      }
    }, START_TIMEOUT_MS);
    afterAll(() => own?.stop());
    body(() => {
      if (broker === undefined)
        throw new Error('broker() is for tests and hooks, not for the body of describe');
      return broker;
    });
  });
}

/** A name no other test uses, such as `orders-1f9c2a7be0`. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(5).toString('hex')}`;
}

// The first time, Maven fetches Kafka.
const START_TIMEOUT_MS = 300_000;

type Roads = 'any' | 'ours' | 'local';

// Jest decides about skipping before any hook runs, so the roads are looked at while this module loads.
const whyNone = new Map<Roads, string | undefined>();
for (const [roads, options] of [
  ['any', {}],
  ['ours', { roads: ['docker', 'local'] }],
  ['local', { roads: ['local'] }],
] as const) {
  const found = await brokerAvailability(options);
  whyNone.set(roads, found.road === undefined ? `no broker: ${found.reasons.join(' ')}` : undefined);
}

/** Which roads lead to a broker with these options, as libs/broker-local sees it. */
function roadsOf({ roads, version, ...special }: LocalBrokerOptions): Roads {
  if (Object.keys(special).length > 0) return 'local';
  if (roads !== undefined) return roads.includes('env') ? 'any' : roads.includes('docker') ? 'ours' : 'local';
  return version === undefined ? 'any' : 'ours';
}

async function askKeeper(keeper: string, kind: LocalBrokerOptions): Promise<SharedBroker> {
  const worker = process.env['JEST_WORKER_ID'] ?? '1';
  const response = await fetch(`${keeper}/${worker}`, { method: 'POST', body: JSON.stringify(kind) });
  const body = await response.text();
  if (!response.ok) throw new Error(body);
  return JSON.parse(body) as SharedBroker;
}
