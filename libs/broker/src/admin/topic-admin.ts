// Owns topics and their configurations: describe, create, delete. Answers whole or throws; a lost answer is asked again.
import { Again } from '../cluster/index.ts';
import type { Cluster } from '../cluster/index.ts';
import type { NewTopic, TopicDescription } from '../contracts/broker-admin.ts';
import { classify, errorName, isRetriable, KafkaError } from '../protocol/error-codes.ts';
import { refused } from '../protocol/errors.ts';
import { adminRetry } from './admin-retry.ts';

const REPLICATION_FACTOR_OF_BROKER = -1;

/** By name, asked anew; what does not exist is absent. */
export function describeTopics(
  cluster: Cluster,
  names: readonly string[],
): Promise<ReadonlyMap<string, TopicDescription>> {
  if (names.length === 0) return Promise.resolve(new Map());
  return adminRetry(cluster, `Describing topics ${names.join(', ')}`, async () => {
    await cluster.refreshMetadata(names);
    const found = new Map<string, TopicDescription>();
    for (const name of names) {
      const absence = cluster.metadata.absence(name);
      if (absence !== undefined) {
        if (absence.errorCode === KafkaError.UNKNOWN_TOPIC_OR_PARTITION) continue;
        if (isRetriable(classify(absence.errorCode))) return new Again(errorName(absence.errorCode));
        throw refused(`Describing topic "${name}"`, absence.errorCode, { topic: name });
      }
      const topic = cluster.metadata.topic(name);
      if (topic === undefined) return new Again(`no answer about topic "${name}"`);
      found.set(name, { name, topicId: topic.topicId, partitionCount: topic.partitions.length });
    }
    return found;
  });
}

export function listTopics(cluster: Cluster): Promise<readonly string[]> {
  return adminRetry(cluster, 'Listing topics', async (timeoutMs) => {
    const answer = await cluster.call('bootstrap', 'Metadata', { topics: null }, timeoutMs);
    cluster.metadata.absorb(answer);
    return answer.topics.filter((topic) => !topic.isInternal).map((topic) => topic.name);
  });
}

/** Creates what is missing and waits until each partition has a leader. */
export async function createTopics(cluster: Cluster, topics: readonly NewTopic[]): Promise<void> {
  if (topics.length === 0) return;
  const names = topics.map((topic) => topic.name);
  const what = `Creating topics ${names.join(', ')}`;
  const request = {
    timeoutMs: cluster.requestTimeoutMs,
    validateOnly: false,
    topics: topics.map((topic) => ({
      name: topic.name,
      numPartitions: topic.partitionCount,
      replicationFactor: topic.replicationFactor ?? REPLICATION_FACTOR_OF_BROKER,
      configs: Object.entries(topic.configs ?? {}).map(([name, value]) => ({ name, value })),
    })),
  };
  await adminRetry(cluster, what, async (timeoutMs) => {
    const answer = await cluster.call('bootstrap', 'CreateTopics', request, timeoutMs);
    let again: Again | undefined;
    for (const { name, errorCode, errorMessage } of answer.topics) {
      if (errorCode === KafkaError.NONE || errorCode === KafkaError.TOPIC_ALREADY_EXISTS) continue;
      if (!isRetriable(classify(errorCode))) {
        throw refused(`Creating topic "${name}"`, errorCode, { topic: name }, errorMessage, 'Create');
      }
      again = new Again(`${name}: ${errorName(errorCode)}`);
    }
    return again;
  });
  await awaitLeaders(cluster, names);
}

function awaitLeaders(cluster: Cluster, names: readonly string[]): Promise<void> {
  return adminRetry(cluster, `Waiting for leaders of ${names.join(', ')}`, async () => {
    await cluster.refreshMetadata(names);
    for (const name of names) {
      const partitions = cluster.metadata.topic(name)?.partitions;
      if (partitions === undefined) return new Again(`topic "${name}" is not visible yet`);
      for (let partition = 0; partition < partitions.length; partition++) {
        if (cluster.metadata.leader(name, partition) === undefined)
          return new Again(`${name}-${partition} has no leader`);
      }
    }
    return undefined;
  });
}

/** Topics that do not exist are left as they are. */
export function deleteTopics(cluster: Cluster, names: readonly string[]): Promise<void> {
  if (names.length === 0) return Promise.resolve();
  const request = { timeoutMs: cluster.requestTimeoutMs, names };
  return adminRetry(cluster, `Deleting topics ${names.join(', ')}`, async (timeoutMs) => {
    const answer = await cluster.call('bootstrap', 'DeleteTopics', request, timeoutMs);
    for (const { name, errorCode, errorMessage } of answer.topics) {
      if (errorCode === KafkaError.NONE || errorCode === KafkaError.UNKNOWN_TOPIC_OR_PARTITION) continue;
      if (isRetriable(classify(errorCode))) return new Again(`${name ?? 'unnamed'}: ${errorName(errorCode)}`);
      throw refused(
        `Deleting topic "${name ?? 'unnamed'}"`,
        errorCode,
        { topic: name },
        errorMessage,
        'Delete',
      );
    }
    return undefined;
  });
}

/** By topic, then by key; topics that do not exist are absent. */
export function topicConfigs(
  cluster: Cluster,
  names: readonly string[],
): Promise<ReadonlyMap<string, Readonly<Record<string, string>>>> {
  if (names.length === 0) return Promise.resolve(new Map());
  const request = { topics: names.map((name) => ({ name, keys: null })) };
  return adminRetry(cluster, `Reading configurations of ${names.join(', ')}`, async (timeoutMs) => {
    const answer = await cluster.call('bootstrap', 'DescribeConfigs', request, timeoutMs);
    const found = new Map<string, Readonly<Record<string, string>>>();
    for (const { name, errorCode, errorMessage, configs } of answer.topics) {
      if (errorCode === KafkaError.UNKNOWN_TOPIC_OR_PARTITION) continue;
      if (errorCode !== KafkaError.NONE) {
        if (isRetriable(classify(errorCode))) return new Again(`${name}: ${errorName(errorCode)}`);
        const what = `Reading the configuration of "${name}"`;
        throw refused(what, errorCode, { topic: name }, errorMessage, 'DescribeConfigs');
      }
      const values: Record<string, string> = Object.create(null) as Record<string, string>;
      for (const config of configs) if (config.value !== null) values[config.name] = config.value;
      found.set(name, values);
    }
    return found;
  });
}
