// Owns the checks that need the whole graph: duplicates and cycles. Faults of single operators were collected while it was drawn.
import type { TopologyFault } from '../faults.ts';
import { retryTopicFaults } from './retry-topics.ts';
import type { GraphNode, SinkNode, SourceNode, TopologyGraph } from '../graph.ts';

/** Every fault of the topology, those of single operators first. Empty: it can be built. */
export function checkGraph(graph: TopologyGraph): TopologyFault[] {
  return [
    ...graph.faults,
    ...checkSources(graph),
    ...checkDuplicateNames(graph),
    ...checkConnectedStores(graph),
    ...checkCycles(graph.nodes),
    ...retryTopicFaults(graph),
  ];
}

function checkSources(graph: TopologyGraph): TopologyFault[] {
  const faults: TopologyFault[] = [];
  const readers = new Map<string, string>();
  let sources = 0;
  for (const node of graph.nodes) {
    if (node.kind !== 'source') continue;
    sources++;
    if (node.source === 'repartition') continue;
    for (const topic of node.topics) {
      const first = readers.get(topic);
      if (first === undefined) {
        readers.set(topic, node.path);
        continue;
      }
      faults.push({
        path: node.path,
        problem: `the topic "${topic}" is read twice, first by ${first}.`,
        remedy: 'Keep what the first call returned and build on it.',
      });
    }
  }
  for (const { spec, path } of graph.globalStores) {
    const first = readers.get(spec.topic);
    if (first === undefined) readers.set(spec.topic, path);
    else {
      faults.push({
        path,
        problem: `the topic "${spec.topic}" is read twice, first by ${first}.`,
        remedy: 'Keep what the first call returned and build on it.',
      });
    }
  }
  if (sources === 0) {
    faults.push({
      path: 'the topology',
      problem: 'it reads no topic.',
      remedy: 'Start with stream(…) or table(…).',
    });
  }
  return faults;
}

function checkDuplicateNames(graph: TopologyGraph): TopologyFault[] {
  const faults: TopologyFault[] = [];
  const check = (what: string, named: readonly { name: string; path: string }[], remedy: string): void => {
    const first = new Map<string, string>();
    for (const { name, path } of named) {
      const earlier = first.get(name);
      if (earlier === undefined) first.set(name, path);
      else faults.push({ path, problem: `the ${what} "${name}" is taken by ${earlier}.`, remedy });
    }
  };
  const stores = [...graph.stores, ...graph.globalStores].map(({ spec, path }) => ({
    name: spec.name,
    path,
  }));
  check('store name', stores, 'Give every store its own name.');
  check('repartition name', graph.repartitions, 'Give every repartition its own name.');
  // The nodes of a repartition are named after it: a second one is told once, above.
  const repartitionPaths = new Set(graph.repartitions.map(({ name }) => `${name}-repartition`));
  const nodes = graph.nodes.filter(
    ({ name }) =>
      typeof name === 'string' && !repartitionPaths.has(name.replace(/-(filter|sink|source)$/, '')),
  );
  check('name', nodes, 'Give every operator its own name, or none.');
  return faults;
}

function checkConnectedStores(graph: TopologyGraph): TopologyFault[] {
  const known = new Set(graph.stores.map(({ spec }) => spec.name));
  return graph.nodes.flatMap((node) =>
    node.kind !== 'processor'
      ? []
      : node.operator.stores
          .filter((name) => !known.has(name))
          .map((name) => ({
            path: node.path,
            problem: `it is connected with the store "${name}", which is not declared.`,
            remedy: 'Give the builder instead of the name, or declare it with addStateStore(…).',
          })),
  );
}

/** A record must not come round to where it was: through topics that the topology both writes and reads. */
function checkCycles(nodes: readonly GraphNode[]): TopologyFault[] {
  const readersOf = new Map<string, SourceNode[]>();
  for (const node of nodes) {
    if (node.kind !== 'source' || node.source === 'repartition') continue;
    for (const topic of node.topics) readersOf.set(topic, [...(readersOf.get(topic) ?? []), node]);
  }
  const readersOfSink = (sink: SinkNode): readonly SourceNode[] => {
    if (sink.readBy !== null) return [sink.readBy];
    return typeof sink.topic === 'string' ? (readersOf.get(sink.topic) ?? []) : [];
  };

  const faults: TopologyFault[] = [];
  const told = new Set<GraphNode>();
  for (const node of nodes) {
    if (node.kind !== 'sink' || node.sink === 'repartition' || told.has(node)) continue;
    const way = wayBack(node, readersOfSink);
    if (way === null) continue;
    for (const sink of way) told.add(sink);
    const topics = way.map((sink) =>
      sink.readBy === null ? String(sink.topic) : `${String(sink.topic)}-repartition`,
    );
    faults.push({
      path: node.path,
      problem: `records would go in a circle: ${[...topics, topics[0]].join(' → ')}.`,
      remedy: 'Write to another topic than those that are read upstream.',
    });
  }
  return faults;
}

/** The sinks passed on the way from `start` round to itself; `null`: there is none. */
function wayBack(
  start: SinkNode,
  readersOfSink: (sink: SinkNode) => readonly SourceNode[],
): SinkNode[] | null {
  const seen = new Set<GraphNode>();
  const visit = (node: GraphNode, passed: readonly SinkNode[]): SinkNode[] | null => {
    if (seen.has(node)) return null;
    seen.add(node);
    const isSink = node.kind === 'sink';
    for (const next of isSink ? readersOfSink(node) : node.children) {
      const way =
        next === start ? [...passed] : visit(next, next.kind === 'sink' ? [...passed, next] : passed);
      if (way !== null) return way;
    }
    return null;
  };
  return visit(start, [start]);
}
