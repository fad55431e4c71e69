// Owns the runs under a steady load: `latency`, and `rebalance` with its scenarios. The load and the watching of the committed output
// are the gauge's; here is what happens to the system meanwhile.
//
// Rebalance. One instance runs, has taken in `keys` payments of as many keys, and, but for `join`, a second one shares the work.
// Then, in mid-load:
//   leave        the second is asked to stop, and leaves its group
//   join         a second one starts
//   kill         the second is killed; its session runs out
//   kill-large   as kill, with --large-keys keys of state, which the first has on its disk from the time when it was alone
// A partition moved when the group says that another member has it than before.
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

import type { BenchCluster } from './cluster.ts';
import type { Gauge, GaugeWindow } from './gauge.ts';
import { stateFolder } from './measure.ts';
import { SystemProcess } from './system-process.ts';
import type { System, SystemTask } from './system-process.ts';

export const SCENARIOS = ['leave', 'join', 'kill', 'kill-large'] as const;
export type Scenario = (typeof SCENARIOS)[number];

export interface RebalanceRun {
  readonly scenario: Scenario;
  readonly standbys: number;
  /** The longest pause in the committed output of a partition that moved, milliseconds; null: none moved. */
  readonly movedGapMs: number | null;
  /** The same of a partition that stayed. */
  readonly stayedGapMs: number | null;
  readonly latencyMs: GaugeWindow['latencyMs'];
}

export interface LatencyRun {
  readonly rate: number;
  readonly records: number;
  readonly latencyMs: GaugeWindow['latencyMs'];
}

export interface SteadyBench {
  readonly cluster: BenchCluster;
  readonly partitions: number;
  /** JIT compilers and caches get so long before anything counts. */
  readonly warmUpMs: number;
  newGauge(input: string, output: string): Gauge;
  /** Of an instance; the names of its topics are the run's. */
  task(stateDir: string): SystemTask;
}

const SETTLED_MS_MAX = 300_000;
const POLL_MS = 50;
/** From the act to the end of the window, at least: whatever a system does late is to be seen. */
const AFTER_MS = 8_000;
/** Copies of state are given so long to catch up. */
const STANDBY_MS = 5_000;

export async function measureLatency(
  bench: SteadyBench,
  system: System,
  rate: number,
  seconds: number,
): Promise<LatencyRun> {
  const state = await stateFolder();
  const task = bench.task(state.path);
  const running = new SystemProcess(system, task);
  let gauge: Gauge | undefined;
  try {
    await running.event('running');
    gauge = bench.newGauge(task.input, task.output);
    await gauge.ready();
    await delay(bench.warmUpMs);
    gauge.begin();
    await delay(seconds * 1_000);
    gauge.end();
    const { records, latencyMs } = await gauge.drain();
    running.assertAlive();
    await running.stop();
    return { rate, records, latencyMs };
  } finally {
    gauge?.kill();
    running.kill();
    await state.remove();
  }
}

/** `preload`: what the input holds already. */
export async function measureRebalance(
  bench: SteadyBench,
  system: System,
  scenario: Scenario,
  standbys: number,
  preload: number,
): Promise<RebalanceRun> {
  const { cluster } = bench;
  const states = [await stateFolder(), await stateFolder()];
  const tasks = states.map(({ path }) => ({ ...bench.task(path), standbys }));
  const { applicationId, input, output } = tasks[0]!;
  const first = new SystemProcess(system, tasks[0]!);
  let second: SystemProcess | undefined;
  let gauge: Gauge | undefined;
  const owners = (): Promise<ReadonlyMap<number, string>> =>
    tasks[0]!.protocol === 'streams'
      ? cluster.streamsOwners(applicationId)
      : cluster.owners(applicationId, input);
  const shared = (): Promise<void> =>
    until(
      async () => isShared(await owners(), bench.partitions),
      'the work is shared by two',
      first,
      ...(second === undefined ? [] : [second]),
    );
  try {
    await first.event('running');
    const loaded = async (): Promise<boolean> => (await cluster.committed(applicationId, [input])) >= preload;
    await until(loaded, 'the state is there', first);
    if (scenario !== 'join') {
      second = new SystemProcess(system, tasks[1]!);
      await second.event('running');
      await shared();
      if (standbys > 0) await delay(STANDBY_MS);
    }
    gauge = bench.newGauge(input, output);
    await gauge.ready();
    await delay(bench.warmUpMs);
    const before = await owners();
    gauge.begin();
    await delay(1_000);
    const actedAt = performance.now();
    if (scenario === 'join') {
      second = new SystemProcess(system, tasks[1]!);
      await shared();
    } else {
      if (scenario === 'leave') void second!.stop().catch(() => undefined);
      else second!.kill();
      const alone = async (): Promise<boolean> => {
        const now = [...(await owners()).values()];
        return now.length === bench.partitions && new Set(now).size === 1;
      };
      await until(alone, 'the work is one instance’s', first);
    }
    const after = await owners();
    await delay(Math.max(AFTER_MS, actedAt + AFTER_MS - performance.now()));
    gauge.end();
    const { gapsMs, latencyMs } = await gauge.drain();
    first.assertAlive();
    await first.stop();
    if (scenario === 'join') await second!.stop();
    const moved = gapsMs.filter((_, partition) => before.get(partition) !== after.get(partition));
    const stayed = gapsMs.filter((_, partition) => before.get(partition) === after.get(partition));
    return { scenario, standbys, movedGapMs: longest(moved), stayedGapMs: longest(stayed), latencyMs };
  } finally {
    gauge?.kill();
    first.kill();
    second?.kill();
    for (const state of states) await state.remove();
  }
}

function longest(gapsMs: readonly number[]): number | null {
  return gapsMs.length === 0 ? null : Math.max(...gapsMs);
}

/** Two members have all partitions, as evenly as can be. */
function isShared(owners: ReadonlyMap<number, string>, partitions: number): boolean {
  const counts = new Map<string, number>();
  for (const owner of owners.values()) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  if (owners.size !== partitions || counts.size !== 2) return false;
  return Math.max(...counts.values()) - Math.min(...counts.values()) <= 1;
}

async function until(
  condition: () => Promise<boolean>,
  what: string,
  ...alive: readonly SystemProcess[]
): Promise<void> {
  const start = performance.now();
  while (!(await condition())) {
    for (const process of alive) process.assertAlive();
    if (performance.now() - start > SETTLED_MS_MAX) throw new Error(`Waited in vain until ${what}.`);
    await delay(POLL_MS);
  }
}
