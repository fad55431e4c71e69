import { afterAll, describe, expect, it } from '@jest/globals';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Serdes } from '#libs/serde';
import type { StateBackend, TaskState } from '#libs/state';
import { createRocksStateBackend } from '#libs/state-rocksdb';
import {
  bin,
  commitEpoch,
  counts,
  get,
  names,
  put,
  restoreBatch,
  rows,
  taskOptions,
} from '../../state/test/support.ts';
import { recordingLogger, removeTemporaryDirectories, temporaryDirectory } from './support.ts';

afterAll(removeTemporaryDirectories);

const stringStore = { ...counts, valueSerde: Serdes.string() };

/** Opens, restores nothing, and is ready for records. */
async function opened(
  backend: StateBackend,
  overrides: Parameters<typeof taskOptions>[0] = {},
): Promise<TaskState> {
  const state = await backend.open(taskOptions(overrides));
  await state.restored({});
  return state;
}

/** A directory with one task whose counts hold `a` and `b`, closed cleanly. */
async function filledDirectory(keys = 2): Promise<{ stateDir: string; path: string }> {
  const stateDir = temporaryDirectory();
  const backend = createRocksStateBackend({ stateDir });
  const state = await opened(backend);
  for (let i = 0; i < keys; i++) {
    state.beginRecord();
    put(state, 'counts', `key-${i}`, i);
  }
  commitEpoch(state, 7);
  await state.close();
  await backend.close();
  return { stateDir, path: join(stateDir, 'app', '0_0') };
}

