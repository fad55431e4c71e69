// Owns the aggregation in windows of a number of records of a key: tumbling, or sliding by a number of records. Kafka Streams has none;
// the meaning is that of Flink's countWindow, but every window that closes is full. A record with a null key is dropped.
import { orderedUint64, readOrderedUint64 } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { compileCodec, createBinarySerde, TimeWindow, WindowedKey } from '#libs/serde';
import type { AnySerde } from '../graph.ts';
import type { CountWindows } from '../options/windows.ts';
import { toEachTable } from './operator.ts';
import { linkIdOf } from './window-emission.ts';
import { folding } from './window-fold.ts';
import type { WindowAggregation, WindowOperator } from './window-fold.ts';

const NULL_KEY = 'null key in a count window aggregation';
const ALL = '' as BinaryString;
const COUNT_BYTES = 8;

/** A window's aggregate, and the place in the key's sequence that the next record takes. */
interface Counted {
  readonly next: number;
  /** `null`: the aggregator deleted it. */
  readonly aggregate: unknown;
}

/** The place (8 bytes), one byte that is 1 when there is an aggregate, the aggregate. */
export function countedSerde(inner: AnySerde): AnySerde {
  const codec = compileCodec(inner);
  return createBinarySerde<unknown>({
    name: `counted(${inner.name})`,
    inner: [{ serde: inner }],
    toBinary(value) {
      const { next, aggregate } = value as Counted;
      const encoded = aggregate === null ? '\u0000' : `\u0001${codec.toBinary(aggregate)}`;
      return (orderedUint64(next) + encoded) as BinaryString;
    },
    fromBinary(binary): Counted {
      const next = readOrderedUint64(binary, 0);
      if (binary.charCodeAt(COUNT_BYTES) === 0) return { next, aggregate: null };
      return { next, aggregate: codec.fromBinary(binary.slice(COUNT_BYTES + 1) as BinaryString, false) };
    },
  });
}

/**
 * The sum of every 100 payments: `payments.groupByKey().windowedBy(CountWindows.ofSize(100)).reduce((a, b) => a + b, Materialized.as('sums'))`.
 * State: `size / slide` rows per key, for ever.
 */
export function countWindowAggregateOperator(
  { size, slide }: CountWindows,
  { store: spec, fold, changes }: WindowAggregation,
  emitsOnClose: boolean,
): WindowOperator {
  return {
    takes: 'stream',
    gives: 'table',
    key: 'changed',
    value: 'changed',
    stores: [spec.name],
    reads: [{ keySerde: spec.keySerde, ahead: { kind: 'range', store: spec.name, from: () => ALL } }],
    runsUserCode: fold.runsUserCode,
    fold(site, children) {
      const next = toEachTable(children);
      const store = site.orderedStore(spec.name);
      const { fromSource, codec } = site.keyEncoder(spec.keySerde);
      const { context, links } = site;
      const apply = folding(site, fold);
      const copies = compileCodec(countedSerde(spec.valueSerde));
      return (key, value, timestamp) => {
        if (key === null || key === undefined) return site.drop('MILLRACE_NULL_KEY', NULL_KEY);
        const group = fromSource ? context.rawKey! : codec.toBinary(key);
        let place = 0;
        store.range(
          group,
          null,
          null,
          (row) => {
            place = (store.value(row) as Counted).next;
            return false;
          },
          true,
        );
        // Full windows, one of which was kept for its place.
        store.range(group, null, orderedUint64(Math.max(0, place - size + 1)), (row) => {
          if (readOrderedUint64(store.suffixOf(row), 0) + size <= place) store.set(row, null, timestamp);
        });
        const newest = place - (place % slide);
        const earliest = place - size + slide;
        const first = earliest > 0 ? earliest - (earliest % slide) : 0;
        for (let start = first; start <= newest; start += slide) {
          const row = store.row(group, orderedUint64(start));
          const counted = store.value(row) as Counted | undefined;
          const old = counted?.aggregate ?? undefined;
          const before =
            changes.sendOldValues && old !== undefined
              ? (copies.fromBinary(row.encoded!, false) as Counted).aggregate
              : null;
          const result = apply(key, value, old);
          const time = counted !== undefined && row.timestamp > timestamp ? row.timestamp : timestamp;
          const isFull = place + 1 === start + size;
          store.set(row, { next: place + 1, aggregate: result }, time);
          const id = links.enabled ? linkIdOf(group, orderedUint64(start)) : '';
          if (emitsOnClose && (!isFull || result === null)) {
            if (links.enabled) links.feed(id);
            continue;
          }
          const isLinked = links.enabled && links.through(id);
          next(
            new WindowedKey(key, new TimeWindow(start, start + size), store.groupOf(row), codec.name),
            result,
            emitsOnClose ? null : before,
            time,
          );
          if (isLinked) links.done();
        }
      };
    },
  };
}
