// Owns how the options of a table become a declared store.
import type { AnySerde, TopologyGraph } from '../graph.ts';
import { INTERNAL_NAME_LENGTH_MAX } from '../names.ts';
import type { AggregateStore as TableStore } from '../operators/aggregate.ts';
import type { Materialized } from '../options.ts';

export type LooseMaterialized = Partial<Materialized<NonNullable<unknown>, NonNullable<unknown>>>;

/** Declares the store of an operator. A missing name is a fault: an upgrade must never shift the names of stores. */
export function declareStore(
  graph: TopologyGraph,
  path: string,
  materialized: LooseMaterialized,
  serdes: { readonly key: AnySerde; readonly value: AnySerde },
): TableStore {
  let { name } = materialized;
  if (name === undefined || name === null) {
    graph.addFault(
      path,
      'the state store has no name.',
      'Name it: Materialized.as("…"), and never change it.',
    );
    name = `unnamed-${graph.nodes.length}`;
  } else {
    graph.checkedName('store name', name, path, INTERNAL_NAME_LENGTH_MAX);
  }
  graph.addStore(
    {
      kind: 'keyValue',
      name,
      keySerde: serdes.key,
      valueSerde: serdes.value,
      logged: materialized.loggingEnabled ?? true,
      changelogConfig: { ...materialized.changelogConfig },
      persistence: materialized.storeType === 'inMemory' ? 'memory' : 'default',
      reuseDecoded: materialized.reuseDecoded ?? false,
    },
    path,
  );
  return { name, keySerde: serdes.key, valueSerde: serdes.value };
}
