// Compression of record batches: none, gzip, snappy (read only), lz4 and zstd.
export * from './compression-type.ts';
export * from './codec.ts';
