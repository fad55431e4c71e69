// Owns the order of the runs under a steady load: `latency` and `rebalance`, both systems in turn, outputs checked.
// What happens in a run is in harness/steady-load.ts.
//
// Systems and gauge are new processes in each run, but the broker is one for all: it is cold in the first of them. So at each rate every
// system has a run that does not count (`--discard`) before the first that does.
import { Gauge } from './harness/gauge.ts';
import type { BenchOptions } from './harness/options.ts';
import type { BenchCluster } from './harness/cluster.ts';
import { measureLatency, measureRebalance } from './harness/steady-load.ts';
import type { LatencyRun, RebalanceRun, Scenario, SteadyBench } from './harness/steady-load.ts';
import { latencyJson, latencyTable, rebalanceJson, rebalanceTable } from './harness/steady-report.ts';
import type { System, SystemTask } from './harness/system-process.ts';
import { inTurn } from './harness/turns.ts';

export interface SteadyParts {
  readonly options: BenchOptions;
  readonly cluster: BenchCluster;
  readonly java: string;
  readonly classpath: string;
  readonly systems: readonly System[];
  uniqueName(prefix: string): string;
  show(message: string): void;
  /** As many payments of as many keys, each once. */
  preload(topic: string, records: number): Promise<void>;
  check(task: SystemTask): Promise<void>;
}

interface Result {
  readonly table: string;
  readonly json: object;
}

export async function runLatency(parts: SteadyParts): Promise<Result> {
  const { options, systems, show } = parts;
  const runs = new Map(systems.map((system): [System, LatencyRun[]] => [system, []]));
  for (const rate of options.rates) {
    for (const { system, counts } of inTurn(systems, options.discard, options.repeat)) {
      const { bench, task } = await newRun(parts, system, rate, options.keys, 0);
      const run = await measureLatency(bench, system, rate, options.seconds);
      await parts.check(task);
      if (counts) runs.get(system)!.push(run);
      const { p50, p99, max } = run.latencyMs;
      show(
        `${system.name} at ${rate} records/s: p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)}, max ${max.toFixed(1)} ms, ` +
          `output correct${counts ? '' : NOT_COUNTED}`,
      );
    }
  }
  const json = latencyJson(resultsOf(runs));
  return { table: `${latencyTable(json)}\n${discardedLine(options.discard)}`, json };
}

export async function runRebalance(parts: SteadyParts): Promise<Result> {
  const { options, systems } = parts;
  const runs = new Map(systems.map((system): [System, RebalanceRun[]] => [system, []]));
  for (const rate of options.rates) {
    let { discard } = options;
    for (const scenario of options.scenarios) {
      for (const standbys of options.standbys) {
        for (const { system, counts } of inTurn(systems, discard, options.repeat)) {
          const run = await rebalanceOnce(parts, system, rate, scenario, standbys, counts);
          if (counts) runs.get(system)!.push(run);
        }
        discard = 0;
      }
    }
  }
  const json = rebalanceJson(resultsOf(runs));
  return { table: `${rebalanceTable(json)}\n${discardedLine(options.discard)}`, json };
}

const NOT_COUNTED = ' (not counted: warms the broker up)';

function discardedLine(discard: number): string {
  if (discard === 0) return 'every run counts, those on the cold broker too (--discard 0)';
  return `not counted: the first ${discard === 1 ? 'run' : `${discard} runs`} of each side at each rate, which warmed the broker up`;
}

async function rebalanceOnce(
  parts: SteadyParts,
  system: System,
  rate: number,
  scenario: Scenario,
  standbys: number,
  counts: boolean,
): Promise<RebalanceRun> {
  const { options, show } = parts;
  const keys = scenario === 'kill-large' ? options.largeKeys : options.keys;
  const { bench, task } = await newRun(parts, system, rate, keys, keys);
  const run = await measureRebalance(bench, system, scenario, standbys, keys);
  await parts.check(task);
  const pause = (ms: number | null): string => (ms === null ? 'none' : `at most ${ms} ms`);
  show(
    `${system.name}, ${scenario}, ${standbys} standby(s): moved partitions paused ${pause(run.movedGapMs)}, ` +
      `those that stayed ${pause(run.stayedGapMs)}, output correct${counts ? '' : NOT_COUNTED}`,
  );
  return run;
}

/** Topics of its own for each run: what one leaves is not the next one's to read. */
async function newRun(
  parts: SteadyParts,
  system: System,
  rate: number,
  keys: number,
  preload: number,
): Promise<{ bench: SteadyBench; task: SystemTask }> {
  const { options, cluster, java, classpath } = parts;
  const applicationId = parts.uniqueName(system.name);
  const [input, output] = [`${applicationId}-in`, `${applicationId}-out`];
  await cluster.createTopic(input, options.partitions);
  await cluster.createTopic(output, options.partitions);
  if (preload > 0) await parts.preload(input, preload);
  const isRebalance = options.workload === 'rebalance';
  const task = (stateDir: string): SystemTask => ({
    workload: 'aggregate',
    bootstrapServers: cluster.bootstrapServers,
    applicationId,
    input,
    output,
    stateDir,
    threads: options.threads,
    ...(isRebalance ? { sessionTimeoutMs: options.sessionTimeoutMs, protocol: options.protocol } : {}),
  });
  const bench: SteadyBench = {
    cluster,
    partitions: options.partitions,
    warmUpMs: options.warmUpSeconds * 1_000,
    newGauge: (from, to) => new Gauge(java, classpath, cluster, { input: from, output: to, rate, keys }),
    task,
  };
  return { bench, task: task('') };
}

function resultsOf<R>(
  runs: ReadonlyMap<System, readonly R[]>,
): { name: string; config: string; runs: readonly R[] }[] {
  return [...runs].map(([{ name, config }, measured]) => ({ name, config, runs: measured }));
}
