// Owns one task: a sub-topology times a partition. It takes records from its partitions in timestamp order, decodes them and
// runs them through the compiled operator chain, synchronously, one after the other.
//
// 1. A record's effects (state, outputs, stream time) are all there or all undone; `beginRecord` and `undoRecord` bound them.
// 2. What is missing (state not in memory, a schema, a partition count) suspends the record before it: undo, fetch, run again.
// 3. The task never awaits. Whoever owns it awaits `suspended` and calls `process` again.
import type { RecordColumns } from '#libs/broker';
import { FatalError, MillraceError, asError, formatTaskId } from '#libs/core';
import type { BinaryString, Clock, Logger, TaskId } from '#libs/core';
import { SchemaPending, SerdeError } from '#libs/serde';
import { StateMiss } from '#libs/state';
import type { TaskState } from '#libs/state';
import type { CompiledTask, SourceFunction } from '#libs/topology';
import type { DroppedRecords } from './dropped-records.ts';
import { encodeDeadLetter } from './dead-letter.ts';
import type { ExceptionHandlers, FailureResponse, FailureStage } from './failure-policy.ts';
import { RecordTooLarge, TopicPending } from './output-collector.ts';
import type { OutputCollector } from './output-collector.ts';
import type { PartitionGroup } from './partition-group.ts';
import type { RecordQueue } from './record-queue.ts';
import type { TaskContext } from './task-context.ts';

export interface TaskParts {
  readonly id: TaskId;
  readonly context: TaskContext;
  readonly group: PartitionGroup;
  readonly compiled: CompiledTask;
  /** `null`: the sub-topology keeps no state. */
  readonly state: TaskState | null;
  readonly collector: OutputCollector;
  readonly handlers: ExceptionHandlers;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly dropped: DroppedRecords;
  /** Finds out the partition count of a topic that a sink or the dead-letter queue needs. */
  readonly resolveTopic: (topic: string) => Promise<void>;
  readonly needsClaim: boolean;
  /** Epoch id of the task's next seal, and stream time as of its last commit. */
  readonly epochId: number;
  readonly streamTime: number;
  /** Topic ids of the changelogs, by store. */
  readonly changelogIdentity: Readonly<Record<string, string>>;
}

export class Task {
  readonly id: TaskId;
  readonly name: string;
  readonly group: PartitionGroup;
  readonly state: TaskState | null;
  /** Ascending per task; the id under which the open epoch will be sealed. */
  epochId: number;
  /** Has the open epoch anything of this task? */
  touched = false;
  /**
   * True until the group's offsets name this worker as the task's owner: its first commit, before any record. Should the worker
   * die in a later transaction, its successor finds out whose hangs.
   */
  claimPending: boolean;
  /** Pending read that the next record waits for. */
  suspended: Promise<void> | null = null;
  /** Records processed since the task was opened, skipped ones included. */
  recordCount = 0;

  private readonly context: TaskContext;
  private readonly sources: readonly SourceFunction[];
  private readonly collector: OutputCollector;
  private readonly parts: TaskParts;
  private readonly onChunk: readonly (((batches: readonly RecordColumns[], count: number) => void) | null)[];
  private readonly keys: BinaryString[] = [];

  constructor(parts: TaskParts) {
    this.parts = parts;
    this.id = parts.id;
    this.name = formatTaskId(parts.id);
    this.group = parts.group;
    this.state = parts.state;
    this.context = parts.context;
    this.sources = parts.compiled.sources;
    this.collector = parts.collector;
    this.epochId = parts.epochId;
    this.claimPending = parts.needsClaim;
    this.touched = parts.needsClaim;
    this.context.streamTime = parts.streamTime;
    this.onChunk = this.group.queues.map((queue) =>
      queue.source.readAhead.length === 0 ? null : (batches, count) => this.readAhead(queue, batches, count),
    );
  }

  get streamTime(): number {
    return this.context.streamTime;
  }

