// Owns the deletion of records in repartition and retry topics that are consumed and committed. Those topics have no retention of their own.
import type { BrokerAdmin } from '#libs/broker';
import { asError, formatTopicPartition } from '#libs/core';
import type { Clock, Logger, TopicPartition } from '#libs/core';
import type { ClusterLayout } from './cluster-layout.ts';
import type { TaskRegistry } from './task-registry.ts';

/** Kafka Streams' `repartition.purge.interval.ms`. */
const INTERVAL_MS = 30_000;

export class RepartitionTrimmer {
  private readonly layout: ClusterLayout;
  private readonly internal: ReadonlySet<string>;
  private readonly admin: BrokerAdmin;
  private readonly registry: TaskRegistry;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly active: boolean;
  private lastRun: number;
  private running = false;
  private readonly trimmed = new Map<string, number>();

  constructor(
    layout: ClusterLayout,
    admin: BrokerAdmin,
    registry: TaskRegistry,
    clock: Clock,
    logger: Logger,
  ) {
    this.layout = layout;
    this.admin = admin;
    this.registry = registry;
    this.clock = clock;
    this.logger = logger;
    this.internal = layout.internalInputs;
    this.active = this.internal.size > 0;
    this.lastRun = clock.monotonic();
  }

  /** Called each turn of the loop; acts now and then, beside it. */
  turn(): void {
    if (!this.active || this.running || this.clock.monotonic() - this.lastRun < INTERVAL_MS) return;
    this.lastRun = this.clock.monotonic();
    this.running = true;
    this.run().then(
      () => (this.running = false),
      () => (this.running = false),
    );
  }

  private async run(): Promise<void> {
    try {
      const inputs: TopicPartition[] = [];
      for (const task of this.registry.tasks) {
        for (const { topic, partition } of task.group.queues) {
          if (this.internal.has(topic)) inputs.push({ topic, partition });
        }
      }
      if (inputs.length === 0) return;
      // What the group says is committed, not what this worker believes: only settled offsets may be trimmed below.
      const committed = await this.admin.committedOffsets(this.layout.applicationId, inputs);
      const before = inputs.flatMap(({ topic, partition }) => {
        const key = formatTopicPartition(topic, partition);
        const offset = committed.get(key)?.offset ?? 0;
        return offset <= (this.trimmed.get(key) ?? 0) ? [] : [{ topic, partition, offset }];
      });
      if (before.length === 0) return;
      await this.admin.deleteRecords(before);
      for (const { topic, partition, offset } of before)
        this.trimmed.set(formatTopicPartition(topic, partition), offset);
    } catch (error) {
      this.logger.warn('Repartition topics could not be trimmed; it is tried again later', {
        error: asError(error).message,
      });
    }
  }
}
