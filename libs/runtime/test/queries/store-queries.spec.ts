// Queries of every kind of store, on the simulated cluster: what they give, across partitions, and whom they refuse.
import { describe, expect, it } from '@jest/globals';
import { Serdes } from '#libs/serde';
import {
  Materialized,
  SessionWindows,
  Stores,
  StreamsBuilder,
  TimeWindows,
  minutes,
  seconds,
} from '#libs/topology';
import type { Processor, ProcessorContext, ProcessorRecord, Topology } from '#libs/topology';
import { StoreQueryError } from '../../src/index.ts';
import type { StorePage, StoredEntry } from '../../src/index.ts';
import { any, QueryCluster, sessions, table, versions, windows } from './query-cluster.ts';
import type { QueryInstance } from './query-cluster.ts';

const text = { keySerde: Serdes.string(), valueSerde: Serdes.string() };
const PARTITIONS = 3;
const START = Date.UTC(2024, 0, 1);

const ordered = Stores.keyValueStore('ordered', text);
const history = Stores.versionedKeyValueStore('history', { ...text, historyRetentionMs: 3_600_000 });

/** Keeps what it is given in stores of its own. */
class Keeping implements Processor<string, string, never, never> {
  #context!: ProcessorContext<never, never>;

  init(context: ProcessorContext<never, never>): void {
    this.#context = context;
  }

  process({ key, value, timestamp }: ProcessorRecord<string, string>): void {
    this.#context.getStateStore(ordered).put(key, value);
    this.#context.getStateStore(history).put(key, value, timestamp);
  }
}

function topology(): Topology {
  const builder = new StreamsBuilder();
  const records = builder.stream<string, string>('in', text);
  const byKey = records.groupByKey(text);
  byKey.reduce((_old, value) => value, Materialized.as('last'));
  byKey
    .windowedBy(TimeWindows.ofSizeAndGrace(minutes(1), minutes(1)))
    .count({ ...Materialized.as('per-minute'), retentionMs: 600_000 });
  byKey.windowedBy(SessionWindows.ofInactivityGapAndGrace(seconds(30), minutes(1))).count({
    ...Materialized.as('visits'),
    retentionMs: 600_000,
  });
  records.process(Keeping, 'keeping', ordered, history);
  builder.table<string, string>('versions-in', text, {
    ...Materialized.as('table-history'),
    versioned: { historyRetentionMs: 3_600_000 },
  });
  builder.globalTable<string, string>('global-in', text, Materialized.as('everywhere'));
  return builder.build();
}

async function started(instances = 1): Promise<{ cluster: QueryCluster; one: QueryInstance }> {
  const cluster = new QueryCluster({ in: PARTITIONS, 'versions-in': PARTITIONS, 'global-in': 2 }, topology);
  const one = await cluster.start('one');
  for (let i = 1; i < instances; i++) await cluster.start(`i${i}`);
  await cluster.settle();
  return { cluster, one };
}

/** Puts records where Kafka's clients would. */
async function feed(
  { cluster, one }: { cluster: QueryCluster; one: QueryInstance },
  topic: string,
  store: string,
  records: readonly (readonly [string, string | null, number?])[],
): Promise<void> {
  for (const record of records) {
    const { partition } = await any(one, store).metadataForKey(record[0]);
    cluster.append(topic, partition!, record);
  }
  await cluster.settle();
}

const NAMES = Array.from({ length: 40 }, (_, i) => `name-${String(i).padStart(2, '0')}`);

