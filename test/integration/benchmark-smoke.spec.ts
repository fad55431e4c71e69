import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { describeWithBroker, ownTestBrokerOptions } from '../support/broker.ts';

const RUN = join(import.meta.dirname, '../benchmarks/run.ts');

/** The benchmark brings a broker of its own; this only asks whether one can be had here. */
describeWithBroker(
  'the benchmark',
  () => {
    it('runs both systems over one small backlog, finds both outputs correct, and reports them as JSON', async () => {
      const child = spawn(
        process.execPath,
        [
          '--conditions=millrace-source',
          RUN,
          'aggregate',
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
        systems: { name: string; records_per_second: unknown; cpu_seconds: number; peak_rss_bytes: number }[];
      };
      expect(report.workload).toBe('aggregate');
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
    }, 300_000);
  },
  ownTestBrokerOptions(),
);
