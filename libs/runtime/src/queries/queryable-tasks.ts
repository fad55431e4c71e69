// Owns what queries see of a worker: its tasks, its copies, what the group told of the others. Nothing of it is kept over a call.
import type { TaskIdText } from '#libs/core';
import type { ClusterLayout } from '../cluster-layout.ts';
import type { RuntimeConfig } from '../config.ts';
import type { GlobalStores } from '../global-stores.ts';
import type { StandbyCopies } from '../standby-copies.ts';
import type { StandbyCopy } from '../standby-copy.ts';
import type { TaskRegistry } from '../task-registry.ts';
import type { Task } from '../task.ts';
import { HostDirectory } from './host-directory.ts';

export class QueryableTasks {
  readonly layout: ClusterLayout;
  readonly directory: HostDirectory;
  readonly globals: GlobalStores;
  private readonly registry: TaskRegistry;
  private readonly copies: StandbyCopies;

  constructor(
    config: RuntimeConfig,
    layout: ClusterLayout,
    globals: GlobalStores,
    registry: TaskRegistry,
    copies: StandbyCopies,
  ) {
    this.layout = layout;
    this.directory = new HostDirectory(config.applicationServer);
    this.globals = globals;
    this.registry = registry;
    this.copies = copies;
  }

  /** One that runs. */
  task(name: TaskIdText): Task | undefined {
    return this.registry.task(name);
  }

  /** It runs here, or is being opened here. */
  isAssigned(name: TaskIdText): boolean {
    return this.registry.isAssigned(name);
  }

  copy(name: TaskIdText): StandbyCopy | undefined {
    return this.copies.copy(name);
  }
}
