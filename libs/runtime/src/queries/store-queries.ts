// Owns the answers to queries on this instance: finds the task or the copy that has the partition, reads what is committed of it, and says
// why where it cannot. It never touches what tasks process: a read brings nothing into a cache and waits for no commit.
//
// 1. An active task gives what its newest committed epoch left; a standby copy what it has read of the changelog, which may end within an
//    epoch.
// 2. A task that was taken away while it was read gives no half answer: the query is refused, to be asked again.
// 3. Rows that are expired are not shown, whether they are dropped yet or not.
import type { BrokerClient } from '#libs/broker';
import { formatTaskId, readOrderedTime, yieldToIo } from '#libs/core';
import type { BinaryString, Clock, TaskIdText } from '#libs/core';
import { KeyHeap, ReadEnded, suffixOfKey } from '#libs/state';
import type { CommittedRange, TaskState } from '#libs/state';
import type { Topology } from '#libs/topology';
import type { RuntimeConfig } from '../config.ts';
import type { GlobalStores } from '../global-stores.ts';
import { followChanges } from './change-feed.ts';
import type { ChangeOptions, EncodedChange } from './change-feed.ts';
import { elsewhere, notRunning, queryInvalid, rebalancing, tooStale } from './query-error.ts';
import type {
  AnswerSource,
  EncodedRow,
  PageQuery,
  StoreAnswer,
  StorePartitions,
  StoreQuery,
  StoreQueryPort,
} from './store-query.ts';
import type { QueryableTasks } from './queryable-tasks.ts';
import { partitionOfKey, queryableShape, storeShapes } from './store-shape.ts';
import type { StoreShape } from './store-shape.ts';

/** Rows of a global store looked at between two turns for others. */
const SLICE_ROWS = 4_096;

export interface StoreQueriesParts {
  readonly topology: Topology;
  readonly client: BrokerClient;
  readonly config: RuntimeConfig;
  readonly clock: Clock;
  /** `null`: there is no worker. */
  readonly tasks: () => QueryableTasks | null;
  /** The state of the application's life, for messages. */
  readonly lifecycle: () => string;
}

/** As Kafka Streams' StreamsMetadata. */
export interface InstanceMetadata {
  /** `host:port`; `null`: of this instance, which has not said. */
  readonly applicationServer: string | null;
  readonly isLocal: boolean;
  readonly activePartitions: readonly number[];
  readonly standbyPartitions: readonly number[];
}

/** As Kafka Streams' KeyQueryMetadata. */
export interface KeyMetadata {
  /** `null`: a partitioner of the application's own decides, and it is not known how. */
  readonly partition: number | null;
  /** `applicationServer` of the instance that runs the task; `null`: not known. */
  readonly active: string | null;
  readonly standbys: readonly string[];
  /** The task runs here, or is being opened here. */
  readonly isLocal: boolean;
}

/** All that handles ask. */
export interface StoreAccess extends StoreQueryPort {
  /** @throws StoreQueryError MILLRACE_STORE_UNKNOWN, MILLRACE_QUERY_INVALID it is an operator's own */
  shape(name: string): StoreShape;
  changes(shape: StoreShape, options: ChangeOptions): AsyncGenerator<readonly EncodedChange[]>;
  metadataForStore(store: string): readonly InstanceMetadata[];
  /** `key`: as the store's serde encodes it. */
  metadataForKey(store: string, key: BinaryString): KeyMetadata;
}

interface Found {
  readonly state: TaskState;
  readonly source: Omit<AnswerSource, 'position'>;
  /** `undefined`: nothing is known to be expired. */
  readonly visibleFrom: number | undefined;
}

export class StoreQueries implements StoreAccess {
  private readonly parts: StoreQueriesParts;
  private readonly shapes: ReadonlyMap<string, StoreShape>;

  constructor(parts: StoreQueriesParts) {
    this.parts = parts;
    this.shapes = storeShapes(parts.topology);
  }

  shape(name: string): StoreShape {
    return queryableShape(this.shapes, name);
  }

