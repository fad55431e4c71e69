// Owns what one partition remembers of its idempotent producers: the epoch and the last five batches.
// The rules are Kafka's (ProducerStateManager, ProducerAppendInfo; KIP-98, KIP-360). It never touches the log.
import { Errors } from '../kafka-errors.ts';

/** How many batches of a producer a partition can tell from new ones. */
const REMEMBERED_BATCHES = 5;
const SEQUENCE_MAX = 0x7fffffff;
const NO_EPOCH = -1;

interface RememberedBatch {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: number;
  readonly timestampMs: number;
}

export class ProducerEntry {
  epoch = NO_EPOCH;
  batches: RememberedBatch[] = [];

  /** The batch that this one repeats, if it is remembered. */
  findDuplicate(epoch: number, firstSequence: number, lastSequence: number): RememberedBatch | undefined {
    if (epoch !== this.epoch) return undefined;
    for (const batch of this.batches) {
      if (batch.firstSequence === firstSequence && batch.lastSequence === lastSequence) return batch;
    }
    return undefined;
  }

  /** May a client's batch follow? Otherwise the error code. */
  check(epoch: number, firstSequence: number): number {
    if (epoch < this.epoch) return Errors.INVALID_PRODUCER_EPOCH;
    // A producer that this partition does not know, or no more: any sequence will do.
    if (this.epoch === NO_EPOCH) return Errors.NONE;
    if (epoch !== this.epoch) return firstSequence === 0 ? Errors.NONE : Errors.OUT_OF_ORDER_SEQUENCE_NUMBER;
    const last = this.batches.at(-1)?.lastSequence ?? -1;
    const inSequence = firstSequence === last + 1 || (firstSequence === 0 && last === SEQUENCE_MAX);
    return inSequence ? Errors.NONE : Errors.OUT_OF_ORDER_SEQUENCE_NUMBER;
  }

  remember(epoch: number, batch: RememberedBatch): void {
    this.adoptEpoch(epoch);
    this.batches.push(batch);
    if (this.batches.length > REMEMBERED_BATCHES) this.batches.shift();
  }

  /** A new epoch starts the sequences over. */
  adoptEpoch(epoch: number): void {
    if (epoch === this.epoch) return;
    this.epoch = epoch;
    this.batches = [];
  }
}

export function lastSequenceOf(firstSequence: number, recordCount: number): number {
  const last = firstSequence + recordCount - 1;
  return last <= SEQUENCE_MAX ? last : last - SEQUENCE_MAX - 1;
}
