import { describe, expect, it } from '@jest/globals';
import { orderedTime } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { Serdes } from '#libs/serde';
import { StateMiss, createMemoryStateBackend, rowKey } from '#libs/state';
import type { OrderedStoreSpec, StateStoreSpec, TaskState, TaskStateOptions } from '#libs/state';
import { ManualClock } from './manual-clock.ts';
import { bin, counts, restoreBatch, rows, taskOptions } from './support.ts';

const ordered = (overrides: Partial<OrderedStoreSpec> = {}): OrderedStoreSpec => ({
  kind: 'ordered',
  name: 'rows',
  keySerde: Serdes.string(),
  valueSerde: Serdes.json(),
  logged: true,
  resident: false,
  expiry: null,
  ...overrides,
});

const plain = ordered();
const expiring = ordered({ expiry: { retentionMs: 10_000 } });
const resident = ordered({ resident: true });

async function opened(spec: StateStoreSpec, overrides: Partial<TaskStateOptions> = {}): Promise<TaskState> {
  const backend = createMemoryStateBackend({ clock: new ManualClock() });
  return backend.open(taskOptions({ stores: [spec], ...overrides }));
}

/** A task whose store was restored from rows given as `group/suffix`. */
async function restored(
  spec: StateStoreSpec,
  keys: readonly string[],
  overrides: Partial<TaskStateOptions> = {},
): Promise<TaskState> {
  const state = await opened(spec, overrides);
  const records = keys.map((key, i) => {
    const slash = key.indexOf('/');
    const [group, suffix] = [key.slice(0, slash), key.slice(slash + 1)];
    return { key: rowKey(bin(group), bin(suffix)), value: String(i) };
  });
  await state.restore('rows', restoreBatch(records), keys.length);
  await state.restored({});
  return state;
}

/** So little that a store is not read whole when it is restored. */
const NO_PRELOAD = { cacheBytesMax: 0 };

function visit(
  state: TaskState,
  group: string,
  from: string | null = null,
  to: string | null = null,
): string[] {
  const store = state.orderedStore<number>('rows');
  const found: string[] = [];
  store.range(bin(group), from === null ? null : bin(from), to === null ? null : bin(to), (row) => {
    found.push(`${store.suffixOf(row)}=${String(row.encoded)}`);
  });
  return found;
}

function missOf(look: () => unknown): StateMiss {
  try {
    look();
  } catch (error) {
    if (error instanceof StateMiss) return error;
    throw error;
  }
  throw new Error('nothing was missed');
}

let epochId = 0;
/** One epoch that sets rows given as [group, suffix, value]. */
async function epoch(
  state: TaskState,
  sets: readonly (readonly [string, string, number | null])[],
  expireBefore?: number,
): Promise<void> {
  const store = state.orderedStore<number>('rows');
  const keys = sets.map(([group, suffix]) => rowKey(bin(group), bin(suffix)));
  await state.readAhead('rows', keys, keys.length);
  state.beginRecord();
  for (const [group, suffix, value] of sets) store.set(store.row(bin(group), bin(suffix)), value, 1);
  epochId++;
  state.seal(epochId, () => undefined);
  state.commit(epochId, {
    changelogOffsets: new Map(),
    metadata: {},
    ...(expireBefore === undefined ? {} : { expireBefore: new Map([['rows', expireBefore]]) }),
  });
  await state.flush();
}

const cachedBytes = (state: TaskState): number => (state as unknown as { cachedBytes: number }).cachedBytes;

