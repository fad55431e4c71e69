// Owns the text of a topology in the layout of Kafka Streams' TopologyDescription, so that tools that read one read ours.
import type { NodeGroup } from './build/sub-topologies.ts';
import type { GlobalStoreDeclaration, GraphNode } from './graph.ts';

/** Global stores come last: Kafka Streams numbers them among the sub-topologies, where they would take numbers from tasks. */
export function describeTopology(
  groups: readonly NodeGroup[],
  globalStores: readonly GlobalStoreDeclaration[] = [],
): string {
  const globals = globalStores.map((store, index) => describeGlobalStore(groups.length + index, store));
  return `Topologies:\n ${groups.map(describeGroup).join('')}${globals.join('')}`;
}

function describeGlobalStore(id: number, declared: GlobalStoreDeclaration): string {
  const { spec, sourceName, processorName } = declared;
  return [
    `  Sub-topology: ${id} for global store (will not generate tasks)`,
    `    Source: ${sourceName} (topics: [${spec.topic}])`,
    `      --> ${processorName}`,
    `    Processor: ${processorName} (stores: [${spec.name}])`,
    '      --> none',
    `      <-- ${sourceName}`,
    '',
  ].join('\n');
}

function describeGroup({ id, nodes }: NodeGroup): string {
  const byRank = ranking(nodes);
  const text = [...nodes].sort(byRank).map((node) => `    ${describeNode(node, byRank)}\n`);
  return `  Sub-topology: ${id}\n${text.join('')}\n`;
}

type Ranking = (a: GraphNode, b: GraphNode) => number;

/** Nodes with more below them first, then by name. */
function ranking(nodes: readonly GraphNode[]): Ranking {
  const sizes = new Map<GraphNode, number>();
  // Children are declared after their parents.
  for (let index = nodes.length - 1; index >= 0; index--) {
    const node = nodes[index]!;
    sizes.set(
      node,
      node.children.reduce((size, child) => size + sizes.get(child)!, 1),
    );
  }
  return (a, b) => sizes.get(b)! - sizes.get(a)! || (a.name < b.name ? -1 : 1);
}

function describeNode(node: GraphNode, byRank: Ranking): string {
  const names = (others: readonly GraphNode[]): string =>
    others.length === 0
      ? 'none'
      : [...others]
          .sort(byRank)
          .map(({ name }) => name)
          .join(', ');
  if (node.kind === 'source') {
    const topics = node.topics.map((topic) => topicText(topic, node.source === 'repartition'));
    return `Source: ${node.name} (topics: [${topics.join(', ')}])\n      --> ${names(node.children)}`;
  }
  if (node.kind === 'sink') {
    const target =
      typeof node.topic === 'string'
        ? `topic: ${topicText(node.topic, node.sink === 'repartition')}`
        : `extractor class: ${node.topic.name || 'function'}`;
    return `Sink: ${node.name} (${target})\n      <-- ${names(node.parents)}`;
  }
  const stores = node.operator.stores.join(', ');
  return `Processor: ${node.name} (stores: [${stores}])\n      --> ${names(node.children)}\n      <-- ${names(node.parents)}`;
}

/** Repartition topics without the application id, which a topology does not know. */
export function topicText(topic: string, isRepartition: boolean): string {
  return isRepartition ? `${topic}-repartition` : topic;
}
