// Owns the comparison of what lies on disks with the changelogs: no store is ahead of what is committed, and each is the fold of its
// changelog up to the offset it names. It looks at a disk when it was written to.
import type { MemoryCluster } from '#libs/broker-memory';
import { APPLICATION } from '../scenario.ts';
import type { Instance } from '../instance.ts';
import { Violation } from '../violation.ts';

interface Change {
  readonly offset: number;
  readonly key: string;
  readonly value: string | null;
}

/** A changelog as it was committed; also what was cleaned away since. */
interface Changelog {
  readonly changes: Change[];
  position: number;
  /** Below it, what a later change before it superseded may be gone from the log. */
  cleanedTo: number;
}

/** What the changelog makes of a store up to an offset. */
interface Fold {
  readonly pairs: Map<string, string>;
  offset: number;
  /** Changes that are in it. */
  count: number;
}

type Disk = NonNullable<ReturnType<Instance['backend']['disk']>>;

interface Seen {
  readonly disk: Disk;
  checkpoint: Disk['checkpoint'] | undefined;
  readonly folds: Map<string, Fold>;
}

export class StoreCheck {
  readonly #cluster: MemoryCluster;
  readonly #changelogs = new Map<string, Changelog>();
  readonly #seen = new Map<string, Seen>();

  constructor(cluster: MemoryCluster) {
    this.#cluster = cluster;
  }

  /** @throws Violation */
  look(instances: readonly Instance[]): void {
    for (const instance of instances) {
      instance.disks((taskId, disk) => {
        const name = `${instance.name}/${taskId}`;
        let seen = this.#seen.get(name);
        // Set aside: another one lies there now.
        if (seen?.disk !== disk) {
          seen = { disk, checkpoint: undefined, folds: new Map() };
          this.#seen.set(name, seen);
        }
        if (seen.checkpoint === disk.checkpoint) return;
        if (this.#check(name, taskId, disk, seen)) seen.checkpoint = disk.checkpoint;
      });
    }
  }

  /** False: the markers of what it reached are still to come. */
  #check(name: string, taskId: string, disk: Disk, seen: Seen): boolean {
    const { inspect } = this.#cluster;
    let complete = true;
    const partition = Number(taskId.slice(taskId.lastIndexOf('_') + 1));
    for (const [store, offset] of disk.checkpoint.changelogOffsets) {
      const topic = changelogOf(store);
      // Behind an open transaction of a zombie, which nobody commits any more, a store may well go on.
      if (offset > 0 && inspect.isUndecided(topic, partition, offset - 1)) {
        throw new Violation(
          `Store "${store}" of ${name} reached offset ${offset} of ${topic}-${partition}, and what lies before is not decided: it was written before its epoch was committed.`,
        );
      }
      const changelog = this.#changelog(topic, partition);
      if (changelog.position < offset) {
        complete = false;
        continue;
      }
      const fold = this.#foldTo(seen, store, changelog, offset);
      compare(name, store, fold, disk, supersededKeys(changelog, offset));
    }
    return complete;
  }

