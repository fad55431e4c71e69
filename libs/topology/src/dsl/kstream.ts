// Owns the KStream that users hold: each call adds a node to the graph. It checks arguments, collects faults and runs nothing.
import type { AnySerde, GraphNode, SourceNode, TopologyGraph } from '../graph.ts';
import type { GlobalKeySelector } from '../operators/global-table-join.ts';
import type { Operator } from '../operators/operator.ts';
import { streamTableJoinOperator } from '../operators/stream-table-join.ts';
import type { ValueJoiner } from '../operators/stream-table-join.ts';
import {
  filterNotOperator,
  filterOperator,
  flatMapOperator,
  flatMapValuesOperator,
  foreachOperator,
  mapOperator,
  mapValuesOperator,
  passThroughOperator,
  peekOperator,
  selectKeyOperator,
} from '../operators/stateless.ts';
import type { RecordAction, RecordMapper, RecordPredicate, ValueMapper } from '../operators/stateless.ts';
import type { OutputTag } from '../keyed/keyed-process.ts';
import type { Grouped, Joined, Named, Produced, Repartitioned } from '../options.ts';
import type { JoinWindows } from '../options/join-windows.ts';
import type { RecordHeadersFunction, StreamPartitioner } from '../plan.ts';
import type { RecordMetadata } from '../ports.ts';
import { labelOf } from '../names.ts';
import { sameEncoding } from '../provenance.ts';
import type { BranchedKStreamImpl } from './branched.ts';
import type { LooseAsyncOptions } from '../async/async-options.ts';
import type { AsyncFunction } from '../async/call-runner.ts';
import { addAsync } from './async.ts';
import type { DslFactory, StreamState } from './factory.ts';
import { addGlobalTableJoin, GlobalKTableImpl } from './global-table.ts';
import type { KGroupedStreamImpl } from './kgrouped-stream.ts';
import type { KTableImpl } from './ktable.ts';
import type { LooseMaterialized } from './materializing.ts';
import { addProcess, addSideOutput } from './processing.ts';
import type { LooseStores } from './processing.ts';
import { addRepartition } from './repartitioning.ts';
import type { RepartitionRequest } from './repartitioning.ts';
import { addJoinBuffer } from './join-buffering.ts';
import { addStreamStreamJoin } from './stream-stream-join.ts';
import type { LooseStreamJoined } from './stream-stream-join.ts';
import { streamToTable } from './to-table.ts';
import type { KStream, Untyped } from './types.ts';

type Loose = NonNullable<unknown>;
/** The functions that may be given with what is written. */
function checkWriteOptions(
  graph: TopologyGraph,
  options: Partial<Produced<Loose, Loose>>,
  path: string,
): void {
  if (options.partitioner !== undefined) graph.checkedFunction('partitioner', options.partitioner, path);
  if (options.headers !== undefined) graph.checkedFunction('option headers', options.headers, path);
}

type JoinArguments = readonly [joiner: ValueJoiner, second?: unknown, third?: unknown];

/** Untyped inside: `StreamsBuilder` hands it out as a `KStream<K, V>`, whose methods these are. */
export class KStreamImpl implements Untyped<KStream<unknown, unknown>> {
  readonly state: StreamState;
  readonly #dsl: DslFactory;

  constructor(dsl: DslFactory, state: StreamState) {
    this.#dsl = dsl;
    this.state = state;
  }

  filter(predicate: RecordPredicate, named?: Named): KStreamImpl {
    return this.#stateless('filter', 'KSTREAM-FILTER-', 'predicate', predicate, filterOperator, named, {});
  }

