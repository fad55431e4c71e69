// Owns the identity of a task: a sub-topology times a partition, written `0_3` as in Kafka Streams.
import { assert } from './assert.ts';

export interface TaskId {
  readonly subTopology: number;
  readonly partition: number;
}

/** `0_3`, the form used in logs, directories and group metadata. */
export type TaskIdText = `${number}_${number}`;

export function formatTaskId(id: TaskId): TaskIdText {
  return `${id.subTopology}_${id.partition}`;
}

export function parseTaskId(text: string): TaskId {
  const match = /^(\d+)_(\d+)$/.exec(text);
  assert(match !== null, `"${text}" is not a task id`);
  return { subTopology: Number(match[1]), partition: Number(match[2]) };
}

export function compareTaskIds(a: TaskId, b: TaskId): number {
  return a.subTopology - b.subTopology || a.partition - b.partition;
}
