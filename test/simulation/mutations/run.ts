// `npm run simulate -- --mutations`: plants each bug in a process of its own, and prints a table of the seeds that found them. Exit code 1 when
// one stays unnoticed within its number of seeds, or its place is gone.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { Hunt } from './hunt.ts';
import { mutants } from './index.ts';
import type { Mutant } from './mutant.ts';

export interface Finding extends Hunt {
  readonly bug: string;
  readonly within: number;
  /** Why it could not be planted; '': it was. */
  readonly misplaced: string;
}

const CAUSE_LENGTH = 110;

/** Of one bug. Seeds go on to its limit. */
export async function huntFor(mutant: Mutant): Promise<Finding> {
  const { bug, within } = mutant;
  const here = import.meta.dirname;
  const child = promisify(execFile)(
    process.execPath,
    [
      '--conditions=millrace-source',
      '--disable-warning=ExperimentalWarning',
      `--import=${pathToFileURL(join(here, 'plant.ts')).href}`,
      join(here, 'hunt.ts'),
      String(within),
    ],
    {
      env: { ...process.env, MILLRACE_MUTANT: String(mutants.indexOf(mutant)) },
      maxBuffer: 16 * 1024 * 1024,
    },
  );
  try {
    const { stdout } = await child;
    return { bug, within, misplaced: '', ...(JSON.parse(stdout.trim().split('\n').at(-1)!) as Hunt) };
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string };
    const why = /Error: .*/.exec(stderr)?.[0] ?? message;
    return { bug, within, misplaced: why, seed: -1, violation: '' };
  }
}

export async function runMutations(options: {
  readonly only: string;
  readonly workers: number;
  readonly json: boolean;
}): Promise<number> {
  const waiting = mutants.filter(({ bug }) => bug.includes(options.only));
  const count = waiting.length;
  const unnoticed: string[] = [];
  const findings: Finding[] = [];
  const lane = async (): Promise<void> => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const finding = await huntFor(mutant);
      findings.push(finding);
      if (finding.seed < 0) unnoticed.push(finding.bug);
      console.log(row(finding));
    }
  };
  console.log(`${'found by'.padStart(9)} ${'within'.padStart(6)}  bug`);
  await Promise.all(Array.from({ length: options.workers }, lane));
  console.log(`${count - unnoticed.length} of ${count} bugs found`);
  if (options.json) {
    const seeds = Object.fromEntries(findings.map(({ bug, seed }) => [bug, seed]));
    console.log(JSON.stringify({ mutations: count, unnoticed: unnoticed.length, seeds }));
  }
  return unnoticed.length > 0 || count === 0 ? 1 : 0;
}

function row({ bug, within, seed, violation, misplaced }: Finding): string {
  const found = misplaced !== '' ? 'misplaced' : seed < 0 ? 'NONE' : `seed ${seed}`;
  const why = misplaced === '' ? violation.slice(0, CAUSE_LENGTH) : misplaced;
  return `${found.padStart(9)} ${String(within).padStart(6)}  ${bug}\n${' '.repeat(18)}${why}`;
}
