// Specifies what commands print, on the simulated cluster: tables and JSON, progress apart from results, and an end that leaves nothing half done.
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Consumed,
  Grouped,
  Materialized,
  Serdes,
  SimulatedKafka,
  StreamsApplication,
  StreamsBuilder,
  TimeWindows,
  minutes,
  silentLogger,
} from '#libs/millrace';
import type { GroupLag, VerifyReport } from '#libs/millrace';
import { withRows } from '../../state-rocksdb/test/damaged-rows.ts';
import { printable, table } from '../src/output/table.ts';
import { Progress } from '../src/output/progress.ts';
import { run } from './support.ts';
import { systemClock } from '#libs/core';

const kafka = new SimulatedKafka();
const environment = {};
/** Changelogs of windows keep what is new. */
const BASE = Math.floor(Date.now() / 60_000) * 60_000;
let folder: string;
let stateDir: string;

function topology(): StreamsBuilder {
  const text = Serdes.string();
  const builder = new StreamsBuilder();
  const words = builder.stream('lines', Consumed.with(text, text)).groupByKey(Grouped.with(text, text));
  words.count(Materialized.as('counts', { keySerde: text, valueSerde: Serdes.json<number>() }));
  words
    .windowedBy(TimeWindows.ofSizeWithNoGrace(minutes(1)))
    .count(Materialized.as('per-minute', { keySerde: text, valueSerde: Serdes.json<number>() }));
  return builder;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-cli-'));
  stateDir = join(folder, 'state');
  kafka.createTopic('lines', 1);
  kafka.publish(
    'lines',
    ['ant', 'bee', 'ant', 'ape'].map((key) => ({ key, value: 'x', timestamp: BASE })),
  );
  const application = new StreamsApplication({
    ...{
      applicationId: 'words',
      kafka,
      topology: topology(),
      stateDir,
      logger: silentLogger,
      until: 'latest',
    },
  });
  await application.start();
  await application.whenEnded();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const on = (...args: string[]) => run(args, { kafka, environment });

describe('commands', () => {
  it('lag prints a table, or the same as JSON', async () => {
    const text = await on('lag', 'words');
    expect(text.stdout).toMatch(/^words: Empty, 0 members\n\nTOPIC +PARTITION +KIND +COMMITTED +END +LAG/);
    expect(text.stdout).toContain('In all: 0');
    const { partitions, total } = JSON.parse((await on('lag', 'words', '--json')).stdout) as GroupLag;
    expect([total, partitions]).toMatchObject([0, [{ topic: 'lines', kind: 'input', committed: 4, lag: 0 }]]);
    const more = JSON.parse(
      (await on('lag', 'words', '--topic', 'words-counts-changelog', '--json')).stdout,
    ) as GroupLag;
    expect(more.unknown).toBe(1);
  });

  it('tasks says that nobody is there', async () => {
    expect((await on('tasks', 'words')).stdout).toBe('words: Empty (classic group), 0 members\n');
  });

  it('dump prints a line for each row, by format, prefix, limit and layout', async () => {
    const rows = async (...args: string[]): Promise<unknown[]> =>
      (await on('dump', 'words', ...args)).stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown);
    const byKey = new Map((await rows('counts')).map((row) => [(row as { key: string }).key, row]));
    expect([...byKey.keys()].sort()).toEqual(['ant', 'ape', 'bee']);
    expect(byKey.get('ant')).toEqual({ partition: 0, key: 'ant', value: 2, timestamp: BASE });
    expect(await rows('counts', '--prefix', 'a')).toHaveLength(2);
    expect(await rows('counts', '--limit', '1')).toHaveLength(1);
    expect(
      await rows('counts', '--prefix', 'ant', '--key-format', 'hex', '--value-format', 'base64'),
    ).toMatchObject([{ key: '616e74', value: 'Mg==' }]);
    expect(await rows('per-minute', '--layout', 'window(size=60000)', '--prefix', 'ant')).toEqual([
      { partition: 0, key: 'ant', window: { start: BASE, end: BASE + 60_000 }, value: 2, timestamp: BASE },
    ]);
  });

  it('dump refuses a store that has no changelog, and leaves no file', async () => {
    const file = join(folder, 'dump.ndjson');
    const { exitCode, stderr } = await on('dump', 'words', 'nothing', '-o', file);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining('MILLRACE_TOPIC_MISSING')]);
    expect(await readdir(folder)).not.toContain('dump.ndjson.part');
    const wrong = await on('dump', 'words', 'counts', '-o', join(folder, 'no', 'such', 'folder'));
    expect(wrong).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--output') });
  });

  it('an interrupted dump leaves no file behind', async () => {
    const file = join(folder, 'cut.ndjson');
    let interrupt = (): void => undefined;
    const cut = run(['dump', 'words', 'counts', '-o', file], {
      kafka,
      onInterrupt: (end) => {
        interrupt = end;
        return () => undefined;
      },
    });
    interrupt();
    expect((await cut).exitCode).toBe(130);
    expect((await readdir(folder)).filter((name) => name.startsWith('cut'))).toEqual([]);
  });

  it('an interrupted question is not waited for', async () => {
    const never = {
      createClient: () => ({ admin: new Proxy({}, { get: () => () => new Promise(() => {}) }) }),
    };
    let interrupt = (): void => undefined;
    const cut = run(['lag', 'words'], {
      kafka: never as never,
      onInterrupt: (end) => {
        interrupt = end;
        return () => undefined;
      },
    });
    interrupt();
    expect(await cut).toEqual({ exitCode: 130, stdout: '', stderr: '' });
  });

  it('verify finds no difference, then one that was made', async () => {
    const clean = await on('verify', 'words', '--state-dir', stateDir);
    expect(clean).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('No differences in 2 stores.'),
    });
    const task = join(stateDir, 'words', 'instance-0', 'words', '0_0');
    await withRows(task, 'per-minute', async ([row], { put }) => {
      await put(row!.key, Buffer.concat([row!.value.subarray(0, 8), Buffer.from('9')]));
    });
    const damaged = await on('verify', 'words', '--state-dir', stateDir, '--json');
    expect(damaged.exitCode).toBe(1);
    const report = JSON.parse(damaged.stdout) as VerifyReport;
    expect(report.differences).toBe(1);
    expect(report.tasks[0]!.stores.find(({ store }) => store === 'per-minute')!.differences).toMatchObject([
      { kind: 'value', database: { text: '9' } },
    ]);
    const other = await on('verify', 'words', '--state-dir', stateDir, '--store', 'counts');
    expect(other.exitCode).toBe(0);
  });

  it.each<[string, string[], string]>([
    ['a folder without state', ['--state-dir', '/nowhere'], 'MILLRACE_INVALID_CONFIG'],
    ['a task that is not here', ['--task', '7_7'], 'MILLRACE_INVALID_CONFIG'],
    ['a store that is not here', ['--store', 'other'], 'MILLRACE_STORE_UNKNOWN'],
  ])('verify refuses %s', async (_what, args, code) => {
    const { stderr } = await on('verify', 'words', '--state-dir', stateDir, ...args);
    expect(stderr).toContain(code);
  });

  it('reset shows its plan, and says how to do it', async () => {
    const { exitCode, stdout } = await on('reset', 'words', '--state-dir', stateDir);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/lines +0 +4 +0\n/);
    expect(stdout).toContain('words-counts-changelog');
    expect(stdout).toContain('Give --execute');
  });

  it('types writes modules, and checks them', async () => {
    const schema = join(folder, 'flight.avsc');
    await writeFile(
      schema,
      JSON.stringify({ type: 'record', name: 'Flight', fields: [{ name: 'id', type: 'string' }] }),
    );
    expect((await on('types', '--check', schema)).exitCode).toBe(1);
    expect((await on('types', schema)).stdout).toBe(`written    ${schema}.ts\n`);
    expect(await readFile(`${schema}.ts`, 'utf8')).toContain('export type Flight');
    expect(JSON.parse((await on('types', '--check', '--json', schema)).stdout)).toMatchObject([
      { state: 'unchanged' },
    ]);
    await writeFile(schema, '{');
    expect(await on('types', schema)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('flight.avsc'),
    });
  });

  it('describe shows a topology of a module as text, Mermaid and JSON', async () => {
    const file = join(folder, 'topology.mjs');
    const described = {
      describe: 'Topologies:\\n',
      describeAsMermaid: 'flowchart TD',
      describeAsGraph: { subTopologies: [], globalStores: [] },
    };
    const methods = Object.entries(described).map(
      ([name, value]) => `${name}: () => (${JSON.stringify(value).replaceAll('\\\\', '\\')})`,
    );
    await writeFile(file, `export function buildTopology() { return { ${methods.join(', ')} }; }`);
    expect((await run(['describe', file])).stdout).toBe('Topologies:\n');
    expect((await run(['describe', file, '-f', 'mermaid'])).stdout).toBe('flowchart TD\n');
    expect(JSON.parse((await run(['describe', file, '--json'])).stdout)).toEqual(described.describeAsGraph);
  });
});

describe('output', () => {
  it('lines columns up, numbers to the right, and shows what would move the cursor', () => {
    expect(
      table(
        ['NAME', 'LAG'],
        [
          ['a', 5],
          ['longer', 1234],
          [null, null],
        ],
      ),
    ).toBe('NAME     LAG\na          5\nlonger  1234\n-          -\n');
    expect(printable('a\u001b[2Jb')).toBe('a\\x1b[2Jb');
  });

  it('draws a bar only where somebody watches', () => {
    const written: string[] = [];
    const stream = { write: (text: string) => written.push(text), isTTY: false };
    const lines = new Progress(stream, systemClock, true);
    lines.update('work', 1, 10);
    lines.step('done');
    expect(written).toEqual(['done\n']);
    new Progress(stream, systemClock, false).step('silent');
    expect(written).toHaveLength(1);
  });
});
