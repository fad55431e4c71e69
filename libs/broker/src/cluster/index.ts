// What the state machines share: caches of metadata and coordinators, retries, deadlines.
export * from './cluster.ts';
export * from './coordinator-cache.ts';
export * from './metadata-cache.ts';
export * from './retry.ts';
