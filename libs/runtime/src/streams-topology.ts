// Owns what the broker is told of a topology so that it can assign its tasks (KIP-1071): sub-topologies, what they read, what keeps
// their state. It says no more than the assignment needs, since a group refuses every topology but the one it was created with:
// neither sizes nor retentions, which may change. The topics themselves are made by internal-topics.ts before anybody joins.
import type { StreamsKeyValue, StreamsSubtopology, StreamsTopicInfo, StreamsTopology } from '#libs/broker';
import type { CoPartitionGroup, SubTopology } from '#libs/topology';
import type { ClusterLayout } from './cluster-layout.ts';
import { repartitionTopic } from './names.ts';

/** Of the topology itself. Coordinators know no other as yet. */
const TOPOLOGY_EPOCH = 0;
const BROKERS_DEFAULT = 0;
/** A changelog has as many partitions as its sub-topology has tasks. */
const BY_TASKS = 0;

export function streamsTopology(layout: ClusterLayout): StreamsTopology {
  const subtopologies = layout.topology.subTopologies
    .filter((sub) => sub.sources.length > 0)
    .map((sub) => subtopology(layout, sub))
    .sort((a, b) => (a.subtopologyId < b.subtopologyId ? -1 : 1));
  return { epoch: TOPOLOGY_EPOCH, subtopologies };
}

function subtopology(layout: ClusterLayout, sub: SubTopology): StreamsSubtopology {
  const sourceTopics = sorted(
    sub.sources.filter(({ kind }) => kind !== 'repartition').map((source) => layout.sourceTopic(source)),
  );
  const repartitions = sorted(
    sub.sources.filter(({ kind }) => kind === 'repartition').map((source) => layout.sourceTopic(source)),
  );
  const sinks = sub.sinks.filter(({ kind }) => kind === 'repartition').map((sink) => layout.sinkTopic(sink));
  const changelogs = sub.stores.flatMap((store) => {
    const name = layout.changelogTopic(sub, store);
    if (name === null) return [];
    const policy = store.changelogConfig?.['cleanup.policy'] ?? 'compact';
    return [topicInfo(name, BY_TASKS, { 'cleanup.policy': policy, 'message.timestamp.type': 'CreateTime' })];
  });
  return {
    subtopologyId: String(sub.id),
    sourceTopics,
    stateChangelogTopics: changelogs.sort((a, b) => (a.name < b.name ? -1 : 1)),
    repartitionSinkTopics: sorted(sinks.filter((name) => name !== null)),
    repartitionSourceTopics: repartitions.map((name) =>
      topicInfo(name, layout.partitionCounts.get(name) ?? 0, {
        'cleanup.policy': 'delete',
        'message.timestamp.type': 'CreateTime',
        'retention.ms': '-1',
      }),
    ),
    copartitionGroups: layout.topology.coPartitionGroups.flatMap((group) => {
      const indices = copartitionGroup(layout, group, sourceTopics, repartitions);
      return indices === null ? [] : [indices];
    }),
  };
}

/** `null`: it is another sub-topology's, or of one topic alone. */
function copartitionGroup(
  layout: ClusterLayout,
  group: CoPartitionGroup,
  sourceTopics: readonly string[],
  repartitions: readonly string[],
): StreamsSubtopology['copartitionGroups'][number] | null {
  const sources = group.topics.map((topic) => sourceTopics.indexOf(topic));
  const internal = group.repartitions.map((name) =>
    repartitions.indexOf(repartitionTopic(layout.applicationId, name)),
  );
  if (sources.length + internal.length < 2 || sources.includes(-1) || internal.includes(-1)) return null;
  return { sourceTopics: ascending(sources), repartitionSourceTopics: ascending(internal) };
}

function topicInfo(
  name: string,
  partitions: number,
  configs: Readonly<Record<string, string>>,
): StreamsTopicInfo {
  const topicConfigs: StreamsKeyValue[] = Object.entries(configs).map(([key, value]) => ({ key, value }));
  return { name, partitions, replicationFactor: BROKERS_DEFAULT, topicConfigs };
}

function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}

function ascending(indices: readonly number[]): number[] {
  return [...new Set(indices)].sort((a, b) => a - b);
}
