// `npm run chaos`: one run, told as it goes on. Owns what a user sees of it and the exit code.
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeFault, drawSchedule } from './faults.ts';
import { runChaos } from './chaos-run.ts';
import type { RunResult } from './chaos-run.ts';
import { USAGE, UsageError, parseOptions } from './options.ts';
import type { ChaosOptions } from './options.ts';

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
  const { seed, faults, records, workers, sabotage, json } = options;
  console.log(`chaos: seed ${seed}, ${faults} faults, ${records} records, ${workers} processes`);
  const schedule = drawSchedule(seed, faults, workers);
  const result = await runChaos(
    { seed, records, workers, schedule, sabotage, application: {}, stuckAfterMs: 90_000 },
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
    console.log(
      `again:  npm run chaos -- --seed ${seed} --faults ${faults} --records ${records} --workers ${workers}`,
    );
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
      `${JSON.stringify({ ...given, planned, ...rest }, null, 2)}\n`,
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

process.exitCode = await main().catch((error: unknown) => {
  console.error(error);
  return 1;
});
