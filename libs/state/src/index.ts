// libs/state: the contract of task state, its layered cache, and the in-memory backend.
export * from './contract.ts';
