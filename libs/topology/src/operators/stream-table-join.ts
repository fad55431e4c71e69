// Owns the join of a stream with a table: each record meets the table's value of its key as it is at that moment.
// Source of the rules: KStreamKTableJoinProcessor of Kafka Streams. The result has the stream record's timestamp. A null value is
// dropped; so is a null key, but for a left join, which meets no table value then (KIP-962).
import type { AnySerde } from '../graph.ts';
import type { RecordMetadata } from '../ports.ts';
import { JoinBuffer } from './join-buffer.ts';
import type { Operator, Site, StreamFunction } from './operator.ts';
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

export interface StreamTableJoin {
  readonly view: TableView;
  readonly joiner: ValueJoiner;
  readonly left: boolean;
  /** Records wait in this store until event time is so much past them (KIP-923); `null`: they are joined as they come. */
  readonly buffer: { readonly store: string; readonly keySerde: AnySerde; readonly graceMs: number } | null;
}

/** With a versioned table each record meets the value that was valid at its own time (KIP-914). */
export function streamTableJoinOperator({ view, joiner, left, buffer }: StreamTableJoin): Operator {
  return {
    takes: 'stream',
    gives: 'stream',
    // What leaves the buffer has the key that it came with.
    key: buffer === null ? 'kept' : 'changed',
    value: 'changed',
    stores: buffer === null ? storesOfView(view) : [buffer.store, ...storesOfView(view)],
    reads: readsOfView(view),
    runsUserCode: true,
    wantsNullKeys: left,
    fold(site, children) {
      const next = toEachStream(children);
      const table = openView(site, view, buffer === null);
      const asOf = table.getAsOf?.bind(table);
      const { context } = site;
      const join: StreamFunction = (key, value, timestamp) => {
        let tableValue: unknown = null;
        if (key !== null && key !== undefined) {
          tableValue = asOf === undefined ? table.get(key) : asOf(key, timestamp);
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
      const joinOrBuffer = buffer === null ? join : buffered(site, buffer, join);
      return (key, value, timestamp) => {
        if (value === null || value === undefined) {
          site.drop('MILLRACE_NULL_VALUE', 'null value in a stream-table join');
        } else if (!left && (key === null || key === undefined)) {
          site.drop('MILLRACE_NULL_KEY', 'null key in a stream-table join');
        } else {
          joinOrBuffer(key, value, timestamp);
        }
      };
    },
  };
}

/** In front of `join`: records in the order of time, late by the grace period. One that is later than that is joined at once. */
function buffered(
  site: Site,
  { store, keySerde, graceMs }: NonNullable<StreamTableJoin['buffer']>,
  join: StreamFunction,
): StreamFunction {
  const waiting = new JoinBuffer(site.orderedStore(store), keySerde, site.context);
  const { fromSource, codec } = site.keyEncoder(keySerde);
  const { context } = site;
  const clock = site.clock((now) => waiting.takeUntil(now - graceMs, join));
  return (key, value, timestamp) => {
    if (key === null || key === undefined) {
      join(key, value, timestamp);
      return;
    }
    const due = clock.observe(timestamp) - graceMs;
    if (timestamp < due) {
      join(key, value, timestamp);
      return;
    }
    waiting.add(fromSource ? context.rawKey! : codec.toBinary(key), value, timestamp);
    waiting.takeUntil(due, join);
  };
}
