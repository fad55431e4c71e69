// Owns what all windowed aggregations have in common: what they fold with, where they keep it, and how they put late records aside.
import type { AnySerde } from '../graph.ts';
import type { RecordMetadata } from '../ports.ts';
import type { Operator, Site, StreamFunction } from './operator.ts';
import type { ChangeOptions } from './table.ts';

/** How the records of a window become its aggregate. */
export interface WindowFold {
  /** `aggregate` is `undefined` for the first record of a window. A result of `null` deletes. */
  readonly apply: (key: unknown, value: unknown, aggregate: unknown, metadata: RecordMetadata) => unknown;
  /** What a record begins with, and a session that it joins; `one` is `undefined` for the first. Left out: windows never merge. */
  readonly merge?: (key: unknown, one: unknown, other: unknown, metadata: RecordMetadata) => unknown;
  readonly runsUserCode: boolean;
}

/** Where a windowed aggregation keeps its state: an ordered store with a group per record key. */
export interface WindowStore {
  readonly name: string;
  /** Of the record key, without a window. */
  readonly keySerde: AnySerde;
  readonly valueSerde: AnySerde;
  /** The store of the windows that are still to be emitted; `null`: every update is. */
  readonly closing: string | null;
  /** Rows whose time is not above the store's (the highest that was put) less this are passed over. */
  readonly retentionMs: number;
}

export interface WindowAggregation {
  readonly store: WindowStore;
  readonly fold: WindowFold;
  readonly changes: ChangeOptions;
}

/** The side output of a windowed aggregation: records that came when all their windows were closed. */
export const LATE_RECORDS = 'late';

export type WindowOperator = Extract<Operator, { takes: 'stream'; gives: 'table' }>;

export type Folding = (key: unknown, value: unknown, aggregate: unknown) => unknown;

/** `apply` with errors of user functions noted as this node's. */
export function folding(site: Site, { apply, runsUserCode }: WindowFold): Folding {
  const { context } = site;
  if (!runsUserCode) return (key, value, aggregate) => apply(key, value, aggregate, context);
  return (key, value, aggregate) => {
    try {
      return apply(key, value, aggregate, context) ?? null;
    } catch (error) {
      throw site.blame(error);
    }
  };
}

/** Drops a late record, and hands it to those who take late records. */
export function lateness(site: Site): StreamFunction {
  const aside = site.sides.includes(LATE_RECORDS) ? site.side(LATE_RECORDS) : null;
  return (key, value, timestamp) => {
    site.drop('MILLRACE_LATE_RECORD', 'a record whose windows are closed');
    aside?.(key, value, timestamp);
  };
}
