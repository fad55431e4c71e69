// Owns the way of a task from assigned to runnable: settle predecessors, read committed offsets, open state, restore, build.
// It runs beside the loop; the loop takes the finished task. A cancelled opening leaves nothing open.
//
// Order matters: predecessors' transactions are settled before offsets are read, and offsets are read (require_stable) before
// the changelogs' ends are, so that what was pending when we came is decided on both sides.
import type { BrokerClient, RecordReader } from '#libs/broker';
import { FatalError, TaskCorruptedError, formatTopicPartition, parseTaskId } from '#libs/core';
import type { Clock, Logger, TaskIdText, TopicPartition } from '#libs/core';
import { compileCodec } from '#libs/serde';
import type { StateBackend, TaskState } from '#libs/state';
import type { SourceSpec } from '#libs/topology';
import type { ClusterLayout } from './cluster-layout.ts';
import type { RuntimeConfig } from './config.ts';
import type { DroppedRecords } from './dropped-records.ts';
import { decodeOffsetMetadata } from './offset-metadata.ts';
import type { OutputCollector } from './output-collector.ts';
import { PartitionGroup } from './partition-group.ts';
import { RecordQueue } from './record-queue.ts';
import type { StoreRestorer } from './store-restorer.ts';
import { TaskContext } from './task-context.ts';
import { TaskSink } from './sink.ts';
import { Task } from './task.ts';

/** `delete.retention.ms` of a topic is 24 hours by default; an hour less, for clocks that differ. */
const STATE_AGE_MS_MAX = 23 * 3_600_000;
/** Below this a task would read every key anew for every batch. */
const CACHE_BYTES_MIN = 1024 * 1024;
/** Attempts at a task whose state turns out corrupted: the second starts from an empty directory. */
const OPEN_ATTEMPTS_MAX = 3;

export interface TaskOpenerParts {
  readonly config: RuntimeConfig;
  readonly layout: ClusterLayout;
  readonly client: BrokerClient;
  readonly backend: StateBackend;
  readonly restorer: StoreRestorer;
  readonly reader: RecordReader;
  readonly collector: OutputCollector;
  readonly dropped: DroppedRecords;
  readonly transactionalId: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Where a task starts, from the group's committed offsets. */
interface StartingPoint {
  readonly offsets: ReadonlyMap<string, number>;
  readonly leaderEpochs: ReadonlyMap<string, number>;
  readonly epochId: number;
  readonly streamTime: number;
  /** The committed offsets do not name this worker yet. */
  readonly needsClaim: boolean;
}

export class TaskOpener {
  private readonly parts: TaskOpenerParts;

  constructor(parts: TaskOpenerParts) {
    this.parts = parts;
  }

  /** @throws whatever stands in the way, OpeningCancelled once `signal` is aborted; nothing stays open then. */
  async open(name: TaskIdText, signal: AbortSignal): Promise<Task> {
    // Reading offsets may wait for a transaction of somebody else; a stop need not.
    const start = await unlessAborted(this.startingPoint(name), signal, name);
    for (let attempt = 1; ; attempt++) {
      const state = await this.openState(name);
      try {
        if (signal.aborted) throw cancelled(name);
        if (state !== null) await this.restore(name, state, start.streamTime, signal);
        if (signal.aborted) throw cancelled(name);
        return this.build(name, state, start);
      } catch (error) {
        await state?.closeDirty();
        if (!(error instanceof TaskCorruptedError) || attempt === OPEN_ATTEMPTS_MAX) throw error;
        this.parts.logger.warn(`The state of task ${name} is restored from scratch`, {
          error: error.message,
        });
        await this.parts.backend.setAside(this.parts.config.applicationId, name, error.message);
      }
    }
  }

  /** Gives a task's open restore up, if there is one. */
  cancel(name: TaskIdText): void {
    this.parts.restorer.cancel(name);
  }

