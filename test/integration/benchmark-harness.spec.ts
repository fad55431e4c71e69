// Needs no broker.
import { spawn } from 'node:child_process';

import { describe, expect, it } from '@jest/globals';

import { readOptions } from '../benchmarks/harness/options.ts';
import { processUsage } from '../benchmarks/harness/process-usage.ts';
import { median, toJson, toTable } from '../benchmarks/harness/report.ts';
import type { LatencyRun, RebalanceRun } from '../benchmarks/harness/steady-load.ts';
import {
  latencyJson,
  latencyTable,
  rebalanceJson,
  rebalanceTable,
} from '../benchmarks/harness/steady-report.ts';
import { SystemProcess } from '../benchmarks/harness/system-process.ts';
import type { System, SystemTask } from '../benchmarks/harness/system-process.ts';
import { inTurn } from '../benchmarks/harness/turns.ts';

const run = (recordsPerSecond: number, peakRssBytes: number, cpuSeconds = 1): object => ({
  ...{ recordsPerSecond, peakRssBytes, cpuSeconds, seconds: 1 },
});

describe('the benchmark report', () => {
  const results = [
    { name: 'millrace', config: 'ours', runs: [run(300, 10), run(500, 30), run(400, 20)] },
    { name: 'kafka-streams', config: 'theirs', runs: [run(100, 50, 4), run(200, 40, 2)] },
  ] as Parameters<typeof toJson>[1];

  it('gives the ratio of medians, the spread, the median CPU time and the worst memory', () => {
    expect(toJson('aggregate', results)).toEqual({
      workload: 'aggregate',
      ratio: 2.67,
      systems: [
        {
          ...{ name: 'millrace', config: 'ours', cpu_seconds: 1, peak_rss_bytes: 30 },
          records_per_second: { min: 300, median: 400, max: 500 },
        },
        {
          ...{ name: 'kafka-streams', config: 'theirs', cpu_seconds: 3, peak_rss_bytes: 50 },
          records_per_second: { min: 100, median: 150, max: 200 },
        },
      ],
    });
    expect(toTable(toJson('aggregate', results))).toContain('ratio of medians: 2.67');
  });

  it('has no ratio when one side did not run', () => {
    expect(toJson('aggregate', results.slice(1)).ratio).toBeNull();
  });

  it('takes the mean of the two middle values of an even number', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([3, 1, undefined, 2])).toBe(2);
    expect(median([])).toBeUndefined();
  });
});

describe('the report of a steady load', () => {
  const latency = (p50: number, p99: number, max: number): object => ({ latencyMs: { p50, p99, max } });

  it('gives the medians of each rate, and the maximum of all its runs', () => {
    const runs = [
      { rate: 5_000, records: 9, ...latency(10, 30, 50) },
      { rate: 5_000, records: 9, ...latency(12, 20, 90.04) },
      { rate: 5_000, records: 9, ...latency(11.26, 25, 60) },
      { rate: 20_000, records: 9, ...latency(1, 2, 3) },
    ] as LatencyRun[];
    const json = latencyJson([{ name: 'millrace', config: 'ours', runs }]);
    expect(json.systems[0]!.rates).toEqual([
      { records_per_second: 5_000, p50_ms: 11.3, p99_ms: 25, max_ms: 90 },
      { records_per_second: 20_000, p50_ms: 1, p99_ms: 2, max_ms: 3 },
    ]);
    expect(latencyTable(json)).toContain('20,000');
  });

  it('gives the longest pause of each scenario, of what moved and of what stayed', () => {
    const runs = [
      { scenario: 'leave', standbys: 0, movedGapMs: 200, stayedGapMs: 90, ...latency(1, 2, 3) },
      { scenario: 'leave', standbys: 0, movedGapMs: 400, stayedGapMs: null, ...latency(1, 4, 3) },
      { scenario: 'leave', standbys: 1, movedGapMs: null, stayedGapMs: 10, ...latency(1, 2, 3) },
    ] as RebalanceRun[];
    const json = rebalanceJson([{ name: 'millrace', config: 'ours', runs }]);
    expect(json.systems[0]!.scenarios).toEqual([
      { scenario: 'leave', standbys: 0, moved_gap_ms: 400, stayed_gap_ms: 90, p99_ms: 3 },
      { scenario: 'leave', standbys: 1, moved_gap_ms: null, stayed_gap_ms: 10, p99_ms: 2 },
    ]);
    expect(rebalanceTable(json)).toMatch(/leave +1 +- +10/);
  });
});

