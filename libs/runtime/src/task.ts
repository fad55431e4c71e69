// Owns one task: a sub-topology times a partition. It takes records from its partitions in timestamp order, decodes them and
// runs them through the compiled operator chain, synchronously, one after the other; between two records it runs what is due:
// deliveries, operators that time moved on for, alarms.
//
// 1. Everything an operator does happens in a scope: one record, one delivery, one step of an alarm, one advance of a clock. A scope's
//    effects (state, outputs, stream time, operators' clocks, requests) are all there or all undone.
// 2. What is missing (state not in memory, a schema, a partition count) suspends the scope before it: undo, fetch, run again.
// 3. The task never awaits. Whoever owns it awaits `suspended` and calls `process` again.
import type { RecordColumns } from '#libs/broker';
import { asError, formatTaskId } from '#libs/core';
import type { BinaryString, Clock, Logger, MillraceError, TaskId } from '#libs/core';
import type { TaskState } from '#libs/state';
import type { CompiledTask, SourceFunction, StoreSpec } from '#libs/topology';
import type { EventTime } from './event-time.ts';
import type { FailureStage } from './failure-policy.ts';
import type { CommitLatency } from './insight/latency.ts';
import type { TraceLinks } from './insight/trace-links.ts';
import type { TraceLog } from './insight/trace-log.ts';
import type { OperatorClocks } from './operator-clocks.ts';
import type { OutputCollector } from './output-collector.ts';
import type { PartitionGroup } from './partition-group.ts';
import type { RecordQueue } from './record-queue.ts';
import { futureTimestamp, headTimestamp, invalidTimestamp } from './record-timestamp.ts';
import type { TaskAlarms } from './task-alarms.ts';
import type { TaskContext } from './task-context.ts';
import type { TaskFailures } from './task-failures.ts';
import type { TaskMailbox } from './task-mailbox.ts';
import { logPhase } from './takeover-phases.ts';
import type { TakeoverPhase } from './takeover-phases.ts';
import { TaskDueWork } from './task-due-work.ts';
import { TaskReadAhead } from './task-read-ahead.ts';
import { TaskScopes } from './task-scopes.ts';

/** What operators were given to ask for time and for being run: made before the task, by task-opener.ts. */
export interface TaskTiming {
  readonly clocks: OperatorClocks;
  readonly alarms: TaskAlarms;
  readonly mailbox: TaskMailbox;
  /** Raised when there may be something to do before the next record. */
  readonly interrupt: { raised: boolean };
}

/** Records, or pieces of due work, between two looks at the clock, which cost some 50 ns each. A power of two. */
const LOOK_EVERY = 8;

export interface TaskParts {
  readonly id: TaskId;
  readonly context: TaskContext;
  readonly group: PartitionGroup;
  readonly compiled: CompiledTask;
  /** `null`: the sub-topology keeps no state. */
  readonly state: TaskState | null;
  readonly collector: OutputCollector;
  readonly timing: TaskTiming;
  readonly eventTime: EventTime;
  readonly failures: TaskFailures;
  readonly stores: readonly StoreSpec[];
  /** See store-fingerprints.ts. */
  readonly storeFingerprints: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly latency: CommitLatency;
  readonly traces: TraceLog;
  readonly links: TraceLinks;
  /** A record left out by rule. */
  readonly onDrop: (error: MillraceError) => void;
  /** Finds out the partition count of a topic that a sink or the dead-letter queue needs. */
  readonly resolveTopic: (topic: string) => Promise<void>;
  readonly needsClaim: boolean;
  /** Epoch id of the task's next seal, and stream time as of its last commit. */
  readonly epochId: number;
  readonly streamTime: number;
  readonly changelogTopics: readonly (string | null)[];
  /** By store: the input that is its changelog. */
  readonly sourceQueues: ReadonlyMap<string, RecordQueue>;
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
  /**
   * True until the group's offsets name this worker as the task's owner: by its first commit, before any record, where that was not done
   * while it was opened (early-claims.ts). Should the worker die in a later transaction, its successor finds out whose hangs.
   */
  claimPending: boolean;
  /** Until its first epoch with records is committed. */
  private isFresh = true;
  /** Records processed since the task was opened, skipped ones included. */
  recordCount = 0;

  private readonly context: TaskContext;
  private readonly compiled: CompiledTask;
  private readonly scopes: TaskScopes;
  private readonly dueWork: TaskDueWork;
  private readonly sources: readonly SourceFunction[];
  private readonly collector: OutputCollector;
  private readonly clocks: OperatorClocks;
  private readonly alarms: TaskAlarms;
  private readonly mailbox: TaskMailbox;
  private readonly interrupt: { raised: boolean };
  private readonly eventTime: EventTime;
  private readonly failures: TaskFailures;
  private readonly parts: TaskParts;
  private readonly readAheads: readonly (TaskReadAhead | null)[];
  private readonly onChunk: readonly ((batches: readonly RecordColumns[], count: number) => void)[];
  /** `process` ended at its limit: records, or alarms, may be due. */
  private mayHaveMore = true;
  private sliceEndsAt = Infinity;
  private sliceIsOver = false;
  private closed = false;

