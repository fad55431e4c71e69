// Owns the grouped table that users hold: each aggregation adds a repartition of changes and the operator that applies them.
import { Serdes } from '#libs/serde';
import type { AnySerde, GraphNode, SourceNode, TopologyGraph } from '../graph.ts';
import { INTERNAL_NAME_LENGTH_MAX } from '../names.ts';
import type { AggregateStore, Aggregator, Initializer, Reducer } from '../operators/aggregate.ts';
import { changeSerde } from '../operators/change.ts';
import {
  aggregateTableOperator,
  countTableOperator,
  groupTableOperator,
  reduceTableOperator,
} from '../operators/grouped-table.ts';
import type { GroupKeySerde } from '../operators/grouped-table.ts';
import type { Operator } from '../operators/operator.ts';
import type { RecordMapper } from '../operators/stateless.ts';
import { withVersions } from '../operators/versioned-aggregate.ts';
import { latestOnly } from '../operators/versioned-store.ts';
import type { ChangeOptions } from '../operators/table.ts';
import type { Grouped, Named } from '../options.ts';
import { sendOldValuesUpwards } from './factory.ts';
import type { DslFactory, TableState } from './factory.ts';
import { addRepartitionTopic } from './repartitioning.ts';
import type { KGroupedTable } from './grouped-table-types.ts';
import type { KTableImpl } from './ktable.ts';
import { declareStore, viewOfStore } from './materializing.ts';
import { labelOf } from '../names.ts';
import type { LooseMaterialized } from './materializing.ts';
import type { Untyped } from './types.ts';

type LooseGrouped = Grouped<NonNullable<unknown>, NonNullable<unknown>>;

/** `KTable.groupBy`. */
export function groupTable(
  dsl: DslFactory,
  table: TableState,
  selector: RecordMapper,
  given?: LooseGrouped,
): KGroupedTableImpl {
  const { graph } = dsl;
  const path = `${table.path}.groupBy(${labelOf(given)})`;
  const grouped = graph.checkedOptions(given, path);
  graph.checkedFunction('selector', selector, path);
  const name = graph.nodeName('KTABLE-SELECT-', grouped.name, path);
  // What leaves a group must be known.
  table.enableSendingOldValues();
  const keys: GroupKeySerde = { keySerde: (grouped.keySerde as AnySerde | undefined) ?? null };
  const operator = groupTableOperator(selector, keys);
  const node = graph.addNode({
    kind: 'processor',
    name,
    path,
    parents: [table.node],
    children: [],
    operator: table.isVersioned === true ? latestOnly(operator, false) : operator,
  });
  return new KGroupedTableImpl(dsl, { node, path, grouped, keys });
}

interface GroupedTableState {
  readonly node: GraphNode;
  readonly path: string;
  readonly grouped: LooseGrouped;
  readonly keys: GroupKeySerde;
}

export class KGroupedTableImpl implements Untyped<KGroupedTable<unknown, unknown>> {
  readonly #dsl: DslFactory;
  readonly #state: GroupedTableState;
  /** Shared by the aggregations of a named group; without a name each has its own, named after its store. */
  #repartition: SourceNode | null = null;

  constructor(dsl: DslFactory, state: GroupedTableState) {
    this.#dsl = dsl;
    this.#state = state;
  }

