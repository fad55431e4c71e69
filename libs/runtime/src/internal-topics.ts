// Owns the changelog, repartition and retry topics of an application: what they must be, and that they are. User topics are never created.
import type { BrokerClient, NewTopic, TopicDescription } from '#libs/broker';
import { FatalError, formatTaskId } from '#libs/core';
import { userTopics } from '#libs/topology';
import type { StoreSpec, SubTopology, Topology } from '#libs/topology';
import type { RuntimeConfig } from './config.ts';
import { ClusterLayout } from './cluster-layout.ts';
import { repartitionTopic, sourceTopic } from './names.ts';
import { decodeOffsetMetadata } from './offset-metadata.ts';
import { isStoreWritten } from './store-fingerprints.ts';

/**
 * Finds the user's topics, decides the repartition topics' sizes, creates what is internal and missing, checks what exists.
 * @throws FatalError MILLRACE_TOPIC_MISSING, MILLRACE_PARTITIONS_MISMATCH, MILLRACE_INTERNAL_TOPIC_INVALID
 */
export async function layOut(
  topology: Topology,
  config: RuntimeConfig,
  client: BrokerClient,
  checkPartitions: PartitionCheck,
): Promise<ClusterLayout> {
  const { applicationId } = config;
  const external = userTopics(topology);
  const described = await client.admin.describeTopics(external);
  const counts = new Map<string, number>();
  for (const [name, topic] of described) counts.set(name, topic.partitionCount);
  const repartitions = checkPartitions(topology, counts);

  const partitionCounts = new Map(counts);
  for (const [name, count] of repartitions) partitionCounts.set(repartitionTopic(applicationId, name), count);
  for (const { sources } of topology.subTopologies) {
    for (const source of sources) {
      if (source.retry === undefined) continue;
      const count = partitionCounts.get(sourceTopic(applicationId, source.retry.of));
      if (count !== undefined) partitionCounts.set(sourceTopic(applicationId, source), count);
    }
  }
  const layout = new ClusterLayout(applicationId, topology, partitionCounts, config.autoOffsetReset);

  const wanted: NewTopic[] = [];
  const changelogs: Changelog[] = [];
  for (const [name, count] of repartitions) {
    wanted.push({
      name: repartitionTopic(applicationId, name),
      partitionCount: count,
      replicationFactor: config.replicationFactor,
      configs: { 'cleanup.policy': 'delete', 'retention.ms': '-1', 'message.timestamp.type': 'CreateTime' },
    });
  }
  for (const sub of topology.subTopologies) {
    for (const source of sub.sources) {
      if (source.retry === undefined) continue;
      // As a repartition topic: its records keep their old timestamps, and are deleted once they are consumed.
      const name = layout.sourceTopic(source);
      wanted.push({
        name,
        partitionCount: partitionCounts.get(name)!,
        replicationFactor: config.replicationFactor,
        configs: { 'cleanup.policy': 'delete', 'retention.ms': '-1', 'message.timestamp.type': 'CreateTime' },
      });
    }
    for (const store of sub.stores) {
      const name = layout.changelogTopic(sub, store);
      if (name === null) continue;
      changelogs.push({ name, sub, store });
      wanted.push({
        name,
        partitionCount: layout.taskCount(sub),
        replicationFactor: config.replicationFactor,
        configs: {
          'cleanup.policy': 'compact',
          'message.timestamp.type': 'CreateTime',
          ...store.changelogConfig,
        },
      });
    }
  }
  const found = await ensure(wanted, client, (missing) =>
    refuseLostChangelogs(
      changelogs.filter(({ name }) => missing.has(name)),
      layout,
      client,
    ),
  );
  for (const [name, { topicId }] of described) layout.changelogTopicIds.set(name, topicId);
  for (const [name, { topicId }] of found) layout.changelogTopicIds.set(name, topicId);
  return layout;
}

/** Partition count of every repartition topic, by its name without prefix. @throws as `layOut` */
export type PartitionCheck = (
  topology: Topology,
  counts: ReadonlyMap<string, number>,
) => ReadonlyMap<string, number>;

interface Changelog {
  readonly name: string;
  readonly sub: SubTopology;
  readonly store: StoreSpec;
}

/**
 * A changelog that is gone although input was processed with its store: made anew it would be empty, and the store would begin from
 * nothing in the middle of its input, in silence.
 */
async function refuseLostChangelogs(
  missing: readonly Changelog[],
  layout: ClusterLayout,
  client: BrokerClient,
): Promise<void> {
  const lost: string[] = [];
  for (const { name, sub, store } of missing) {
    const inputs = Array.from({ length: layout.taskCount(sub) }, (_, partition) =>
      layout.inputs(formatTaskId({ subTopology: sub.id, partition })),
    ).flat();
    const committed = await client.admin.committedOffsets(layout.applicationId, inputs, {
      requireStable: false,
    });
    for (const { metadata } of committed.values()) {
      if (!isStoreWritten(decodeOffsetMetadata(metadata)?.stores ?? '', store.name)) continue;
      lost.push(name);
      break;
    }
  }
  if (lost.length === 0) return;
  // Looked for again behind the offsets: another instance that starts at the same time may have made them, and committed, in between.
  const made = await client.admin.describeTopics(lost);
  if (lost.every((name) => made.has(name))) return;
  throw new FatalError({
    code: 'MILLRACE_INTERNAL_TOPIC_INVALID',
    message: `Changelogs were deleted, though group "${layout.applicationId}" has processed input with what they held: ${lost.filter((name) => !made.has(name)).join(', ')}.`,
    remedy:
      "Bring the topics back from a backup; or compute everything anew: delete the group's offsets and the other internal topics, or take a new application.id.",
    context: { topics: lost },
  });
}

async function ensure(
  wanted: readonly NewTopic[],
  client: BrokerClient,
  beforeCreating: (missing: ReadonlySet<string>) => Promise<void>,
): Promise<ReadonlyMap<string, TopicDescription>> {
  if (wanted.length === 0) return new Map();
  const names = wanted.map((topic) => topic.name);
  const existing = await client.admin.describeTopics(names);
  const missing = wanted.filter((topic) => !existing.has(topic.name));
  if (missing.length > 0) {
    await beforeCreating(new Set(missing.map((topic) => topic.name)));
    await client.admin.createTopics(missing);
  }
  const found = missing.length === 0 ? existing : await client.admin.describeTopics(names);
  const configs = await client.admin.topicConfigs(names);
  const faults: string[] = [];
  for (const topic of wanted) {
    const partitionCount = found.get(topic.name)?.partitionCount;
    if (partitionCount !== topic.partitionCount) {
      faults.push(
        `${topic.name} has ${partitionCount ?? 'no'} partitions, ${topic.partitionCount} are needed`,
      );
    }
    const policy = configs.get(topic.name)?.['cleanup.policy'];
    const expected = topic.configs?.['cleanup.policy'];
    // State whose newest values are deleted for their age, or never compacted, is lost, or grows for ever.
    const isLossy = expected === 'compact' && policy?.includes('delete') === true;
    const isUncompacted = expected?.includes('compact') === true && policy?.includes('compact') === false;
    if (isLossy || isUncompacted)
      faults.push(`${topic.name} has cleanup.policy=${String(policy)}, ${String(expected)} is needed`);
  }
  if (faults.length > 0) {
    throw new FatalError({
      code: 'MILLRACE_INTERNAL_TOPIC_INVALID',
      message: `Internal topics do not fit the topology: ${faults.join('; ')}.`,
      remedy:
        'If the input was repartitioned or the topology changed, reset the application or give it a new application.id.',
      context: { faults },
    });
  }
  return found;
}
