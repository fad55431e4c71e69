// Specifies what `npm start` says of lessons before it runs one. Needs no broker.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../..');

function start(...args: string[]): { readonly status: number | null; readonly output: string } {
  const script = join(ROOT, 'scripts/start.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

const lessons = readdirSync(join(ROOT, 'apps')).filter((name) =>
  existsSync(join(ROOT, 'apps', name, 'src/main.ts')),
);

describe('npm start', () => {
  it('lists the lessons, each by the title of its README', () => {
    const { status, output } = start('--list');
    expect(status).toBe(0);
    expect(lessons.length).toBeGreaterThan(2);
    for (const lesson of lessons) expect(output).toMatch(new RegExp(`^ +${lesson} +\\S`, 'm'));
  });

  it('says which lessons there are where it is asked for another', () => {
    const { status, output } = start('word-cuont');
    expect(status).toBe(2);
    expect(output).toContain("There is no lesson 'word-cuont'");
    for (const lesson of lessons) expect(output).toContain(lesson);
    expect(output).not.toMatch(/^\s+at /m);
  });
});

describe('the page of the lessons', () => {
  const page = readFileSync(join(ROOT, 'apps/README.md'), 'utf8');

  it('names every lesson, and links to its README', () => {
    for (const lesson of lessons) expect(page).toContain(`](${lesson}/README.md)`);
  });
});
