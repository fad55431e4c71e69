// Owns the aggregation in sliding windows: of each record one window that ends with it (its left window), and one that starts a
// millisecond after it (its right window) once another record falls into that.
// Source of the rules: KStreamSlidingWindowAggregate of Kafka Streams, which goes through the windows of a key from the newest to the
// oldest, and of its window store, which passes over windows once their start is not above the highest start that was put before, less
// the retention. Records with a null key or a null value are dropped. Windows that would start before 1970 are one: [0, time difference].
import { orderedTime, readOrderedTime } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { compileCodec, TimeWindow, WindowedKey } from '#libs/serde';
import type { SlidingWindows } from '../options/windows.ts';
import type { OperatorClock, StoreEntry } from '../ports.ts';
import { separateCopies } from './aggregate.ts';
import { toEachTable } from './operator.ts';
import { ClosingRows } from './window-closing.ts';
import { emissionOnClose, linkIdOf } from './window-emission.ts';
import { folding, lateness } from './window-fold.ts';
import type { WindowAggregation, WindowOperator } from './window-fold.ts';

const NULL_KEY = 'null key in a sliding window aggregation';
const NULL_VALUE = 'null value in a sliding window aggregation';
/** Of the window that the one behind the record is made of: what fed it before the record did. No row's id. */
const BEFORE_RECORD = '';
const NONE = -1;

/**
 * Logins of a user within any 10 minutes: `logins.groupByKey().windowedBy(SlidingWindows.ofTimeDifferenceWithNoGrace(minutes(10)))
 * .count(Materialized.as('logins'))`. State: up to two rows per record and key, kept for twice the time difference and the grace;
 * when emitting on close as many again for the open ones.
 */
