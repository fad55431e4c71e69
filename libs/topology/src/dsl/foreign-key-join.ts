// Owns how a foreign-key join of tables is drawn: a topic of subscriptions to the other table, a topic of responses back, and what stands
// at their ends. Nodes and names are those of KTableImpl.doJoinOnForeignKey of Kafka Streams; its topics end in `-topic`, ours in `-repartition`.
import type { AnySerde, GraphNode, SourceNode, TopologyGraph } from '../graph.ts';
import { INTERNAL_NAME_LENGTH_MAX } from '../names.ts';
import {
  foreignTableJoinOperator,
  responseJoinOperator,
  subscriptionJoinOperator,
  subscriptionReceiveOperator,
  subscriptionSendOperator,
  unkeptTableOperator,
} from '../operators/foreign-key-join.ts';
import type { ForeignKeyExtractor } from '../operators/foreign-key-join.ts';
import {
  responseSerde,
  storedSubscriptionSerde,
  subscriptionSerde,
} from '../operators/foreign-key-messages.ts';
import type { SubscriptionResponse } from '../operators/foreign-key-messages.ts';
import type { Operator } from '../operators/operator.ts';
import { tableSourceOperator } from '../operators/table.ts';
import type { TableJoiner } from '../operators/table-view.ts';
import { latestOnly } from '../operators/versioned-store.ts';
import type { TableJoined } from '../options/table-joined.ts';
import type { StreamPartitioner } from '../plan.ts';
import { sendOldValuesUpwards } from './factory.ts';
import type { TableState } from './factory.ts';
import { addRepartitionTopic } from './repartitioning.ts';
import { declareStore, viewOfStore } from './materializing.ts';
import type { LooseMaterialized } from './materializing.ts';

type Loose = NonNullable<unknown>;
export type LooseTableJoined = Partial<TableJoined<Loose, Loose, Loose, Loose>>;

export interface ForeignKeyJoinRequest {
  readonly left: boolean;
  readonly table: TableState;
  readonly foreign: TableState;
  readonly extractor: ForeignKeyExtractor;
  readonly joiner: TableJoiner;
  readonly joined: LooseTableJoined | undefined;
  readonly materialized: LooseMaterialized | undefined;
}

/** Kafka Streams counts so many names, whether they are given or not. */
const NAMES = 13;
const SUFFIX_LENGTH_MAX = '-subscription-registration'.length;