describe('a key-value store', () => {
  it('gives values by key, by range, by prefix and all, in one order over its partitions', async () => {
    const at = await started();
    await feed(
      at,
      'in',
      'last',
      NAMES.map((name) => [name, `of ${name}`, START]),
    );
    const { cluster, one } = at;
    const store = table(one, 'last');
    const run = <T>(promise: Promise<T>): Promise<T> => cluster.run(promise);
    expect(await run(store.get('name-07'))).toBe('of name-07');
    expect(await run(store.get('nobody'))).toBeNull();
    expect(await run(store.entry('name-07'))).toMatchObject({ key: 'name-07', timestamp: START });
    expect(await run(store.getMany(['name-01', 'nobody', 'name-02']))).toEqual([
      'of name-01',
      null,
      'of name-02',
    ]);
    const all = await run(store.all());
    expect(all.entries.map(({ key }) => key)).toEqual(NAMES);
    expect(all).toMatchObject({ cursor: null, missing: [] });
    expect(all.sources.map(({ partition, role }) => [partition, role])).toEqual([
      [0, 'active'],
      [1, 'active'],
      [2, 'active'],
    ]);
    expect(new Set(all.entries.map(({ partition }) => partition)).size).toBe(PARTITIONS);
    const range = await run(store.range({ lower: 'name-10', upper: 'name-12' }));
    expect(range.entries.map(({ key }) => key)).toEqual(['name-10', 'name-11', 'name-12']);
    const reverse = await run(store.range({ upper: 'name-12', reverse: true, limit: 2 }));
    expect(reverse.entries.map(({ key }) => key)).toEqual(['name-12', 'name-11']);
    const prefix = await run(store.prefix('name-3'));
    expect(prefix.entries.map(({ key }) => key)).toEqual(NAMES.slice(30));
    expect(await run(store.count())).toBe(NAMES.length);
    expect(await run(store.approximateCount())).toBe(NAMES.length);
  });

  it.each([false, true])('goes on where a page ended, whatever its length (reverse: %s)', async (reverse) => {
    const at = await started();
    await feed(
      at,
      'in',
      'last',
      NAMES.map((name) => [name, 'x', START]),
    );
    const store = table(at.one, 'last');
    for (const limit of [1, 7, 39, 40, 41]) {
      const found: string[] = [];
      let cursor: string | null = null;
      do {
        const page: StorePage<StoredEntry<string, string>> = await at.cluster.run(
          store.all({ limit, cursor, reverse }),
        );
        expect(page.entries.length).toBeLessThanOrEqual(limit);
        found.push(...page.entries.map(({ key }) => key));
        ({ cursor } = page);
      } while (cursor !== null);
      expect(found).toEqual(reverse ? NAMES.toReversed() : NAMES);
    }
  });

  it('refuses what it cannot answer, by code', async () => {
    const { one, cluster } = await started();
    const store = table(one, 'last');
    const code = async (promise: Promise<unknown>): Promise<string> =>
      cluster.run(promise).then(
        () => 'answered',
        (error: unknown) => (error instanceof StoreQueryError ? error.code : String(error)),
      );
    expect(await code(store.all({ limit: 0 }))).toBe('MILLRACE_QUERY_INVALID');
    expect(await code(store.all({ limit: 10_001 }))).toBe('MILLRACE_QUERY_INVALID');
    expect(await code(store.all({ cursor: 'garbage' }))).toBe('MILLRACE_QUERY_INVALID');
    expect(await code(store.get('x', { partition: 9 }))).toBe('MILLRACE_QUERY_INVALID');
    expect(await code(store.get(null as never))).toBe('MILLRACE_QUERY_INVALID');
    expect(await code(store.get(5 as never))).toBe('MILLRACE_QUERY_INVALID');
    expect(await code(table(one, 'nothing').get('x'))).toBe('MILLRACE_STORE_UNKNOWN');
    expect(await code(table(one, 'per-minute').get('x'))).toBe('MILLRACE_QUERY_INVALID');
    expect(await code(windows(one, 'last').get('x', 0))).toBe('MILLRACE_QUERY_INVALID');
    await cluster.run(one.runtime.stop());
    expect(await code(store.get('x'))).toBe('MILLRACE_STORE_NOT_RUNNING');
  });
});

describe('an ordered store, and a versioned one, of a processor', () => {
  it('are read as a table is, and by time', async () => {
    const at = await started();
    const { cluster, one } = at;
    await feed(at, 'in', 'ordered', [
      ['a', 'first', START + 10],
      ['a', 'second', START + 20],
      ['b', 'only', START + 15],
    ]);
    const store = table(one, 'ordered');
    expect(await cluster.run(store.get('a'))).toBe('second');
    expect((await cluster.run(store.all())).entries.map(({ key }) => key)).toEqual(['a', 'b']);
    expect((await cluster.run(store.range({ lower: 'b' }))).entries).toHaveLength(1);
    expect((await cluster.run(store.prefix('a'))).entries).toHaveLength(1);
    const kept = versions(one, 'history');
    expect((await cluster.run(kept.get('a')))?.value).toBe('second');
    expect((await cluster.run(kept.get('a', { asOf: START + 12 })))?.value).toBe('first');
    expect(await cluster.run(kept.get('a', { asOf: START + 5 }))).toBeNull();
    expect((await cluster.run(kept.history('a'))).entries).toHaveLength(2);
  });
});

