// Specifies `npm run bench` itself, by short runs of it.
import { join } from 'node:path';
import { afterEach, expect, it } from '@jest/globals';
import { describeWithBroker, ownTestBrokerOptions } from '../support/broker.ts';
import { startNode } from '../support/child-process.ts';
import type { RunningProcess } from '../support/child-process.ts';

const RUN = join(import.meta.dirname, '../benchmarks/run.ts');

/** The others are the same work for the harness. */
const WORKLOADS = ['aggregate', 'windowed-count', 'stream-table-join', 'stream-stream-join'];

let running: RunningProcess | null = null;
// One that did not end in time takes what it started with it.
afterEach(() => {
  running?.child.kill('SIGKILL');
});

/** Runs the benchmark to its end: the object it prints last. */
async function bench(...args: readonly string[]): Promise<unknown> {
  running = startNode(['--conditions=millrace-source', RUN, ...args, '--json']);
  const code = await running.ended();
  const output = running.output();
  expect({ code, output: code === 0 ? '' : output }).toEqual({ code: 0, output: '' });
  return JSON.parse(output.trim().split('\n').at(-1)!);
}

const milliseconds = expect.any(Number);

/** The benchmark brings a broker of its own; this only asks whether one can be had here. */
describeWithBroker(
  'the benchmark',
  () => {
    it.each(WORKLOADS)(
      'runs both systems on %s over one small backlog, finds both outputs correct, and reports them as JSON',
      async (workload) => {
        const report = (await bench(
          workload,
          ...['--records', '20000', '--keys', '500', '--repeat', '1'],
        )) as {
          workload: string;
          systems: {
            name: string;
            records_per_second: unknown;
            cpu_seconds: number;
            peak_rss_bytes: number;
          }[];
        };
        expect(report.workload).toBe(workload);
        expect(report.systems.map(({ name }) => name)).toEqual(['millrace', 'kafka-streams']);
        for (const system of report.systems) {
          expect(system.cpu_seconds).toBeGreaterThan(0);
          expect(system.peak_rss_bytes).toBeGreaterThan(0);
          expect(system.records_per_second).toEqual({
            min: expect.anything(),
            median: expect.anything(),
            max: expect.anything(),
          });
        }
      },
      300_000,
    );

    // With a run of each that does not count: the default.
    it('measures how late the committed output of both is under a steady load', async () => {
      const load = ['--rates', '500', '--seconds', '1', '--warm-up', '1', '--keys', '500'];
      const rate = (records_per_second: number): object => ({
        ...{ records_per_second, p50_ms: milliseconds, p99_ms: milliseconds, max_ms: milliseconds },
      });
      expect(await bench('latency', ...load, '--repeat', '1')).toEqual({
        workload: 'latency',
        systems: ['millrace', 'kafka-streams'].map((name) => ({
          ...{ name, config: expect.any(String), rates: [rate(500)] },
        })),
      });
    }, 300_000);

    it('measures how long the committed output of both pauses when an instance leaves', async () => {
      const load = ['--rates', '300', '--warm-up', '1', '--keys', '500', '--discard', '0'];
      const gaps = { moved_gap_ms: milliseconds, stayed_gap_ms: milliseconds, p99_ms: milliseconds };
      expect(await bench('rebalance', ...load, '--scenarios', 'leave', '--standbys', '0')).toEqual({
        workload: 'rebalance',
        systems: ['millrace', 'kafka-streams'].map((name) => ({
          ...{ name, config: expect.any(String) },
          scenarios: [{ scenario: 'leave', standbys: 0, ...gaps }],
        })),
      });
    }, 300_000);
  },
  ownTestBrokerOptions(),
);
