// Owns the way from a drawn graph to a frozen topology: check, group, describe each sub-topology to the runtime.
import { windowSuffixBytes } from '#libs/serde';
import { invalidTopology } from '../faults.ts';
import type { GraphNode, SinkNode, SourceNode, TopologyGraph } from '../graph.ts';
import { describeTopology } from '../describe.ts';
import { describeAsGraph } from '../describe-graph.ts';
import { describeAsMermaid } from '../mermaid.ts';
import type { FailurePolicy } from '../options/failure-policy.ts';
import type { CoPartitionGroup, ReadAhead, SinkSpec, SourceSpec, SubTopology, Topology } from '../plan.ts';
import { encodesAs, incomingKey, storeBehind, traceProvenance } from '../provenance.ts';
import type { Provenance } from '../provenance.ts';
import { checkGraph } from './checks.ts';
import { clockNames, withClockName } from './clock-names.ts';
import { compileTask } from './compile.ts';
import type { StoreLookUp } from './compile.ts';
import { retrySourceSpecs, retryTopicsBehind } from './retry-topics.ts';
import { groupNodes } from './sub-topologies.ts';
import type { NodeGroup } from './sub-topologies.ts';

/** @throws MillraceError MILLRACE_INVALID_TOPOLOGY */
export function buildTopology(graph: TopologyGraph): Topology {
  const faults = checkGraph(graph);
  if (faults.length > 0) throw invalidTopology(faults);

  const nodes = Object.freeze([...graph.nodes]);
  const traced = traceProvenance(nodes);
  const groups = groupNodes(nodes);
  const clocks = clockNames(nodes);
  const stores: StoreLookUp = {
    clocks,
    specs: new Map(graph.stores.map(({ spec }) => [spec.name, Object.freeze(withClockName(spec, clocks))])),
    globalSpecs: new Map(graph.globalStores.map(({ spec }) => [spec.name, Object.freeze(spec)])),
  };
  return Object.freeze({
    subTopologies: Object.freeze(
      groups.map((group) => subTopology(group, traced, stores, graph.failurePolicies)),
    ),
    repartitions: Object.freeze(
      graph.repartitions.map(({ name, partitionCount }) => Object.freeze({ name, partitionCount })),
    ),
    coPartitionGroups: Object.freeze(graph.coPartitions.map(coPartitionGroup)),
    globalStores: Object.freeze([...stores.globalSpecs.values()]),
    describe: () => describeTopology(groups, graph.globalStores),
    describeAsMermaid: () => describeAsMermaid(groups, graph.globalStores),
    describeAsGraph: () => describeAsGraph(groups, graph.stores, graph.globalStores),
  });
}

function coPartitionGroup(declared: { operator: string; sources: readonly SourceNode[] }): CoPartitionGroup {
  const topicsOf = (isRepartition: boolean): readonly string[] =>
    Object.freeze(
      declared.sources
        .filter(({ source }) => (source === 'repartition') === isRepartition)
        .flatMap(({ topics }) => topics),
    );
  return Object.freeze({
    operator: declared.operator,
    topics: topicsOf(false),
    repartitions: topicsOf(true),
  });
}

function subTopology(
  { id, nodes }: NodeGroup,
  traced: ReadonlyMap<GraphNode, Provenance>,
  look: StoreLookUp,
  policies: ReadonlyMap<string, FailurePolicy>,
): SubTopology {
  const sinks = nodes.filter((node): node is SinkNode => node.kind === 'sink');
  const sources = nodes.filter((node): node is SourceNode => node.kind === 'source');
  const stores = new Set(nodes.flatMap((node) => (node.kind === 'processor' ? node.operator.stores : [])));
  const specs = sources.map((source) => sourceSpecs(source, policies.get(source.name) ?? null));
  return Object.freeze({
    id,
    sources: Object.freeze([
      ...specs.flat(),
      ...sources.flatMap((source, index) =>
        retrySourceSpecs(specs[index]!, retryTopicsBehind(source, policies)),
      ),
    ]),
    sinks: Object.freeze(sinks.map((sink) => sinkSpec(sink, traced))),
    stores: Object.freeze([...stores].map((name) => look.specs.get(name)!)),
    failurePolicies: new Map(
      nodes.flatMap(({ name }) => (policies.has(name) ? [[name, policies.get(name)!] as const] : [])),
    ),
    compile: (ports) => compileTask(nodes, sinks, traced, ports, look, policies),
  } satisfies SubTopology);
}

function sourceSpecs(node: SourceNode, failurePolicy: FailurePolicy | null): SourceSpec[] {
  const readAhead = Object.freeze(readsByKey(node));
  const { name, source, keySerde, valueSerde, timestampExtractor, offsetReset } = node;
  return node.topics.map((topic) =>
    Object.freeze({
      name,
      topic,
      kind: source,
      keySerde,
      valueSerde,
      timestampExtractor,
      offsetReset,
      readAhead,
      watermarks: node.watermarks ?? null,
      futureTimestamps: node.futureTimestamps ?? null,
      failurePolicy,
    }),
  );
}

/** What operators downstream look up by the record's own key, whose bytes are therefore known before it is decoded. */
function readsByKey(source: SourceNode): ReadAhead[] {
  const reads: ReadAhead[] = [];
  const keyStores = new Set<string>();
  const origin = [{ keySerde: source.keySerde, canonical: true }];
  const waiting: GraphNode[] = [source];
  const seen = new Set<GraphNode>(waiting);
  for (let node = waiting.shift(); node !== undefined; node = waiting.shift()) {
    if (node.kind === 'processor') {
      for (const { keySerde, ahead } of node.operator.reads) {
        if (!encodesAs(origin, keySerde) || (ahead.kind === 'key' && keyStores.has(ahead.store))) continue;
        if (ahead.kind === 'key') keyStores.add(ahead.store);
        reads.push(ahead);
      }
      if (node.operator.key === 'changed') continue;
    }
    for (const child of node.children) {
      if (seen.has(child)) continue;
      seen.add(child);
      waiting.push(child);
    }
  }
  return reads;
}

function sinkSpec(node: SinkNode, traced: ReadonlyMap<GraphNode, Provenance>): SinkSpec {
  const { name, topic, sink, keySerde, valueSerde, partitioner } = node;
  return Object.freeze({
    name,
    topic,
    kind: sink,
    keySerde,
    valueSerde,
    partitioner,
    keyIsSourceKey: encodesAs(incomingKey(node, traced), keySerde),
    keySuffixBytes: sink === 'topic' ? windowSuffixBytes(keySerde) : 0,
    valueFromStore: storeBehind(node, traced),
  });
}
