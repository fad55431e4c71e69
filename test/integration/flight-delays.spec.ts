// Specifies the first service as its users run it: built, as a process of its own, killed and started again.
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { consumeWithJavaConsole } from '#libs/broker-local';
import type { LocalBrokerOptions } from '#libs/broker-local';
import { differences, recompute } from '../../apps/flight-delays/src/check/recompute.ts';
import { readDataset } from '../../apps/flight-delays/src/data/dataset.ts';
import type { AirportDelays } from '../../apps/flight-delays/src/data/flight.ts';
import { load } from '../../apps/flight-delays/src/loader/load.ts';
import { textsOf } from '../support/bad-input.ts';
import { describeWithBroker } from '../support/broker.ts';
import { startNode } from '../support/child-process.ts';
import type { RunningProcess } from '../support/child-process.ts';

const ROOT = join(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'dist/apps/flight-delays/src/main.js');

/** Compaction would take the updates that are counted here. Also, the names of the service's topics are fixed: this broker is its own. */
const WITHOUT_COMPACTION: LocalBrokerOptions = { properties: { 'log.cleaner.enable': false } };

let stateDir: string;
const processes = new Set<RunningProcess>();

beforeAll(async () => {
  // Decorators cannot be run as they are: the service is the built one.
  const build = spawnSync(process.execPath, [join(ROOT, 'scripts/build.mjs')], { encoding: 'utf8' });
  if (build.status !== 0) throw new Error(build.stdout + build.stderr);
  stateDir = await mkdtemp(join(tmpdir(), 'flight-delays-spec-'));
}, 180_000);

afterAll(async () => {
  for (const { child } of processes) child.kill('SIGKILL');
  await rm(stateDir, { recursive: true, force: true });
});

function service(environment: Readonly<Record<string, string>>, ...args: string[]): RunningProcess {
  const started = startNode([MAIN, ...args], environment);
  processes.add(started);
  return started;
}

describeWithBroker(
  'the flight-delays service',
  (broker) => {
    const environment = (): Record<string, string> => ({
      KAFKA_BROKERS: broker().bootstrapServers.join(','),
    });

    it('ends in the same totals when it is killed half-way and started again', async () => {
      const dataset = await readDataset();
      const airports = Promise.withResolvers<undefined>();
      const loading = load({
        brokers: broker().bootstrapServers,
        dataset,
        flightsPerSecond: 2_500,
        onProgress: (topic) => {
          if (topic === 'flights') airports.resolve(undefined);
        },
      });
      // The first word of flights: all airports are there.
      await Promise.race([airports.promise, loading]);

      const first = service(environment(), '--no-load', '--state-dir', stateDir);
      await first.until(/^([3-9]|1\d),\d{3} flights;/m);
      expect(await first.end('SIGKILL')).toBe('SIGKILL');

      const second = service(environment(), '--no-load', '--state-dir', stateDir);
      await loading;
      await second.until(/^20,000 flights;/m);
      expect(await second.end('SIGTERM')).toBe(0);

      const wanted = dataset.flights.length;
      // No end is written into this topic: the service is to check it by itself below. So a second look says that there are no more.
      const records = await consumeWithJavaConsole(broker(), 'airport-delays', {
        ...{ maxMessages: wanted, timeoutMs: 30_000 },
      });
      expect(await textsOf(broker(), 'airport-delays')).toHaveLength(wanted);
      const final = new Map<string, AirportDelays>();
      for (const { key, value } of records) {
        const delays = JSON.parse(value!) as AirportDelays;
        // Every flight gave one update, in order: none lost, none doubled.
        expect(delays.flights).toBe((final.get(key!)?.flights ?? 0) + 1);
        final.set(key!, delays);
      }
      expect(records).toHaveLength(wanted);
      expect(differences(recompute(dataset), final)).toEqual([]);
    }, 240_000);

    it('checks its own result with --once, and says so in its exit code', async () => {
      const once = service(environment(), '--once', '--state-dir', stateDir);
      expect(await once.ended()).toBe(0);
      expect(once.output()).toMatch(/topic airport-delays +220 airports, 20,000 flights/);
      expect(once.output()).toMatch(/recomputed from the file +220 airports, 20,000 flights/);
      expect(once.output()).toContain('They agree in every field.');
    }, 120_000);
  },
  WITHOUT_COMPACTION,
);

describe('the flight-delays service without a broker', () => {
  it('says what is missing and what to do, without a stack trace', async () => {
    const nowhere = service({
      KAFKA_BROKERS: '',
      DOCKER_HOST: 'tcp://127.0.0.1:1',
      JAVA_HOME: '',
      PATH: stateDir,
    });
    expect(await nowhere.ended()).toBe(1);
    expect(nowhere.output()).toContain('MILLRACE_NO_BROKER_AVAILABLE');
    expect(nowhere.output()).toContain('What to do:');
    expect(nowhere.output()).not.toMatch(/^\s+at /m);
  });

  it('says so when the one it was given does not answer', async () => {
    const unreachable = service({ KAFKA_BROKERS: '127.0.0.1:1' }, '--once');
    expect(await unreachable.ended()).toBe(1);
    expect(unreachable.output()).toContain('MILLRACE_BROKER_UNREACHABLE');
    expect(unreachable.output()).not.toMatch(/^\s+at /m);
  }, 60_000);
});
