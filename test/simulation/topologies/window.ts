// Tumbling windows for each key.
import { StreamsBuilder, TimeWindows } from '#libs/topology';
import { ExpectedByKey } from './expectations.ts';
import type { TopologyUnderTest } from './topology-under-test.ts';
import { add, input, NOTHING, text, total } from './values.ts';
import type { Total } from './values.ts';

const SIZE_MS = 2_000;
/** Nothing comes too late. */
const GRACE_MS = 24 * 3_600_000;

export const window: TopologyUnderTest = {
  name: 'window',
  subTopologies: 1,
  inputs: ['in'],
  watched: ['out'],
  build() {
    const builder = new StreamsBuilder();
    builder
      .stream('in', { keySerde: text, valueSerde: input })
      .groupByKey()
      .windowedBy(TimeWindows.ofSizeAndGrace(SIZE_MS, GRACE_MS))
      .aggregate(
        () => NOTHING,
        (_key, value, before) => add(before, value),
        { name: 'windows', keySerde: text, valueSerde: total },
      )
      .toStream()
      .map(({ key, window: { start } }, value) => [`${key}@${start}`, value])
      .to('out', { keySerde: text, valueSerde: total });
    return builder.build();
  },
  model(inputs) {
    const expected = new ExpectedByKey();
    const totals = new Map<string, Total>();
    for (const record of inputs) {
      const key = `${record.key}@${record.timestamp - (record.timestamp % SIZE_MS)}`;
      const before = totals.get(key) ?? { id: -1, count: 0, sum: 0 };
      const after: Total = { id: record.id, count: before.count + 1, sum: before.sum + record.n };
      totals.set(key, after);
      expected.add(key, JSON.stringify(after), record);
    }
    return {
      expectedOutputs: expected.count,
      observe: (topic, { partition, key, value }) => expected.observe(topic, partition, key, value).cause,
      finalValues: (store) => (store === 'windows' ? expected.last : undefined),
    };
  },
};
