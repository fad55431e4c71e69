// Owns what a streams group's topology means on this cluster: whether its topics are there and fit, and which tasks it has. As in Kafka's
// InternalTopicManager, but for topics that are missing: those are not made here, since clients of ours make their own.
import type { StreamsTopology } from '#libs/broker';
import type { TaskName } from './streams-group.ts';

const MISSING_SOURCE_TOPICS = 1;
const INCORRECTLY_PARTITIONED_TOPICS = 2;
const MISSING_INTERNAL_TOPICS = 3;

export interface ConfiguredTopology {
  /** Changes with what the assignment depends on. */
  readonly metadata: string;
  readonly status: { readonly statusCode: number; readonly statusDetail: string } | null;
  /** In order; empty while topics are missing or do not fit. */
  readonly tasks: readonly TaskName[];
  readonly stateful: ReadonlySet<TaskName>;
}

export function configureTopology(
  topology: StreamsTopology,
  partitionCount: (topic: string) => number | undefined,
): ConfiguredTopology {
  const missing: string[] = [];
  const missingInternal: string[] = [];
  const wrong: string[] = [];
  const tasks: TaskName[] = [];
  const stateful = new Set<TaskName>();
  const counts: [string, number | undefined][] = [];
  const count = (topic: string): number | undefined => {
    const found = partitionCount(topic);
    counts.push([topic, found]);
    return found;
  };
  for (const {
    subtopologyId,
    sourceTopics,
    repartitionSourceTopics,
    stateChangelogTopics,
  } of topology.subtopologies) {
    let taskCount = 0;
    for (const topic of sourceTopics) {
      const partitions = count(topic);
      if (partitions === undefined) missing.push(topic);
      taskCount = Math.max(taskCount, partitions ?? 0);
    }
    for (const { name, partitions: wanted } of repartitionSourceTopics) {
      const partitions = count(name);
      if (partitions === undefined) missingInternal.push(name);
      else if (wanted > 0 && partitions !== wanted) wrong.push(name);
      taskCount = Math.max(taskCount, partitions ?? wanted);
    }
    for (const { name } of stateChangelogTopics) {
      const partitions = count(name);
      if (partitions === undefined) missingInternal.push(name);
      else if (partitions !== taskCount) wrong.push(name);
    }
    for (let partition = 0; partition < taskCount; partition++) {
      const task = `${subtopologyId}_${partition}`;
      tasks.push(task);
      if (stateChangelogTopics.length > 0) stateful.add(task);
    }
  }
  const status =
    missing.length > 0
      ? statusOf(MISSING_SOURCE_TOPICS, `Source topics ${missing.sort().join(', ')} are missing.`)
      : wrong.length > 0
        ? statusOf(
            INCORRECTLY_PARTITIONED_TOPICS,
            `Topics ${wrong.sort().join(', ')} have other partition counts.`,
          )
        : missingInternal.length > 0
          ? statusOf(
              MISSING_INTERNAL_TOPICS,
              `Internal topics are missing: ${missingInternal.sort().join(', ')}`,
            )
          : null;
  const metadata = JSON.stringify([topology.epoch, counts, status?.statusCode ?? null]);
  return { metadata, status, tasks: status === null ? tasks : [], stateful };
}

function statusOf(statusCode: number, statusDetail: string): ConfiguredTopology['status'] {
  return { statusCode, statusDetail };
}