export function slidingAggregateOperator(
  { timeDifferenceMs, graceMs }: SlidingWindows,
  { store: spec, fold, changes }: WindowAggregation,
): WindowOperator {
  const earliestRead = (timestamp: number): number => Math.max(0, timestamp - 2 * timeDifferenceMs);
  return {
    takes: 'stream',
    gives: 'table',
    key: 'changed',
    value: { fromStore: spec.name, valueSerde: spec.valueSerde },
    stores: spec.closing === null ? [spec.name] : [spec.name, spec.closing],
    reads: [
      {
        keySerde: spec.keySerde,
        ahead: {
          kind: 'range',
          store: spec.name,
          from: (timestamp) => orderedTime(earliestRead(timestamp)),
        },
      },
    ],
    runsUserCode: fold.runsUserCode,
    windowGraceMs: graceMs,
    fold(site, children) {
      const next = toEachTable(children);
      const store = site.orderedStore(spec.name);
      const { fromSource, codec } = site.keyEncoder(spec.keySerde);
      const { context, links } = site;
      const apply = folding(site, fold);
      const late = lateness(site);
      const keySerde = codec.name;
      const valueCodec = compileCodec(spec.valueSerde);
      const copyOf = separateCopies(spec, changes.sendOldValues);

      const bucketMs = Math.max(1, Math.ceil((timeDifferenceMs + graceMs) / 8));
      const emission = emissionOnClose(
        site,
        spec,
        (rows) => new ClosingRows(rows, bucketMs),
        next,
        (end, group) => {
          const start = end - timeDifferenceMs;
          return { group, suffix: orderedTime(start), window: new TimeWindow(start, end) };
        },
        () => clock.now,
      );
      // Ends are inclusive: a window that ends at the close time is still open.
      const emitClosed = (now: number): void => emission!.emitBelow(now - graceMs);
      const storeClock = site.storeClock(spec.name);
      const clock: OperatorClock = site.clock(emission === null ? undefined : emitClosed);

      // The record in process, and what its look through the windows found.
      let key: unknown;
      let value: unknown;
      let timestamp = 0;
      let closeTime = 0;
      let group = '' as BinaryString;
      /** Windows that start from `earliestRead` up to a millisecond after the record, oldest first. */
      const rows: StoreEntry[] = [];
      const starts: number[] = [];

      const put = (row: StoreEntry, start: number, old: unknown, result: unknown, time: number): void => {
        const isNew = row.encoded === null;
        // The window behind the record is made of others.
        const enters = start <= timestamp;
        store.set(row, result, time);
        storeClock.observe(start);
        if (emission === null) {
          const window = new TimeWindow(start, start + timeDifferenceMs);
          const isLinked = links.enabled && enters && links.through(linkIdOf(group, orderedTime(start)));
          next(new WindowedKey(key, window, store.groupOf(row), keySerde), result, old ?? null, time);
          if (isLinked) links.done();
        } else {
          if (links.enabled && enters) links.feed(linkIdOf(group, orderedTime(start)));
          if (isNew && result !== null) emission.closing.add(start + timeDifferenceMs, group);
        }
      };

      const isOpen = (start: number): boolean => {
        if (start + timeDifferenceMs >= closeTime) return true;
        site.drop('MILLRACE_LATE_RECORD', 'a record one of whose windows is closed');
        return false;
      };

      /** Adds the record to a window that exists. */
      const update = (row: StoreEntry, start: number): void => {
        if (!isOpen(start)) return;
        const old = store.value(row);
        const before = copyOf(old, row);
        const time = row.timestamp > timestamp ? row.timestamp : timestamp;
        put(row, start, before, apply(key, value, old), time);
      };

      /** Makes a window of the record alone, or of the one at `from`, which is `encoded`, and the record. */
      const create = (start: number, encoded: BinaryString | null, from = NONE): void => {
        if (!isOpen(start)) return;
        if (links.enabled && encoded !== null)
          links.copy(linkIdOf(group, orderedTime(from)), linkIdOf(group, orderedTime(start)));
        const row = store.row(group, orderedTime(start));
        const aggregate = encoded === null ? undefined : valueCodec.fromBinary(encoded, false);
        put(row, start, null, apply(key, value, aggregate), timestamp);
      };

      /** The window behind the record holds what an existing one held before this record entered it. */
      const createRight = (encoded: BinaryString, time: number): void => {
        const start = timestamp + 1;
        if (links.enabled) links.copy(BEFORE_RECORD, linkIdOf(group, orderedTime(start)));
        put(store.row(group, orderedTime(start)), start, null, valueCodec.fromBinary(encoded, false), time);
      };

      const find = (): void => {
        rows.length = starts.length = 0;
        // Kafka Streams' time-ordered stores, which it emits on close from, keep rows a millisecond longer.
        const kept = storeClock.now - spec.retentionMs + (emission === null ? 1 : 0);
        const from = Math.max(earliestRead(timestamp), kept);
        store.range(group, orderedTime(from), orderedTime(timestamp + 2), (row) => {
          rows.push(row);
          starts.push(readOrderedTime(store.suffixOf(row), 0));
        });
      };

      const process = (): void => {
        let leftEncoded: BinaryString | null = null;
        let leftStart = NONE;
        let rightEncoded: BinaryString | null = null;
        let rightTime = NONE;
        let hasLeft = false;
        let hasRight = false;
        let previous = NONE;
        for (let index = rows.length - 1; index >= 0; index--) {
          const row = rows[index]!;
          const start = starts[index]!;
          const end = start + timeDifferenceMs;
          const latest = row.timestamp;
          if (start === timestamp + 1) {
            hasRight = true;
          } else if (end > timestamp) {
            if (rightEncoded === null) {
              rightEncoded = row.encoded;
              rightTime = latest;
              if (links.enabled) links.copy(linkIdOf(group, orderedTime(start)), BEFORE_RECORD);
            }
            update(row, start);
          } else if (end === timestamp) {
            hasLeft = true;
            update(row, start);
            // Another record of this time was here: all windows that this one needs are there.
            if (latest >= timestamp) return;
            previous = latest;
          } else {
            leftEncoded = row.encoded;
            leftStart = start;
            previous = latest;
            break;
          }
        }
        if (previous !== NONE) {
          const start = previous + 1;
          if (start + timeDifferenceMs >= timestamp && !starts.includes(start)) create(start, null);
        }
        if (!hasLeft) {
          const start = timestamp - timeDifferenceMs;
          create(start, previous !== NONE && start <= previous ? leftEncoded : null, leftStart);
        }
        if (!hasRight && rightEncoded !== null && rightTime > timestamp) createRight(rightEncoded, rightTime);
      };

      const processEarly = (): void => {
        let combined: StoreEntry | null = null;
        let rightEncoded: BinaryString | null = null;
        let rightTime = NONE;
        let hasRight = false;
        let previous = NONE;
        for (let index = 0; index < rows.length; index++) {
          const row = rows[index]!;
          const start = starts[index]!;
          const latest = row.timestamp;
          if (start === 0) {
            combined = row;
            if (latest < timestamp) previous = latest;
          } else if (start <= timestamp) {
            rightEncoded = row.encoded;
            rightTime = latest;
            if (links.enabled) links.copy(linkIdOf(group, orderedTime(start)), BEFORE_RECORD);
            update(row, start);
          } else {
            hasRight = true;
          }
        }
        if (rightEncoded === null && combined !== null && combined.timestamp > timestamp) {
          rightEncoded = combined.encoded;
          rightTime = combined.timestamp;
          if (links.enabled) links.copy(linkIdOf(group, orderedTime(0)), BEFORE_RECORD);
        }
        if (!hasRight && rightEncoded !== null && rightTime > timestamp) createRight(rightEncoded, rightTime);
        if (previous !== NONE && !starts.includes(previous + 1)) create(previous + 1, null);
        if (combined === null) create(0, null);
        else update(combined, 0);
      };

      return (recordKey, recordValue, recordTimestamp) => {
        if (recordKey === null || recordKey === undefined) return site.drop('MILLRACE_NULL_KEY', NULL_KEY);
        if (recordValue === null || recordValue === undefined) {
          return site.drop('MILLRACE_NULL_VALUE', NULL_VALUE);
        }
        const timeBefore = clock.now;
        const now = clock.observe(recordTimestamp);
        key = recordKey;
        value = recordValue;
        timestamp = recordTimestamp;
        closeTime = now - graceMs;
        if (timestamp + timeDifferenceMs < closeTime) {
          late(key, value, timestamp);
          return;
        }
        group = fromSource ? context.rawKey! : codec.toBinary(key);
        find();
        if (timestamp < timeDifferenceMs) processEarly();
        else process();
        if (emission !== null && now > timeBefore) emitClosed(now);
      };
    },
  };
}
