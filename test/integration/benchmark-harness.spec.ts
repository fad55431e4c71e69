// Needs no broker.
import { spawn } from 'node:child_process';

import { describe, expect, it } from '@jest/globals';

import { readOptions } from '../benchmarks/harness/options.ts';
import { processUsage } from '../benchmarks/harness/process-usage.ts';
import { median, toJson, toTable } from '../benchmarks/harness/report.ts';
import { SystemProcess } from '../benchmarks/harness/system-process.ts';
import type { System, SystemTask } from '../benchmarks/harness/system-process.ts';

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

describe('the benchmark options', () => {
  it('take separators in numbers', () => {
    expect(readOptions(['aggregate', '--records', '1_000_000'])).toMatchObject({
      ...{ workload: 'aggregate', records: 1_000_000, keys: 100_000, partitions: 4, repeat: 3, json: false },
    });
  });

  it('restore a million keys, each written once', () => {
    expect(readOptions(['restore'])).toMatchObject({ keys: 1_000_000, records: 1_000_000 });
  });

  it.each([[['sort']], [['aggregate', '--repeat', '0']], [['aggregate', '--peer', 'storm']]])(
    'refuse %j',
    (args) => {
      expect(() => readOptions(args)).toThrow();
    },
  );
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