  constructor(parts: TaskParts) {
    this.parts = parts;
    this.id = parts.id;
    this.name = formatTaskId(parts.id);
    this.group = parts.group;
    this.state = parts.state;
    this.context = parts.context;
    this.compiled = parts.compiled;
    this.sources = parts.compiled.sources;
    this.collector = parts.collector;
    this.clocks = parts.timing.clocks;
    this.alarms = parts.timing.alarms;
    this.mailbox = parts.timing.mailbox;
    this.interrupt = parts.timing.interrupt;
    this.eventTime = parts.eventTime;
    this.failures = parts.failures;
    this.epochId = parts.epochId;
    this.claimPending = parts.needsClaim;
    this.context.streamTime = parts.streamTime;
    const { state } = this;
    this.scopes = new TaskScopes({ ...parts, ...parts.timing, taskName: this.name });
    this.scopes.touched = parts.needsClaim;
    this.dueWork = new TaskDueWork({ ...parts, ...parts.timing, scopes: this.scopes, taskName: this.name });
    this.readAheads = this.group.queues.map(({ source }) =>
      state === null || source.readAhead.length === 0 ? null : new TaskReadAhead(state, source),
    );
    this.onChunk = this.readAheads.map((readAhead) => (batches, count) => {
      this.scopes.suspended = readAhead?.read(batches, count) ?? this.scopes.suspended;
    });
  }

  /** Has the open epoch anything of this task? */
  get touched(): boolean {
    return this.scopes.touched;
  }

  set touched(touched: boolean) {
    this.scopes.touched = touched;
  }

  /** Records of it are processed, and none of them is committed yet. */
  get awaitsFirstCommit(): boolean {
    return this.isFresh && this.touched && !this.claimPending;
  }

  /** Pending read that the next scope waits for. */
  get suspended(): Promise<void> | null {
    return this.scopes.suspended;
  }

  /** It waits before it tries a record, or another scope, again. */
  get isRetrying(): boolean {
    return this.failures.isWaiting;
  }

  get streamTime(): number {
    return this.context.streamTime;
  }

  /** What event alarms go by; see event-time.ts. */
  get eventTimeNow(): number {
    this.eventTime.observe(this.context.streamTime);
    return this.eventTime.now;
  }

  /** As `eventTimeNow`, for who only looks. */
  get eventTimeSeen(): number {
    const { now, byWatermarks } = this.eventTime;
    return byWatermarks ? now : Math.max(now, this.context.streamTime);
  }

  /** Times of operators' clocks, by `shortHash` of their names, and of partitions whose time an extractor is shown. */
  get clockTimes(): ReadonlyMap<string, number> {
    const times = this.clocks.times();
    for (const { partitionTimeId, partitionTime } of this.group.queues) {
      if (partitionTimeId !== null) times.set(partitionTimeId, partitionTime);
    }
    return times;
  }

  get storeFingerprints(): string {
    return this.parts.storeFingerprints;
  }

  /** Topic written for each store, in the state's order; `null`: none is. */
  get changelogTopics(): readonly (string | null)[] {
    return this.parts.changelogTopics;
  }

  /** Input offsets, by the stores that have a source topic as their changelog. */
  get sourceOffsets(): ReadonlyMap<string, number> {
    const offsets = new Map<string, number>();
    for (const [store, queue] of this.parts.sourceQueues) offsets.set(store, queue.position);
    return offsets;
  }

  /** By store: rows below may be dropped once the present epoch is committed. */
  get expireBefore(): ReadonlyMap<string, number> {
    const before = new Map<string, number>();
    for (const store of this.parts.stores) {
      if (store.kind !== 'ordered' || store.expiry === null) continue;
      const now = this.clocks.timeOf(store.expiry.clock);
      if (now >= 0) before.set(store.name, now - store.expiry.retentionMs);
    }
    return before;
  }

  /** Wall clock at which there is something to do without any input; `Infinity`: no such time is known. */
  get wallDue(): number {
    // Who holds the intake says when it goes on: a record that is due meanwhile is no reason to look.
    return this.mailbox.isHeld ? this.alarms.wallDue : Math.min(this.alarms.wallDue, this.group.retryDue);
  }

