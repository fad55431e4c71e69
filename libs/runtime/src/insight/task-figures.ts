// Owns the picture of the tasks of a worker at one moment: those that run, those being opened, and copies. It only looks.
import type { RecordReader } from '#libs/broker';
import { parseTaskId } from '#libs/core';
import type { Clock, TaskIdText } from '#libs/core';
import type { TaskState } from '#libs/state';
import type { ClusterLayout } from '../cluster-layout.ts';
import type { RecordQueue } from '../record-queue.ts';
import type { CopyFigures } from '../standby-copy.ts';
import type { RestoreProgress } from '../store-restorer.ts';
import type { Task } from '../task.ts';
import type { DiskSizes } from './disk-sizes.ts';
import type { PartitionFigures, StoreFigures, TaskFigures } from './figures.ts';

export interface TasksView {
  readonly layout: ClusterLayout;
  readonly reader: Pick<RecordReader, 'endOffsets' | 'isolation'>;
  readonly clock: Clock;
  readonly sizes: DiskSizes;
  readonly running: Iterable<Task>;
  readonly opening: readonly TaskIdText[];
  readonly restores: readonly RestoreProgress[];
  readonly copies: readonly CopyFigures[];
}

/** By task id. */
export function taskFigures(view: TasksView): TaskFigures[] {
  const tasks: TaskFigures[] = [];
  for (const task of view.running) tasks.push(runningTask(view, task));
  const known = new Set(tasks.map(({ taskId }) => taskId));
  for (const name of view.opening) {
    if (known.has(name)) continue;
    const restores = view.restores.filter(({ taskId }) => taskId === name);
    const restoreLag = restores.reduce((sum, { endOffset, position }) => sum + endOffset - position, 0);
    const isRestoring = restores.length > 0;
    tasks.push({
      ...idleTask(view, name),
      phase: isRestoring ? 'restoring' : 'opening',
      restoreLag: isRestoring ? restoreLag : null,
    });
    known.add(name);
  }
  for (const { taskId, role, lag, records } of view.copies) {
    // A copy whose task is being opened here is on its way into it.
    if (known.has(taskId)) continue;
    tasks.push({ ...idleTask(view, taskId), phase: role, restoreLag: lag, records });
  }
  const rank = (a: TaskFigures, b: TaskFigures): number =>
    a.subTopology - b.subTopology || a.partition - b.partition;
  return tasks.sort(rank);
}

function runningTask(view: TasksView, task: Task): TaskFigures {
  const { state, id } = task;
  const taskId = task.name as TaskIdText;
  return {
    taskId,
    ...id,
    phase: task.claimPending ? 'claiming' : task.suspended !== null ? 'waiting' : 'running',
    records: task.recordCount,
    streamTime: known(task.streamTime),
    eventTime: known(task.eventTimeSeen),
    partitions: task.group.queues.map((queue) => partitionFigures(view, task, queue)),
    stores: state === null ? [] : storeFigures(task, state),
    cachedBytes: state?.cachedBytes ?? null,
    unwrittenBytes: state?.unwrittenBytes ?? null,
    diskBytes: state === null ? null : view.sizes.of(taskId),
    restoreLag: null,
  };
}

function idleTask(view: TasksView, taskId: TaskIdText): Omit<TaskFigures, 'phase' | 'restoreLag'> {
  return {
    taskId,
    ...parseTaskId(taskId),
    records: 0,
    streamTime: null,
    eventTime: null,
    partitions: [],
    stores: [],
    cachedBytes: null,
    unwrittenBytes: null,
    diskBytes: view.layout.changelogs(taskId).length === 0 ? null : view.sizes.of(taskId),
  };
}

function partitionFigures({ reader, clock }: TasksView, task: Task, queue: RecordQueue): PartitionFigures {
  const { topic, partition, source, position, committedPosition, bufferedBytes, partitionTime } = queue;
  const { highWatermark, lastStableOffset } = reader.endOffsets(topic, partition);
  const end = reader.isolation === 'read_committed' ? lastStableOffset : highWatermark;
  const lag = end < 0 ? null : task.group.isCaughtUp(queue) ? 0 : Math.max(0, end - position);
  return {
    topic,
    partition,
    source: source.name,
    position,
    committed: known(committedPosition),
    endOffset: known(end),
    lag,
    lagMs: lag === null ? null : lag === 0 ? 0 : ageOfNext(queue, clock.now()),
    bufferedBytes,
    partitionTime: known(partitionTime),
  };
}

function ageOfNext(queue: RecordQueue, now: number): number | null {
  const { columns, index, hasRecord, partitionTime } = queue;
  const timestamp = hasRecord ? columns.timestamps[index]! : partitionTime;
  return timestamp < 0 ? null : Math.max(0, now - timestamp);
}

function storeFigures(task: Task, state: TaskState): StoreFigures[] {
  const { changelogOffsets } = state.reached;
  return state.stores.map(({ name, kind }, index) => ({
    name,
    kind,
    changelog: task.changelogTopics[index] ?? null,
    changelogOffset: changelogOffsets.get(name) ?? null,
    resident: state.isResident(name),
  }));
}

/** Unknown times and offsets are -1 inside. */
function known(value: number): number | null {
  return value < 0 ? null : value;
}
