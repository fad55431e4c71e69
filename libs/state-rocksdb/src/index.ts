// State stores on RocksDB: one database per task. The only importer of the RocksDB binding; never talks to Kafka.
export { createRocksStateBackend } from './rocks-backend.ts';
export type { RocksStateOptions } from './rocks-backend.ts';
export { tryLockDirectory } from './directory-lock.ts';
export type { DirectoryLock } from './directory-lock.ts';
export { inspectTask } from './inspect-task.ts';
export type { InspectedRow, InspectedStore, InspectedTask } from './inspect-task.ts';