describe('a window store', () => {
  it('gives windows of a key and of all keys, by time, without those that are forgotten', async () => {
    const at = await started();
    const { cluster, one } = at;
    const minute = (n: number): number => START + n * 60_000;
    const visits = [0, 1, 1, 3].flatMap((n) =>
      ['a', 'b', 'c'].map((key): [string, string, number] => [key, 'x', minute(n) + 5]),
    );
    await feed(at, 'in', 'per-minute', visits);
    const store = windows(one, 'per-minute');
    expect(await cluster.run(store.get('a', minute(1)))).toBe(2);
    expect(await cluster.run(store.get('a', minute(2)))).toBeNull();
    const some = await cluster.run(store.fetch('b', { fromTime: minute(1), toTime: minute(3) }));
    expect(some.entries.map(({ window, value }) => [window.start, window.end, value])).toEqual([
      [minute(1), minute(2), 2],
      [minute(3), minute(4), 1],
    ]);
    const all = await cluster.run(store.fetchAll({ fromTime: minute(1), toTime: minute(2) }));
    expect(all.entries.map(({ key, value }) => [key, value])).toEqual([
      ['a', 2],
      ['b', 2],
      ['c', 2],
    ]);
    // Time goes on for one key, so for its partition.
    await feed(at, 'in', 'per-minute', [['a', 'x', minute(30)]]);
    const later = await cluster.run(store.fetch('a'));
    expect(later.entries.map(({ window }) => window.start)).toEqual([minute(30)]);
    expect(await cluster.run(store.get('a', minute(1)))).toBeNull();
  });
});

describe('a session store', () => {
  it('gives sessions of a key by their bounds, and of all keys', async () => {
    const at = await started();
    const { cluster, one } = at;
    const s = (n: number): number => START + n * 1_000;
    await feed(at, 'in', 'visits', [
      ['a', 'x', s(0)],
      ['a', 'x', s(20)],
      ['a', 'x', s(100)],
      ['b', 'x', s(5)],
    ]);
    const store = sessions(one, 'visits');
    expect(await cluster.run(store.get('a', s(0), s(20)))).toBe(2);
    const found = await cluster.run(store.fetch('a'));
    expect(found.entries.map(({ window }) => [window.start, window.end])).toEqual([
      [s(0), s(20)],
      [s(100), s(100)],
    ]);
    const late = await cluster.run(store.fetch('a', { earliestEnd: s(50) }));
    expect(late.entries).toHaveLength(1);
    const early = await cluster.run(store.fetch('a', { latestStart: s(50) }));
    expect(early.entries.map(({ window }) => window.start)).toEqual([s(0)]);
    expect((await cluster.run(store.fetchAll())).entries).toHaveLength(3);
  });
});

describe('a versioned table', () => {
  it('gives the newest version, the one valid at a time, and all of a key', async () => {
    const at = await started();
    const { cluster, one } = at;
    await feed(at, 'versions-in', 'table-history', [
      ['a', 'first', START + 10],
      ['a', 'second', START + 20],
      ['a', null, START + 30],
      ['a', 'fourth', START + 40],
      ['b', 'only', START + 15],
    ]);
    const store = versions(one, 'table-history');
    const asOf = async (time: number): Promise<string | null> =>
      (await cluster.run(store.get('a', { asOf: START + time })))?.value ?? null;
    expect((await cluster.run(store.get('a')))?.value).toBe('fourth');
    expect([
      await asOf(5),
      await asOf(10),
      await asOf(19),
      await asOf(25),
      await asOf(35),
      await asOf(99),
    ]).toEqual([null, 'first', 'first', 'second', null, 'fourth']);
    const all = await cluster.run(store.history('a'));
    expect(all.entries.map(({ value, timestamp }) => [value, timestamp - START])).toEqual([
      ['first', 10],
      ['second', 20],
      ['fourth', 40],
    ]);
  });
});

describe('a global table', () => {
  it('is whole on every instance', async () => {
    const at = await started(2);
    const { cluster } = at;
    cluster.append('global-in', 0, ['a', '1'], ['c', '3']);
    cluster.append('global-in', 1, ['b', '2'], ['d', '4'], ['d', null]);
    await cluster.settle();
    for (const instance of cluster.instances) {
      const store = table(instance, 'everywhere');
      expect(await cluster.run(store.get('b'))).toBe('2');
      const page = await cluster.run(store.all({ limit: 2 }));
      expect(page.entries.map(({ key }) => key)).toEqual(['a', 'b']);
      const rest = await cluster.run(store.all({ limit: 2, cursor: page.cursor }));
      expect(rest.entries.map(({ key }) => key)).toEqual(['c']);
      expect(rest.cursor).toBeNull();
      expect(await cluster.run(store.count())).toBe(3);
    }
  });
});
