// Owns one partition's log: batches as bytes in offset order, its producers, its transactions and where readers may read to.
// It never waits, never decides who leads, never knows of groups or coordinators.
//
// 1. Offsets have no gaps when appended; the high watermark is the end: every append is replicated at once.
// 2. The last stable offset is the first offset of the oldest open transaction, or the end.
// 3. Bytes in the log are never changed: what is handed out may share them.
import { RecordBatchView, RecordColumns } from '#libs/broker';
import { formatTopicPartition } from '#libs/core';
import type { Leadership } from '../leadership.ts';
import { Errors } from '../kafka-errors.ts';
import { markerBatch, placeBatch } from './batch-header.ts';
import { lastSequenceOf, ProducerEntry } from './producer-state.ts';

export interface StoredBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly bytes: Buffer;
  readonly recordCount: number;
  readonly maxTimestamp: number;
  /** -1 without idempotence. */
  readonly producerId: number;
  readonly isTransactional: boolean;
  readonly isControl: boolean;
  /** Compaction has met a tombstone here, or a marker without data: from this moment on it may go. */
  readonly deleteHorizonMs?: number;
}

export interface AbortedEntry {
  readonly producerId: number;
  readonly firstOffset: number;
  /** Of the marker. */
  readonly lastOffset: number;
}

export interface AppendOutcome {
  readonly errorCode: number;
  readonly baseOffset: number;
  readonly duplicate: boolean;
}

export type Isolation = 'read_uncommitted' | 'read_committed';

const columns = new RecordColumns();

export class PartitionLog {
  readonly topic: string;
  readonly partition: number;
  /** `topic-partition`. */
  readonly name: string;
  readonly leadership: Leadership;
  batches: StoredBatch[] = [];
  aborted: AbortedEntry[] = [];
  logStartOffset = 0;
  endOffset = 0;
  readonly producers = new Map<number, ProducerEntry>();
  /** First offset by producer; a map keeps order of insertion, which is order of offset. */
  readonly #openTransactions = new Map<number, number>();
  /** Where each leader epoch began. */
  readonly #epochs: { readonly epoch: number; readonly startOffset: number }[] = [];
  readonly #watchers = new Set<() => void>();

  constructor(topic: string, partition: number, leadership: Leadership) {
    this.topic = topic;
    this.partition = partition;
    this.name = formatTopicPartition(topic, partition);
    this.leadership = leadership;
  }

  get highWatermark(): number {
    return this.endOffset;
  }