  partitions(store: string): StorePartitions {
    const shape = this.shape(store);
    const tasks = this.running(store);
    const { subTopology } = shape;
    const none = { active: [], standby: new Map<number, number | null>(), opening: [] };
    if (subTopology === null) {
      return tasks.globals.isReady ? { ...none, count: 1, active: [0] } : { ...none, count: 1, opening: [0] };
    }
    const count = tasks.layout.taskCount(subTopology);
    const active: number[] = [];
    const opening: number[] = [];
    const standby = new Map<number, number | null>();
    for (let partition = 0; partition < count; partition++) {
      const name = formatTaskId({ subTopology: subTopology.id, partition });
      if (tasks.task(name) !== undefined) active.push(partition);
      else if (tasks.isAssigned(name)) opening.push(partition);
      const copy = tasks.copy(name);
      if (copy !== undefined && copy.readableState !== null)
        standby.set(partition, copy.lagNow(this.parts.clock.now()));
    }
    return { count, active, standby, opening };
  }

  async ask(query: StoreQuery): Promise<StoreAnswer> {
    const shape = this.shape(query.store);
    const tasks = this.running(query.store);
    if (shape.global !== null) return this.askGlobal(shape, tasks.globals, query);
    const found = this.find(shape, tasks, query);
    const { state } = found;
    try {
      return await this.read(shape, found, query);
    } catch (error) {
      // Closed meanwhile, to go elsewhere or to be opened anew; or what it held was abandoned with it.
      if (error instanceof ReadEnded || this.isGone(shape, state, query.partition)) {
        throw rebalancing(query.store, query.partition, 'its task was closed while it was read');
      }
      throw error;
    }
  }

  private async read(shape: StoreShape, found: Found, query: StoreQuery): Promise<StoreAnswer> {
    const { state, visibleFrom } = found;
    const { store } = query;
    const position = state.committedOffset(store) ?? null;
    const source: AnswerSource = { ...found.source, position };
    const empty = { source, values: [], rows: [], next: null, size: null };
    switch (query.kind) {
      case 'many': {
        const values = await state.committedMany(store, query.keys);
        if (visibleFrom === undefined) return { ...empty, values };
        const isHidden = (key: BinaryString): boolean => readOrderedTime(suffixOfKey(key), 0) < visibleFrom;
        return { ...empty, values: values.map((value, i) => (isHidden(query.keys[i]!) ? null : value)) };
      }
      case 'page': {
        const { range } = query;
        const fromTime = visibleFrom ?? -Infinity;
        const bounded =
          shape.expires && fromTime > (range.fromTime ?? -Infinity) ? { ...range, fromTime } : range;
        const { rows, next, offset } = await state.committedPage(store, bounded);
        return { ...empty, source: { ...source, position: offset }, rows, next };
      }
      case 'size':
        return { ...empty, size: await state.approximateRows(store) };
    }
  }

  private running(store: string): QueryableTasks {
    const tasks = this.parts.tasks();
    if (tasks === null) throw notRunning(store, this.parts.lifecycle());
    return tasks;
  }

  private find(shape: StoreShape, tasks: QueryableTasks, query: StoreQuery): Found {
    const { store, partition, from = 'active', maxLag = 0 } = query;
    const { id } = shape.subTopology!;
    const count = tasks.layout.taskCount(shape.subTopology!);
    if (!Number.isSafeInteger(partition) || partition < 0 || partition >= count) {
      throw queryInvalid(store, `it has no partition ${partition}, but 0 to ${count - 1}`);
    }
    const name = formatTaskId({ subTopology: id, partition });
    const task = tasks.task(name);
    const open = task?.state ?? null;
    if (task !== undefined && open !== null) {
      const expired = shape.expires ? (open.expiredBefore(store) ?? task.expireBefore.get(store)) : undefined;
      return { state: open, source: { partition, role: 'active', lag: 0 }, visibleFrom: expired };
    }
    const owner = tasks.directory.activeHost(name);
    const copy = from === 'activeOrStandby' ? tasks.copy(name) : undefined;
    const state = copy?.readableState ?? null;
    if (copy !== undefined && state !== null) {
      const lag = copy.lagNow(this.parts.clock.now());
      if ((lag ?? Infinity) > maxLag) throw tooStale(store, partition, lag, maxLag, owner);
      const visibleFrom = shape.expires ? state.expiredBefore(store) : undefined;
      return { state, source: { partition, role: 'standby', lag: lag ?? -1 }, visibleFrom };
    }
    if (tasks.isAssigned(name)) throw rebalancing(store, partition, 'its task is being opened or restored');
    const other = owner === tasks.directory.ownHost ? null : owner;
    if (other === null && tasks.directory.hosts.length > 0)
      throw rebalancing(store, partition, 'no instance is known to run its task yet');
    throw elsewhere(store, partition, other);
  }

