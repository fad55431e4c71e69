// Specifies `npm start -- --simulated`: the built service, without a broker, killed half-way, ends with the right result.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../..');

interface Ended {
  readonly status: number | null;
  readonly output: string;
}

beforeAll(() => {
  const build = spawnSync(process.execPath, [join(ROOT, 'scripts/build.mjs')], { encoding: 'utf8' });
  if (build.status !== 0) throw new Error(build.stdout + build.stderr);
}, 240_000);

function start(...args: string[]): Ended {
  return startLesson('flight-delays', ...args);
}

function startLesson(lesson: string, ...args: string[]): Ended {
  const main = join(ROOT, `dist/apps/${lesson}/src/main.js`);
  // A broker that is not there: nothing may ask for it.
  const env = { ...process.env, KAFKA_BROKERS: '127.0.0.1:1' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, '--simulated', ...args], {
    encoding: 'utf8',
    env,
    timeout: 60_000,
  });
  return { status, output: stdout + stderr };
}

describe('npm start -- word-count --simulated', () => {
  it('needs no broker, loses a copy of the service in the middle of the story, and counts every word', () => {
    const { status, output } = startLesson('word-count', '--once');
    expect(output).toContain('copy-1 was killed');
    expect(output).toMatch(/^8,880 words, 239 different ones$/m);
    expect(output).toContain('Counted again, plainly: the same for every word.');
    expect(status).toBe(0);
  }, 90_000);
});

describe('npm start -- --simulated', () => {
  it('needs no broker, loses a copy of the service half-way, and agrees with the file', () => {
    const { status, output } = start('--once');
    expect(output).toContain('copy-1 was killed');
    expect(output).toContain('They agree in every field.');
    expect(status).toBe(0);
  }, 90_000);

  it('refuses what makes no sense with it', () => {
    const { status, output } = start('--no-load');
    expect(output).toContain('--simulated publishes its own input');
    expect(status).toBe(2);
  });
});
