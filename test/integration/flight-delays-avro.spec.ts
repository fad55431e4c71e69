// Specifies the lesson flight-delays with what surrounds a service: Avro by a real schema registry, two copies that answer queries for each
// other, the control API, and the endpoint for Prometheus.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { recompute } from '../../apps/flight-delays/src/check/recompute.ts';
import { readDataset } from '../../apps/flight-delays/src/data/dataset.ts';
import type { DelayTotals } from '../../apps/flight-delays/src/data/flight.ts';
import { describeWithBroker } from '../support/broker.ts';
import { startNode } from '../support/child-process.ts';
import type { RunningProcess } from '../support/child-process.ts';
import { RegistryRest, describeWithRegistry } from '../support/registry.ts';

const ROOT = join(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'dist/apps/flight-delays/src/main.js');
const APPLICATION = 'v1/applications/flight-delays';

const processes = new Set<RunningProcess>();

beforeAll(() => {
  const build = spawnSync(process.execPath, [join(ROOT, 'scripts/build.mjs')], { encoding: 'utf8' });
  if (build.status !== 0) throw new Error(build.stdout + build.stderr);
}, 180_000);

afterAll(() => {
  for (const { child } of processes) child.kill('SIGKILL');
});

interface Entry {
  readonly key: string;
  readonly value: DelayTotals;
}
interface Page {
  readonly entries: readonly Entry[];
  readonly complete: boolean;
}

describeWithRegistry('the lesson flight-delays', (registry) => {
  describeWithBroker(
    'with Avro and two copies',
    (broker) => {
      const copy = (...args: string[]): RunningProcess => {
        const started = startNode([MAIN, '--avro', ...args], {
          KAFKA_BROKERS: broker().bootstrapServers.join(','),
          SCHEMA_REGISTRY_URL: registry().url,
        });
        processes.add(started);
        return started;
      };
      const addressOf = async (service: RunningProcess, what: string): Promise<string> =>
        (await service.until(new RegExp(`^${what} +(http\\S+)`, 'm')))[1]!;
      const ask = async <T>(url: string): Promise<T> => {
        for (;;) {
          const answer = await fetch(url);
          if (answer.ok) return (await answer.json()) as T;
          // A task moves: asked again.
          if (answer.status !== 503) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
          await pause(100);
        }
      };

      it('answers queries for every airport on either copy, and tells Prometheus and operators of itself', async () => {
        const first = copy('--rate', '5000');
        const control = await addressOf(first, 'Dashboard');
        const second = copy('--no-load');
        const other = await addressOf(second, 'Dashboard');
        expect(other).not.toBe(control);
        for (const service of [first, second]) await service.until(/^20,000 flights; running/m);

        const expected = recompute(await readDataset());
        let tasks = 0;
        for (const address of [control, other]) {
          const { entry } = await ask<{ entry: Entry }>(`${address}${APPLICATION}/stores/delays/keys/JFK`);
          expect(entry.value.totalDelay).toBe(expected.get('JFK')!.totalDelay);
          const range = `${address}${APPLICATION}/stores/delays/entries?lower=J&upper=K&limit=1000`;
          const { entries, complete } = await ask<Page>(range);
          expect(complete).toBe(true);
          // Of all copies, in order.
          expect(entries.map(({ key }) => key)).toEqual(
            [...expected.keys()].filter((key) => key >= 'J' && key <= 'K').sort(),
          );
          for (const { key, value } of entries) expect(value.flights).toBe(expected.get(key)!.flights);
          const here = await ask<{ tasks: unknown[] }>(`${address}${APPLICATION}/tasks`);
          expect(here.tasks).toHaveLength(2);
          tasks += here.tasks.length;
        }
        expect(tasks).toBe(4);

        const scraped = await (await fetch(await addressOf(second, 'Prometheus'))).text();
        expect(scraped).toMatch(/^millrace_client_state\{.*millrace_state="RUNNING".*\} 1$/m);
        expect(scraped).toMatch(/^millrace_client_tasks\{.*millrace_task_phase="running".*\} 2$/m);

        expect(await second.end('SIGTERM')).toBe(0);
        expect(await first.end('SIGTERM')).toBe(0);
      }, 240_000);

      it('agrees with the file in every field, of flights of two versions of their schema', async () => {
        const once = copy('--once');
        expect(await once.ended()).toBe(0);
        expect(once.output()).toContain('They agree in every field.');
        expect(once.output()).toMatch(/^ +flights-value +versions 1, 2$/m);
        const rest = new RegistryRest(registry());
        expect(await rest.versions('flights-value')).toHaveLength(2);
        expect(await rest.subjects('flight-delays-')).toEqual([
          'flight-delays-airports-changelog-value',
          'flight-delays-delays-changelog-value',
        ]);
      }, 120_000);

      it('says which port is taken', async () => {
        const first = copy('--no-load');
        const { port } = new URL(await addressOf(first, 'Dashboard'));
        const metrics = new URL(await addressOf(first, 'Prometheus')).port;
        for (const [option, taken] of [
          ['--port', port],
          ['--metrics-port', metrics],
        ] as const) {
          const second = copy('--no-load', option, taken);
          expect(await second.ended()).toBe(1);
          expect(second.output()).toMatch(new RegExp(`MILLRACE_INVALID_CONFIG: .*127\\.0\\.0\\.1:${taken}`));
          expect(second.output()).not.toMatch(/^\s+at /m);
        }
        expect(await first.end('SIGTERM')).toBe(0);
      }, 120_000);
    },
    // The names of its topics are fixed: this broker is its own.
    { properties: { 'log.cleaner.enable': false, 'num.network.threads': 2 } },
  );
});

describe('the lesson flight-delays without a registry', () => {
  it('says what is missing and what to do, without a stack trace', async () => {
    const service = startNode([MAIN, '--avro'], {
      ...{ KAFKA_BROKERS: '127.0.0.1:1', SCHEMA_REGISTRY_URL: '', DOCKER_HOST: 'tcp://127.0.0.1:1' },
      ...{ JAVA_HOME: '', PATH: import.meta.dirname, HOME: import.meta.dirname },
    });
    processes.add(service);
    expect(await service.ended()).toBe(1);
    expect(service.output()).toMatch(/MILLRACE_(NO_REGISTRY_AVAILABLE|BROKER_UNREACHABLE)/);
    expect(service.output()).not.toMatch(/^\s+at /m);
  }, 60_000);
});
