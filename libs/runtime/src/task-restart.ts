// Owns the restart of one task at somebody's wish, without leaving the group: closed, and opened again from what is committed.
//
//   clean   the open epoch is committed first; the task alone is closed, all others go on
//   dirty   the open epoch is dropped, with what the worker's other tasks have in it; all begin again at the last commit, and the
//           state of the one named is closed as it is and opened anew from its disk
import type { TaskIdText } from '#libs/core';
import { MillraceError } from '#libs/core';
import type { EpochCoordinator } from './epoch-coordinator.ts';
import type { StandbyCopies } from './standby-copies.ts';
import type { TaskRegistry } from './task-registry.ts';

export interface TaskRestartParts {
  readonly registry: TaskRegistry;
  readonly epochs: EpochCoordinator;
  readonly copies: StandbyCopies;
  /** Drops the open epoch and closes all tasks that run. */
  readonly abandon: () => Promise<void>;
  readonly onFailed: (error: unknown) => void;
}

/**
 * Called in the loop. Resolves once the task is closed, to `true`; it opens beside the loop. `false`: it does not run here.
 * @throws what the commit failed with, which is the loop's to recover from.
 */
export async function restartTask(
  { registry, epochs, copies, abandon, onFailed }: TaskRestartParts,
  name: TaskIdText,
  dirty: boolean,
): Promise<boolean> {
  if (!registry.assignedNames.includes(name)) return false;
  if (dirty) {
    const owned = registry.assignedNames;
    try {
      await abandon();
      // One that is being opened does not run: its opening is given up.
      if (registry.assignedNames.includes(name)) await registry.close([name]);
      await copies.discard(name);
    } finally {
      // Also where closing failed: the group believes that they run here.
      registry.openAll(owned, onFailed);
    }
    return true;
  }
  await epochs.commitAll();
  registry.retire([name], onFailed);
  // One that is being opened is not running yet: its opening is given up.
  if (registry.assignedNames.includes(name)) await registry.close([name]);
  registry.openAll([name], onFailed);
  return true;
}

export function unknownTask(name: string, here: readonly string[]): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_UNKNOWN_TASK',
    message: `Task ${name} does not run on this instance, which has ${here.length === 0 ? 'none' : here.join(', ')}.`,
    remedy:
      'Ask the instance that runs the task: its tasks are in its figures and in the log of assignments.',
    context: { task: name },
  });
}
