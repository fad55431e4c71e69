// Owns the wiring of the state machines over one RPC port. Whoever makes the port chooses the cluster: real or simulated.
import { MillraceError, silentLogger, systemClock } from '#libs/core';
import type { Clock, Logger } from '#libs/core';
import { KafkaBrokerAdmin } from './admin/index.ts';
import { Cluster } from './cluster/index.ts';
import type { BrokerClient, HeartbeatGuard } from './contracts/index.ts';
import { topicMissing } from './protocol/errors.ts';
import { KafkaGroupMember } from './group/index.ts';
import { KafkaRecordReader } from './reader/index.ts';
import type { RpcPort } from './rpc/index.ts';
import { KafkaStreamsGroupMember } from './streams-group/index.ts';
import { KafkaIdempotentWriter, KafkaTransactionalWriter } from './writer/index.ts';

export interface BrokerClientOptions {
  readonly rpc: RpcPort;
  /** Default the system's. */
  readonly clock?: Clock;
  /** Default none. */
  readonly logger?: Logger;
  /** Longest wait for one answer, milliseconds. Default 30,000. Long polls add their own wait. */
  readonly requestTimeoutMs?: number;
  /** Age at which metadata is asked for anew when a partition count is wanted, milliseconds. Default 60,000. */
  readonly metadataMaxAgeMs?: number;
  /** What a fetched batch may unfold to. Default 64 MiB. */
  readonly decompressedBytesMax?: number;
  /** Sends heartbeats while the event loop cannot. The client closes it. Default none. */
  readonly heartbeatGuard?: HeartbeatGuard;
}

const REQUEST_TIMEOUT_MS_DEFAULT = 30_000;
const METADATA_MAX_AGE_MS_DEFAULT = 60_000;

/**
 * The parts of a broker client. `close` closes readers and writers that are still open, then the port. A member that has not
 * left by then just falls silent.
 */
export function createBrokerClient(options: BrokerClientOptions): BrokerClient {
  const cluster = new Cluster({
    rpc: options.rpc,
    clock: options.clock ?? systemClock,
    logger: options.logger ?? silentLogger,
    requestTimeoutMs: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS_DEFAULT,
    ...(options.decompressedBytesMax === undefined
      ? {}
      : { decompressedBytesMax: options.decompressedBytesMax }),
  });
  const metadataMaxAgeMs = options.metadataMaxAgeMs ?? METADATA_MAX_AGE_MS_DEFAULT;
  const admin = new KafkaBrokerAdmin(cluster);
  const open = new Set<{ close(): Promise<void> }>();
  const members = new Set<{ abandon(): void }>();
  let closed = false;

  /** `make` is given what to call when the part is closed by its owner. */
  function tracked<T extends { close(): Promise<void> }>(make: (onClosed: () => void) => T): T {
    if (closed)
      throw new MillraceError({ code: 'MILLRACE_ILLEGAL_STATE', message: 'The broker client is closed.' });
    const part: T = make(() => open.delete(part));
    open.add(part);
    return part;
  }

  return {
    admin,
    createReader: (readerOptions) =>
      tracked((onClosed) => new KafkaRecordReader(cluster, readerOptions, onClosed)),
    createTransactionalWriter: (writerOptions) =>
      tracked((onClosed) => new KafkaTransactionalWriter(cluster, writerOptions, onClosed)),
    createIdempotentWriter: (writerOptions) =>
      tracked((onClosed) => new KafkaIdempotentWriter(cluster, writerOptions, onClosed)),
    createGroupMember(memberOptions, handler) {
      const member = new KafkaGroupMember(cluster, memberOptions, handler, options.heartbeatGuard);
      members.add(member);
      return member;
    },
    createStreamsGroupMember(memberOptions, handler) {
      const member = new KafkaStreamsGroupMember(cluster, memberOptions, handler, options.heartbeatGuard);
      members.add(member);
      return member;
    },
    async partitionCount(topic) {
      const known = cluster.metadata.topic(topic);
      const fresh = known !== undefined && cluster.clock.monotonic() - known.fetchedAt < metadataMaxAgeMs;
      if (fresh) return known.partitions.length;
      const description = (await admin.describeTopics([topic])).get(topic);
      if (description === undefined) throw topicMissing(topic);
      return description.partitionCount;
    },
    async close() {
      closed = true;
      await Promise.allSettled([...open].map((part) => part.close()));
      for (const member of members) member.abandon();
      await options.heartbeatGuard?.close();
      cluster.close();
      await options.rpc.close();
    },
  };
}
