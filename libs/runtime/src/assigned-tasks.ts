// Owns what a new assignment means for the tasks at hand, whichever protocol it came by: what is taken away is committed and closed,
// what is new is opened beside the loop, what stays is not touched. It runs in the loop, and says nothing to the group.
import type { Logger, TaskIdText } from '#libs/core';
import type { TaskCopies } from './assignor/contract.ts';
import type { EpochCoordinator } from './epoch-coordinator.ts';
import type { TaskRegistry } from './task-registry.ts';

export interface AssignedTasksParts {
  readonly registry: TaskRegistry;
  readonly epochs: EpochCoordinator;
  readonly logger: Logger;
  /** Something the loop recovers from, or stops for. */
  readonly onFailed: (error: unknown) => void;
}

export interface ApplyOptions {
  /** Said in the log: the generation, or epoch, of the assignment. */
  readonly source: string;
  /** Ends the transactions of earlier owners of tasks that are new here. Nothing of them is opened before. */
  readonly settle: (added: readonly TaskIdText[]) => Promise<void>;
}

/** What an assignment changed. */
export interface AssignmentChange {
  /** No longer run here, committed and closed: the group may give them to others. */
  readonly revoked: readonly TaskIdText[];
  readonly added: readonly TaskIdText[];
}

export class AssignedTasks {
  private readonly parts: AssignedTasksParts;

  constructor(parts: AssignedTasksParts) {
    this.parts = parts;
  }

  /** Resolves once what was taken away is given up; what is new may be restoring for long. */
  async apply(copies: TaskCopies, options: ApplyOptions): Promise<AssignmentChange> {
    const { registry, epochs, logger } = this.parts;
    const { active, standby, warmup } = copies;
    const before = new Set(registry.assignedNames);
    const wanted = new Set(active);
    const revoked = [...before].filter((name) => !wanted.has(name));
    const added = active.filter((name) => !before.has(name));
    logger.info(`Assigned ${active.length} task(s) in ${options.source}`, {
      tasks: active,
      revoked,
      added,
      standby,
      warmup,
    });
    if (revoked.length > 0) {
      await this.guarded(() => epochs.commitAll());
      await this.guarded(() => registry.close(revoked));
    }
    if (added.length > 0) {
      // Beside the loop: tasks that stay go on meanwhile.
      registry.openAll(added, this.parts.onFailed, options.settle(added));
    }
    return { revoked, added };
  }

  /** A failure in here is the loop's to recover from, in its next turn; the group knows nothing of it. */
  private async guarded(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.parts.onFailed(error);
    }
  }
}
