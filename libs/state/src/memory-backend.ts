// Owns the in-memory state of a process: one disk stand-in per task. It never writes a file.
import { MillraceError, silentLogger, systemClock } from '#libs/core';
import type { Clock, Logger } from '#libs/core';
import type { StateBackend, StateCheckpoint, TaskState, TaskStateOptions } from './contract.ts';
import { MemoryDatabase, MemoryDisk } from './memory-database.ts';
import { storeIdentity, stateIncompatible, stateInUse, stateLocked } from './store-identity.ts';
import { TaskStateImpl } from './task-state.ts';

export interface MemoryStateOptions {
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** True: what a task wrote is there when it is opened again. Default false: every open starts empty. */
  readonly survivesReopen?: boolean;
}

export interface MemoryStateBackend extends StateBackend {
  /**
   * For crash tests: the newest `batches` (all, when not given) written since the last flush are gone when the task is next
   * opened. The task is no longer locked: its process is dead.
   */
  crash(applicationId: string, taskId: string, batches?: number): void;
  /** What is stored for a task, or `undefined`. */
  disk(applicationId: string, taskId: string): MemoryDisk | undefined;
  /** What is stored for any task, but for what was set aside. */
  eachDisk(visit: (applicationId: string, taskId: string, disk: MemoryDisk) => void): void;
}

/** State that lives and dies with the process. */
export function createMemoryStateBackend(options: MemoryStateOptions = {}): MemoryStateBackend {
  const { clock = systemClock, logger = silentLogger, survivesReopen = false } = options;
  const disks = new Map<string, MemoryDisk>();
  const setAside = new Map<string, MemoryDisk[]>();
  const name = (applicationId: string, taskId: string): string => `${applicationId}/${taskId}`;

  function unlocked(applicationId: string, taskId: string): MemoryDisk | undefined {
    const disk = disks.get(name(applicationId, taskId));
    if (disk?.locked === true) throw stateInUse(taskId);
    return disk;
  }

  return {
    name: 'memory',

    async open(taskOptions: TaskStateOptions): Promise<TaskState> {
      const { applicationId, taskId, stores } = taskOptions;
      const key = name(applicationId, taskId);
      const before = disks.get(key);
      if (before?.locked === true) throw stateLocked(taskId, 'memory');
      const disk = before !== undefined && survivesReopen ? before : new MemoryDisk(survivesReopen);
      for (const store of stores) {
        const identity = storeIdentity(store);
        const written = disk.identities.get(store.name);
        if (written !== undefined && written !== identity) {
          throw stateIncompatible(taskId, store.name, written, identity);
        }
        if (!store.logged) disk.table(store.name, store.kind).clear();
        disk.identities.set(store.name, identity);
      }
      disk.locked = true;
      disks.set(key, disk);
      const database = new MemoryDatabase(disk, stores, clock);
      return new TaskStateImpl(taskOptions, database, { clock, logger });
    },

    async localTasks(applicationId) {
      const prefix = `${applicationId}/`;
      return [...disks.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
    },

    async localCheckpoints(applicationId) {
      const prefix = `${applicationId}/`;
      const checkpoints = new Map<string, StateCheckpoint>();
      for (const [key, disk] of disks) {
        // What nobody opens again empty is as good as gone.
        if (key.startsWith(prefix) && (disk.locked || survivesReopen))
          checkpoints.set(key.slice(prefix.length), disk.checkpoint);
      }
      return checkpoints;
    },

    async diskBytes() {
      return null;
    },

    async setAside(applicationId, taskId, reason) {
      const disk = unlocked(applicationId, taskId);
      if (disk === undefined) return;
      const key = name(applicationId, taskId);
      logger.warn('state set aside', { applicationId, taskId, reason });
      setAside.set(key, [...(setAside.get(key) ?? []), disk]);
      disks.delete(key);
    },

    async destroy(applicationId, taskId) {
      unlocked(applicationId, taskId);
      disks.delete(name(applicationId, taskId));
    },

    async close() {
      for (const [key, disk] of disks) {
        if (!disk.locked) continue;
        throw new MillraceError({
          code: 'MILLRACE_ILLEGAL_STATE',
          message: `The in-memory state backend was closed while the state of ${key} is open.`,
          remedy: 'Close every task first.',
        });
      }
    },

    crash(applicationId, taskId, batches) {
      const disk = disks.get(name(applicationId, taskId));
      if (disk === undefined) return;
      disk.locked = false;
      disk.deaths++;
      disk.loseUnsynced(batches);
    },

    disk: (applicationId, taskId) => disks.get(name(applicationId, taskId)),

    eachDisk(visit) {
      for (const [key, disk] of disks) {
        const slash = key.lastIndexOf('/');
        visit(key.slice(0, slash), key.slice(slash + 1), disk);
      }
    },
  };
}
