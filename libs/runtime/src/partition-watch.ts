// Owns noticing that partition counts change while the application runs.
//
// - An input has more: nobody reads the new ones, and keys now go to other partitions than their state is in. Going on would be wrong in
//   silence, so the worker ends with what is found.
// - An output has more: its records go by the new count from the next epoch on, as those of Kafka's producers do from their next look at
//   metadata on (`metadata.max.age.ms`).
// - An output has fewer: it was deleted and made again. Who reads it by key finds keys elsewhere; the worker ends.
//
// Not its business: inputs that have fewer, or none (their reader finds out, and says more of it), and changelogs, whose partitions are
// those of the tasks.
import type { BrokerAdmin } from '#libs/broker';
import { FatalError, asError } from '#libs/core';
import type { Clock, Logger } from '#libs/core';
import type { ClusterLayout } from './cluster-layout.ts';
import type { OutputCollector } from './output-collector.ts';

/** An output's new count is believed when another look says the same this much later: brokers learn of it one after the other. */
const CONFIRMED_AFTER_MS = 2_000;

export interface PartitionWatchParts {
  readonly layout: ClusterLayout;
  readonly admin: Pick<BrokerAdmin, 'describeTopics'>;
  readonly collector: Pick<OutputCollector, 'partitionCounts' | 'grow'>;
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What the application cannot go on with. */
  readonly onRefused: (error: FatalError) => void;
}

type Counts = ReadonlyMap<string, number>;

export class PartitionWatch {
  private readonly parts: PartitionWatchParts;
  private readonly inputs: ReadonlySet<string>;
  private readonly changelogs: ReadonlySet<string>;
  /** Monotonic. */
  private nextLookAt: number;
  private looking = false;
  /** New counts of outputs, seen once. */
  private unconfirmed: Counts = new Map();

  constructor(parts: PartitionWatchParts) {
    this.parts = parts;
    const { layout, clock, intervalMs } = parts;
    const globals = layout.topology.globalStores.map(({ topic }) => topic);
    this.inputs = new Set([...layout.subscribedTopics(), ...globals]);
    this.changelogs = new Set(
      layout.topology.subTopologies.flatMap((sub) =>
        sub.stores.map((store) => layout.changelogTopic(sub, store)).filter((topic) => topic !== null),
      ),
    );
    this.nextLookAt = clock.monotonic() + intervalMs;
  }

  /** Called each turn of the loop; acts now and then, beside it. */
  turn(): void {
    const { clock, intervalMs } = this.parts;
    if (this.looking || clock.monotonic() < this.nextLookAt) return;
    this.nextLookAt = clock.monotonic() + intervalMs;
    this.looking = true;
    this.look().then(
      () => (this.looking = false),
      () => (this.looking = false),
    );
  }

  private async look(): Promise<void> {
    const { admin, collector, logger } = this.parts;
    const outputs = [...collector.partitionCounts].filter(
      ([topic]) => !this.inputs.has(topic) && !this.changelogs.has(topic),
    );
    const now = new Map<string, number>();
    try {
      const described = await admin.describeTopics([...this.inputs, ...outputs.map(([topic]) => topic)]);
      for (const [topic, { partitionCount }] of described) now.set(topic, partitionCount);
    } catch (error) {
      logger.debug('The partitions of topics could not be looked at; it is tried again later', {
        error: asError(error).message,
      });
      return;
    }
    this.judgeInputs(now);
    this.judgeOutputs(new Map(outputs), now);
  }

  private judgeInputs(now: Counts): void {
    const { layout } = this.parts;
    const known = [...this.inputs].map((topic) => [topic, layout.partitionCounts.get(topic)] as const);
    const before = new Map(known.filter((entry): entry is [string, number] => entry[1] !== undefined));
    const grown = [...before.keys()].filter((topic) => (now.get(topic) ?? 0) > before.get(topic)!);
    if (grown.length === 0) return;
    this.refuse(
      `Inputs of application "${layout.applicationId}" got more partitions while it ran`,
      'Start it again if it keeps no state. With state, keys are in other partitions now than what was kept of them: start under a new application.id, or reset the application.',
      { topics: grown, before, now },
    );
  }

  private judgeOutputs(before: Counts, now: Counts): void {
    const { layout, collector, clock, intervalMs, logger } = this.parts;
    const changed = new Map<string, number>();
    for (const [topic, count] of before) {
      const found = now.get(topic);
      if (found !== undefined && found !== count) changed.set(topic, found);
    }
    const confirmed = [...changed].filter(([topic, count]) => this.unconfirmed.get(topic) === count);
    this.unconfirmed = changed;
    if (confirmed.length < changed.size)
      this.nextLookAt = clock.monotonic() + Math.min(CONFIRMED_AFTER_MS, intervalMs);
    const fewer = confirmed.filter(([topic, count]) => count < before.get(topic)!).map(([topic]) => topic);
    if (fewer.length > 0) {
      this.refuse(
        `Outputs of application "${layout.applicationId}" were made again with fewer partitions while it ran`,
        'Find out who made them again. If fewer is right, start the application again: keys go to other partitions than before.',
        { topics: fewer, before, now },
      );
      return;
    }
    for (const [topic, count] of confirmed) {
      logger.info(
        `Output "${topic}" got more partitions: records go by the new count from the next epoch on`,
        {
          before: before.get(topic),
          now: count,
        },
      );
      collector.grow(topic, count);
    }
  }

  private refuse(
    what: string,
    remedy: string,
    {
      topics,
      before,
      now,
    }: { readonly topics: readonly string[]; readonly before: Counts; readonly now: Counts },
  ): void {
    const counts = topics.map((topic) => `"${topic}" had ${before.get(topic)!} and has ${now.get(topic)!}`);
    this.parts.onRefused(
      new FatalError({
        code: 'MILLRACE_PARTITIONS_MISMATCH',
        message: `${what}: ${counts.join('; ')}.`,
        remedy,
        context: { topics },
      }),
    );
  }
}
