// Queries beside rebalances, on the simulated cluster: who has what, standby reads, refusals, feeds of changes.
import { describe, expect, it } from '@jest/globals';
import { Serdes } from '#libs/serde';
import { Materialized, StreamsBuilder } from '#libs/topology';
import type { Topology } from '#libs/topology';
import { StoreQueryError } from '../../src/index.ts';
import type { ChangeOptions, StoreChange, StoredEntry } from '../../src/index.ts';
import { any, QueryCluster, table } from './query-cluster.ts';
import type { QueryInstance } from './query-cluster.ts';

const text = { keySerde: Serdes.string(), valueSerde: Serdes.string() };
const PARTITIONS = 4;
const NAMES = Array.from({ length: 40 }, (_, i) => `name-${String(i).padStart(2, '0')}`);

function topology(): Topology {
  const builder = new StreamsBuilder();
  builder
    .stream<string, string>('in', text)
    .groupByKey(text)
    .reduce((_old, value) => value, Materialized.as('last'));
  builder.table<string, string>('rates-in', text, Materialized.as('rates'));
  return builder.build();
}

async function started(
  count: number,
  options: Parameters<QueryCluster['start']>[1] = {},
): Promise<{ cluster: QueryCluster; all: QueryInstance[] }> {
  const cluster = new QueryCluster({ in: PARTITIONS, 'rates-in': PARTITIONS }, topology);
  for (let i = 0; i < count; i++) await cluster.start(`i${i}`, options);
  await cluster.settle();
  return { cluster, all: [...cluster.instances] };
}

async function feed(
  cluster: QueryCluster,
  topic: string,
  values: readonly [string, string | null][],
): Promise<void> {
  for (const [key, value] of values) {
    const { partition } = await any(cluster.instances[0]!, 'last').metadataForKey(key);
    cluster.append(topic, partition!, [key, value]);
  }
  await cluster.settle();
}

async function refusal(cluster: QueryCluster, promise: Promise<unknown>): Promise<StoreQueryError> {
  const error = await cluster.run(promise.then(() => null).catch((thrown: unknown) => thrown));
  if (!(error instanceof StoreQueryError)) throw new Error(`no refusal, but ${String(error)}`);
  return error;
}