describe('the benchmark options', () => {
  it('take separators in numbers', () => {
    expect(readOptions(['aggregate', '--records', '1_000_000'])).toMatchObject({
      ...{ workload: 'aggregate', records: 1_000_000, keys: 100_000, partitions: 4, repeat: 3, json: false },
    });
  });

  it('restore a million keys, each written once', () => {
    expect(readOptions(['restore'])).toMatchObject({ keys: 1_000_000, records: 1_000_000 });
  });

  it('run every scenario of a rebalance once, without standby copies and with one', () => {
    expect(readOptions(['rebalance'])).toMatchObject({
      ...{ rates: [5_000], repeat: 1, keys: 10_000, standbys: [0, 1], sessionTimeoutMs: 6_000 },
      scenarios: ['leave', 'join', 'kill', 'kill-large'],
    });
  });

  it('measure latency at both rates, after a run of each side that does not count', () => {
    expect(readOptions(['latency'])).toMatchObject({
      ...{ rates: [5_000, 20_000], repeat: 3, seconds: 30, discard: 1 },
    });
    expect(readOptions(['rebalance', '--discard', '0'])).toMatchObject({ discard: 0 });
  });

  it.each([
    [['sort']],
    [['aggregate', '--repeat', '0']],
    [['aggregate', '--peer', 'storm']],
    [['latency', '--rates', '5000,fast']],
    [['latency', '--seconds', '0']],
    [['latency', '--discard', 'none']],
    [['latency', '--discard', '']],
    [['rebalance', '--scenarios', 'leave,explode']],
    [['rebalance', '--standbys', '2']],
    [['rebalance', '--protocol', 'raft']],
    [['rebalance', '--protocol', 'streams', '--standbys', '0,1']],
  ])('refuse %j', (args) => {
    expect(() => readOptions(args)).toThrow();
  });
});

describe('the order of runs', () => {
  it('lets each side go first in turn, and counts neither before both have run', () => {
    const order = inTurn(['a', 'b'], 1, 3).map(({ system, counts }) => (counts ? system : `(${system})`));
    expect(order.join(' ')).toBe('(a) (b) b a a b b a');
    expect(inTurn(['a'], 0, 2)).toEqual(Array(2).fill({ system: 'a', counts: true }));
  });
});

describe('a system under measurement', () => {
  const task: SystemTask = {
    ...{ workload: 'aggregate', bootstrapServers: '', applicationId: 'a', input: 'i', output: 'o' },
    ...{ stateDir: '', threads: 1 },
  };
  const system = (script: string): System => ({
    ...{ name: 'fake', config: '', command: process.execPath, args: ['-e', script] },
  });

  it('is heard by its events and stopped by the end of its stdin', async () => {
    const script = `console.log('noise'); console.log(JSON.stringify({ event: 'restored', records: 7 }));
      process.stdin.on('end', () => process.exit(0)).resume();`;
    const running = new SystemProcess(system(script), task);
    expect(await running.event('restored')).toMatchObject({ records: 7 });
    const { cpuSeconds = 0, peakRssBytes = 0 } = await running.usage();
    expect(cpuSeconds).toBeGreaterThan(0);
    expect(peakRssBytes).toBeGreaterThan(10_000_000);
    await running.stop();
  });

  it('fails the run with its last words when it ends in between', async () => {
    const running = new SystemProcess(system("console.error('out of luck'); process.exit(3)"), task);
    await expect(running.event('running')).rejects.toThrow(/ended with 3.*out of luck/s);
  });

  it('uses nothing once it is gone', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    await new Promise((resolve) => child.on('close', resolve));
    expect(await processUsage(child.pid ?? 0)).toEqual({ cpuSeconds: undefined, peakRssBytes: undefined });
  });
});
