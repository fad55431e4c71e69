import { describe, expect, it } from '@jest/globals';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { silentLogger } from '#libs/core';
import { Serdes, createTextSerde } from '#libs/serde';
import { StateMiss, TaskStateImpl, createMemoryStateBackend } from '#libs/state';
import type { KeyValueStoreSpec, TaskState, TaskStateOptions } from '#libs/state';
import { GatedDatabase } from './gated-database.ts';
import { ManualClock, turns } from './manual-clock.ts';
import {
  bin,
  commitEpoch,
  counts,
  get,
  names,
  profiles,
  put,
  restoreBatch,
  rows,
  sealEpoch,
  taskOptions,
} from './support.ts';

interface Fixture {
  readonly state: TaskState;
  readonly database: GatedDatabase;
  readonly clock: ManualClock;
}

/** A task over a database whose reads and writes a spec can hold, count and fail. */
function fixture(overrides: Partial<TaskStateOptions> = {}, stored: Record<string, string> = {}): Fixture {
  const clock = new ManualClock();
  const options = taskOptions(overrides);
  const database = new GatedDatabase(options.stores, stored, clock);
  return { state: new TaskStateImpl(options, database, { clock, logger: silentLogger }), database, clock };
}

describe('looking a key up', () => {
  it('misses a key that was not read ahead, and knows it afterwards', async () => {
    const { state } = fixture({}, { a: '1' });
    expect(() => get(state, 'counts', 'a')).toThrow(StateMiss);
    await state.readAhead('counts', [bin('a'), bin('absent')], 2);
    expect(get(state, 'counts', 'a')).toBe(1);
    expect(get(state, 'counts', 'absent')).toBeUndefined();
    expect(state.readAhead('counts', [bin('a'), bin('absent')], 2)).toBeUndefined();
  });

  it('never misses in a store that was empty when it was opened', () => {
    const { state } = fixture();
    expect(state.isResident('counts')).toBe(true);
    expect(state.readAhead('counts', [bin('a')], 1)).toBeUndefined();
    expect(get(state, 'counts', 'a')).toBeUndefined();
  });

  it('reads a key once, however often it is asked for meanwhile', async () => {
    const { state, database } = fixture({}, { a: '1', b: '2' });
    const first = state.readAhead('counts', [bin('a'), bin('a')], 2);
    const second = state.readAhead('counts', [bin('a'), bin('b')], 2);
    await Promise.all([first, second]);
    expect(database.keysRead).toEqual(['a', 'b']);
    expect(get(state, 'counts', 'b')).toBe(2);
  });

  it('names the store that is not there', () => {
    expect(() => fixture().state.store('other')).toThrow(/"other".*counts, profiles, names/);
  });

  it('keeps no fetched batch alive by the keys and values cut out of it', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const { state } = fixture();
    const cache = state.store<string>('names');
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 60; i++) {
      const batch = Buffer.alloc(1_000_000, 65 + (i % 26)).toString('latin1');
      state.beginRecord();
      cache.set(cache.entry(bin(`${batch.slice(0, 20)}`)), batch.slice(1_000, 1_040), 1);
      cache.set(cache.entry(bin(batch.slice(i, i + 30 + i))), batch.slice(2_000, 2_040), 1);
    }
    commitEpoch(state, 1);
    collect();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(25_000_000);
  });
});

