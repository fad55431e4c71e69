// Owns bringing ranges of an ordered store into the cache: one scan per group, several groups at once. It never overwrites what the
// cache knows. A scan goes on to the group's newest row, so that a window that moves with time is read once.
import type { BinaryString } from '#libs/core';
import type { GroupRange } from '../contract.ts';
import type { DatabaseRow, StateDatabase } from '../database.ts';
import type { Residency } from '../residency.ts';
import type { Group } from './group.ts';
import type { OrderedCache } from './ordered-cache.ts';
import { groupEnd, rankOf } from './row-key.ts';

/** Scans under way at once. */
const SCANS_PARALLEL_MAX = 8;

export class RangeReader {
  private readonly database: StateDatabase;
  private readonly store: OrderedCache;
  private readonly residency: Residency;
  /** Scans under way, by group: two would both extend the same index. */
  private readonly scanning = new Map<Group, Promise<void>>();
  /** Counts how often the cache was cleared; an answer from before is dropped. */
  private generation = 0;

  constructor(database: StateDatabase, store: OrderedCache, residency: Residency) {
    this.database = database;
    this.store = store;
    this.residency = residency;
  }

  /** `undefined`: all is in the cache. */
  fetch(ranges: readonly GroupRange[]): Promise<void> | undefined {
    const { store } = this;
    if (store.complete) return undefined;
    const { batch, pinnedFrom } = this.residency;
    let wanted: Map<Group, BinaryString> | null = null;
    for (let i = 0; i < ranges.length; i++) {
      const { group: key, from } = ranges[i]!;
      const group = store.groupToCover(key, from);
      if (group === undefined) continue;
      group.want(from, batch, pinnedFrom);
      if (store.covers(group, from, rankOf(from))) continue;
      wanted ??= new Map();
      const before = wanted.get(group);
      if (before === undefined || from < before) wanted.set(group, from);
    }
    return wanted === null ? undefined : this.scanAll([...wanted]);
  }

  cleared(): void {
    this.generation++;
  }

  private async scanAll(wanted: readonly (readonly [Group, BinaryString])[]): Promise<void> {
    const { generation } = this;
    let at = 0;
    const next = async (): Promise<void> => {
      for (let job = wanted[at++]; job !== undefined; job = wanted[at++]) {
        await this.cover(job[0], job[1], generation);
      }
    };
    for (const [group] of wanted) this.store.startReading(group.key);
    try {
      await Promise.all(Array.from({ length: Math.min(SCANS_PARALLEL_MAX, wanted.length) }, next));
    } finally {
      for (const [group] of wanted) this.store.endReading(group.key);
    }
  }

  private async cover(group: Group, from: BinaryString, generation: number): Promise<void> {
    while (generation === this.generation && !this.store.covers(group, from, rankOf(from))) {
      const running = this.scanning.get(group);
      if (running !== undefined) {
        await running;
        continue;
      }
      const scan = this.scan(group, from, generation);
      this.scanning.set(group, scan);
      try {
        await scan;
      } finally {
        this.scanning.delete(group);
      }
    }
  }

  private async scan(group: Group, from: BinaryString, generation: number): Promise<void> {
    this.store.adopt(group);
    const { prefix, coveredFrom, coveredRank } = group;
    const to = coveredRank === Infinity ? groupEnd(group.key) : ((prefix + coveredFrom) as BinaryString);
    const found: DatabaseRow[] = [];
    const range = { from: (prefix + from) as BinaryString, to };
    for await (const row of this.database.scan(this.store.index, range)) found.push(row);
    if (generation !== this.generation) return;
    for (const { key, value, timestamp } of found) this.store.admit(key, value, timestamp);
    group.coverFrom(from);
  }
}
