// Specifies `npm run chaos` itself, by short runs of it: a sound application is found sound, one with a guarantee switched off is not. It
// brings a broker of its own from Kafka's jars, since nobody else's may be killed.
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { brokerAvailability } from '#libs/broker-local';
import { startNode } from '../support/child-process.ts';
import type { RunningProcess } from '../support/child-process.ts';

const RUN = join(import.meta.dirname, '../chaos/run.ts');
const TIMEOUT_MS = 300_000;

interface Ended {
  readonly code: number | NodeJS.Signals;
  readonly output: string;
  /** The last line, where it is JSON. */
  readonly summary: unknown;
}

let running: RunningProcess | null = null;
// One that did not end in time takes what it started with it.
afterEach(() => {
  running?.child.kill('SIGKILL');
});

async function chaos(...args: readonly string[]): Promise<Ended> {
  running = startNode([
    '--conditions=millrace-source',
    '--disable-warning=ExperimentalWarning',
    RUN,
    ...args,
  ]);
  const code = await running.ended();
  const output = running.output();
  const last = output.trim().split('\n').at(-1)!;
  return { code, output, summary: last.startsWith('{') ? JSON.parse(last) : null };
}

/** What a run says that it found, or what kept it from its end, before all that it did. */
function problemsIn(output: string): string[] {
  const lines = output.split('\n');
  const problems = lines.filter((line) => line.startsWith('VIOLATION '));
  return [...(problems.length > 0 ? problems.slice(0, 10) : lines.slice(-30)), ...lines];
}

const { road } = await brokerAvailability({ roads: ['local'] });

describe('npm run chaos', () => {
  it('refuses arguments that it does not understand, and says which', async () => {
    const { code, output } = await chaos('--faults', 'many');
    expect(code).toBe(2);
    expect(output).toContain('--faults: "many" is no whole number from 0 to 1000');
  });

  const withBroker = road === undefined ? it.skip : it;

  withBroker(
    'finds nothing lost or doubled after a few faults',
    async () => {
      const { code, output, summary } = await chaos(
        ...['--seed', '51', '--faults', '5', '--records', '20000', '--json'],
      );
      expect({ code, problems: code === 0 ? [] : problemsIn(output) }).toEqual({ code: 0, problems: [] });
      expect(summary).toEqual({ seed: 51, faults: 5, records: 20_000, violations: 0 });
    },
    TIMEOUT_MS,
  );

  withBroker(
    'notices that the input is read uncommitted',
    async () => {
      const { code, output, summary } = await chaos(...['--seed', '51', '--sabotage', 'isolation', '--json']);
      expect(code).toBe(1);
      expect(output).toMatch(/VIOLATION aborted: echo: partition \d offset \d+ comes of an aborted record/);
      expect(output).toMatch(/report: .*\n.*again: {2}npm run chaos -- /);
      expect(summary).toMatchObject({ seed: 51, faults: 0, violations: expect.any(Number) });
    },
    TIMEOUT_MS,
  );
});