describe('setting a value', () => {
  it('encodes at once: what is done to the object afterwards changes nothing', () => {
    const { state } = fixture();
    const mine = { visits: 1 };
    put(state, 'profiles', 'a', mine);
    mine.visits = 99;
    expect(get(state, 'profiles', 'a')).toEqual({ visits: 1 });
    state.beginRecord();
    get<{ visits: number }>(state, 'profiles', 'a')!.visits = 77;
    state.beginRecord();
    expect(get(state, 'profiles', 'a')).toEqual({ visits: 1 });
    expect([...sealEpoch(state, 1)]).toEqual([['profiles/a', '{"visits":1}']]);
  });

  it('gives one record the same object each time', () => {
    const { state } = fixture();
    put(state, 'profiles', 'a', { visits: 1 });
    state.beginRecord();
    expect(get(state, 'profiles', 'a')).toBe(get(state, 'profiles', 'a'));
  });

  it('keeps objects between records where the store says so, until a record is undone', () => {
    const { state } = fixture({ stores: [{ ...profiles, reuseDecoded: true }] });
    const mine = { visits: 1 };
    put(state, 'profiles', 'a', mine);
    state.beginRecord();
    expect(get(state, 'profiles', 'a')).toBe(mine);
    mine.visits = 99;
    state.undoRecord();
    expect(get(state, 'profiles', 'a')).toEqual({ visits: 1 });
  });

  it.each([undefined, 1n, () => 1])('refuses %p and changes nothing', (value) => {
    const { state } = fixture();
    put(state, 'counts', 'a', 5);
    state.beginRecord();
    expect(() => put(state, 'counts', 'a', value)).toThrow(
      expect.objectContaining({ code: 'MILLRACE_SERIALIZATION_FAILED' }),
    );
    expect(get(state, 'counts', 'a')).toBe(5);
  });

  it('offers the encoding to a sink of the same record only', () => {
    const { state } = fixture();
    const cache = state.store<{ visits: number }>('profiles');
    const value = { visits: 3 };
    state.beginRecord();
    cache.set(cache.entry(bin('a')), value, 1);
    expect(cache.encodingOf(value)).toBe('{"visits":3}');
    expect(cache.encodingOf({ visits: 3 })).toBeUndefined();
    state.beginRecord();
    expect(cache.encodingOf(value)).toBeUndefined();
  });

  it('passes on what the codec throws to ask for patience', () => {
    const patience = new Error('the schema is on its way');
    const serde = createTextSerde<number>({ name: 'slow', encode: String, decode: Number });
    const store = { ...counts, valueSerde: serde };
    const { state } = fixture({ stores: [store] });
    const cache = state.store<number>('counts') as unknown as { codec: { toBinary(): never } };
    cache.codec = {
      toBinary() {
        throw patience;
      },
    };
    expect(() => put(state, 'counts', 'a', 1)).toThrow(patience);
  });
});

describe('an epoch', () => {
  it('gives the changelog each changed key once, with its newest value', () => {
    const { state } = fixture();
    put(state, 'counts', 'b', 1);
    sealEpoch(state, 1);
    for (const value of [1, 2, 3]) {
      state.beginRecord();
      put(state, 'counts', 'a', value);
    }
    put(state, 'counts', 'b', null);
    expect([...sealEpoch(state, 2)]).toEqual([
      ['counts/a', '3'],
      ['counts/b', null],
    ]);
    expect([...sealEpoch(state, 3)]).toEqual([]);
  });

  it('leaves a store without a changelog out of it', () => {
    const { state } = fixture({ stores: [{ ...counts, logged: false }] });
    put(state, 'counts', 'a', 1);
    expect([...sealEpoch(state, 1)]).toEqual([]);
  });

  it('stays open when the changelog could not take it', () => {
    const { state } = fixture();
    put(state, 'counts', 'a', 1);
    expect(() =>
      state.seal(1, () => {
        throw new Error('too large');
      }),
    ).toThrow('too large');
    expect([...sealEpoch(state, 1)]).toEqual([['counts/a', '1']]);
  });

  it('leaves a key out of the changelog that was absent before and is absent again', () => {
    const { state } = fixture();
    put(state, 'counts', 'a', 1);
    state.beginRecord();
    put(state, 'counts', 'a', null);
    expect([...sealEpoch(state, 1)]).toEqual([]);
    put(state, 'counts', 'a', 2);
    expect([...sealEpoch(state, 2)]).toEqual([['counts/a', '2']]);
    // The value may be committed before this epoch is: it takes a tombstone.
    put(state, 'counts', 'a', 3);
    state.beginRecord();
    put(state, 'counts', 'a', null);
    expect([...sealEpoch(state, 3)]).toEqual([['counts/a', null]]);
    state.abandon();
    put(state, 'counts', 'a', null);
    expect([...sealEpoch(state, 4)]).toEqual([]);
    expect(get(state, 'counts', 'a')).toBeUndefined();
  });

  it('goes back to the last committed epoch when it is abandoned, with the sealed one below it', () => {
    const { state } = fixture();
    put(state, 'counts', 'a', 1);
    commitEpoch(state, 1);
    put(state, 'counts', 'a', 2);
    put(state, 'counts', 'new', 2);
    sealEpoch(state, 2);
    put(state, 'counts', 'a', 3);
    state.abandon();
    expect(get(state, 'counts', 'a')).toBe(1);
    expect(get(state, 'counts', 'new')).toBeUndefined();
    expect([...sealEpoch(state, 3)]).toEqual([]);
  });

  it('refuses a commit that is not the oldest sealed epoch', () => {
    const { state } = fixture();
    sealEpoch(state, 1);
    sealEpoch(state, 2);
    expect(() => state.commit(2, { changelogOffsets: new Map(), metadata: {} })).toThrow(/epoch 2.*is 1/);
  });

  it('shows queries what is committed, whether written or not, and nothing newer', async () => {
    const { state } = fixture({}, { stored: '7' });
    put(state, 'names', 'x', 'open');
    await state.readAhead('counts', [bin('a')], 1);
    put(state, 'counts', 'a', 1, 10);
    commitEpoch(state, 1);
    put(state, 'counts', 'a', 2, 20);
    sealEpoch(state, 2);
    put(state, 'counts', 'a', null, 30);
    expect(await state.committed('counts', bin('a'))).toEqual({ value: '1', timestamp: 10 });
    expect((await state.committed('counts', bin('stored')))?.value).toBe('7');
    expect(await state.committed('counts', bin('absent'))).toBeUndefined();
    expect(await state.committed('profiles', bin('absent'))).toBeUndefined();
  });
});

