// Owns the GlobalKTable that users hold, and how it and the joins with it are drawn.
import type { AnySerde, TopologyGraph } from '../graph.ts';
import { INTERNAL_NAME_LENGTH_MAX } from '../names.ts';
import { globalTableJoinOperator } from '../operators/global-table-join.ts';
import type { GlobalKeySelector } from '../operators/global-table-join.ts';
import type { ValueJoiner } from '../operators/stream-table-join.ts';
import type { Consumed, Named, SerdeOf } from '../options.ts';
import type { StreamState } from './factory.ts';
import type { LooseMaterialized } from './materializing.ts';

/**
 * A topic that every instance reads whole, all partitions, before its tasks run: any record may look up any key. A null value deletes.
 * It is read as it is at that moment and may be newer than the record in process: it is no part of the exactly-once state, and an update
 * of it gives no result by itself. State: the whole topic, in every instance; the topic is its own changelog and ought to be compacted.
 */
export interface GlobalKTable<K, V> {
  /** The name of its store. */
  readonly storeName: string;
  readonly keySerde: SerdeOf<K>;
  readonly valueSerde: SerdeOf<V>;
}

export class GlobalKTableImpl implements GlobalKTable<unknown, unknown> {
  readonly graph: TopologyGraph;
  readonly storeName: string;
  readonly keySerde: AnySerde;
  readonly valueSerde: AnySerde;

  constructor(graph: TopologyGraph, storeName: string, keySerde: AnySerde, valueSerde: AnySerde) {
    this.graph = graph;
    this.storeName = storeName;
    this.keySerde = keySerde;
    this.valueSerde = valueSerde;
  }
}

type Loose = NonNullable<unknown>;

export function addGlobalTable(
  graph: TopologyGraph,
  topic: string,
  consumed: Partial<Consumed<Loose, Loose>> | undefined,
  materialized: LooseMaterialized | undefined,
): GlobalKTableImpl {
  const path = `globalTable(${JSON.stringify(topic)})`;
  const named = consumed?.name;
  const sourceName = graph.nodeName('KSTREAM-SOURCE-', named === undefined ? named : `${named}-source`, path);
  const processorName = graph.nodeName('KTABLE-SOURCE-', named, path);
  graph.checkedName('topic name', topic, path);
  if (consumed?.failurePolicy !== undefined) {
    graph.addFault(
      path,
      'a global table has no failurePolicy: every instance reads it, outside of tasks.',
      'Use exceptionHandlers.deserialization of the application.',
    );
  }
  const keySerde = graph.checkedSerde('key', path, materialized?.keySerde, consumed?.keySerde);
  const valueSerde = graph.checkedSerde('value', path, materialized?.valueSerde, consumed?.valueSerde);
  if (materialized?.versioned !== undefined) {
    graph.addFault(path, 'a global table cannot be versioned.', 'Leave `versioned` out, or use table(…).');
  }
  let name = materialized?.name;
  if (name === undefined || name === null) {
    graph.addFault(
      path,
      'the state store has no name.',
      'Name it: Materialized.as("…"), and never change it.',
    );
    name = `unnamed-${graph.globalStores.length}`;
  } else {
    graph.checkedName('store name', name, path, INTERNAL_NAME_LENGTH_MAX);
  }
  graph.globalStores.push({ spec: { name, topic, keySerde, valueSerde }, path, sourceName, processorName });
  return new GlobalKTableImpl(graph, name, keySerde, valueSerde);
}

export interface GlobalTableJoinRequest {
  readonly left: boolean;
  readonly stream: StreamState;
  readonly table: GlobalKTableImpl;
  readonly selector: GlobalKeySelector;
  readonly joiner: ValueJoiner;
  readonly named: Named | undefined;
}

export function addGlobalTableJoin(graph: TopologyGraph, request: GlobalTableJoinRequest): StreamState {
  const { left, stream, table, selector, joiner, named } = request;
  const label = named === undefined ? '' : JSON.stringify(typeof named === 'string' ? named : named.name);
  const path = `${stream.path}.${left ? 'leftJoin' : 'join'}(${label})`;
  graph.checkedFunction('key selector', selector, path);
  graph.checkedFunction('joiner', joiner, path);
  if (table.graph !== graph) {
    graph.addFault(path, 'the table is of another topology.', 'Build both with one StreamsBuilder.');
  }
  // Kafka Streams gives both joins this prefix.
  const name = graph.nodeName('KSTREAM-LEFTJOIN-', named, path);
  const node = graph.addNode({
    kind: 'processor',
    name,
    path,
    parents: [stream.node],
    children: [],
    operator: globalTableJoinOperator({
      store: table.storeName,
      keySerde: table.keySerde,
      selector,
      joiner,
      left,
    }),
  });
  return { ...stream, node, path, valueSerde: null };
}