  #changelog(topic: string, partition: number): Changelog {
    const name = `${topic}-${partition}`;
    let changelog = this.#changelogs.get(name);
    if (changelog === undefined)
      this.#changelogs.set(name, (changelog = { changes: [], position: 0, cleanedTo: 0 }));
    const { inspect } = this.#cluster;
    const end = inspect.ends(topic, partition).lastStableOffset;
    if (end > changelog.position) {
      for (const record of inspect.records(topic, partition, 'read_committed', changelog.position)) {
        changelog.changes.push({
          offset: record.offset,
          key: record.key!.toString('latin1'),
          value: record.value?.toString('latin1') ?? null,
        });
      }
      changelog.position = end;
    }
    return changelog;
  }

  /** Before a log is cleaned: what goes is read first. */
  readAll(): void {
    const { inspect } = this.#cluster;
    for (const topic of inspect.topicNames()) {
      if (!topic.endsWith('-changelog')) continue;
      for (let partition = 0; partition < inspect.partitionCount(topic); partition++) {
        const changelog = this.#changelog(topic, partition);
        changelog.cleanedTo = changelog.position;
      }
    }
  }

  #foldTo(seen: Seen, store: string, { changes }: Changelog, offset: number): Fold {
    let fold = seen.folds.get(store);
    // After a crash it may have gone back.
    if (fold === undefined || fold.offset > offset) fold = { pairs: new Map(), offset: 0, count: 0 };
    seen.folds.set(store, fold);
    for (; fold.count < changes.length && changes[fold.count]!.offset < offset; fold.count++) {
      const { key, value } = changes[fold.count]!;
      if (value === null) fold.pairs.delete(key);
      else fold.pairs.set(key, value);
    }
    fold.offset = offset;
    return fold;
  }

  /** The values of a store at the end of its changelogs, over all partitions. */
  finalValues(store: string): string[] {
    const topic = changelogOf(store);
    const values: string[] = [];
    for (let partition = 0; partition < this.#cluster.inspect.partitionCount(topic); partition++) {
      const pairs = new Map<string, string | null>();
      for (const { key, value } of this.#changelog(topic, partition).changes) pairs.set(key, value);
      for (const value of pairs.values()) if (value !== null) values.push(value);
    }
    return values;
  }

  /** Stores that have a changelog. */
  get stores(): string[] {
    return this.#cluster.inspect
      .topicNames()
      .filter((topic) => topic.endsWith('-changelog'))
      .map((topic) => topic.slice(APPLICATION.length + 1, -'-changelog'.length));
  }

  /** Once all have stopped: for each partition some disk reached the end. @throws Violation */
  requireComplete(instances: readonly Instance[]): void {
    for (const store of this.stores) {
      const topic = changelogOf(store);
      for (let partition = 0; partition < this.#cluster.inspect.partitionCount(topic); partition++) {
        const last = this.#changelog(topic, partition).changes.at(-1);
        if (last === undefined) continue;
        let reached = -1;
        for (const instance of instances) {
          instance.disks((taskId, disk) => {
            if (!taskId.endsWith(`_${partition}`)) return;
            reached = Math.max(reached, disk.checkpoint.changelogOffsets.get(store) ?? -1);
          });
        }
        if (reached <= last.offset) {
          throw new Violation(
            `After a clean stop no disk has store "${store}" of partition ${partition} up to the end: ${reached} of ${last.offset + 1}.`,
          );
        }
      }
    }
  }
}

function changelogOf(store: string): string {
  return `${APPLICATION}-${store}-changelog`;
}

/** Keys with a later change that the log was cleaned behind: of what they had up to `offset` nothing need be left to restore. */
function supersededKeys({ changes, cleanedTo }: Changelog, offset: number): ReadonlySet<string> {
  const keys = new Set<string>();
  if (cleanedTo <= offset) return keys;
  for (const change of changes)
    if (change.offset >= offset && change.offset < cleanedTo) keys.add(change.key);
  return keys;
}

function compare(
  name: string,
  store: string,
  { pairs, offset }: Fold,
  disk: Disk,
  superseded: ReadonlySet<string>,
): void {
  const table = disk.tables.get(store);
  for (const [key, value] of pairs) {
    const stored = table?.get(key as never)?.value ?? null;
    if (stored === value || superseded.has(key)) continue;
    throw new Violation(
      `Store "${store}" of ${name} at changelog offset ${offset} has ${shown(stored)} under ${JSON.stringify(key)}; its changelog makes that ${shown(value)}.`,
    );
  }
  for (const { key } of table?.scan({}) ?? []) {
    if (pairs.has(key) || superseded.has(key)) continue;
    throw new Violation(
      `Store "${store}" of ${name} at changelog offset ${offset} has ${JSON.stringify(key)}, which is not in its changelog up to there.`,
    );
  }
}

function shown(value: string | null): string {
  return value === null ? 'nothing' : JSON.stringify(value);
}
