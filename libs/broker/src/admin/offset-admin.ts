// Owns offsets: of logs (earliest, latest, by time), of groups, and deleting records below one.
// Requests that only a leader answers are grouped by leader; what one refuses for now is asked again of the next.
import { formatTopicPartition, RetriableError } from '#libs/core';
import type { TopicPartition } from '#libs/core';
import { Again } from '../cluster/index.ts';
import type { Cluster } from '../cluster/index.ts';
import type { CommittedOffset, OffsetSpec } from '../contracts/broker-admin.ts';
import type { IsolationLevel } from '../contracts/record-reader.ts';
import { classify, errorName, isRetriable, KafkaError } from '../protocol/error-codes.ts';
import { generationLost, refused, topicMissing } from '../protocol/errors.ts';
import type { TopicOperation } from '../protocol/errors.ts';
import type { OffsetFetchAnswer } from '../rpc/index.ts';
import { ADMIN_DEADLINE_MS, adminRetry, grouped } from './admin-retry.ts';

const LATEST = -1;
const EARLIEST = -2;
const NO_OFFSET = -1;
/** How long a topic may be unknown before that is final: metadata of a new topic spreads with delay. */
const TOPIC_MISSING_GRACE_MS = 5_000;
/** Outlasts a transaction of a dead worker: its timeout of usually 60 s, and the coordinator's check every 10 s. */
const PENDING_DEADLINE_MS = 3 * ADMIN_DEADLINE_MS;

const placeOf = ({ topic, partition }: TopicPartition): { topic: string; partition: number } => ({
  topic,
  partition,
});
const topicOf = (partition: TopicPartition): string => partition.topic;

/** Asks each partition's leader; `ask` answers what it could not get, with the reason. */
async function atLeaders<T extends TopicPartition>(
  cluster: Cluster,
  what: string,
  operation: TopicOperation,
  partitions: readonly T[],
  ask: (leader: number, items: readonly T[], timeoutMs: number) => Promise<readonly [T, number][]>,
): Promise<void> {
  let open: readonly T[] = partitions;
  await adminRetry(cluster, what, async (timeoutMs) => {
    const homeless = open.filter(
      ({ topic, partition }) => cluster.metadata.leader(topic, partition) === undefined,
    );
    if (homeless.length > 0) await cluster.refreshMetadata([...new Set(homeless.map(topicOf))]);
    const byLeader = new Map<number, T[]>();
    const left: T[] = [];
    let obstacle = '';
    for (const item of open) {
      const leader = cluster.metadata.leader(item.topic, item.partition);
      if (leader === undefined) {
        refuseForGood(cluster, what, item);
        left.push(item);
        obstacle = `${formatTopicPartition(item.topic, item.partition)} has no leader`;
        continue;
      }
      const list = byLeader.get(leader.leaderId);
      if (list === undefined) byLeader.set(leader.leaderId, [item]);
      else list.push(item);
    }
    const outcomes = await Promise.allSettled(
      [...byLeader].map(([node, items]) => ask(node, items, timeoutMs)),
    );
    let lost: unknown;
    [...byLeader.values()].forEach((items, i) => {
      const outcome = outcomes[i]!;
      if (outcome.status === 'rejected') {
        lost ??= outcome.reason;
        for (const item of items) cluster.metadata.forgetLeader(item.topic, item.partition);
        left.push(...items);
        return;
      }
      for (const [item, code] of outcome.value) {
        const key = formatTopicPartition(item.topic, item.partition);
        if (!isRetriable(classify(code)))
          throw refused(`${what}, ${key}`, code, placeOf(item), null, operation);
        cluster.metadata.forgetLeader(item.topic, item.partition);
        left.push(item);
        obstacle = `${key}: ${errorName(code)}`;
      }
    });
    open = left;
    if (lost !== undefined) throw lost as Error;
    return open.length > 0 ? new Again(obstacle) : undefined;
  });
}

function refuseForGood(cluster: Cluster, what: string, { topic, partition }: TopicPartition): void {
  if (cluster.metadata.isMissing(topic, TOPIC_MISSING_GRACE_MS)) throw topicMissing(topic, { partition });
  const absence = cluster.metadata.absence(topic);
  if (absence !== undefined && !isRetriable(classify(absence.errorCode))) {
    throw refused(`${what}, topic "${topic}"`, absence.errorCode, { topic });
  }
}

