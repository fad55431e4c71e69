// Owns how a stream–stream join is drawn: two windows that keep the records, two joins that look across, a merge. Nodes, names and
// stores are those of KStreamImplJoin of Kafka Streams.
import type { AnySerde, GraphNode, TopologyGraph } from '../graph.ts';
import { INTERNAL_NAME_LENGTH_MAX } from '../names.ts';
import type { Operator } from '../operators/operator.ts';
import { passThroughOperator } from '../operators/stateless.ts';
import { PerTask } from '../operators/per-task.ts';
import { joinWindowOperator } from '../operators/stream-join-window.ts';
import type { JoinWindowStore } from '../operators/stream-join-window.ts';
import { streamStreamJoinOperator } from '../operators/stream-stream-join.ts';
import type { JoinTime, StreamJoiner } from '../operators/stream-stream-join.ts';
import { Side, unmatchedKeySerde, unmatchedSerde } from '../operators/unmatched-rows.ts';
import { joinWindowsFault } from '../options/join-windows.ts';
import type { JoinWindows } from '../options/join-windows.ts';
import type { StreamJoined } from '../options/stream-joined.ts';
import type { StoreSpec } from '../plan.ts';
import type { StreamState } from './factory.ts';
import { addRepartition } from './repartitioning.ts';

export type LooseStreamJoined = StreamJoined<
  NonNullable<unknown>,
  NonNullable<unknown>,
  NonNullable<unknown>
>;

export interface StreamStreamJoinRequest {
  readonly method: 'join' | 'leftJoin' | 'outerJoin';
  readonly left: StreamState;
  readonly right: StreamState;
  readonly joiner: StreamJoiner;
  readonly windows: JoinWindows;
  readonly joined: LooseStreamJoined | undefined;
}

/** Changelogs outlive the store's own retention by so much, as in Kafka Streams. */
const CHANGELOG_EXTRA_MS = 24 * 60 * 60 * 1000;
const SUFFIX_LENGTH_MAX = '-outer-shared-join-store'.length;

