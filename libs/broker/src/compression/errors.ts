// Owns the refusals of this folder. Their texts never hold payload bytes.
import { MillraceError } from '#libs/core';
import type { CompressionType } from './compression-type.ts';

export function corruptCompressedData(type: CompressionType, why: string, cause?: unknown): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_CORRUPT_BATCH',
    message: `A ${type}-compressed batch does not decompress: ${why}.`,
    remedy: 'Find the producer that wrote it, or move the group past this offset.',
    cause,
    context: { compression: type },
  });
}

export function decompressedTooLarge(type: CompressionType, maxBytes: number): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_BATCH_TOO_LARGE',
    message: `A ${type}-compressed batch decompresses to more than ${maxBytes} bytes.`,
    remedy:
      'If the data is meant to be so, produce smaller batches or raise `kafka.maxDecompressedBytes`; if not, find who wrote it.',
    context: { compression: type, maxBytes },
  });
}

export function codecUnavailable(type: CompressionType, cause: unknown): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_COMPRESSION_UNAVAILABLE',
    message: `The library for ${type} cannot be loaded on ${process.platform}-${process.arch}.`,
    remedy: 'Reinstall without omitting optional dependencies, or use another compression type on the topic.',
    cause,
    context: { compression: type },
  });
}