describe('looking rows up', () => {
  it('misses a row of a group of which nothing is known, and names its key', async () => {
    const state = await restored(plain, ['g/a', 'g/b'], NO_PRELOAD);
    const store = state.orderedStore<number>('rows');
    const miss = missOf(() => store.row(bin('g'), bin('b')));
    expect(miss.keys).toEqual([rowKey(bin('g'), bin('b'))]);
    await state.read(miss);
    expect(store.value(store.row(bin('g'), bin('b')))).toBe(1);
    expect(missOf(() => store.row(bin('g'), bin('a'))).keys).toHaveLength(1);
  });

  it('knows that a row is absent where its group is covered', async () => {
    const state = await restored(plain, ['g/a', 'g/c', 'g/e'], NO_PRELOAD);
    const store = state.orderedStore<number>('rows');
    await state.readAheadRanges('rows', [{ group: bin('g'), from: bin('c') }]);
    expect(store.row(bin('g'), bin('d')).encoded).toBeNull();
    expect(store.row(bin('g'), bin('c')).encoded).toBe('1');
    expect(() => store.row(bin('g'), bin('b'))).toThrow(StateMiss);
  });

  it('names all rows that are not in memory in one miss', async () => {
    const state = await restored(plain, ['g/a', 'h/a'], NO_PRELOAD);
    const store = state.orderedStore<number>('rows');
    await state.readAheadRanges('rows', [{ group: bin('h'), from: bin('') }]);
    const groups = ['g', 'h', 'g'].map(bin);
    const suffixes = ['a', 'b', 'c'].map(bin);
    const miss = missOf(() => store.require(groups, suffixes));
    expect(miss.keys).toEqual([rowKey(bin('g'), bin('a')), rowKey(bin('g'), bin('c'))]);
    await state.read(miss);
    store.require(groups, suffixes);
  });

  it('misses nothing in a store that was empty, and nothing below an empty range', async () => {
    const empty = await opened(plain);
    await empty.restored({});
    expect(visit(empty, 'g')).toEqual([]);
    expect(empty.orderedStore('rows').first(bin('g'))).toBeNull();
    const state = await restored(plain, ['g/a'], NO_PRELOAD);
    expect(visit(state, 'g', 'b', 'b')).toEqual([]);
    expect(() => visit(state, 'g', 'b', 'c')).toThrow(StateMiss);
  });

  it('reads a range once, from its start to the end of the group', async () => {
    const state = await restored(plain, ['g/a', 'g/b', 'g/c', 'gg/a', 'g/d'], NO_PRELOAD);
    const miss = missOf(() => visit(state, 'g', 'b', 'c'));
    expect(miss.ranges).toEqual([{ group: 'g', from: 'b' }]);
    await state.read(miss);
    expect(visit(state, 'g', 'b', 'd')).toEqual(['b=1', 'c=2']);
    expect(visit(state, 'g', 'c')).toEqual(['c=2', 'd=4']);
    expect(missOf(() => visit(state, 'g')).ranges).toEqual([{ group: 'g', from: '' }]);
  });

  it('reads keys and ranges of one miss together', async () => {
    const state = await restored(plain, ['g/a', 'h/a', 'h/b'], NO_PRELOAD);
    await state.read(
      new StateMiss('rows', [rowKey(bin('g'), bin('a'))], [{ group: bin('h'), from: bin('') }]),
    );
    expect(state.orderedStore('rows').row(bin('g'), bin('a')).encoded).toBe('0');
    expect(visit(state, 'h')).toEqual(['a=1', 'b=2']);
  });

  it('is refused in a store of the other kind', async () => {
    const state = await opened(plain);
    expect(() => state.store('rows')).toThrow(/orderedStore/);
    const other = await opened(counts);
    expect(() => other.orderedStore('counts')).toThrow(/key-value|ordered/);
    expect(() => other.readAheadRanges('counts', [])).toThrow(/ordered/);
  });
});

describe('a store larger than memory whose rows expire', () => {
  const at = (second: number): BinaryString => orderedTime(second * 1_000);

  it('knows after a restart that there is nothing newer than what was stored, whatever the group', async () => {
    const state = await restored(expiring, [`g/${at(1)}`, `g/${at(5)}`, `h/${at(3)}`], NO_PRELOAD);
    expect(state.isResident('rows')).toBe(false);
    for (const group of ['g', 'h', 'never seen']) {
      expect(visit(state, group, orderedTime(5_001))).toEqual([]);
      expect(() => visit(state, group, at(5))).toThrow(StateMiss);
      expect(state.orderedStore('rows').row(bin(group), at(6)).encoded).toBeNull();
      expect(() => state.orderedStore('rows').row(bin(group), at(5))).toThrow(StateMiss);
    }
    await epoch(state, [['h', at(8), 8]]);
    expect(visit(state, 'h', at(6))).toEqual([`${at(8)}=8`]);
    await state.readAheadRanges('rows', [{ group: bin('h'), from: bin('') }]);
    expect(visit(state, 'h')).toEqual([`${at(3)}=2`, `${at(8)}=8`]);
  });

  it('knows that there is nothing newer than what was evicted, and all of a group that was not', async () => {
    const state = await opened(expiring, { cacheBytesMax: 60_000 });
    await state.restored({});
    for (let second = 1; second <= 200; second++) {
      await epoch(state, [
        [`group ${second}`, at(second), second],
        ['hot', at(second), second],
      ]);
    }
    expect(state.isResident('rows')).toBe(false);
    expect(() => visit(state, 'group 1')).toThrow(StateMiss);
    expect(visit(state, 'never seen', at(199))).toEqual([]);
    expect(visit(state, 'hot', at(199))).toHaveLength(2);
  });
});

