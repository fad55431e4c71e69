import { afterAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createRocksStateBackend } from '#libs/state-rocksdb';
import { rows, taskOptions } from '../../state/test/support.ts';
import { removeTemporaryDirectories, temporaryDirectory } from './support.ts';
import { stateAtEpoch } from './written-epochs.ts';

afterAll(removeTemporaryDirectories);

const ROUNDS = 4;

/** Runs the writer until it has written at least `lines` lines, then kills it without warning. */
async function writeAndKill(stateDir: string, lines: number): Promise<void> {
  const child = spawn(
    process.execPath,
    ['--conditions=millrace-source', join(import.meta.dirname, 'writer-process.ts'), stateDir],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let seen = 0;
  for await (const chunk of child.stdout) {
    seen += String(chunk).split('\n').length - 1;
    if (seen >= lines) break;
  }
  const exited = child.exitCode === null ? once(child, 'exit') : Promise.resolve();
  child.kill('SIGKILL');
  await exited;
}

describe('a process that is killed while it writes', () => {
  it('leaves state and offset of the same epoch, each time, and can be gone on from', async () => {
    const stateDir = temporaryDirectory();
    let last = -1;
    for (let round = 1; round <= ROUNDS; round++) {
      await writeAndKill(stateDir, round * 3);
      const backend = createRocksStateBackend({ stateDir });
      const state = await backend.open(taskOptions());
      const { epochId, changelogOffsets, metadata } = state.checkpoint;
      expect(epochId).toBeGreaterThan(last);
      expect(changelogOffsets.get('counts')).toBe(epochId);
      expect(metadata).toEqual({ epochId });
      expect(await rows(state, 'counts')).toEqual(stateAtEpoch(epochId));
      last = epochId;
      await state.closeDirty();
    }
  }, 60_000);
});
