// `npm run simulate`: seeds one after the other, or shared among processes. Exit code 1 when one of them broke a promise, 2 for a command
// line that makes no sense. What it takes is in arguments.ts.
import { fork } from 'node:child_process';
import type { Logger, LogFields } from '#libs/core';
import { ArgumentError, parseArguments, USAGE } from './arguments.ts';
import type { Arguments } from './arguments.ts';
import { runMutations } from './mutations/run.ts';
import { simulate } from './simulation.ts';
import type { Outcome } from './simulation.ts';
import { describeScenario } from './scenario.ts';
import { explained, Tally } from './tally.ts';

const PROGRESS_MS = 5_000;

type Reported = Pick<Outcome, 'seed' | 'violation' | 'faults'>;

async function runSeed(seed: number, { trace, twice }: Arguments): Promise<Reported> {
  const outcome = await simulate(seed, trace ? { onLine: console.log, logger: consoleLogger } : {});
  if (!twice || outcome.violation !== null) return outcome;
  const again = await simulate(seed);
  if (again.eventHash === outcome.eventHash && again.events === outcome.events) return outcome;
  const violation = `It went another way the second time: ${outcome.events} events with hash ${outcome.eventHash}, then ${again.events} with ${again.eventHash}.`;
  return { ...outcome, violation };
}

async function runAll(options: Arguments, tell: (outcome: Reported) => void): Promise<void> {
  for (let seed = options.first; seed < options.first + options.seeds; seed++)
    tell(await runSeed(seed, options));
}

/** Each process has every `workers`-th seed's share in one piece. */
async function runShared(options: Arguments, tell: (outcome: Reported) => void): Promise<void> {
  const share = Math.ceil(options.seeds / options.workers);
  const end = options.first + options.seeds;
  const children: Promise<void>[] = [];
  for (let first = options.first; first < end; first += share) {
    const texts = [`--from=${first}`, `--seeds=${Math.min(share, end - first)}`];
    if (options.twice) texts.push('--twice');
    const child = fork(import.meta.filename, texts, { execArgv: process.execArgv });
    child.on('message', (outcome) => tell(outcome as Reported));
    children.push(
      new Promise((resolve, reject) => {
        child.on('exit', (code) => {
          if (code === 0) resolve();
          else reject(new Error(`The process of the seeds from ${first} on ended with ${String(code)}.`));
        });
      }),
    );
  }
  await Promise.all(children);
}

async function main(options: Arguments): Promise<number> {
  if (process.send !== undefined) {
    await runAll(options, (outcome) => process.send!(outcome));
    return 0;
  }
  if (options.mutations) return runMutations(options);
  const tally = new Tally();
  let shownAt = performance.now();
  const tell = (outcome: Reported): void => {
    tally.add(outcome);
    if (outcome.violation !== null) {
      const { seed, violation } = outcome;
      console.log(`${explained({ seed, violation })}\n  it was: ${describeScenario(seed)}`);
    }
    if (performance.now() - shownAt < PROGRESS_MS) return;
    shownAt = performance.now();
    console.log(tally.progress(options.seeds));
  };
  await (options.workers > 1 ? runShared(options, tell) : runAll(options, tell));
  console.log(tally.progress(options.seeds));
  if (options.json) console.log(tally.json());
  return tally.broken.length > 0 ? 1 : 0;
}

const line =
  (level: string) =>
  (message: string, fields?: LogFields): void =>
    console.log(
      `${' '.repeat(10)} ${level} ${message}${fields === undefined ? '' : ` ${JSON.stringify(fields)}`}`,
    );

const consoleLogger: Logger = {
  debug: () => undefined,
  info: line('info'),
  warn: line('warn'),
  error: line('error'),
};

try {
  process.exitCode = await main(parseArguments(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof ArgumentError)) throw error;
  console.error(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
// Of a process that a parent waits for.
if (process.connected) process.disconnect();
