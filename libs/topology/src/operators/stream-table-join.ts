// Owns the join of a stream with a table: each record meets the table's value of its key as it is at that moment.
// Source of the rules: KStreamKTableJoinProcessor of Kafka Streams. The result has the stream record's timestamp. A null value is
// dropped; so is a null key, but for a left join, which meets no table value then (KIP-962).
import type { RecordMetadata } from '../ports.ts';
import type { Operator } from './operator.ts';
import { toEachStream } from './operator.ts';
import { openView, readsOfView, storesOfView } from './table-view.ts';
import type { TableView } from './table-view.ts';

export type ValueJoiner = (
  value: unknown,
  tableValue: unknown,
  key: unknown,
  metadata: RecordMetadata,
) => unknown;

export type { TableView, ViewStep } from './table-view.ts';

export function streamTableJoinOperator(view: TableView, joiner: ValueJoiner, left: boolean): Operator {
  return {
    takes: 'stream',
    gives: 'stream',
    key: 'kept',
    value: 'changed',
    stores: storesOfView(view),
    reads: readsOfView(view),
    runsUserCode: true,
    wantsNullKeys: left,
    fold(site, children) {
      const next = toEachStream(children);
      const table = openView(site, view);
      const { context } = site;
      return (key, value, timestamp) => {
        if (value === null || value === undefined) {
          site.drop('MILLRACE_NULL_VALUE', 'null value in a stream-table join');
          return;
        }
        let tableValue: unknown = null;
        if (key !== null && key !== undefined) {
          tableValue = table.get(key);
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
