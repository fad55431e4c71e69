// Specifies queries over HTTP on RocksDB and a real broker: two processes that forward to each other, one of them killed, the copies of what it
// had read meanwhile, and a feed of changes that goes on elsewhere.
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { createKafkaClient } from '#libs/kafka';
import { silentLogger, systemClock } from '#libs/core';
import { describeWithBroker, uniqueName } from '../support/broker.ts';
import { startNode } from '../support/child-process.ts';
import type { RunningProcess } from '../support/child-process.ts';
import { KEYS, PARTITIONS, committed, createTopics, produce } from '../support/sums-input.ts';

const SCRIPT = join(import.meta.dirname, '../support/query-process.ts');
const RECORDS = 1_000;

interface Page {
  readonly entries: { readonly key: string; readonly value: number }[];
  readonly complete: boolean;
  readonly sources: { readonly role: string }[];
}

interface Instance {
  readonly process: RunningProcess;
  readonly url: string;
}

describeWithBroker('queries of instances in processes of their own', (broker) => {
  const folders: string[] = [];
  const processes: RunningProcess[] = [];
  let input: string;
  let output: string;
  let applicationId: string;

  beforeEach(async () => {
    [input, output, applicationId] = [uniqueName('in'), uniqueName('out'), uniqueName('app')];
    await createTopics(broker(), input, output);
  });

  afterEach(async () => {
    for (const process of processes.splice(0)) await process.end('SIGKILL');
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
  });

  async function start(
    instanceId: string,
    groupProtocol: 'classic' | 'streams' = 'classic',
  ): Promise<Instance> {
    const stateDir = await mkdtemp(join(tmpdir(), 'millrace-queries-'));
    folders.push(stateDir);
    const port = await freePort();
    const { bootstrapServers: brokers } = broker();
    const options = { applicationId, instanceId, brokers, input, output, stateDir, port };
    const process = startNode([
      '--conditions=millrace-source',
      '--disable-warning=ExperimentalWarning',
      SCRIPT,
      JSON.stringify({
        ...options,
        groupProtocol,
        ...(groupProtocol === 'classic' ? { numStandbys: 1, sessionTimeoutMs: 20_000 } : {}),
      }),
    ]);
    processes.push(process);
    await process.until(/RUNNING/);
    return { process, url: `http://127.0.0.1:${port}` };
  }

  it('answer for each other, from the standby copies when one is killed, and go on where a feed was left', async () => {
    const [one, two] = [await start('one'), await start('two')];
    await produce(broker(), input, 0, RECORDS);
    const { bootstrapServers: brokers } = broker();
    const client = createKafkaClient({ brokers }, { clock: systemClock, logger: silentLogger });
    await committed(client, applicationId, input, RECORDS);
    await client.close();

    // Each has a part, and each gives all of it.
    await until(async () => (await shareOf(one)) > 0 && (await shareOf(two)) > 0);
    for (const { url } of [one, two]) {
      await until(async () => (await page(url, '')).complete);
      const { entries } = await page(url, '');
      expect(Object.fromEntries(entries.map(({ key, value }) => [key, value]))).toEqual(sums());
      const sum = (await json(`${url}/stores/sums/keys/k7`)) as { entry: { value: number } };
      expect(sum.entry.value).toBe(sums()['k7']);
    }

    const feed = await changesUntil(`${two.url}/stores/sums/changes?since=earliest`, KEYS);
    await until(async () => {
      const { entries } = await page(one.url, '&scope=local&from=activeOrStandby');
      return entries.length === KEYS;
    });
    await two.process.end('SIGKILL');

    // Nobody has what it had until its session is over, but for the copies.
    const part = await page(one.url, '');
    expect(part.complete).toBe(false);
    expect(part.entries.length).toBeLessThan(KEYS);
    const whole = await page(one.url, '&from=activeOrStandby');
    expect(whole.complete).toBe(true);
    expect(whole.sources.map(({ role }) => role).sort()).toContain('standby');
    expect(Object.fromEntries(whole.entries.map(({ key, value }) => [key, value]))).toEqual(sums());

    // What changes from now on comes from the one that is left, to who names the place it had reached.
    await until(async () => (await page(one.url, '')).complete, 60_000);
    await produce(broker(), input, RECORDS, KEYS);
    const rest = await changesUntil(`${one.url}/stores/sums/changes?resume=${feed.id}`, KEYS);
    expect(rest.keys.size).toBe(KEYS);
  });

  it('answer for each other where the broker assigns the tasks: it tells each of the others', async () => {
    const [one, two] = [await start('one', 'streams'), await start('two', 'streams')];
    await produce(broker(), input, 0, RECORDS);
    await until(async () => (await shareOf(one)) > 0 && (await shareOf(two)) > 0, 60_000);
    for (const { url } of [one, two]) {
      await until(async () => {
        const { complete, entries } = await page(url, '');
        const found = Object.fromEntries(entries.map(({ key, value }) => [key, value]));
        return complete && Object.entries(sums()).every(([key, value]) => found[key] === value);
      }, 60_000);
    }
  });
});

/** What the sums of the first records are. */
function sums(): Record<string, number> {
  const all: Record<string, number> = {};
  for (let i = 0; i < RECORDS; i++) all[`k${i % KEYS}`] = (all[`k${i % KEYS}`] ?? 0) + i;
  return all;
}

async function json(url: string): Promise<unknown> {
  const answer = await fetch(url);
  return answer.json();
}

async function page(url: string, more: string): Promise<Page> {
  const answer = (await json(`${url}/stores/sums/entries?limit=1000${more}`)) as Partial<Page>;
  const { entries = [], complete = false, sources = [] } = answer;
  return { entries, complete, sources };
}

async function shareOf({ url }: Instance): Promise<number> {
  const { sources } = await page(url, '&scope=local');
  return sources.length < PARTITIONS ? sources.length : 0;
}

/** Follows a feed until so many keys have changed. */
async function changesUntil(url: string, count: number): Promise<{ id: string; keys: Set<string> }> {
  const abort = new AbortController();
  const answer = await fetch(url, { signal: abort.signal });
  const keys = new Set<string>();
  let id = '';
  let rest = '';
  for await (const chunk of answer.body! as unknown as AsyncIterable<Uint8Array>) {
    rest += Buffer.from(chunk).toString('utf8');
    const blocks = rest.split('\n\n');
    rest = blocks.pop()!;
    for (const block of blocks) {
      const [, at, data] = /^id: (.*)\nevent: change\ndata: (.*)$/.exec(block) ?? [];
      if (at === undefined || data === undefined) continue;
      id = at;
      keys.add((JSON.parse(data) as { key: string }).key);
    }
    if (keys.size >= count) break;
  }
  abort.abort();
  return { id, keys };
}

async function until(condition: () => Promise<boolean>, limitMs = 30_000): Promise<void> {
  const endsAt = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > endsAt) throw new Error(`not within ${limitMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
