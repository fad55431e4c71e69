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
/** Nothing was emitted yet. */
const ORIGIN = orderedTime(0);
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
  /** Windows whose end is below `time` are due. */
  close(time: number): void;
  /** The first windows that are due and were not taken before, in order; `null`: there are none. */
  take(windowsMax: number): DueWindows | null;
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
  /** Adds the windows of a bucket in [from, to) to `due` as end and rest, in order, at least the first `windowsMax`. */
  protected abstract collect(
    bucket: BinaryString,
    from: BinaryString,
    to: BinaryString,
    windowsMax: number,
    due: BinaryString[],
  ): void;
  protected abstract bucketOf(end: number): number;

  close(time: number): void {
    if (time <= 0) return;
    const row = this.store.row(BUCKETS, EMITTED_UP_TO);
    const progress = (this.store.value(row) as BinaryString | undefined) ?? ORIGIN;
    if (time <= readOrderedTime(progress, 0)) return;
    // All below the time before was taken, or up to some window, which stays behind.
    const reached = progress.length > TIME_BYTES ? progress.slice(TIME_BYTES) : progress;
    this.store.set(row, orderedTime(time) + reached, time);
  }

  take(windowsMax: number): DueWindows | null {
    const { store } = this;
    const row = store.row(BUCKETS, EMITTED_UP_TO);
    const progress = store.value(row) as BinaryString | undefined;
    if (progress === undefined || progress.length === TIME_BYTES) return null;
    const to = progress.slice(0, TIME_BYTES) as BinaryString;
    const from = progress.slice(TIME_BYTES) as BinaryString;
    const buckets: BinaryString[] = [];
    const first = orderedTime(this.bucketOf(readOrderedTime(from, 0)));
    const behindLast = orderedTime(this.bucketOf(readOrderedTime(to, 0) - 1) + 1);
    store.range(BUCKETS, first, behindLast, (entry) => {
      buckets.push(store.suffixOf(entry));
    });
    const found: BinaryString[] = [];
    for (let index = 0; index < buckets.length && found.length < windowsMax; index++) {
      this.collect(buckets[index]!, from, to, windowsMax - found.length, found);
    }
    const count = Math.min(found.length, windowsMax);
    // Above the last window taken, with all below `to` taken if there were fewer than asked for.
    const reached = count < windowsMax ? '' : `${found[count - 1]!}\0`;
    store.set(row, to + reached, readOrderedTime(to, 0));
    if (count === 0) return null;
    const due: DueWindows = { ends: [], rests: [] };
    for (let index = 0; index < count; index++) {
      due.ends.push(readOrderedTime(found[index]!, 0));
      due.rests.push(found[index]!.slice(TIME_BYTES) as BinaryString);
    }
    return due;
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

  protected collect(
    bucket: BinaryString,
    from: BinaryString,
    to: BinaryString,
    windowsMax: number,
    due: BinaryString[],
  ): void {
    const { store } = this;
    let count = 0;
    store.range(bucket, from, to, (row) => {
      due.push(store.suffixOf(row));
      return ++count < windowsMax;
    });
  }

  /** By its last end: a bucket that expires before its windows would hide them. */
  protected bucketOf(end: number): number {
    return end - (end % this.bucketMs) + this.bucketMs - 1;
  }
}

/** Windows in one row. */
const LISTED_MAX = 32;
/** So many windows of a bucket are not read and sorted anew for each part of them that is taken. */
const SORTED_KEPT_MIN = 1024;

interface Sorted {
  readonly bucket: BinaryString;
  readonly count: BinaryString;
  readonly windows: readonly BinaryString[];
}

/**
 * Windows of which many have the same end and none is removed: a bucket per end, many windows in a row. A window costs few bytes more than
 * its rest takes, in memory, on disk and in the changelog.
 */
export class ClosingLists extends Closing {
  private bucketEnd = -1;
  private bucket: BinaryString = NOTHING;
  private sorted: Sorted | null = null;

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

  protected collect(
    bucket: BinaryString,
    from: BinaryString,
    _to: BinaryString,
    windowsMax: number,
    due: BinaryString[],
  ): void {
    const sorted = this.sortedOf(bucket);
    let index = 0;
    if (bucket < from) {
      // The first that is not below `from`.
      let high = sorted.length;
      while (index < high) {
        const middle = (index + high) >>> 1;
        if (sorted[middle]! < from) index = middle + 1;
        else high = middle;
      }
    }
    for (let last = index + windowsMax; index < sorted.length && index < last; index++)
      due.push(sorted[index]!);
  }

  /** End and rest of all windows of a bucket. What was made once stays right as long as none is added. */
  private sortedOf(bucket: BinaryString): readonly BinaryString[] {
    const { store, sorted } = this;
    const count = store.value(store.row(BUCKETS, bucket)) as BinaryString;
    if (sorted !== null && sorted.bucket === bucket && sorted.count === count) return sorted.windows;
    const found: BinaryString[] = [];
    store.range(bucket, null, null, (row) => {
      const listed = store.value(row) as BinaryString;
      for (let at = 0; at < listed.length;) {
        const start = at + LENGTH_BYTES;
        at = start + readOrderedUint32(listed, at);
        found.push((bucket + listed.slice(start, at)) as BinaryString);
      }
    });
    // By code unit, which is by byte here.
    found.sort();
    // One that its aggregator deleted and that came back was added twice.
    const windows = found.filter((window, index) => index === 0 || window !== found[index - 1]);
    this.sorted = windows.length > SORTED_KEPT_MIN ? { bucket, count, windows } : null;
    return windows;
  }

  protected bucketOf(end: number): number {
    return end;
  }
}
