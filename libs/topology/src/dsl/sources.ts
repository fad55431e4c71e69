// Owns how topics that are read become source nodes: the checks of their names and options.
import type { Serde } from '#libs/serde';
import type { SourceNode, TopologyGraph } from '../graph.ts';
import type { Consumed } from '../options.ts';
import { consumedTimeFaults } from '../options/watermarks.ts';
import type { SourceSpec, TimestampExtractor } from '../plan.ts';

export function addSource<K, V>(
  graph: TopologyGraph,
  source: SourceSpec['kind'],
  name: string,
  path: string,
  topics: readonly string[],
  consumed: Partial<Consumed<K, V>> | undefined,
): SourceNode {
  if (topics.length === 0) graph.addFault(path, 'it reads no topic.', 'Name one topic or several.');
  for (const topic of topics) graph.checkedName('topic name', topic, path);
  const reset = consumed?.offsetReset;
  if (reset !== undefined && reset !== 'earliest' && reset !== 'latest') {
    graph.addFault(path, `offsetReset is ${JSON.stringify(reset)}.`, 'Use "earliest" or "latest".');
  }
  if (consumed?.timestampExtractor !== undefined) {
    graph.checkedFunction('timestampExtractor', consumed.timestampExtractor, path);
  }
  for (const { problem, remedy } of consumedTimeFaults(consumed)) graph.addFault(path, problem, remedy);
  graph.setFailurePolicy(name, consumed?.failurePolicy, path);
  return graph.addNode({
    kind: 'source',
    name,
    path,
    parents: [],
    children: [],
    source,
    topics,
    keySerde: graph.checkedSerde('key', path, consumed?.keySerde as Serde<unknown> | undefined),
    valueSerde: graph.checkedSerde('value', path, consumed?.valueSerde as Serde<unknown> | undefined),
    timestampExtractor: (consumed?.timestampExtractor ?? null) as TimestampExtractor | null,
    offsetReset: reset ?? null,
    watermarks: consumed?.watermarks ?? null,
    futureTimestamps: consumed?.futureTimestamps ?? null,
  });
}
