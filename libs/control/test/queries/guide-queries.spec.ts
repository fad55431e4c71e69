// docs/guide/queries.md shows the code that runs here.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SimulatedKafka } from '#libs/millrace';
import type { StreamsApplication } from '#libs/millrace';
import type { QueryServer } from '#libs/control';
import { application, follow, metadata, patient, reads, serving } from './guide-queries-snippets.ts';
import { until } from './query-instances.ts';

const guide = readFileSync(join(import.meta.dirname, '../../../../docs/guide/queries.md'), 'utf8');
const source = readFileSync(join(import.meta.dirname, 'guide-queries-snippets.ts'), 'utf8');
const shown = [...guide.matchAll(/<!-- snippet: (\w+) -->\s*```ts\n(.*?)```/gs)].map(
  (match): [string, string] => [match[1]!, match[2]!],
);
const written = [...source.matchAll(/^( *)\/\/ #region (\w+)\n(.*?)^ *\/\/ #endregion/gms)].map(
  (match): [string, string] => [match[2]!, match[3]!.replaceAll(new RegExp(`^${match[1]!}`, 'gm'), '')],
);

describe('the guide to queries', () => {
  const kafka = new SimulatedKafka();
  let running: StreamsApplication;
  let server: QueryServer;
  let port: number;

  beforeAll(async () => {
    kafka.createTopic('payments', 2);
    port = await new Promise((resolve) => {
      const probe = createServer().listen(0, '127.0.0.1', () => {
        const { port: free } = probe.address() as AddressInfo;
        probe.close(() => resolve(free));
      });
    });
    running = application(kafka, port);
    server = await serving(running, port);
    await running.start();
    await running.whenRunning();
    await pay(['anna', 2], ['anna', 3], ['andre', 1], ['zoe', 9]);
  }, 60_000);

  afterAll(async () => {
    await server.close();
    await running.stop();
  });

  async function pay(...payments: [string, number][]): Promise<void> {
    const timestamp = Date.UTC(2024, 0, 2);
    kafka.publish(
      'payments',
      payments.map(([key, value]) => ({ key, value: String(value), timestamp })),
    );
    await until(() => kafka.lag('payments', ['payments']) === 0);
  }

  it('shows the code that runs here, and no other', () => {
    const imports = written.find(([name]) => name === 'imports')!;
    // Users import from the package.
    imports[1] = imports[1]
      .replaceAll("'#libs/control'", "'millrace/control'")
      .replaceAll("'#libs/millrace'", "'millrace'");
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(written));
    expect(guide.match(/```ts/g)).toHaveLength(shown.length);
  });

  it('reads as it says', async () => {
    expect(await reads(running)).toEqual([5, ['andre', 'anna'], ['andre', 'anna'], [2]]);
    expect(await patient(running, 'zoe')).toBe(9);
    await expect(metadata(running)).resolves.toMatchObject([
      [{ isLocal: true, applicationServer: `127.0.0.1:${port}`, activePartitions: [0, 1] }],
      expect.any(Number),
      `127.0.0.1:${port}`,
      [],
    ]);
  });

  it('follows what a read has left out', async () => {
    const abort = new AbortController();
    const following = follow(running, abort.signal);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await pay(['anna', 5]);
    setTimeout(() => abort.abort(), 1_500);
    const [andre, anna, zoe, change] = await following;
    expect([andre, anna, zoe]).toEqual(['andre', 'anna', 'zoe']);
    expect(change).toMatch(/^anna is 10, next time from /);
  });

  it('names the routes that there are', async () => {
    const routes = [...guide.matchAll(/^\| `GET (\S+)`/gm)].map(([, path]) => path!);
    expect(routes.length).toBeGreaterThan(6);
    for (const route of routes) {
      const path = route
        .replace(
          '<store>',
          route.includes('/entries') && route.includes('keys') ? 'per-five-minutes' : 'totals',
        )
        .replace('<key>', 'anna');
      const abort = new AbortController();
      const { status, body } = await fetch(`${server.url}${path}`, { signal: abort.signal });
      expect([path, status]).toEqual([path, 200]);
      await body?.cancel();
      abort.abort();
    }
  });
});