  /** Does nobody here hold this state any more? */
  private isGone(shape: StoreShape, state: TaskState, partition: number): boolean {
    const tasks = this.parts.tasks();
    if (tasks === null) return true;
    const name = formatTaskId({ subTopology: shape.subTopology!.id, partition });
    return tasks.task(name)?.state !== state && tasks.copy(name)?.readableState !== state;
  }

  /** Committed changes of a store as they come. @throws StoreQueryError */
  changes(shape: StoreShape, options: ChangeOptions): AsyncGenerator<readonly EncodedChange[]> {
    const { client, clock, config } = this.parts;
    const { name } = shape;
    const { layout } = this.running(name);
    const hasEnded = (): boolean => this.parts.tasks() === null && !isStarting(this.parts.lifecycle());
    const common = { store: name, groupId: config.applicationId, hasEnded };
    const { subTopology, spec, global } = shape;
    if (subTopology === null || spec === null) {
      const topic = global!.topic;
      const from = async function* (): AsyncGenerator<readonly EncodedChange[]> {
        const partitions = await client.partitionCount(topic);
        const source = { ...common, topic, partitions, untilCommitted: false, local: () => [] };
        // Every instance has all of it.
        yield* followChanges(client, clock, source, { ...options, scope: 'all' });
      };
      return from();
    }
    const partitions = layout.taskCount(subTopology);
    const source = layout.sourceOfStore(subTopology, spec);
    const topic = source === null ? layout.changelogTopic(subTopology, spec) : layout.sourceTopic(source);
    if (topic === null) {
      throw queryInvalid(name, 'it has no changelog to follow', 'Leave logging enabled for the store.');
    }
    const local = (): readonly number[] => (this.parts.tasks() === null ? [] : this.partitions(name).active);
    return followChanges(
      client,
      clock,
      { ...common, topic, partitions, untilCommitted: source !== null, local },
      options,
    );
  }

  // --- where things are --------------------------------------------------------------------------------------

  /** Instances that have partitions of a store, as far as this one knows; itself first. */
  metadataForStore(store: string): readonly InstanceMetadata[] {
    const shape = this.shape(store);
    const { directory, layout } = this.running(store);
    const { active, standby, opening } = this.partitions(store);
    const own = directory.ownHost;
    const all: InstanceMetadata[] = [
      {
        applicationServer: own,
        isLocal: true,
        activePartitions: [...active, ...opening].sort((a, b) => a - b),
        standbyPartitions: [...standby.keys()],
      },
    ];
    const { subTopology } = shape;
    if (subTopology === null) {
      const others = directory.hosts.filter(({ host }) => host !== own);
      for (const { host } of others)
        all.push({ applicationServer: host, isLocal: false, activePartitions: [0], standbyPartitions: [] });
      return all;
    }
    const tasks = new Map<TaskIdText, number>();
    for (let partition = 0; partition < layout.taskCount(subTopology); partition++)
      tasks.set(formatTaskId({ subTopology: subTopology.id, partition }), partition);
    const partitionsOf = (names: readonly TaskIdText[]): number[] =>
      names
        .map((name) => tasks.get(name))
        .filter((partition) => partition !== undefined)
        .sort((a, b) => a - b);
    for (const { host, active: runs, standby: copies } of directory.hosts) {
      const activePartitions = partitionsOf(runs);
      const standbyPartitions = partitionsOf(copies);
      if (host === own || activePartitions.length + standbyPartitions.length === 0) continue;
      all.push({ applicationServer: host, isLocal: false, activePartitions, standbyPartitions });
    }
    return all;
  }

