// Owns the encoding of record headers: a count, then key and value with their lengths (KIP-82).
// On the hot path headers stay in this encoding, as a binary string that passes from input to output untouched.
import type { BinaryString, RecordHeader } from '#libs/core';
import { corruptBatch } from './corrupt-batch-error.ts';
import { varintSize, VarintCursor, writeVarint } from './varint.ts';

/** What `RecordBatchEncoder` takes: '' for none. */
export function encodeHeaders(headers: readonly RecordHeader[]): BinaryString {
  if (headers.length === 0) return '' as BinaryString;
  let size = varintSize(headers.length);
  for (const { key, value } of headers) {
    const keyLength = Buffer.byteLength(key);
    size +=
      varintSize(keyLength) + keyLength + (value === null ? 1 : varintSize(value.length) + value.length);
  }
  const bytes = Buffer.allocUnsafe(size);
  let at = writeVarint(bytes, headers.length, 0);
  for (const { key, value } of headers) {
    at = writeVarint(bytes, Buffer.byteLength(key), at);
    at += bytes.write(key, at, 'utf8');
    at = writeVarint(bytes, value === null ? -1 : value.length, at);
    if (value !== null) {
      bytes.set(value, at);
      at += value.length;
    }
  }
  return bytes.toString('latin1') as BinaryString;
}

/** Headers between `start` (at their count) and `end`. Values are copies. @throws MillraceError MILLRACE_CORRUPT_BATCH */
export function decodeHeaders(bytes: Uint8Array, start: number, end: number): RecordHeader[] {
  const cursor = new VarintCursor(bytes, start, end);
  const count = cursor.next();
  const headers: RecordHeader[] = [];
  for (let i = 0; i < count; i++) {
    const key = cursor.nextBytes();
    if (key === null) throw corruptBatch('a header has no key');
    const value = cursor.nextBytes();
    headers.push({
      key: Buffer.from(key).toString('utf8'),
      value: value === null ? null : Buffer.from(value),
    });
  }
  if (cursor.position !== end) throw corruptBatch('headers do not fill their record');
  return headers;
}