  get lastStableOffset(): number {
    for (const firstOffset of this.#openTransactions.values())
      return Math.max(firstOffset, this.logStartOffset);
    return this.endOffset;
  }

  /** The offset before which a reader of `isolation` may read. */
  bound(isolation: Isolation): number {
    return isolation === 'read_committed' ? this.lastStableOffset : this.endOffset;
  }

  /** Producer id and first offset of each open transaction, oldest first. */
  get openTransactions(): ReadonlyMap<number, number> {
    return this.#openTransactions;
  }

  hasOpenTransaction(producerId: number, producerEpoch: number): boolean {
    return this.#openTransactions.has(producerId) && this.producers.get(producerId)?.epoch === producerEpoch;
  }

  // --- appending -----------------------------------------------------------------------------------------------

  /** A client's batch, whose bytes become the log's. `view` is of the same bytes. */
  append(view: RecordBatchView, nowMs: number): AppendOutcome {
    const { producerId, producerEpoch, baseSequence, recordCount } = view;
    if (producerId < 0) return { errorCode: Errors.NONE, baseOffset: this.#push(view), duplicate: false };
    let entry = this.producers.get(producerId);
    const lastSequence = lastSequenceOf(baseSequence, recordCount);
    const repeated = entry?.findDuplicate(producerEpoch, baseSequence, lastSequence);
    if (repeated !== undefined) {
      return { errorCode: Errors.NONE, baseOffset: repeated.baseOffset, duplicate: true };
    }
    const errorCode = entry?.check(producerEpoch, baseSequence) ?? Errors.NONE;
    if (errorCode !== Errors.NONE) return { errorCode, baseOffset: -1, duplicate: false };
    if (!view.isTransactional && this.#openTransactions.has(producerId)) {
      return { errorCode: Errors.INVALID_TXN_STATE, baseOffset: -1, duplicate: false };
    }
    if (entry === undefined) this.producers.set(producerId, (entry = new ProducerEntry()));
    const baseOffset = this.#push(view);
    entry.remember(producerEpoch, {
      firstSequence: baseSequence,
      lastSequence,
      baseOffset,
      timestampMs: nowMs,
    });
    if (view.isTransactional && !this.#openTransactions.has(producerId)) {
      this.#openTransactions.set(producerId, baseOffset);
    }
    return { errorCode: Errors.NONE, baseOffset, duplicate: false };
  }

  /** Ends a producer's transaction here. A marker without a transaction is written too, as a broker does. */
  appendMarker(
    producerId: number,
    producerEpoch: number,
    committed: boolean,
    coordinatorEpoch: number,
    nowMs: number,
  ): number {
    let entry = this.producers.get(producerId);
    if (entry !== undefined && producerEpoch < entry.epoch) return Errors.INVALID_PRODUCER_EPOCH;
    if (entry === undefined) this.producers.set(producerId, (entry = new ProducerEntry()));
    const bytes = markerBatch(producerId, producerEpoch, committed, coordinatorEpoch, nowMs);
    const offset = this.endOffset;
    this.#place({
      baseOffset: offset,
      lastOffset: offset,
      bytes,
      recordCount: 1,
      maxTimestamp: nowMs,
      producerId,
      isTransactional: true,
      isControl: true,
    });
    const firstOffset = this.#openTransactions.get(producerId);
    entry.adoptEpoch(producerEpoch);
    if (firstOffset !== undefined) {
      this.#openTransactions.delete(producerId);
      if (!committed) this.aborted.push({ producerId, firstOffset, lastOffset: offset });
    }
    return Errors.NONE;
  }

