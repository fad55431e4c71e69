import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { compileCodec, Serdes } from '#libs/serde';
import { Stores } from '#libs/topology';
import type { StateStore, StoreBuilder } from '#libs/topology';
import { versionSerde, NO_VALUE } from '../src/stores/versioned-store.ts';
import { driverOverStream, integer, text } from './fixtures.ts';

/** A store outside of a running record: its face, and what it wrote. */
function opened<S extends StateStore>(builder: StoreBuilder<S>): S {
  let store: S | null = null;
  const driver = driverOverStream((stream) =>
    stream.process(
      (_record, context) => {
        store = context.getStateStore(builder);
      },
      'opening',
      builder,
    ),
  );
  driver.pipe('in', 'k', 'v', 1000);
  return store!;
}

const serdes = { keySerde: text, valueSerde: integer };

describe('a key-value store', () => {
  it.each([true, false])('gets, puts and deletes (ordered: %s)', (ordered) => {
    const store = opened(
      ordered ? Stores.keyValueStore('s', serdes) : Stores.keyValueStore('s', { ...serdes, ordered }),
    );
    expect(store.get('a')).toBeNull();
    expect(store.putIfAbsent('a', 1)).toBeNull();
    expect(store.putIfAbsent('a', 2)).toBe(1);
    store.put('b', 3, 50);
    expect(store.getWithTimestamp('b')).toEqual({ value: 3, timestamp: 50 });
    store.putAll([
      ['a', null],
      ['c', 4],
    ]);
    expect([store.get('a'), store.delete('c'), store.get('c'), store.delete('c')]).toEqual([
      null,
      4,
      null,
      null,
    ]);
    expect(() => store.get(null as never)).toThrow('the key is null');
  });

  it('gives ranges in order of the keys, both ends included', () => {
    const store = opened(Stores.keyValueStore('s', serdes));
    for (const [index, key] of ['b', 'a', 'ab', 'c', 'ä'].entries()) store.put(key, index);
    const keys = (entries: readonly (readonly [string, number])[]): string =>
      entries.map(([key]) => key).join(' ');
    expect(keys(store.all())).toBe('a ab b c ä');
    expect(keys(store.reverseAll())).toBe('ä c b ab a');
    expect(keys(store.range('ab', 'c'))).toBe('ab b c');
    expect(keys(store.range(null, 'a'))).toBe('a');
    expect(keys(store.reverseRange('b', null))).toBe('ä c b');
    expect(keys(store.range('c', 'a'))).toBe('');
    expect(keys(store.prefixScan('a'))).toBe('a ab');
    expect(keys(store.prefixScan('ä'))).toBe('ä');
    expect(keys(store.prefixScan(Buffer.from([0xff])))).toBe('');
    expect(store.range('a', 'a')).toEqual([['a', 1]]);
  });

  it('is a Map with sorted keys, whatever is done to it', () => {
    const key = fc.string({ maxLength: 3, unit: fc.constantFrom('a', 'b', '\u00ff', '\u{10000}') });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(key, fc.option(fc.integer({ min: 0, max: 9 })))),
        key,
        key,
        (puts, from, to) => {
          const store = opened(Stores.keyValueStore('s', serdes));
          const model = new Map<string, number>();
          store.putAll(puts);
          for (const [name, value] of puts) {
            if (value === null) model.delete(name);
            else model.set(name, value);
          }
          const bytes = (name: string): string => Buffer.from(name).toString('hex');
          const sorted = [...model].sort(([a], [b]) => (bytes(a) < bytes(b) ? -1 : 1));
          expect(store.all()).toEqual(sorted);
          expect(store.range(from, to)).toEqual(
            sorted.filter(([name]) => bytes(name) >= bytes(from) && bytes(name) <= bytes(to)),
          );
          expect(store.prefixScan(from)).toEqual(sorted.filter(([name]) => name.startsWith(from)));
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe('a window store', () => {
  const builder = Stores.windowStore('w', { ...serdes, retentionMs: 100, windowSizeMs: 10 });

  it('fetches by start and by range', () => {
    const store = opened(builder);
    for (const [start, value] of [
      [20, 2],
      [0, 0],
      [10, 1],
    ] as const) {
      store.put('a', value, start);
    }
    store.put('b', 9, 10);
    expect(store.fetch('a', 10)).toBe(1);
    expect(store.fetch('a', 11)).toBeNull();
    expect(store.fetch('a', 0, 10)).toEqual([
      [0, 0],
      [10, 1],
    ]);
    expect(store.backwardFetch('a', 5, 20)).toEqual([
      [20, 2],
      [10, 1],
    ]);
    store.put('a', null, 10);
    expect(store.fetch('a', 0, 1000)).toEqual([
      [0, 0],
      [20, 2],
    ]);
  });

  it('forgets what is older than its retention, and does not take it', () => {
    const store = opened(builder);
    store.put('a', 1, 50);
    store.put('b', 1, 149);
    expect(store.fetch('a', 50)).toBe(1);
    store.put('b', 1, 150);
    expect(store.fetch('a', 50)).toBeNull();
    expect(store.fetch('a', 0, 200)).toEqual([]);
    store.put('a', 1, 50);
    store.put('a', 2, 51);
    expect(store.fetch('a', 0, 200)).toEqual([[51, 2]]);
  });

  it('keeps duplicates when asked to', () => {
    const store = opened(
      Stores.windowStore('w', { ...serdes, retentionMs: 100, windowSizeMs: 10, retainDuplicates: true }),
    );
    for (const value of [3, 1, 2]) store.put('a', value, 10);
    store.put('a', null, 10);
    expect(store.fetch('a', 10, 10).map(([, value]) => value)).toEqual([3, 1, 2]);
    expect(store.fetch('a', 10)).toBe(3);
  });
});

describe('a session store', () => {
  it('finds sessions that overlap, by their end', () => {
    const store = opened(Stores.sessionStore('s', { ...serdes, retentionMs: 100 }));
    for (const [start, end, value] of [
      [30, 40, 3],
      [0, 10, 1],
      [12, 20, 2],
    ] as const) {
      store.put('a', { start, end }, value);
    }
    expect(store.findSessions('a', 10, 12)).toEqual([
      [{ start: 0, end: 10 }, 1],
      [{ start: 12, end: 20 }, 2],
    ]);
    expect(store.backwardFetch('a').map(([, value]) => value)).toEqual([3, 2, 1]);
    expect(store.fetchSession('a', 12, 20)).toBe(2);
    store.remove('a', { start: 12, end: 20 });
    expect(store.fetchSession('a', 12, 20)).toBeNull();
    store.put('b', { start: 0, end: 110 }, 1);
    expect(store.fetch('a').map(([, value]) => value)).toEqual([3]);
    expect(store.fetchSession('a', 0, 10)).toBeNull();
  });
});

describe('a versioned store', () => {
  const history = 20;

  it('gives the value as of a time', () => {
    const store = opened(Stores.versionedKeyValueStore('v', { ...serdes, historyRetentionMs: history }));
    expect(store.put('a', 1, 10)).toBeNull();
    expect(store.put('a', 3, 30)).toBeNull();
    expect(store.put('a', 2, 20)).toBe(30);
    expect(store.put('a', 0, 9)).toBe(false);
    expect(store.get('a')).toEqual({ value: 3, timestamp: 30, validTo: null });
    expect(store.get('a', 29)).toEqual({ value: 2, timestamp: 20, validTo: 30 });
    expect(store.get('a', 9)).toBeNull();
    expect(store.delete('a', 25)).toEqual({ value: 2, timestamp: 20, validTo: 30 });
    expect(store.get('a', 27)).toBeNull();
    store.put('b', 1, 60);
    expect(store.get('a', 35)).toEqual({ value: 3, timestamp: 30, validTo: null });
    expect(store.get('a', 29)).toBeNull();
  });

  it('is the list of all versions, as far back as its history', () => {
    const time = fc.integer({ min: 0, max: 60 });
    const put = fc.tuple(fc.constantFrom('a', 'b'), fc.option(fc.integer({ min: 0, max: 9 })), time);
    fc.assert(
      fc.property(fc.array(put, { maxLength: 30 }), time, (puts, asOf) => {
        const store = opened(Stores.versionedKeyValueStore('v', { ...serdes, historyRetentionMs: history }));
        const versions = new Map<string, Map<number, number | null>>([
          ['a', new Map()],
          ['b', new Map()],
        ]);
        let now = -1;
        for (const [key, value, at] of puts) {
          const taken = at >= now - history;
          expect(store.put(key, value, at) !== false).toBe(taken);
          if (!taken) continue;
          now = Math.max(now, at);
          versions.get(key)!.set(at, value);
        }
        for (const [key, all] of versions) {
          const sorted = [...all].sort(([x], [y]) => x - y);
          const valid = sorted.filter(([at]) => at <= asOf).at(-1);
          const isNewest = valid !== undefined && valid === sorted.at(-1);
          const visible = valid !== undefined && (isNewest || asOf >= now - history);
          expect(store.get(key, asOf)?.value ?? null).toBe(visible ? valid[1] : null);
          expect(store.get(key)?.value ?? null).toBe(sorted.at(-1)?.[1] ?? null);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('writes versions with and without value', () => {
    const codec = compileCodec(versionSerde(Serdes.string()));
    for (const value of ['', 'ä', NO_VALUE]) {
      expect(codec.fromBinary(codec.toBinary(value), false)).toBe(value);
    }
  });
});
