// Owns how processors of the user's become nodes: what a supplier is, and which stores are connected.
import type { GraphNode, TopologyGraph } from '../graph.ts';
import { labelOf } from '../names.ts';
import type { OutputTag } from '../keyed/keyed-process.ts';
import { processOperator } from '../operators/process.ts';
import type { ProcessDeclaration } from '../operators/process.ts';
import { passThroughOperator } from '../operators/stateless.ts';
import type { Named } from '../options.ts';
import type { Connectable, TableWithStore } from '../options/processing.ts';
import type { AnySerde } from '../graph.ts';
import type { DslFactory, StreamState } from './factory.ts';
import type { KStreamImpl } from './kstream.ts';

export type LooseStores = readonly Connectable[];

/** What a task's processor is made by; a plain function is a processor without `init`. */
type Supply = ProcessDeclaration['supply'];

export function addProcess(
  dsl: DslFactory,
  stream: StreamState,
  supplier: unknown,
  named: Named | undefined,
  stores: LooseStores,
  fixedKey: boolean,
): KStreamImpl {
  const { graph } = dsl;
  const path = `${stream.path}.${fixedKey ? 'processValues' : 'process'}(${labelOf(named)})`;
  const name = graph.nodeName(fixedKey ? 'KSTREAM-PROCESSVALUES-' : 'KSTREAM-PROCESSOR-', named, path);
  // Unlike all others, processors with a name of their own do not advance Kafka Streams' counter.
  if (named !== undefined) graph.skipNames(-1);
  const forwards = fixedKey ? 'its key' : 'any key';
  const operator = processOperator(
    declareProcess(graph, supplier, stores, 'process', forwards, path).declared,
  );
  const node = graph.addNode({
    kind: 'processor',
    name,
    path,
    parents: [stream.node],
    children: [],
    operator,
  });
  const changed = fixedKey
    ? { valueSerde: null }
    : { keySerde: null, valueSerde: null, repartitionRequired: true };
  return dsl.stream({ ...stream, ...changed, node, path });
}

export interface DeclaredProcess {
  readonly declared: ProcessDeclaration;
  /** Connects one more store. */
  readonly connect: (store: Connectable) => void;
}

/** What an operator of a supplier needs, with its stores declared. `method` does the work of what the supplier makes. */
export function declareProcess(
  graph: TopologyGraph,
  supplier: unknown,
  stores: LooseStores,
  method: 'process' | 'transform',
  forwards: ProcessDeclaration['forwards'],
  path: string,
): DeclaredProcess {
  const names: string[] = [];
  const connect = (store: Connectable): void => {
    if (isTable(store)) {
      const table = store.queryableStoreName();
      const kind = graph.stores.find(({ spec }) => spec.name === table)?.spec.kind;
      if (table !== null && kind !== 'ordered') connect(table);
      else {
        const problem =
          table === null ? 'keeps no store' : 'is windowed or versioned, which processors do not read';
        graph.addFault(
          path,
          `a table that it connects ${problem}.`,
          'Connect a table with a value per key in its store.',
        );
      }
      return;
    }
    if (typeof store !== 'string' && typeof (store as Partial<typeof store> | null)?.open !== 'function') {
      graph.addFault(path, 'a store is neither a builder nor a name.', 'Make it with Stores.…(…).');
      return;
    }
    const name = typeof store === 'string' ? store : store.name;
    if (typeof store !== 'string') graph.addUserStore(store, path);
    if (!names.includes(name)) names.push(name);
  };
  for (const store of stores) connect(store);
  const own: unknown = storesOfSupplier(supplier);
  if (Array.isArray(own)) for (const store of own as LooseStores) connect(store);
  else
    graph.addFault(
      path,
      'the stores of the supplier are no list.',
      'Let `stores` give an array of builders.',
    );
  const supply = supplyOf(supplier, method);
  if (supply === null) {
    graph.addFault(
      path,
      'the supplier is no class, function or object with get().',
      'Pass one that makes a processor, or a function (record, context) => …',
    );
  }
  const declared: ProcessDeclaration = {
    supply: supply ?? (() => ({ [method]: () => undefined })),
    stores: names,
    builders: graph.userStores,
    forwards,
  };
  return { declared, connect };
}

function isTable(store: Connectable): store is TableWithStore {
  return typeof (store as Partial<TableWithStore> | null)?.queryableStoreName === 'function';
}

function storesOfSupplier(supplier: unknown): LooseStores {
  const stores = (supplier as { stores?: unknown } | null | undefined)?.stores;
  if (typeof supplier !== 'object' || stores === undefined) return [];
  return (
    typeof stores === 'function' ? (stores as () => LooseStores).call(supplier) : stores
  ) as LooseStores;
}

/** A function with parameters is the processor itself; one without makes it. */
function supplyOf(supplier: unknown, method: 'process' | 'transform'): Supply | null {
  if (typeof supplier === 'function') {
    if (isClassWith(method, supplier)) {
      const Processor = supplier as new () => object;
      return () => new Processor();
    }
    if (supplier.length === 0) return () => (supplier as () => object)();
    const call = supplier as (...given: unknown[]) => unknown;
    return method === 'process'
      ? (context) => ({ process: (record: unknown) => call(record, context) })
      : (context) => ({ transform: (key: unknown, value: unknown) => call(key, value, context) });
  }
  const get = (supplier as { get?: unknown } | null)?.get;
  if (typeof supplier !== 'object' || typeof get !== 'function') return null;
  return () => (supplier as { get: () => object }).get();
}

function isClassWith(method: string, given: { readonly prototype?: unknown }): boolean {
  const prototype = given.prototype as Record<string, unknown> | undefined;
  return (
    typeof prototype?.[method] === 'function' || /^class\b/.test(Function.prototype.toString.call(given))
  );
}

/** `KStream.sideOutput`. */
export function addSideOutput(dsl: DslFactory, stream: StreamState, tag: OutputTag<never>): KStreamImpl {
  const { graph } = dsl;
  const label = typeof tag?.name === 'string' ? JSON.stringify(tag.name) : '';
  const path = `${stream.path}.sideOutput(${label})`;
  const name = graph.nodeName('KSTREAM-SIDEOUTPUT-', undefined, path);
  if (typeof tag?.name !== 'string') {
    graph.addFault(path, 'the tag is no output tag.', 'Make it with OutputTag.of("…").');
  }
  const { node: parent } = stream;
  if (parent.kind !== 'processor' || parent.operator.hasSides !== true) {
    graph.addFault(
      path,
      'this operator has no side outputs.',
      'Take them from the stream that process, processValues or a keyed process function gave.',
    );
  }
  const node: GraphNode = graph.addNode({
    kind: 'processor',
    name,
    path,
    parents: [parent],
    children: [],
    operator: passThroughOperator,
    side: tag?.name ?? '',
  });
  const valueSerde = (tag?.serde as unknown as AnySerde | undefined) ?? null;
  return dsl.stream({ ...stream, node, path, valueSerde });
}
