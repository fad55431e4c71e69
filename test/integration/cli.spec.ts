// Specifies the commands that look and compare on a real broker: lag as Kafka's own tool has it, tasks and topology of a running application, dumps that equal
// queries, local state that differs from its changelog, dead letters put back.
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { javaTool } from '#libs/broker-local';
import { createControlServer, createQueryServer } from '#libs/control';
import type {
  DeadLetterSummary,
  GroupLag,
  GroupTasks,
  RedriveReport,
  StreamsApplication,
  TaskFigures,
  VerifyReport,
} from '#libs/millrace';
import { withRows } from '../../libs/state-rocksdb/test/damaged-rows.ts';
import { describeWithBroker, uniqueName } from '../support/broker.ts';
import type { SharedBroker } from '../support/broker.ts';
import { createTopics, produce } from '../support/sums-input.ts';
import { spawnSums } from '../support/sums-process.ts';
import { CliFixture, eventually, runCommand } from './cli-fixture.ts';

const MINUTE = 60_000;
/** Brokers delete what is old by their own clock. */
const BASE = Math.floor(Date.now() / MINUTE - 10) * MINUTE;
const TOOL_MS = 60_000;
const MODULE = join(import.meta.dirname, 'cli-topology.ts');
/** Of one minute and of three, and two that cannot be processed. */
const WORDS: readonly (readonly [string, number])[] = [
  ...Array.from(
    { length: 40 },
    (_, at) => [`word-${at % 10}`, BASE + Math.floor(at / 20) * 2 * MINUTE] as const,
  ),
  ['poison-a', BASE + 3 * MINUTE],
  ['poison-b', BASE + 3 * MINUTE],
];

interface Row {
  readonly partition: number;
  readonly key: string;
  readonly value: number;
  readonly window?: { readonly start: number; readonly end: number };
  readonly timestamp: number;
}

function rowsOf(ndjson: string): Row[] {
  const rows = ndjson
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);
  return rows.sort((a, b) =>
    a.key < b.key ? -1 : a.key > b.key ? 1 : (a.window?.start ?? 0) - (b.window?.start ?? 0),
  );
}

