// Owns what stands before the key of a record in the database, store by store. It never writes.
//
//   store number (2 bytes, big-endian, from 1) ++ segment (5 bytes, only where rows expire) ++ key of the record
//
// Rows of an ordered store with expiry lie in segments of time, as in Kafka Streams: a whole segment is dropped by one range deletion,
// whatever its groups are. A group's rows of some time are in as many places as that time has segments, two or three as a rule.
//
// 1. The length of a store's segments is written down when the store is first seen and stays, whatever its retention becomes.
// 2. `segments` has every segment that may hold rows; one that holds none any more may be in it.
import { readOrderedTime, readOrderedUint32 } from '#libs/core';
import type { BinaryString } from '#libs/core';
import type { ScanRange, StateStoreSpec } from '#libs/state';
import { writeBinary } from './native-buffer.ts';

export const STORE_NUMBER_BYTES = 2;
export const SEGMENT_BYTES = 5;
const SEGMENT_MAX = 2 ** 40 - 1;
const TWO_32 = 2 ** 32;
const GROUP_LENGTH_BYTES = 4;
const TIME_BYTES = 8;
/** `orderedTime` adds this to a time. */
const TIME_BIAS = 2 ** 52;
/** So that a short retention does not make a range deletion per epoch. */
const SEGMENT_MS_MIN = 1_000;

/** Milliseconds of a segment of a store that is seen for the first time; 0: it has none. */
export function segmentMsOf(spec: StateStoreSpec): number {
  if (spec.kind !== 'ordered' || spec.expiry === null) return 0;
  return Math.max(SEGMENT_MS_MIN, Math.ceil(spec.expiry.retentionMs / 2));
}

export class StoreKeys {
  readonly number: number;
  readonly segmentMs: number;
  /** Bytes before the key of a record. */
  readonly prefixBytes: number;
  /** Ascending. */
  readonly segments: number[] = [];
  /** Of all rows ever written; infinite: not known, or a row without a time. */
  newestTime = -Infinity;
  private lastNoted = -1;

  constructor(number: number, segmentMs: number) {
    this.number = number;
    this.segmentMs = segmentMs;
    this.prefixBytes = STORE_NUMBER_BYTES + (segmentMs === 0 ? 0 : SEGMENT_BYTES);
  }

  get isSegmented(): boolean {
    return this.segmentMs > 0;
  }

  /** The segment of a row; a key without a time goes with the newest, which is never dropped. */
  segmentOf(key: BinaryString): number {
    return this.segmentAt(timeOf(key));
  }

  /** The segment of a row that will be written. */
  segmentFor(key: BinaryString): number {
    return this.noted(timeOf(key));
  }

  /** The same for a key in bytes. */
  segmentForBytes(bytes: Uint8Array, start: number, end: number): number {
    const at = start + GROUP_LENGTH_BYTES + uint32(bytes, start);
    if (at + TIME_BYTES > end) return this.noted(Infinity);
    return this.noted(uint32(bytes, at) * TWO_32 + uint32(bytes, at + 4) - TIME_BIAS);
  }

  segmentAt(time: number): number {
    return Math.min(SEGMENT_MAX, Math.max(0, Math.floor(time / this.segmentMs)));
  }

  private noted(time: number): number {
    if (time > this.newestTime) this.newestTime = time;
    const segment = this.segmentAt(time);
    this.note(segment);
    return segment;
  }

  /** Rows are, or will be, in the segment. */
  note(segment: number): void {
    if (segment === this.lastNoted) return;
    const { segments } = this;
    let at = segments.length;
    while (at > 0 && segments[at - 1]! > segment) at--;
    if (segments[at - 1] !== segment) segments.splice(at, 0, segment);
    this.lastNoted = segment;
  }

  /** Takes out the segments whose rows are all before `time`. */
  takeExpired(time: number): number[] {
    const { segments } = this;
    let count = 0;
    while (
      count < segments.length &&
      segments[count]! < SEGMENT_MAX &&
      (segments[count]! + 1) * this.segmentMs <= time
    ) {
      count++;
    }
    if (count > 0) this.lastNoted = -1;
    return segments.splice(0, count);
  }

  writePrefix(bytes: Uint8Array, at: number, segment: number): void {
    bytes[at] = this.number >> 8;
    bytes[at + 1] = this.number;
    if (this.segmentMs === 0) return;
    const high = Math.floor(segment / TWO_32);
    const low = segment - high * TWO_32;
    bytes[at + 2] = high;
    bytes[at + 3] = low >>> 24;
    bytes[at + 4] = low >>> 16;
    bytes[at + 5] = low >>> 8;
    bytes[at + 6] = low;
  }

  /** Of a key in the database. */
  readSegment(key: Uint8Array): number {
    return key[STORE_NUMBER_BYTES]! * TWO_32 + uint32(key, STORE_NUMBER_BYTES + 1);
  }

  /** The key in the database, or where a segment begins. */
  databaseKey(key: BinaryString, segment = 0): Buffer {
    const bytes = Buffer.allocUnsafe(this.prefixBytes + key.length);
    this.writePrefix(bytes, 0, segment);
    writeBinary(bytes, key, this.prefixBytes);
    return bytes;
  }

  /** First key of a segment, or of a store without; the exclusive end. */
  bounds(segment: number): { readonly gte: Buffer; readonly lt: Buffer } {
    const none = '' as BinaryString;
    const gte = this.databaseKey(none, segment);
    if (this.isSegmented && segment < SEGMENT_MAX) return { gte, lt: this.databaseKey(none, segment + 1) };
    const lt = Buffer.allocUnsafe(STORE_NUMBER_BYTES);
    lt.writeUInt16BE(this.number + 1, 0);
    return { gte, lt };
  }

  /** The segments with rows of a range, ascending. Bounds within one group say more than others. */
  segmentsOf({ from, to, fromTime = -Infinity, toTime = Infinity }: ScanRange): number[] {
    let lowest = fromTime === -Infinity ? 0 : this.segmentAt(fromTime);
    let highest = toTime === Infinity ? SEGMENT_MAX : this.segmentAt(toTime);
    if (from !== undefined && to !== undefined) {
      const groupEnd = GROUP_LENGTH_BYTES + readOrderedUint32(from, 0);
      const prefix = from.slice(0, groupEnd);
      const isWithin = to.startsWith(prefix);
      if (isWithin || to <= afterGroup(prefix)) {
        if (from.length >= groupEnd + TIME_BYTES) lowest = Math.max(lowest, this.segmentOf(from));
        if (isWithin) highest = Math.min(highest, this.segmentOf(to));
      }
    }
    // A bound without a time is below all times, but rows without one are in the last segment.
    return this.segments.filter((one) => (one >= lowest && one <= highest) || one === SEGMENT_MAX);
  }
}

/** The first bytes behind all that begin with those of a group; the first four count its length. */
function afterGroup(prefix: string): string {
  let end = prefix.length;
  while (end > 0 && prefix.charCodeAt(end - 1) === 255) end--;
  return end === 0 ? prefix : prefix.slice(0, end - 1) + String.fromCharCode(prefix.charCodeAt(end - 1) + 1);
}

/** The time a row's suffix begins with; infinite: it has none. */
function timeOf(key: BinaryString): number {
  const at = GROUP_LENGTH_BYTES + readOrderedUint32(key, 0);
  return at + TIME_BYTES > key.length ? Infinity : readOrderedTime(key, at);
}

function uint32(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 0x1000000 + ((bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!);
}
