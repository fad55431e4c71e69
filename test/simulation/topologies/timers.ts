// A function with state and timers by event time: each record moves its key's timer, and says so; a timer that fires says what was summed.
import { State, StreamsBuilder } from '#libs/topology';
import { Serdes } from '#libs/serde';
import { ExpectedByKey } from './expectations.ts';
import type { InputRecord, TopologyUnderTest } from './topology-under-test.ts';
import { input, text } from './values.ts';

const QUIET_MS = 500;

export const timers: TopologyUnderTest = {
  name: 'timers',
  subTopologies: 1,
  inputs: ['in'],
  watched: ['out'],
  build() {
    const builder = new StreamsBuilder();
    builder
      .stream('in', { keySerde: text, valueSerde: input })
      .groupByKey()
      .process({
        name: 'quiet',
        state: { sum: State.value(Serdes.json<number>()) },
        valueSerde: text,
        onRecord({ id, n }, context) {
          const { sum } = context.state;
          sum.set((sum.get() ?? 0) + n);
          context.timers.setEventTime('quiet', context.timestamp + QUIET_MS);
          context.emit(`record ${id}: ${sum.get() ?? 0}`);
        },
        onTimer({ time }, context) {
          const { sum } = context.state;
          context.emit(`quiet at ${time}: ${sum.get() ?? 0}`);
          sum.clear();
        },
      })
      .to('out', { keySerde: text, valueSerde: text });
    return builder.build();
  },
  model(inputs) {
    const expected = new ExpectedByKey();
    const partitions = new Map<number, InputRecord[]>();
    for (const record of inputs) {
      const list = partitions.get(record.partition);
      if (list === undefined) partitions.set(record.partition, [record]);
      else list.push(record);
    }
    for (const records of partitions.values()) expectOf(records, expected);
    return {
      expectedOutputs: expected.count,
      observe: (topic, { partition, key, value }) => expected.observe(topic, partition, key, value).cause,
      finalValues: () => undefined,
    };
  },
};

/** One partition: time is that of its newest record so far, and what is due fires before the next record. */
function expectOf(records: readonly InputRecord[], expected: ExpectedByKey): void {
  const sums = new Map<string, number>();
  const due = new Map<string, number>();
  let time = -1;
  for (const record of records) {
    const sum = (sums.get(record.key) ?? 0) + record.n;
    sums.set(record.key, sum);
    due.set(record.key, record.timestamp + QUIET_MS);
    expected.add(record.key, `record ${record.id}: ${sum}`, record);
    time = Math.max(time, record.timestamp);
    for (const [key, at] of due) {
      if (at > time) continue;
      expected.add(key, `quiet at ${at}: ${sums.get(key) ?? 0}`, null);
      sums.delete(key);
      due.delete(key);
    }
  }
}