  /** Operators have done all there was to do with what they were given. */
  get isSettled(): boolean {
    const { hasDeliveries, isHeld, isUnfinished } = this.mailbox;
    if (!this.dueWork.isInitialised || this.mayHaveMore || this.suspended !== null) return false;
    // An alarm that missed its state is fired again.
    if (this.alarms.eventDue <= this.eventTime.now) return false;
    return !hasDeliveries && !isHeld && !isUnfinished;
  }

  /** What the stores keep beside their offsets: says at the next opening whose changelogs those offsets are of. */
  stateMetadata(streamTime: number): Readonly<Record<string, unknown>> {
    return { streamTime, changelogs: this.parts.changelogIdentity, writtenAtMs: this.parts.clock.now() };
  }

  /**
   * Runs what is due and processes records, up to `limit` scopes and until `endsAt` (monotonic clock); returns how many. Zero with
   * `suspended` set: await it. Zero without: nothing to do now.
   * @throws MillraceError of a scope that failed under the policy `fail`; it is undone, all before it stand.
   */
  process(limit: number, endsAt = Infinity): number {
    const { group, eventTime } = this;
    const { queues, ordered } = group;
    if (eventTime.hasWallRules) {
      eventTime.observe(this.context.streamTime);
      eventTime.onTurn(this.parts.clock.monotonic());
    }
    let done = 0;
    this.sliceEndsAt = endsAt;
    this.sliceIsOver = false;
    while (done < limit && this.suspended === null && !this.sliceIsOver) {
      this.interrupt.raised = false;
      const steps = this.dueWork.run(Math.min(limit - done, LOOK_EVERY));
      done += steps;
      if (steps > 0) {
        this.sliceIsOver = this.parts.clock.monotonic() >= endsAt;
        continue;
      }
      if (this.suspended !== null || this.mailbox.isHeld) break;
      for (let i = 0; i < queues.length; i++) {
        const queue = queues[i]!;
        if (queue.hasRecord) continue;
        queue.prepare(this.readAheads[i]?.isNeeded === true ? this.onChunk[i]! : null);
      }
      if (this.suspended !== null) break;
      const retry = group.dueRetry();
      if (retry !== null) {
        done += this.retry(retry);
        continue;
      }
      if (!group.isProcessable()) break;
      const queue = ordered.length === 1 ? ordered[0]! : this.earliest();
      const until = ordered.length === 1 ? Infinity : this.nextHead(queue);
      const { columns, index } = queue;
      const records = this.run(queue, limit - done, until);
      if (records > 0) this.onProcessed(queue, columns, index, records);
      done += records;
    }
    this.mayHaveMore = done >= limit || this.sliceIsOver;
    return done;
  }

  private onProcessed(queue: RecordQueue, columns: RecordColumns, first: number, records: number): void {
    const { timestamps } = columns;
    this.touched = true;
    this.recordCount += records;
    queue.flow.records += records;
    this.parts.latency.processed(timestamps[first]!, timestamps[first + records - 1]!, records);
    const { traces } = this.parts;
    if (traces.enabled) traces.processed(this.name, queue, columns, first, records);
  }

  /** One record that has waited in a retry topic; returns 0 where it has to wait once more. */
  private retry(queue: RecordQueue): number {
    const { columns, index } = queue;
    const wait = queue.retry!;
    this.context.history = wait.historyOf(queue);
    queue.partitionTime = wait.of.partitionTime;
    const records = this.run(queue, 1, Infinity);
    this.context.history = null;
    if (records === 0) return 0;
    this.failures.counts.takenFromRetryTopics++;
    this.onProcessed(queue, columns, index, records);
    return records;
  }

  /** Ends waiting: called when `suspended` has resolved. */
  resume(): void {
    this.scopes.suspended = null;
  }

  /** An epoch of it is committed. */
  onCommitted(): void {
    for (const queue of this.group.queues) queue.committedPosition = queue.sealedPosition;
    if (this.claimPending) {
      this.claimPending = false;
      this.notePhase('claimed');
    } else if (this.isFresh) {
      this.isFresh = false;
      this.notePhase('committed');
    }
  }

  notePhase(phase: TakeoverPhase): void {
    logPhase(this.parts, phase, this.name);
  }

  /** What is committed is written. */
  async close(): Promise<void> {
    this.closeOperators();
    await this.state?.close();
  }

  /** Drops what is not committed. */
  async closeDirty(): Promise<void> {
    this.closeOperators();
    await this.state?.closeDirty();
  }

  /** The state can be gone on with by another task, or as a copy: it is sound, and its changelogs have all that it holds. */
  get isStateReusable(): boolean {
    return (
      this.state !== null && this.state.failure === null && this.parts.stores.every(({ logged }) => logged)
    );
  }

  /** Ends the task, drops what is not committed, and gives its open state away. */
  release(): TaskState | null {
    this.closeOperators();
    this.state?.abandon();
    return this.state;
  }

