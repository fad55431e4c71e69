// Specifies that a standby copy takes over from a process that is killed, on RocksDB and a real broker, and that a process that was
// killed finds its state again: each replays the changelog's tail, not the changelog.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { createKafkaClient } from '#libs/kafka';
import { silentLogger, systemClock } from '#libs/core';
import type { BegunRestore, CopyReport } from '../support/application-copy.ts';
import { describeWithBroker, uniqueName } from '../support/broker.ts';
import { startNode } from '../support/child-process.ts';
import type { RunningProcess } from '../support/child-process.ts';
import {
  PARTITIONS,
  checkOutput,
  committed,
  createTopics,
  produce,
  publishPadding,
} from '../support/sums-input.ts';

const SCRIPT = join(import.meta.dirname, '../support/application-copy.ts');
/** Records of the changelog that may be committed after a copy's last fetch: less than a second of work. */
const TAIL_MAX = 3_000;

describeWithBroker('standby copies in processes of their own', (broker) => {
  const folders: string[] = [];
  const processes: RunningProcess[] = [];
  let input: string;
  let output: string;
  let applicationId: string;
  let count: number;

  beforeEach(async () => {
    [input, output, applicationId] = [uniqueName('in'), uniqueName('out'), uniqueName('app')];
    count = 0;
    await createTopics(broker(), input, output);
  });

  afterEach(async () => {
    for (const process of processes.splice(0)) await process.end('SIGKILL');
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
  });

  async function folder(): Promise<string> {
    const created = await mkdtemp(join(tmpdir(), 'millrace-standbys-'));
    folders.push(created);
    return created;
  }

  function start(instanceId: string, stateDir: string, numStandbys: number): RunningProcess {
    const { bootstrapServers: brokers } = broker();
    const options = { applicationId, instanceId, brokers, input, output, stateDir, numStandbys };
    const process = startNode([
      '--conditions=millrace-source',
      '--disable-warning=ExperimentalWarning',
      SCRIPT,
      JSON.stringify(options),
    ]);
    processes.push(process);
    return process;
  }

  async function more(records: number): Promise<void> {
    await produce(broker(), input, count, records);
    count += records;
  }

  async function allCommitted(): Promise<void> {
    const { bootstrapServers: brokers } = broker();
    const client = createKafkaClient({ brokers }, { clock: systemClock, logger: silentLogger });
    await committed(client, applicationId, input, count);
    await client.close();
  }

  it('takes over what a killed process ran, having replayed the tail only', async () => {
    const one = start('one', await folder(), 1);
    await reported(one, ({ state, tasks }) => state === 'RUNNING' && tasks.length === PARTITIONS);
    // As if there had been work for long.
    const padding = await publishPadding(broker(), `${applicationId}-sums-changelog`);
    const two = start('two', await folder(), 1);
    await more(4_000);
    const [first, second] = [one, two].map((process) =>
      reported(
        process,
        ({ tasks, copies }) =>
          tasks.length > 0 &&
          tasks.length + Object.keys(copies).length === PARTITIONS &&
          Object.values(copies).every((lag) => lag === 0),
      ),
    );
    await Promise.all([first, second]);
    const before = reportOf(two);
    await more(2_000);
    expect(await one.end('SIGKILL')).toBe('SIGKILL');
    await more(2_000);
    const after = await reported(
      two,
      ({ state, tasks }) => state === 'RUNNING' && tasks.length === PARTITIONS,
    );
    await allCommitted();
    expect(padding).toBeGreaterThan(5 * TAIL_MAX);
    expect(after.restoredRecords - before.restoredRecords).toBeLessThan(TAIL_MAX);
    // All of it was followed by the copies.
    const followed = before.begun.filter(({ role }) => role !== 'active');
    expect(new Set(followed.map(({ taskId }) => taskId)).size).toBe(PARTITIONS);
    expect(await two.end('SIGTERM')).toBe(0);
    await checkOutput(broker(), output, count);
  }, 180_000);

  it('is not needed by a process that was killed and finds its own state again', async () => {
    const stateDir = await folder();
    const one = start('one', stateDir, 0);
    await reported(one, ({ state }) => state === 'RUNNING');
    expect(await one.end('SIGTERM')).toBe(0);
    const padding = await publishPadding(broker(), `${applicationId}-sums-changelog`);
    const again = start('one', stateDir, 0);
    await more(4_000);
    const restored = await reported(
      again,
      ({ state, tasks }) => state === 'RUNNING' && tasks.length === PARTITIONS,
    );
    expect(restored.restoredRecords).toBeGreaterThanOrEqual(padding);
    await allCommitted();
    await more(2_000);
    expect(await again.end('SIGKILL')).toBe('SIGKILL');
    const last = start('one', stateDir, 0);
    await more(1_000);
    const found = await reported(
      last,
      ({ state, tasks }) => state === 'RUNNING' && tasks.length === PARTITIONS,
    );
    expect(found.restoredRecords).toBeLessThan(TAIL_MAX);
    expect(startsOf(found.begun)).toEqual([]);
    await allCommitted();
    expect(await last.end('SIGTERM')).toBe(0);
    await checkOutput(broker(), output, count);
  }, 180_000);
});

/** Restores that began at the start of a changelog. */
const startsOf = (begun: readonly BegunRestore[]): readonly BegunRestore[] =>
  begun.filter(({ startOffset }) => startOffset === 0);

function reportOf(process: RunningProcess): CopyReport {
  const lines = process.output().trimEnd().split('\n');
  return JSON.parse(lines.at(-1) ?? '') as CopyReport;
}

/** Resolves to the first report from now on that is as wanted. */
async function reported(
  process: RunningProcess,
  isWanted: (report: CopyReport) => boolean,
): Promise<CopyReport> {
  await process.until(/\n$/);
  for (;;) {
    const { length } = process.output();
    const report = reportOf(process);
    if (isWanted(report)) return report;
    await process.until(new RegExp(`^[^]{${length},}[^\\n]\\n$`));
  }
}
