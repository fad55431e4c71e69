import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { describeWithBroker, ownTestBrokerOptions } from '../support/broker.ts';

const RUN = join(import.meta.dirname, '../benchmarks/run.ts');

/** The others are the same work for the harness. */
const WORKLOADS = ['aggregate', 'windowed-count', 'stream-table-join', 'stream-stream-join'];

/** The benchmark brings a broker of its own; this only asks whether one can be had here. */
describeWithBroker(
  'the benchmark',
  () => {
    it.each(WORKLOADS)(
      'runs both systems on %s over one small backlog, finds both outputs correct, and reports them as JSON',
      async (workload) => {
        const child = spawn(
          process.execPath,
          [
            '--conditions=millrace-source',
            RUN,
            workload,
            '--records',
            '20000',
            '--keys',
            '500',
            '--repeat',
            '1',
            '--json',
          ],
          { stdio: ['ignore', 'pipe', 'pipe'] },
        );
        let output = '';
        let errors = '';
        child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
        child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
        const [code] = (await once(child, 'close')) as [number | null];
        expect({ code, errors: code === 0 ? '' : errors }).toEqual({ code: 0, errors: '' });
        const report = JSON.parse(output.trim().split('\n').at(-1)!) as {
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
  },
  ownTestBrokerOptions(),
);
