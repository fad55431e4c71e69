// Owns the end of a bounded run (`until: latest`): the ends of the application's inputs at start, and whether all up to them,
// and all that it caused in repartition and retry topics, is processed and committed, by whichever instance.
//
// Without repartition topics an instance has ended when its own tasks have. With them no task has ended before all those that feed it
// have, wherever they run; so an instance then goes by what the whole group has committed.
import type { BrokerClient, CommittedOffset } from '#libs/broker';
import { formatTopicPartition } from '#libs/core';
import type { Clock, TopicPartition } from '#libs/core';
import type { ClusterLayout } from './cluster-layout.ts';
import type { TaskRegistry } from './task-registry.ts';

/** Between two questions while the input goes on. */
const ASK_INTERVAL_MS = 100;

export class RunLimit {
  private readonly layout: ClusterLayout;
  private readonly client: BrokerClient;
  private readonly registry: TaskRegistry;
  private readonly isAssigned: () => boolean;
  /** A task may be between two owners while all tasks of this one have ended: what counts is what the whole group has committed. */
  private readonly byGroup: boolean;
  /** By `formatTopicPartition`, external inputs only. */
  private ends: ReadonlyMap<string, number> = new Map();
  private readonly internal: ReadonlySet<string>;
  private readonly repartitions: readonly TopicPartition[];
  /** Ends that the repartition topics had when the rounds before were done; `null`: no round has begun. */
  private target: ReadonlyMap<string, number> | null = null;
  private roundsDone = 0;
  private readonly clock: Clock;
  private askedAt = -Infinity;

  constructor(
    layout: ClusterLayout,
    client: BrokerClient,
    registry: TaskRegistry,
    isAssigned: () => boolean,
    clock: Clock,
    byGroup = false,
  ) {
    this.byGroup = byGroup;
    this.clock = clock;
    this.layout = layout;
    this.client = client;
    this.registry = registry;
    this.isAssigned = isAssigned;
    this.internal = layout.internalInputs;
    this.repartitions = this.partitionsOf((topic) => this.internal.has(topic));
  }

  async start(): Promise<void> {
    const inputs = this.partitionsOf((topic) => !this.internal.has(topic));
    this.ends = await this.client.admin.offsets(inputs, 'latest', 'read_committed');
  }

  /**
   * What is processed and uncommitted by then is committed by the end of the run. `idle`: there is nothing of that, and nothing to
   * process; to be asked whenever this is so, and now and then besides.
   */
  async isReached(idle: boolean): Promise<boolean> {
    if (!idle && this.clock.monotonic() - this.askedAt < ASK_INTERVAL_MS) return false;
    this.askedAt = this.clock.monotonic();
    if (!this.isAssigned() || !this.registry.isComplete) return false;
    let tasks = 0;
    for (const task of this.registry.tasks) {
      tasks++;
      if (!task.isSettled) return false;
      for (const queue of task.group.queues) {
        const end = this.ends.get(formatTopicPartition(queue.topic, queue.partition));
        if (end !== undefined && queue.position < end) return false;
      }
    }
    if (this.repartitions.length === 0 && tasks > 0 && !this.byGroup) return true;
    if (idle && this.commitPositions()) return false;
    return this.isGroupDone();
  }

  /**
   * Others go by what is committed. Control batches move a position without a record that would have been committed, so the positions
   * as they are now are asked to be. True: some are.
   */
  private commitPositions(): boolean {
    let asked = false;
    for (const task of this.registry.tasks) {
      for (const queue of task.group.queues) {
        if (queue.sealedPosition >= queue.position) continue;
        task.touched = true;
        asked = true;
      }
    }
    return asked;
  }

  private async isGroupDone(): Promise<boolean> {
    const { admin } = this.client;
    const inputs = this.partitionsOf(() => true);
    // What is pending is not done yet; waiting for it would keep this worker from its own work.
    const committed = await admin.committedOffsets(this.layout.applicationId, inputs, {
      requireStable: false,
    });
    if (!reaches(committed, this.ends)) return false;
    if (this.repartitions.length === 0) return true;
    // Read after the offsets: if these reach the ends now, nothing was under way between then and now.
    const now = await admin.offsets(this.repartitions, 'latest', 'read_committed');
    if (reaches(committed, now)) return true;
    // The input goes on beyond the ends, so the topics do not run dry. What the bounded part of it caused is done once the ends of now
    // are reached: in those fed by it at first, then in those fed by these, and so on.
    if (this.target === null) {
      this.target = now;
    } else if (reaches(committed, this.target)) {
      this.target = now;
      this.roundsDone++;
    }
    return this.roundsDone >= this.internal.size;
  }

  private partitionsOf(isWanted: (topic: string) => boolean): TopicPartition[] {
    const partitions: TopicPartition[] = [];
    for (const topic of this.layout.subscribedTopics()) {
      if (!isWanted(topic)) continue;
      const count = this.layout.partitionCounts.get(topic) ?? 0;
      for (let partition = 0; partition < count; partition++) partitions.push({ topic, partition });
    }
    return partitions;
  }
}

function reaches(
  committed: ReadonlyMap<string, CommittedOffset>,
  ends: ReadonlyMap<string, number>,
): boolean {
  for (const [key, end] of ends) if ((committed.get(key)?.offset ?? 0) < end) return false;
  return true;
}