describe('the RocksDB state backend', () => {
  it('finds what was committed, and where it stands, after a clean close', async () => {
    const { stateDir } = await filledDirectory();
    const backend = createRocksStateBackend({ stateDir });
    const state = await backend.open(taskOptions());
    expect(state.checkpoint.epochId).toBe(7);
    expect(state.checkpoint.changelogOffsets.get('counts')).toBe(7);
    expect(state.checkpoint.metadata).toEqual({ epochId: 7 });
    expect(await rows(state, 'counts')).toEqual({ 'key-0': '0', 'key-1': '1' });
    await state.close();
  });

  it('is at its last write after a dirty close: state and offset agree', async () => {
    const stateDir = temporaryDirectory();
    const backend = createRocksStateBackend({ stateDir });
    const state = await opened(backend);
    put(state, 'counts', 'a', 1);
    commitEpoch(state, 1);
    await state.flush();
    put(state, 'counts', 'a', 2);
    commitEpoch(state, 2);
    await state.closeDirty();
    const again = await backend.open(taskOptions());
    expect(again.checkpoint.epochId).toBe(1);
    expect(await rows(again, 'counts')).toEqual({ a: '1' });
    await again.close();
  });

  it('keeps bytes of every value, long keys and empty values', async () => {
    const stateDir = temporaryDirectory();
    const backend = createRocksStateBackend({ stateDir });
    const every = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join('');
    const records = [
      { key: every, value: every },
      { key: 'empty', value: '' },
      { key: '', value: 'of the empty key' },
      { key: 'k'.repeat(5_000), value: 'v'.repeat(100_000) },
    ];
    const state = await backend.open(taskOptions());
    await state.restore('names', restoreBatch(records), 4);
    await state.restored({});
    await state.readAhead(
      'names',
      records.map(({ key }) => bin(key)),
      records.length,
    );
    const cache = state.store('names');
    for (const { key, value } of records) expect(cache.entry(bin(key)).encoded).toBe(value);
    const stored = await rows(state, 'names');
    for (const { key, value } of records) expect(stored[key]).toBe(value);
    await state.close();
  });

  it('applies restored records in their order, also when they wait for each other and repeat keys', async () => {
    const backend = createRocksStateBackend({ stateDir: temporaryDirectory() });
    const state = await backend.open(taskOptions());
    const expected: Record<string, string> = {};
    const waiting: Promise<void>[] = [];
    for (let batch = 0; batch < 20; batch++) {
      const records = Array.from({ length: 200 }, (_, i) => {
        const key = `key-${(i * 7 + batch * 13) % 150}`;
        const value = (i + batch) % 5 === 0 ? null : `${batch}-${i}`;
        if (value === null) delete expected[key];
        else expected[key] = value;
        return { key, value };
      });
      waiting.push(state.restore('names', restoreBatch(records), (batch + 1) * 200));
    }
    await Promise.all(waiting);
    await state.restored({ done: true });
    expect(await rows(state, 'names')).toEqual(expected);
    await state.close();
    const again = await backend.open(taskOptions());
    expect(again.checkpoint.changelogOffsets.get('names')).toBe(4_000);
    expect(again.checkpoint.metadata).toEqual({ done: true });
    expect(await rows(again, 'names')).toEqual(expected);
    await again.close();
  });

  it('keeps the pairs of stores apart, also when stores come, go and change places', async () => {
    const stateDir = temporaryDirectory();
    const backend = createRocksStateBackend({ stateDir });
    const first = await opened(backend, { stores: [counts, names] });
    put(first, 'counts', 'same', 1);
    put(first, 'names', 'same', 'one');
    commitEpoch(first, 1);
    await first.close();
    const second = await opened(backend, { stores: [names] });
    expect(await rows(second, 'names')).toEqual({ same: 'one' });
    await second.close();
    const third = await opened(backend, { stores: [names, { ...names, name: 'added' }, counts] });
    expect(third.isResident('added')).toBe(true);
    expect(await rows(third, 'added')).toEqual({});
    expect(await rows(third, 'counts')).toEqual({ same: '1' });
    await third.close();
  });

  it('empties a store without a changelog when it is opened again', async () => {
    const backend = createRocksStateBackend({ stateDir: temporaryDirectory() });
    const unlogged = { ...counts, name: 'scratch', logged: false };
    const state = await opened(backend, { stores: [counts, unlogged] });
    put(state, 'scratch', 'a', 1);
    put(state, 'counts', 'a', 1);
    expect([...commitEpoch(state, 1).keys()]).toEqual(['counts/a']);
    await state.close();
    const again = await opened(backend, { stores: [counts, unlogged] });
    expect(again.isResident('scratch')).toBe(true);
    expect(get(again, 'scratch', 'a')).toBeUndefined();
    await again.close();
  });

  it('refuses serdes that differ from those that wrote the state, names the store, and leaves the state alone', async () => {
    const { stateDir } = await filledDirectory();
    const backend = createRocksStateBackend({ stateDir });
    await expect(backend.open(taskOptions({ stores: [stringStore] }))).rejects.toMatchObject({
      code: 'MILLRACE_STATE_INCOMPATIBLE',
      message: expect.stringContaining('"counts"'),
    });
    const state = await backend.open(taskOptions());
    expect(await rows(state, 'counts')).toEqual({ 'key-0': '0', 'key-1': '1' });
    await state.close();
  });

  it('refuses a task that is open, and opens it once its predecessor has let go', async () => {
    const stateDir = temporaryDirectory();
    const first = await opened(createRocksStateBackend({ stateDir }));
    const impatient = createRocksStateBackend({ stateDir, lockTimeoutMs: 60 });
    await expect(impatient.open(taskOptions())).rejects.toMatchObject({ code: 'MILLRACE_STATE_LOCKED' });
    const patient = createRocksStateBackend({ stateDir });
    const waiting = patient.open(taskOptions());
    put(first, 'counts', 'a', 1);
    commitEpoch(first, 1);
    await first.close();
    const second = await waiting;
    expect(await rows(second, 'counts')).toEqual({ a: '1' });
    await second.close();
    expect(readdirSync(join(stateDir, 'app'))).toEqual(['0_0']);
  });

  it('refuses to set aside or delete the state of an open task', async () => {
    const backend = createRocksStateBackend({ stateDir: temporaryDirectory() });
    const state = await opened(backend);
    await expect(backend.destroy('app', '0_0')).rejects.toMatchObject({ code: 'MILLRACE_ILLEGAL_STATE' });
    await expect(backend.setAside('app', '0_0', 'why')).rejects.toMatchObject({
      code: 'MILLRACE_ILLEGAL_STATE',
    });
    await expect(backend.close()).rejects.toMatchObject({ code: 'MILLRACE_ILLEGAL_STATE' });
    await state.close();
    await backend.destroy('app', '0_0');
    expect(await backend.localTasks('app')).toEqual([]);
    await backend.close();
  });

  it('names the tasks whose state is here, not those set aside', async () => {
    const backend = createRocksStateBackend({ stateDir: temporaryDirectory() });
    expect(await backend.localTasks('app')).toEqual([]);
    for (const taskId of ['0_0', '0_1', '1_0']) await (await opened(backend, { taskId })).close();
    await backend.setAside('app', '0_1', 'for the test');
    expect(await backend.localTasks('app')).toEqual(['0_0', '1_0']);
    expect(await backend.localTasks('other')).toEqual([]);
  });

  it.each([
    ['no CURRENT', (path: string) => rmSync(join(path, 'CURRENT'))],
    [
      'a CURRENT that names nothing',
      (path: string) => writeFileSync(join(path, 'CURRENT'), 'MANIFEST-999999\n'),
    ],
    ['an empty CURRENT', (path: string) => writeFileSync(join(path, 'CURRENT'), '')],
    ['a manifest of noise', (path: string) => overwrite(path, /^MANIFEST/, 0)],
    ['a table that is gone', (path: string) => rmSync(join(path, file(path, /\.sst$/)))],
    ['a table cut short', (path: string) => writeFileSync(join(path, file(path, /\.sst$/)), 'short')],
    ['a table whose end is noise', (path: string) => overwrite(path, /\.sst$/, -60)],
    ['files of something else', (path: string) => foreign(path)],
  ])('sets a directory with %s aside, keeps it, and opens an empty one', async (_what, damage) => {
    const { stateDir, path } = await filledDirectory(200);
    damage(path);
    const logger = recordingLogger();
    const backend = createRocksStateBackend({ stateDir, logger });
    const state = await opened(backend);
    expect(state.checkpoint.epochId).toBe(-1);
    expect(state.checkpoint.changelogOffsets.size).toBe(0);
    expect(await rows(state, 'counts')).toEqual({});
    expect(readdirSync(join(stateDir, 'app')).filter((name) => name.startsWith('0_0.corrupt-'))).toHaveLength(
      1,
    );
    expect(logger.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    put(state, 'counts', 'anew', 1);
    commitEpoch(state, 8);
    await state.close();
  });

  it('sets the state of another application or task aside', async () => {
    const { stateDir, path } = await filledDirectory();
    mkdirSync(join(stateDir, 'other'));
    renameSync(path, join(stateDir, 'other', '0_0'));
    const backend = createRocksStateBackend({ stateDir });
    const state = await opened(backend, { applicationId: 'other' });
    expect(await rows(state, 'counts')).toEqual({});
    await state.close();
    expect(readdirSync(join(stateDir, 'other')).some((name) => name.includes('.corrupt-'))).toBe(true);
  });

  it('keeps no more than five directories set aside', async () => {
    const stateDir = temporaryDirectory();
    const backend = createRocksStateBackend({ stateDir });
    for (let i = 0; i < 7; i++) {
      await (await opened(backend)).close();
      await backend.setAside('app', '0_0', 'again');
    }
    expect(readdirSync(join(stateDir, 'app'))).toHaveLength(5);
  });

  it('reports a table that turns out corrupted on reading as corrupted, naming the task', async () => {
    const { stateDir, path } = await filledDirectory(5_000);
    overwrite(path, /\.sst$/, 40_000);
    const backend = createRocksStateBackend({ stateDir });
    const state = await opened(backend, { cacheBytesMax: 1_000 });
    const keys = Array.from({ length: 5_000 }, (_, i) => bin(`key-${i}`));
    await expect(state.readAhead('counts', keys, keys.length)).rejects.toMatchObject({
      name: 'TaskCorruptedError',
      code: 'MILLRACE_STATE_FAILED',
      taskIds: ['0_0'],
    });
    expect(state.failure).not.toBeNull();
    await state.closeDirty();
    await backend.setAside('app', '0_0', 'unreadable');
    await (await opened(backend)).close();
  });

  it('reports it already when a small store is read as a whole', async () => {
    const { stateDir, path } = await filledDirectory(5_000);
    overwrite(path, /\.sst$/, 40_000);
    const state = await createRocksStateBackend({ stateDir }).open(taskOptions());
    await expect(state.restored({})).rejects.toMatchObject({ name: 'TaskCorruptedError', taskIds: ['0_0'] });
    await state.closeDirty();
  });

  it.each([
    [{ stateDir: '' }, 'stateDir'],
    [{ stateDir: 'x', lockTimeoutMs: -1 }, 'lockTimeoutMs'],
    [{ stateDir: 'x', expectedTasks: 0 }, 'expectedTasks'],
    [{ stateDir: 'x', writeBufferBytesTotal: Number.NaN }, 'writeBufferBytesTotal'],
  ])('refuses the options %j', (options, named) => {
    expect(() => createRocksStateBackend(options)).toThrow(named);
  });

  it.each(['../escape', 'a/b', '', '..', 'nul\0'])(
    'refuses %j as an application id',
    async (applicationId) => {
      const backend = createRocksStateBackend({ stateDir: temporaryDirectory() });
      await expect(backend.open(taskOptions({ applicationId }))).rejects.toMatchObject({
        code: 'MILLRACE_INVALID_CONFIG',
      });
    },
  );

  it('refuses a path that the binding would not survive', async () => {
    const backend = createRocksStateBackend({
      stateDir: join(temporaryDirectory(), 'd'.repeat(200), 'x/'.repeat(1_900)),
    });
    await expect(backend.open(taskOptions())).rejects.toMatchObject({ code: 'MILLRACE_INVALID_CONFIG' });
  });

  it('says why a state directory cannot be made', async () => {
    const file = join(temporaryDirectory(), 'a-file');
    writeFileSync(file, '');
    const backend = createRocksStateBackend({ stateDir: file });
    await expect(backend.open(taskOptions())).rejects.toMatchObject({ code: 'MILLRACE_STATE_FAILED' });
  });
});

function file(path: string, pattern: RegExp): string {
  const name = readdirSync(path).find((candidate) => pattern.test(candidate));
  if (name === undefined)
    throw new Error(`no file like ${String(pattern)} in ${readdirSync(path).join(' ')}`);
  return name;
}

/** Flips the bits of 32 bytes from `at` on, from the end when negative. */
function overwrite(path: string, pattern: RegExp, at: number): void {
  const name = join(path, file(path, pattern));
  const bytes = readFileSync(name);
  const start = at < 0 ? bytes.length + at : at;
  for (let i = start; i < Math.min(bytes.length, start + 32); i++) bytes[i] = bytes[i]! ^ 0xff;
  writeFileSync(name, bytes);
}

function foreign(path: string): void {
  rmSync(path, { recursive: true });
  mkdirSync(path);
  writeFileSync(join(path, 'notes.txt'), 'mine');
}
