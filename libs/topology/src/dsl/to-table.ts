// Owns how a stream becomes a table: its records are updates, kept in a store.
import type { AnySerde, GraphNode, SourceNode } from '../graph.ts';
import { tableSourceOperator } from '../operators/table.ts';
import type { Named } from '../options.ts';
import { sendOldValuesUpwards } from './factory.ts';
import type { DslFactory, StreamState } from './factory.ts';
import type { KTableImpl } from './ktable.ts';
import { declareStore, viewOfStore } from './materializing.ts';
import type { LooseMaterialized } from './materializing.ts';
import { addRepartition } from './repartitioning.ts';

/** `KStream.toTable`. */
export function streamToTable(
  dsl: DslFactory,
  stream: StreamState,
  given: LooseMaterialized | undefined,
  named: Named | undefined,
): KTableImpl {
  const { graph } = dsl;
  const materialized = given ?? {};
  const label = typeof materialized.name !== 'string' ? '' : JSON.stringify(materialized.name);
  const path = `${stream.path}.toTable(${label})`;
  const name = graph.nodeName('KSTREAM-TOTABLE-', named, path);
  const key: AnySerde = graph.checkedSerde('key', path, materialized.keySerde, stream.keySerde);
  const value: AnySerde = graph.checkedSerde('value', path, materialized.valueSerde, stream.valueSerde);
  let parent: GraphNode = stream.node;
  let sources: readonly SourceNode[] = stream.sources;
  if (stream.repartitionRequired) {
    const source = addRepartition(graph, {
      parent,
      path,
      name: materialized.name ?? null,
      keySerde: key,
      valueSerde: value,
      partitionCount: null,
      partitioner: null,
      inserted: true,
      remedy: 'Name the store: toTable(Materialized.as("…")).',
    });
    parent = source;
    sources = [source];
  }
  const store = declareStore(graph, path, materialized, { key, value }, true);
  const changes = { sendOldValues: false };
  const node = graph.addNode({
    kind: 'processor',
    name,
    path,
    parents: [parent],
    children: [],
    operator: tableSourceOperator(store, changes),
  });
  return dsl.table({
    node,
    path,
    keySerde: key,
    valueSerde: value,
    sources,
    view: viewOfStore(store),
    isVersioned: store.versioned !== undefined,
    enableSendingOldValues: sendOldValuesUpwards(changes, null),
  });
}