describe('writing behind', () => {
  it('merges epochs: a key changed in three of them is written once', async () => {
    const { state, database } = fixture();
    for (const epoch of [1, 2, 3]) {
      put(state, 'counts', 'a', epoch);
      commitEpoch(state, epoch);
    }
    expect(database.batches).toHaveLength(0);
    await state.flush();
    expect(database.batches).toEqual([{ epochId: 3, changes: { a: '3' } }]);
    expect(state.unwrittenBytes).toBe(0);
  });

  it('writes when enough bytes wait', async () => {
    const { state, database } = fixture({ writeBehindBytes: 200 });
    put(state, 'counts', 'a', 1);
    commitEpoch(state, 1);
    await turns(3);
    expect(database.batches).toHaveLength(0);
    for (const key of ['b', 'c', 'd']) put(state, 'counts', key, 1);
    commitEpoch(state, 2);
    await turns(5);
    expect(database.batches).toHaveLength(1);
  });

  it('writes when the interval is over, also an epoch of offsets alone', async () => {
    const { state, database, clock } = fixture({ writeBehindIntervalMs: 500 });
    sealEpoch(state, 1);
    state.commit(1, { changelogOffsets: new Map([['counts', 5]]), metadata: { streamTime: 9 } });
    clock.advance(499);
    await turns(3);
    expect(database.batches).toHaveLength(0);
    clock.advance(1);
    await turns(5);
    expect(database.batches).toEqual([{ epochId: 1, changes: {} }]);
    expect(database.checkpointWritten?.metadata).toEqual({ streamTime: 9 });
  });

  it('writes one moment: an epoch committed while a batch is built or written waits for the next', async () => {
    const { state, database } = fixture();
    put(state, 'counts', 'a', 1);
    put(state, 'counts', 'b', 1);
    commitEpoch(state, 1);
    database.hold();
    const flushed = state.flush();
    put(state, 'counts', 'a', 2);
    commitEpoch(state, 2);
    await turns(3);
    put(state, 'counts', 'b', 3);
    commitEpoch(state, 3);
    database.release();
    await flushed;
    expect(database.batches).toEqual([
      { epochId: 1, changes: { a: '1', b: '1' } },
      { epochId: 3, changes: { a: '2', b: '3' } },
    ]);
  });

  it('does not evict what was committed anew while its older value was being written', async () => {
    const { state, database, clock } = fixture({ cacheBytesMax: 1, writeBehindIntervalMs: 10 });
    put(state, 'counts', 'a', 1);
    commitEpoch(state, 1);
    database.hold();
    clock.advance(10);
    await turns(3);
    put(state, 'counts', 'a', 2);
    commitEpoch(state, 2);
    database.release();
    await turns(3);
    expect(database.batches).toEqual([{ epochId: 1, changes: { a: '1' } }]);
    for (let epoch = 3; epoch < 30; epoch++) sealEpoch(state, epoch);
    expect(get(state, 'counts', 'a')).toBe(2);
    await state.flush();
    for (let epoch = 30; epoch < 60; epoch++) sealEpoch(state, epoch);
    expect(() => get(state, 'counts', 'a')).toThrow(StateMiss);
  });

  it.each([
    ['restored from its changelog', 'Corruption: block checksum mismatch', 'TaskCorruptedError'],
    ['left as it is, for the machine to be mended', 'No space left on device', 'FatalError'],
  ])('reports a write that failed, to be %s, and writes nothing more', async (_then, cause, name) => {
    const { state, database } = fixture();
    put(state, 'counts', 'a', 1);
    commitEpoch(state, 1);
    database.fail(new Error(cause));
    await expect(state.flush()).rejects.toMatchObject({
      name,
      code: 'MILLRACE_STATE_FAILED',
      context: { taskId: '0_0' },
      message: expect.stringContaining(cause),
    });
    expect(state.failure).toMatchObject({ code: 'MILLRACE_STATE_FAILED' });
    database.fail(null);
    put(state, 'counts', 'a', 2);
    commitEpoch(state, 2);
    await turns(5);
    expect(database.batches).toHaveLength(0);
    await expect(state.close()).rejects.toMatchObject({ code: 'MILLRACE_STATE_FAILED' });
    expect(database.closed).toBe('dirty');
  });

  it('closes dirty without writing, clean after writing', async () => {
    const dirty = fixture();
    put(dirty.state, 'counts', 'a', 1);
    commitEpoch(dirty.state, 1);
    await dirty.state.closeDirty();
    expect(dirty.database.batches).toHaveLength(0);
    expect(dirty.database.closed).toBe('dirty');
    expect(dirty.clock.pendingTimers).toBe(0);
    const clean = fixture();
    put(clean.state, 'counts', 'a', 1);
    commitEpoch(clean.state, 1);
    await clean.state.close();
    expect(clean.database.batches).toHaveLength(1);
    expect(clean.database.closed).toBe('clean');
    expect(() => commitEpoch(clean.state, 2)).toThrow(
      expect.objectContaining({ code: 'MILLRACE_ILLEGAL_STATE' }),
    );
  });
});

