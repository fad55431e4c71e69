// Owns the join of a stream with a table that every instance holds whole: each record chooses the key it looks up.
// Source of the rules: KStreamGlobalKTableJoin of Kafka Streams. The result has the stream record's key and timestamp. A null value is
// dropped; so is a record without a key to look up, but for a left join, which meets no table value then.
import type { AnySerde } from '../graph.ts';
import type { RecordMetadata } from '../ports.ts';
import { compileCodec } from '#libs/serde';
import type { Operator } from './operator.ts';
import { toEachStream } from './operator.ts';
import type { ValueJoiner } from './stream-table-join.ts';

export type GlobalKeySelector = (key: unknown, value: unknown, metadata: RecordMetadata) => unknown;

export interface GlobalTableJoin {
  readonly store: string;
  readonly keySerde: AnySerde;
  readonly selector: GlobalKeySelector;
  readonly joiner: ValueJoiner;
  readonly left: boolean;
}

export function globalTableJoinOperator(spec: GlobalTableJoin): Operator {
  const { selector, joiner, left } = spec;
  return {
    takes: 'stream',
    gives: 'stream',
    key: 'kept',
    value: 'changed',
    stores: [],
    reads: [],
    globalStores: [spec.store],
    runsUserCode: true,
    fold(site, children) {
      const next = toEachStream(children);
      const store = site.globalStore(spec.store);
      const codec = compileCodec(spec.keySerde);
      const { context } = site;
      return (key, value, timestamp) => {
        if (value === null || value === undefined) {
          site.drop('MILLRACE_NULL_VALUE', 'null value in a stream-global table join');
          return;
        }
        let selected: unknown;
        try {
          selected = selector(key, value, context) ?? null;
        } catch (error) {
          throw site.blame(error);
        }
        let tableValue: unknown = null;
        if (selected !== null) {
          tableValue = store.get(codec.toBinary(selected)) ?? null;
        } else if (!left) {
          site.drop('MILLRACE_NULL_KEY', 'null key to look up in a stream-global table join');
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
