// Runs seeds from 1 on until one of them notices the bug that was planted, and says which in a line of JSON.
import { simulate } from '../simulation.ts';

export interface Hunt {
  /** -1: none. */
  readonly seed: number;
  readonly violation: string;
}

const seeds = Number(process.argv[2]);

async function hunt(): Promise<Hunt> {
  for (let seed = 1; seed <= seeds; seed++) {
    const { violation } = await simulate(seed);
    if (violation !== null) return { seed, violation };
  }
  return { seed: -1, violation: '' };
}

console.log(JSON.stringify(await hunt()));