export function addStreamStreamJoin(graph: TopologyGraph, request: StreamStreamJoinRequest): StreamState {
  const { method, windows, joiner } = request;
  const joined = request.joined ?? {};
  const leftOuter = method !== 'join';
  const rightOuter = method === 'outerJoin';
  const base = joined.storeName ?? joined.name ?? null;
  const path = `${request.left.path}.${method}(${base === null ? '' : JSON.stringify(joined.name ?? base)})`;
  graph.checkedFunction('joiner', joiner, path);
  const fault = joinWindowsFault(windows);
  if (fault !== null) graph.addFault(path, fault.problem, fault.remedy);
  const storeBase = checkedBase(graph, base, joined.name, path);

  const keySerde = graph.checkedSerde(
    'key',
    path,
    joined.keySerde,
    request.left.keySerde,
    request.right.keySerde,
  );
  const leftSerde = graph.checkedSerde('value', path, joined.valueSerde, request.left.valueSerde);
  const rightSerde = graph.checkedSerde(
    'other value',
    path,
    joined.otherValueSerde,
    request.right.valueSerde,
  );
  const topicBase = joined.name ?? joined.storeName ?? null;
  const repartitioned = (stream: StreamState, suffix: string, valueSerde: AnySerde): StreamState =>
    stream.repartitionRequired
      ? throughRepartition(graph, stream, path, topicBase === null ? null : topicBase + suffix, {
          key: joined.keySerde === undefined ? (stream.keySerde ?? keySerde) : keySerde,
          value: valueSerde,
        })
      : stream;
  const left = repartitioned(request.left, '-left', leftSerde);
  const right = repartitioned(request.right, '-right', rightSerde);
  const sources = [...new Set([...left.sources, ...right.sources])];

  // In the order in which Kafka Streams counts its nodes, whether they are named or not.
  const nameOf = (prefix: string, suffix: string): string =>
    graph.nodeName(prefix, joined.name === undefined ? undefined : joined.name + suffix, path);
  const leftWindowName = nameOf('KSTREAM-WINDOWED-', '-this-windowed');
  const rightWindowName = nameOf('KSTREAM-WINDOWED-', '-other-windowed');
  const leftSuffix = rightOuter ? '-outer-this-join' : '-this-join';
  const rightSuffix = leftOuter ? '-outer-other-join' : '-other-join';
  const leftJoinName = nameOf(rightOuter ? 'KSTREAM-OUTERTHIS-' : 'KSTREAM-JOINTHIS-', leftSuffix);
  const rightJoinName = nameOf(leftOuter ? 'KSTREAM-OUTEROTHER-' : 'KSTREAM-JOINOTHER-', rightSuffix);
  const mergeName = nameOf('KSTREAM-MERGE-', '-merge');
  for (const node of [leftJoinName, rightJoinName]) graph.setFailurePolicy(node, joined.failurePolicy, path);

  const { beforeMs = 0, afterMs = 0, graceMs = 0 } = (windows ?? {}) as Partial<JoinWindows>;
  const retentionMs = beforeMs + afterMs + graceMs;
  const common = {
    logged: joined.loggingEnabled ?? true,
    persistence: joined.storeType === 'inMemory' ? ('memory' as const) : ('default' as const),
  };
  const windowStore = (name: string, valueSerde: AnySerde): JoinWindowStore => {
    graph.addStore(
      {
        ...common,
        kind: 'ordered',
        name,
        keySerde,
        valueSerde,
        // Rows are never written twice and never deleted, so there is nothing to compact.
        changelogConfig: {
          ...joined.changelogConfig,
          'cleanup.policy': 'delete',
          'retention.ms': String(retentionMs + CHANGELOG_EXTRA_MS),
        },
        layout: 'stream-join',
        resident: false,
        expiry: { clock: `store/${name}`, retentionMs },
      } satisfies StoreSpec,
      path,
    );
    return { name, keySerde, retentionMs };
  };
  const leftStore = windowStore(`${storeBase}${leftSuffix}-store`, leftSerde);
  const rightStore = windowStore(`${storeBase}${rightSuffix}-store`, rightSerde);
  let unmatchedStore: string | null = null;
  if (leftOuter) {
    unmatchedStore = `${storeBase}${rightOuter ? '-outer-shared-join' : '-left-shared-join'}-store`;
    graph.addStore(
      {
        ...common,
        kind: 'ordered',
        name: unmatchedStore,
        keySerde: unmatchedKeySerde,
        valueSerde: unmatchedSerde(leftSerde, rightSerde),
        changelogConfig: { ...joined.changelogConfig },
        layout: 'stream-join-unmatched',
        resident: true,
        expiry: null,
      },
      path,
    );
  }

  const times = new PerTask<JoinTime>(() => ({ both: null }));
  const process = (name: string, parents: readonly GraphNode[], operator: Operator): GraphNode =>
    graph.addNode({ kind: 'processor', name, path, parents, children: [], operator });
  const leftWindow = process(leftWindowName, [left.node], joinWindowOperator(leftStore));
  const rightWindow = process(rightWindowName, [right.node], joinWindowOperator(rightStore));
  const shared = { unmatchedStore, graceMs, joiner, times };
  const leftJoin = process(
    leftJoinName,
    [leftWindow],
    streamStreamJoinOperator({
      ...shared,
      side: Side.LEFT,
      outer: leftOuter,
      otherStore: rightStore,
      beforeMs,
      afterMs,
    }),
  );
  const rightJoin = process(
    rightJoinName,
    [rightWindow],
    streamStreamJoinOperator({
      ...shared,
      side: Side.RIGHT,
      outer: rightOuter,
      otherStore: leftStore,
      beforeMs: afterMs,
      afterMs: beforeMs,
    }),
  );
  if (sources.length > 1) graph.coPartitions.push({ operator: mergeName, sources });
  return {
    node: process(mergeName, [leftJoin, rightJoin], passThroughOperator),
    path,
    keySerde,
    valueSerde: null,
    sources,
    repartitionRequired: false,
  };
}

function checkedBase(
  graph: TopologyGraph,
  base: string | null,
  name: string | undefined,
  path: string,
): string {
  if (base === null) {
    graph.addFault(
      path,
      'the state stores have no name.',
      'Name them: StreamJoined.as("…"), and never change it.',
    );
    return `unnamed-${graph.nodes.length}`;
  }
  const lengthMax = INTERNAL_NAME_LENGTH_MAX - SUFFIX_LENGTH_MAX;
  graph.checkedName('store name', base, path, lengthMax);
  if (name !== undefined && name !== base) graph.checkedName('name', name, path, lengthMax);
  return base;
}

function throughRepartition(
  graph: TopologyGraph,
  stream: StreamState,
  path: string,
  name: string | null,
  serdes: { readonly key: AnySerde; readonly value: AnySerde },
): StreamState {
  const source = addRepartition(graph, {
    parent: stream.node,
    path,
    name,
    keySerde: serdes.key,
    valueSerde: serdes.value,
    partitionCount: null,
    partitioner: null,
    inserted: true,
    remedy: 'Name it: StreamJoined.as("…").',
  });
  return {
    node: source,
    path,
    keySerde: serdes.key,
    valueSerde: serdes.value,
    sources: [source],
    repartitionRequired: false,
  };
}