export async function listOffsets(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  spec: OffsetSpec,
  isolation: IsolationLevel,
): Promise<ReadonlyMap<string, number>> {
  const timestamp = spec === 'latest' ? LATEST : spec === 'earliest' ? EARLIEST : spec.timestampMs;
  const found = new Map<string, number>();
  await atLeaders(cluster, 'Listing offsets', 'Describe', partitions, async (leader, items, timeoutMs) => {
    const topics = grouped(items, topicOf, ({ topic, partition }) => ({
      partition,
      currentLeaderEpoch: cluster.metadata.leader(topic, partition)?.leaderEpoch ?? -1,
      timestamp,
    }));
    const answer = await cluster.call(leader, 'ListOffsets', { isolation, topics }, timeoutMs);
    const codes = new Map<string, number>();
    for (const topic of answer.topics) {
      for (const { partition, errorCode, offset } of topic.partitions) {
        const key = formatTopicPartition(topic.name, partition);
        codes.set(key, errorCode);
        if (errorCode === KafkaError.NONE) found.set(key, offset);
      }
    }
    return failed(items, codes);
  });
  if (typeof spec === 'object') {
    const late = partitions.filter(
      ({ topic, partition }) => found.get(formatTopicPartition(topic, partition)) === NO_OFFSET,
    );
    if (late.length > 0) {
      for (const [key, offset] of await listOffsets(cluster, late, 'latest', isolation))
        found.set(key, offset);
    }
  }
  return found;
}

export function deleteRecords(
  cluster: Cluster,
  before: readonly (TopicPartition & { readonly offset: number })[],
): Promise<void> {
  return atLeaders(cluster, 'Deleting records', 'Delete', before, async (leader, items, timeoutMs) => {
    const topics = grouped(items, topicOf, ({ partition, offset }) => ({ partition, offset }));
    const request = { timeoutMs: cluster.requestTimeoutMs, topics };
    const answer = await cluster.call(leader, 'DeleteRecords', request, timeoutMs);
    const codes = new Map<string, number>();
    for (const topic of answer.topics) {
      for (const { partition, errorCode } of topic.partitions) {
        codes.set(formatTopicPartition(topic.name, partition), errorCode);
      }
    }
    return failed(items, codes);
  });
}

/** What the answer refused, or left out. */
function failed<T extends TopicPartition>(
  items: readonly T[],
  codes: ReadonlyMap<string, number>,
): [T, number][] {
  const list: [T, number][] = [];
  for (const item of items) {
    const code = codes.get(formatTopicPartition(item.topic, item.partition)) ?? KafkaError.REQUEST_TIMED_OUT;
    if (code !== KafkaError.NONE) list.push([item, code]);
  }
  return list;
}

/** With `requireStable`, waits while offsets of a pending transaction could still change the answer (KIP-447). */
export function committedOffsets(
  cluster: Cluster,
  groupId: string,
  partitions: readonly TopicPartition[] | null,
  requireStable: boolean,
): Promise<ReadonlyMap<string, CommittedOffset>> {
  if (partitions !== null && partitions.length === 0) return Promise.resolve(new Map());
  const topics = partitions === null ? null : grouped(partitions, topicOf, ({ partition }) => partition);
  const what = `Fetching offsets of group "${groupId}"`;
  const request = { groupId, topics, requireStable };
  const attempt = async (timeoutMs: number): Promise<ReadonlyMap<string, CommittedOffset> | Again> => {
    const outcome = await cluster.callCoordinator('group', groupId, 'OffsetFetch', request, timeoutMs);
    if (outcome instanceof Again) return outcome;
    const { answer, nodeId } = outcome;
    if (answer.errorCode !== KafkaError.NONE)
      return groupObstacle(cluster, what, groupId, answer.errorCode, nodeId);
    return readCommitted(cluster, what, groupId, answer, nodeId);
  };
  return adminRetry(cluster, what, attempt, PENDING_DEADLINE_MS);
}

