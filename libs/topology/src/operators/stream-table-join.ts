// Owns the join of a stream with a table: each record meets the table's value of its key as it is at that moment.
// Source of the rules: KStreamKTableJoinProcessor of Kafka Streams. The result has the stream record's timestamp. A null value is
// dropped; so is a null key, but for a left join, which meets no table value then (KIP-962).
import type { AnySerde } from '../graph.ts';
import type { RecordMetadata } from '../ports.ts';
import type { Operator, Site } from './operator.ts';
import { toEachStream } from './operator.ts';
import type { RecordPredicate, ValueMapper } from './stateless.ts';

export type ValueJoiner = (
  value: unknown,
  tableValue: unknown,
  key: unknown,
  metadata: RecordMetadata,
) => unknown;

/** One step between a store and the table that is read: an unmaterialized filter or mapValues. */
export type ViewStep =
  | { readonly kind: 'filter'; readonly predicate: RecordPredicate; readonly negate: boolean }
  | { readonly kind: 'mapValues'; readonly mapper: ValueMapper };

/** How a table's value of a key is read: from a store, then step by step. */
export interface TableView {
  readonly store: string;
  readonly keySerde: AnySerde;
  readonly steps: readonly ViewStep[];
}

function throughSteps(
  steps: readonly ViewStep[],
  key: unknown,
  stored: unknown,
  metadata: RecordMetadata,
): unknown {
  let value: unknown = stored;
  for (let index = 0; index < steps.length && value !== null; index++) {
    const step = steps[index]!;
    if (step.kind === 'mapValues') value = step.mapper(value, key, metadata) ?? null;
    else if (step.predicate(key, value, metadata) === step.negate) value = null;
  }
  return value;
}

function lookUp(site: Site, view: TableView): (key: unknown) => unknown {
  const store = site.store(view.store);
  const { fromSource, codec } = site.keyEncoder(view.keySerde);
  const { context } = site;
  const { steps } = view;
  if (steps.length === 0) {
    return (key) => store.value(store.entry(fromSource ? context.rawKey! : codec.toBinary(key))) ?? null;
  }
  return (key) => {
    const stored = store.value(store.entry(fromSource ? context.rawKey! : codec.toBinary(key))) ?? null;
    try {
      return throughSteps(steps, key, stored, context);
    } catch (error) {
      throw site.blame(error);
    }
  };
}

export function streamTableJoinOperator(view: TableView, joiner: ValueJoiner, left: boolean): Operator {
  return {
    takes: 'stream',
    gives: 'stream',
    key: 'kept',
    value: 'changed',
    stores: [view.store],
    reads: [{ keySerde: view.keySerde, ahead: { kind: 'key', store: view.store } }],
    runsUserCode: true,
    wantsNullKeys: left,
    fold(site, children) {
      const next = toEachStream(children);
      const tableValueOf = lookUp(site, view);
      const { context } = site;
      return (key, value, timestamp) => {
        if (value === null || value === undefined) {
          site.drop('MILLRACE_NULL_VALUE', 'null value in a stream-table join');
          return;
        }
        let tableValue: unknown = null;
        if (key !== null && key !== undefined) {
          tableValue = tableValueOf(key);
        } else if (!left) {
          site.drop('MILLRACE_NULL_KEY', 'null key in a stream-table join');
          return;
        }
        if (tableValue === null && !left) return;
        let joined: unknown;
        try {
          joined = joiner(value, tableValue, key, context) ?? null;
        } catch (error) {
          throw site.blame(error);
        }
        next(key, joined, timestamp);
      };
    },
  };
}
