import { afterAll, describe, expect, it } from '@jest/globals';
import { orderedTime } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { Serdes } from '#libs/serde';
import { StateMiss, groupOfKey, rowKey, suffixOfKey } from '#libs/state';
import type { OrderedStoreSpec, StateStoreSpec, TaskState } from '#libs/state';
import { createRocksStateBackend } from '#libs/state-rocksdb';
import { bin, counts, restoreBatch, taskOptions } from '../../state/test/support.ts';
import { removeTemporaryDirectories, temporaryDirectory } from './support.ts';

afterAll(removeTemporaryDirectories);

const windows: OrderedStoreSpec = {
  kind: 'ordered',
  name: 'windows',
  keySerde: Serdes.string(),
  valueSerde: Serdes.json(),
  logged: true,
  resident: false,
  expiry: { retentionMs: 20_000 },
  layout: 'window(1000)',
};

const second = (n: number): BinaryString => orderedTime(n * 1_000);

async function epoch(
  state: TaskState,
  id: number,
  sets: readonly (readonly [string, number])[],
  expireBefore: number,
): Promise<void> {
  const store = state.orderedStore<number>('windows');
  const keys = sets.map(([group, time]) => rowKey(bin(group), second(time)));
  await state.readAhead('windows', keys, keys.length);
  state.beginRecord();
  for (const [group, time] of sets) store.set(store.row(bin(group), second(time)), time, time);
  state.seal(id, () => undefined);
  state.commit(id, {
    changelogOffsets: new Map([['windows', id]]),
    metadata: {},
    expireBefore: new Map([['windows', expireBefore * 1_000]]),
  });
  await state.flush();
}

async function stored(state: TaskState): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of state.scan('windows')) {
    found.push(
      `${groupOfKey(key)}@${[...Array(200).keys()].findIndex((n) => second(n) === suffixOfKey(key))}`,
    );
  }
  return found;
}

describe('an ordered store with expiry in RocksDB', () => {
  it('drops segments of time from disk, across restarts, and keeps what is not expired', async () => {
    const stateDir = temporaryDirectory();
    const backend = createRocksStateBackend({ stateDir });
    let state = await backend.open(taskOptions({ stores: [windows] }));
    await state.restored({});
    await epoch(
      state,
      1,
      [
        ['b', 1],
        ['a', 5],
        ['a', 15],
        ['bb', 25],
        ['b', 35],
      ],
      0,
    );
    expect(await stored(state)).toEqual(['a@5', 'a@15', 'b@1', 'b@35', 'bb@25']);
    await epoch(state, 2, [], 15);
    expect(await stored(state)).toEqual(['a@15', 'b@35', 'bb@25']);
    await state.close();
    state = await backend.open(taskOptions({ stores: [windows] }));
    await state.restored({});
    await epoch(state, 3, [['a', 36]], 32);
    expect(await stored(state)).toEqual(['a@36', 'b@35']);
    // A late row of a time that was dropped goes with the next segment.
    await epoch(state, 4, [['late', 2]], 32);
    await epoch(state, 5, [], 33);
    expect(await stored(state)).toEqual(['a@36', 'b@35']);
    await state.close();
  });

  it('keeps its segments when its retention changes', async () => {
    const stateDir = temporaryDirectory();
    const backend = createRocksStateBackend({ stateDir });
    let state = await backend.open(taskOptions({ stores: [windows] }));
    await state.restored({});
    await epoch(
      state,
      1,
      [
        ['a', 5],
        ['a', 15],
        ['b', 25],
      ],
      0,
    );
    await state.close();
    const longer = { ...windows, expiry: { retentionMs: 3_600_000 } };
    state = await backend.open(taskOptions({ stores: [longer], cacheBytesMax: 0 }));
    await state.restored({});
    await state.readAheadRanges('windows', [{ group: bin('a'), from: bin('') }]);
    const store = state.orderedStore<number>('windows');
    const found: number[] = [];
    store.range(bin('a'), null, null, (row) => void found.push(store.value(row)!));
    expect(found).toEqual([5, 15]);
    await epoch(state, 2, [], 20);
    expect(await stored(state)).toEqual(['b@25']);
    await state.close();
  });

  it('knows after a restart that there is nothing newer than what was written or restored', async () => {
    const stateDir = temporaryDirectory();
    const backend = createRocksStateBackend({ stateDir });
    const options = taskOptions({ stores: [windows], cacheBytesMax: 0 });
    let state = await backend.open(options);
    await state.restored({});
    await epoch(state, 1, [['a', 5]], 0);
    await state.close();
    for (const newest of [5, 9, 9]) {
      state = await backend.open(options);
      if (newest === 9) {
        const records = [{ key: rowKey(bin('b'), second(9)), value: '9' }];
        await state.restore('windows', restoreBatch(records), 2);
      }
      await state.restored({});
      const store = state.orderedStore<number>('windows');
      expect(store.row(bin('new'), second(newest + 1)).encoded).toBeNull();
      expect(() => store.row(bin('new'), second(newest))).toThrow(StateMiss);
      await state.close();
    }
  });

  it.each([
    ['another layout', { ...windows, layout: 'window(2000)' }],
    ['rows that never expire', { ...windows, expiry: null }],
    ['another kind', { ...counts, name: 'windows' }],
  ])('refuses %s than that which wrote it', async (_what, spec) => {
    const backend = createRocksStateBackend({ stateDir: temporaryDirectory() });
    const state = await backend.open(taskOptions({ stores: [windows] }));
    await state.close();
    await expect(backend.open(taskOptions({ stores: [spec as StateStoreSpec] }))).rejects.toMatchObject({
      code: 'MILLRACE_STATE_INCOMPATIBLE',
      message: expect.stringMatching(/"windows".*the kind of store or its layout/s),
    });
  });
});
