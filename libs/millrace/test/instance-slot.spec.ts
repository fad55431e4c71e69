// Specifies how copies of an application that share a state folder tell each other apart, also after a kill.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { tryLockDirectory } from '#libs/state-rocksdb';
import { claimInstance, claimSlot } from '../src/instance-slot.ts';

let stateDir: string;
const children = new Set<ChildProcess>();

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'millrace-slot-'));
});

afterEach(async () => {
  for (const child of children) await kill(child);
  await rm(stateDir, { recursive: true, force: true });
});

async function holder(): Promise<{ child: ChildProcess; instanceId: string; directory: string }> {
  const script = join(import.meta.dirname, 'hold-slot.ts');
  const child = spawn(
    process.execPath,
    ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning', script, stateDir],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NODE_OPTIONS: '' } },
  );
  children.add(child);
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, ...(JSON.parse(line.toString()) as { instanceId: string; directory: string }) };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

describe('a slot of the state folder', () => {
  it('is one process’s alone, and a killed process finds its own again', async () => {
    const first = await holder();
    const second = await holder();
    expect(second.instanceId).not.toBe(first.instanceId);
    expect(second.directory).not.toBe(first.directory);
    await kill(first.child);
    const again = await holder();
    expect(again).toMatchObject({ instanceId: first.instanceId, directory: first.directory });
  }, 30_000);

  it('is given to two claims of one process only once', async () => {
    const [a, b] = await Promise.all([
      claimSlot(stateDir, 'app', tryLockDirectory),
      claimSlot(stateDir, 'app', tryLockDirectory),
    ]);
    expect(a.instanceId).not.toBe(b.instanceId);
    await a.release();
    const c = await claimSlot(stateDir, 'app', tryLockDirectory);
    expect(c.instanceId).toBe(a.instanceId);
    await Promise.all([b.release(), c.release()]);
  });

  it('is not shared between applications', async () => {
    const a = await claimSlot(stateDir, 'app', tryLockDirectory);
    const b = await claimSlot(stateDir, 'other', tryLockDirectory);
    expect(b.instanceId).not.toBe(a.instanceId);
    expect(b.directory).toContain('instance-0');
    await Promise.all([a.release(), b.release()]);
  });

  it('gets a new id when the one it has cannot be read', async () => {
    const first = await claimSlot(stateDir, 'app', tryLockDirectory);
    await first.release();
    await writeFile(join(first.directory, 'instance-id'), '\0torn');
    const second = await claimSlot(stateDir, 'app', tryLockDirectory);
    expect(second.instanceId).toMatch(/^[0-9a-f-]{36}$/);
    expect((await readFile(join(first.directory, 'instance-id'), 'utf8')).trim()).toBe(second.instanceId);
    await second.release();
  });

  it('refuses a named instance whose folder is in use, and says by whom it can be freed', async () => {
    const held = await claimInstance(stateDir, 'app', 'blue', tryLockDirectory);
    const again = claimInstance(stateDir, 'app', 'blue', tryLockDirectory);
    await expect(again).rejects.toMatchObject({
      code: 'MILLRACE_STATE_LOCKED',
      message: expect.stringContaining('"blue"'),
      remedy: expect.stringContaining('Stop that process'),
    });
    await held.release();
    await (await claimInstance(stateDir, 'app', 'blue', tryLockDirectory)).release();
  });

  it('refuses a state folder that is a file', async () => {
    const file = join(stateDir, 'file');
    await writeFile(file, '');
    await expect(claimSlot(file, 'app', tryLockDirectory)).rejects.toMatchObject({
      code: 'MILLRACE_STATE_FAILED',
      message: expect.stringContaining(file),
    });
  });
});