  /** Where a key is. `key`: as the store's serde encodes it. */
  metadataForKey(store: string, key: BinaryString): KeyMetadata {
    const shape = this.shape(store);
    const { directory, layout } = this.running(store);
    const own = directory.ownHost;
    const { subTopology } = shape;
    if (subTopology === null) return { partition: 0, active: own, standbys: [], isLocal: true };
    const count = layout.taskCount(subTopology);
    const partition = partitionOfKey(this.parts.topology, shape, key, count);
    if (partition === null) return { partition: null, active: null, standbys: [], isLocal: false };
    return { partition, ...this.whereIs(shape, partition) };
  }

  get ownHost(): string | null {
    return this.parts.config.applicationServer;
  }

  /** @throws StoreQueryError MILLRACE_QUERY_INVALID there is none of that number */
  metadataForPartition(store: string, partition: number): KeyMetadata {
    const shape = this.shape(store);
    if (shape.subTopology === null)
      return { partition: 0, active: this.ownHost, standbys: [], isLocal: true };
    const count = this.running(store).layout.taskCount(shape.subTopology);
    if (!Number.isSafeInteger(partition) || partition < 0 || partition >= count)
      throw queryInvalid(store, `it has no partition ${partition}, but 0 to ${count - 1}`);
    return { partition, ...this.whereIs(shape, partition) };
  }

  /** Who has a partition. */
  private whereIs(shape: StoreShape, partition: number): Omit<KeyMetadata, 'partition'> {
    const tasks = this.running(shape.name);
    const { directory } = tasks;
    const name = formatTaskId({ subTopology: shape.subTopology!.id, partition });
    const isLocal = tasks.isAssigned(name);
    const host = directory.activeHost(name);
    // What is told of this instance and is not so has just been given up, or is on its way here.
    const active = isLocal ? directory.ownHost : host === directory.ownHost ? null : host;
    return { active, standbys: directory.standbyHosts(name), isLocal };
  }

  // --- global stores -----------------------------------------------------------------------------------------

  private async askGlobal(shape: StoreShape, globals: GlobalStores, query: StoreQuery): Promise<StoreAnswer> {
    if (!globals.isReady) throw rebalancing(shape.name, null, 'its topic is still being read');
    if (query.partition !== 0) throw queryInvalid(shape.name, 'a global store is one whole: partition 0');
    const rows = globals.rows(shape.name);
    const source: AnswerSource = { partition: 0, role: 'active', position: null, lag: 0 };
    const empty = { source, values: [], rows: [], next: null, size: null };
    if (query.kind === 'size') return { ...empty, size: rows.size };
    if (query.kind === 'page') return { ...empty, ...(await this.globalPage(rows, query)) };
    const values = query.keys.map((key) => {
      const row = rows.get(key);
      return row === undefined ? null : { value: row.encoded, timestamp: row.timestamp };
    });
    return { ...empty, values };
  }

  private async globalPage(
    rows: ReadonlyMap<BinaryString, { readonly encoded: BinaryString; readonly timestamp: number }>,
    { range }: PageQuery,
  ): Promise<Pick<StoreAnswer, 'rows' | 'next'>> {
    const { descending = false, limit } = range;
    const keys: BinaryString[] = [];
    let looked = 0;
    for (const key of rows.keys()) {
      if (isWithin(key, range)) keys.push(key);
      if (++looked % SLICE_ROWS === 0) await yieldToIo(this.parts.clock);
    }
    const heap = new KeyHeap(keys, (a, b) => (a < b !== descending ? -1 : 1));
    const found: EncodedRow[] = [];
    while (found.length < limit && heap.size > 0) {
      const key = heap.pop()!;
      const row = rows.get(key);
      // Deleted since.
      if (row !== undefined) found.push({ key, value: row.encoded, timestamp: row.timestamp });
    }
    const first = heap.peek();
    if (first === undefined) return { rows: found, next: null };
    return { rows: found, next: descending ? ((first + '\0') as BinaryString) : first };
  }
}

function isStarting(state: string): boolean {
  return state === 'CREATED' || state === 'REBALANCING' || state === 'RUNNING';
}

function isWithin(key: BinaryString, { from, to }: CommittedRange): boolean {
  return (from === undefined || key >= from) && (to === undefined || key < to);
}
