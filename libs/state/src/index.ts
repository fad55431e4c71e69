// libs/state: the contract of task state, its layered cache, and the in-memory backend.
export * from './contract.ts';
export { EMPTY_CHECKPOINT } from './database.ts';
export type { DatabaseBatch, DatabaseRow, ReadColumns, ScanRange, StateDatabase } from './database.ts';
export { ReadEnded } from './committed-reads.ts';
export { KeyHeap } from './key-heap.ts';
export { createMemoryStateBackend } from './memory-backend.ts';
export type { MemoryStateBackend, MemoryStateOptions } from './memory-backend.ts';
export { isMachineFault } from './machine-fault.ts';
export { storeIdentity, stateInUse, stateIncompatible, stateLocked } from './store-identity.ts';
export { TaskStateImpl } from './task-state.ts';
export type { TaskStateEnvironment } from './task-state.ts';
export { groupEnd, groupOfKey, groupPrefix, rowKey, suffixOfKey } from './ordered/row-key.ts';
