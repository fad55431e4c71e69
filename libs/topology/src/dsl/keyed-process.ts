// Owns how a keyed process function becomes a node with its stores.
import type { AnySerde, GraphNode, SourceNode, TopologyGraph } from '../graph.ts';
import type { LooseKeyedProcessFunction } from '../keyed/keyed-process.ts';
import {
  keyedProcessOperator,
  needsTimers,
  stateStoreName,
  timerStoreName,
} from '../keyed/keyed-process-operator.ts';
import type { StateDescriptor } from '../keyed/state-descriptors.ts';
import { isGrouped } from '../keyed/state-handles.ts';
import { INTERNAL_NAME_LENGTH_MAX, labelOf } from '../names.ts';
import { declareResidentRows } from './materializing.ts';
import type { DslFactory, GroupedState } from './factory.ts';
import { GlobalKTableImpl } from './global-table.ts';
import type { KStreamImpl } from './kstream.ts';

/** The node to read from, behind a repartition where one is needed. */
export type ParentOf = (
  name: string,
  keySerde: AnySerde,
  path: string,
) => { readonly parent: GraphNode; readonly sources: readonly SourceNode[] };

export function addKeyedProcess(
  dsl: DslFactory,
  state: GroupedState,
  given: LooseKeyedProcessFunction & { readonly valueSerde?: object },
  parentOf: ParentOf,
): KStreamImpl {
  const { graph } = dsl;
  const path = `${state.path}.process(${labelOf(given?.name)})`;
  let fn = namedFunction(graph, given, path);
  const name = graph.nodeName('KSTREAM-PROCESSOR-', fn.name, path);
  graph.setFailurePolicy(name, fn.failurePolicy, path);
  graph.checkedFunction('onRecord', fn.onRecord, path);
  if (fn.onTimer !== undefined) graph.checkedFunction('onTimer', fn.onTimer, path);
  const keySerde = graph.checkedSerde('key', path, state.keySerde);
  const { parent, sources } = parentOf(fn.name, keySerde, path);
  for (const [stateName, descriptor] of entriesOf(graph, 'state', fn.state, path)) {
    if (!isDescriptor(descriptor)) {
      graph.addFault(path, `the state "${stateName}" is not declared.`, 'Declare it with State.…(…).');
      fn = Object.create(fn, { state: { value: {} } }) as typeof fn;
      continue;
    }
    declareState(graph, stateStoreName(fn, stateName), keySerde, descriptor, path);
  }
  for (const [tableName, table] of entriesOf(graph, 'broadcast', fn.broadcast, path)) {
    if (table instanceof GlobalKTableImpl && table.graph === graph) continue;
    graph.addFault(
      path,
      `the broadcast "${tableName}" is no global table of this topology.`,
      'Pass what globalTable(…) gave.',
    );
  }
  if (needsTimers(fn)) declareTimers(graph, timerStoreName(fn), path);
  const node = graph.addNode({
    kind: 'processor',
    name,
    path,
    parents: [parent],
    children: [],
    operator: keyedProcessOperator(fn, keySerde),
  });
  return dsl.stream({
    node,
    path,
    keySerde,
    valueSerde: (fn.valueSerde as AnySerde | undefined) ?? null,
    sources,
    repartitionRequired: false,
  });
}

/** The function with a name in any case: its stores are named after it, so that one without is refused. */
function namedFunction<F extends LooseKeyedProcessFunction>(graph: TopologyGraph, given: F, path: string): F {
  const fn = (typeof given === 'object' && given !== null ? given : {}) as F;
  if (graph.checkedName('name of the process function', fn.name, path)) return fn;
  return Object.create(fn, { name: { value: `unnamed-${graph.nodes.length}` } }) as F;
}

function entriesOf<T>(
  graph: TopologyGraph,
  what: string,
  given: Readonly<Record<string, T>> | undefined,
  path: string,
): [name: string, T][] {
  if (given === undefined) return [];
  if (typeof given === 'object' && given !== null) return Object.entries(given);
  graph.addFault(path, `${what} is ${String(given)}.`, 'Pass an object, by name.');
  return [];
}

function isDescriptor(given: unknown): boolean {
  const { kind, valueSerde } = (given ?? {}) as Partial<StateDescriptor>;
  return typeof kind === 'string' && valueSerde !== undefined;
}

function declareState(
  graph: TopologyGraph,
  name: string,
  keySerde: AnySerde,
  descriptor: StateDescriptor,
  path: string,
): void {
  graph.checkedName('store name', name, path, INTERNAL_NAME_LENGTH_MAX);
  const valueSerde = graph.checkedSerde('value', path, descriptor.valueSerde);
  const { ttl } = descriptor;
  if (descriptor.kind === 'map') graph.checkedSerde('map key', path, descriptor.mapKeySerde);
  if (descriptor.kind === 'fold') graph.checkedFunction('function that folds', descriptor.fold, path);
  if (ttl !== null && !(Number.isFinite(ttl.ms) && ttl.ms > 0)) {
    graph.addFault(
      path,
      `the time to live of the state "${name}" is ${String(ttl.ms)} ms.`,
      'Give a positive number.',
    );
  }
  const common = {
    name,
    keySerde,
    valueSerde,
    logged: true,
    changelogConfig: {},
    persistence: 'default',
  } as const;
  if (!isGrouped(descriptor)) {
    graph.addStore({ ...common, kind: 'keyValue', layout: `${descriptor.kind} state` }, path);
    return;
  }
  const { mapKeySerde = null } = descriptor;
  const mapKey = mapKeySerde === null ? '' : ` by ${mapKeySerde.name}`;
  graph.addStore(
    {
      ...common,
      kind: 'ordered',
      resident: false,
      expiry: null,
      layout: `${descriptor.kind} state${mapKey}`,
      inside: mapKeySerde === null ? [] : [{ serde: mapKeySerde, part: 'key', role: 'map' }],
    },
    path,
  );
}

function declareTimers(graph: TopologyGraph, name: string, path: string): void {
  graph.checkedName('store name', name, path, INTERNAL_NAME_LENGTH_MAX);
  declareResidentRows(graph, name, 'timers', path);
}
