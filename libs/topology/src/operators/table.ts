// Owns the operators of tables: the source that keeps a topic's newest values, filter, mapValues and the way back to a stream.
// Source of the rules: KTableSource, KTableFilter, KTableMapValues of Kafka Streams.
import type { AggregateStore as TableStore } from './aggregate.ts';
import type { RecordPredicate, ValueMapper } from './stateless.ts';
import type { KeyEncoder, Operator, Site, TableFunction } from './operator.ts';
import { toEachStream, toEachTable } from './operator.ts';
import { keepVersions, readsOfStore, valueOfStore } from './versioned-store.ts';
import type { StorePort } from '../ports.ts';

/** Whether somebody downstream needs to know the value that a change replaces. Set while the graph is drawn. */
export interface ChangeOptions {
  sendOldValues: boolean;
}

type TableOperator = Extract<Operator, { takes: 'table'; gives: 'table' }>;

/**
 * Keeps the newest value of each key. Newest is what arrives last, also with a lower timestamp (Kafka Streams' rule for tables
 * that are not versioned; of those that are, the one with the highest timestamp is, and the others go into history). A null value deletes and is forwarded, also for a key that was not there; a null key is dropped.
 */
export function tableSourceOperator(spec: TableStore, options: ChangeOptions): Operator {
  return {
    takes: 'stream',
    gives: 'table',
    key: 'kept',
    value: valueOfStore(spec),
    stores: [spec.name],
    reads: readsOfStore(spec),
    runsUserCode: false,
    fold(site, children) {
      const next = toEachTable(children);
      if (spec.versioned !== undefined) {
        const keep = keepVersions(site, spec, next, options.sendOldValues, false);
        return (key, value, timestamp) => {
          if (key === null || key === undefined) site.drop('MILLRACE_NULL_KEY', 'null key in a table');
          else keep(key, value ?? null, timestamp);
        };
      }
      const store = site.store(spec.name);
      const { fromSource, codec } = site.keyEncoder(spec.keySerde);
      const { context } = site;
      const { sendOldValues } = options;
      return (key, value, timestamp) => {
        if (key === null || key === undefined) {
          site.drop('MILLRACE_NULL_KEY', 'null key in a table');
          return;
        }
        const entry = store.entry(fromSource ? context.rawKey! : codec.toBinary(key));
        const old = sendOldValues ? (store.value(entry) ?? null) : null;
        store.set(entry, value ?? null, timestamp);
        next(key, value ?? null, old, timestamp);
      };
    },
  };
}

/** Reads and writes the store of a materialized filter or mapValues; both forward the store's own old value. */
export function materialize(
  site: Site,
  spec: TableStore,
  next: TableFunction,
  sendOldValues: boolean,
  skipsNothingToNothing: boolean,
): (key: unknown, newValue: unknown, timestamp: number) => void {
  if (spec.versioned !== undefined)
    return keepVersions(site, spec, next, sendOldValues, skipsNothingToNothing);
  const store: StorePort = site.store(spec.name);
  const { fromSource, codec }: KeyEncoder = site.keyEncoder(spec.keySerde);
  const { context } = site;
  return (key, newValue, timestamp) => {
    const entry = store.entry(fromSource ? context.rawKey! : codec.toBinary(key));
    const old = sendOldValues ? (store.value(entry) ?? null) : null;
    if (skipsNothingToNothing && old === null && newValue === null) return;
    store.set(entry, newValue, timestamp);
    next(key, newValue, old, timestamp);
  };
}

function tableOperator(
  store: TableStore | null,
  value: 'kept' | 'changed',
  fold: TableOperator['fold'],
): Operator {
  return {
    takes: 'table',
    gives: 'table',
    key: 'kept',
    value: store === null ? value : valueOfStore(store),
    stores: store === null ? [] : [store.name],
    reads: store === null ? [] : readsOfStore(store),
    runsUserCode: true,
    fold,
  };
}

/**
 * A value that does not pass becomes a deletion, but nothing is forwarded for a key that had not passed before; of a versioned table it is,
 * since the deletion belongs into its history.
 */
export function tableFilterOperator(
  predicate: RecordPredicate,
  negate: boolean,
  spec: TableStore | null,
  isOfVersions = false,
): Operator {
  return tableOperator(spec, 'kept', (site, children) => {
    const next = toEachTable(children);
    const { context } = site;
    const passed = (key: unknown, value: unknown): unknown => {
      if (value === null) return null;
      try {
        return predicate(key, value, context) !== negate ? value : null;
      } catch (error) {
        throw site.blame(error);
      }
    };
    if (spec !== null) {
      const keep = materialize(site, spec, next, true, !isOfVersions);
      return (key, newValue, _oldValue, timestamp) => keep(key, passed(key, newValue), timestamp);
    }
    return (key, newValue, oldValue, timestamp) => {
      const passedNew = passed(key, newValue);
      const passedOld = passed(key, oldValue);
      if (isOfVersions || passedNew !== null || passedOld !== null)
        next(key, passedNew, passedOld, timestamp);
    };
  });
}

/** Deletions stay deletions: the mapper never sees them. */
export function tableMapValuesOperator(
  mapper: ValueMapper,
  spec: TableStore | null,
  options: ChangeOptions,
): Operator {
  return tableOperator(spec, 'changed', (site, children) => {
    const next = toEachTable(children);
    const { context } = site;
    const mapped = (key: unknown, value: unknown): unknown => {
      if (value === null) return null;
      try {
        return mapper(value, key, context) ?? null;
      } catch (error) {
        throw site.blame(error);
      }
    };
    if (spec !== null) {
      const keep = materialize(site, spec, next, options.sendOldValues, false);
      return (key, newValue, _oldValue, timestamp) => keep(key, mapped(key, newValue), timestamp);
    }
    const { sendOldValues } = options;
    return (key, newValue, oldValue, timestamp) => {
      next(key, mapped(key, newValue), sendOldValues ? mapped(key, oldValue) : null, timestamp);
    };
  });
}

/** Forwards each change's new value; a deletion is a null value. */
export const toStreamOperator: Operator = {
  takes: 'table',
  gives: 'stream',
  key: 'kept',
  value: 'kept',
  stores: [],
  reads: [],
  runsUserCode: false,
  fold(_site, children) {
    const next = toEachStream(children);
    return (key, newValue, _oldValue, timestamp) => next(key, newValue, timestamp);
  },
};

/** The changes as they are: where several operators make one table. */
export const passThroughTableOperator: Operator = {
  takes: 'table',
  gives: 'table',
  key: 'kept',
  value: 'kept',
  stores: [],
  reads: [],
  runsUserCode: false,
  fold: (_site, children) => toEachTable(children),
};
