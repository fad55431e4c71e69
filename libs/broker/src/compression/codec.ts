// Owns compressing and decompressing a batch's record section, all types behind two functions.
// Both run synchronously: a batch is some hundred kilobytes, and a thread's round trip costs more than it saves.
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { MillraceError } from '#libs/core';
import type { CompressionType } from './compression-type.ts';
import { corruptCompressedData, decompressedTooLarge } from './errors.ts';
import { lz4Compress, lz4Decompress } from './lz4.ts';
import { snappyDecompress } from './snappy.ts';

/** What one batch may unfold to unless told otherwise. It is held three times while it is decoded. */
export const DECOMPRESSED_BYTES_MAX = 64 * 1024 * 1024;
/** What may be told: more does not fit the string that it becomes. */
export const DECOMPRESSED_BYTES_LIMIT = 256 * 1024 * 1024;

export interface DecompressionLimits {
  /** Bytes one batch may unfold to. Default 64 MiB. */
  readonly maxBytes: number;
}

const DEFAULT_LIMITS: DecompressionLimits = { maxBytes: DECOMPRESSED_BYTES_MAX };

/**
 * The bytes that `bytes` were before compression; `bytes` itself for `none`.
 * @throws MillraceError MILLRACE_CORRUPT_BATCH the format is broken; MILLRACE_BATCH_TOO_LARGE the limit is passed, before
 * memory for it is taken; MILLRACE_COMPRESSION_UNAVAILABLE the library has no build for this platform.
 */
export function decompress(
  type: CompressionType,
  bytes: Buffer,
  limits: DecompressionLimits = DEFAULT_LIMITS,
): Buffer {
  switch (type) {
    case 'none':
      return bytes;
    case 'gzip':
      return inZlib(type, limits.maxBytes, () => gunzipSync(bytes, { maxOutputLength: limits.maxBytes }));
    case 'zstd':
      return inZlib(type, limits.maxBytes, () =>
        zstdDecompressSync(bytes, { maxOutputLength: limits.maxBytes }),
      );
    case 'lz4':
      return lz4Decompress(bytes, limits.maxBytes);
    case 'snappy':
      return snappyDecompress(bytes, limits.maxBytes);
  }
}

/**
 * `bytes` compressed, at each library's default level.
 * @throws MillraceError MILLRACE_INVALID_CONFIG for snappy, which is read but not written.
 */
export function compress(type: CompressionType, bytes: Buffer): Buffer {
  switch (type) {
    case 'none':
      return bytes;
    case 'gzip':
      return gzipSync(bytes);
    case 'zstd':
      return zstdCompressSync(bytes);
    case 'lz4':
      return lz4Compress(bytes);
    case 'snappy':
      throw new MillraceError({
        code: 'MILLRACE_INVALID_CONFIG',
        message: 'Compression `snappy` was asked for, which Millrace reads but does not write.',
        remedy: 'Use lz4: it is faster and smaller at the same time.',
      });
  }
}

function inZlib(type: CompressionType, maxBytes: number, run: () => Buffer): Buffer {
  try {
    return run();
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE')
      throw decompressedTooLarge(type, maxBytes);
    throw corruptCompressedData(type, 'its content breaks the format', error);
  }
}