function readCommitted(
  cluster: Cluster,
  what: string,
  groupId: string,
  answer: OffsetFetchAnswer,
  nodeId: number,
): ReadonlyMap<string, CommittedOffset> | Again {
  const found = new Map<string, CommittedOffset>();
  for (const topic of answer.topics) {
    for (const {
      partition,
      errorCode,
      committedOffset,
      committedLeaderEpoch,
      metadata,
    } of topic.partitions) {
      const key = formatTopicPartition(topic.name, partition);
      if (errorCode === KafkaError.UNSTABLE_OFFSET_COMMIT) {
        return new Again(`${key} has an offset in a pending transaction`, 'concurrent');
      }
      if (errorCode === KafkaError.UNKNOWN_TOPIC_OR_PARTITION) continue;
      if (errorCode !== KafkaError.NONE)
        return groupObstacle(cluster, `${what}, ${key}`, groupId, errorCode, nodeId, topic.name);
      if (committedOffset < 0) continue;
      found.set(key, {
        offset: committedOffset,
        leaderEpoch: committedLeaderEpoch,
        metadata: metadata ?? '',
      });
    }
  }
  return found;
}

/** Which of the partitions have an offset in a pending transaction, asked once. */
export function pendingOffsets(
  cluster: Cluster,
  groupId: string,
  partitions: readonly TopicPartition[],
): Promise<readonly TopicPartition[]> {
  if (partitions.length === 0) return Promise.resolve([]);
  const request = {
    groupId,
    topics: grouped(partitions, topicOf, ({ partition }) => partition),
    requireStable: true,
  };
  const what = `Fetching pending offsets of group "${groupId}"`;
  return adminRetry(cluster, what, async (timeoutMs) => {
    const outcome = await cluster.callCoordinator('group', groupId, 'OffsetFetch', request, timeoutMs);
    if (outcome instanceof Again) return outcome;
    const { answer, nodeId } = outcome;
    if (answer.errorCode !== KafkaError.NONE)
      return groupObstacle(cluster, what, groupId, answer.errorCode, nodeId);
    return answer.topics.flatMap(({ name, partitions: answered }) =>
      answered
        .filter(({ errorCode }) => errorCode === KafkaError.UNSTABLE_OFFSET_COMMIT)
        .map(({ partition }) => ({ topic: name, partition })),
    );
  });
}

export interface CommittingMember {
  readonly generationId: number;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
}

/**
 * @throws TaskMigratedError the group does not know the member or generation. RetriableError MILLRACE_REBALANCE_IN_PROGRESS: join
 * first, then commit again.
 */
export function commitOffsets(
  cluster: Cluster,
  groupId: string,
  offsets: readonly (TopicPartition & CommittedOffset)[],
  member: CommittingMember | null,
): Promise<void> {
  if (offsets.length === 0) return Promise.resolve();
  const what = `Committing offsets of group "${groupId}"`;
  const request = {
    groupId,
    generationId: member?.generationId ?? -1,
    memberId: member?.memberId ?? '',
    groupInstanceId: member?.groupInstanceId ?? null,
    topics: grouped(offsets, topicOf, ({ partition, offset, leaderEpoch, metadata }) => ({
      partition,
      committedOffset: offset,
      committedLeaderEpoch: leaderEpoch,
      committedMetadata: metadata,
    })),
  };
  return adminRetry(cluster, what, async (timeoutMs) => {
    const outcome = await cluster.callCoordinator('group', groupId, 'OffsetCommit', request, timeoutMs);
    if (outcome instanceof Again) return outcome;
    for (const topic of outcome.answer.topics) {
      for (const { errorCode } of topic.partitions) {
        if (errorCode === KafkaError.NONE) continue;
        const kind = classify(errorCode);
        if (kind === 'generation-lost' || kind === 'instance-fenced')
          throw generationLost(what, errorCode, { groupId });
        if (kind === 'rebalancing') throw rebalancing(what, groupId);
        return groupObstacle(cluster, what, groupId, errorCode, outcome.nodeId, topic.name);
      }
    }
    return undefined;
  });
}

function groupObstacle(
  cluster: Cluster,
  what: string,
  groupId: string,
  code: number,
  nodeId: number,
  topic?: string,
): Again {
  const kind = classify(code);
  // Who may commit offsets of a topic may read it; who may see them may describe it, which comes with Read.
  if (!isRetriable(kind))
    throw refused(what, code, { groupId, ...(topic === undefined ? {} : { topic }) }, null, 'Read');
  if (kind === 'stale-coordinator') cluster.coordinators.forget('group', groupId, nodeId);
  return new Again(errorName(code));
}

function rebalancing(what: string, groupId: string): RetriableError {
  return new RetriableError({
    code: 'MILLRACE_REBALANCE_IN_PROGRESS',
    message: `${what} was refused while the group rebalances.`,
    remedy: 'Join the new generation, then commit again what is still owned.',
    context: { groupId },
  });
}