  /** What the stores keep beside their offsets: says at the next opening whose changelogs those offsets are of. */
  stateMetadata(streamTime: number): Readonly<Record<string, unknown>> {
    return { streamTime, changelogs: this.parts.changelogIdentity, writtenAtMs: this.parts.clock.now() };
  }

  /**
   * Processes up to `limit` records; returns how many. Zero with `suspended` set: await it. Zero without: nothing to do now.
   * @throws MillraceError of a record that failed under the policy `fail`; the record is undone, all before it stand.
   */
  process(limit: number): number {
    let done = 0;
    while (done < limit && this.suspended === null) {
      const queues = this.group.queues;
      for (let i = 0; i < queues.length; i++) {
        const queue = queues[i]!;
        if (!queue.hasRecord) queue.prepare(this.chunkListener(i, queue));
      }
      if (this.suspended !== null) break;
      if (!this.group.isProcessable()) break;
      const queue = queues.length === 1 ? queues[0]! : this.earliest();
      done += this.run(queue, limit - done, queues.length === 1 ? Infinity : this.nextHead(queue));
    }
    this.recordCount += done;
    return done;
  }

  /** Ends waiting: called when `suspended` has resolved. */
  resume(): void {
    this.suspended = null;
  }

  private chunkListener(i: number, queue: RecordQueue): (typeof this.onChunk)[number] {
    const listener = this.onChunk[i]!;
    if (listener === null || this.state === null) return null;
    for (const { store } of queue.source.readAhead) if (!this.state.isResident(store)) return listener;
    return null;
  }

  /** Starts the multi-get for the keys of a chunk; the task is suspended until they are in memory. */
  private readAhead(queue: RecordQueue, batches: readonly RecordColumns[], count: number): void {
    const keys = this.keys;
    let n = 0;
    for (let b = 0; b < count; b++) {
      const columns = batches[b]!;
      for (let i = 0; i < columns.count; i++) {
        const key = columns.key(i);
        if (key !== null) keys[n++] = key;
      }
    }
    const pending: Promise<void>[] = [];
    for (const { kind, store } of queue.source.readAhead) {
      if (kind !== 'key') continue;
      const read = this.state!.readAhead(store, keys, n);
      if (read !== undefined) pending.push(read);
    }
    keys.length = 0;
    if (pending.length > 0)
      this.suspended = pending.length === 1 ? pending[0]! : Promise.all(pending).then(() => undefined);
  }

  /** Timestamp of a queue's next record, asking its extractor if it has one. */
  private headTimestamp(queue: RecordQueue): number {
    const recordTimestamp = queue.columns.timestamps[queue.index]!;
    const extractor = queue.source.timestampExtractor;
    if (extractor === null) return recordTimestamp;
    if (Number.isNaN(queue.extractedTimestamp)) {
      try {
        const value = decodeValue(queue, queue.index);
        queue.extractedTimestamp = extractor(
          value,
          decodeKey(queue, queue.index),
          recordTimestamp,
          queue.partitionTime,
        );
      } catch {
        // It fails again when it is its turn, and is handled there; until then it keeps its place by its own timestamp.
        queue.extractedTimestamp = recordTimestamp;
      }
    }
    return queue.extractedTimestamp;
  }

  private earliest(): RecordQueue {
    let best: RecordQueue | null = null;
    let bestTimestamp = Infinity;
    for (const queue of this.group.queues) {
      if (!queue.hasRecord) continue;
      const timestamp = this.headTimestamp(queue);
      if (best === null || timestamp < bestTimestamp) {
        best = queue;
        bestTimestamp = timestamp;
      }
    }
    return best!;
  }

  /** The smallest head of the other queues: how far `queue` may run; -Infinity with an empty one to be asked about again. */
  private nextHead(queue: RecordQueue): number {
    let next = Infinity;
    for (const other of this.group.queues) {
      if (other === queue || !other.hasRecord) continue;
      const timestamp = this.headTimestamp(other);
      if (timestamp < next) next = timestamp;
    }
    return next;
  }

