// Specifies that the audit of what is installed passes, and finds what it is there to find.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../..');

interface Lock {
  lockfileVersion: number;
  packages: Record<string, Record<string, unknown>>;
}
type Manifest = Record<string, unknown>;
interface Audit {
  lockfileFaults(lock: Lock, manifest: Manifest): string[];
  licenceFaults(lock: Lock, read: (path: string) => Manifest | null): string[];
  isAccepted(licence: string): boolean;
  readAudit(output: string): { unavailable?: string; counts?: object; faults?: string[] };
}

const audit = (await import(join(ROOT, 'scripts/audit.mjs'))) as Audit;
const json = (path: string): unknown => JSON.parse(readFileSync(join(ROOT, path), 'utf8'));
const lock = (): Lock => json('package-lock.json') as Lock;
const manifest = (): Manifest => json('package.json') as Manifest;

describe('the audit', () => {
  it('finds nothing wrong with the lockfile as it is', () => {
    expect(audit.lockfileFaults(lock(), manifest())).toEqual([]);
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ['no hash', { integrity: undefined }, /not a sha512/],
    ['an older hash', { integrity: 'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=' }, /not a sha512/],
    ['a range', { version: '^1.0.0' }, /not exact/],
    ['a git address', { resolved: 'git+ssh://git@example.org/a.git#1' }, /git\+ssh:…/],
    ['plain http', { resolved: 'http://example.org/a.tgz' }, /http:…/],
    ['a link', { link: true }, /is a link/],
    ['an install script', { hasInstallScript: true }, /install script/],
    [
      'a dependency by address',
      { dependencies: { b: 'https://user:token@example.org/b.tgz' } },
      /depends on b/,
    ],
    ['a dependency of a forge', { dependencies: { b: 'someone/b' } }, /depends on b/],
  ])('finds %s of a package', (_what, change, fault) => {
    const changed = lock();
    Object.assign(changed.packages['node_modules/avsc']!, change);
    const faults = audit.lockfileFaults(changed, manifest());
    expect(faults).toEqual([expect.stringMatching(fault)]);
    expect(faults.join()).not.toContain('token');
  });

  it('finds a range in package.json, and a script that is allowed to nobody', () => {
    const changed = manifest();
    Object.assign(changed['dependencies'] as object, { avsc: '^5.0.0' });
    Object.assign(changed['allowScripts'] as object, { nobody: true });
    expect(audit.lockfileFaults(lock(), changed)).toEqual([
      expect.stringContaining('dependencies.avsc'),
      expect.stringContaining('nobody'),
    ]);
  });

  it('accepts licences that leave a choice of those that it knows', () => {
    expect(['MIT', '(MIT OR GPL-3.0)', 'Apache-2.0 AND MIT'].map(audit.isAccepted)).toEqual([
      true,
      true,
      true,
    ]);
    expect(['GPL-3.0', 'MIT AND GPL-3.0', 'UNLICENSED', ''].map(audit.isAccepted)).toEqual(
      Array(4).fill(false),
    );
    const read = (path: string): Manifest | null =>
      path === 'node_modules/avsc' ? { license: 'AGPL-3.0' } : (json(`${path}/package.json`) as Manifest);
    const few = lock();
    few.packages = Object.fromEntries(
      ['avsc', 'elkjs', 'caniuse-lite', '@kafkajs/confluent-schema-registry'].map((name) => [
        `node_modules/${name}`,
        {},
      ]),
    );
    expect(audit.licenceFaults(few, read)).toEqual([expect.stringContaining('AGPL-3.0')]);
  });

  it('fails for high and critical vulnerabilities, and not where the registry tells none', () => {
    const vulnerabilities = {
      a: { severity: 'moderate', range: '<1' },
      b: { severity: 'critical', range: '<2' },
    };
    const answer = { vulnerabilities, metadata: { vulnerabilities: { moderate: 1, critical: 1 } } };
    expect(audit.readAudit(JSON.stringify(answer)).faults).toEqual(['b <2: has a critical vulnerability']);
    expect(audit.readAudit(JSON.stringify({ statusCode: 405, message: 'x' }))).toEqual({
      unavailable: '405',
    });
    expect(audit.readAudit('')).toEqual({ unavailable: 'no answer' });
  });
});
