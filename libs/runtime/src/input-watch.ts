// Owns noticing that an input got more partitions while the application runs. Nobody reads the new ones, and keys now go to other
// partitions than their state is in: going on would be wrong in silence. It decides nothing: the worker ends with what is found.
import type { BrokerAdmin } from '#libs/broker';
import { FatalError, asError } from '#libs/core';
import type { Clock, Logger } from '#libs/core';
import type { ClusterLayout } from './cluster-layout.ts';

export class InputWatch {
  private readonly topics: readonly string[];
  private readonly layout: ClusterLayout;
  private readonly admin: BrokerAdmin;
  private readonly intervalMs: number;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly onChanged: (error: FatalError) => void;
  private lastRun: number;
  private running = false;

  constructor(
    layout: ClusterLayout,
    admin: BrokerAdmin,
    intervalMs: number,
    clock: Clock,
    logger: Logger,
    onChanged: (error: FatalError) => void,
  ) {
    this.layout = layout;
    this.topics = [
      ...new Set([...layout.subscribedTopics(), ...layout.topology.globalStores.map(({ topic }) => topic)]),
    ];
    this.admin = admin;
    this.intervalMs = intervalMs;
    this.clock = clock;
    this.logger = logger;
    this.onChanged = onChanged;
    this.lastRun = clock.monotonic();
  }

  /** Called each turn of the loop; acts now and then, beside it. */
  turn(): void {
    if (this.running || this.clock.monotonic() - this.lastRun < this.intervalMs) return;
    this.lastRun = this.clock.monotonic();
    this.running = true;
    this.look().then(
      () => (this.running = false),
      () => (this.running = false),
    );
  }

  private async look(): Promise<void> {
    let described: Awaited<ReturnType<BrokerAdmin['describeTopics']>>;
    try {
      described = await this.admin.describeTopics(this.topics);
    } catch (error) {
      this.logger.debug('The inputs could not be looked at; it is tried again later', {
        error: asError(error).message,
      });
      return;
    }
    // Fewer, or none: the topic was made anew. Its reader finds that out, and says more of it.
    const grown = this.topics.filter((topic) => {
      const before = this.layout.partitionCounts.get(topic);
      const now = described.get(topic)?.partitionCount;
      return before !== undefined && now !== undefined && now > before;
    });
    if (grown.length === 0) return;
    const counts = grown.map((topic) => {
      const [before, now] = [this.layout.partitionCounts.get(topic)!, described.get(topic)!.partitionCount];
      return `"${topic}" had ${before} and has ${now}`;
    });
    this.onChanged(
      new FatalError({
        code: 'MILLRACE_PARTITIONS_MISMATCH',
        message: `Inputs of application "${this.layout.applicationId}" got more partitions while it ran: ${counts.join('; ')}.`,
        remedy:
          'Start it again if it keeps no state. With state, keys are in other partitions now than what was kept of them: start under a new application.id, or reset the application.',
        context: { topics: grown },
      }),
    );
  }
}
