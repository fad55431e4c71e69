// Owns the names of Kafka's compression types and their ids in a batch's attributes (KIP-98, KIP-110).

/** In the order of their ids: the index is what the attributes' lowest three bits hold. */
export const COMPRESSION_TYPES = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

export type CompressionType = (typeof COMPRESSION_TYPES)[number];

/** The type of an id, or undefined for an id no broker hands out. */
export function compressionOfId(id: number): CompressionType | undefined {
  return COMPRESSION_TYPES[id];
}

export function idOfCompression(type: CompressionType): number {
  return COMPRESSION_TYPES.indexOf(type);
}
