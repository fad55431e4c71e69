// Specifies that the README's example is what it says: it compiles under strict TypeScript against the built package, and runs.
import { spawnSync } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTopic, publish, textsOf } from '../support/bad-input.ts';
import { describeWithBroker } from '../support/broker.ts';
import { startNode } from '../support/child-process.ts';

const ROOT = join(import.meta.dirname, '../..');
// Inside the repository: the package finds itself by its own name there.
const FOLDER = join(ROOT, '.cache/readme-example');

function node(...args: string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
  if (status !== 0) throw new Error(stdout + stderr);
}

beforeAll(async () => {
  node('scripts/build.mjs');
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  const example = /```ts\n(.*?)```/s.exec(readme)![1]!;
  await rm(FOLDER, { recursive: true, force: true });
  await mkdir(FOLDER, { recursive: true });
  await writeFile(join(FOLDER, 'example.ts'), example);
  await writeFile(
    join(FOLDER, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        target: 'es2024',
        module: 'nodenext',
        strict: true,
        skipLibCheck: true,
        experimentalDecorators: true,
        emitDecoratorMetadata: true,
        types: ['node'],
        rootDir: '.',
        outDir: '.',
      },
      files: ['example.ts'],
    }),
  );
  node('node_modules/typescript/bin/tsc', '-p', FOLDER);
}, 240_000);

afterAll(() => rm(FOLDER, { recursive: true, force: true }));

describe('the example of the README', () => {
  it('has about thirty lines', async () => {
    const lines = (await readFile(join(FOLDER, 'example.ts'), 'utf8')).trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(32);
  });
});

describeWithBroker('the example of the README, run', (broker) => {
  it('keeps the revenue of each customer, and ends cleanly on SIGTERM', async () => {
    await createTopic(broker(), 'orders', 2);
    await createTopic(broker(), 'revenue-by-customer', 2);
    const order = (key: string, customer: string, amount: number): { key: string; value: string } => ({
      key,
      value: JSON.stringify({ customer, amount }),
    });
    await publish(broker(), 'orders', [order('1', 'ann', 10), order('2', 'bob', 5), order('3', 'ann', 2.5)]);
    const service = startNode([join(FOLDER, 'example.js')], {
      KAFKA_BROKERS: broker().bootstrapServers.join(','),
    });
    const final = async (): Promise<Record<string, string | null>> => {
      const records = await textsOf(broker(), 'revenue-by-customer');
      return Object.fromEntries(records.map(({ key, value }) => [key!, value]));
    };
    try {
      await service.until(/RUNNING/);
      while ((await final())['ann'] !== '12.5') await new Promise((resolve) => setTimeout(resolve, 100));
      expect(await final()).toEqual({ ann: '12.5', bob: '5' });
    } finally {
      // Nest ends the process by the signal itself, after its shutdown hooks.
      expect(await service.end('SIGTERM')).toBe('SIGTERM');
    }
    expect(service.output()).toContain('NOT_RUNNING');
  }, 120_000);
});
