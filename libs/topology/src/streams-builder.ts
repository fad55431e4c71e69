// Owns the beginning and the end of a topology: sources, and `build()`, which checks all that was drawn and freezes it.
import { buildTopology } from './build/build-topology.ts';
import { BranchedKStreamImpl } from './dsl/branched.ts';
import type { DslFactory } from './dsl/factory.ts';
import { sendOldValuesUpwards } from './dsl/factory.ts';
import { addGlobalTable } from './dsl/global-table.ts';
import type { GlobalKTable } from './dsl/global-table.ts';
import { KGroupedStreamImpl } from './dsl/kgrouped-stream.ts';
import { KStreamImpl } from './dsl/kstream.ts';
import { KTableImpl } from './dsl/ktable.ts';
import { declareStore, viewOfStore } from './dsl/materializing.ts';
import type { LooseMaterialized } from './dsl/materializing.ts';
import { addSource } from './dsl/sources.ts';
import { reuseSourceTopic } from './dsl/reusing.ts';
import type { KStream, KTable } from './dsl/types.ts';
import { TopologyGraph } from './graph.ts';
import type { GraphNode } from './graph.ts';
import { tableSourceOperator } from './operators/table.ts';
import type { Consumed, Materialized } from './options.ts';
import { optimizationsOf } from './options/optimization.ts';
import type { StreamsBuilderOptions } from './options/optimization.ts';
import type { StateStore, StoreBuilder } from './options/stores.ts';
import type { Topology } from './plan.ts';

/** Draws a topology as in Kafka Streams: sources, operators, sinks; then `build()`. */
export class StreamsBuilder {
  readonly #graph = new TopologyGraph();
  readonly #dsl: DslFactory;

  constructor(options: StreamsBuilderOptions = {}) {
    const graph = this.#graph;
    const optimizations = optimizationsOf(graph.checkedOptions(options, 'new StreamsBuilder()').optimize);
    if (optimizations === null) {
      graph.addFault(
        'new StreamsBuilder()',
        `optimize is ${JSON.stringify(options.optimize)}.`,
        'Use "all", "none", or a list of names of Optimization.',
      );
    } else {
      graph.optimizations = optimizations;
    }
    const dsl: DslFactory = {
      graph,
      stream: (state) => new KStreamImpl(dsl, state),
      grouped: (state) => new KGroupedStreamImpl(dsl, state),
      branched: (stream, name, path) => new BranchedKStreamImpl(dsl, stream, name, path),
      table: (state) => new KTableImpl(dsl, state),
    };
    this.#dsl = dsl;
  }

  /**
   * Reads one topic or several as a stream. All records of several topics come as one stream, in no promised order between topics.
   * For a topic that holds null keys or values, say so: `stream<string, Order | null>(…)`. No state.
   *
   *     builder.stream('orders', Consumed.with(Serdes.string(), Serdes.json<Order>()))
   */
  stream<K, V>(
    topics: string | readonly string[],
    consumed: Consumed<NonNullable<K>, NonNullable<V>>,
  ): KStream<K, V> {
    const given = Array.isArray(topics) ? (topics as readonly string[]) : [topics as string];
    const path = `stream(${given.map((topic) => JSON.stringify(topic)).join(', ')})`;
    const name = this.#graph.nodeName('KSTREAM-SOURCE-', consumed?.name, path);
    const node = addSource(this.#graph, 'stream', name, path, given, consumed);
    return this.#dsl.stream({
      node,
      path,
      keySerde: node.keySerde,
      valueSerde: node.valueSerde,
      sources: [node],
      repartitionRequired: false,
    }) as unknown as KStream<K, V>;
  }

  /**
   * Reads a topic as a table: the newest value of each key, kept in the named store. A null value deletes. With `versioned` the store keeps
   * older values too: updates are placed by their timestamps, and streams are joined as of theirs. The store has a changelog
   * of its own, unless the topic is reused as one (`Optimization.REUSE_KTABLE_SOURCE_TOPICS`). Null keys are dropped and counted; what arrives last
   * wins, also when it is late. State: a value per key.
   *
   *     builder.table('users', Consumed.with(Serdes.string(), Serdes.json<User>()), Materialized.as('users'))
   */
  table<K, V>(topic: string, consumed: Consumed<K, V>, materialized: Materialized<K, V>): KTable<K, V> {
    const path = `table(${JSON.stringify(topic)})`;
    const graph = this.#graph;
    const named = consumed?.name;
    const sourceName = graph.nodeName(
      'KSTREAM-SOURCE-',
      named === undefined ? named : `${named}-source`,
      path,
    );
    const name = graph.nodeName('KTABLE-SOURCE-', named, path);
    const source = addSource(this.#graph, 'table', sourceName, path, [topic], consumed);
    const key = graph.checkedSerde('key', path, materialized?.keySerde, source.keySerde);
    const value = graph.checkedSerde('value', path, materialized?.valueSerde, source.valueSerde);
    const store = declareStore(graph, path, (materialized ?? {}) as LooseMaterialized, { key, value }, true);
    if (graph.optimizations.reuseSourceTopics && store.versioned === undefined)
      reuseSourceTopic(graph, source, topic, store.name);
    const changes = { sendOldValues: false };
    const node: GraphNode = graph.addNode({
      kind: 'processor',
      name,
      path,
      parents: [source],
      children: [],
      operator: tableSourceOperator(store, changes),
    });
    return this.#dsl.table({
      node,
      path,
      keySerde: key,
      valueSerde: value,
      sources: [source],
      view: viewOfStore(store),
      isVersioned: store.versioned !== undefined,
      enableSendingOldValues: sendOldValuesUpwards(changes, null),
    }) as unknown as KTable<K, V>;
  }

  /**
   * Reads a topic as a table that every instance holds whole, to be joined with by any key: `stream.join(table, keySelector, joiner)`. It is read
   * from its start, before the tasks of the instance run. It needs no partitions in common with the streams, and no repartition.
   * Null keys are left out, a null value deletes. State: the whole topic in memory, in every instance.
   *
   *     builder.globalTable('rates', Consumed.with(Serdes.string(), Serdes.float64()), Materialized.as('rates'))
   */
  globalTable<K, V>(
    topic: string,
    consumed: Omit<Consumed<K, V>, 'timestampExtractor' | 'offsetReset' | 'failurePolicy'>,
    materialized: Materialized<K, V>,
  ): GlobalKTable<K, V> {
    return addGlobalTable(
      this.#graph,
      topic,
      consumed as unknown as Partial<Consumed<NonNullable<unknown>, NonNullable<unknown>>>,
      materialized as LooseMaterialized,
    ) as unknown as GlobalKTable<K, V>;
  }

  /** Declares a store that processors connect by name. Those given to `process` as builders need no declaration. */
  addStateStore(builder: StoreBuilder<StateStore>): this {
    this.#graph.addUserStore(builder, `addStateStore(${JSON.stringify(builder?.name)})`);
    return this;
  }

  /**
   * Checks the whole topology and freezes it.
   * @throws MillraceError MILLRACE_INVALID_TOPOLOGY listing every fault with the path of its operator.
   */
  build(): Topology {
    return buildTopology(this.#graph);
  }
}
