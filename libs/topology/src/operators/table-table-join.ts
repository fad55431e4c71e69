// Owns the join of two tables by their key: a change of either side meets the other side's value as it is at that moment.
// Source of the rules: KTableKTable{Inner,Left,Right,Outer}Join and KTableKTableJoinMerger of Kafka Streams. The result has the higher of
// the two timestamps. A null key cannot be joined; a change for which there is, and was, nothing to say is not forwarded.
import type { AggregateStore as TableStore } from './aggregate.ts';
import type { Operator, TableFunction } from './operator.ts';
import { toEachTable } from './operator.ts';
import type { ChangeOptions } from './table.ts';
import { openView, readsOfView, storesOfView } from './table-view.ts';
import type { TableJoiner, TableView } from './table-view.ts';
import { keepVersions, readsOfStore, valueOfStore } from './versioned-store.ts';

export interface TableJoinSide {
  /** `right`: the right side of a left join. */
  readonly kind: 'inner' | 'left' | 'right' | 'outer';
  /** Is the change that comes in one of the left table? Else the joiner's values come the other way round. */
  readonly isLeft: boolean;
  readonly other: TableView;
  readonly joiner: TableJoiner;
  readonly options: ChangeOptions;
}

/** One direction of the join. Keeps nothing. */
export function tableTableJoinOperator(spec: TableJoinSide): Operator {
  const { kind, isLeft, other, joiner, options } = spec;
  /** Does a change go on that finds no value on the other side? */
  const needsNoOther = kind === 'left' || kind === 'outer';
  /** Is a deletion joined with the other side's value? */
  const joinsNothing = kind === 'right' || kind === 'outer';
  return {
    takes: 'table',
    gives: 'table',
    key: 'kept',
    value: 'changed',
    stores: storesOfView(other),
    reads: readsOfView(other),
    runsUserCode: true,
    fold(site, children) {
      const next = toEachTable(children);
      const reader = openView(site, other);
      const { context } = site;
      const { sendOldValues } = options;
      const join = (value: unknown, otherValue: unknown, key: unknown): unknown => {
        if (value === null && !(joinsNothing && otherValue !== null)) return null;
        try {
          return (
            (isLeft ? joiner(value, otherValue, key, context) : joiner(otherValue, value, key, context)) ??
            null
          );
        } catch (error) {
          throw site.blame(error);
        }
      };
      return (key, newValue, oldValue, timestamp) => {
        if (key === null || key === undefined) {
          site.drop('MILLRACE_NULL_KEY', 'null key in a table-table join');
          return;
        }
        const otherValue = reader.get(key);
        if (otherValue === null && (!needsNoOther || (newValue === null && oldValue === null))) return;
        const time = reader.timestamp > timestamp ? reader.timestamp : timestamp;
        const joined = join(newValue, otherValue, key);
        next(key, joined, sendOldValues ? join(oldValue, otherValue, key) : null, time);
      };
    },
  };
}

/** Where both directions meet: keeps the result, when it is to be kept. */
export function tableJoinMergeOperator(store: TableStore | null, options: ChangeOptions): Operator {
  return {
    takes: 'table',
    gives: 'table',
    key: 'kept',
    value: store === null ? 'kept' : valueOfStore(store),
    stores: store === null ? [] : [store.name],
    reads: store === null ? [] : readsOfStore(store),
    runsUserCode: false,
    fold(site, children) {
      const next = toEachTable(children);
      const { sendOldValues } = options;
      if (store === null) {
        if (sendOldValues) return next;
        return (key, newValue, _oldValue, timestamp) => next(key, newValue, null, timestamp);
      }
      if (store.versioned !== undefined) {
        let oldJoined: unknown = null;
        const forward: TableFunction = (key, newValue, _oldValue, timestamp) =>
          next(key, newValue, oldJoined, timestamp);
        const keep = keepVersions(site, store, forward, false, false);
        return (key, newValue, oldValue, timestamp) => {
          oldJoined = sendOldValues ? oldValue : null;
          keep(key, newValue, timestamp);
        };
      }
      const kept = site.store(store.name);
      const { fromSource, codec } = site.keyEncoder(store.keySerde);
      const { context } = site;
      return (key, newValue, oldValue, timestamp) => {
        kept.set(kept.entry(fromSource ? context.rawKey! : codec.toBinary(key)), newValue, timestamp);
        next(key, newValue, sendOldValues ? oldValue : null, timestamp);
      };
    },
  };
}