  /** The hot path: records of one decoded batch, until its end, the limit, or a timestamp beyond `until`. */
  private run(queue: RecordQueue, limit: number, until: number): number {
    const first = queue.index;
    const columns = queue.columns;
    const end = Math.min(columns.count, first + limit);
    const state = this.state;
    const collector = this.collector;
    const context = this.context;
    const process = this.sources[queue.sourceIndex]!;
    const keyCodec = queue.keyCodec;
    const valueCodec = queue.valueCodec;
    const decodeRange = valueCodec.decodeRange;
    const { text, bytes, timestamps, keyStart, keyEnd, valueStart, valueEnd, asciiKeys, asciiValues } =
      columns;
    const extractor = queue.source.timestampExtractor;
    context.topic = queue.topic;
    context.partition = queue.partition;
    context.columns = columns;
    this.touched = true;
    let stage: FailureStage = 'deserialization';
    let streamTime = context.streamTime;
    let partitionTime = queue.partitionTime;
    let i = first;
    try {
      for (; i < end; i++) {
        stage = 'deserialization';
        const keyFrom = keyStart[i]!;
        const rawKey = keyFrom < 0 ? null : (text.substring(keyFrom, keyEnd[i]) as BinaryString);
        let timestamp = timestamps[i]!;
        const key = rawKey === null ? null : keyCodec.fromBinary(rawKey, asciiKeys);
        const valueFrom = valueStart[i]!;
        const value =
          valueFrom < 0
            ? null
            : decodeRange !== undefined
              ? decodeRange(text, valueFrom, valueEnd[i]!, bytes, asciiValues)
              : valueCodec.fromBinary(text.substring(valueFrom, valueEnd[i]) as BinaryString, asciiValues);
        if (extractor !== null) timestamp = extractor(value, key, timestamp, queue.partitionTime);
        if (timestamp > until) break;
        if (!(timestamp >= 0)) throw invalidTimestamp(timestamp);
        context.rawKey = rawKey;
        context.index = i;
        context.timestamp = timestamp;
        if (timestamp > streamTime) context.streamTime = timestamp;
        if (timestamp > queue.partitionTime) queue.partitionTime = timestamp;
        if (state !== null) state.beginRecord();
        collector.beginRecord();
        stage = 'processing';
        process(key, value, timestamp);
        streamTime = context.streamTime;
        partitionTime = queue.partitionTime;
      }
    } catch (error) {
      queue.advanceTo(i);
      context.index = i;
      if (stage === 'processing') {
        context.streamTime = streamTime;
        queue.partitionTime = partitionTime;
        state?.undoRecord();
        collector.undoRecord();
      }
      return i - first + this.onFailure(queue, error, stage);
    }
    queue.advanceTo(i);
    queue.extractedTimestamp = Number.NaN;
    return i - first;
  }

  /** Suspends on what can be awaited; otherwise asks the policy. Returns the number of records that are done with. */
  private onFailure(queue: RecordQueue, error: unknown, stage: FailureStage): number {
    if (error instanceof StateMiss) {
      const read = this.state!.read(error);
      if (read !== undefined) this.suspended = read;
      return 0;
    }
    if (error instanceof SchemaPending) {
      this.suspended = error.ready;
      return 0;
    }
    if (error instanceof TopicPending) {
      this.suspended = this.parts.resolveTopic(error.topic);
      return 0;
    }
    // Stages are told by where it was thrown; what was thrown while sending is of production.
    const actual: FailureStage =
      stage === 'processing' && (error instanceof RecordTooLarge || isSerializationError(error))
        ? 'production'
        : stage;
    const failure = this.describeFailure(queue, error, actual);
    const response = this.askPolicy(failure, actual, queue);
    if (response === 'fail') throw failure;
    if (response !== 'continue' && !this.sendDeadLetter(queue, failure, actual, response.deadLetterTopic))
      return 0;
    this.parts.dropped.record(this.name, failure.code, failure.message);
    queue.advance();
    return 1;
  }

