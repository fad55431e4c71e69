// Owns how a join of two tables by their key is drawn: a node for each direction, and the merge that gives the joined table. Nodes and
// names are those of KTableImpl.doJoin of Kafka Streams.
import type { GraphNode, TopologyGraph } from '../graph.ts';
import type { AggregateStore as TableStore } from '../operators/aggregate.ts';
import type { Operator } from '../operators/operator.ts';
import { tableJoinMergeOperator, tableTableJoinOperator } from '../operators/table-table-join.ts';
import type { TableJoiner, TableView } from '../operators/table-view.ts';
import { latestOnly } from '../operators/versioned-store.ts';
import type { Named } from '../options.ts';
import type { TableState } from './factory.ts';
import { declareStore, viewOfStore } from './materializing.ts';
import type { LooseMaterialized } from './materializing.ts';

export interface TableJoinRequest {
  readonly method: 'join' | 'leftJoin' | 'outerJoin';
  readonly left: TableState;
  readonly right: TableState;
  readonly joiner: TableJoiner;
  readonly materialized: LooseMaterialized | undefined;
  readonly named: Named | undefined;
}

const VIEW_KINDS = { join: 'inner', leftJoin: 'left', outerJoin: 'outer' } as const;
const OTHER_KINDS = { join: 'inner', leftJoin: 'right', outerJoin: 'outer' } as const;

export function addTableTableJoin(graph: TopologyGraph, request: TableJoinRequest): TableState {
  const { method, left, right, joiner, named } = request;
  const materialized = request.materialized ?? undefined;
  const label = typeof materialized?.name !== 'string' ? '' : JSON.stringify(materialized.name);
  const path = `${left.path}.${method}(${label})`;
  graph.checkedFunction('joiner', joiner, path);
  const given = typeof named === 'object' ? named?.name : named;
  const suffixed = (suffix: string): string | undefined => (given === undefined ? undefined : given + suffix);
  const mergeName = graph.nodeName('KTABLE-MERGE-', given, path);
  const leftName = graph.nodeName('KTABLE-JOINTHIS-', suffixed('-join-this'), path);
  const rightName = graph.nodeName('KTABLE-JOINOTHER-', suffixed('-join-other'), path);
  if (typeof named === 'object')
    for (const node of [mergeName, leftName, rightName])
      graph.setFailurePolicy(node, named.failurePolicy, path);
  // A change to nothing from nothing must be known where it would come out.
  if (method !== 'join') left.enableSendingOldValues();
  if (method === 'outerJoin') right.enableSendingOldValues();

  let store: TableStore | null = null;
  let { keySerde } = left;
  if (materialized !== undefined) {
    keySerde = graph.checkedSerde('key', path, materialized.keySerde, left.keySerde);
    const valueSerde = graph.checkedSerde('value', path, materialized.valueSerde);
    store = declareStore(graph, path, materialized, { key: keySerde, value: valueSerde }, true);
  }
  const options = { sendOldValues: false };
  const process = (name: string, parents: readonly GraphNode[], operator: Operator): GraphNode =>
    graph.addNode({ kind: 'processor', name, path, parents, children: [], operator });
  const side = (table: TableState, operator: Operator): Operator =>
    table.isVersioned === true ? latestOnly(operator, true) : operator;
  const leftJoin = process(
    leftName,
    [left.node],
    side(
      left,
      tableTableJoinOperator({
        kind: VIEW_KINDS[method],
        isLeft: true,
        other: right.view,
        joiner,
        options,
      }),
    ),
  );
  const rightJoin = process(
    rightName,
    [right.node],
    side(
      right,
      tableTableJoinOperator({
        kind: OTHER_KINDS[method],
        isLeft: false,
        other: left.view,
        joiner,
        options,
      }),
    ),
  );
  const sources = [...new Set([...left.sources, ...right.sources])];
  if (sources.length > 1) graph.coPartitions.push({ operator: mergeName, sources });
  const view: TableView =
    store === null
      ? {
          store: '',
          keySerde,
          steps: [],
          joined: { left: left.view, right: right.view, kind: VIEW_KINDS[method], joiner },
        }
      : viewOfStore(store);
  return {
    node: process(mergeName, [leftJoin, rightJoin], tableJoinMergeOperator(store, options)),
    path,
    keySerde,
    valueSerde: store?.valueSerde ?? null,
    sources,
    view,
    isVersioned: store?.versioned !== undefined,
    enableSendingOldValues: () => {
      if (options.sendOldValues) return;
      options.sendOldValues = true;
      left.enableSendingOldValues();
      right.enableSendingOldValues();
    },
  };
}
