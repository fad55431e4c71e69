// Owns the two spellings of a set of tasks: by sub-topology on the wire, one name each elsewhere. In order, so that equal sets are equal.
import { compareTaskIds, formatTaskId, parseTaskId } from '#libs/core';
import type { TaskIdText } from '#libs/core';
import type { StreamsEndpointPartitions, StreamsTasks } from '../contracts/streams-group-member.ts';
import type { StreamsGroupHeartbeatAnswer, StreamsTaskIds } from '../rpc/index.ts';

export const NO_TASKS: StreamsTasks = { active: [], standby: [], warmup: [] };

/** Sub-topology ids are our own numbers. @throws RangeError one that is none of ours. */
export function tasksFromWire(groups: readonly StreamsTaskIds[]): TaskIdText[] {
  const tasks = groups.flatMap(({ subtopologyId, partitions }) => {
    if (!/^\d{1,9}$/.test(subtopologyId))
      throw new RangeError(`"${subtopologyId}" is no sub-topology of ours`);
    return partitions.map((partition) => ({ subTopology: Number(subtopologyId), partition }));
  });
  return tasks.sort(compareTaskIds).map(formatTaskId);
}

export function tasksToWire(tasks: readonly TaskIdText[]): StreamsTaskIds[] {
  const bySubtopology = new Map<number, number[]>();
  for (const task of tasks.map(parseTaskId).sort(compareTaskIds)) {
    const partitions = bySubtopology.get(task.subTopology);
    if (partitions === undefined) bySubtopology.set(task.subTopology, [task.partition]);
    else partitions.push(task.partition);
  }
  return [...bySubtopology].map(([id, partitions]) => ({ subtopologyId: String(id), partitions }));
}

export function streamsTasks(assignment: {
  readonly activeTasks: readonly StreamsTaskIds[];
  readonly standbyTasks: readonly StreamsTaskIds[];
  readonly warmupTasks: readonly StreamsTaskIds[];
}): StreamsTasks {
  return {
    active: tasksFromWire(assignment.activeTasks),
    standby: tasksFromWire(assignment.standbyTasks),
    warmup: tasksFromWire(assignment.warmupTasks),
  };
}

export function unionOf(a: StreamsTasks, b: StreamsTasks): StreamsTasks {
  const union = (one: readonly TaskIdText[], other: readonly TaskIdText[]): TaskIdText[] =>
    [...new Set([...one, ...other])].map(parseTaskId).sort(compareTaskIds).map(formatTaskId);
  return {
    active: union(a.active, b.active),
    standby: union(a.standby, b.standby),
    warmup: union(a.warmup, b.warmup),
  };
}

export function sameTasks(a: StreamsTasks, b: StreamsTasks): boolean {
  return same(a.active, b.active) && same(a.standby, b.standby) && same(a.warmup, b.warmup);
}

function same(a: readonly TaskIdText[], b: readonly TaskIdText[]): boolean {
  return a.length === b.length && a.every((task, index) => task === b[index]);
}

/** `null`: nothing new. */
export function endpointPartitions({
  partitionsByUserEndpoint,
}: StreamsGroupHeartbeatAnswer): StreamsEndpointPartitions[] | null {
  if (partitionsByUserEndpoint === null) return null;
  return partitionsByUserEndpoint.map(({ userEndpoint, activePartitions, standbyPartitions }) => ({
    endpoint: userEndpoint,
    active: activePartitions,
    standby: standbyPartitions,
  }));
}
