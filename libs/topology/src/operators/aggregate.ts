// Owns the operators that fold a grouped stream into a table: count, reduce, aggregate.
// Source of the rules: KStreamAggregate and KStreamReduce of Kafka Streams. A record with a null key or value is dropped;
// the result's timestamp is the higher of the record's and the stored one; a result of `null` deletes the key.
import { compileCodec } from '#libs/serde';
import type { AnySerde } from '../graph.ts';
import type { RecordMetadata, StoreEntry } from '../ports.ts';
import type { Operator } from './operator.ts';
import { byKey, toEachTable } from './operator.ts';
import type { VersionedSpec } from './versioned-store.ts';
import type { ChangeOptions } from './table.ts';

export type Initializer = () => unknown;
export type Aggregator = (
  key: unknown,
  value: unknown,
  aggregate: unknown,
  metadata: RecordMetadata,
) => unknown;
export type Reducer = (aggregate: unknown, value: unknown, metadata: RecordMetadata) => unknown;

export interface AggregateStore {
  readonly name: string;
  readonly keySerde: AnySerde;
  readonly valueSerde: AnySerde;
  /** It keeps history; only where the operator that declared it can deal with that. */
  readonly versioned?: VersionedSpec;
}

const NULL_KEY = 'null key in an aggregation';
const NULL_VALUE = 'null value in an aggregation';

/**
 * Functions may change an aggregate in place. Where somebody downstream wants the old value too, it is decoded once more, so that the
 * change does not reach it. (Kafka Streams forwards the changed object as the old one.)
 */
export function separateCopies(
  spec: AggregateStore,
  wanted: boolean,
): (value: unknown, entry: StoreEntry) => unknown {
  if (!wanted) return (value) => value;
  const codec = compileCodec(spec.valueSerde);
  return (value, entry) =>
    typeof value === 'object' && value !== null ? codec.fromBinary(entry.encoded!, false) : value;
}

function aggregation(
  store: AggregateStore,
  runsUserCode: boolean,
  fold: Extract<Operator, { takes: 'stream'; gives: 'table' }>['fold'],
): Operator {
  return {
    takes: 'stream',
    gives: 'table',
    key: 'kept',
    value: { fromStore: store.name, valueSerde: store.valueSerde },
    stores: [store.name],
    reads: [byKey(store)],
    runsUserCode,
    fold,
  };
}

export function aggregateOperator(
  spec: AggregateStore,
  initializer: Initializer,
  aggregator: Aggregator,
  options: ChangeOptions,
): Operator {
  return aggregation(spec, true, (site, children) => {
    const next = toEachTable(children);
    const store = site.store(spec.name);
    const { fromSource, codec } = site.keyEncoder(spec.keySerde);
    const { context, links } = site;
    const copyOf = separateCopies(spec, options.sendOldValues);
    return (key, value, timestamp) => {
      if (key === null || key === undefined) return site.drop('MILLRACE_NULL_KEY', NULL_KEY);
      if (value === null || value === undefined) return site.drop('MILLRACE_NULL_VALUE', NULL_VALUE);
      const entry = store.entry(fromSource ? context.rawKey! : codec.toBinary(key));
      const old = store.value(entry);
      const before = copyOf(old, entry);
      let result: unknown;
      try {
        result = aggregator(key, value, old === undefined ? initializer() : old, context) ?? null;
      } catch (error) {
        throw site.blame(error);
      }
      const time = old !== undefined && entry.timestamp > timestamp ? entry.timestamp : timestamp;
      store.set(entry, result, time);
      const isLinked = links.enabled && links.through(entry.key);
      next(key, result, before ?? null, time);
      if (isLinked) links.done();
    };
  });
}

/** The first value is the first result: the reducer sees the second. */
export function reduceOperator(spec: AggregateStore, reducer: Reducer, options: ChangeOptions): Operator {
  return aggregation(spec, true, (site, children) => {
    const next = toEachTable(children);
    const store = site.store(spec.name);
    const { fromSource, codec } = site.keyEncoder(spec.keySerde);
    const { context, links } = site;
    const copyOf = separateCopies(spec, options.sendOldValues);
    return (key, value, timestamp) => {
      if (key === null || key === undefined) return site.drop('MILLRACE_NULL_KEY', NULL_KEY);
      if (value === null || value === undefined) return site.drop('MILLRACE_NULL_VALUE', NULL_VALUE);
      const entry = store.entry(fromSource ? context.rawKey! : codec.toBinary(key));
      const old = store.value(entry);
      if (old === undefined) {
        store.set(entry, value, timestamp);
        const isLinked = links.enabled && links.through(entry.key);
        next(key, value, null, timestamp);
        if (isLinked) links.done();
        return;
      }
      const before = copyOf(old, entry);
      let result: unknown;
      try {
        result = reducer(old, value, context) ?? null;
      } catch (error) {
        throw site.blame(error);
      }
      const time = entry.timestamp > timestamp ? entry.timestamp : timestamp;
      store.set(entry, result, time);
      const isLinked = links.enabled && links.through(entry.key);
      next(key, result, before, time);
      if (isLinked) links.done();
    };
  });
}

export function countOperator(spec: AggregateStore): Operator {
  return aggregation(spec, false, (site, children) => {
    const next = toEachTable(children);
    const store = site.store(spec.name);
    const { fromSource, codec } = site.keyEncoder(spec.keySerde);
    const { context, links } = site;
    return (key, value, timestamp) => {
      if (key === null || key === undefined) return site.drop('MILLRACE_NULL_KEY', NULL_KEY);
      if (value === null || value === undefined) return site.drop('MILLRACE_NULL_VALUE', NULL_VALUE);
      const entry = store.entry(fromSource ? context.rawKey! : codec.toBinary(key));
      const old = store.value(entry) as number | undefined;
      const count = old === undefined ? 1 : old + 1;
      const time = old !== undefined && entry.timestamp > timestamp ? entry.timestamp : timestamp;
      store.set(entry, count, time);
      const isLinked = links.enabled && links.through(entry.key);
      next(key, count, old ?? null, time);
      if (isLinked) links.done();
    };
  });
}
