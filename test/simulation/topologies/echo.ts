// Every record comes out once, in the order of its key. No state.
import { StreamsBuilder } from '#libs/topology';
import { ExpectedByKey } from './expectations.ts';
import type { TopologyUnderTest } from './topology-under-test.ts';
import { input, text } from './values.ts';

export const echo: TopologyUnderTest = {
  name: 'echo',
  subTopologies: 1,
  inputs: ['in'],
  watched: ['out'],
  build() {
    const builder = new StreamsBuilder();
    builder
      .stream('in', { keySerde: text, valueSerde: input })
      .to('out', { keySerde: text, valueSerde: input });
    return builder.build();
  },
  model(inputs) {
    const expected = new ExpectedByKey();
    for (const record of inputs) {
      expected.add(record.key, JSON.stringify({ id: record.id, n: record.n }), record);
    }
    return {
      expectedOutputs: expected.count,
      observe: (topic, { partition, key, value }) => expected.observe(topic, partition, key, value).cause,
      finalValues: () => undefined,
    };
  },
};