describe('an application of several instances', () => {
  it('knows on each of them who has which key, and refuses what is elsewhere by its address', async () => {
    const { cluster, all } = await started(3);
    await feed(
      cluster,
      'in',
      NAMES.map((name) => [name, name]),
    );
    const found = new Map<string, string>();
    for (const one of all) {
      const store = table(one, 'last');
      for (const name of NAMES) {
        const { active, isLocal } = await store.metadataForKey(name);
        expect(active).not.toBeNull();
        expect(found.get(name) ?? active).toBe(active);
        found.set(name, active!);
        expect(isLocal).toBe(active === `${one.id}:8080`);
        if (isLocal) {
          expect(await cluster.run(store.get(name))).toBe(name);
        } else {
          const error = await refusal(cluster, store.get(name));
          expect(error).toMatchObject({ code: 'MILLRACE_STORE_ELSEWHERE', owner: active });
          expect(error.retryAfterMs).toBeGreaterThan(0);
        }
      }
      const partitions = store.metadata().flatMap(({ activePartitions }) => activePartitions);
      expect(partitions.sort()).toEqual([0, 1, 2, 3]);
    }
    expect(new Set(found.values()).size).toBe(3);
  });

  it('reads here what is here, and names what is missing', async () => {
    const { cluster, all } = await started(2);
    await feed(
      cluster,
      'in',
      NAMES.map((name) => [name, name]),
    );
    const keys: string[] = [];
    for (const one of all) {
      const page = await cluster.run(table(one, 'last').all());
      keys.push(...page.entries.map(({ key }) => key));
      expect(page.sources.length + page.missing.length).toBe(PARTITIONS);
      expect(page.missing.every(({ code }) => code === 'MILLRACE_STORE_ELSEWHERE')).toBe(true);
    }
    expect(keys.sort()).toEqual(NAMES);
  });

  it('keeps a handle good while the tasks move, and learns where they went', async () => {
    const { cluster, all } = await started(1);
    const store = table(all[0]!, 'last');
    await feed(
      cluster,
      'in',
      NAMES.map((name) => [name, name]),
    );
    expect((await cluster.run(store.all())).entries).toHaveLength(NAMES.length);
    const two = await cluster.start('late');
    await cluster.settle();
    await cluster.advance(20_000);
    await cluster.settle();
    const here = (await cluster.run(store.all())).entries.length;
    const there = (await cluster.run(table(two, 'last').all())).entries.length;
    expect(there).toBeGreaterThan(0);
    expect(here + there).toBe(NAMES.length);
    cluster.kill(two);
    await cluster.advance(20_000);
    await cluster.settle();
    expect((await cluster.run(store.all())).entries).toHaveLength(NAMES.length);
    expect(store.metadata()).toHaveLength(1);
  });

  it('says that it rebalances while a task is nowhere, and answers from the standby copy meanwhile', async () => {
    const { cluster, all } = await started(2, { numStandbys: 1 });
    await feed(
      cluster,
      'in',
      NAMES.map((name) => [name, name]),
    );
    await cluster.advance(5_000);
    const [one, two] = all;
    const store = table(one!, 'last');
    const theirs = [];
    for (const name of NAMES) if (!(await store.metadataForKey(name)).isLocal) theirs.push(name);
    expect(theirs.length).toBeGreaterThan(0);
    expect(await store.metadataForKey(theirs[0]!)).toMatchObject({
      active: 'i1:8080',
      standbys: ['i0:8080'],
    });
    cluster.kill(two!);
    for (const name of theirs) {
      expect(await cluster.run(store.get(name, { from: 'activeOrStandby', maxLag: 0 }))).toBe(name);
      expect((await refusal(cluster, store.get(name))).code).toBe('MILLRACE_STORE_ELSEWHERE');
    }
    const page = await cluster.run(store.all({ from: 'activeOrStandby' }));
    expect(page.entries).toHaveLength(NAMES.length);
    expect(new Set(page.sources.map(({ role }) => role))).toEqual(new Set(['active', 'standby']));
    await cluster.advance(20_000);
    await cluster.settle();
    for (const name of theirs) expect(await cluster.run(store.get(name))).toBe(name);
  });

  it('does not read a copy that does not know how far it is behind, unless that is allowed', async () => {
    const { cluster, all } = await started(2, { numStandbys: 1 });
    await feed(
      cluster,
      'in',
      NAMES.map((name) => [name, name]),
    );
    await cluster.advance(5_000);
    const store = table(all[0]!, 'last');
    const name = (await theirsOf(store))[0]!;
    // The brokers are away: the copy hears of no end any more.
    for (const node of [0, 1, 2, 3]) cluster.cluster.stopBroker(node);
    await cluster.advance(12_000);
    const error = await refusal(cluster, store.get(name, { from: 'activeOrStandby', maxLag: 1_000 }));
    expect(error).toMatchObject({ code: 'MILLRACE_STANDBY_TOO_STALE', owner: 'i1:8080' });
    expect(await cluster.run(store.get(name, { from: 'activeOrStandby', maxLag: Infinity }))).toBe(name);
  });
});

async function theirsOf(store: ReturnType<typeof table>): Promise<string[]> {
  const theirs = [];
  for (const name of NAMES) if (!(await store.metadataForKey(name)).isLocal) theirs.push(name);
  return theirs;
}

type Change = StoreChange<StoredEntry<string, string>>;

/** Follows until it is stopped. */
function follow(
  one: QueryInstance,
  store: string,
  options: ChangeOptions = {},
): { readonly seen: Change[]; readonly stop: () => void; readonly done: Promise<unknown> } {
  const abort = new AbortController();
  const seen: Change[] = [];
  const run = async (): Promise<void> => {
    for await (const change of table(one, store).changes({ ...options, signal: abort.signal }))
      seen.push(change);
  };
  const done = run().catch((error: unknown) => error);
  return { seen, stop: () => abort.abort(), done };
}

