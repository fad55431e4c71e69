// Specifies the lesson word-count as its readers run it: built, two copies, one of them killed while lines come in.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { describeWithBroker } from '../support/broker.ts';
import { startNode } from '../support/child-process.ts';
import type { RunningProcess } from '../support/child-process.ts';

const ROOT = join(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'dist/apps/word-count/src/main.js');

const processes = new Set<RunningProcess>();

beforeAll(() => {
  const build = spawnSync(process.execPath, [join(ROOT, 'scripts/build.mjs')], { encoding: 'utf8' });
  if (build.status !== 0) throw new Error(build.stdout + build.stderr);
}, 180_000);

afterAll(() => {
  for (const { child } of processes) child.kill('SIGKILL');
});

describeWithBroker(
  'the lesson word-count',
  (broker) => {
    const copy = (...args: string[]): RunningProcess => {
      const started = startNode([MAIN, ...args], { KAFKA_BROKERS: broker().bootstrapServers.join(',') });
      processes.add(started);
      return started;
    };

    it('counts every word once while a copy is killed, and says so in its exit code', async () => {
      const first = copy('--rate', '200');
      await first.until(/running: 8 tasks on this copy/);
      const second = copy('--no-load');
      await second.until(/running: [1-7] tasks on this copy/);
      expect(await second.end('SIGKILL')).toBe('SIGKILL');
      // Taken over once the session of the killed one is over.
      const seen = first.output().length;
      while (!/running: 8 tasks on this copy/.test(first.output().slice(seen)))
        await new Promise((resolve) => setTimeout(resolve, 200));
      expect(await first.end('SIGTERM')).toBe(0);

      const check = copy('--once', '--no-load');
      expect(await check.ended()).toBe(0);
      expect(check.output()).toContain('Counted again, plainly: the same for every word.');
      // Drawn also where there is no terminal.
      expect(check.output()).toMatch(/^the +[\d,]+ {2}█+$/m);
    }, 240_000);
  },
  // The names of its topics are fixed: this broker is its own.
  { properties: { 'log.cleaner.enable': false } },
);
