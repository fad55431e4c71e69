// Owns reading ahead: which partitions are asked of which broker, and which chunk is taken next.
// It never decodes records, never commits offsets, never knows of groups.
//
// 1. One fetch is under way per broker. What an answer brings is buffered per partition, in offset order.
// 2. A partition with half its share of the buffer filled is left out of the next fetch, so a slow one never starves others.
// 3. An answer is used only by the assignment it was asked for.
import { asError, formatTopicPartition, MillraceError } from '#libs/core';
import type { Timer } from '#libs/core';
import type { Cluster } from '../cluster/index.ts';
import type {
  FetchedChunk,
  IsolationLevel,
  RecordReader,
  RecordReaderOptions,
} from '../contracts/record-reader.ts';
import { classify, errorName, isRetriable } from '../protocol/error-codes.ts';
import { isRpcFailure, refused, topicMissing } from '../protocol/errors.ts';
import { BrokerFetches } from './broker-fetches.ts';
import type { FetchLimits, FetchOutcome, WantedPartition } from './broker-fetches.ts';
import { absorbPartition } from './fetch-answer.ts';
import { PartitionReading } from './partition-reading.ts';
import { planFetches } from './fetch-plan.ts';
import type { FetchBounds } from './fetch-plan.ts';
import { validatePosition } from './position-validation.ts';
import { inPartition, partitionMissing, topicRecreated } from './reading-errors.ts';

const MAX_BUFFERED_BYTES_DEFAULT = 32 * 1024 * 1024;
const FETCH_MAX_BYTES_DEFAULT = 16 * 1024 * 1024;
const PARTITION_MAX_BYTES_DEFAULT = 2 * 1024 * 1024;
/** What one chunk unfolds to, and the last of its batches. */
const UNFOLDED_BYTES_PER_CHUNK = 4 * 1024 * 1024;
/** Short, because a partition that is assigned while a fetch waits has its turn only after it. */
const FETCH_MAX_WAIT_MS_DEFAULT = 100;
const FETCH_MIN_BYTES_DEFAULT = 1;
/** The wait of a fetch that leaves out a partition for its full buffer: it should be asked for again soon. */
const CROWDED_WAIT_MS = 10;
/** How long a topic may be unknown to the cluster before it counts as missing: metadata spreads with delay. */
const TOPIC_MISSING_GRACE_MS = 10_000;

export class KafkaRecordReader implements RecordReader {
  readonly isolation: IsolationLevel;
  readonly #cluster: Cluster;
  readonly #onClosed: () => void;
  readonly #bounds: FetchBounds;
  readonly #limits: FetchLimits;
  readonly #readings = new Map<string, PartitionReading>();
  readonly #brokers = new Map<number, BrokerFetches>();
  /** Those with something to take, in turn order. */
  #queue: PartitionReading[] = [];
  #waiter: { readonly resolve: () => void; readonly timer: Timer } | undefined;
  #pumpScheduled = false;
  #refreshing = false;
  #timer: Timer | undefined;
  #timerAt = Infinity;
  #closed = false;