describe('memory of an ordered store', () => {
  it('gives back what deleted rows took, once that is written', async () => {
    for (const spec of [plain, resident]) {
      const state = await opened(spec);
      await state.restored({});
      await epoch(state, [['g', 'kept', 1]]);
      await epoch(state, []);
      const before = cachedBytes(state);
      for (let i = 0; i < 20; i++) {
        const names = Array.from({ length: 50 }, (_, n) => `${i}-${n}`);
        await epoch(
          state,
          names.map((name) => ['g', name, 1] as const),
        );
        await epoch(
          state,
          names.map((name) => ['g', name, null] as const),
        );
      }
      await epoch(state, []);
      expect(cachedBytes(state)).toBe(before);
      expect(visit(state, 'g')).toEqual(['kept=1']);
    }
  });

  it('gives back what looked-up rows took that were never set', async () => {
    const state = await opened(resident);
    await state.restored({});
    for (let i = 0; i < 100; i++) state.orderedStore('rows').row(bin(`g${i}`), bin('x'));
    expect(cachedBytes(state)).toBeGreaterThan(0);
    await epoch(state, []);
    expect(cachedBytes(state)).toBe(0);
  });

  it('keeps to its bound with groups that are never touched again', async () => {
    const state = await opened(plain, { cacheBytesMax: 50_000 });
    await state.restored({});
    for (let i = 0; i < 200; i++) {
      await epoch(
        state,
        Array.from({ length: 10 }, (_, n) => [`group-${i}-${n}`, 'x', n] as const),
      );
      for (let turn = 0; turn < 6; turn++) await state.readAhead('rows', [], 0);
    }
    expect(cachedBytes(state)).toBeLessThan(70_000);
    expect(state.isResident('rows')).toBe(false);
  });

  it('holds all of a resident store, read when restored, beside the bound', async () => {
    const keys = Array.from({ length: 300 }, (_, i) => `g${i % 3}/${String(i).padStart(4, '0')}`);
    const state = await restored(resident, keys, { cacheBytesMax: 1_000 });
    expect(state.isResident('rows')).toBe(true);
    for (let i = 0; i < 20; i++) await epoch(state, [['g0', `new ${i}`, i]]);
    expect(visit(state, 'g1')).toHaveLength(100);
    expect(visit(state, 'g0')).toHaveLength(120);
    expect(state.orderedStore('rows').first(bin('g2'))!.encoded).toBe('2');
    expect(cachedBytes(state)).toBeGreaterThan(300 * 240);
  });

  it('takes rows from the front of many in order, wherever they were added', async () => {
    const state = await opened(resident);
    await state.restored({});
    const store = state.orderedStore<number>('rows');
    const group = bin('');
    const times = Array.from({ length: 20_000 }, (_, i) => (i * 7_919) % 20_011);
    await epoch(
      state,
      times.map((time) => ['', orderedTime(time), time] as const),
    );
    const taken: number[] = [];
    for (;;) {
      state.beginRecord();
      const row = store.first(group);
      if (row === null) break;
      taken.push(store.value(row)!);
      store.set(row, null, 1);
      if (taken.length % 7 === 0) {
        state.undoRecord();
        taken.pop();
        state.beginRecord();
        store.set(store.first(group)!, null, 1);
        taken.push(times.length);
      }
      if (taken.length % 5_000 === 0) await epoch(state, []);
    }
    const inOrder = [...times].sort((a, b) => a - b);
    expect(taken).toEqual(inOrder.map((time, i) => ((i + 1) % 7 === 0 ? times.length : time)));
    await epoch(state, []);
    await epoch(state, []);
    expect(cachedBytes(state)).toBe(0);
  });
});

describe('expiry', () => {
  it('drops old rows from memory and from what is stored, of groups that are used and of those that are not', async () => {
    const state = await opened(expiring);
    await state.restored({});
    const at = (second: number): BinaryString => orderedTime(second * 1_000);
    await epoch(state, [
      ['cold', at(1), 1],
      ['cold', at(30), 2],
    ]);
    for (let second = 1; second <= 40; second++) {
      await epoch(state, [['hot', at(second), second]], (second - 10) * 1_000);
    }
    await epoch(state, [], 30_000);
    await epoch(state, [], 30_000);
    expect(visit(state, 'cold')).toEqual([`${at(30)}=2`]);
    expect(visit(state, 'hot')).toHaveLength(11);
    const stored = Object.keys(await rows(state, 'rows'));
    expect(stored).toHaveLength(12);
    expect(state.isResident('rows')).toBe(true);
  });

  it('visits no deletion for it in the changelog', async () => {
    const state = await opened(expiring);
    await state.restored({});
    await epoch(state, [['g', orderedTime(0), 1]]);
    await epoch(state, [], 5_000);
    const changed: string[] = [];
    state.seal(++epochId, (_store, key) => changed.push(key));
    expect(changed).toEqual([]);
    expect(visit(state, 'g')).toEqual([]);
  });
});

describe('the identity of an ordered store', () => {
  it.each([
    ['another layout', { ...plain, layout: 'window(10)' }, /layout changed/],
    ['rows that expire now', expiring, /layout changed/],
    ['another kind', { ...counts, name: 'rows', valueSerde: Serdes.json() }, /kind of store/],
    ['another group serde', { ...plain, keySerde: Serdes.bytes() }, /the key serde changed/],
    ['another value serde', { ...plain, valueSerde: Serdes.string() }, /the value serde changed/],
  ])('refuses %s', async (_what, spec, why) => {
    const backend = createMemoryStateBackend({ clock: new ManualClock(), survivesReopen: true });
    const state = await backend.open(taskOptions({ stores: [plain] }));
    await state.close();
    await expect(backend.open(taskOptions({ stores: [spec as StateStoreSpec] }))).rejects.toMatchObject({
      code: 'MILLRACE_STATE_INCOMPATIBLE',
      message: expect.stringMatching(why),
    });
  });
});
