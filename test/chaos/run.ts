// `npm run chaos`: one run, told as it goes on. Owns what a user sees of it and the exit code.
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeFault, drawApplication, drawSchedule } from './faults.ts';
import { runChaos } from './chaos-run.ts';
import type { RunResult } from './chaos-run.ts';
import { USAGE, UsageError, parseOptions } from './options.ts';
import type { ChaosOptions } from './options.ts';

/** Longer than any timeout of a run and the recovery behind it. */
const STUCK_AFTER_MS = 90_000;
const REPORTS = join(import.meta.dirname, '../../.cache/chaos');

async function main(): Promise<number> {
  let options: ChaosOptions | 'help';
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n\n${USAGE}`);
    return 2;
  }
  if (options === 'help') {
    console.log(USAGE);
    return 0;
  }
  const { seed, faults, records, workers, sabotage, control, protocol, json } = options;
  const schedule =
    faults === null && sabotage !== null ? sabotage.schedule : drawSchedule(seed, faults ?? 0, workers);
  console.log(`chaos: seed ${seed}, ${schedule.length} faults, ${records} records, ${workers} processes`);
  const application = {
    ...(sabotage === null ? drawApplication(seed, protocol) : { groupProtocol: protocol }),
    ...sabotage?.application,
  };
  console.log(`application: ${JSON.stringify(application)}`);
  if (sabotage !== null) {
    console.log(
      control
        ? `control of ${sabotage.guarantee}: the guarantee holds`
        : `sabotage of ${sabotage.guarantee}: ${sabotage.wrong}`,
    );
  }
  const result = await runChaos(
    {
      seed,
      records,
      workers,
      schedule,
      sabotage: control ? null : sabotage,
      application,
      stuckAfterMs: sabotage?.stuckAfterMs ?? STUCK_AFTER_MS,
    },
    (line) => console.log(line),
  );
  const { violations, violationCount } = result;
  for (const { kind, what } of violations) console.log(`VIOLATION ${kind}: ${what}`);
  console.log(
    `\n${violationCount === 0 ? 'clean' : `${violationCount} violations`}: ${result.faults.length} faults, ${result.records} records, ` +
      `${Math.round(result.tookMs / 1000)} s; judged ${JSON.stringify(result.judged)}`,
  );
  if (violationCount > 0) {
    console.log(`report: ${writeReport(options, result)}`);
    const args = process.argv.slice(2).filter((arg) => arg !== '--json');
    const seeded = args.some((arg) => arg.startsWith('--seed')) ? args : ['--seed', String(seed), ...args];
    console.log(`again:  npm run chaos -- ${seeded.join(' ')}`);
  }
  if (json) {
    console.log(
      JSON.stringify({
        seed,
        faults: result.faults.length,
        records: result.records,
        violations: violationCount,
      }),
    );
  }
  return violationCount === 0 ? 0 : 1;

  function writeReport(given: ChaosOptions, { folder, ...rest }: RunResult): string {
    const target = join(REPORTS, `seed-${given.seed}-${new Date().toISOString().replace(/[:.]/g, '')}`);
    mkdirSync(target, { recursive: true });
    const planned = schedule.map(({ fault, recover }) => ({
      ...fault,
      recover,
      words: describeFault(fault),
    }));
    writeFileSync(
      join(target, 'report.json'),
      `${JSON.stringify({ ...given, application, planned, ...rest }, null, 2)}\n`,
    );
    // Logs, and the topics as they were read; not the databases.
    if (existsSync(folder)) {
      for (const file of readdirSync(folder)) {
        if (/\.(log|txt)$/.test(file)) copyFileSync(join(folder, file), join(target, file));
      }
      rmSync(folder, { recursive: true, force: true });
    }
    return target;
  }
}

const code = await main().catch((error: unknown) => {
  console.error(error);
  return 1;
});
// Not left to the event loop: connections of processes that were killed may take their time to go.
process.stdout.write('', () => process.exit(code));