describe('memory', () => {
  it('stays within its bound once what was used is written and no longer in use', async () => {
    const { state } = fixture({ cacheBytesMax: 20_000 });
    for (let epoch = 1; epoch <= 50; epoch++) {
      for (let i = 0; i < 20; i++) {
        const key = bin(`key-${epoch}-${i}`);
        await state.readAhead('counts', [key], 1);
        state.beginRecord();
        put(state, 'counts', key, epoch);
      }
      commitEpoch(state, epoch);
      await state.flush();
    }
    for (let epoch = 51; epoch < 60; epoch++) commitEpoch(state, epoch);
    expect((state as TaskStateImpl).cachedBytes).toBeLessThanOrEqual(20_000);
    expect(state.isResident('counts')).toBe(false);
    expect(Object.keys(await rows(state, 'counts'))).toHaveLength(1_000);
  });

  it('stays complete when only absent keys were evicted', () => {
    const { state } = fixture({ cacheBytesMax: 2_000 });
    for (let epoch = 1; epoch < 60; epoch++) {
      for (let i = 0; i < 10; i++) get(state, 'counts', `absent-${epoch}-${i}`);
      sealEpoch(state, epoch);
    }
    expect(state.isResident('counts')).toBe(true);
    expect((state as TaskStateImpl).cachedBytes).toBeLessThan(100_000);
  });

  it('keeps what a batch read ahead, also beyond its bound', async () => {
    const { state } = fixture({ cacheBytesMax: 1 }, { a: '1', b: '2' });
    await state.readAhead('counts', [bin('a'), bin('b')], 2);
    sealEpoch(state, 1);
    sealEpoch(state, 2);
    expect(get(state, 'counts', 'a')).toBe(1);
    expect(get(state, 'counts', 'b')).toBe(2);
  });
});

