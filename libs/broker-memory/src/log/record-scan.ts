// Owns a look at a batch's records without decoding them: where each begins and ends, and whether it has a key.
import type { RecordBatchView } from '#libs/broker';

/** Has any record no key? What a compacted topic refuses. */
export function hasNullKey(view: RecordBatchView): boolean {
  const section = view.recordSection();
  let at = 0;
  for (let i = 0; i < view.recordCount; i++) {
    const [length, start] = readVarint(section, at);
    let cursor = skipVarint(section, start + 1); // attributes, timestamp delta
    cursor = skipVarint(section, cursor); // offset delta
    if (readVarint(section, cursor)[0] < 0) return true;
    at = start + length;
  }
  return false;
}

/** Start and end of each record in the record section, its length included. */
export function recordBounds(section: Buffer, recordCount: number): { start: number; end: number }[] {
  const bounds: { start: number; end: number }[] = [];
  let at = 0;
  for (let i = 0; i < recordCount; i++) {
    const [length, start] = readVarint(section, at);
    bounds.push({ start: at, end: start + length });
    at = start + length;
  }
  return bounds;
}

function skipVarint(bytes: Buffer, at: number): number {
  while (bytes[at]! >= 0x80) at++;
  return at + 1;
}

/** The zigzag number at `at`, and the position behind it. */
function readVarint(bytes: Buffer, at: number): [value: number, next: number] {
  let zigzag = 0;
  let shift = 0;
  let byte: number;
  do {
    byte = bytes[at++]!;
    zigzag |= (byte & 0x7f) << shift;
    shift += 7;
  } while (byte >= 0x80);
  return [(zigzag >>> 1) ^ -(zigzag & 1), at];
}
