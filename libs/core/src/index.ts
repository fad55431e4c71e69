// libs/core: records, offsets, clock, error taxonomy and ids. It does no I/O and imports nothing.
export * from './errors.ts';
export * from './error-codes.ts';
export * from './clock.ts';
export * from './topic-partition.ts';
export * from './task-id.ts';
export * from './record.ts';
export * from './binary-string.ts';
export * from './ordered-bytes.ts';
export * from './logger.ts';
export * from './assert.ts';
