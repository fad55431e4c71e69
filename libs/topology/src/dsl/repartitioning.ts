// Owns the three nodes of a repartition: the filter before the topic, the sink into it, the source out of it.
// They are added together and named after the topic, as in Kafka Streams.
import type { AnySerde, GraphNode, SinkNode, SourceNode, TopologyGraph } from '../graph.ts';
import { INTERNAL_NAME_LENGTH_MAX } from '../names.ts';
import { repartitionFilterOperator } from '../operators/stateless.ts';
import { watermarksUpstream } from '../options/watermarks.ts';
import type { StreamPartitioner } from '../plan.ts';
import { sameEncoding } from '../provenance.ts';

export interface RepartitionRequest {
  readonly parent: GraphNode;
  readonly path: string;
  /** `null`: nobody named it, which is a fault. */
  readonly name: string | null;
  readonly keySerde: AnySerde;
  readonly valueSerde: AnySerde;
  readonly partitionCount: number | null;
  readonly partitioner: StreamPartitioner | null;
  /** The user did not ask for it: an operator needs it. */
  readonly inserted: boolean;
  /** Named on purpose: it is never merged with another one. */
  readonly pinned?: boolean;
  /** How to name it, for the fault. */
  readonly remedy: string;
}

/** Adds the nodes; the source is where the stream goes on. */
export function addRepartition(graph: TopologyGraph, request: RepartitionRequest): SourceNode {
  const { parent, path, keySerde, valueSerde } = request;
  graph.skipNames(3);
  const shared = sharedRepartition(graph, request);
  if (shared !== null) return shared;
  let name = request.name;
  if (name === null) {
    graph.addFault(
      path,
      request.inserted
        ? 'the key was changed upstream, so a repartition topic is needed, and it has no name.'
        : 'the repartition topic has no name.',
      request.remedy,
    );
    name = `unnamed-${graph.nodes.length}`;
  } else {
    graph.checkedName('repartition name', name, path, INTERNAL_NAME_LENGTH_MAX);
  }
  const topic = `${name}-repartition`;
  const filter = graph.addNode({
    kind: 'processor',
    name: `${topic}-filter`,
    path,
    parents: [parent],
    children: [],
    operator: repartitionFilterOperator(() => leftJoinFollows(source)),
  });
  const { sink, source } = addRepartitionTopic(graph, {
    name,
    sinkName: `${topic}-sink`,
    sourceName: `${topic}-source`,
    path,
    parents: [filter],
    keySerde,
    valueSerde,
    partitioner: request.partitioner,
    partitionCount: request.partitionCount,
  });
  if (request.inserted && request.pinned !== true) graph.mergeable.set(filter, sink);
  return source;
}

export interface RepartitionTopic {
  readonly name: string;
  readonly sinkName: string;
  readonly sourceName: string;
  readonly path: string;
  readonly parents: readonly GraphNode[];
  readonly keySerde: AnySerde;
  readonly valueSerde: AnySerde;
  readonly partitioner: StreamPartitioner | null;
  readonly partitionCount: number | null;
}

/**
 * Declares a topic of the application's own with its two ends: the sink into it, then the source out of it. Behind it event time goes by
 * what it went by before: the watermark strategy upstream.
 */
export function addRepartitionTopic(
  graph: TopologyGraph,
  topic: RepartitionTopic,
): { readonly sink: SinkNode; readonly source: SourceNode } {
  const { name, path, parents, keySerde, valueSerde, partitioner, partitionCount } = topic;
  const source: SourceNode = {
    kind: 'source',
    name: topic.sourceName,
    path,
    parents: [],
    children: [],
    source: 'repartition',
    topics: [name],
    keySerde,
    valueSerde,
    timestampExtractor: null,
    offsetReset: 'earliest',
    watermarks: watermarksUpstream(parents),
  };
  const sink: SinkNode = graph.addNode({
    kind: 'sink',
    name: topic.sinkName,
    path,
    parents,
    children: [],
    sink: 'repartition',
    topic: name,
    keySerde,
    valueSerde,
    partitioner,
    readBy: source,
  });
  graph.addNode(source);
  graph.repartitions.push({ name, partitionCount, path });
  return { sink, source };
}

/** One that an operator added before on the same stream, with the same encoding; where merging is on. */
function sharedRepartition(graph: TopologyGraph, request: RepartitionRequest): SourceNode | null {
  const { inserted, pinned = false, parent, keySerde, valueSerde } = request;
  if (!graph.optimizations.mergeRepartitions || !inserted || pinned) return null;
  for (const filter of parent.children) {
    const sink = graph.mergeable.get(filter);
    if (sink === undefined) continue;
    if (sameEncoding(sink.keySerde, keySerde) && sameEncoding(sink.valueSerde, valueSerde))
      return sink.readBy;
  }
  return null;
}

/** Is there a left join anywhere downstream, behind other repartitions too? It wants null keys (KIP-962). */
function leftJoinFollows(start: GraphNode): boolean {
  const waiting: GraphNode[] = [start];
  const seen = new Set<GraphNode>(waiting);
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (node.kind === 'processor' && node.operator.wantsNullKeys) return true;
    const further = node.kind === 'sink' && node.readBy !== null ? [node.readBy] : node.children;
    for (const next of further) {
      if (seen.has(next)) continue;
      seen.add(next);
      waiting.push(next);
    }
  }
  return false;
}
