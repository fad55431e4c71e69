// Owns getting batches into partitions under one producer identity: grouping by leader, bounded requests in flight,
// identical bytes again after anything ambiguous. It knows neither transactions' ends nor offsets.
//
// 1. At most five requests in flight per broker, so never more than the broker remembers per partition.
// 2. A lost answer means the identical request again; nothing is renumbered within an identity.
// 3. In a transaction, one request at a time per broker brings partitions that the transaction has not reached yet: the
//    broker asks the coordinator about them, and refuses the older of two questions of one transactional id.
// 4. The first failure is final: the pipeline stops, its batches are abandoned, its owner takes a new identity.
import { asError, formatTopicPartition } from '#libs/core';
import type { Timer } from '#libs/core';
import { errorName } from '../protocol/error-codes.ts';
import { compressBatch, stampBatch } from '../record-batch/index.ts';
import type { EncodedBatch } from '../record-batch/index.ts';
import type { Cluster, Pace } from '../cluster/index.ts';
import { epochAborted, isRpcFailure } from '../protocol/errors.ts';
import type { ProduceAnswer, ProduceRequest } from '../rpc/index.ts';
import type { Compression } from '../contracts/transactional-writer.ts';
import { IN_FLIGHT_MAX, PartitionQueue } from './partition-queue.ts';
import type { PendingBatch } from './partition-queue.ts';
import { judgeOutcome, topicRefusal } from './produce-outcome.ts';
import type { PartitionOutcome } from './produce-outcome.ts';

/** Bytes of one request, beyond which no further partition is put in. A single batch may be larger. */
const REQUEST_BYTES_MAX = 8 * 1024 * 1024;
/** How long a topic may be unknown to the cluster before it counts as missing: metadata spreads with delay. */
const TOPIC_MISSING_GRACE_MS = 10_000;

/**
 * How long the first batches of a transaction wait for the markers of the one before, under transaction version 2. A broker that
 * finds them still being written waits 20 ms on its own (`add.partitions.to.txn.retry.backoff.ms`); they take about 2.
 * Measured, back-to-back transactions of 400 records: 20.8 ms each without this wait, 12.4 ms with it.
 */
const MARKERS_MS = 3;

export interface ProducerNumbers {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

export interface PipelineOptions {
  readonly transactionalId: string | null;
  readonly compression: Compression;
  /** Longest way of one batch over all its tries, milliseconds. */
  readonly deadlineMs: number;
  readonly transactionVersion2: boolean;
  /** Adds partitions to the transaction before their first batch; absent where the broker does so itself. */
  readonly admit?: (partitions: readonly { topic: string; partition: number }[]) => Promise<void>;
  /** The broker said that somebody newer holds the identity. */
  readonly fenced: (what: string, code: number) => Error;
  /** Called once. */
  readonly onFailure: (error: Error) => void;
}

interface Flight {
  readonly queue: PartitionQueue;
  readonly pending: PendingBatch;
}

export class ProducePipeline {
  readonly #cluster: Cluster;
  readonly #options: PipelineOptions;
  readonly #queues = new Map<string, PartitionQueue>();
  /** Queues with anything in them, in turn order. */
  #active: PartitionQueue[] = [];
  readonly #inFlightByNode = new Map<number, number>();
  /** Nodes with a request in flight that brings new partitions. */
  readonly #joiningAt = new Set<number>();
  #numbers: ProducerNumbers;
  /** By partition: the offset behind the last record acknowledged since `takeEndOffsets`. */
  #endOffsets = new Map<string, number>();
  #pendingBatches = 0;
  #pendingBytes = 0;
  #failure: Error | undefined;
  #closed = false;
  #unresolved = false;
  #pumpScheduled = false;
  #refreshing = false;
  #admitting = false;
  #dropping = false;
  /** Monotonic milliseconds before which nothing is sent. */
  #quietUntil = 0;
  #timer: Timer | undefined;
  #timerAt = Infinity;
  #waiters: { resolve: () => void; reject: (error: Error) => void }[] = [];