  private async openState(name: TaskIdText): Promise<TaskState | null> {
    const { config, layout, backend } = this.parts;
    const stores = layout.subTopology(parseTaskId(name)).stores;
    if (stores.length === 0) return null;
    return backend.open({
      taskId: name,
      applicationId: config.applicationId,
      stores,
      cacheBytesMax: Math.max(CACHE_BYTES_MIN, Math.floor(config.cacheBytesMax / layout.statefulTaskCount)),
      writeBehindBytes: config.writeBehindBytes,
      writeBehindIntervalMs: config.writeBehindIntervalMs,
    });
  }

  private async restore(
    name: TaskIdText,
    state: TaskState,
    streamTime: number,
    signal: AbortSignal,
  ): Promise<void> {
    const changelogs = this.parts.layout.changelogIdentity(name);
    refuseOtherChangelogs(name, state, changelogs);
    this.refuseStale(name, state);
    await this.parts.restorer.restore(name, state, this.parts.layout.changelogs(name), signal);
    await state.restored({ streamTime, changelogs, writtenAtMs: this.parts.clock.now() });
  }

  /**
   * State last written longer ago than a changelog keeps its tombstones: keys deleted since may have left no trace there, and
   * would come back to life here.
   */
  private refuseStale(name: TaskIdText, state: TaskState): void {
    const writtenAtMs = state.checkpoint.metadata['writtenAtMs'];
    if (typeof writtenAtMs !== 'number' || state.checkpoint.changelogOffsets.size === 0) return;
    const ageMs = this.parts.clock.now() - writtenAtMs;
    if (ageMs <= STATE_AGE_MS_MAX) return;
    throw new TaskCorruptedError([name], {
      code: 'MILLRACE_STATE_CORRUPTED',
      message: `The local state of task ${name} was last written ${Math.round(ageMs / 3_600_000)} hours ago, and its changelog may have dropped deletions since.`,
      remedy: 'None needed: the state is set aside and restored from the changelog.',
      context: { ageMs },
    });
  }

  private async startingPoint(name: TaskIdText): Promise<StartingPoint> {
    const { client, config, layout } = this.parts;
    const inputs = layout.inputs(name);
    const committed = await client.admin.committedOffsets(config.applicationId, inputs);
    const offsets = new Map<string, number>();
    const leaderEpochs = new Map<string, number>();
    let epochId = -1;
    let streamTime = -1;
    let needsClaim = false;
    for (const input of inputs) {
      const key = formatTopicPartition(input.topic, input.partition);
      const found = committed.get(key);
      if (found === undefined) {
        needsClaim = true;
        offsets.set(key, await this.resetOffset(name, input));
        continue;
      }
      offsets.set(key, found.offset);
      leaderEpochs.set(key, found.leaderEpoch);
      const metadata = decodeOffsetMetadata(found.metadata);
      needsClaim ||= metadata?.transactionalId !== this.parts.transactionalId;
      if (metadata === null) continue;
      epochId = Math.max(epochId, metadata.epochId);
      streamTime = Math.max(streamTime, metadata.streamTime);
    }
    needsClaim &&= config.processingGuarantee === 'exactly_once';
    return { offsets, leaderEpochs, epochId, streamTime, needsClaim };
  }

  private async resetOffset(name: TaskIdText, input: TopicPartition): Promise<number> {
    const { client, config, layout } = this.parts;
    const source = layout
      .subTopology(parseTaskId(name))
      .sources.find((candidate) => layout.sourceTopic(candidate) === input.topic)!;
    const policy =
      source.kind === 'repartition' ? 'earliest' : (source.offsetReset ?? config.autoOffsetReset);
    if (policy === 'none') {
      throw new FatalError({
        code: 'MILLRACE_OFFSET_OUT_OF_RANGE',
        message: `Group "${config.applicationId}" has no committed offset for ${input.topic}-${input.partition}, and autoOffsetReset is none.`,
        remedy: 'Commit a starting offset for the group, or set autoOffsetReset to earliest or latest.',
        context: { ...input },
      });
    }
    const offsets = await client.admin.offsets([input], policy, 'read_committed');
    return offsets.get(formatTopicPartition(input.topic, input.partition)) ?? 0;
  }

