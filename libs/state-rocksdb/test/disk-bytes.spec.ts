// Specifies the size that a backend tells of a task: that of its files, while it is open and afterwards, and nothing where there are none.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Serdes } from '#libs/serde';
import type { Serde } from '#libs/serde';
import { createRocksStateBackend } from '../src/index.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-bytes-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

it('counts the bytes of the files of a task, open or closed, and of no other', async () => {
  const backend = createRocksStateBackend({ stateDir: folder });
  expect(await backend.diskBytes('app', '0_0')).toBeNull();
  const text = Serdes.string() as Serde<unknown>;
  const state = await backend.open({
    taskId: '0_0',
    applicationId: 'app',
    stores: [{ kind: 'keyValue', name: 's', keySerde: text, valueSerde: text, logged: true }],
    cacheBytesMax: 1_000_000,
    writeBehindBytes: 1_000_000,
    writeBehindIntervalMs: 1_000,
  });
  expect(await backend.diskBytes('app', '0_0')).toBeGreaterThan(0);
  expect(await backend.diskBytes('app', '0_1')).toBeNull();
  await state.close();
  expect(await backend.diskBytes('app', '0_0')).toBeGreaterThan(0);
  await backend.destroy('app', '0_0');
  expect(await backend.diskBytes('app', '0_0')).toBeNull();
  await backend.close();
});