describeWithBroker('millrace, looking at an application', (broker) => {
  let words: CliFixture;

  beforeAll(async () => {
    words = await CliFixture.on(broker());
    await words.publish(WORDS);
    await words.run();
  });
  afterAll(() => words.close());

  it(
    'tells the lag that Kafka’s own tool tells',
    async () => {
      await words.publish([
        ['late', BASE + 4 * MINUTE],
        ['later', BASE + 4 * MINUTE],
        ['latest', BASE + 4 * MINUTE],
      ]);
      const found = await words.json<GroupLag>('lag', words.applicationId);
      const theirs = await consumerGroups(broker(), words.applicationId);
      const ours = found.partitions.map(({ topic, partition, committed, end, lag }) => [
        ...[topic, partition, committed, end, lag],
      ]);
      // Theirs ends at the high watermark, ours at what is committed: the same while no transaction is open.
      expect(theirs).toEqual(ours);
      expect(found).toMatchObject({ total: 3 + repartitionLag(found), unknown: 0, members: 0 });
      const text = await words.command('lag', words.applicationId, '--fail-above', '1');
      expect(text).toMatchObject({ exitCode: 1, stdout: expect.stringContaining(words.lines) });
      expect((await words.command('lag', 'nobody')).stdout).toContain('committed no offsets');
      await words.run();
    },
    TOOL_MS,
  );

  it('dumps from the changelog what queries answer, and shows tasks and topology of a running application', async () => {
    const application: StreamsApplication = await words.start();
    const control = await createControlServer({ applications: [application], port: 0 });
    const queries = await createQueryServer(application, { port: 0, host: '127.0.0.1' });
    try {
      for (const store of ['counts', 'per-minute']) {
        const dump = (...args: string[]) => words.command('dump', words.applicationId, store, ...args);
        const offline = rowsOf((await dump('--module', MODULE)).stdout);
        const byControl = rowsOf((await dump('--control', control.url)).stdout);
        const byQuery = rowsOf((await dump('--query', `http://127.0.0.1:${queries.port}`)).stdout);
        expect(offline).toEqual(byControl);
        expect(byQuery).toEqual(byControl);
        expect(offline.length).toBeGreaterThan(10);
      }
      const file = join(await words.folder(), 'counts.ndjson');
      const some = await words.command(
        ...['dump', words.applicationId, 'counts', '--prefix', 'word-1', '--limit', '1', '-o', file],
      );
      expect(some).toMatchObject({ exitCode: 0, stdout: '', stderr: expect.stringContaining('1 rows') });
      expect(rowsOf(await readFile(file, 'utf8'))).toMatchObject([{ key: 'word-1', value: 4 }]);

      const { members } = await words.json<GroupTasks>('tasks', words.applicationId);
      expect(members.map(({ active }) => active)).toEqual([['0_0', '0_1', '1_0', '1_1', '2_0', '2_1']]);
      const { instances } = await words.json<{ instances: { tasks: TaskFigures[] }[] }>(
        ...['tasks', words.applicationId, '--control', control.url],
      );
      expect(instances[0]!.tasks.map(({ taskId }) => taskId)).toEqual(members[0]!.active);
      const lag = await words.json<{ total: number }>('lag', words.applicationId, '--control', control.url);
      expect(lag.total).toBe(0);

      const described = await runCommand(
        'describe',
        '--control',
        control.url,
        '--application',
        words.applicationId,
      );
      expect(described.stdout).toContain('Sub-topology: 1');
      const unknown = await runCommand('describe', '--control', control.url, '--application', 'other');
      expect(unknown).toMatchObject({
        exitCode: 1,
        stderr: expect.stringContaining('MILLRACE_UNKNOWN_APPLICATION'),
      });
      const locked = await words.command('verify', words.applicationId, '--state-dir', words.stateDir);
      expect(locked).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('MILLRACE_STATE_LOCKED') });
    } finally {
      await queries.close();
      await control.close();
      await application.stop();
    }
  });

  it('verifies local state, and finds each entry that differs', async () => {
    const verify = () =>
      words.json<VerifyReport>('verify', words.applicationId, '--state-dir', words.stateDir);
    const clean = await verify();
    expect(clean).toMatchObject({ differences: 0, compared: 4, skipped: 0 });
    expect(
      clean.tasks.flatMap(({ stores }) => stores.map(({ same }) => same)).every((same) => same > 0),
    ).toBe(true);

    const slot = join(words.stateDir, words.applicationId, 'instance-0', words.applicationId);
    const tables = join(slot, '1_0');
    const windows = join(slot, '2_0');
    expect((await readdir(slot)).sort()).toEqual(['1_0', '1_1', '2_0', '2_1']);
    await damage(tables, windows);
    const report = await verify();
    expect(report.differences).toBe(4);
    const stores = new Map(
      report.tasks.flatMap(({ taskId, stores: all }) => all.map((one) => [`${taskId} ${one.store}`, one])),
    );
    expect(stores.get('1_0 counts')!.different).toMatchObject({ value: 1, missing: 1, extra: 1 });
    expect(stores.get('2_0 per-minute')!.different).toMatchObject({ value: 1, missing: 0, extra: 0 });
    const text = await words.command('verify', words.applicationId, '--state-dir', words.stateDir);
    expect(text.exitCode).toBe(1);
    expect(text.stdout).toContain('never-written');
    expect(text.stdout).toContain('4 differences in 4 stores');
  });

  it('finds no difference in what a process leaves that is killed in the middle of its work', async () => {
    const [input, output, applicationId] = [uniqueName('in'), uniqueName('out'), uniqueName('app')];
    await createTopics(broker(), input, output);
    await produce(broker(), input, 0, 20_000);
    const stateDir = await words.folder();
    const process = spawnSums({
      ...{ applicationId, instanceId: 'killed', brokers: words.brokers, input, output, commitIntervalMs: 20 },
      // Small epochs, written at once: the database is in the middle of them.
      ...{ writeBehindIntervalMs: 10, epochBytesMax: 64 * 1024 },
      stateDir: join(stateDir, applicationId, 'instance-0'),
    });
    await process.reached('RUNNING');
    await eventually(async () => (await words.json<GroupLag>('lag', applicationId)).total < 15_000);
    await process.kill();
    const report = await words.json<VerifyReport>('verify', applicationId, '--state-dir', stateDir);
    expect(report).toMatchObject({ differences: 0, skipped: 0 });
    expect(report.tasks.flatMap(({ stores }) => stores).some(({ same }) => same > 0)).toBe(true);
  });

  it('lists, shows and puts back dead letters', async () => {
    const summary = await words.json<DeadLetterSummary>('dlq', 'list', words.applicationId, words.dead);
    expect(summary).toMatchObject({
      pending: 2,
      byException: { RangeError: 2 },
      byOrigin: { [words.lines]: 2 },
    });
    const peeked = await words.json<{ key: string; value: string; message: string }[]>(
      ...['dlq', 'peek', words.applicationId, words.dead, '--limit', '1'],
    );
    expect(peeked).toMatchObject([
      { value: expect.stringMatching(/^poison/), message: expect.stringContaining('is none') },
    ]);
    const redrive = (...args: string[]) =>
      words.json<RedriveReport & { executed: boolean }>(
        'dlq',
        'redrive',
        words.applicationId,
        words.dead,
        ...args,
      );
    expect(await redrive()).toMatchObject({ executed: false, redriven: 2 });
    expect(await redrive('--limit', '1', '--execute')).toMatchObject({ executed: true, redriven: 1 });
    expect(await redrive('--discard', '--execute')).toMatchObject({ redriven: 1 });
    expect(await redrive('--execute')).toMatchObject({ redriven: 0 });
    const left = await words.command('dlq', 'list', words.applicationId, words.dead);
    expect(left.stdout).toBe(`${words.dead}: 0 dead letters wait\n`);
  });
});

