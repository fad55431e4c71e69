// Owns noticing that what is read is held back: records that are there, behind the beginning of a transaction that nobody ends. Reading
// committed records waits for it, a restore as well as an input, and no lag tells of it, since a lag ends where reading may go.
//
// A transaction may rightly take minutes (an upstream that commits with its checkpoints), so that this is said once per transaction, not done
// anything about. Whose it is and whether it may be aborted, only people can know: the broker that lost its end does not.
import { formatTopicPartition } from '#libs/core';
import type { Clock, Logger, TopicPartition } from '#libs/core';
import type { RecordReader } from '#libs/broker';
import type { InsightLog } from './insight/insight-log.ts';

const LOOK_INTERVAL_MS = 5_000;
/** `transaction.timeout.ms` of a Java producer by default: what is open for so long has outlived most of them. */
const HELD_BACK_AFTER_MS = 60_000;
/** A partition whose reading rests, because enough of it is buffered, is not asked for: what was heard of it before says nothing of now. */
const KNOWN_WITHIN_MS = 10_000;

export interface ReadEnds extends TopicPartition {
  /** -1: not known yet. */
  readonly lastStableOffset: number;
  readonly highWatermark: number;
  /** Wall clock as of which they are; -1: not known. */
  readonly knownAt: number;
}

export function readEnds(
  reader: Pick<RecordReader, 'endOffsets' | 'endsKnownAt'>,
  topic: string,
  partition: number,
): ReadEnds {
  const knownAt = reader.endsKnownAt(topic, partition);
  return { topic, partition, ...reader.endOffsets(topic, partition), knownAt };
}

export interface HeldBackWatchParts {
  /** Of all partitions that are read: inputs, restores, copies. */
  readonly ends: () => Iterable<ReadEnds>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly insight: Pick<InsightLog, 'issue'>;
}

interface Held {
  readonly offset: number;
  /** Monotonic. */
  readonly since: number;
  readonly told: boolean;
}

export class HeldBackWatch {
  private readonly parts: HeldBackWatchParts;
  private held: ReadonlyMap<string, Held> = new Map();
  /** Monotonic. */
  private nextLookAt = -Infinity;

  constructor(parts: HeldBackWatchParts) {
    this.parts = parts;
  }

  /** Called each turn of the loop; looks now and then. */
  turn(): void {
    const { clock, logger } = this.parts;
    const now = clock.monotonic();
    if (now < this.nextLookAt) return;
    this.nextLookAt = now + LOOK_INTERVAL_MS;
    const held = new Map<string, Held>();
    for (const ends of this.parts.ends()) {
      const { lastStableOffset: offset, highWatermark, knownAt } = ends;
      if (offset < 0 || offset >= highWatermark || clock.now() - knownAt > KNOWN_WITHIN_MS) continue;
      const place = formatTopicPartition(ends.topic, ends.partition);
      const before = this.held.get(place);
      const isSame = before?.offset === offset;
      const since = isSame ? before.since : now;
      const wasTold = isSame && before.told;
      const told = wasTold || now - since >= HELD_BACK_AFTER_MS;
      if (told && !wasTold) this.tell(place, ends, now - since);
      held.set(place, { offset, since, told });
    }
    for (const [place, { told }] of this.held)
      if (told && !held.has(place)) logger.info('Nothing holds records back any more', { partition: place });
    this.held = held;
  }

  private tell(
    place: string,
    { topic, partition, lastStableOffset, highWatermark }: ReadEnds,
    heldMs: number,
  ): void {
    const { logger, insight } = this.parts;
    const code = 'MILLRACE_HELD_BACK';
    const seconds = Math.round(heldMs / 1_000);
    const message =
      `${highWatermark - lastStableOffset} offset(s) of ${place} cannot be read: a transaction that began at offset ${lastStableOffset} ` +
      `has not ended for ${seconds} s or more.`;
    const remedy =
      `Find its producer with Kafka's kafka-transactions.sh (describe-producers --topic ${topic} --partition ${partition}, ` +
      `find-hanging --topic ${topic} --partition ${partition}). One that lives has to commit or abort; one that the coordinator does not know any more has to be ` +
      'aborted by hand.';
    logger.warn(message, { code, remedy, topic, partition, lastStableOffset, highWatermark });
    insight.issue('heldBack', code, place, message);
  }
}
