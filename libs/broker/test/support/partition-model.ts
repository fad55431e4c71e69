// Owns a model of what a broker does with produced batches: sequences, its window of five, epochs, leadership. It is harsher
// than Kafka in one point: where it knows nothing of a producer it takes any sequence, as Kafka does after retention.
import { KafkaError } from '../../src/protocol/error-codes.ts';
import { valuesOf, viewOf } from './batches.ts';

const WINDOW = 5;

interface ProducerState {
  epoch: number;
  lastSequence: number;
  recent: { first: number; last: number; offset: number }[];
}

export class PartitionModel {
  readonly values: string[] = [];
  leader: number;
  leaderEpoch = 0;
  readonly #producers = new Map<number, ProducerState>();

  constructor(leader: number) {
    this.leader = leader;
  }

  append(node: number, bytes: Buffer): { errorCode: number; baseOffset: number } {
    if (node !== this.leader) return { errorCode: KafkaError.NOT_LEADER_OR_FOLLOWER, baseOffset: -1 };
    const batch = viewOf(bytes);
    if (!batch.hasValidCrc()) throw new Error('a batch with a wrong checksum was sent');
    const first = batch.baseSequence;
    const last = first + batch.recordCount - 1;
    let state = this.#producers.get(batch.producerId);
    if (state !== undefined) {
      const known = state.recent.find((entry) => entry.first === first && entry.last === last);
      if (known !== undefined) return { errorCode: 0, baseOffset: known.offset };
      if (batch.producerEpoch < state.epoch)
        return { errorCode: KafkaError.INVALID_PRODUCER_EPOCH, baseOffset: -1 };
      if (first <= state.lastSequence)
        return { errorCode: KafkaError.DUPLICATE_SEQUENCE_NUMBER, baseOffset: -1 };
      if (first !== state.lastSequence + 1) {
        return { errorCode: KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, baseOffset: -1 };
      }
    } else {
      state = { epoch: batch.producerEpoch, lastSequence: -1, recent: [] };
      this.#producers.set(batch.producerId, state);
    }
    const offset = this.values.length;
    this.values.push(...valuesOf(batch));
    state.lastSequence = last;
    state.recent.push({ first, last, offset });
    if (state.recent.length > WINDOW) state.recent.shift();
    return { errorCode: 0, baseOffset: offset };
  }
}
