// Specifies `npm start -- --simulated`: the built service, without a broker, killed half-way, ends with the right result.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../..');

beforeAll(() => {
  const build = spawnSync(process.execPath, [join(ROOT, 'scripts/build.mjs')], { encoding: 'utf8' });
  if (build.status !== 0) throw new Error(build.stdout + build.stderr);
}, 240_000);

function start(...args: string[]): { readonly status: number | null; readonly output: string } {
  const main = join(ROOT, 'dist/apps/flight-delays/src/main.js');
  // A broker that is not there: nothing may ask for it.
  const env = { ...process.env, KAFKA_BROKERS: '127.0.0.1:1' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, '--simulated', ...args], {
    encoding: 'utf8',
    env,
    timeout: 60_000,
  });
  return { status, output: stdout + stderr };
}

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
