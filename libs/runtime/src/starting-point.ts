// Owns where a task starts: the group's committed offsets, and what the last epoch wrote beside them.
import type { BrokerClient } from '#libs/broker';
import { FatalError, formatTopicPartition, parseTaskId } from '#libs/core';
import type { TaskIdText, TopicPartition } from '#libs/core';
import type { ClusterLayout } from './cluster-layout.ts';
import type { RuntimeConfig } from './config.ts';
import { refuseLostOffsets } from './lost-offsets.ts';
import { decodeOffsetMetadata } from './offset-metadata.ts';
import { refuseUnfinishedReset } from './reset-mark.ts';
import { fingerprintsOfGone, refuseIncompatibleStores } from './store-fingerprints.ts';

export interface StartingPoint {
  /** By `formatTopicPartition`, for every input. */
  readonly offsets: ReadonlyMap<string, number>;
  /** Those of them that are committed. */
  readonly committed: ReadonlySet<string>;
  readonly leaderEpochs: ReadonlyMap<string, number>;
  readonly epochId: number;
  readonly streamTime: number;
  readonly eventTime: number;
  /** By `shortHash` of the operator's name. */
  readonly clocks: ReadonlyMap<string, number>;
  /** What stores were written as that the topology no longer has. */
  readonly goneStores: string;
  /** What each input's committed offset says that the stores were written as; by `formatTopicPartition`. */
  readonly stores: ReadonlyMap<string, string>;
  /** The committed offsets do not name this worker yet. */
  readonly needsClaim: boolean;
}

export interface StartingPointParts {
  readonly config: RuntimeConfig;
  readonly layout: ClusterLayout;
  readonly client: BrokerClient;
  readonly transactionalId: string;
}

/**
 * Waits while a transaction with offsets of the task is pending.
 * @throws FatalError MILLRACE_OFFSET_OUT_OF_RANGE nothing is committed and nothing says where to start then.
 * MILLRACE_STATE_INCOMPATIBLE a store was written as something else than it is declared as. MILLRACE_OFFSETS_LOST there is state, and nothing committed.
 * MILLRACE_RESET_UNFINISHED a reset was begun and not ended.
 */
export async function readStartingPoint(parts: StartingPointParts, name: TaskIdText): Promise<StartingPoint> {
  const { client, config, layout } = parts;
  const inputs = layout.inputs(name);
  const found = await client.admin.committedOffsets(config.applicationId, inputs);
  const { stores } = layout.subTopology(parseTaskId(name));
  const offsets = new Map<string, number>();
  const committed = new Set<string>();
  const leaderEpochs = new Map<string, number>();
  const clocks = new Map<string, number>();
  const written = new Map<string, string>();
  let epochId = -1;
  let streamTime = -1;
  let eventTime = -1;
  let needsClaim = false;
  for (const input of inputs) {
    const key = formatTopicPartition(input.topic, input.partition);
    const offset = found.get(key);
    if (offset === undefined) {
      needsClaim = true;
      offsets.set(key, await resetOffset(parts, name, input));
      continue;
    }
    refuseUnfinishedReset(config.applicationId, input, offset.metadata);
    committed.add(key);
    offsets.set(key, offset.offset);
    leaderEpochs.set(key, offset.leaderEpoch);
    const metadata = decodeOffsetMetadata(offset.metadata);
    needsClaim ||= metadata?.transactionalId !== parts.transactionalId;
    if (metadata === null) continue;
    refuseIncompatibleStores(name, stores, metadata.stores);
    written.set(key, metadata.stores);
    epochId = Math.max(epochId, metadata.epochId);
    streamTime = Math.max(streamTime, metadata.streamTime);
    eventTime = Math.max(eventTime, metadata.eventTime);
    for (const [id, time] of metadata.clocks) clocks.set(id, Math.max(time, clocks.get(id) ?? -1));
  }
  if (committed.size === 0 && !(await refuseLostOffsets(parts, name))) return readStartingPoint(parts, name);
  needsClaim &&= config.processingGuarantee === 'exactly_once';
  const goneStores = fingerprintsOfGone(stores, [...written.values()]);
  return {
    offsets,
    committed,
    leaderEpochs,
    epochId,
    streamTime,
    eventTime,
    clocks,
    goneStores,
    stores: written,
    needsClaim,
  };
}

async function resetOffset(
  { client, config, layout }: StartingPointParts,
  name: TaskIdText,
  input: TopicPartition,
): Promise<number> {
  const source = layout
    .subTopology(parseTaskId(name))
    .sources.find((candidate) => layout.sourceTopic(candidate) === input.topic)!;
  const policy = source.kind === 'repartition' ? 'earliest' : (source.offsetReset ?? config.autoOffsetReset);
  if (policy === 'none') {
    throw new FatalError({
      code: 'MILLRACE_OFFSET_OUT_OF_RANGE',
      message: `Group "${config.applicationId}" has no committed offset for ${input.topic}-${input.partition}, and autoOffsetReset is none.`,
      remedy: 'Commit a starting offset for the group, or set autoOffsetReset to earliest or latest.',
      context: { ...input },
    });
  }
  const offsets = await client.admin.offsets([input], policy, 'read_committed');
  return offsets.get(formatTopicPartition(input.topic, input.partition)) ?? 0;
}