  constructor(cluster: Cluster, options: RecordReaderOptions, onClosed: () => void = () => undefined) {
    this.#cluster = cluster;
    this.#onClosed = onClosed;
    this.isolation = options.isolation;
    this.#bounds = {
      maxBufferedBytes: options.maxBufferedBytes ?? MAX_BUFFERED_BYTES_DEFAULT,
      partitionMaxBytes: options.partitionMaxBytes ?? PARTITION_MAX_BYTES_DEFAULT,
    };
    this.#limits = {
      maxWaitMs: options.fetchMaxWaitMs ?? FETCH_MAX_WAIT_MS_DEFAULT,
      minBytes: options.fetchMinBytes ?? FETCH_MIN_BYTES_DEFAULT,
      maxBytes: options.fetchMaxBytes ?? FETCH_MAX_BYTES_DEFAULT,
      isolation: options.isolation,
      rackId: options.rack ?? '',
    };
  }

  // --- assignment --------------------------------------------------------------------------------------------

  assign(topic: string, partition: number, offset: number, leaderEpoch = -1): void {
    if (this.#closed) throw closedError();
    this.unassign(topic, partition);
    const reading = new PartitionReading(this.#cluster.clock, topic, partition, offset, leaderEpoch);
    this.#readings.set(reading.key, reading);
    this.#schedulePump();
  }

  unassign(topic: string, partition: number): void {
    const key = formatTopicPartition(topic, partition);
    const reading = this.#readings.get(key);
    if (reading === undefined) return;
    this.#readings.delete(key);
    reading.drop();
    this.#unqueue(reading);
  }

  pause(topic: string, partition: number): void {
    const reading = this.#reading(topic, partition);
    reading.paused = true;
    this.#unqueue(reading);
  }

  resume(topic: string, partition: number): void {
    const reading = this.#reading(topic, partition);
    if (!reading.paused) return;
    reading.paused = false;
    this.#enqueue(reading);
    this.#schedulePump();
  }

  // --- taking ------------------------------------------------------------------------------------------------

  take(): FetchedChunk | undefined {
    const reading = this.#queue.shift();
    if (reading === undefined) return undefined;
    reading.queued = false;
    if (reading.chunks.length === 0) {
      // What failed stays in turn, so that it is told again, but never keeps the others from theirs.
      this.#enqueue(reading);
      throw reading.error!;
    }
    const chunk = reading.chunks[0]!;
    let count = 0;
    let unfoldedBytes = 0;
    try {
      for (const batch of chunk.batches) {
        const section = batch.recordSection({ maxBytes: this.#cluster.decompressedBytesMax });
        count++;
        if (batch.compression !== 'none') unfoldedBytes += section.length;
        // The others wait as they are: a megabyte of them may be gigabytes.
        if (unfoldedBytes >= UNFOLDED_BYTES_PER_CHUNK) break;
      }
    } catch (error) {
      reading.chunks = [];
      reading.bufferedBytes = 0;
      reading.fetchOffset = chunk.startOffset;
      reading.error = inPartition(reading, error);
      this.#enqueue(reading);
      throw reading.error;
    }
    const taken = reading.shift(count, unfoldedBytes);
    this.#enqueue(reading);
    this.#schedulePump();
    return taken;
  }

  waitForChunk(timeoutMs: number): Promise<void> {
    this.wake();
    if (this.#queue.length > 0 || this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#cluster.clock.schedule(timeoutMs, () => this.wake());
      this.#waiter = { resolve, timer };
    });
  }

  wake(): void {
    const waiter = this.#waiter;
    if (waiter === undefined) return;
    this.#waiter = undefined;
    waiter.timer.cancel();
    waiter.resolve();
  }

  position(topic: string, partition: number): number {
    return this.#reading(topic, partition).position;
  }

  endOffsets(
    topic: string,
    partition: number,
  ): { readonly highWatermark: number; readonly lastStableOffset: number } {
    const { highWatermark, lastStableOffset } = this.#reading(topic, partition);
    return { highWatermark, lastStableOffset };
  }

  endsKnownAt(topic: string, partition: number): number {
    return this.#reading(topic, partition).askedAt;
  }

  get bufferedBytes(): number {
    let bytes = 0;
    for (const reading of this.#readings.values()) bytes += reading.bufferedBytes;
    return bytes;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClosed();
    this.#timer?.cancel();
    for (const reading of this.#readings.values()) reading.drop();
    this.#readings.clear();
    this.#queue = [];
    for (const broker of this.#brokers.values()) broker.close(this.#limits);
    this.wake();
  }

  #enqueue(reading: PartitionReading): void {
    if (reading.queued || !reading.takeable) return;
    reading.queued = true;
    this.#queue.push(reading);
    this.wake();
  }

  #unqueue(reading: PartitionReading): void {
    if (!reading.queued) return;
    reading.queued = false;
    this.#queue = this.#queue.filter((other) => other !== reading);
  }

  #reading(topic: string, partition: number): PartitionReading {
    const reading = this.#readings.get(formatTopicPartition(topic, partition));
    if (reading !== undefined) return reading;
    throw new MillraceError({
      code: 'MILLRACE_ILLEGAL_STATE',
      message: `${formatTopicPartition(topic, partition)} is not assigned to this reader.`,
      remedy: 'This is a defect of the caller: assign it first.',
      context: { topic, partition },
    });
  }

  // --- fetching ----------------------------------------------------------------------------------------------

  #schedulePump(): void {
    if (this.#pumpScheduled || this.#closed) return;
    this.#pumpScheduled = true;
    Promise.resolve()
      .then(() => {
        this.#pumpScheduled = false;
        this.#pump();
      })
      .catch((error: unknown) => this.#defect(error));
  }

  #pump(): void {
    if (this.#closed) return;
    const now = this.#cluster.clock.monotonic();
    const plan = planFetches(this.#readings, this.#cluster.metadata, this.#bounds, now);
    for (const { reading, topicId } of plan.recreated)
      this.#failed(reading, topicRecreated(reading, topicId));
    for (const reading of plan.unvalidated) this.#validate(reading);
    let { wakeAt } = plan;
    for (const [node, wanted] of plan.wantedByNode) {
      wakeAt = Math.min(wakeAt, this.#fetch(node, wanted, plan.crowded.has(node), now));
    }
    if (plan.homeless.length > 0) this.#refreshMetadata(plan.homeless);
    if (wakeAt < Infinity) this.#wakeAt(wakeAt, now);
  }

  /** Starts a fetch if the broker is free. Returns when to look again, if time alone stands in the way. */
  #fetch(node: number, wanted: readonly WantedPartition[], crowded: boolean, now: number): number {
    let broker = this.#brokers.get(node);
    if (broker === undefined) this.#brokers.set(node, (broker = new BrokerFetches(this.#cluster, node)));
    if (broker.inFlight) return Infinity;
    if (broker.notBefore > now) return broker.notBefore;
    const limits = crowded
      ? { ...this.#limits, maxWaitMs: Math.min(CROWDED_WAIT_MS, this.#limits.maxWaitMs) }
      : this.#limits;
    broker
      .fetch(wanted, limits)
      .then((outcome) => this.#absorb(outcome))
      .catch((error: unknown) => this.#defect(error));
    return Infinity;
  }

  #absorb({ node, wanted, askedAt, answer, error }: FetchOutcome): void {
    if (this.#closed) return;
    if (answer !== undefined) {
      this.#cluster.metadata.learnNodes(answer.nodeEndpoints);
      if (answer.errorCode !== 0) this.#onRefusedFetch(wanted, answer.errorCode);
      // A session's answer leaves out what has not changed.
      else for (const { reading } of wanted.values()) reading.askedAt = askedAt;
      for (const topic of answer.topics) {
        for (const part of topic.partitions) {
          const asked = wanted.get(`${topic.topicId}:${part.partition}`);
          if (asked === undefined) continue;
          absorbPartition(
            this.#cluster,
            this.isolation,
            asked.reading,
            asked.request.fetchOffset,
            node,
            part,
          );
          this.#enqueue(asked.reading);
        }
      }
    } else if (isRpcFailure(error)) {
      for (const { reading } of wanted.values()) {
        reading.preferredReplica = -1;
        this.#cluster.metadata.forgetLeader(reading.topic, reading.partition);
      }
    } else {
      for (const { reading } of wanted.values()) this.#failed(reading, inPartition(reading, error));
    }
    this.#pump();
  }

  /** The whole fetch was refused. Sessions start over by themselves; stale topic ids need fresh metadata. */
  #onRefusedFetch(wanted: ReadonlyMap<string, WantedPartition>, code: number): void {
    const kind = classify(code);
    if (kind === 'session' || kind === 'retriable' || code === -1) return;
    for (const { reading } of wanted.values()) {
      if (isRetriable(kind)) this.#cluster.metadata.forgetLeader(reading.topic, reading.partition);
      else
        this.#failed(
          reading,
          refused(
            `Fetching ${reading.key}`,
            code,
            { topic: reading.topic, partition: reading.partition, offset: reading.fetchOffset },
            null,
            'Read',
          ),
        );
    }
  }

  #validate(reading: PartitionReading): void {
    const leader = this.#cluster.metadata.leader(reading.topic, reading.partition)!;
    validatePosition(this.#cluster, reading, leader)
      .then(() => {
        if (reading.error !== undefined) this.#enqueue(reading);
        this.#pump();
      })
      .catch((error: unknown) => this.#defect(error));
  }

  #failed(reading: PartitionReading, error: MillraceError): void {
    reading.error = error;
    this.#enqueue(reading);
  }

  // --- metadata and time -------------------------------------------------------------------------------------

  #refreshMetadata(readings: readonly PartitionReading[]): void {
    if (this.#refreshing) return;
    this.#refreshing = true;
    const topics = [...new Set(readings.map((reading) => reading.topic))];
    this.#cluster
      .refreshMetadata(topics)
      .then(
        () => this.#onMetadata(readings, undefined),
        (error: unknown) => this.#onMetadata(readings, asError(error)),
      )
      .catch((error: unknown) => this.#defect(error));
  }

  #onMetadata(readings: readonly PartitionReading[], error: Error | undefined): void {
    this.#refreshing = false;
    if (this.#closed) return;
    for (const reading of readings) {
      if (reading.dropped || reading.error !== undefined) continue;
      if (error !== undefined && !isRpcFailure(error)) this.#failed(reading, inPartition(reading, error));
      else if (this.#cluster.metadata.leader(reading.topic, reading.partition) === undefined)
        this.#onHomeless(reading);
    }
    this.#pump();
  }

  #onHomeless(reading: PartitionReading): void {
    const { metadata } = this.#cluster;
    const absence = metadata.absence(reading.topic);
    const known = metadata.topic(reading.topic);
    const place = { partition: reading.partition, offset: reading.fetchOffset };
    if (metadata.isMissing(reading.topic, TOPIC_MISSING_GRACE_MS)) {
      this.#failed(reading, topicMissing(reading.topic, place));
    } else if (absence !== undefined && classify(absence.errorCode) === 'unauthorized') {
      const what = `Reading topic "${reading.topic}"`;
      this.#failed(
        reading,
        refused(what, absence.errorCode, { topic: reading.topic, ...place }, null, 'Read'),
      );
    } else if (known !== undefined && reading.partition >= known.partitions.length) {
      this.#failed(reading, partitionMissing(reading, known.partitions.length));
    } else {
      if (absence !== undefined)
        this.#cluster.logger.debug(`No metadata of ${reading.topic}: ${errorName(absence.errorCode)}`);
      reading.pauseFetching();
    }
  }

  #wakeAt(at: number, now: number): void {
    if (this.#timer !== undefined && this.#timerAt <= at) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#cluster.clock.schedule(at - now, () => {
      this.#timer = undefined;
      this.#timerAt = Infinity;
      this.#pump();
    });
  }

  /** A defect of this reader ends all reading, loudly: going on could skip records. */
  #defect(error: unknown): void {
    this.#cluster.logger.error('The reader failed', { error: asError(error).stack });
    const defect = new MillraceError({
      code: 'MILLRACE_PROTOCOL_ERROR',
      message: `The reader failed in an unforeseen way: ${asError(error).message}`,
      cause: error,
    });
    for (const reading of this.#readings.values()) this.#failed(reading, reading.error ?? defect);
  }
}

function closedError(): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_ILLEGAL_STATE',
    message: 'A partition was assigned to a closed reader.',
  });
}