  private closeOperators(): void {
    if (this.closed) return;
    this.closed = true;
    this.failures.close();
    this.mailbox.close();
    try {
      this.compiled.close();
    } catch (error) {
      this.parts.logger.warn(`Closing the operators of task ${this.name} failed`, {
        error: asError(error).message,
      });
    }
  }

  private earliest(): RecordQueue {
    let best: RecordQueue | null = null;
    let bestTimestamp = Infinity;
    for (const queue of this.group.ordered) {
      if (!queue.hasRecord) continue;
      const timestamp = headTimestamp(queue, this.parts.clock);
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
    for (const other of this.group.ordered) {
      if (other === queue || !other.hasRecord) continue;
      const timestamp = headTimestamp(other, this.parts.clock);
      if (timestamp < next) next = timestamp;
    }
    return next;
  }

  /** The hot path: records of one decoded batch, until its end, the limit, a timestamp beyond `until`, or something else is due. */
  private run(queue: RecordQueue, limit: number, until: number): number {
    const first = queue.index;
    const columns = queue.columns;
    const end = Math.min(columns.count, first + limit);
    const { state, collector, context, alarms, interrupt, eventTime, mailbox } = this;
    const { clock } = this.parts;
    const process = this.sources[queue.sourceIndex]!;
    const keyCodec = queue.keyCodec;
    const valueCodec = queue.valueCodec;
    const decodeRange = valueCodec.decodeRange;
    const { text, bytes, timestamps, keyStart, keyEnd, valueStart, valueEnd, asciiKeys, asciiValues } =
      columns;
    const { timestampExtractor: extractor, futureTimestamps: future } = queue.source;
    const wallTime = future === null ? 0 : this.parts.clock.now();
    const timestampMax = future === null ? Infinity : wallTime + future.aheadMsMax;
    const { byWatermarks, now: eventNow } = eventTime;
    const { history } = context;
    context.topic = history === null ? queue.topic : history.topic;
    context.partition = history === null ? queue.partition : history.partition;
    context.columns = columns;
    mailbox.inScope = true;
    let stage: FailureStage = 'deserialization';
    let streamTime = context.streamTime;
    let partitionTime = queue.partitionTime;
    let i = first;
    try {
      while (i < end) {
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
        if (timestamp > timestampMax) {
          const error = futureTimestamp(queue, i, timestamp, wallTime);
          if (future!.policy === 'fail') throw error;
          if (future!.policy === 'drop') {
            this.parts.onDrop(error);
            i++;
            continue;
          }
          timestamp = wallTime;
        }
        if (timestamp > until) break;
        if (!(timestamp >= 0)) throw invalidTimestamp(timestamp);
        context.rawKey = rawKey;
        context.index = i;
        context.timestamp = timestamp;
        context.outputHeaders = null;
        if (timestamp > streamTime) context.streamTime = timestamp;
        if (timestamp > queue.partitionTime) queue.partitionTime = timestamp;
        if (state !== null) state.beginRecord();
        collector.beginRecord();
        stage = 'processing';
        process(key, value, timestamp);
        this.scopes.endAction();
        if (byWatermarks && eventTime.onRecord(queue, timestamp)) interrupt.raised = true;
        streamTime = context.streamTime;
        partitionTime = queue.partitionTime;
        i++;
        if ((i & (LOOK_EVERY - 1)) === 0 && clock.monotonic() >= this.sliceEndsAt) {
          this.sliceIsOver = true;
          break;
        }
        if (interrupt.raised || alarms.eventDue <= eventNow) break;
        if (alarms.eventDue <= streamTime && !byWatermarks) break;
      }
    } catch (thrown) {
      let error: unknown = thrown;
      queue.advanceTo(i);
      context.index = i;
      if (stage === 'processing') {
        error = this.scopes.awaited ?? thrown;
        context.streamTime = streamTime;
        queue.partitionTime = partitionTime;
        this.scopes.undo();
      }
      mailbox.inScope = false;
      return i - first + this.onRecordFailure(queue, error, stage);
    }
    mailbox.inScope = false;
    mailbox.keep();
    queue.advanceTo(i);
    queue.extractedTimestamp = Number.NaN;
    return i - first;
  }

  /** Suspends on what can be awaited; otherwise asks the policy. Returns the number of records that are done with. */
  private onRecordFailure(queue: RecordQueue, error: unknown, stage: FailureStage): number {
    if (this.scopes.canWaitFor(error)) return 0;
    try {
      const end = this.failures.onRecord(queue, error, stage);
      if (end !== 'SETTLED') {
        this.scopes.suspended = end.wait;
        return 0;
      }
    } catch (failure) {
      if (this.scopes.canWaitFor(failure)) return 0;
      throw failure;
    }
    queue.advance();
    return 1;
  }
}
