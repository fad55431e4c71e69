// Owns the opening of a task's local state, and whether what it says of itself can be trusted. What to do with state that cannot is
// the caller's: set aside and restored, a task's as a copy's.
import type { BrokerClient } from '#libs/broker';
import { TaskCorruptedError, formatTopicPartition, parseTaskId } from '#libs/core';
import type { TaskIdText } from '#libs/core';
import type { StateBackend, StateCheckpoint, TaskState } from '#libs/state';
import type { ClusterLayout } from './cluster-layout.ts';
import type { RuntimeConfig } from './config.ts';

/** `delete.retention.ms` of a topic is 24 hours by default; an hour less, for clocks that differ. */
const STATE_AGE_MS_MAX = 23 * 3_600_000;
/** Below this a task would read every key anew for every batch. */
const CACHE_BYTES_MIN = 1024 * 1024;

export interface LocalStateParts {
  readonly config: RuntimeConfig;
  readonly layout: ClusterLayout;
  readonly backend: StateBackend;
}

/** `null`: the task keeps none. @throws as StateBackend.open */
export async function openLocalState(
  { config, layout, backend }: LocalStateParts,
  name: TaskIdText,
): Promise<TaskState | null> {
  const { stores } = layout.subTopology(parseTaskId(name));
  if (stores.length === 0) return null;
  return backend.open({
    taskId: name,
    applicationId: config.applicationId,
    stores,
    cacheBytesMax: Math.max(CACHE_BYTES_MIN, Math.floor(config.cacheBytesMax / layout.statefulTaskCount)),
    writeBehindBytes: config.writeBehindBytes,
    writeBehindIntervalMs: config.writeBehindIntervalMs,
  });
}

/**
 * State that does not fit the changelogs that are there now.
 * @throws TaskCorruptedError
 */
export function refuseUntrusted(
  name: TaskIdText,
  checkpoint: StateCheckpoint,
  changelogs: Readonly<Record<string, string>>,
  nowMs: number,
): void {
  const error = otherChangelogs(name, checkpoint, changelogs) ?? tooOld(name, checkpoint, nowMs);
  if (error !== null) throw error;
}

/**
 * As `refuseUntrusted`, for state that nobody goes on writing meanwhile: however old it is, it has missed nothing where its changelogs end with
 * what it holds. Windows that were open when a service was stopped are then still there, though the broker has forgotten them since.
 * Resolves to whether it is old. @throws TaskCorruptedError
 */
export async function refuseUntrustedUnlessWhole(
  { client, layout }: { readonly client: BrokerClient; readonly layout: ClusterLayout },
  name: TaskIdText,
  checkpoint: StateCheckpoint,
  nowMs: number,
): Promise<boolean> {
  const foreign = otherChangelogs(name, checkpoint, layout.changelogIdentity(name));
  if (foreign !== null) throw foreign;
  const old = tooOld(name, checkpoint, nowMs);
  if (old === null) return false;
  const changelogs = layout.changelogs(name);
  const ends = await client.admin.offsets(changelogs, 'latest', 'read_uncommitted');
  for (const { store, topic, partition, source } of changelogs) {
    const reached = checkpoint.changelogOffsets.get(store);
    // What holds nothing is restored from the changelog's start.
    if (reached === undefined) continue;
    // Behind what was written lies its transaction's marker.
    const end = ends.get(formatTopicPartition(topic, partition)) ?? 0;
    if (source !== null || end - reached > 1) throw old;
  }
  return true;
}

/**
 * `null`: they are the ones it was written for. Offsets say nothing of a topic that was deleted and created again, or of another cluster: state that goes back to such a one is
 * none of ours, however well its offsets fit.
 */
export function otherChangelogs(
  name: TaskIdText,
  checkpoint: StateCheckpoint,
  current: Readonly<Record<string, string>>,
): TaskCorruptedError | null {
  const written = checkpoint.metadata['changelogs'];
  if (typeof written !== 'object' || written === null) return null;
  for (const [store, topicId] of Object.entries(current)) {
    const before = (written as Readonly<Record<string, unknown>>)[store];
    if (before === undefined || before === topicId || !checkpoint.changelogOffsets.has(store)) continue;
    return new TaskCorruptedError([name], {
      code: 'MILLRACE_STATE_CORRUPTED',
      message: `The local state of store "${store}" in task ${name} belongs to another changelog topic of the same name.`,
      remedy: 'None needed: the state is set aside and restored from the changelog that is there now.',
      context: { store, written: before, current: topicId },
    });
  }
  return null;
}

/**
 * State last written longer ago than a changelog keeps its tombstones: keys deleted since may have left no trace there, and
 * would come back to life here.
 */
export function tooOld(
  name: TaskIdText,
  checkpoint: StateCheckpoint,
  nowMs: number,
): TaskCorruptedError | null {
  const writtenAtMs = checkpoint.metadata['writtenAtMs'];
  if (typeof writtenAtMs !== 'number' || checkpoint.changelogOffsets.size === 0) return null;
  const ageMs = nowMs - writtenAtMs;
  if (ageMs <= STATE_AGE_MS_MAX) return null;
  return new TaskCorruptedError([name], {
    code: 'MILLRACE_STATE_CORRUPTED',
    message: `The local state of task ${name} was last written ${Math.round(ageMs / 3_600_000)} hours ago, and its changelog may have dropped deletions since.`,
    remedy: 'None needed: the state is set aside and restored from the changelog.',
    context: { ageMs },
  });
}

/**
 * What the first write of a restore says of the state: whose changelogs it follows, and as of when. The age is that of the state it
 * goes on from: reading on does not make up for deletions that are gone from the changelog.
 */
export function restoringMetadata(
  checkpoint: StateCheckpoint,
  changelogs: Readonly<Record<string, string>>,
  nowMs: number,
): Readonly<Record<string, unknown>> {
  const { metadata, changelogOffsets } = checkpoint;
  const before = metadata['writtenAtMs'];
  const writtenAtMs = typeof before === 'number' && changelogOffsets.size > 0 ? before : nowMs;
  return { ...metadata, changelogs, writtenAtMs };
}
