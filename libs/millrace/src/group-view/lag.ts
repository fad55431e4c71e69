// Owns how far a group is behind its topics as Kafka knows it, of an application that need not run. It joins no group.
import { formatTopicPartition, parseTopicPartition, silentLogger, systemClock } from '#libs/core';
import type { Clock, Logger, TopicPartition } from '#libs/core';
import { decodeOffsetMetadata, decodeResetMark } from '#libs/runtime';
import { connect } from '../connect.ts';
import type { KafkaConnection } from '../connect.ts';
import { ownKind } from '../reset/internal-names.ts';

export interface GroupLagOptions {
  readonly kafka: KafkaConnection;
  readonly applicationId: string;
  /** Besides those that the group has offsets of. */
  readonly topics?: readonly string[] | undefined;
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
}

export interface PartitionLag extends TopicPartition {
  readonly kind: 'input' | 'repartition' | 'retry' | 'changelog';
  /** The next offset to be read, as committed; `null`: none is. */
  readonly committed: number | null;
  /** Where the partition begins; records before it are deleted. */
  readonly start: number;
  /** Behind all that is committed (the last stable offset). */
  readonly end: number;
  /** Offsets, of which some are markers; `null`: nothing is committed. */
  readonly lag: number | null;
  /** What was committed with it; `null`: another tool wrote it. */
  readonly epoch: number | null;
  /** Milliseconds since the Unix epoch. */
  readonly streamTime: number | null;
  readonly transactionalId: string | null;
  /** A reset was begun and not ended. */
  readonly resetting: boolean;
}

export interface GroupLag {
  readonly applicationId: string;
  /** As Kafka names it; `Dead`: there is no such group with members. */
  readonly state: string;
  readonly members: number;
  readonly partitions: readonly PartitionLag[];
  /** Of those known. */
  readonly total: number;
  /** Partitions without a committed offset. */
  readonly unknown: number;
  /** Topics that the group has offsets of and that are gone. */
  readonly missingTopics: readonly string[];
}

/** @throws MillraceError what stands between us and the brokers. */
export async function groupLag(options: GroupLagOptions): Promise<GroupLag> {
  const { applicationId, topics = [], clock = systemClock, logger = silentLogger } = options;
  const client = connect(options.kafka, 'millrace-lag', { clock, logger });
  try {
    const { admin } = client;
    const [group, committed] = await Promise.all([
      admin.describeGroup(applicationId),
      admin.committedOffsets(applicationId, null, { requireStable: false }),
    ]);
    const read = new Set([...committed.keys()].map((key) => parseTopicPartition(key).topic));
    const names = new Set([...topics, ...read]);
    const described = await admin.describeTopics([...names]);
    const places = [...described.values()]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap(({ name, partitionCount }) =>
        Array.from({ length: partitionCount }, (_, partition) => ({ topic: name, partition })),
      );
    const [starts, ends] = await Promise.all([
      admin.offsets(places, 'earliest', 'read_committed'),
      admin.offsets(places, 'latest', 'read_committed'),
    ]);
    const partitions = places.map(({ topic, partition }): PartitionLag => {
      const key = formatTopicPartition(topic, partition);
      const noted = committed.get(key);
      const metadata = decodeOffsetMetadata(noted?.metadata ?? null);
      const end = ends.get(key) ?? 0;
      return {
        ...{ topic, partition, end, kind: ownKind(applicationId, topic, read) ?? 'input' },
        committed: noted?.offset ?? null,
        start: starts.get(key) ?? 0,
        // A marker may be committed past the last stable offset.
        lag: noted === undefined ? null : Math.max(0, end - noted.offset),
        epoch: metadata?.epochId ?? null,
        streamTime: metadata === null || metadata.streamTime < 0 ? null : metadata.streamTime,
        transactionalId: metadata?.transactionalId ?? null,
        resetting: decodeResetMark(noted?.metadata ?? '') !== null,
      };
    });
    return {
      ...{ applicationId, partitions, state: group.state, members: group.members.length },
      total: partitions.reduce((sum, { lag }) => sum + (lag ?? 0), 0),
      unknown: partitions.filter(({ lag }) => lag === null).length,
      missingTopics: [...names].filter((name) => !described.has(name)).sort(),
    };
  } finally {
    await client.close();
  }
}
