// Owns the aggregation in sessions: a record joins all sessions of its key that are at most the gap away.
// Source of the rules: KStreamSessionWindowAggregate of Kafka Streams, and of its session store that a session is passed over once its
// end is not above the highest end that was put before, less the retention. A record with a null key is dropped, one with a null value is
// aggregated. A session that changes its bounds is deleted and put anew; a result's timestamp is the session's end.
import { orderedTime, readOrderedTime } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { TimeWindow, WindowedKey } from '#libs/serde';
import type { SessionWindows } from '../options/windows.ts';
import type { OperatorClock, StoreEntry } from '../ports.ts';
import { separateCopies } from './aggregate.ts';
import { toEachTable } from './operator.ts';
import { ClosingRows } from './window-closing.ts';
import { emissionOnClose, linkIdOf } from './window-emission.ts';
import { folding, lateness } from './window-fold.ts';
import type { WindowAggregation, WindowOperator } from './window-fold.ts';

const TIME_BYTES = 8;
const NULL_KEY = 'null key in a session aggregation';

/** Rows of one record; used again for the next. */
interface Found {
  readonly rows: StoreEntry[];
  readonly starts: number[];
  readonly ends: number[];
}

/**
 * Clicks per visit: `clicks.groupByKey().windowedBy(SessionWindows.ofInactivityGapWithNoGrace(minutes(30))).count(Materialized.as('visits'))`.
 * State: a row per key and session, kept for the retention after its end; when emitting on close a second one per open session.
 */
export function sessionAggregateOperator(
  { gapMs, graceMs }: SessionWindows,
  { store: spec, fold, changes }: WindowAggregation,
): WindowOperator {
  return {
    takes: 'stream',
    gives: 'table',
    key: 'changed',
    value: { fromStore: spec.name, valueSerde: spec.valueSerde },
    stores: spec.closing === null ? [spec.name] : [spec.name, spec.closing],
    reads: [
      {
        keySerde: spec.keySerde,
        ahead: { kind: 'range', store: spec.name, from: (timestamp) => orderedTime(timestamp - gapMs) },
      },
    ],
    runsUserCode: fold.runsUserCode,
    windowGraceMs: gapMs + graceMs,
    fold(site, children) {
      const next = toEachTable(children);
      const store = site.orderedStore(spec.name);
      const { fromSource, codec } = site.keyEncoder(spec.keySerde);
      const { context, links } = site;
      const apply = folding(site, fold);
      const late = lateness(site);
      const keySerde = codec.name;
      const copyOf = separateCopies(spec, changes.sendOldValues);
      const found: Found = { rows: [], starts: [], ends: [] };

      const merge = (key: unknown, one: unknown, other: unknown): unknown => {
        if (!fold.runsUserCode) return fold.merge!(key, one, other, context);
        try {
          return fold.merge!(key, one, other, context) ?? null;
        } catch (error) {
          throw site.blame(error);
        }
      };

      const bucketMs = Math.max(1, Math.ceil((gapMs + graceMs) / 8));
      const emission = emissionOnClose(
        site,
        spec,
        (rows) => new ClosingRows(rows, bucketMs),
        next,
        (end, rest) => {
          const start = readOrderedTime(rest, 0);
          return {
            group: rest.slice(TIME_BYTES) as BinaryString,
            suffix: suffixOf(start, end),
            window: new TimeWindow(start, end),
          };
        },
        () => clock.now,
      );
      // Ends are inclusive: a session that ends at the close time is still open.
      const emitClosed = (now: number): void => emission!.emitBelow(now - graceMs - gapMs);
      const storeClock = site.storeClock(spec.name);
      const clock: OperatorClock = site.clock(emission === null ? undefined : emitClosed);

      /** The sessions that a record joins, by end. */
      const find = (group: BinaryString, timestamp: number): void => {
        found.rows.length = found.starts.length = found.ends.length = 0;
        const kept = storeClock.now - spec.retentionMs + 1;
        const earliestEnd = timestamp - gapMs;
        store.range(group, orderedTime(earliestEnd > kept ? earliestEnd : kept), null, (row) => {
          const suffix = store.suffixOf(row);
          const start = readOrderedTime(suffix, TIME_BYTES);
          if (start > timestamp + gapMs) return false;
          found.rows.push(row);
          found.starts.push(start);
          found.ends.push(readOrderedTime(suffix, 0));
          return true;
        });
      };

      return (key, value, timestamp) => {
        if (key === null || key === undefined) return site.drop('MILLRACE_NULL_KEY', NULL_KEY);
        const timeBefore = clock.now;
        const now = clock.observe(timestamp);
        const group = fromSource ? context.rawKey! : codec.toBinary(key);
        find(group, timestamp);
        const { rows, starts, ends } = found;
        let start = timestamp;
        let end = timestamp;
        for (let index = 0; index < rows.length; index++) {
          if (starts[index]! < start) start = starts[index]!;
          if (ends[index]! > end) end = ends[index]!;
        }
        if (end < now - graceMs - gapMs) {
          late(key, value, timestamp);
        } else {
          let aggregate: unknown = undefined;
          const isWider = start !== end || start !== timestamp;
          for (let index = 0; index < rows.length; index++) {
            aggregate = merge(key, aggregate, store.value(rows[index]!));
          }
          if (isWider) {
            for (let index = 0; index < rows.length; index++) {
              const row = rows[index]!;
              const oldStart = starts[index]!;
              const oldEnd = ends[index]!;
              if (links.enabled)
                links.move(
                  linkIdOf(group, suffixOf(oldStart, oldEnd)),
                  linkIdOf(group, suffixOf(start, end)),
                );
              if (emission === null) {
                const old = copyOf(store.value(row), row) ?? null;
                const oldWindow = new TimeWindow(oldStart, oldEnd);
                const oldKey = new WindowedKey(key, oldWindow, store.groupOf(row), keySerde);
                store.set(row, null, oldEnd);
                next(oldKey, null, old, oldEnd);
              } else {
                store.set(row, null, oldEnd);
                emission.closing.remove(oldEnd, (orderedTime(oldStart) + group) as BinaryString);
              }
            }
          }
          const result = apply(key, value, aggregate);
          const row = store.row(group, suffixOf(start, end));
          store.set(row, result, end);
          storeClock.observe(end);
          if (emission === null) {
            const window = new TimeWindow(start, end);
            const isLinked = links.enabled && links.through(linkIdOf(group, suffixOf(start, end)));
            next(new WindowedKey(key, window, store.groupOf(row), keySerde), result, null, end);
            if (isLinked) links.done();
          } else {
            if (links.enabled) links.feed(linkIdOf(group, suffixOf(start, end)));
            if (result !== null) emission.closing.add(end, (orderedTime(start) + group) as BinaryString);
          }
        }
        if (emission !== null && now > timeBefore) emitClosed(now);
      };
    },
  };
}

function suffixOf(start: number, end: number): BinaryString {
  return (orderedTime(end) + orderedTime(start)) as BinaryString;
}
