// The vectors can fail: for each operator a deliberate bug, which they notice. The bugs are planted in a process of its own.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { mutants } from './index.ts';
import type { Outcome } from './run.ts';

const outcomes = new Map<string, Outcome>();

beforeAll(async () => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      '--conditions=millrace-source',
      '--disable-warning=ExperimentalWarning',
      join(import.meta.dirname, 'run.ts'),
    ],
    { maxBuffer: 64 * 1024 * 1024 },
  );
  for (const line of stdout.trimEnd().split('\n')) {
    const outcome = JSON.parse(line) as Outcome;
    outcomes.set(outcome.bug, outcome);
  }
}, 120_000);

describe('the vectors notice', () => {
  it.each(mutants.map(({ bug }) => bug))('%s', (bug) => {
    const outcome = outcomes.get(bug)!;
    // The operator was rewritten: its bug is to be planted anew here.
    expect(outcome.misplaced).toBe(false);
    expect(outcome.caught).not.toBeNull();
  });
});