describe('a feed of changes', () => {
  it('gives committed changes of all partitions, and goes on where it was left', async () => {
    const { cluster, all } = await started(2);
    const feeding = follow(all[0]!, 'last');
    await cluster.advance(1_000);
    await feed(cluster, 'in', [
      ['a', '1'],
      ['b', '1'],
      ['c', '1'],
      ['d', '1'],
      ['e', '1'],
    ]);
    await cluster.advance(2_000);
    expect(feeding.seen.map(({ entry }) => entry.key).sort()).toEqual(['a', 'b', 'c', 'd', 'e']);
    const middle = feeding.seen[2]!;
    feeding.stop();
    await cluster.run(feeding.done);
    await feed(cluster, 'in', [['a', '2']]);
    const again = follow(all[1]!, 'last', { resume: middle.resume });
    await cluster.advance(2_000);
    again.stop();
    await cluster.run(again.done);
    const missed = feeding.seen.slice(3).map(({ entry }) => `${entry.key}${entry.value}`);
    const given = again.seen.map(({ entry }) => `${entry.key}${entry.value}`);
    expect(given.sort()).toEqual([...missed, 'a2'].sort());
  });

  it('follows what a read has left out: from the positions of the answer on nothing is missed', async () => {
    const { cluster, all } = await started(1);
    await feed(cluster, 'in', [
      ['a', '1'],
      ['b', '1'],
    ]);
    const page = await cluster.run(table(all[0]!, 'last').all());
    await feed(cluster, 'in', [
      ['b', '2'],
      ['c', '1'],
    ]);
    const since = new Map(page.sources.map(({ partition, position }) => [partition, position ?? 0]));
    const feeding = follow(all[0]!, 'last', { since });
    await cluster.advance(2_000);
    feeding.stop();
    await cluster.run(feeding.done);
    expect(feeding.seen.map(({ entry }) => `${entry.key}${entry.value}`).sort()).toEqual(['b2', 'c1']);
  });

  it('of a table made of its topic gives what the group has committed, deletions too', async () => {
    const { cluster, all } = await started(1);
    const feeding = follow(all[0]!, 'rates', { since: 'earliest' });
    await feed(cluster, 'rates-in', [
      ['eur', '1'],
      ['usd', '2'],
    ]);
    await feed(cluster, 'rates-in', [['eur', null]]);
    await cluster.advance(3_000);
    feeding.stop();
    await cluster.run(feeding.done);
    expect(feeding.seen.map(({ entry, deleted }) => [entry.key, entry.value, deleted])).toEqual([
      ['eur', '1', false],
      ['usd', '2', false],
      ['eur', null, true],
    ]);
  });

  it('of this instance follows its tasks as they come', async () => {
    const { cluster, all } = await started(2);
    const feeds = all.map((one) => follow(one, 'last', { scope: 'local' }));
    await cluster.advance(1_000);
    await feed(
      cluster,
      'in',
      NAMES.map((name) => [name, 'x']),
    );
    await cluster.advance(2_000);
    for (const one of feeds) expect(one.seen.length).toBeGreaterThan(0);
    expect(feeds.flatMap(({ seen }) => seen.map(({ entry }) => entry.key)).sort()).toEqual(NAMES);
    for (const one of feeds) one.stop();
    await cluster.run(Promise.all(feeds.map(({ done }) => done)));
  });

  it('refuses a place that is none', async () => {
    const { cluster, all } = await started(1);
    const bad = follow(all[0]!, 'last', { resume: 'no place' });
    expect(await cluster.run(bad.done)).toMatchObject({ code: 'MILLRACE_QUERY_INVALID' });
    const beyond = follow(all[0]!, 'last', { resume: 'z.1' });
    expect(await cluster.run(beyond.done)).toMatchObject({ code: 'MILLRACE_QUERY_INVALID' });
  });
});
