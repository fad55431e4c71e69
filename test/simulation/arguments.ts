// Owns the command line of the simulation: what may be said, and what is wrong with what was.

export interface Arguments {
  readonly first: number;
  readonly seeds: number;
  readonly trace: boolean;
  readonly json: boolean;
  /** Each seed runs twice, and must do so the same way. */
  readonly twice: boolean;
  readonly workers: number;
  readonly mutations: boolean;
  /** Of the mutations: those whose name holds this text. */
  readonly only: string;
}

export const USAGE = `npm run simulate -- [options]
  --seeds N     so many seeds, one after the other (default 200; 1 when --seed is given)
  --seed S      begin with this one (default 1); --from is another word for it
  --trace       print every event, and what the workers log; for a single seed
  --json        the last line is {seeds, violations, seeds_per_minute, faults_by_kind}
  --twice       run each seed twice: it must go the same way
  --workers W   so many processes, each with its share of the seeds (default 1)
  --mutations   plant deliberate bugs instead, and tell which seed finds each
  --only TEXT   of the mutations, those whose name holds TEXT`;

/** Something on the command line cannot be. */
export class ArgumentError extends Error {}

const WITH_NUMBER = ['--seeds', '--seed', '--from', '--workers'];
const FLAGS = ['--trace', '--json', '--twice', '--mutations'];
const SEED_MAX = 0x7fffffff;

/** @throws ArgumentError */
export function parseArguments(texts: readonly string[]): Arguments {
  const numbers = new Map<string, number>();
  const flags = new Set<string>();
  let only = '';
  for (let i = 0; i < texts.length; i++) {
    const [name, inline] = texts[i]!.split('=', 2) as [string, string | undefined];
    if (FLAGS.includes(name) && inline === undefined) {
      flags.add(name);
      continue;
    }
    if (!WITH_NUMBER.includes(name) && name !== '--only')
      throw new ArgumentError(`${texts[i]!} is not known.`);
    const value = inline ?? texts[++i];
    if (value === undefined) throw new ArgumentError(`${name} needs a value.`);
    if (name === '--only') only = value;
    else numbers.set(name, positive(name, value));
  }
  if (numbers.has('--seed') && numbers.has('--from'))
    throw new ArgumentError('--seed and --from mean the same: give one of them.');
  const first = numbers.get('--seed') ?? numbers.get('--from');
  const seeds = numbers.get('--seeds') ?? (numbers.has('--seed') ? 1 : 200);
  if ((first ?? 1) + seeds - 1 > SEED_MAX) throw new ArgumentError(`Seeds end at ${SEED_MAX}.`);
  if (flags.has('--trace') && seeds > 1)
    throw new ArgumentError('--trace is for one seed: give --seed S without --seeds.');
  if (only !== '' && !flags.has('--mutations')) throw new ArgumentError('--only goes with --mutations.');
  return {
    first: first ?? 1,
    seeds,
    only,
    trace: flags.has('--trace'),
    json: flags.has('--json'),
    twice: flags.has('--twice'),
    workers: numbers.get('--workers') ?? 1,
    mutations: flags.has('--mutations'),
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value) || value < 1 || value > SEED_MAX)
    throw new ArgumentError(`${name} must be a whole number from 1 to ${SEED_MAX}, is "${text}".`);
  return value;
}
