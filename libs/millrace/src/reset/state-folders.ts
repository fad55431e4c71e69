// Owns an application's state on this machine as a reset finds it: the folders of its instances, each locked before anything in it is deleted.
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { tryLockDirectory } from '#libs/state-rocksdb';
import type { ResetStateFolder } from './contract.ts';

const INSTANCE_FOLDER = /^(instance-\d+|named-.+)$/;
/** An instance keeps its name: so it ends what it had left open when it starts again. */
const KEPT = ['lock', 'instance-id'];
const TASK_FOLDER = /^\d{1,9}_\d{1,9}/;

/** `.millrace/state/<applicationId>` and below. */
export async function findStateFolders(stateDir: string, applicationId: string): Promise<ResetStateFolder[]> {
  const root = join(stateDir, applicationId);
  const folders: ResetStateFolder[] = [];
  for (const name of (await names(root)).filter((one) => INSTANCE_FOLDER.test(one)).sort()) {
    const directory = join(root, name);
    const lock = await lockInstance(directory);
    await lock?.release();
    const tasks = (await names(join(directory, applicationId))).filter((one) => TASK_FOLDER.test(one)).sort();
    folders.push({
      directory,
      tasks,
      bytes: await bytesOf(join(directory, applicationId)),
      inUse: lock === null,
    });
  }
  return folders;
}

/** `null`: a process holds it. A folder that was never locked is nobody's. */
async function lockInstance(directory: string): Promise<{ release(): Promise<void> } | null> {
  const lockFolder = join(directory, 'lock');
  if ((await names(lockFolder)).length === 0) return { release: () => Promise.resolve() };
  return tryLockDirectory(lockFolder);
}

/** Locks them all, or none. `null`: one is held; `directory` says which. */
export async function lockStateFolders(
  folders: readonly ResetStateFolder[],
): Promise<{ readonly held: string } | { readonly held: null; release(): Promise<void> }> {
  const locks: { release(): Promise<void> }[] = [];
  const release = async (): Promise<void> => {
    for (const lock of locks.splice(0)) await lock.release();
  };
  for (const { directory } of folders) {
    const lock = await lockInstance(directory);
    if (lock === null) {
      await release();
      return { held: directory };
    }
    locks.push(lock);
  }
  return { held: null, release };
}

/** Under the lock. What is half deleted is deleted by the next reset. */
export async function emptyStateFolder({ directory }: ResetStateFolder): Promise<void> {
  for (const name of await names(directory)) {
    if (!KEPT.includes(name)) await rm(join(directory, name), { recursive: true, force: true });
  }
}

async function names(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}

async function bytesOf(directory: string): Promise<number> {
  let bytes = 0;
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    bytes += await stat(join(entry.parentPath, entry.name)).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return bytes;
}
