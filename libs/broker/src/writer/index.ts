// Writing: transactional and idempotent.
export { KafkaIdempotentWriter } from './idempotent-writer.ts';
export { KafkaTransactionalWriter } from './transactional-writer.ts';
