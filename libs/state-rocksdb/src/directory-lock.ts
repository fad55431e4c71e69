// Owns a lock on a folder that dies with its holder, however that ends: RocksDB's own, of an empty database. Node has no file
// locks, and this one is the same on Linux, macOS and Windows. Nothing is ever stored in the database.
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { NativeDatabase } from './native-database.ts';
import { isLocked } from './open-database.ts';

export interface DirectoryLock {
  release(): Promise<void>;
}

/** Locks `directory`, which exists and is the lock's alone. `null`: somebody holds it. */
export async function tryLockDirectory(directory: string): Promise<DirectoryLock | null> {
  let database: NativeDatabase;
  try {
    database = await NativeDatabase.open(directory, { createIfMissing: true, writeBufferSize: 64 * 1024 });
  } catch (error) {
    if (isLocked(error)) return null;
    throw error;
  }
  await removeOldLogs(directory);
  return { release: () => database.close() };
}

/** RocksDB keeps a log of every opening. */
async function removeOldLogs(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (name.startsWith('LOG.old.')) await rm(join(directory, name), { force: true });
  }
}
