// Owns the batches of one partition on their way: queued, in flight, to be sent again. Order and sequence live here.
// It never talks to a broker and never decides what an error means.
//
// 1. Batches are acknowledged, or sent again, in the order of their sequences.
// 2. A batch gets its sequence when it is first sent, and keeps it: the same bytes go out each time.
// 3. While one of several batches in flight has to be sent again, nothing new is sent: all settle first.
import type { EncodedBatch } from '../record-batch/index.ts';
import { Backoff } from '../cluster/index.ts';
import type { Clock } from '#libs/core';

/** Sequences run from 0 to 2^31 - 1 and start over. */
const SEQUENCE_MAX = 0x7fffffff;
/** The broker remembers this many batches per producer and partition: what was sent before can be told as sent before. */
export const IN_FLIGHT_MAX = 5;

export type Delivery = 'queued' | 'in-flight' | 'acknowledged' | 'again';

export interface PendingBatch {
  batch: EncodedBatch;
  /** -1 until first sent. */
  sequence: number;
  attempts: number;
  /** Monotonic milliseconds of the first try; 0 before. */
  startedAt: number;
  delivery: Delivery;
  /** Bytes when appended, for the caller's budget. */
  readonly appendedBytes: number;
}

export function nextSequence(sequence: number, recordCount: number): number {
  const room = SEQUENCE_MAX - sequence;
  return recordCount <= room ? sequence + recordCount : recordCount - room - 1;
}

export class PartitionQueue {
  readonly topic: string;
  readonly partition: number;
  readonly backoff: Backoff;
  /** Part of the transaction, or no need to be. */
  admitted: boolean;
  /** Some batch of this transaction was acknowledged: the transaction is known to have begun here. */
  acknowledged = false;
  /** Monotonic milliseconds before which nothing is sent. */
  notBefore = 0;
  /** Where the batches in flight went. */
  node = -1;
  /** What stood in the way last, for the error once the deadline passes. */
  obstacle = 'not sent yet';

  #sequence = 0;
  #queued: PendingBatch[] = [];
  #again: PendingBatch[] = [];
  #inFlight: PendingBatch[] = [];

  constructor(topic: string, partition: number, clock: Clock, admitted: boolean) {
    this.topic = topic;
    this.partition = partition;
    this.backoff = new Backoff(clock);
    this.admitted = admitted;
  }

  get inFlightCount(): number {
    return this.#inFlight.length;
  }

  get isIdle(): boolean {
    return this.#queued.length === 0 && this.#again.length === 0 && this.#inFlight.length === 0;
  }

  push(pending: PendingBatch): void {
    this.#queued.push(pending);
  }

  /** The batch to send next, left in place; undefined while nothing may be sent. */
  head(): PendingBatch | undefined {
    if (this.#mustSettle()) return undefined;
    if (this.#inFlight.length >= (this.acknowledged ? IN_FLIGHT_MAX : 1)) return undefined;
    return this.#again[0] ?? this.#queued[0];
  }

  /** Moves `head()` into flight, with a sequence if it has none yet. True when it needs its stamp. */
  launch(pending: PendingBatch, node: number): boolean {
    if (this.#again[0] === pending) this.#again.shift();
    else this.#queued.shift();
    const first = pending.sequence < 0;
    if (first) {
      pending.sequence = this.#sequence;
      this.#sequence = nextSequence(this.#sequence, pending.batch.recordCount);
    }
    pending.attempts++;
    pending.delivery = 'in-flight';
    this.node = node;
    this.#inFlight.push(pending);
    return first;
  }

  /** Is an earlier batch of this partition not acknowledged yet? Then a gap in the sequence is its doing. */
  hasEarlier(pending: PendingBatch): boolean {
    return this.#inFlight[0] !== pending;
  }

  acknowledge(pending: PendingBatch): void {
    pending.delivery = 'acknowledged';
    this.acknowledged = true;
    const at = this.#inFlight.indexOf(pending);
    if (at >= 0) this.#inFlight.splice(at, 1);
    if (this.#inFlight.length === 0) this.backoff.reset();
    this.#collectAgain();
  }

  sendAgain(pending: PendingBatch): void {
    pending.delivery = 'again';
    this.#collectAgain();
  }

  /** Drops what was never sent. Returns it. */
  dropUnsent(): PendingBatch[] {
    const dropped = [...this.#again, ...this.#queued];
    this.#again = [];
    this.#queued = [];
    return dropped;
  }

  /** Sequences start over: a new producer epoch. */
  startOver(): void {
    this.#sequence = 0;
  }

  /** A new transaction. */
  beginTransaction(admitted: boolean): void {
    this.admitted = admitted;
    this.acknowledged = false;
  }

  #mustSettle(): boolean {
    for (const pending of this.#inFlight) if (pending.delivery === 'again') return true;
    return false;
  }

  #collectAgain(): void {
    if (this.#inFlight.length === 0) return;
    for (const pending of this.#inFlight) if (pending.delivery === 'in-flight') return;
    this.#again = [...this.#inFlight, ...this.#again];
    this.#inFlight = [];
  }
}
