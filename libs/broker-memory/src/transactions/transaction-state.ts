// Owns what the coordinator knows of one transactional id, and its states as Kafka's coordinator has them (KIP-98, KIP-890).
//
//   Empty ──join──► Ongoing ──EndTxn──► PrepareCommit ──all markers written──► CompleteCommit ──join──► Ongoing
//                      └──EndTxn, timeout, InitProducerId──► PrepareAbort ──► CompleteAbort ──join──► Ongoing
//
// Under version 2 the epoch is bumped when a transaction is prepared: what was sent before can no more be taken for later.
import type { PartitionLog } from '../log/partition-log.ts';

export type TransactionPhase =
  'Empty' | 'Ongoing' | 'PrepareCommit' | 'PrepareAbort' | 'CompleteCommit' | 'CompleteAbort';

/** What a transaction reaches: a partition, or the offsets of a group. */
export type Participant = { readonly log: PartitionLog } | { readonly groupId: string };

/** The coordinator never hands out the last one: it must be able to fence. */
const EPOCH_EXHAUSTED = 0x7fff - 1;
export const NO_EPOCH = -1;
export const NO_PRODUCER_ID = -1;

export class TransactionState {
  readonly transactionalId: string;
  producerId: number;
  previousProducerId = NO_PRODUCER_ID;
  /** Given out once the markers are written: the epochs of `producerId` are used up. */
  nextProducerId = NO_PRODUCER_ID;
  producerEpoch = NO_EPOCH;
  lastProducerEpoch = NO_EPOCH;
  timeoutMs: number;
  phase: TransactionPhase = 'Empty';
  readonly participants = new Map<string, Participant>();
  /** Monotonic milliseconds when the first partition joined; -1: no transaction is open. */
  startedAt = -1;
  /** Did version 2 end the last transaction? Then a retry names the epoch before the bump. */
  endedByVersion2 = false;

  constructor(transactionalId: string, producerId: number, timeoutMs: number) {
    this.transactionalId = transactionalId;
    this.producerId = producerId;
    this.timeoutMs = timeoutMs;
  }

  get isPreparing(): boolean {
    return this.phase === 'PrepareCommit' || this.phase === 'PrepareAbort';
  }

  get isEpochExhausted(): boolean {
    return this.producerEpoch >= EPOCH_EXHAUSTED;
  }

  has(participant: Participant): boolean {
    return this.participants.has(keyOf(participant));
  }

  join(participant: Participant, nowMs: number): void {
    if (this.phase !== 'Ongoing') {
      this.phase = 'Ongoing';
      this.startedAt = nowMs;
    }
    this.participants.set(keyOf(participant), participant);
  }
}

function keyOf(participant: Participant): string {
  return 'log' in participant ? participant.log.name : `group ${participant.groupId}`;
}
