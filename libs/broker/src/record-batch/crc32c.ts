// Owns CRC-32C (Castagnoli), the checksum of magic v2 batches: by the processor where the native library loads, by table where not.
import { createRequire } from 'node:module';

type Crc32c = (bytes: Uint8Array) => number;

const POLYNOMIAL_REVERSED = 0x82f63b78;

function makeTable(): Uint32Array {
  const table = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL_REVERSED : crc >>> 1;
    table[byte] = crc >>> 0;
  }
  return table;
}

let table: Uint32Array | undefined;

/** The same checksum in plain JavaScript: some 3 ns a byte, a hundred times slower than the native one. */
export function crc32cByTable(bytes: Uint8Array): number {
  table ??= makeTable();
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = table[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

function load(): Crc32c {
  try {
    const native = createRequire(import.meta.url)('@node-rs/crc32') as {
      crc32c: (bytes: Uint8Array) => number;
    };
    return (bytes) => native.crc32c(bytes) >>> 0;
  } catch {
    return crc32cByTable;
  }
}

/** CRC-32C of `bytes` as an unsigned 32-bit number. */
export const crc32c: Crc32c = load();