  private build(name: TaskIdText, state: TaskState | null, start: StartingPoint): Task {
    const { layout, collector, reader, clock, config, logger, dropped } = this.parts;
    const id = parseTaskId(name);
    const sub = layout.subTopology(id);
    const context = new TaskContext(id.partition);
    const sinks = sub.sinks.map(
      (sink) =>
        new TaskSink(
          sink,
          layout.sinkTopic(sink),
          context,
          collector,
          sink.valueFromStore === null ? null : state!.store(sink.valueFromStore),
        ),
    );
    const compiled = sub.compile({
      context,
      store: (store) => state!.store(store),
      sink: (index) => sinks[index]!,
      taskId: name,
      applicationId: config.applicationId,
      orderedStore: (store) => state!.orderedStore(store),
      globalStore: notYet,
      clock: notYet,
      alarm: notYet,
      wallTime: () => clock.now(),
      post: notYet,
      intake: { hold: notYet, release: notYet },
      drop: (node, code, reason) => dropped.record(`${name} ${node}`, code, reason),
    });
    const queues: RecordQueue[] = [];
    sub.sources.forEach((source, index) => {
      const queue = this.queue(source, index, id.partition, start);
      if (queue !== null) queues.push(queue);
    });
    return new Task({
      changelogIdentity: layout.changelogIdentity(name),
      id,
      context,
      group: new PartitionGroup(queues, reader, clock, config.maxTaskIdleMs),
      compiled,
      state,
      collector,
      handlers: config.exceptionHandlers,
      clock,
      logger,
      dropped,
      resolveTopic: (topic) => this.resolveTopic(topic),
      epochId: Math.max(start.epochId, state?.checkpoint.epochId ?? -1) + 1,
      streamTime: start.streamTime,
      needsClaim: start.needsClaim,
    });
  }

  private queue(
    source: SourceSpec,
    index: number,
    partition: number,
    start: StartingPoint,
  ): RecordQueue | null {
    const { layout } = this.parts;
    const topic = layout.sourceTopic(source);
    if (partition >= (layout.partitionCounts.get(topic) ?? 0)) return null;
    const offset = start.offsets.get(formatTopicPartition(topic, partition)) ?? 0;
    return new RecordQueue(
      source,
      index,
      topic,
      partition,
      compileCodec(source.keySerde),
      compileCodec(source.valueSerde),
      offset,
      start.leaderEpochs.get(formatTopicPartition(topic, partition)) ?? -1,
    );
  }

  /** Called when a record chose a topic whose partition count is not known. @throws MILLRACE_TOPIC_MISSING */
  private async resolveTopic(topic: string): Promise<void> {
    this.parts.collector.addTopic(topic, await this.parts.client.partitionCount(topic));
  }
}

/**
 * Offsets say nothing of a topic that was deleted and created again, or of another cluster: state that goes back to such a one is
 * none of ours, however well its offsets fit.
 */
function refuseOtherChangelogs(
  name: TaskIdText,
  state: TaskState,
  current: Readonly<Record<string, string>>,
): void {
  const written = state.checkpoint.metadata['changelogs'];
  if (typeof written !== 'object' || written === null) return;
  for (const [store, topicId] of Object.entries(current)) {
    const before = (written as Readonly<Record<string, unknown>>)[store];
    if (before === undefined || before === topicId || !state.checkpoint.changelogOffsets.has(store)) continue;
    throw new TaskCorruptedError([name], {
      code: 'MILLRACE_STATE_CORRUPTED',
      message: `The local state of store "${store}" in task ${name} belongs to another changelog topic of the same name.`,
      remedy: 'None needed: the state is set aside and restored from the changelog that is there now.',
      context: { store, written: before, current: topicId },
    });
  }
}

/** Ports that are being built. */
function notYet(): never {
  throw new Error('not built yet');
}

/** Thrown inside a cancelled opening. */
export class OpeningCancelled extends Error {}

/** Settles as `promise` does, or rejects with OpeningCancelled as soon as `signal` is aborted. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal, name: string): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(cancelled(name));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

function cancelled(name: string): OpeningCancelled {
  return new OpeningCancelled(`the opening of task ${name} was cancelled`);
}