export function addForeignKeyJoin(graph: TopologyGraph, request: ForeignKeyJoinRequest): TableState {
  const { left, table, foreign, extractor, joiner, materialized } = request;
  const joined = request.joined ?? {};
  const label = typeof joined.name === 'string' ? JSON.stringify(joined.name) : '';
  const path = `${table.path}.${left ? 'leftJoin' : 'join'}(${label})`;
  graph.checkedFunction('foreign key extractor', extractor, path);
  graph.checkedFunction('joiner', joiner, path);
  graph.skipNames(materialized === undefined ? NAMES + 1 : NAMES);
  const base = checkedBase(graph, joined.name, path);
  // An old foreign key must be told that it is not wanted any more.
  table.enableSendingOldValues();

  const valueSerde = graph.checkedSerde('value', path, joined.valueSerde, table.valueSerde);
  const foreignSerde = graph.checkedSerde('other value', path, joined.otherValueSerde, foreign.valueSerde);
  const store = {
    name: `${base}-subscription-store`,
    foreignKeySerde: foreign.keySerde,
    primaryKeySerde: table.keySerde,
  };
  const process = (suffix: string, parent: GraphNode, operator: Operator): GraphNode =>
    graph.addNode({
      kind: 'processor',
      name: base + suffix,
      path,
      parents: [parent],
      children: [],
      operator,
    });

  const serdes = { foreignKey: foreign.keySerde, value: valueSerde };
  const send = process(
    '-subscription-registration-processor',
    table.node,
    ofLatest(table, subscriptionSendOperator(extractor, serdes, left)),
  );
  const { otherPartitioner, partitioner } = joined;
  const subscriptions = addTopic(graph, {
    name: `${base}-subscription-registration`,
    path,
    parents: [send],
    keySerde: foreign.keySerde,
    valueSerde: subscriptionSerde(table.keySerde),
    partitioner:
      otherPartitioner === undefined
        ? null
        : (topic, key, _value, count) => otherPartitioner(topic, key as Loose | null, null, count),
    copartitionedWith: foreign.sources,
  });
  graph.addStore(
    {
      kind: 'ordered',
      name: store.name,
      keySerde: foreign.keySerde,
      valueSerde: storedSubscriptionSerde,
      logged: true,
      changelogConfig: {},
      persistence: 'default',
      layout: `foreign-key-subscriptions(${table.keySerde.name})`,
      resident: false,
      expiry: null,
    },
    path,
  );
  const receive = process('-subscription-receive', subscriptions, subscriptionReceiveOperator(store));
  const answer = process('-subscription-join-foreign', receive, subscriptionJoinOperator(foreign.view));
  const answerAll = process(
    '-foreign-join-subscription',
    foreign.node,
    ofLatest(foreign, foreignTableJoinOperator(store)),
  );
  const responses = addTopic(graph, {
    name: `${base}-subscription-response`,
    path,
    parents: [answer, answerAll],
    keySerde: table.keySerde,
    valueSerde: responseSerde(foreignSerde),
    partitioner:
      partitioner === undefined
        ? (_topic, _key, value) => (value as SubscriptionResponse).partition
        : (topic, key, _value, count) => partitioner(topic, key as Loose, null, count),
    copartitionedWith: table.sources,
  });
  const resolve = process(
    '-subscription-response-resolver',
    responses,
    responseJoinOperator(table.view, valueSerde, joiner, left),
  );
  const sources = [...new Set([...table.sources, responses])];
  const result = { path, sources };
  if (materialized === undefined) {
    const unkept = (): void =>
      graph.addFault(
        path,
        'the joined table is not kept, but an operator downstream looks it up or needs its old values.',
        'Keep it: give the join a Materialized with a name and a value serde.',
      );
    return {
      ...result,
      node: process('-result', resolve, unkeptTableOperator),
      keySerde: table.keySerde,
      valueSerde: null,
      view: { store: '', keySerde: table.keySerde, steps: [], unkept },
      enableSendingOldValues: unkept,
    };
  }
  const keySerde = graph.checkedSerde('key', path, materialized.keySerde, table.keySerde);
  const resultSerde = graph.checkedSerde('value', path, materialized.valueSerde);
  const kept = declareStore(graph, path, materialized, { key: keySerde, value: resultSerde }, true);
  const changes = { sendOldValues: false };
  return {
    ...result,
    node: process('-result', resolve, tableSourceOperator(kept, changes)),
    keySerde,
    valueSerde: resultSerde,
    view: viewOfStore(kept),
    isVersioned: kept.versioned !== undefined,
    enableSendingOldValues: sendOldValuesUpwards(changes, null),
  };
}

const ofLatest = (table: TableState, operator: Operator): Operator =>
  table.isVersioned === true ? latestOnly(operator, true) : operator;

function checkedBase(graph: TopologyGraph, name: string | undefined, path: string): string {
  if (name === undefined) {
    graph.addFault(
      path,
      'the subscription store and the topics between the tables have no name.',
      'Name them: TableJoined.as("…"), and never change it.',
    );
    return `unnamed-${graph.nodes.length}`;
  }
  graph.checkedName('name', name, path, INTERNAL_NAME_LENGTH_MAX - SUFFIX_LENGTH_MAX);
  return name;
}

interface TopicRequest {
  readonly name: string;
  readonly path: string;
  readonly parents: readonly GraphNode[];
  readonly keySerde: AnySerde;
  readonly valueSerde: AnySerde;
  readonly partitioner: StreamPartitioner | null;
  readonly copartitionedWith: readonly SourceNode[];
}

function addTopic(graph: TopologyGraph, request: TopicRequest): SourceNode {
  const { name, path, parents, keySerde, valueSerde, partitioner } = request;
  const { source } = addRepartitionTopic(graph, {
    name,
    sinkName: `${name}-sink`,
    sourceName: `${name}-source`,
    path,
    parents,
    keySerde,
    valueSerde,
    partitioner,
    partitionCount: null,
  });
  graph.coPartitions.push({ operator: source.name, sources: [...request.copartitionedWith, source] });
  return source;
}