  count(materialized: LooseMaterialized, named?: Named): KTableImpl {
    const operatorOf = (store: AggregateStore, options: ChangeOptions): Operator =>
      countTableOperator(store, options);
    return this.#fold(
      'count',
      'KTABLE-AGGREGATE-',
      materialized,
      named,
      Serdes.safeInteger(),
      operatorOf,
      {},
    );
  }

  reduce(adder: Reducer, subtractor: Reducer, materialized: LooseMaterialized, named?: Named): KTableImpl {
    const operatorOf = (store: AggregateStore, options: ChangeOptions): Operator =>
      reduceTableOperator(store, adder, subtractor, options);
    const { valueSerde } = this.#state.grouped;
    return this.#fold('reduce', 'KTABLE-REDUCE-', materialized, named, valueSerde ?? null, operatorOf, {
      adder,
      subtractor,
    });
  }

  aggregate(
    initializer: Initializer,
    adder: Aggregator,
    subtractor: Aggregator,
    materialized: LooseMaterialized,
    named?: Named,
  ): KTableImpl {
    const functions = { initializer, adder, subtractor };
    const operatorOf = (store: AggregateStore, options: ChangeOptions): Operator =>
      aggregateTableOperator(store, functions, options);
    return this.#fold('aggregate', 'KTABLE-AGGREGATE-', materialized, named, null, operatorOf, functions);
  }

  #fold(
    method: string,
    prefix: string,
    given: LooseMaterialized | undefined,
    named: Named | undefined,
    defaultValueSerde: object | null,
    operatorOf: (store: AggregateStore, options: ChangeOptions) => Operator,
    functions: Readonly<Record<string, unknown>>,
  ): KTableImpl {
    const { graph } = this.#dsl;
    const { keys, grouped } = this.#state;
    const materialized = given ?? {};
    const label = typeof materialized.name !== 'string' ? '' : JSON.stringify(materialized.name);
    const path = `${this.#state.path}.${method}(${label})`;
    for (const [what, fn] of Object.entries(functions)) graph.checkedFunction(what, fn, path);

    const suffixed = (suffix: string): Named | undefined =>
      named === undefined ? undefined : `${typeof named === 'string' ? named : named?.name}${suffix}`;
    const sinkName = graph.nodeName('KSTREAM-SINK-', suffixed('-sink'), path);
    const sourceName = graph.nodeName('KSTREAM-SOURCE-', suffixed('-source'), path);
    const name = graph.nodeName(prefix, named, path);
    const key = graph.checkedSerde('key', path, materialized.keySerde, keys.keySerde);
    keys.keySerde ??= key;
    const value = graph.checkedSerde('value', path, materialized.valueSerde, defaultValueSerde);
    if (this.#repartition === null || grouped.name === undefined) {
      const groupValue = graph.checkedSerde('value', this.#state.path, grouped.valueSerde);
      this.#repartition = addChangeRepartition(graph, {
        parent: this.#state.node,
        path,
        name: grouped.name ?? materialized.name ?? null,
        sinkName,
        sourceName,
        keySerde: keys.keySerde,
        valueSerde: changeSerde(groupValue),
      });
    }
    const store = declareStore(graph, path, materialized, { key, value }, true);
    const options: ChangeOptions = { sendOldValues: false };
    const node = graph.addNode({
      kind: 'processor',
      name,
      path,
      parents: [this.#repartition],
      children: [],
      operator: withVersions(operatorOf(store, options), store),
    });
    return this.#dsl.table({
      node,
      path,
      keySerde: key,
      valueSerde: value,
      sources: [this.#repartition],
      view: viewOfStore(store),
      isVersioned: store.versioned !== undefined,
      enableSendingOldValues: sendOldValuesUpwards(options, null),
    });
  }
}

interface ChangeRepartition {
  readonly parent: GraphNode;
  readonly path: string;
  readonly name: string | null;
  readonly sinkName: string;
  readonly sourceName: string;
  readonly keySerde: AnySerde;
  readonly valueSerde: AnySerde;
}

/** A repartition without the filter for null keys: a grouped table has none. */
function addChangeRepartition(graph: TopologyGraph, request: ChangeRepartition): SourceNode {
  const { parent, path, keySerde, valueSerde } = request;
  let { name } = request;
  if (name === null) {
    graph.addFault(
      path,
      'the repartition topic has no name.',
      'Name it: Grouped.as("…"), or name the store.',
    );
    name = `unnamed-${graph.nodes.length}`;
  } else {
    graph.checkedName('repartition name', name, path, INTERNAL_NAME_LENGTH_MAX);
  }
  return addRepartitionTopic(graph, {
    name,
    sinkName: request.sinkName,
    sourceName: request.sourceName,
    path,
    parents: [parent],
    keySerde,
    valueSerde,
    partitioner: null,
    partitionCount: null,
  }).source;
}