  constructor(cluster: Cluster, numbers: ProducerNumbers, options: PipelineOptions) {
    this.#cluster = cluster;
    this.#numbers = numbers;
    this.#options = options;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Did any answer get lost since the last `startTransaction`? */
  get unresolved(): boolean {
    return this.#unresolved;
  }

  append(topic: string, partition: number, batch: EncodedBatch): void {
    if (this.#stopped) return;
    const key = formatTopicPartition(topic, partition);
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      queue = new PartitionQueue(topic, partition, this.#cluster.clock, this.#options.admit === undefined);
      this.#queues.set(key, queue);
    }
    if (queue.isIdle) this.#active.push(queue);
    const appendedBytes = batch.bytes.length;
    queue.push({ batch, sequence: -1, attempts: 0, startedAt: 0, delivery: 'queued', appendedBytes });
    this.#pendingBatches++;
    this.#pendingBytes += appendedBytes;
    this.#schedulePump();
  }

  /** Resolves when all that was appended is acknowledged. @throws the failure. */
  drained(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#pendingBatches === 0) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /** Where acknowledged records end, by partition, since the last call. Lower than the truth where an answer gave no offset. */
  takeEndOffsets(): ReadonlyMap<string, number> {
    const taken = this.#endOffsets;
    this.#endOffsets = new Map();
    return taken;
  }

  /**
   * The next transaction begins, under `numbers`. Legal only when drained or abandoned unsent. New numbers start the
   * sequences over; unchanged ones (transaction version below 2) continue them.
   */
  startTransaction(numbers: ProducerNumbers): void {
    const renumbered =
      numbers.producerId !== this.#numbers.producerId ||
      numbers.producerEpoch !== this.#numbers.producerEpoch;
    this.#numbers = numbers;
    this.#unresolved = false;
    if (this.#options.transactionVersion2) this.#quietUntil = this.#cluster.clock.monotonic() + MARKERS_MS;
    this.#endOffsets = new Map();
    for (const queue of this.#queues.values()) {
      queue.beginTransaction(this.#options.admit === undefined);
      if (renumbered) queue.startOver();
    }
  }

  /** Forgets what is not in flight, and what would have to be sent again; resolves when nothing is in flight. */
  async abandonUnsent(): Promise<void> {
    this.#dropping = true;
    try {
      this.#dropUnsent();
      await this.drained();
    } finally {
      this.#dropping = false;
    }
  }

  #dropUnsent(): void {
    for (const queue of this.#active) this.#forget(queue.dropUnsent());
    this.#active = this.#active.filter((queue) => !queue.isIdle);
  }

  /**
   * Stops for a reason from outside: nothing more is sent, answers still to come are ignored, whoever waits gets `why`. Memory of
   * batches once sent is not given back: a socket may still read it.
   */
  close(why: Error = epochAborted('The writer was closed')): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#failure ??= why;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#dropUnsent();
    this.#active = [];
    this.#pendingBatches = 0;
    this.#pendingBytes = 0;
    this.#settleWaiters(why);
  }

  get #stopped(): boolean {
    return this.#closed || this.#failure !== undefined;
  }

  // --- sending -----------------------------------------------------------------------------------------------

  /** After the current synchronous run, so that batches appended together travel together. */
  #schedulePump(): void {
    if (this.#pumpScheduled) return;
    this.#pumpScheduled = true;
    Promise.resolve()
      .then(() => {
        this.#pumpScheduled = false;
        this.#pump();
      })
      .catch((error: unknown) => this.#fail(asError(error)));
  }

  #pump(): void {
    if (this.#stopped) return;
    const now = this.#cluster.clock.monotonic();
    // Each round puts at most one batch of a partition into a request; rounds go on while slots and batches are left.
    for (;;) {
      const requests = this.#assemble(now);
      if (this.#stopped || requests.size === 0) return;
      for (const [node, flights] of requests) this.#send(node, flights, now);
    }
  }

  #assemble(now: number): Map<number, Flight[]> {
    const requests = new Map<number, Flight[]>();
    if (this.#quietUntil > now) {
      if (this.#active.length > 0) this.#wakeAt(this.#quietUntil, now);
      return requests;
    }
    const bytes = new Map<number, number>();
    const homeless: PartitionQueue[] = [];
    const strangers: PartitionQueue[] = [];
    let wakeAt = Infinity;
    for (const queue of this.#active) {
      const head = queue.head();
      if (head === undefined) continue;
      if (head.startedAt === 0) head.startedAt = now;
      else if (now - head.startedAt >= this.#options.deadlineMs) return this.#giveUp(queue, head, now);
      if (queue.notBefore > now) {
        wakeAt = Math.min(wakeAt, queue.notBefore);
        continue;
      }
      if (!queue.admitted) {
        strangers.push(queue);
        continue;
      }
      const leader = this.#cluster.metadata.leader(queue.topic, queue.partition);
      if (leader === undefined) {
        homeless.push(queue);
        continue;
      }
      const node = leader.leaderId;
      if (queue.inFlightCount > 0 && queue.node !== node) continue;
      if ((this.#inFlightByNode.get(node) ?? 0) >= IN_FLIGHT_MAX) continue;
      if (this.#joins(queue) && this.#joiningAt.has(node)) continue;
      const size = head.batch.bytes.length;
      const sofar = bytes.get(node) ?? 0;
      if (sofar > 0 && sofar + size > REQUEST_BYTES_MAX) continue;
      bytes.set(node, sofar + size);
      const flights = requests.get(node);
      if (flights === undefined) requests.set(node, [{ queue, pending: head }]);
      else flights.push({ queue, pending: head });
    }
    // Whoever was served goes behind those who were not.
    if (requests.size > 0 && this.#active.length > 1) this.#active.push(this.#active.shift()!);
    if (strangers.length > 0) this.#admit(strangers);
    if (homeless.length > 0) this.#refreshMetadata(homeless);
    if (wakeAt < Infinity) this.#wakeAt(wakeAt, now);
    return requests;
  }

  #giveUp(queue: PartitionQueue, head: PendingBatch, now: number): Map<number, Flight[]> {
    const where = formatTopicPartition(queue.topic, queue.partition);
    const waited = Math.round(now - head.startedAt);
    this.#fail(
      epochAborted(
        `A batch for ${where} was not acknowledged within ${waited} ms (last obstacle: ${queue.obstacle})`,
        {
          topic: queue.topic,
          partition: queue.partition,
          attempts: head.attempts,
        },
      ),
    );
    return new Map();
  }

  #send(node: number, flights: readonly Flight[], now: number): void {
    const topics = new Map<string, { partition: number; records: Uint8Array[] }[]>();
    let remainingMs = this.#cluster.requestTimeoutMs;
    let joining = false;
    for (const { queue, pending } of flights) {
      joining ||= this.#joins(queue);
      if (queue.launch(pending, node)) this.#stamp(pending);
      remainingMs = Math.min(remainingMs, this.#options.deadlineMs - (now - pending.startedAt));
      const entry = { partition: queue.partition, records: [pending.batch.bytes] };
      const partitions = topics.get(queue.topic);
      if (partitions === undefined) topics.set(queue.topic, [entry]);
      else partitions.push(entry);
    }
    const request: ProduceRequest = {
      transactionalId: this.#options.transactionalId,
      acks: -1,
      timeoutMs: this.#cluster.requestTimeoutMs,
      topics: [...topics].map(([name, partitions]) => this.#topicOf(name, partitions)),
      transactionVersion2: this.#options.transactionVersion2,
    };
    this.#inFlightByNode.set(node, (this.#inFlightByNode.get(node) ?? 0) + 1);
    if (joining) this.#joiningAt.add(node);
    this.#cluster
      .call(node, 'Produce', request, Math.max(1, remainingMs), 'produce')
      .then(
        (answer) => this.#settle(node, joining, () => this.#onAnswer(flights, answer)),
        (error: unknown) => this.#settle(node, joining, () => this.#onNoAnswer(flights, error)),
      )
      .catch((error: unknown) => this.#fail(asError(error)));
  }

  #topicOf(
    name: string,
    partitions: { partition: number; records: Uint8Array[] }[],
  ): ProduceRequest['topics'][number] {
    const topicId = this.#cluster.metadata.topic(name)?.topicId;
    return topicId === undefined ? { name, partitions } : { name, topicId, partitions };
  }

  #stamp(pending: PendingBatch): void {
    pending.batch = compressBatch(pending.batch, this.#options.compression);
    stampBatch(pending.batch, {
      producerId: Number(this.#numbers.producerId),
      producerEpoch: this.#numbers.producerEpoch,
      baseSequence: pending.sequence,
      isTransactional: this.#options.transactionalId !== null,
    });
  }

  #admit(queues: readonly PartitionQueue[]): void {
    if (this.#admitting) return;
    this.#admitting = true;
    this.#options.admit!(queues.map(({ topic, partition }) => ({ topic, partition })))
      .then(() => {
        this.#admitting = false;
        for (const queue of queues) queue.admitted = true;
        this.#pump();
      })
      .catch((error: unknown) => {
        this.#admitting = false;
        this.#fail(asError(error));
      });
  }

  // --- metadata ----------------------------------------------------------------------------------------------

  #refreshMetadata(queues: readonly PartitionQueue[]): void {
    if (this.#refreshing) return;
    this.#refreshing = true;
    const topics = [...new Set(queues.map((queue) => queue.topic))];
    this.#cluster
      .refreshMetadata(topics)
      .then(
        () => this.#onMetadata(queues, undefined),
        (error: unknown) => this.#onMetadata(queues, error),
      )
      .catch((error: unknown) => this.#fail(asError(error)));
  }

  #onMetadata(queues: readonly PartitionQueue[], error: unknown): void {
    this.#refreshing = false;
    if (this.#stopped) return;
    if (error !== undefined && !isRpcFailure(error)) {
      this.#fail(asError(error));
      return;
    }
    const graceMs = Math.min(TOPIC_MISSING_GRACE_MS, this.#options.deadlineMs);
    for (const queue of queues) {
      if (this.#cluster.metadata.leader(queue.topic, queue.partition) !== undefined) continue;
      const refusal = topicRefusal(this.#cluster.metadata, queue, graceMs);
      if (refusal !== undefined) {
        this.#fail(refusal);
        return;
      }
      this.#pause(
        queue,
        'normal',
        error === undefined ? 'the partition has no leader' : (error as Error).message,
      );
    }
    this.#pump();
  }

  // --- answers -----------------------------------------------------------------------------------------------

  /** Does a batch of this partition bring it into the transaction? */
  #joins(queue: PartitionQueue): boolean {
    return !queue.acknowledged && this.#options.transactionalId !== null;
  }

  #settle(node: number, joining: boolean, take: () => void): void {
    if (joining) this.#joiningAt.delete(node);
    this.#inFlightByNode.set(node, this.#inFlightByNode.get(node)! - 1);
    if (this.#stopped) return;
    take();
    if (this.#stopped) return;
    if (this.#dropping) this.#dropUnsent();
    this.#active = this.#active.filter((queue) => !queue.isIdle);
    if (this.#pendingBatches === 0) this.#settleWaiters(undefined);
    this.#pump();
  }

  #onNoAnswer(flights: readonly Flight[], error: unknown): void {
    if (!isRpcFailure(error)) {
      this.#fail(asError(error));
      return;
    }
    if (error.kind === 'unknown') this.#unresolved = true;
    for (const { queue, pending } of flights) {
      this.#cluster.metadata.forgetLeader(queue.topic, queue.partition);
      this.#again(queue, pending, 'normal', error.message);
    }
  }

  #onAnswer(flights: readonly Flight[], answer: ProduceAnswer): void {
    const byPartition = new Map<string, PartitionOutcome>();
    for (const topic of answer.topics) {
      for (const partition of topic.partitions) {
        byPartition.set(formatTopicPartition(topic.name, partition.partition), partition);
      }
    }
    for (const flight of flights) {
      const { queue, pending } = flight;
      const key = formatTopicPartition(queue.topic, queue.partition);
      const outcome = byPartition.get(key);
      if (outcome === undefined) this.#again(queue, pending, 'normal', 'the answer left the partition out');
      else this.#onOutcome(flight, key, outcome);
      if (this.#stopped) return;
    }
  }

  #onOutcome({ queue, pending }: Flight, key: string, outcome: PartitionOutcome): void {
    const verdict = judgeOutcome(queue, pending, outcome, this.#options.fenced);
    switch (verdict.kind) {
      case 'acknowledged':
        this.#acknowledge(queue, pending, key, outcome.baseOffset);
        return;
      case 'again':
        if (verdict.staleLeader) this.#learnLeader(queue, outcome);
        this.#again(queue, pending, verdict.pace, errorName(outcome.errorCode));
        return;
      case 'failed':
        this.#fail(verdict.error);
    }
  }

  #learnLeader({ topic, partition }: PartitionQueue, { currentLeader }: PartitionOutcome): void {
    const { metadata } = this.#cluster;
    const learnt = currentLeader !== undefined && metadata.learnLeader(topic, partition, currentLeader);
    if (!learnt) metadata.forgetLeader(topic, partition);
  }

  #acknowledge(queue: PartitionQueue, pending: PendingBatch, key: string, baseOffset: number): void {
    queue.acknowledge(pending);
    const end = baseOffset < 0 ? -1 : baseOffset + pending.batch.recordCount;
    if (end > (this.#endOffsets.get(key) ?? -1)) this.#endOffsets.set(key, end);
    // A batch sent twice may still lie in a socket that timed out: its memory is not given back.
    if (pending.attempts === 1) pending.batch.release();
    this.#pendingBatches--;
    this.#pendingBytes -= pending.appendedBytes;
  }

  #forget(batches: readonly PendingBatch[]): void {
    for (const pending of batches) {
      if (pending.attempts === 0) pending.batch.release();
      else this.#unresolved = true;
      this.#pendingBatches--;
      this.#pendingBytes -= pending.appendedBytes;
    }
  }

  #again(queue: PartitionQueue, pending: PendingBatch, pace: Pace, obstacle: string): void {
    this.#pause(queue, pace, obstacle);
    queue.sendAgain(pending);
  }

  #pause(queue: PartitionQueue, pace: Pace, obstacle: string): void {
    const now = this.#cluster.clock.monotonic();
    queue.obstacle = obstacle;
    // Several batches of one flight that fail together count as one try.
    if (queue.notBefore <= now) queue.notBefore = now + queue.backoff.next(pace);
  }

  #wakeAt(at: number, now: number): void {
    if (at >= this.#timerAt && this.#timer !== undefined) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#cluster.clock.schedule(at - now, () => {
      this.#timer = undefined;
      this.#timerAt = Infinity;
      this.#pump();
    });
  }

  #fail(error: Error): void {
    if (this.#stopped) return;
    this.#failure = error;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#active = [];
    this.#pendingBatches = 0;
    this.#pendingBytes = 0;
    this.#settleWaiters(error);
    this.#options.onFailure(error);
  }

  #settleWaiters(error: Error | undefined): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) {
      if (error === undefined) waiter.resolve();
      else waiter.reject(error);
    }
  }
}
