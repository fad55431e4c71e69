// Owns which nodes belong together: those connected without a topic between them, or by a store they share. Numbered as Kafka
// Streams numbers them, by the first node of each in order of declaration.
import type { GraphNode } from '../graph.ts';

export interface NodeGroup {
  readonly id: number;
  /** In order of declaration. */
  readonly nodes: readonly GraphNode[];
}

export function groupNodes(nodes: readonly GraphNode[]): NodeGroup[] {
  const leaders = new Map<GraphNode, GraphNode>(nodes.map((node) => [node, node]));
  const leaderOf = (node: GraphNode): GraphNode => {
    let leader = node;
    for (let next = leaders.get(leader)!; next !== leader; next = leaders.get(leader)!) leader = next;
    return leader;
  };
  const unite = (a: GraphNode, b: GraphNode): void => {
    leaders.set(leaderOf(a), leaderOf(b));
  };

  const firstOfStore = new Map<string, GraphNode>();
  for (const node of nodes) {
    for (const parent of node.parents) unite(node, parent);
    if (node.kind !== 'processor') continue;
    for (const store of node.operator.stores) {
      const first = firstOfStore.get(store);
      if (first === undefined) firstOfStore.set(store, node);
      else unite(node, first);
    }
  }

  const groups = new Map<GraphNode, GraphNode[]>();
  for (const node of nodes) {
    const leader = leaderOf(node);
    const members = groups.get(leader);
    if (members === undefined) groups.set(leader, [node]);
    else members.push(node);
  }
  return [...groups.values()].map((members, id) => ({ id, nodes: members }));
}
