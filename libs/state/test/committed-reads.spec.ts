import { describe, expect, it } from '@jest/globals';
import { silentLogger } from '#libs/core';
import { KeyHeap, ReadEnded, TaskStateImpl } from '#libs/state';
import type { CommittedPage, TaskState } from '#libs/state';
import { GatedDatabase } from './gated-database.ts';
import { ManualClock, turns } from './manual-clock.ts';
import { bin, commitEpoch, put, sealEpoch, taskOptions } from './support.ts';

function fixture(stored: Record<string, string>): { state: TaskState; database: GatedDatabase } {
  const clock = new ManualClock();
  const options = taskOptions();
  const database = new GatedDatabase(options.stores, stored, clock);
  return { state: new TaskStateImpl(options, database, { clock, logger: silentLogger }), database };
}

const pairs = ({ rows }: CommittedPage): Record<string, string> =>
  Object.fromEntries(rows.map(({ key, value }) => [key, value]));

/** Reads a key ahead, sets it, and commits the epoch. */
async function commit(state: TaskState, epochId: number, key: string, value: number): Promise<void> {
  await state.readAhead('counts', [bin(key)], 1);
  put(state, 'counts', key, value);
  commitEpoch(state, epochId);
}

describe('a committed read', () => {
  it('sees nothing of a later epoch, though that is committed and written before the database was asked', async () => {
    const { state, database } = fixture({ a: '1', b: '2' });
    await commit(state, 1, 'a', 10);
    await state.flush();
    database.holdReads();
    const page = state.committedPage('counts', { limit: 10 });
    const many = state.committedMany('counts', [bin('a'), bin('b'), bin('c')]);
    database.passReads();
    await commit(state, 2, 'b', 20);
    let written = false;
    const flushed = state.flush().then(() => {
      written = true;
    });
    await turns(10);
    expect(written).toBe(false);
    database.releaseReads();
    await flushed;
    expect(pairs(await page)).toEqual({ a: '10', b: '2' });
    expect((await many).map((one) => one?.value ?? null)).toEqual(['10', '2', null]);
    expect(pairs(await state.committedPage('counts', { limit: 10 }))).toEqual({ a: '10', b: '20' });
  });

  it('does not wait for a write that is under way, and sees what it holds', async () => {
    const { state, database } = fixture({ a: '1' });
    database.hold();
    await commit(state, 1, 'a', 10);
    const flushed = state.flush();
    await turns(5);
    expect(pairs(await state.committedPage('counts', { limit: 10 }))).toEqual({ a: '10' });
    database.release();
    await flushed;
  });

  it('leaves a write alone that began before it', async () => {
    const { state, database } = fixture({ a: '1' });
    await commit(state, 1, 'a', 10);
    database.hold();
    const flushed = state.flush();
    await turns(5);
    database.holdReads();
    const page = state.committedPage('counts', { limit: 10 });
    database.release();
    await flushed;
    database.releaseReads();
    expect(pairs(await page)).toEqual({ a: '10' });
  });

  it('sees neither the open epoch nor a sealed one', async () => {
    const { state } = fixture({ a: '1' });
    await state.readAhead('counts', [bin('a'), bin('b')], 2);
    put(state, 'counts', 'a', 2);
    sealEpoch(state, 1);
    put(state, 'counts', 'a', 3);
    put(state, 'counts', 'b', 3);
    expect(pairs(await state.committedPage('counts', { limit: 10 }))).toEqual({ a: '1' });
    expect(await state.committedMany('counts', [bin('a'), bin('b')])).toEqual([
      { value: '1', timestamp: 0 },
      null,
    ]);
    state.commit(1, { changelogOffsets: new Map([['counts', 7]]), metadata: {} });
    const page = await state.committedPage('counts', { limit: 10 });
    expect(pairs(page)).toEqual({ a: '2' });
    expect(page.offset).toBe(7);
  });

  it('ends when the state is closed, which waits for no more than the read under way', async () => {
    const stored = Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`key-${i}`, '1']));
    const { state, database } = fixture(stored);
    database.holdReads();
    const page = state.committedPage('counts', { limit: 5_000 });
    const outcome = page.catch((error: unknown) => error);
    const closed = state.close();
    database.releaseReads();
    await closed;
    expect(await outcome).toBeInstanceOf(ReadEnded);
    await expect(state.committedPage('counts', { limit: 1 })).rejects.toMatchObject({
      code: 'MILLRACE_ILLEGAL_STATE',
    });
  });

  it('brings nothing into the cache', async () => {
    const { state } = fixture({ a: '1' });
    await state.committedMany('counts', [bin('a')]);
    await state.committedPage('counts', { limit: 5 });
    expect(() => state.store('counts').entry(bin('a'))).toThrow(/not in memory/);
  });
});

describe('a heap of keys', () => {
  it('gives them in order', () => {
    const heap = new KeyHeap([5, 3, 8, 1, 9, 2, 2], (a, b) => a - b);
    const taken: number[] = [];
    while (heap.size > 0) taken.push(heap.pop()!);
    expect(taken).toEqual([1, 2, 2, 3, 5, 8, 9]);
    expect(heap.pop()).toBeUndefined();
  });
});
