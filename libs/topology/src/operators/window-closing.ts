// Owns which windows of which keys are still to be emitted, by the time they close. It holds no values: those are in the window store.
//
// One ordered store, not resident, so that a million open windows need not fit in memory:
//   group ''       a row per bucket of ends, and one for the time up to which windows were emitted
//   group <bucket> a row per window: its end, what else tells it from others, its key's bytes
// Windows come out by end, then in the order of their bytes, as from Kafka Streams' time-ordered stores. What was emitted lies below the time
// noted: it is not read again and expires.
import { orderedTime, readOrderedTime } from '#libs/core';
import type { BinaryString } from '#libs/core';
import type { OrderedStorePort } from '../ports.ts';

const BUCKETS = '' as BinaryString;
/** Behind every bucket; as a time it never expires. */
const EMITTED_UP_TO = orderedTime(2 ** 52 - 1);
const TIME_BYTES = 8;

/** Windows that are due, column-wise. */
export interface DueWindows {
  readonly ends: number[];
  /** What `add` was given. */
  readonly rests: BinaryString[];
}

export class ClosingWindows {
  private readonly store: OrderedStorePort;
  private readonly bucketMs: number;

  /** All ends within `bucketMs` share a bucket: 1 where many windows have the same end. */
  constructor(store: OrderedStorePort, bucketMs: number) {
    this.store = store;
    this.bucketMs = bucketMs;
  }

  /** A window came to be. Adding it again changes nothing. */
  add(end: number, rest: BinaryString): void {
    const { store } = this;
    const bucket = this.bucketOf(end);
    const entry = store.row(BUCKETS, bucket);
    if (store.value(entry) === undefined) {
      store.set(entry, 0, end);
      // Nobody has rows there: one look makes that known, and the rows to come need none.
      store.range(bucket, null, null, () => false);
    }
    const row = store.row(bucket, (orderedTime(end) + rest) as BinaryString);
    if (store.value(row) === undefined) store.set(row, 0, end);
  }

  /** The window is no more: it became part of another. */
  remove(end: number, rest: BinaryString): void {
    const { store } = this;
    const row = store.row(this.bucketOf(end), (orderedTime(end) + rest) as BinaryString);
    if (store.value(row) !== undefined) store.set(row, null, end);
  }

  /** The windows whose end is below `time` and was not below the times given before, in order; `null`: there are none. */
  take(time: number): DueWindows | null {
    if (time <= 0) return null;
    const { store } = this;
    const emitted = store.row(BUCKETS, EMITTED_UP_TO);
    const before = (store.value(emitted) as number | undefined) ?? -1;
    if (time <= before) return null;
    store.set(emitted, time, time);
    const buckets: BinaryString[] = [];
    store.range(BUCKETS, this.bucketOf(Math.max(before, 0)), orderedTime(time), (row) => {
      buckets.push(store.suffixOf(row));
    });
    if (buckets.length === 0) return null;
    const from = orderedTime(before);
    const to = orderedTime(time);
    const ends: number[] = [];
    const rests: BinaryString[] = [];
    for (let index = 0; index < buckets.length; index++) {
      store.range(buckets[index]!, from, to, (row) => {
        const suffix = store.suffixOf(row);
        ends.push(readOrderedTime(suffix, 0));
        rests.push(suffix.slice(TIME_BYTES) as BinaryString);
      });
    }
    return ends.length === 0 ? null : { ends, rests };
  }

  private bucketOf(end: number): BinaryString {
    return orderedTime(end - (end % this.bucketMs));
  }
}
