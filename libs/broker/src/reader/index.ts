// Reading: encoded batches of assigned partitions, fetched ahead.
export { KafkaRecordReader } from './record-reader.ts';
