// Owns the low-level way to draw a topology: sources, processors and sinks by name, as Kafka Streams' `Topology` has it. The graph, its
// checks and what is built are those of the DSL.
import type { Serde } from '#libs/serde';
import { buildTopology } from './build/build-topology.ts';
import { addSource } from './dsl/sources.ts';
import { declareProcess } from './dsl/processing.ts';
import type { DeclaredProcess } from './dsl/processing.ts';
import { TopologyGraph } from './graph.ts';
import type { GraphNode } from './graph.ts';
import { processOperator } from './operators/process.ts';
import type { Consumed, Named, Produced } from './options.ts';
import type { ProcessorSupplier } from './options/processing.ts';
import type { StateStore, StoreBuilder } from './options/stores.ts';
import type { RecordHeadersFunction, StreamPartitioner, Topology } from './plan.ts';
import type { RecordMetadata } from './ports.ts';

/**
 * Draws a topology node by node:
 *
 *     new TopologyBuilder()
 *       .addSource('orders', Consumed.with(text, order), 'orders')
 *       .addProcessor('dedup', Dedup, 'orders')
 *       .addStateStore(seen, 'dedup')
 *       .addSink('out', 'unique-orders', Produced.with(text, order), 'dedup')
 *       .build();
 *
 * A parent must be added before its children. Types are those of each processor: that they fit together is not checked. A processor
 * forwards to all of its children, or to one by its name.
 */
export class TopologyBuilder {
  readonly #graph = new TopologyGraph();
  readonly #nodes = new Map<string, GraphNode>();
  readonly #processors = new Map<string, DeclaredProcess>();

  /** Reads one topic or several. */
  addSource<K, V>(name: string, consumed: Omit<Consumed<K, V>, 'name'>, ...topics: readonly string[]): this {
    const path = `addSource(${JSON.stringify(name)})`;
    this.#graph.checkedName('name', name, path);
    this.#nodes.set(name, addSource(this.#graph, 'stream', name, path, topics, consumed));
    return this;
  }

  /** A processor behind sources and other processors. Stores of a supplier with `stores` are connected. */
  addProcessor<K, V, KR, VR>(
    named: Named,
    supplier: ProcessorSupplier<K, V, KR, VR>,
    ...parents: readonly string[]
  ): this {
    const name = typeof named === 'object' ? named?.name : named;
    const path = `addProcessor(${JSON.stringify(name)})`;
    const graph = this.#graph;
    graph.checkedName('name', name, path);
    if (typeof named === 'object') graph.setFailurePolicy(name, named?.failurePolicy, path);
    const declared = declareProcess(graph, supplier, [], 'process', 'any key', path);
    this.#processors.set(name, declared);
    const node = graph.addNode({
      kind: 'processor',
      name,
      path,
      parents: this.#parents(parents, path),
      children: [],
      operator: processOperator(declared.declared),
    });
    this.#nodes.set(name, node);
    return this;
  }

  /** Writes to a topic, or to the one that a function names for each record. */
  addSink<K, V>(
    name: string,
    topic: string | ((key: K, value: V, metadata: RecordMetadata) => string),
    produced: Omit<Produced<NonNullable<K>, NonNullable<V>>, 'name'>,
    ...parents: readonly string[]
  ): this {
    const path = `addSink(${JSON.stringify(name)})`;
    const graph = this.#graph;
    graph.checkedName('name', name, path);
    if (typeof topic !== 'function') graph.checkedName('topic name', topic, path);
    graph.setFailurePolicy(name, produced?.failurePolicy, path);
    const node = graph.addNode({
      kind: 'sink',
      name,
      path,
      parents: this.#parents(parents, path),
      children: [],
      sink: 'topic',
      topic: topic as string | ((key: unknown, value: unknown, metadata: RecordMetadata) => string),
      keySerde: graph.checkedSerde('key', path, produced?.keySerde as Serde<unknown> | undefined),
      valueSerde: graph.checkedSerde('value', path, produced?.valueSerde as Serde<unknown> | undefined),
      partitioner: (produced?.partitioner ?? null) as StreamPartitioner | null,
      headers: (produced?.headers ?? null) as RecordHeadersFunction | null,
      readBy: null,
    });
    this.#nodes.set(name, node);
    return this;
  }

  /** Declares a store, and connects it with processors that were added before. */
  addStateStore(builder: StoreBuilder<StateStore>, ...processors: readonly string[]): this {
    const path = `addStateStore(${JSON.stringify(builder?.name)})`;
    this.#graph.addUserStore(builder, path);
    for (const processor of processors) this.#connect(processor, builder, path);
    return this;
  }

  /** Connects a processor with stores by name. */
  connectProcessorAndStateStores(processor: string, ...stores: readonly string[]): this {
    const path = `connectProcessorAndStateStores(${JSON.stringify(processor)})`;
    for (const store of stores) this.#connect(processor, store, path);
    return this;
  }

  /** A table that every instance reads whole; every processor may look into it, by the name of its store. */
  addGlobalStore<K, V>(
    store: string,
    consumed: Pick<Consumed<K, V>, 'keySerde' | 'valueSerde'>,
    topic: string,
  ): this {
    const path = `addGlobalStore(${JSON.stringify(store)})`;
    const graph = this.#graph;
    graph.checkedName('store name', store, path);
    graph.checkedName('topic name', topic, path);
    const keySerde = graph.checkedSerde('key', path, consumed?.keySerde);
    const valueSerde = graph.checkedSerde('value', path, consumed?.valueSerde);
    graph.globalStores.push({
      spec: { name: store, topic, keySerde, valueSerde },
      path,
      sourceName: `${store}-source`,
      processorName: `${store}-update`,
    });
    return this;
  }

  /**
   * Checks the whole topology and freezes it.
   * @throws MillraceError MILLRACE_INVALID_TOPOLOGY listing every fault with the path of its node.
   */
  build(): Topology {
    return buildTopology(this.#graph);
  }

  #connect(processor: string, store: StoreBuilder<StateStore> | string, path: string): void {
    const declared = this.#processors.get(processor);
    if (declared !== undefined) declared.connect(store);
    else this.#graph.addFault(path, `there is no processor "${processor}".`, 'Add it before.');
  }

  #parents(names: readonly string[], path: string): GraphNode[] {
    if (names.length === 0) this.#graph.addFault(path, 'it has no parent.', 'Name one node or several.');
    return [...new Set(names)].flatMap((name) => {
      const node = this.#nodes.get(name);
      if (node !== undefined && node.kind !== 'sink') return [node];
      const problem = node === undefined ? `there is no node "${name}".` : `"${name}" is a sink.`;
      this.#graph.addFault(path, problem, 'Name sources and processors that were added before.');
      return [];
    });
  }
}
