// A running sum for each key.
import { StreamsBuilder } from '#libs/topology';
import { ExpectedByKey } from './expectations.ts';
import type { TopologyUnderTest } from './topology-under-test.ts';
import { add, input, NOTHING, text, total } from './values.ts';
import type { Total } from './values.ts';

export const sum: TopologyUnderTest = {
  name: 'sum',
  subTopologies: 1,
  inputs: ['in'],
  watched: ['out'],
  build() {
    const builder = new StreamsBuilder();
    builder
      .stream('in', { keySerde: text, valueSerde: input })
      .groupByKey()
      .aggregate(
        () => NOTHING,
        (_key, value, before) => add(before, value),
        { name: 'sums', keySerde: text, valueSerde: total },
      )
      .toStream()
      .to('out', { keySerde: text, valueSerde: total });
    return builder.build();
  },
  model(inputs) {
    const expected = new ExpectedByKey();
    const totals = new Map<string, Total>();
    for (const record of inputs) {
      const before = totals.get(record.key) ?? { id: -1, count: 0, sum: 0 };
      const after: Total = { id: record.id, count: before.count + 1, sum: before.sum + record.n };
      totals.set(record.key, after);
      expected.add(record.key, JSON.stringify(after), record);
    }
    return {
      expectedOutputs: expected.count,
      observe: (topic, { partition, key, value }) => expected.observe(topic, partition, key, value).cause,
      finalValues: (store) => (store === 'sums' ? expected.last : undefined),
    };
  },
};
