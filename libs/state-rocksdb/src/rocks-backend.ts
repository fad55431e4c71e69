// Owns the state backend on RocksDB: which tasks are open in this process, and what each database may take of its memory.
import { MillraceError, silentLogger, systemClock } from '#libs/core';
import type { Clock, Logger } from '#libs/core';
import { TaskStateImpl, stateInUse } from '#libs/state';
import type { StateBackend, StateCheckpoint, TaskState, TaskStateOptions } from '#libs/state';
import { openDatabase } from './open-database.ts';
import { ReachedNote, readReached } from './reached-note.ts';
import { RocksDatabase } from './rocks-database.ts';
import { TaskDirectories } from './task-directory.ts';

const MIB = 1024 * 1024;
const WRITE_BUFFER_BYTES_MIN = 1 * MIB;
const WRITE_BUFFER_BYTES_MAX = 16 * MIB;
/** RocksDB keeps two memtables: one filled, one on its way to a table. */
const MEMTABLES = 2;

export interface RocksStateOptions {
  /** Directory of all state; created when missing. Each process has its own. */
  readonly stateDir: string;
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** How long a task waits for a predecessor to give its lock up, milliseconds. Default 10,000. */
  readonly lockTimeoutMs?: number;
  /** Bytes that the memtables of all databases together may take. Default 128 MiB. */
  readonly writeBufferBytesTotal?: number;
  /** Tasks expected in this process; the budget is divided by it, or by the open ones if they are more. Default 8. */
  readonly expectedTasks?: number;
  /** Bytes of a data block of a table. Default 4,096. */
  readonly blockBytes?: number;
  /** True: RocksDB keeps blocks in a cache of 32 MiB per task. Default false: the operating system's cache serves. */
  readonly blockCache?: boolean;
}

/** @throws MillraceError MILLRACE_INVALID_CONFIG */
export function createRocksStateBackend(options: RocksStateOptions): StateBackend {
  const { clock = systemClock, logger = silentLogger } = options;
  const lockTimeoutMs = positive('lockTimeoutMs', options.lockTimeoutMs ?? 10_000, 0);
  const budget = positive('writeBufferBytesTotal', options.writeBufferBytesTotal ?? 128 * MIB, MIB);
  const expectedTasks = positive('expectedTasks', options.expectedTasks ?? 8, 1);
  const blockBytes = positive('blockBytes', options.blockBytes ?? 4_096, 512);
  const directories = new TaskDirectories(options.stateDir, clock, logger);
  /** By path: open databases, and those being closed. */
  const open = new Map<string, RocksDatabase>();
  let closed = false;

  function free(applicationId: string, taskId: string): string {
    const path = directories.path(applicationId, taskId);
    if (open.has(path)) throw stateInUse(taskId);
    return path;
  }

  return {
    name: 'rocksdb',

    async open(task: TaskStateOptions): Promise<TaskState> {
      if (closed) throw backendClosed();
      const path = directories.path(task.applicationId, task.taskId);
      const share = budget / MEMTABLES / Math.max(expectedTasks, open.size + 1);
      const writeBufferSize = Math.round(
        Math.min(WRITE_BUFFER_BYTES_MAX, Math.max(WRITE_BUFFER_BYTES_MIN, share)),
      );
      const { native, checkpoint, stores, empty } = await openDatabase(path, task, {
        directories,
        clock,
        logger,
        lockTimeoutMs,
        native: {
          writeBufferSize,
          maxWriteBufferNumber: MEMTABLES,
          tableBlockSize: blockBytes,
          blockCache: options.blockCache === true,
          tableCacheIndexAndFilterBlocks: options.blockCache === true,
        },
      });
      const note = new ReachedNote(clock, (bytes) => directories.writeReached(path, bytes));
      const database = new RocksDatabase(native, checkpoint, stores, empty, note, () => open.delete(path));
      open.set(path, database);
      return new TaskStateImpl(task, database, { clock, logger });
    },

    localTasks: (applicationId) => directories.localTasks(applicationId),

    async localCheckpoints(applicationId) {
      const checkpoints = new Map<string, StateCheckpoint>();
      for (const taskId of await directories.localTasks(applicationId)) {
        const path = directories.path(applicationId, taskId);
        const reached = open.get(path)?.written ?? (await readReached(directories, path, logger));
        if (reached !== undefined) checkpoints.set(taskId, reached);
      }
      return checkpoints;
    },

    async setAside(applicationId, taskId, reason) {
      await directories.setAside(free(applicationId, taskId), reason);
    },

    diskBytes: (applicationId, taskId) => directories.bytes(directories.path(applicationId, taskId)),

    async destroy(applicationId, taskId) {
      await directories.remove(free(applicationId, taskId));
    },

    async close() {
      if (open.size > 0) {
        throw new MillraceError({
          code: 'MILLRACE_ILLEGAL_STATE',
          message: `The state backend was closed while ${open.size} tasks are open: ${[...open.keys()].join(', ')}.`,
          remedy: 'Close every task first.',
        });
      }
      closed = true;
    },
  };
}

function positive(name: string, value: unknown, minimum: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= minimum) return value;
  throw new MillraceError({
    code: 'MILLRACE_INVALID_CONFIG',
    message: `The state option ${name} is ${String(value)}.`,
    remedy: `Set it to a whole number of at least ${minimum}.`,
  });
}

function backendClosed(): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_ILLEGAL_STATE',
    message: 'The state backend is closed.',
    remedy: 'Create a new one.',
  });
}
