import { describe, expect, it } from '@jest/globals';
import { Consumed, Materialized, Produced, Stores, StreamsBuilder, TopologyBuilder } from '#libs/topology';
import type { Processor, ProcessorContext, ProcessorRecord, ReadOnlyKeyValueStore } from '#libs/topology';
import { Driver } from './driver.ts';
import { driverOverStream, integer, text, textToText, thrownBy } from './fixtures.ts';

const counts = Stores.keyValueStore('counts', { keySerde: text, valueSerde: integer });

class Count implements Processor<string, string, string, number> {
  #context!: ProcessorContext<string, number>;

  init(context: ProcessorContext<string, number>): void {
    this.#context = context;
  }

  process(record: ProcessorRecord<string, string>): void {
    const store = this.#context.getStateStore(counts);
    const count = (store.get(record.key) ?? 0) + 1;
    store.put(record.key, count);
    this.#context.forward(record.withValue(count));
  }
}

describe('a topology drawn node by node', () => {
  const build = (): TopologyBuilder =>
    new TopologyBuilder()
      .addSource('lines', Consumed.with(text, text), 'a', 'b')
      .addProcessor('count', Count, 'lines')
      .addProcessor('count-too', () => new Count(), 'lines')
      .addStateStore(counts, 'count')
      .connectProcessorAndStateStores('count-too', 'counts')
      .addSink('out', 'counted', Produced.with(text, integer), 'count', 'count-too');

  it('runs as it is drawn', () => {
    const topology = build().build();
    expect(topology.describe()).toBe(`Topologies:
   Sub-topology: 0
    Source: lines (topics: [a, b])
      --> count, count-too
    Processor: count (stores: [counts])
      --> out
      <-- lines
    Processor: count-too (stores: [counts])
      --> out
      <-- lines
    Sink: out (topic: counted)
      <-- count, count-too

`);
    const driver = new Driver(topology);
    driver.pipe('a', 'k', 'x', 1);
    driver.pipe('b', 'k', 'x', 2);
    expect(driver.lines('counted')).toEqual(['k=1@1', 'k=2@1', 'k=3@2', 'k=4@2']);
  });

  it('looks into global stores without a connection', () => {
    const driver = new Driver(
      new TopologyBuilder()
        .addSource('lines', Consumed.with(text, text), 'in')
        .addGlobalStore('airports', Consumed.with(text, text), 'airports')
        .addProcessor(
          'name',
          (record: ProcessorRecord<string, string>, context: ProcessorContext<string, string>) => {
            const airports = context.getStateStore('airports') as unknown as ReadOnlyKeyValueStore<
              string,
              string
            >;
            context.forward(record.withValue(airports.get(record.value) ?? 'unknown'));
          },
          'lines',
        )
        .addSink('out', 'out', Produced.with(text, text), 'name')
        .build(),
    );
    driver.pipe('airports', 'JFK', 'New York');
    driver.pipe('in', 'k', 'JFK', 1);
    driver.pipe('in', 'k', 'LHR', 2);
    expect(driver.lines('out')).toEqual(['k=New York@1', 'k=unknown@2']);
  });

  it('is refused with all of its faults', () => {
    const builder = new TopologyBuilder()
      .addSource('lines', Consumed.with(text, text))
      .addProcessor('p', () => new Count())
      .addProcessor('q', () => new Count(), 'out')
      .addSink('out', 'out', Produced.with(text, text), 'lines')
      .addProcessor('out', () => new Count(), 'out')
      .connectProcessorAndStateStores('nobody', 'counts')
      .connectProcessorAndStateStores('p', 'counts');
    const { faults } = thrownBy(() => builder.build()).context;
    expect(faults.map(({ path, problem }) => `${path}: ${problem}`)).toEqual([
      'addSource("lines"): it reads no topic.',
      'addProcessor("p"): it has no parent.',
      'addProcessor("q"): there is no node "out".',
      'addProcessor("out"): "out" is a sink.',
      'connectProcessorAndStateStores("nobody"): there is no processor "nobody".',
      'addProcessor("out"): the name "out" is taken by addSink("out").',
      'addProcessor("p"): it is connected with the store "counts", which is not declared.',
    ]);
  });
});

describe('the DSL beside it', () => {
  it('writes records with headers of their own', () => {
    const driver = driverOverStream((stream) => {
      stream.to('out', {
        headers: (key, value, { headers }) => [
          ...headers(),
          { key: 'from', value: Buffer.from(`${String(key)}/${String(value)}`) },
        ],
      });
      stream.to('plain');
    });
    driver.pipe('in', 'a', 'x', 1, undefined, [{ key: 'h', value: null }]);
    const headersOf = (topic: string): (string | undefined)[] =>
      driver.outputs(topic)[0]!.headers.map(({ key, value }) => `${key}=${String(value?.toString())}`);
    expect(headersOf('out')).toEqual(['h=undefined', 'from=a/x']);
    expect(headersOf('plain')).toEqual(['h=undefined']);
  });

  it('gives processors the store of a global table', () => {
    const builder = new StreamsBuilder();
    const airports = builder.globalTable('airports', textToText, Materialized.as('airports'));
    builder
      .stream<string, string>('in', textToText)
      .processValues((record, context) => {
        const store = context.getStateStore(airports);
        const { timestamp } = store.getWithTimestamp(record.value)!;
        context.forward({ value: `${store.get(record.value)!} of ${[...store.all()].length}`, timestamp });
      })
      .to('out', { valueSerde: text });
    const driver = new Driver(builder.build());
    driver.pipe('airports', 'JFK', 'New York', 7);
    driver.pipe('airports', 'LHR', 'London', 8);
    driver.pipe('in', 'k', 'JFK', 10);
    expect(driver.lines('out')).toEqual(['k=New York of 2@7']);
  });

  it('says in which store a table is', () => {
    const builder = new StreamsBuilder();
    const rows = builder.table<string, string>('in', textToText, Materialized.as('rows'));
    const mapped = rows.mapValues((value) => value.length);
    const kept = mapped.filter(() => true, Materialized.as('kept', { valueSerde: integer }));
    expect([rows, mapped, kept].map((table) => table.queryableStoreName())).toEqual(['rows', null, 'kept']);
  });
});
