// Publishing outside of a topology.
export { RecordProducer } from './record-producer.ts';
export type { ProducerTransaction, RecordProducerOptions } from './record-producer.ts';
export type { Outgoing, OutgoingRecord } from './outgoing-encoder.ts';