describe('restoring', () => {
  it('reads what was restored, deletions and repeats included', async () => {
    const { state } = fixture();
    await state.restore(
      'counts',
      restoreBatch([
        { key: 'a', value: '1' },
        { key: 'b', value: '2' },
        { key: 'a', value: null },
        { key: 'b', value: '3' },
      ]),
      40,
    );
    await state.restored({ from: 'the spec' });
    expect(await rows(state, 'counts')).toEqual({ b: '3' });
    await state.readAhead('counts', [bin('a'), bin('b')], 2);
    expect(get(state, 'counts', 'a')).toBeUndefined();
    expect(get(state, 'counts', 'b')).toBe(3);
  });

  it('reads a small store as a whole: nothing of it is looked up any more', async () => {
    const { state, database } = fixture();
    await state.restore('counts', restoreBatch([{ key: 'a', value: '1' }]), 1);
    expect(state.isResident('counts')).toBe(false);
    await state.restored({});
    expect(state.isResident('counts')).toBe(true);
    expect(get(state, 'counts', 'a')).toBe(1);
    expect(get(state, 'counts', 'absent')).toBeUndefined();
    expect(database.keysRead).toEqual([]);
  });

  it('leaves a store that is larger than its share of the cache to be looked up', async () => {
    const { state } = fixture({ cacheBytesMax: 40_000 });
    const records = Array.from({ length: 500 }, (_, i) => ({ key: `key-${i}`, value: '1' }));
    await state.restore('counts', restoreBatch(records), 500);
    await state.restored({});
    expect(state.isResident('counts')).toBe(false);
    expect((state as TaskStateImpl).cachedBytes).toBeLessThan(20_000);
    await state.readAhead(
      'counts',
      records.map(({ key }) => bin(key)),
      records.length,
    );
    for (const { key } of records) expect(get(state, 'counts', key)).toBe(1);
  });

  it('drops what was cached when the changelog is ahead of it', async () => {
    const { state, database } = fixture();
    put(state, 'counts', 'a', 1);
    commitEpoch(state, 1);
    await state.restore('counts', restoreBatch([{ key: 'a', value: '9' }]), 50);
    await state.restored({});
    expect(database.batches[0]).toEqual({ epochId: 1, changes: { a: '1' } });
    await state.readAhead('counts', [bin('a')], 1);
    expect(get(state, 'counts', 'a')).toBe(9);
    expect(database.checkpointWritten?.changelogOffsets.get('counts')).toBe(50);
  });

  it('is refused while an epoch is open', () => {
    const { state } = fixture();
    put(state, 'counts', 'a', 1);
    expect(() => state.restore('counts', restoreBatch([]), 1)).toThrow(/no epoch is open/);
  });
});

describe('the in-memory backend', () => {
  const bytesStore: KeyValueStoreSpec<string, Uint8Array> = { ...counts, valueSerde: Serdes.bytes() };

  it('starts empty at each open, unless told to survive', async () => {
    for (const survivesReopen of [false, true]) {
      const backend = createMemoryStateBackend({ survivesReopen });
      const state = await backend.open(taskOptions());
      put(state, 'counts', 'a', 1);
      commitEpoch(state, 3);
      await state.close();
      const again = await backend.open(taskOptions());
      expect(again.checkpoint.epochId).toBe(survivesReopen ? 3 : -1);
      expect(await rows(again, 'counts')).toEqual(survivesReopen ? { a: '1' } : {});
      await again.close();
      await backend.close();
    }
  });

  it('loses the newest unsynced batches in a crash, and what held the task can do no more', async () => {
    const backend = createMemoryStateBackend({ survivesReopen: true });
    const state = await backend.open(taskOptions());
    for (const epoch of [1, 2, 3]) {
      put(state, 'counts', 'a', epoch);
      commitEpoch(state, epoch);
      await state.flush();
    }
    backend.crash('app', '0_0', 1);
    put(state, 'counts', 'a', 4);
    commitEpoch(state, 4);
    await expect(state.flush()).rejects.toMatchObject({ code: 'MILLRACE_STATE_FAILED' });
    const again = await backend.open(taskOptions());
    expect(again.checkpoint.epochId).toBe(2);
    expect(await rows(again, 'counts')).toEqual({ a: '2' });
  });

  it('refuses a second open, another serde, and removal while open', async () => {
    const backend = createMemoryStateBackend({ survivesReopen: true });
    const state = await backend.open(taskOptions());
    await expect(backend.open(taskOptions())).rejects.toMatchObject({ code: 'MILLRACE_STATE_LOCKED' });
    await expect(backend.destroy('app', '0_0')).rejects.toMatchObject({ code: 'MILLRACE_ILLEGAL_STATE' });
    await expect(backend.close()).rejects.toMatchObject({ code: 'MILLRACE_ILLEGAL_STATE' });
    await state.close();
    await expect(backend.open(taskOptions({ stores: [names, bytesStore] }))).rejects.toMatchObject({
      code: 'MILLRACE_STATE_INCOMPATIBLE',
      message: expect.stringContaining('"counts"'),
    });
    expect(await backend.localTasks('app')).toEqual(['0_0']);
    await backend.setAside('app', '0_0', 'for the spec');
    expect(await backend.localTasks('app')).toEqual([]);
  });
});
