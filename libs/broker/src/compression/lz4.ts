// Owns LZ4 in its frame format, the one magic v2 batches hold, and a bound on what a frame may unfold to.
// The library takes no limit, so the frame's block headers are walked first; it never decompresses to learn a size.
import { createRequire } from 'node:module';
import { codecUnavailable, corruptCompressedData, decompressedTooLarge } from './errors.ts';

interface Lz4Library {
  compressFrameSync(data: Buffer): Buffer;
  decompressFrameSync(data: Buffer): Buffer;
}

const FRAME_MAGIC = 0x184d2204;
const HEADER_BYTES_MIN = 7;
/** An LZ4 block cannot unfold by more: 255 literal-free match bytes per byte read. */
const EXPANSION_MAX = 255;

let library: Lz4Library | undefined;

function load(): Lz4Library {
  if (library !== undefined) return library;
  try {
    library = createRequire(import.meta.url)('lz4-napi') as Lz4Library;
  } catch (error) {
    throw codecUnavailable('lz4', error);
  }
  return library;
}

/** The most bytes that the blocks of `frame` can hold, from their headers alone. */
export function lz4SizeBound(frame: Buffer): number {
  if (frame.length < HEADER_BYTES_MIN || frame.readUInt32LE(0) !== FRAME_MAGIC) {
    throw corruptCompressedData('lz4', 'it does not begin with the frame magic number');
  }
  const flags = frame[4]!;
  const blockChecksum = (flags & 0x10) !== 0;
  const contentSize = (flags & 0x08) !== 0;
  const dictionary = (flags & 0x01) !== 0;
  const blockMaxId = (frame[5]! >> 4) & 7;
  if (blockMaxId < 4) throw corruptCompressedData('lz4', 'its block size is not one of the format');
  const blockMax = 1 << (8 + 2 * blockMaxId);

  let at = HEADER_BYTES_MIN + (contentSize ? 8 : 0) + (dictionary ? 4 : 0);
  let bound = 0;
  for (;;) {
    if (at + 4 > frame.length) throw corruptCompressedData('lz4', 'it ends before its end mark');
    const header = frame.readUInt32LE(at);
    at += 4;
    if (header === 0) return bound;
    const stored = header >= 0x80000000;
    const size = header & 0x7fffffff;
    bound += stored ? size : Math.min(blockMax, size * EXPANSION_MAX);
    at += size + (blockChecksum ? 4 : 0);
  }
}

export function lz4Decompress(bytes: Buffer, maxBytes: number): Buffer {
  if (lz4SizeBound(bytes) > maxBytes) throw decompressedTooLarge('lz4', maxBytes);
  const lz4 = load();
  try {
    return lz4.decompressFrameSync(bytes);
  } catch (error) {
    throw corruptCompressedData('lz4', 'its content breaks the format', error);
  }
}

/** A frame of independent blocks, the only kind that Kafka's Java client reads. */
export function lz4Compress(bytes: Buffer): Buffer {
  return load().compressFrameSync(bytes);
}
