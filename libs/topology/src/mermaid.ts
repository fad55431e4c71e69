// Owns the drawing of a topology as a Mermaid flowchart: topics, processors, stores, one box per sub-topology.
import type { NodeGroup } from './build/sub-topologies.ts';
import { topicText } from './describe.ts';
import type { GlobalStoreDeclaration, GraphNode } from './graph.ts';

export function describeAsMermaid(
  groups: readonly NodeGroup[],
  globalStores: readonly GlobalStoreDeclaration[] = [],
): string {
  const ids = new Map<string, string>();
  const idOf = (kind: string, name: string): string => {
    const key = `${kind} ${name}`;
    let id = ids.get(key);
    if (id === undefined) ids.set(key, (id = `${kind}${ids.size}`));
    return id;
  };
  const nodeId = (node: GraphNode): string => idOf('n', node.name);
  const topics = new Map<string, string>();
  const topicId = (topic: string): string => {
    const id = idOf('t', topic);
    topics.set(id, topic);
    return id;
  };

  const boxes: string[] = [];
  const arrows: string[] = [];
  for (const { id, nodes } of groups) {
    boxes.push(`  subgraph sub${id}["Sub-topology ${id}"]`);
    const stores = new Set<string>();
    for (const node of nodes) {
      if (node.kind === 'processor') {
        boxes.push(`    ${nodeId(node)}["${node.name}"]`);
        for (const store of node.operator.stores) {
          stores.add(store);
          arrows.push(`  ${nodeId(node)} --- ${idOf('s', store)}`);
        }
        for (const store of node.operator.globalStores ?? []) {
          arrows.push(`  ${nodeId(node)} --- ${idOf('s', store)}`);
        }
      } else {
        boxes.push(`    ${nodeId(node)}(["${node.name}"])`);
      }
      if (node.kind === 'source') {
        for (const topic of node.topics) {
          arrows.push(`  ${topicId(topicText(topic, node.source === 'repartition'))} --> ${nodeId(node)}`);
        }
      }
      if (node.kind === 'sink') {
        const target =
          typeof node.topic === 'string'
            ? topicText(node.topic, node.sink === 'repartition')
            : 'chosen by record';
        arrows.push(`  ${nodeId(node)} --> ${topicId(target)}`);
      }
      for (const child of node.children) {
        const side = child.kind === 'processor' ? child.side : undefined;
        const arrow = side === undefined ? '-->' : `-. ${mermaidText(side)} .->`;
        arrows.push(`  ${nodeId(node)} ${arrow} ${nodeId(child)}`);
      }
    }
    for (const store of stores) boxes.push(`    ${idOf('s', store)}[("${store}")]`);
    boxes.push('  end');
  }
  if (globalStores.length > 0) boxes.push('  subgraph global["Global stores"]');
  for (const { spec } of globalStores) {
    boxes.push(`    ${idOf('s', spec.name)}[("${spec.name}")]`);
    arrows.push(`  ${topicId(spec.topic)} --> ${idOf('s', spec.name)}`);
  }
  if (globalStores.length > 0) boxes.push('  end');
  const topicLines = [...topics].map(([id, topic]) => `  ${id}[/"${topic}"/]`);
  return ['flowchart TD', ...topicLines, ...boxes, ...arrows, ''].join('\n');
}

/** A tag may be any text; a label of a chart may not. */
function mermaidText(text: string): string {
  return `"${text.replaceAll(/["\n\r]/g, "'")}"`;
}
