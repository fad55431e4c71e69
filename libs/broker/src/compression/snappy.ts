// Owns Snappy as Kafka producers write it: chunks in the xerial framing of snappy-java, or one raw block.
// It never compresses for the product; the framing is written for tests only.
import { createRequire } from 'node:module';
import { corruptCompressedData, decompressedTooLarge } from './errors.ts';

interface SnappyLibrary {
  uncompress(data: Buffer, maxLength: number): Buffer;
  compress(data: Buffer): Buffer;
}

const snappy = createRequire(import.meta.url)('snappyjs') as SnappyLibrary;

/** 0x82 SNAPPY 0x00, then two 4-byte version numbers. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER_BYTES = 16;
const CHUNK_BYTES = 32 * 1024;

/** The length a raw block announces in its first bytes (a little-endian base-128 number). */
function announcedLength(block: Buffer): number {
  let value = 0;
  for (let i = 0; i < 5 && i < block.length; i++) {
    const byte = block[i]!;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return value;
  }
  throw corruptCompressedData('snappy', 'its length is malformed');
}

function decompressBlock(block: Buffer, maxBytes: number): Buffer {
  const length = announcedLength(block);
  if (length > maxBytes) throw decompressedTooLarge('snappy', maxBytes);
  // A block unfolds by at most 64 bytes for 3 (a copy element): what announces more allocates nothing.
  if (length > block.length * 22) throw corruptCompressedData('snappy', 'it announces more than it can hold');
  try {
    return snappy.uncompress(block, maxBytes);
  } catch (error) {
    throw corruptCompressedData('snappy', 'its content breaks the format', error);
  }
}

export function snappyDecompress(bytes: Buffer, maxBytes: number): Buffer {
  const framed =
    bytes.length >= XERIAL_HEADER_BYTES && bytes.compare(XERIAL_MAGIC, 0, 8, 0, XERIAL_MAGIC.length) === 0;
  if (!framed) return decompressBlock(bytes, maxBytes);

  const chunks: Buffer[] = [];
  let total = 0;
  let at = XERIAL_HEADER_BYTES;
  while (at < bytes.length) {
    if (at + 4 > bytes.length) throw corruptCompressedData('snappy', 'a chunk length is cut off');
    const length = bytes.readUInt32BE(at);
    at += 4;
    if (at + length > bytes.length) throw corruptCompressedData('snappy', 'a chunk is cut off');
    const chunk = decompressBlock(bytes.subarray(at, at + length), maxBytes - total);
    chunks.push(chunk);
    total += chunk.length;
    at += length;
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, total);
}

/** Xerial-framed Snappy, as Kafka's Java producer writes it. For fixtures: Millrace writes no Snappy. */
export function snappyCompressFramed(bytes: Buffer): Buffer {
  const header = Buffer.alloc(XERIAL_HEADER_BYTES);
  XERIAL_MAGIC.copy(header);
  header.writeInt32BE(1, 8);
  header.writeInt32BE(1, 12);
  const parts: Buffer[] = [header];
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    const block = snappy.compress(bytes.subarray(at, at + CHUNK_BYTES));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}
