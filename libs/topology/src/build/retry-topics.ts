// Owns which sources have retry topics: those whose records can meet a policy with them, at the source or anywhere behind it. The topics of a source are
// its own, so that a record waits behind records with the same delay only, and comes back to its own task.
import type { TopologyFault } from '../faults.ts';
import type { GraphNode, SourceNode, TopologyGraph } from '../graph.ts';
import { NAME_LENGTH_MAX } from '../names.ts';
import { retryTopicsOf } from '../options/failure-policy.ts';
import type { FailurePolicy, RetryTopicsPolicy } from '../options/failure-policy.ts';
import type { SourceSpec } from '../plan.ts';

interface Found {
  readonly node: GraphNode;
  readonly policy: RetryTopicsPolicy;
}

/** The retry topics that records of a source may go to; `null`: none. Where several policies name them, they agree: it is checked. */
export function retryTopicsBehind(
  source: SourceNode,
  policies: ReadonlyMap<string, FailurePolicy>,
): RetryTopicsPolicy | null {
  return policies.size === 0 ? null : (policiesBehind(source, policies)[0]?.policy ?? null);
}

/** One for each of the source's topics and each delay, in that order. */
export function retrySourceSpecs(
  sources: readonly SourceSpec[],
  policy: RetryTopicsPolicy | null,
): SourceSpec[] {
  if (policy === null) return [];
  return sources.flatMap((of) =>
    policy.delaysMs.map((delayMs, index) =>
      Object.freeze({
        ...of,
        kind: 'retry',
        topic: retryTopicName(of, index + 1),
        offsetReset: 'earliest',
        // Records that come late by design say nothing about how far time has come.
        watermarks: null,
        retry: Object.freeze({ of, level: index + 1, delayMs }),
      } satisfies SourceSpec),
    ),
  );
}

function retryTopicName({ kind, topic }: Pick<SourceSpec, 'kind' | 'topic'>, level: number): string {
  return `${topic}${kind === 'repartition' ? '-repartition' : ''}-retry-${level}`;
}

export function retryTopicFaults(graph: TopologyGraph): TopologyFault[] {
  const { failurePolicies: policies } = graph;
  const faults: TopologyFault[] = [];
  if (policies.size === 0) return faults;
  for (const source of graph.nodes) {
    if (source.kind !== 'source') continue;
    const [first, ...others] = policiesBehind(source, policies);
    if (first === undefined) continue;
    if (source.source === 'table') {
      faults.push({
        path: first.node.path,
        problem: `records of the table source "${source.name}" would go through retry topics, and older updates of a key win over newer ones.`,
        remedy: 'Retry them in place: FailurePolicy.retry(…).',
      });
    }
    const other = others.find(({ policy }) => policy.delaysMs.join() !== first.policy.delaysMs.join());
    if (other !== undefined) {
      faults.push({
        path: other.node.path,
        problem: `its retry topics have other delays (${other.policy.delaysMs.join(', ')} ms) than those of ${first.node.path} (${first.policy.delaysMs.join(', ')} ms), and both are those of the source "${source.name}".`,
        remedy: 'Use the same delays for all that reads a source, or put a repartition between.',
      });
    }
    for (const topic of source.topics) {
      const name = retryTopicName({ kind: source.source, topic }, first.policy.delaysMs.length);
      if (name.length + 'a-'.length <= NAME_LENGTH_MAX) continue;
      faults.push({
        path: source.path,
        problem: `the name of a retry topic of "${topic}" would be longer than Kafka takes.`,
        remedy: 'Read a topic with a shorter name, or retry in place.',
      });
    }
  }
  return faults;
}

function policiesBehind(source: SourceNode, policies: ReadonlyMap<string, FailurePolicy>): Found[] {
  const found: Found[] = [];
  const waiting: GraphNode[] = [source];
  const seen = new Set<GraphNode>(waiting);
  for (let node = waiting.shift(); node !== undefined; node = waiting.shift()) {
    const policy = retryTopicsOf(policies.get(node.name));
    if (policy !== null) found.push({ node, policy });
    for (const child of node.children) {
      if (seen.has(child)) continue;
      seen.add(child);
      waiting.push(child);
    }
  }
  return found;
}
