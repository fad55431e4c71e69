// Owns one side's records of a stream–stream join.
// Source of the rules: KStreamJoinWindow, and RocksDBWindowStore with `retainDuplicates`, of Kafka Streams.
import { orderedTime, orderedUint32, readOrderedUint32 } from '#libs/core';
import type { BinaryString } from '#libs/core';
import type { AnySerde } from '../graph.ts';
import type { StoreEntry } from '../ports.ts';
import type { Operator } from './operator.ts';
import { toEachStream } from './operator.ts';

const FIRST_OF_ITS_TIME = orderedUint32(0);
const SECOND_OF_ITS_TIME = orderedUint32(1);
const BEHIND_LAST_OF_ITS_TIME = '\xff\xff\xff\xff\xff';

export interface JoinWindowStore {
  readonly name: string;
  readonly keySerde: AnySerde;
  /** Milliseconds that a row can be found, by the highest timestamp that was put into the store. */
  readonly retentionMs: number;
}

/**
 * Forwards each record, then keeps it for the other side. Equal keys with equal timestamps are all kept, in the order of their arrival.
 * A record that is older than the store keeps anything is dropped here (MILLRACE_LATE_RECORD); it was still joined with what it found.
 */
export function joinWindowOperator(spec: JoinWindowStore): Operator {
  return {
    takes: 'stream',
    gives: 'stream',
    key: 'kept',
    value: 'kept',
    stores: [spec.name],
    reads: [
      {
        keySerde: spec.keySerde,
        ahead: {
          kind: 'rows',
          store: spec.name,
          suffixes: (timestamp, into) =>
            into.push((orderedTime(timestamp) + FIRST_OF_ITS_TIME) as BinaryString),
        },
      },
    ],
    runsUserCode: false,
    fold(site, children) {
      const next = toEachStream(children);
      const store = site.orderedStore(spec.name);
      const { fromSource, codec } = site.keyEncoder(spec.keySerde);
      const { context } = site;
      const clock = site.storeClock(spec.name);
      const { retentionMs } = spec;
      let sequence = 0;
      const afterLast = (row: StoreEntry): boolean => {
        sequence = readOrderedUint32(store.suffixOf(row), 8) + 1;
        return false;
      };
      return (key, value, timestamp) => {
        next(key, value, timestamp);
        if (key === null || key === undefined || value === null || value === undefined) return;
        if (timestamp <= clock.observe(timestamp) - retentionMs) {
          site.drop('MILLRACE_LATE_RECORD', 'older than a stream-stream join keeps records');
          return;
        }
        const group = fromSource ? context.rawKey! : codec.toBinary(key);
        const time = orderedTime(timestamp);
        let row = store.row(group, (time + FIRST_OF_ITS_TIME) as BinaryString);
        if (row.encoded !== null) {
          sequence = 1;
          const from = (time + SECOND_OF_ITS_TIME) as BinaryString;
          store.range(group, from, (time + BEHIND_LAST_OF_ITS_TIME) as BinaryString, afterLast, true);
          row = store.row(group, (time + orderedUint32(sequence)) as BinaryString);
        }
        store.set(row, value, timestamp);
      };
    },
  };
}
