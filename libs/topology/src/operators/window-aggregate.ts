// Owns the aggregation in windows that do not depend on the records: tumbling, hopping, cumulative, unlimited.
// Source of the rules: KStreamWindowAggregate of Kafka Streams. A record with a null key is dropped, one with a null value is aggregated;
// a record enters those of its windows that are not closed (end > stream time - grace), stream time being the highest timestamp this
// operator saw; the result's timestamp is the highest of the window's records.
import type { BinaryString } from '#libs/core';
import { WindowedKey } from '#libs/serde';
import { ClosingLists } from './window-closing.ts';
import { emissionOnClose, linkIdOf } from './window-emission.ts';
import { folding, lateness } from './window-fold.ts';
import type { WindowAggregation, WindowOperator } from './window-fold.ts';
import type { OperatorClock } from '../ports.ts';
import { separateCopies } from './aggregate.ts';
import { toEachTable } from './operator.ts';
import { windowSlots } from './window-slots.ts';
import type { AlignedWindows, WindowSlots } from './window-slots.ts';

const NULL_KEY = 'null key in a windowed aggregation';

/**
 * Counts of clicks per minute: `clicks.groupByKey().windowedBy(TimeWindows.ofSizeWithNoGrace(minutes(1))).count(Materialized.as('clicks'))`.
 * State: a row per key and window, kept for the retention; when emitting on close a second one per window that is open.
 */
export function windowAggregateOperator(
  windows: AlignedWindows,
  { store: spec, fold, changes }: WindowAggregation,
): WindowOperator {
  const graceMs = windows.kind === 'unlimited' ? 0 : windows.graceMs;
  return {
    takes: 'stream',
    gives: 'table',
    key: 'changed',
    value: { fromStore: spec.name, valueSerde: spec.valueSerde },
    stores: spec.closing === null ? [spec.name] : [spec.name, spec.closing],
    reads: [{ keySerde: spec.keySerde, ahead: readOfRows(spec.name, windowSlots(windows)) }],
    runsUserCode: fold.runsUserCode,
    ...(windows.kind === 'unlimited' ? {} : { windowGraceMs: graceMs }),
    fold(site, children) {
      const next = toEachTable(children);
      const store = site.orderedStore(spec.name);
      const { fromSource, codec } = site.keyEncoder(spec.keySerde);
      const { context, links } = site;
      const apply = folding(site, fold);
      const late = lateness(site);
      const assigned = windowSlots(windows);
      const keySerde = codec.name;
      const copyOf = separateCopies(spec, changes.sendOldValues);
      const groups: BinaryString[] = [];
      const suffixes: BinaryString[] = [];

      const emission = emissionOnClose(
        site,
        spec,
        (rows) => new ClosingLists(rows),
        next,
        (end, group) => {
          const { window, suffix } = assigned.slotEnding(end);
          return { group, suffix, window };
        },
        () => clock.now,
      );
      // Ends are exclusive: a window that ends at the close time is closed.
      const emitClosed = (now: number): void => emission!.emitBelow(now - graceMs + 1);
      const storeClock = site.storeClock(spec.name);
      const clock: OperatorClock = site.clock(emission === null ? undefined : emitClosed);

      return (key, value, timestamp) => {
        if (key === null || key === undefined) return site.drop('MILLRACE_NULL_KEY', NULL_KEY);
        const timeBefore = clock.now;
        const now = clock.observe(timestamp);
        const closeTime = now - graceMs;
        assigned.assign(timestamp);
        const { slots, count } = assigned;
        if (count > 0 && slots[count - 1]!.end <= closeTime) {
          late(key, value, timestamp);
        } else {
          const group = fromSource ? context.rawKey! : codec.toBinary(key);
          if (count > 1) {
            for (let index = 0; index < count; index++) {
              groups[index] = group;
              suffixes[index] = slots[index]!.suffix;
            }
            groups.length = suffixes.length = count;
            store.require(groups, suffixes);
          }
          for (let index = 0; index < count; index++) {
            const { window, end, suffix } = slots[index]!;
            if (end <= closeTime) {
              site.drop('MILLRACE_LATE_RECORD', 'a record one of whose windows is closed');
              continue;
            }
            const row = store.row(group, suffix);
            const old = store.value(row);
            const before = copyOf(old, row);
            const result = apply(key, value, old);
            const time = old !== undefined && row.timestamp > timestamp ? row.timestamp : timestamp;
            store.set(row, result, time);
            storeClock.observe(window.start);
            if (emission === null) {
              // The store's own copy of the key's bytes: it keeps no batch alive.
              const own = store.groupOf(row);
              const isLinked = links.enabled && links.through(linkIdOf(group, suffix));
              next(new WindowedKey(key, window, own, keySerde), result, before ?? null, time);
              if (isLinked) links.done();
            } else {
              if (links.enabled) links.feed(linkIdOf(group, suffix));
              if (old === undefined && result !== null) emission.closing.add(end, group);
            }
          }
        }
        if (emission !== null && assigned.closesBetween(timeBefore - graceMs, closeTime)) emitClosed(now);
      };
    },
  };
}

function readOfRows(
  store: string,
  assigned: WindowSlots,
): {
  readonly kind: 'rows';
  readonly store: string;
  readonly suffixes: (timestamp: number, into: BinaryString[]) => void;
} {
  return {
    kind: 'rows',
    store,
    suffixes: (timestamp, into) => {
      assigned.assign(timestamp);
      const { slots, count } = assigned;
      for (let index = 0; index < count; index++) into.push(slots[index]!.suffix);
    },
  };
}