  filterNot(predicate: RecordPredicate, named?: Named): KStreamImpl {
    return this.#stateless(
      'filterNot',
      'KSTREAM-FILTER-',
      'predicate',
      predicate,
      filterNotOperator,
      named,
      {},
    );
  }

  map(mapper: RecordMapper, named?: Named): KStreamImpl {
    return this.#stateless('map', 'KSTREAM-MAP-', 'mapper', mapper, mapOperator, named, {
      keySerde: null,
      valueSerde: null,
      repartitionRequired: true,
    });
  }

  mapValues(mapper: ValueMapper, named?: Named): KStreamImpl {
    const lost = { valueSerde: null };
    return this.#stateless(
      'mapValues',
      'KSTREAM-MAPVALUES-',
      'mapper',
      mapper,
      mapValuesOperator,
      named,
      lost,
    );
  }

  flatMap(mapper: RecordMapper, named?: Named): KStreamImpl {
    return this.#stateless('flatMap', 'KSTREAM-FLATMAP-', 'mapper', mapper, flatMapOperator, named, {
      keySerde: null,
      valueSerde: null,
      repartitionRequired: true,
    });
  }

  flatMapValues(mapper: ValueMapper, named?: Named): KStreamImpl {
    const lost = { valueSerde: null };
    return this.#stateless(
      'flatMapValues',
      'KSTREAM-FLATMAPVALUES-',
      'mapper',
      mapper,
      flatMapValuesOperator,
      named,
      lost,
    );
  }

  selectKey(selector: RecordMapper, named?: Named): KStreamImpl {
    const changed = { keySerde: null, repartitionRequired: true };
    return this.#stateless(
      'selectKey',
      'KSTREAM-KEY-SELECT-',
      'selector',
      selector,
      selectKeyOperator,
      named,
      changed,
    );
  }

  peek(action: RecordAction, named?: Named): KStreamImpl {
    return this.#stateless('peek', 'KSTREAM-PEEK-', 'action', action, peekOperator, named, {});
  }

  foreach(action: RecordAction, named?: Named): void {
    this.#stateless('foreach', 'KSTREAM-FOREACH-', 'action', action, foreachOperator, named, {});
  }

  mapAsync(fn: AsyncFunction, options: LooseAsyncOptions): KStreamImpl {
    return addAsync(this.#dsl, this.state, fn, options, false);
  }

  flatMapAsync(fn: AsyncFunction, options: LooseAsyncOptions): KStreamImpl {
    return addAsync(this.#dsl, this.state, fn, options, true);
  }

  split(named?: Named): BranchedKStreamImpl {
    const path = `${this.state.path}.split(${labelOf(named)})`;
    return this.#dsl.branched(this.state, this.#dsl.graph.nodeName('KSTREAM-BRANCH-', named, path), path);
  }

  branch(
    branches: Readonly<Record<string, RecordPredicate>>,
    named?: Named,
  ): Readonly<Record<string, KStreamImpl>> {
    const split = this.split(named);
    if (typeof branches !== 'object' || branches === null || Object.keys(branches).length === 0) {
      this.#dsl.graph.addFault(
        `${this.state.path}.branch(${labelOf(named)})`,
        'it has no branches.',
        'Pass an object of predicates by name.',
      );
      return {};
    }
    for (const [name, predicate] of Object.entries(branches)) split.branch(name, predicate);
    return split.noDefaultBranch();
  }

  merge(other: unknown, named?: Named): KStreamImpl {
    const { graph } = this.#dsl;
    const path = `${this.state.path}.merge(${labelOf(named)})`;
    const name = graph.nodeName('KSTREAM-MERGE-', named, path);
    if (!(other instanceof KStreamImpl) || other.#dsl !== this.#dsl) {
      graph.addFault(path, 'the other stream is of another topology.', 'Build both with one StreamsBuilder.');
      return this;
    }
    const theirs = other.state;
    const ours = this.state;
    const parents = ours.node === theirs.node ? [ours.node] : [ours.node, theirs.node];
    return this.#dsl.stream({
      node: this.#process(name, path, parents, passThroughOperator),
      path,
      keySerde: sameEncoding(ours.keySerde, theirs.keySerde) ? ours.keySerde : null,
      valueSerde: sameEncoding(ours.valueSerde, theirs.valueSerde) ? ours.valueSerde : null,
      sources: [...new Set([...ours.sources, ...theirs.sources])],
      repartitionRequired: ours.repartitionRequired || theirs.repartitionRequired,
    });
  }

  repartition(repartitioned: Repartitioned<Loose, Loose>): KStreamImpl {
    const options = (repartitioned ?? {}) as Partial<Repartitioned<Loose, Loose>>;
    const path = `${this.state.path}.repartition(${labelOf(options.name)})`;
    const { graph } = this.#dsl;
    const count = options.numberOfPartitions;
    if (count !== undefined && (!Number.isInteger(count) || count < 1)) {
      graph.addFault(
        path,
        `numberOfPartitions is ${String(count)}.`,
        'Use a whole number from 1 up, or leave it out.',
      );
    }
    const keySerde = graph.checkedSerde('key', path, options.keySerde, this.state.keySerde);
    const valueSerde = graph.checkedSerde('value', path, options.valueSerde, this.state.valueSerde);
    checkWriteOptions(graph, options, path);
    return this.#repartitioned(path, options.name ?? null, keySerde, valueSerde, {
      partitionCount: count ?? null,
      partitioner: (options.partitioner ?? null) as StreamPartitioner | null,
      inserted: false,
      remedy: 'Name it: repartition(Repartitioned.as("…")).',
    });
  }

  toTable(materialized: LooseMaterialized, named?: Named): KTableImpl {
    return streamToTable(this.#dsl, this.state, materialized, named);
  }

  groupByKey(given?: Grouped<Loose, Loose>): KGroupedStreamImpl {
    const path = `${this.state.path}.groupByKey(${labelOf(given)})`;
    const grouped = this.#dsl.graph.checkedOptions(given, path);
    return this.#dsl.grouped({
      ...this.state,
      path,
      keySerde: (grouped.keySerde as AnySerde | undefined) ?? this.state.keySerde,
      valueSerde: (grouped.valueSerde as AnySerde | undefined) ?? this.state.valueSerde,
      name: grouped.name ?? null,
    });
  }

  groupBy(selector: RecordMapper, given?: Grouped<Loose, Loose>): KGroupedStreamImpl {
    const path = `${this.state.path}.groupBy(${labelOf(given)})`;
    const { graph } = this.#dsl;
    const grouped = graph.checkedOptions(given, path);
    graph.checkedFunction('selector', selector, path);
    const name = graph.nodeName('KSTREAM-KEY-SELECT-', grouped.name, path);
    return this.#dsl.grouped({
      node: this.#process(name, path, [this.state.node], selectKeyOperator(selector)),
      path,
      keySerde: (grouped.keySerde as AnySerde | undefined) ?? null,
      valueSerde: (grouped.valueSerde as AnySerde | undefined) ?? this.state.valueSerde,
      sources: this.state.sources,
      repartitionRequired: true,
      name: grouped.name ?? null,
    });
  }

  /** With a stream: `(other, joiner, windows, joined)`; a table: `(table, joiner, joined)`; a global one: `(table, selector, joiner, named)`. */
  join(other: unknown, ...rest: JoinArguments): KStreamImpl {
    if (other instanceof KStreamImpl) return this.#joinStream('join', other, rest);
    if (other instanceof GlobalKTableImpl) return this.#joinGlobal(false, other, rest);
    return this.#joinTable('join', 'KSTREAM-JOIN-', false, other, rest[0], rest[1] as Joined<Loose, Loose>);
  }

  leftJoin(other: unknown, ...rest: JoinArguments): KStreamImpl {
    if (other instanceof KStreamImpl) return this.#joinStream('leftJoin', other, rest);
    if (other instanceof GlobalKTableImpl) return this.#joinGlobal(true, other, rest);
    const joined = rest[1] as Joined<Loose, Loose>;
    return this.#joinTable('leftJoin', 'KSTREAM-LEFTJOIN-', true, other, rest[0], joined);
  }

  outerJoin(other: unknown, ...rest: JoinArguments): KStreamImpl {
    return this.#joinStream('outerJoin', other, rest);
  }

  process(supplier: unknown, named?: Named, ...stores: LooseStores): KStreamImpl {
    return addProcess(this.#dsl, this.state, supplier, named, stores, false);
  }

  processValues(supplier: unknown, named?: Named, ...stores: LooseStores): KStreamImpl {
    return addProcess(this.#dsl, this.state, supplier, named, stores, true);
  }

  sideOutput(tag: OutputTag<never>): KStreamImpl {
    return addSideOutput(this.#dsl, this.state, tag);
  }

  to(
    topic: string | ((key: unknown, value: unknown, metadata: RecordMetadata) => string),
    given?: Produced<Loose, Loose>,
  ): void {
    const path = `${this.state.path}.to(${typeof topic === 'function' ? '…' : JSON.stringify(topic)})`;
    const { graph } = this.#dsl;
    const produced = graph.checkedOptions(given, path);
    const name = graph.nodeName('KSTREAM-SINK-', produced.name, path);
    graph.setFailurePolicy(name, produced.failurePolicy, path);
    checkWriteOptions(graph, produced, path);
    if (typeof topic !== 'function') graph.checkedName('topic name', topic, path);
    graph.addNode({
      kind: 'sink',
      name,
      path,
      parents: [this.state.node],
      children: [],
      sink: 'topic',
      topic,
      keySerde: graph.checkedSerde('key', path, produced.keySerde, this.state.keySerde),
      valueSerde: graph.checkedSerde('value', path, produced.valueSerde, this.state.valueSerde),
      partitioner: (produced.partitioner ?? null) as StreamPartitioner | null,
      headers: (produced.headers ?? null) as RecordHeadersFunction | null,
      readBy: null,
    });
  }

  #stateless<F>(
    method: string,
    prefix: string,
    what: string,
    given: F,
    operatorOf: (given: F) => Operator,
    named: Named | undefined,
    changes: Partial<StreamState>,
  ): KStreamImpl {
    const path = `${this.state.path}.${method}(${labelOf(named)})`;
    const { graph } = this.#dsl;
    graph.checkedFunction(what, given, path);
    const name = graph.nodeName(prefix, named, path);
    const node = this.#process(name, path, [this.state.node], operatorOf(given));
    return this.#dsl.stream({ ...this.state, ...changes, node, path });
  }

  #joinStream(
    method: 'join' | 'leftJoin' | 'outerJoin',
    other: unknown,
    [joiner, windows, joined]: JoinArguments,
  ): KStreamImpl {
    const { graph } = this.#dsl;
    if (!(other instanceof KStreamImpl) || other.#dsl !== this.#dsl) {
      graph.addFault(
        `${this.state.path}.${method}()`,
        'the other stream is of another topology, or no stream.',
        'Build both with one StreamsBuilder.',
      );
      return this;
    }
    const { state: left } = this;
    const { state: right } = other;
    return this.#dsl.stream(
      addStreamStreamJoin(graph, {
        method,
        left,
        right,
        joiner,
        windows: windows as JoinWindows,
        joined: joined as LooseStreamJoined | undefined,
      }),
    );
  }

  #joinGlobal(left: boolean, table: GlobalKTableImpl, [selector, joiner, named]: JoinArguments): KStreamImpl {
    return this.#dsl.stream(
      addGlobalTableJoin(this.#dsl.graph, {
        left,
        stream: this.state,
        table,
        selector: selector as GlobalKeySelector,
        joiner: joiner as ValueJoiner,
        named: named as Named | undefined,
      }),
    );
  }

  #joinTable(
    method: string,
    prefix: string,
    left: boolean,
    other: unknown,
    joiner: ValueJoiner,
    given?: Joined<Loose, Loose>,
  ): KStreamImpl {
    const path = `${this.state.path}.${method}(${labelOf(given)})`;
    const { graph } = this.#dsl;
    const joined = graph.checkedOptions(given, path);
    graph.checkedFunction('joiner', joiner, path);
    const table = other as KTableImpl | null | undefined;
    if (table?.dsl !== this.#dsl) {
      graph.addFault(
        path,
        'the table is of another topology, or no table.',
        'Build both with one StreamsBuilder.',
      );
      return this;
    }
    let stream = this.state;
    if (stream.repartitionRequired) {
      const keySerde = graph.checkedSerde(
        'key',
        path,
        joined.keySerde,
        stream.keySerde,
        table.state.keySerde,
      );
      const valueSerde = graph.checkedSerde('value', path, joined.valueSerde, stream.valueSerde);
      stream = this.#repartitioned(path, joined.name ?? null, keySerde, valueSerde, {
        partitionCount: null,
        partitioner: null,
        inserted: true,
        remedy: `Name it: ${method}(table, joiner, Joined.as("…")).`,
      }).state;
    }
    const sources: readonly SourceNode[] = [...new Set([...stream.sources, ...table.state.sources])];
    const name = graph.nodeName(prefix, joined.name, path);
    graph.setFailurePolicy(name, joined.failurePolicy, path);
    if (sources.length > 1) graph.coPartitions.push({ operator: name, sources });
    const { view } = table.state;
    const buffer = addJoinBuffer(graph, path, name, joined, stream, view);
    const operator = streamTableJoinOperator({ view, joiner, left, buffer });
    return this.#dsl.stream({
      node: this.#process(name, path, [stream.node], operator),
      path,
      keySerde: (joined.keySerde as AnySerde | undefined) ?? stream.keySerde,
      valueSerde: null,
      sources,
      repartitionRequired: false,
    });
  }

  #repartitioned(
    path: string,
    name: string | null,
    keySerde: AnySerde,
    valueSerde: AnySerde,
    rest: Pick<RepartitionRequest, 'partitionCount' | 'partitioner' | 'inserted' | 'remedy'>,
  ): KStreamImpl {
    const parent = this.state.node;
    const source = addRepartition(this.#dsl.graph, { parent, path, name, keySerde, valueSerde, ...rest });
    return this.#dsl.stream({
      node: source,
      path,
      keySerde,
      valueSerde,
      sources: [source],
      repartitionRequired: false,
    });
  }

  #process(name: string, path: string, parents: readonly GraphNode[], operator: Operator): GraphNode {
    return this.#dsl.graph.addNode({ kind: 'processor', name, path, parents, children: [], operator });
  }
}
