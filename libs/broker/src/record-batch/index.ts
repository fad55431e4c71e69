// Record batches of magic v2: read by header and column, written record by record.
export { RecordBatchView, readRecordBatches } from './record-batch-view.ts';
export type { ControlType, ReadBatchesOptions } from './record-batch-view.ts';
export { RecordColumns } from './record-columns.ts';
export { decodeHeaders, encodeHeaders } from './record-headers.ts';
export { RecordBatchEncoder } from './record-batch-encoder.ts';
export type { EncoderMark } from './record-batch-encoder.ts';
export { BatchBufferPool } from './batch-buffer-pool.ts';
export { compressBatch, EncodedBatch, stampBatch } from './encoded-batch.ts';
export type { BatchStamp } from './encoded-batch.ts';
export { murmur2, murmur2OfBytes, partitionForKey } from './murmur2.ts';
export { crc32c } from './crc32c.ts';
