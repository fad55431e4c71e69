// Owns the directories of tasks: <stateDir>/<applicationId>/<taskId>, what may be a name in them, and setting aside.
// It never opens a database and never deletes one without being told to, but for the oldest of those set aside.
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { MillraceError } from '#libs/core';
import type { Clock, Logger } from '#libs/core';
import { PATH_BYTES_MAX } from './native-database.ts';

/** Kept per task; more would fill the disk of a service that fails again and again. */
const SET_ASIDE_MAX = 5;
/** Beside RocksDB's files, which leave it alone: the checkpoint as of a moment ago, to be had without opening the database. */
const REACHED_FILE = 'REACHED';
const APPLICATION_ID = /^[A-Za-z0-9._-]{1,200}$/;
const TASK_ID = /^\d{1,9}_\d{1,9}$/;

/** What is found at a task's path. `torn`: files, but not those of a database that was ever complete. */
export interface FoundDirectory {
  readonly kind: 'absent' | 'empty' | 'database' | 'torn';
  /** Tells the directory from another one that takes its place; 0 when absent. */
  readonly inode: number;
}

export class TaskDirectories {
  private readonly root: string;
  private readonly clock: Clock;
  private readonly logger: Logger;

  constructor(stateDir: string, clock: Clock, logger: Logger) {
    if (typeof stateDir !== 'string' || stateDir === '' || stateDir.includes('\0')) {
      throw invalid(
        `The option stateDir is ${JSON.stringify(stateDir)}.`,
        'Name a directory that may be written to.',
      );
    }
    this.root = resolve(stateDir);
    this.clock = clock;
    this.logger = logger;
  }

  /** @throws MillraceError MILLRACE_INVALID_CONFIG a name that cannot be a directory's. */
  path(applicationId: string, taskId: string): string {
    if (!TASK_ID.test(taskId)) throw invalid(`"${taskId}" is not a task id.`, 'Task ids read like 0_3.');
    const path = join(this.applicationPath(applicationId), taskId);
    if (Buffer.byteLength(path) > PATH_BYTES_MAX) {
      throw invalid(
        `The state directory ${path.slice(0, 80)}… has a path of ${Buffer.byteLength(path)} bytes; ${PATH_BYTES_MAX} are possible.`,
        'Choose a stateDir with a shorter path.',
      );
    }
    return path;
  }

  async inspect(path: string): Promise<FoundDirectory> {
    const inode = await inodeOf(path);
    if (inode === 0) return { kind: 'absent', inode };
    let names: string[];
    try {
      names = await readdir(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { kind: 'absent', inode: 0 };
      throw error;
    }
    if (names.length === 0) return { kind: 'empty', inode };
    return { kind: names.includes('CURRENT') ? 'database' : 'torn', inode };
  }

  async create(path: string): Promise<void> {
    await mkdir(path, { recursive: true });
  }

  /** Renames a task's directory to `<taskId>.corrupt-<time>`. Nothing happens when there is none, or another one. */
  async setAside(path: string, reason: string, inode?: number): Promise<void> {
    const found = await inodeOf(path);
    if (found === 0 || (inode !== undefined && inode !== found)) return;
    const time = new Date(this.clock.now()).toISOString().replace(/[-:.]/g, '');
    let target = `${path}.corrupt-${time}`;
    for (let n = 2; existsSync(target); n++) target = `${path}.corrupt-${time}-${n}`;
    await rename(path, target);
    this.logger.warn('The state of a task was set aside; it is restored from its changelog', {
      from: path,
      to: target,
      reason,
    });
    await this.limitSetAside(path);
  }

  async localTasks(applicationId: string): Promise<string[]> {
    const parent = this.applicationPath(applicationId);
    let names: string[];
    try {
      names = await readdir(parent);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
    return names.filter((name) => TASK_ID.test(name) && existsSync(join(parent, name, 'CURRENT'))).sort();
  }

  /** Not made durable: it is a hint, and the database knows better. */
  async writeReached(path: string, checkpoint: Uint8Array): Promise<void> {
    const file = join(path, REACHED_FILE);
    await writeFile(`${file}.new`, checkpoint);
    await rename(`${file}.new`, file);
  }

  /** `undefined`: never written. */
  async readReached(path: string): Promise<Uint8Array | undefined> {
    try {
      return await readFile(join(path, REACHED_FILE));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Of all files at a task's path; `null`: there are none. Files that go meanwhile do not count. */
  async bytes(path: string): Promise<number | null> {
    let names: string[];
    try {
      names = await readdir(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
    const sizes = await Promise.all(
      names.map((name) =>
        stat(join(path, name)).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
    );
    return sizes.length === 0 ? null : sizes.reduce((sum, size) => sum + size, 0);
  }

  async remove(path: string): Promise<void> {
    await rm(path, { recursive: true, force: true });
  }

  private applicationPath(applicationId: string): string {
    if (!APPLICATION_ID.test(applicationId) || applicationId === '.' || applicationId === '..') {
      throw invalid(
        `The application id ${JSON.stringify(applicationId)} cannot name a directory.`,
        'Use letters, digits, dots, dashes and underscores, 200 at most.',
      );
    }
    return join(this.root, applicationId);
  }

  private async limitSetAside(path: string): Promise<void> {
    const parent = join(path, '..');
    const prefix = `${path.slice(parent.length + 1)}.corrupt-`;
    const names = (await readdir(parent)).filter((name) => name.startsWith(prefix)).sort();
    for (const name of names.slice(0, Math.max(0, names.length - SET_ASIDE_MAX))) {
      this.logger.warn('The oldest state set aside was deleted', { path: join(parent, name) });
      await this.remove(join(parent, name));
    }
  }
}

async function inodeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).ino;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

function invalid(message: string, remedy: string): MillraceError {
  return new MillraceError({ code: 'MILLRACE_INVALID_CONFIG', message, remedy });
}
