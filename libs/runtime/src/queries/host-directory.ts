// Owns what an instance knows of who runs which task: what the group told last, by the address that each instance has published. It decides
// nothing, and may be behind: whoever goes by it has to bear that an answer is "not here".
import type { TaskIdText } from '#libs/core';
import type { InstanceFigures } from '../insight/figures.ts';

/** Tasks of the instances that have published an address. */
export interface HostTasks {
  /** `applicationServer` of the instance. */
  readonly host: string;
  readonly active: readonly TaskIdText[];
  readonly standby: readonly TaskIdText[];
}

export class HostDirectory {
  /** Own address; `null`: none is published. */
  readonly ownHost: string | null;
  private entries: readonly HostTasks[] = [];

  constructor(ownHost: string | null) {
    this.ownHost = ownHost;
  }

  /** As the group has told. Two members of one address are one. */
  learn(hosts: readonly HostTasks[]): void {
    this.entries = hosts;
  }

  get hosts(): readonly HostTasks[] {
    return this.entries;
  }

  /** For whoever looks on. */
  get figures(): InstanceFigures[] {
    return this.entries.map(({ host, active, standby }) => ({
      applicationServer: host,
      isLocal: host === this.ownHost,
      active,
      standby,
    }));
  }

  activeHost(task: TaskIdText): string | null {
    return this.entries.find(({ active }) => active.includes(task))?.host ?? null;
  }

  standbyHosts(task: TaskIdText): string[] {
    return this.entries.filter(({ standby }) => standby.includes(task)).map(({ host }) => host);
  }
}