function repartitionLag({ partitions }: GroupLag): number {
  return partitions.reduce((sum, { kind, lag }) => sum + (kind === 'input' ? 0 : (lag ?? 0)), 0);
}

/** TOPIC, PARTITION, CURRENT-OFFSET, LOG-END-OFFSET and LAG, in our order. */
async function consumerGroups(broker: SharedBroker, group: string): Promise<unknown[][]> {
  const { stdout } = await javaTool(broker, 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand', [
    ...['--bootstrap-server', broker.endpoints.plaintext, '--describe', '--group', group, '--offsets'],
  ]);
  const rows: [string, number, number, number, number][] = [];
  for (const line of stdout.toString().split('\n')) {
    const [name, topic, ...numbers] = line.trim().split(/\s+/);
    if (name !== group) continue;
    const [partition, current, end, lag] = numbers.map(Number);
    rows.push([topic!, partition!, current!, end!, lag!]);
  }
  return rows.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : a[1] - b[1]));
}

/** Of the table: changes a value, takes a key out, puts one in. Of the windows: changes a value. */
async function damage(tables: string, windows: string): Promise<void> {
  await withRows(tables, 'counts', async ([first, second], { put, remove, keyOf }) => {
    await put(first!.key, Buffer.concat([first!.value.subarray(0, 8), Buffer.from('77')]));
    await remove(second!.key);
    await put(keyOf('never-written'), first!.value);
  });
  await withRows(windows, 'per-minute', async (rows, { put }) => {
    const row = rows.at(-1)!;
    await put(row.key, Buffer.concat([row.value.subarray(0, 8), Buffer.from('78')]));
  });
}
