// Owns how the options of a table become a declared store.
import { Serdes } from '#libs/serde';
import type { AnySerde, TopologyGraph } from '../graph.ts';
import type { InsideStore } from '../plan.ts';
import { INTERNAL_NAME_LENGTH_MAX } from '../names.ts';
import type { AggregateStore as TableStore } from '../operators/aggregate.ts';
import type { TableView } from '../operators/table-view.ts';
import { versionSerde } from '../operators/versioned-store.ts';
import type { Materialized } from '../options.ts';
import type { Versioned } from '../options/versioned.ts';

export type LooseMaterialized = Partial<Materialized<NonNullable<unknown>, NonNullable<unknown>>>;

/** Declares the store of an operator. A missing name is a fault: an upgrade must never shift the names of stores. */
export function declareStore(
  graph: TopologyGraph,
  path: string,
  materialized: LooseMaterialized,
  serdes: { readonly key: AnySerde; readonly value: AnySerde },
  mayBeVersioned = false,
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
  checkStoreOptions(graph, materialized, path);
  const { versioned } = materialized;
  if (versioned !== undefined) {
    if (!mayBeVersioned) {
      graph.addFault(
        path,
        'the result of this operator cannot be kept as a versioned table.',
        'Leave `versioned` out, and make a versioned table of its stream: toStream().toTable(…).',
      );
    } else return declareVersionedStore(graph, path, { ...materialized, name }, versioned, serdes);
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

/** A store of an operator's own bookkeeping: rows of bytes in named groups, all in memory, with a changelog. */
export function declareResidentRows(
  graph: TopologyGraph,
  name: string,
  layout: string,
  path: string,
  inside: readonly InsideStore[] = [],
): void {
  graph.addStore(
    {
      kind: 'ordered',
      name,
      keySerde: Serdes.string(),
      valueSerde: Serdes.bytes(),
      logged: true,
      changelogConfig: {},
      persistence: 'default',
      resident: true,
      expiry: null,
      layout,
      inside,
    },
    path,
  );
}

/** The options that all stores of operators have in common. */
export function checkStoreOptions(
  graph: TopologyGraph,
  options: Pick<LooseMaterialized, 'storeType' | 'loggingEnabled' | 'changelogConfig'>,
  path: string,
): void {
  const { storeType, loggingEnabled, changelogConfig } = options;
  if (storeType !== undefined && storeType !== 'default' && storeType !== 'inMemory') {
    graph.addFault(path, `storeType is ${JSON.stringify(storeType)}.`, 'Use "default" or "inMemory".');
  }
  if (loggingEnabled !== undefined && typeof loggingEnabled !== 'boolean') {
    graph.addFault(path, `loggingEnabled is ${JSON.stringify(loggingEnabled)}.`, 'Use true or false.');
  }
  if (changelogConfig !== undefined && (typeof changelogConfig !== 'object' || changelogConfig === null)) {
    graph.addFault(
      path,
      `changelogConfig is ${JSON.stringify(changelogConfig)}.`,
      "Pass an object of Kafka's topic configurations by name.",
    );
  }
}

function declareVersionedStore(
  graph: TopologyGraph,
  path: string,
  materialized: LooseMaterialized & { readonly name: string },
  versioned: Versioned,
  serdes: { readonly key: AnySerde; readonly value: AnySerde },
): TableStore {
  const { name } = materialized;
  const { historyRetentionMs = NaN } = (versioned ?? {}) as Partial<Versioned>;
  if (!Number.isSafeInteger(historyRetentionMs) || historyRetentionMs < 0) {
    graph.addFault(
      path,
      `versioned.historyRetentionMs is ${String(historyRetentionMs)}.`,
      'Use a whole number of milliseconds, 0 or more.',
    );
  }
  graph.addStore(
    {
      kind: 'ordered',
      name,
      keySerde: serdes.key,
      valueSerde: versionSerde(serdes.value),
      logged: materialized.loggingEnabled ?? true,
      changelogConfig: { ...materialized.changelogConfig },
      persistence: materialized.storeType === 'inMemory' ? 'memory' : 'default',
      layout: 'table-versions',
      resident: false,
      expiry: null,
    },
    path,
  );
  return { name, keySerde: serdes.key, valueSerde: serdes.value, versioned: { historyRetentionMs } };
}

/** How the table kept in a store is read. */
export function viewOfStore(store: TableStore): TableView {
  const { name, keySerde, versioned } = store;
  const view = { store: name, keySerde, steps: [] };
  return versioned === undefined ? view : { ...view, versioned };
}
