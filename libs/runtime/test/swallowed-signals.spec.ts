// A record that has to wait, for a schema or for a topic's partition count, waits until it has it, and goes on then: also when the code
// that forwarded it caught the signal, and when several tasks wait for the same.
import { expect, it } from '@jest/globals';
import { SchemaPending, Serdes, createSerde } from '#libs/serde';
import type { Serde } from '#libs/serde';
import { StreamsBuilder } from '#libs/topology';
import type { KStream, Topology } from '#libs/topology';
import { InProcessBroker } from '../../../test/support/in-process-broker.ts';
import { runToEnd } from './support.ts';

const text = Serdes.string();
const RECORDS = 20;

/** A processor that catches whatever forwarding throws, and goes on. */
function careless(
  ending: (stream: KStream<string, string>) => void,
  then: 'goes on' | 'throws another error',
): { readonly topology: Topology; readonly swallowed: () => unknown[] } {
  const swallowed: unknown[] = [];
  const builder = new StreamsBuilder();
  const stream = builder
    .stream<string, string>('in', { keySerde: text, valueSerde: text })
    .process<string, string>((record, context) => {
      try {
        context.forward(record);
      } catch (error) {
        swallowed.push(error);
        if (then !== 'goes on') throw new Error('something else', { cause: error });
      }
    });
  ending(stream);
  return { topology: builder.build(), swallowed: () => swallowed };
}

function brokerWithInput(): InProcessBroker {
  const broker = new InProcessBroker();
  for (const topic of ['in', 'out', 'out-a', 'out-b']) broker.createTopic(topic, 1);
  const records = Array.from({ length: RECORDS }, (_, i) => ({
    key: i % 2 === 0 ? 'a' : 'b',
    value: `v${i}`,
    timestamp: i,
  }));
  broker.produce('in', 0, records);
  return broker;
}

const values = (broker: InProcessBroker, topic: string): (string | null)[] =>
  broker.records(topic, 0).map(({ value }) => value);

const expected = Array.from({ length: RECORDS }, (_, i) => `v${i}`);

it.each(['goes on', 'throws another error'] as const)(
  'waits for the partition count of a topic named by the record, though the processor caught it and %s',
  async (then) => {
    const broker = brokerWithInput();
    const { topology, swallowed } = careless(
      (stream) => stream.to((key) => `out-${key}`, { keySerde: text, valueSerde: text }),
      then,
    );
    await runToEnd(broker, topology);
    expect(swallowed().map(String)).toEqual([
      expect.stringContaining('partition count of topic "out-a"'),
      expect.stringContaining('partition count of topic "out-b"'),
    ]);
    expect(values(broker, 'out-a')).toEqual(expected.filter((_, i) => i % 2 === 0));
    expect(values(broker, 'out-b')).toEqual(expected.filter((_, i) => i % 2 === 1));
  },
);

it.each(['goes on', 'throws another error'] as const)(
  'waits for a schema, though the processor caught it and %s',
  async (then) => {
    const broker = brokerWithInput();
    let known = false;
    const registered: Serde<string> = createSerde<string>({
      name: 'of-a-registry',
      serialize: (value) => {
        if (known) return Buffer.from(value);
        throw new SchemaPending(
          'schema 7',
          new Promise((resolve) => setTimeout(resolve, 5)).then(() => {
            known = true;
          }),
        );
      },
      deserialize: (bytes) => Buffer.from(bytes).toString(),
    });
    const { topology, swallowed } = careless(
      (stream) => stream.to('out', { keySerde: text, valueSerde: registered }),
      then,
    );
    await runToEnd(broker, topology);
    expect(swallowed().length).toBeGreaterThan(0);
    expect(swallowed()[0]).toBeInstanceOf(SchemaPending);
    expect(values(broker, 'out')).toEqual(expected);
  },
);

it('goes on in every task that waits for the same schema', async () => {
  const broker = new InProcessBroker();
  for (const topic of ['in', 'out']) broker.createTopic(topic, 3);
  for (let partition = 0; partition < 3; partition++) {
    broker.produce('in', partition, [{ key: 'k', value: `v${partition}`, timestamp: 1 }]);
  }
  let known = false;
  let pending: SchemaPending | undefined;
  const registered: Serde<string> = createSerde<string>({
    name: 'of-a-registry',
    serialize: (value) => {
      if (known) return Buffer.from(value);
      pending ??= new SchemaPending(
        'schema 7',
        new Promise((resolve) => setTimeout(resolve, 20)).then(() => {
          known = true;
        }),
      );
      throw pending;
    },
    deserialize: (bytes) => Buffer.from(bytes).toString(),
  });
  const builder = new StreamsBuilder();
  builder.stream<string, string>('in', { keySerde: text, valueSerde: text }).to('out', {
    keySerde: text,
    valueSerde: registered,
    partitioner: (_topic, _key, value) => Number(value?.slice(1)),
  });
  await runToEnd(broker, builder.build());
  const written = [0, 1, 2].flatMap((partition) =>
    broker.records('out', partition).map(({ value }) => value),
  );
  expect(written).toEqual(['v0', 'v1', 'v2']);
});