  private askPolicy(error: MillraceError, stage: FailureStage, queue: RecordQueue): FailureResponse {
    const handler = this.parts.handlers[stage];
    const offset = queue.columns.offsets[queue.index]!;
    try {
      return handler({
        stage,
        taskId: this.name,
        error,
        topic: queue.topic,
        partition: queue.partition,
        offset,
        timestamp: queue.columns.timestamps[queue.index]!,
      });
    } catch (thrown) {
      this.parts.logger.error(`The ${stage} exception handler threw; the record counts as failed`, {
        error: asError(thrown),
      });
      return 'fail';
    }
  }

  /** Appends the original record with the error in its headers. False: the topic's partition count has to be found out first. */
  private sendDeadLetter(
    queue: RecordQueue,
    error: MillraceError,
    stage: FailureStage,
    topic: string,
  ): boolean {
    const columns = queue.columns;
    const i = queue.index;
    this.collector.beginRecord();
    try {
      const key = columns.key(i);
      const output = this.collector.topic(topic).choose(key);
      this.collector.open(output);
      const append = (withStack: boolean): number => {
        const headers = encodeDeadLetter(
          columns.readHeaders(i),
          error,
          stage,
          { topic: queue.topic, partition: queue.partition, offset: columns.offsets[i]! },
          withStack,
        );
        return output.encoder.append(columns.timestamps[i]!, key, columns.value(i), headers);
      };
      // The headers may take a record over the limit that just fitted without; the stack is the largest of them.
      if (append(true) > this.collector.recordBytesMax) {
        this.collector.undoRecord();
        this.collector.beginRecord();
        this.collector.open(output);
        this.collector.checkSize(output, append(false));
      }
      return true;
    } catch (failure) {
      this.collector.undoRecord();
      if (!(failure instanceof TopicPending)) throw failure;
      this.suspended = this.parts.resolveTopic(failure.topic);
      return false;
    }
  }

  private describeFailure(queue: RecordQueue, error: unknown, stage: FailureStage): MillraceError {
    const offset = queue.columns.offsets[queue.index]!;
    const where = `${queue.topic}-${queue.partition} at offset ${offset}`;
    const context = { taskId: this.name, topic: queue.topic, partition: queue.partition, offset, stage };
    if (error instanceof MillraceError) {
      return new FatalError({
        code: error.code,
        message: `The record of ${where} failed in ${stage}: ${withoutCode(error)}`,
        ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
        cause: error,
        context: { ...error.context, ...context },
      });
    }
    return new FatalError({
      code: stage === 'deserialization' ? 'MILLRACE_DESERIALIZATION_FAILED' : 'MILLRACE_PROCESSING_FAILED',
      message: `The record of ${where} failed in ${stage}: ${asError(error).message}.`,
      remedy: `Correct the code, or set exceptionHandlers.${stage} to continue or to dead-letter such records.`,
      cause: error,
      context,
    });
  }
}

function decodeKey(queue: RecordQueue, i: number): unknown {
  const raw = queue.columns.key(i);
  return raw === null ? null : queue.keyCodec.fromBinary(raw, queue.columns.asciiKeys);
}

function decodeValue(queue: RecordQueue, i: number): unknown {
  const raw = queue.columns.value(i);
  return raw === null ? null : queue.valueCodec.fromBinary(raw, queue.columns.asciiValues);
}

function invalidTimestamp(timestamp: number): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_INVALID_TIMESTAMP',
    message: `its timestamp is ${timestamp}, not a number of milliseconds from 1970 on.`,
    remedy:
      'Give the source a timestamp extractor, or set exceptionHandlers.deserialization to continue or to dead-letter such records.',
    context: { timestamp },
  });
}

function isSerializationError(error: unknown): boolean {
  return error instanceof SerdeError && error.code === 'MILLRACE_SERIALIZATION_FAILED';
}

/** An error's message without the code and remedy that its outer error repeats. */
function withoutCode(error: MillraceError): string {
  let message = error.message;
  const prefix = `${error.code}: `;
  if (message.startsWith(prefix)) message = message.slice(prefix.length);
  const suffix = error.remedy === undefined ? '' : ` Remedy: ${error.remedy}`;
  return suffix !== '' && message.endsWith(suffix) ? message.slice(0, -suffix.length) : message;
}
