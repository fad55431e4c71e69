// Owns the topology as plain data, for whoever draws it or looks nodes up by name: JSON-safe, the same nodes as describe().
import type { NodeGroup } from './build/sub-topologies.ts';
import { topicText } from './describe.ts';
import type { GlobalStoreDeclaration, GraphNode, StoreDeclaration } from './graph.ts';

export interface DescribedNode {
  readonly name: string;
  readonly kind: 'source' | 'processor' | 'sink';
  /** It reads or writes a repartition topic: the application id and a hyphen go before its name. */
  readonly internal: boolean;
  /** Of a source: what it reads. */
  readonly topics: readonly string[];
  /** Of a sink: what it writes; `null`: chosen record by record, or no sink. */
  readonly topic: string | null;
  /** Of a processor. */
  readonly stores: readonly string[];
  readonly globalStores: readonly string[];
  /** Names of the nodes behind it; `side`: the side output that goes there. */
  readonly children: readonly { readonly name: string; readonly side: string | null }[];
}

export interface DescribedStore {
  readonly name: string;
  readonly kind: 'keyValue' | 'ordered';
  /** It has a changelog topic. */
  readonly logged: boolean;
  readonly persistence: 'default' | 'memory';
}

export interface DescribedSubTopology {
  readonly id: number;
  readonly nodes: readonly DescribedNode[];
  readonly stores: readonly DescribedStore[];
}

export interface DescribedTopology {
  readonly subTopologies: readonly DescribedSubTopology[];
  readonly globalStores: readonly { readonly name: string; readonly topic: string }[];
}

export function describeAsGraph(
  groups: readonly NodeGroup[],
  stores: readonly StoreDeclaration[],
  globalStores: readonly GlobalStoreDeclaration[],
): DescribedTopology {
  const byName = new Map(stores.map(({ spec }) => [spec.name, spec]));
  return {
    subTopologies: groups.map(({ id, nodes }) => {
      const used = new Set(nodes.flatMap((node) => (node.kind === 'processor' ? node.operator.stores : [])));
      return {
        id,
        nodes: nodes.map(describeNode),
        stores: [...used].map((name) => {
          const { kind, logged, persistence } = byName.get(name)!;
          return { name, kind, logged, persistence };
        }),
      };
    }),
    globalStores: globalStores.map(({ spec: { name, topic } }) => ({ name, topic })),
  };
}

function describeNode(node: GraphNode): DescribedNode {
  const isSource = node.kind === 'source';
  const isProcessor = node.kind === 'processor';
  const internal =
    (isSource && node.source === 'repartition') || (node.kind === 'sink' && node.sink === 'repartition');
  return {
    name: node.name,
    kind: node.kind,
    internal,
    topics: isSource ? node.topics.map((topic) => topicText(topic, internal)) : [],
    topic: node.kind === 'sink' && typeof node.topic === 'string' ? topicText(node.topic, internal) : null,
    stores: isProcessor ? [...node.operator.stores] : [],
    globalStores: isProcessor ? [...(node.operator.globalStores ?? [])] : [],
    children: node.children.map((child) => ({
      name: child.name,
      side: child.kind === 'processor' ? (child.side ?? null) : null,
    })),
  };
}
