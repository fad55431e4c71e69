// Owns what the driver asks of the cluster it runs on: topics, appends, what is committed, and a client for each instance.
// It knows no test API. One implementation: the simulated cluster of libs/broker-memory.
import type { BrokerClient, CommittedOffset, EncodedBatch, RecordBatchView } from '#libs/broker';
import type { Clock } from '#libs/core';
import type { InstanceLife } from './instance-life.ts';

/** What is committed of a partition from an offset on. */
export interface CommittedBatches {
  readonly batches: readonly RecordBatchView[];
  /** Where to go on. */
  readonly nextOffset: number;
}

export interface DriverCluster {
  createTopic(name: string, partitionCount: number): void;
  partitionCount(topic: string): number | undefined;
  topics(): readonly string[];
  /** Appends as a producer without transactions; gives the offset behind it. */
  append(topic: string, partition: number, batch: EncodedBatch): number;
  /** Data batches that a reader of committed records sees. `batches` may start below `from`. */
  read(topic: string, partition: number, from: number): CommittedBatches;
  /** Is every committed record of the partition below the group's committed offset? */
  isConsumed(group: string, topic: string, partition: number): boolean;
  /** Is a transaction open, or its end not yet written everywhere? */
  hasOpenTransaction(): boolean;
  /** The group's committed offset; `undefined`: none. */
  committed(group: string, topic: string, partition: number): CommittedOffset | undefined;
  client(clientId: string, clock: Clock, life: InstanceLife): BrokerClient;
}
