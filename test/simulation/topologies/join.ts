// A stream meets the row that a table has at that moment. Which one it is depends on what was read first; it never goes back.
import { StreamsBuilder } from '#libs/topology';
import { Serdes } from '#libs/serde';
import { Violation } from '../violation.ts';
import { ExpectedByKey } from './expectations.ts';
import type { TopologyUnderTest } from './topology-under-test.ts';
import { input, text } from './values.ts';
import type { InputValue } from './values.ts';

interface Joined {
  readonly id: number;
  /** Id of the row; -1: there was none. */
  readonly row: number;
}

const joined = Serdes.json<Joined>();

export const join: TopologyUnderTest = {
  name: 'join',
  subTopologies: 1,
  inputs: ['in', 'rows'],
  watched: ['out'],
  build() {
    const builder = new StreamsBuilder();
    const rows = builder.table<string, InputValue>(
      'rows',
      { keySerde: text, valueSerde: input },
      {
        name: 'rows-table',
        keySerde: text,
        valueSerde: input,
      },
    );
    builder
      .stream('in', { keySerde: text, valueSerde: input })
      .leftJoin(rows, ({ id }, row): Joined => ({ id, row: row?.id ?? -1 }))
      .to('out', { keySerde: text, valueSerde: joined });
    return builder.build();
  },
  model(inputs) {
    const expected = new ExpectedByKey();
    const rowsOf = new Map<string, number[]>();
    const lastRow = new Map<string, string>();
    /** How far the rows of a key have come. */
    const reached = new Map<string, number>();
    for (const record of inputs) {
      if (record.topic === 'in') {
        expected.add(record.key, String(record.id), record);
        continue;
      }
      const list = rowsOf.get(record.key);
      if (list === undefined) rowsOf.set(record.key, [-1, record.id]);
      else list.push(record.id);
      lastRow.set(record.key, JSON.stringify({ id: record.id, n: record.n }));
    }
    return {
      expectedOutputs: expected.count,
      observe(topic, { partition, key, value }) {
        const { id, row } = JSON.parse(value) as Joined;
        const { cause } = expected.observe(topic, partition, key, String(id));
        const at = (rowsOf.get(key) ?? [-1]).indexOf(row);
        const before = reached.get(key) ?? 0;
        if (at < before) {
          throw new Violation(
            `Committed output ${value} under key ${key} in ${topic}-${partition} met row ${row}, which is number ${at} of its key (-1: none of it), after number ${before} was met: the table went back.`,
          );
        }
        reached.set(key, at);
        return cause;
      },
      finalValues: (store) => (store === 'rows-table' ? [...lastRow.values()] : undefined),
    };
  },
};