  #push(view: RecordBatchView): number {
    const baseOffset = this.endOffset;
    this.#place({
      baseOffset,
      lastOffset: baseOffset + (view.lastOffset - view.baseOffset),
      bytes: view.bytes,
      recordCount: view.recordCount,
      maxTimestamp: view.maxTimestamp,
      producerId: view.producerId,
      isTransactional: view.isTransactional,
      isControl: view.isControl,
    });
    return baseOffset;
  }

  #place(batch: StoredBatch): void {
    const { leaderEpoch } = this.leadership;
    if (this.#epochs.at(-1)?.epoch !== leaderEpoch) {
      this.#epochs.push({ epoch: leaderEpoch, startOffset: batch.baseOffset });
    }
    placeBatch(batch.bytes, batch.baseOffset, leaderEpoch);
    this.batches.push(batch);
    this.endOffset = batch.lastOffset + 1;
  }

  // --- reading -------------------------------------------------------------------------------------------------

  /** Index of the first batch that reaches `offset` or lies behind it. */
  indexOf(offset: number): number {
    const { batches } = this;
    let from = 0;
    let to = batches.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (batches[middle]!.lastOffset < offset) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  /**
   * The bytes from `offset` on, whole batches up to `maxBytes`; one at least if `atLeastOne`. Null when there is nothing to read
   * before `bound`.
   */
  read(offset: number, bound: number, maxBytes: number, atLeastOne: boolean): Buffer | null {
    const { batches } = this;
    const first = this.indexOf(offset);
    let end = first;
    let bytes = 0;
    while (end < batches.length && batches[end]!.baseOffset < bound) {
      const size = batches[end]!.bytes.length;
      if (bytes + size > maxBytes && !(atLeastOne && bytes === 0)) break;
      bytes += size;
      end++;
    }
    if (end === first) return null;
    if (end === first + 1) return batches[first]!.bytes;
    const parts: Buffer[] = [];
    for (let i = first; i < end; i++) parts.push(batches[i]!.bytes);
    return Buffer.concat(parts, bytes);
  }

  /** Bytes that lie between `offset` and `bound`, counted up to `enough`. */
  readableBytes(offset: number, bound: number, enough: number): number {
    const { batches } = this;
    let bytes = 0;
    for (let i = this.indexOf(offset); i < batches.length && batches[i]!.baseOffset < bound; i++) {
      bytes += batches[i]!.bytes.length;
      if (bytes >= enough) break;
    }
    return bytes;
  }

  /** Aborted transactions that overlap what lies from `offset` to before `end`, in order of their markers. */
  abortedBetween(offset: number, end: number): AbortedEntry[] {
    const found: AbortedEntry[] = [];
    for (const entry of this.aborted) {
      if (entry.lastOffset >= offset && entry.firstOffset < end) found.push(entry);
    }
    return found;
  }

  /** Is a batch of data part of a transaction that was aborted? */
  isAborted({ producerId, baseOffset, isTransactional }: StoredBatch): boolean {
    if (!isTransactional) return false;
    for (const entry of this.aborted) {
      if (entry.producerId === producerId && entry.firstOffset <= baseOffset && baseOffset < entry.lastOffset)
        return true;
    }
    return false;
  }

  /** The first record at or behind `timestampMs` before `bound`; undefined when there is none. */
  offsetAtTime(timestampMs: number, bound: number): { offset: number; timestamp: number } | undefined {
    for (const batch of this.batches) {
      if (batch.baseOffset >= bound) return undefined;
      if (batch.maxTimestamp < timestampMs || batch.lastOffset < this.logStartOffset) continue;
      const count = columns.decode(new RecordBatchView(batch.bytes), this.logStartOffset);
      for (let i = 0; i < count; i++) {
        const timestamp = columns.timestamps[i]!;
        if (timestamp < timestampMs) continue;
        const offset = columns.offsets[i]!;
        return offset < bound ? { offset, timestamp } : undefined;
      }
    }
    return undefined;
  }

  /** Where `leaderEpoch`, or the last one before it, ended (KIP-101). Epoch -1: nothing of it is known. */
  endOfEpoch(leaderEpoch: number): { epoch: number; endOffset: number } {
    if (leaderEpoch >= this.leadership.leaderEpoch) {
      return leaderEpoch === this.leadership.leaderEpoch
        ? { epoch: leaderEpoch, endOffset: this.endOffset }
        : { epoch: -1, endOffset: -1 };
    }
    let found: { epoch: number; endOffset: number } = { epoch: -1, endOffset: -1 };
    for (let i = 0; i < this.#epochs.length; i++) {
      const { epoch } = this.#epochs[i]!;
      if (epoch > leaderEpoch) break;
      found = { epoch, endOffset: this.#epochs[i + 1]?.startOffset ?? this.endOffset };
    }
    return found;
  }

  // --- shortening ----------------------------------------------------------------------------------------------

  /** Records below `offset` are gone; their batches too, as far as they lie below it whole. */
  deleteBefore(offset: number): void {
    if (offset <= this.logStartOffset) return;
    this.logStartOffset = offset;
    this.batches = this.batches.slice(this.indexOf(offset));
    this.aborted = this.aborted.filter((entry) => entry.lastOffset >= offset);
  }

  /** Forgets producers without an open transaction: what `producer.id.expiration.ms` does. */
  expireProducers(): void {
    for (const producerId of [...this.producers.keys()]) {
      if (!this.#openTransactions.has(producerId)) this.producers.delete(producerId);
    }
  }

  // --- watching ------------------------------------------------------------------------------------------------

  /** `onChange` runs whenever there may be more to read, or another leader. */
  watch(onChange: () => void): void {
    this.#watchers.add(onChange);
  }

  unwatch(onChange: () => void): void {
    this.#watchers.delete(onChange);
  }

  notify(): void {
    if (this.#watchers.size === 0) return;
    for (const onChange of [...this.#watchers]) onChange();
  }
}
