import { describe, expect, it } from '@jest/globals';
import { RecordColumns } from '#libs/broker';
import { orderedTime } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { rowKey } from '#libs/state';
import type { GroupRange, TaskState } from '#libs/state';
import type { ReadAhead, SourceSpec } from '#libs/topology';
import { TaskReadAhead } from '../src/task-read-ahead.ts';
import { InProcessBroker } from '../../../test/support/in-process-broker.ts';

interface Asked {
  readonly store: string;
  readonly keys?: readonly BinaryString[];
  readonly ranges?: readonly GroupRange[];
}

/** Two batches: a at 10 and 20, nobody at 15; b at 30, a at 5. */
function batches(): RecordColumns[] {
  const broker = new InProcessBroker();
  broker.createTopic('in', 1);
  const record = (key: string | null, timestamp: number) => ({ key, value: 'v', timestamp });
  broker.produce('in', 0, [record('a', 10), record('a', 20), record(null, 15)]);
  broker.produce('in', 0, [record('b', 30), record('a', 5)]);
  return broker.log('in', 0).batches.map((batch) => {
    const columns = new RecordColumns();
    columns.decode(batch, 0);
    return columns;
  });
}

function asked(
  reads: readonly ReadAhead[],
  source: Partial<SourceSpec> = {},
  resident: readonly string[] = [],
): { readonly asked: Asked[]; readonly isNeeded: boolean; readonly pending: Promise<void> | undefined } {
  const log: Asked[] = [];
  const state: Pick<TaskState, 'isResident' | 'readAhead' | 'readAheadRanges'> = {
    isResident: (store) => resident.includes(store),
    readAhead: (store, keys, count) => {
      log.push({ store, keys: keys.slice(0, count) });
      return Promise.resolve();
    },
    readAheadRanges: (store, ranges) => {
      log.push({ store, ranges });
      return undefined;
    },
  };
  const spec = { timestampExtractor: null, ...source, readAhead: reads } as SourceSpec;
  const readAhead = new TaskReadAhead(state as TaskState, spec);
  const columns = batches();
  const { isNeeded } = readAhead;
  return { isNeeded, pending: readAhead.read(columns, columns.length), asked: log };
}

const a = 'a' as BinaryString;
const b = 'b' as BinaryString;
const byKey: ReadAhead = { kind: 'key', store: 'values' };
const rows: ReadAhead = {
  kind: 'rows',
  store: 'windows',
  suffixes: (timestamp, into) => {
    into.push(orderedTime(Math.floor(timestamp / 20) * 20), orderedTime(0));
  },
};
const range: ReadAhead = {
  kind: 'range',
  store: 'sessions',
  from: (timestamp) => orderedTime(timestamp - 5),
};

describe('reading ahead', () => {
  it('asks for the keys of all records that have one', () => {
    expect(asked([byKey]).asked).toEqual([{ store: 'values', keys: [a, a, b, a] }]);
  });

  it('asks for each row once, by the times of the records', () => {
    expect(asked([rows]).asked).toEqual([
      {
        store: 'windows',
        keys: [
          rowKey(a, orderedTime(0)),
          rowKey(a, orderedTime(20)),
          rowKey(b, orderedTime(20)),
          rowKey(b, orderedTime(0)),
        ],
      },
    ]);
  });

  it('asks for one range of each group, from the earliest that a record wants', () => {
    expect(asked([range]).asked).toEqual([
      {
        store: 'sessions',
        ranges: [
          { group: a, from: orderedTime(0) },
          { group: b, from: orderedTime(25) },
        ],
      },
    ]);
  });

  it('asks for nothing by time where an extractor has the last word on it', () => {
    const { asked: log } = asked([byKey, rows, range], { timestampExtractor: () => 7 });
    expect(log.map(({ store }) => store)).toEqual(['values']);
  });

  it('leaves out stores that are in memory, and is not needed when all are', async () => {
    const some = asked([byKey, rows], {}, ['values']);
    expect(some.asked.map(({ store }) => store)).toEqual(['windows']);
    expect(some.isNeeded).toBe(true);
    await some.pending;
    const none = asked([byKey, rows, range], {}, ['values', 'windows', 'sessions']);
    expect(none).toEqual({ asked: [], isNeeded: false, pending: undefined });
  });
});
