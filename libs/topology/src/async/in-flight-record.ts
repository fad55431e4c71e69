// Owns the bytes of a record whose call is under way, as its row in the store holds them.
//
//   version (1) ++ key ++ value ++ count of headers ++ (name ++ value)*      each text: length + 1 (0: null) ++ bytes
import { orderedUint32, readOrderedUint32 } from '#libs/core';
import type { BinaryString, RecordHeader } from '#libs/core';
import { binaryFromBytes, binaryFromUtf8, bytesFromBinary, utf8FromBinary } from '#libs/serde';

export interface InFlightRecord {
  readonly key: BinaryString | null;
  readonly value: BinaryString | null;
  readonly headers: readonly RecordHeader[];
}

const VERSION = '\u0001';

export function encodeInFlight({ key, value, headers }: InFlightRecord): Uint8Array {
  let bytes = VERSION + field(key) + field(value) + orderedUint32(headers.length);
  for (const header of headers) {
    bytes += field(binaryFromUtf8(header.key));
    bytes += field(header.value === null ? null : binaryFromBytes(header.value));
  }
  return bytesFromBinary(bytes as BinaryString);
}

export function decodeInFlight(bytes: BinaryString): InFlightRecord {
  let at = VERSION.length;
  const next = (): BinaryString | null => {
    const length = readOrderedUint32(bytes, at) - 1;
    at += 4;
    if (length < 0) return null;
    at += length;
    return bytes.slice(at - length, at) as BinaryString;
  };
  const key = next();
  const value = next();
  const count = readOrderedUint32(bytes, at);
  at += 4;
  const headers: RecordHeader[] = [];
  for (let index = 0; index < count; index++) {
    const name = utf8FromBinary(next()!)!;
    const content = next();
    headers.push({ key: name, value: content === null ? null : bytesFromBinary(content) });
  }
  return { key, value, headers };
}

function field(bytes: BinaryString | null): string {
  return bytes === null ? orderedUint32(0) : orderedUint32(bytes.length + 1) + bytes;
}
