// Owns how a transformer of the user's becomes a node of a table.
import { transformValuesOperator } from '../operators/process.ts';
import type { Named } from '../options.ts';
import { sendOldValuesUpwards } from './factory.ts';
import type { DslFactory, TableState } from './factory.ts';
import type { KTableImpl } from './ktable.ts';
import { declareStore } from './materializing.ts';
import type { LooseMaterialized } from './materializing.ts';
import { declareProcess } from './processing.ts';
import type { LooseStores } from './processing.ts';

/** `KTable.transformValues`. */
export function addTransformValues(
  dsl: DslFactory,
  table: TableState,
  supplier: unknown,
  given: LooseMaterialized | undefined,
  named: Named | undefined,
  stores: LooseStores,
): KTableImpl {
  const { graph } = dsl;
  const materialized = given ?? {};
  const label = typeof materialized.name !== 'string' ? '' : JSON.stringify(materialized.name);
  const path = `${table.path}.transformValues(${label})`;
  const name = graph.nodeName('KTABLE-TRANSFORMVALUES-', named, path);
  const key = graph.checkedSerde('key', path, materialized.keySerde, table.keySerde);
  const value = graph.checkedSerde('value', path, materialized.valueSerde);
  const { declared, connect } = declareProcess(graph, supplier, stores, 'transform', 'none', path);
  const store = declareStore(graph, path, materialized, { key, value });
  connect(store.name);
  const changes = { sendOldValues: false };
  const node = graph.addNode({
    kind: 'processor',
    name,
    path,
    parents: [table.node],
    children: [],
    operator: transformValuesOperator(declared, store, changes),
  });
  return dsl.table({
    node,
    path,
    keySerde: key,
    valueSerde: value,
    sources: table.sources,
    view: { store: store.name, keySerde: key, steps: [] },
    // What the row was before is in the store: the table above need not say it.
    enableSendingOldValues: sendOldValuesUpwards(changes, null),
  });
}
