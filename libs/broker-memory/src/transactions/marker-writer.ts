// Owns the last step of a transaction: a marker in each partition it reached, the offsets of each group made visible or dropped.
// Markers may be delayed and held back, and wait for a partition without a leader; the transaction is complete after the last.
import type { ClusterCore } from '../cluster-core.ts';
import type { Coordinators } from '../coordinators.ts';
import { Errors } from '../kafka-errors.ts';
import type { Participant, TransactionState } from './transaction-state.ts';
import type { SeededRandom } from '../seeded-random.ts';

/** How soon a marker is tried again that found no leader or no coordinator. */
const RETRY_MS = 20;

export interface MarkerOutlets {
  /** Ends the pending offsets of a producer in a group. */
  endOffsets(groupId: string, producerId: number, producerEpoch: number, committed: boolean): void;
  onComplete(transaction: TransactionState): void;
}

export class MarkerWriter {
  readonly #core: ClusterCore;
  readonly #coordinators: Coordinators;
  readonly #outlets: MarkerOutlets;
  readonly #random: SeededRandom;
  /** How many want the markers held back. */
  #holds = 0;
  #held: (() => void)[] = [];

  constructor(core: ClusterCore, coordinators: Coordinators, outlets: MarkerOutlets) {
    this.#core = core;
    this.#coordinators = coordinators;
    this.#outlets = outlets;
    this.#random = core.random.fork();
  }

  /** No marker is written until the returned function was called. */
  hold(): () => void {
    this.#holds++;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      if (--this.#holds > 0) return;
      const waiting = this.#held;
      this.#held = [];
      for (const write of waiting) write();
    };
  }

  /** Of a transaction in preparation. Returns before any marker is written. */
  write(transaction: TransactionState): void {
    const { markerDelayMs } = this.#core.settings;
    const left = new Set(transaction.participants.values());
    if (typeof markerDelayMs === 'number') {
      this.#core.after(markerDelayMs, () => this.#writeAll(transaction, [...left], left));
      return;
    }
    for (const participant of [...left]) {
      const delayMs = markerDelayMs(() => this.#random.next());
      this.#core.after(delayMs, () => this.#writeAll(transaction, [participant], left));
    }
    if (left.size === 0) this.#core.after(0, () => this.#writeAll(transaction, [], left));
  }

  #writeAll(transaction: TransactionState, due: readonly Participant[], left: Set<Participant>): void {
    if (this.#holds > 0) {
      this.#held.push(() => this.#writeAll(transaction, due, left));
      return;
    }
    const outage = this.#coordinators.outage('transaction', transaction.transactionalId) !== Errors.NONE;
    const again: Participant[] = [];
    for (const participant of due) {
      if (outage || !this.#writeOne(transaction, participant)) again.push(participant);
      else left.delete(participant);
    }
    if (again.length > 0) this.#core.after(RETRY_MS, () => this.#writeAll(transaction, again, left));
    else if (left.size === 0) this.#outlets.onComplete(transaction);
  }

  /** False when it must wait. */
  #writeOne(transaction: TransactionState, participant: Participant): boolean {
    const { producerId, producerEpoch } = transaction;
    const committed = transaction.phase === 'PrepareCommit';
    if ('groupId' in participant) {
      const { groupId } = participant;
      if (this.#coordinators.outage('group', groupId) !== Errors.NONE) return false;
      this.#outlets.endOffsets(groupId, producerId, producerEpoch, committed);
      this.#core.trace.note('marker', groupId, committed ? 'commit' : 'abort', producerId);
      return true;
    }
    const { log } = participant;
    if (log.leadership.leaderId < 0) return false;
    const coordinatorEpoch = this.#coordinators.epoch('transaction', transaction.transactionalId);
    this.#core.trace.note('marker', log.name, log.endOffset, producerId);
    log.appendMarker(producerId, producerEpoch, committed, coordinatorEpoch, this.#core.clock.now());
    log.notify();
    return true;
  }
}
