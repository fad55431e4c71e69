// Owns which windows of which keys are still to be emitted, by the time they close. It holds no values: those are in the window store.
//
// One ordered store, not resident, so that a million open windows need not fit in memory:
//   group ''       a row per bucket of ends, and one for the time up to which windows were emitted
//   group <bucket> the windows whose ends are in the bucket: a row each, or many in a row
// Windows come out by end, then in the order of their bytes, as from Kafka Streams' time-ordered stores. What was emitted lies below the time
// noted: it is not read again and expires.
import { orderedTime, orderedUint32, orderedUint64 } from '#libs/core';
import { readOrderedTime, readOrderedUint32, readOrderedUint64 } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { createBinarySerde } from '#libs/serde';
import type { AnySerde } from '../graph.ts';
import type { OrderedStorePort } from '../ports.ts';

const BUCKETS = '' as BinaryString;
const NOTHING = '' as BinaryString;
/** Behind every bucket; as a time it never expires. */
const EMITTED_UP_TO = orderedTime(2 ** 52 - 1);
const TIME_BYTES = 8;
const LENGTH_BYTES = 4;

/** Windows that are due, column-wise. */
export interface DueWindows {
  readonly ends: number[];
  /** What `add` was given. */
  readonly rests: BinaryString[];
}

export interface ClosingWindows {
  /** A window came to be, and its aggregate is in the window store. `rest` tells it from others of its end. */
  add(end: number, rest: BinaryString): void;
  /** The window is no more: it became part of another. */
  remove(end: number, rest: BinaryString): void;
  /** The windows whose end is below `time` and was not below the times given before, in order; `null`: there are none. */
  take(time: number): DueWindows | null;
}

/** Rows are packed by this file itself. */
export const CLOSING_SERDE = createBinarySerde<BinaryString>({
  name: 'closing',
  toBinary: (packed) => packed,
  fromBinary: (packed) => packed,
}) as AnySerde;

/** What both ways to keep windows share: the buckets, and how far windows were emitted. */
abstract class Closing implements ClosingWindows {
  protected readonly store: OrderedStorePort;

  constructor(store: OrderedStorePort) {
    this.store = store;
  }

  abstract add(end: number, rest: BinaryString): void;
  abstract remove(end: number, rest: BinaryString): void;
  /** Adds the windows of a bucket that are due, in order. */
  protected abstract collect(bucket: BinaryString, from: number, to: number, due: DueWindows): void;
  protected abstract bucketOf(end: number): number;

  take(time: number): DueWindows | null {
    if (time <= 0) return null;
    const { store } = this;
    const emitted = store.row(BUCKETS, EMITTED_UP_TO);
    const packed = store.value(emitted) as BinaryString | undefined;
    const before = packed === undefined ? 0 : readOrderedTime(packed, 0);
    if (time <= before) return null;
    store.set(emitted, orderedTime(time), time);
    const buckets: BinaryString[] = [];
    store.range(BUCKETS, orderedTime(this.bucketOf(before)), orderedTime(time), (row) => {
      buckets.push(store.suffixOf(row));
    });
    const due: DueWindows = { ends: [], rests: [] };
    for (let index = 0; index < buckets.length; index++) this.collect(buckets[index]!, before, time, due);
    return due.ends.length === 0 ? null : due;
  }

  /** Nobody has rows in a new bucket: one look makes that known, and the rows to come need none. */
  protected lookThrough(bucket: BinaryString): void {
    this.store.range(bucket, null, null, () => false);
  }
}

/** Windows of any end, a row each: they may be removed, and those of a bucket come due one after the other. */
export class ClosingRows extends Closing {
  private readonly bucketMs: number;

  /** All ends within `bucketMs` share a bucket. */
  constructor(store: OrderedStorePort, bucketMs: number) {
    super(store);
    this.bucketMs = bucketMs;
  }

  add(end: number, rest: BinaryString): void {
    const { store } = this;
    const bucket = orderedTime(this.bucketOf(end));
    const entry = store.row(BUCKETS, bucket);
    if (store.value(entry) === undefined) {
      store.set(entry, NOTHING, end);
      this.lookThrough(bucket);
    }
    const row = store.row(bucket, (orderedTime(end) + rest) as BinaryString);
    if (store.value(row) === undefined) store.set(row, NOTHING, end);
  }

  remove(end: number, rest: BinaryString): void {
    const { store } = this;
    const row = store.row(orderedTime(this.bucketOf(end)), (orderedTime(end) + rest) as BinaryString);
    if (store.value(row) !== undefined) store.set(row, null, end);
  }

  protected collect(bucket: BinaryString, from: number, to: number, { ends, rests }: DueWindows): void {
    const { store } = this;
    store.range(bucket, orderedTime(from), orderedTime(to), (row) => {
      const suffix = store.suffixOf(row);
      ends.push(readOrderedTime(suffix, 0));
      rests.push(suffix.slice(TIME_BYTES) as BinaryString);
    });
  }

  protected bucketOf(end: number): number {
    return end - (end % this.bucketMs);
  }
}

/** Windows in one row. */
const LISTED_MAX = 32;

/**
 * Windows of which many have the same end and none is removed: a bucket per end, many windows in a row. A window costs few bytes more than
 * its rest takes, in memory, on disk and in the changelog.
 */
export class ClosingLists extends Closing {
  private bucketEnd = -1;
  private bucket: BinaryString = NOTHING;

  add(end: number, rest: BinaryString): void {
    const { store } = this;
    if (end !== this.bucketEnd) {
      this.bucket = orderedTime(end);
      this.bucketEnd = end;
    }
    const { bucket } = this;
    const entry = store.row(BUCKETS, bucket);
    const known = store.value(entry) as BinaryString | undefined;
    if (known === undefined) this.lookThrough(bucket);
    const count = known === undefined ? 0 : readOrderedUint64(known, 0);
    // The time comes first, by which the row expires.
    const list = store.row(bucket, (bucket + orderedUint32(Math.floor(count / LISTED_MAX))) as BinaryString);
    const listed = (store.value(list) as BinaryString | undefined) ?? NOTHING;
    store.set(list, listed + orderedUint32(rest.length) + rest, end);
    store.set(entry, orderedUint64(count + 1), end);
  }

  remove(): void {
    throw new Error('Millrace invariant broken: windows that are listed are never removed');
  }

  protected collect(bucket: BinaryString, _from: number, _to: number, { ends, rests }: DueWindows): void {
    const { store } = this;
    const end = readOrderedTime(bucket, 0);
    const found: BinaryString[] = [];
    store.range(bucket, null, null, (row) => {
      const listed = store.value(row) as BinaryString;
      for (let at = 0; at < listed.length;) {
        const start = at + LENGTH_BYTES;
        at = start + readOrderedUint32(listed, at);
        found.push(listed.slice(start, at) as BinaryString);
      }
    });
    // By code unit, which is by byte here.
    found.sort();
    for (let index = 0; index < found.length; index++) {
      // One that its aggregator deleted and that came back was added twice.
      if (index > 0 && found[index] === found[index - 1]) continue;
      ends.push(end);
      rests.push(found[index]!);
    }
  }

  protected bucketOf(end: number): number {
    return end;
  }
}
