// Owns the options of event time at a source: watermark strategies, and what happens to timestamps in the future. Terms and meaning are
// Flink's, but for two things: watermarks are made with every record, not by a timer, so that a replay makes the same ones; and a
// watermark of t says that no record below t is expected, where Flink's says none at or below t.
import type { GraphNode } from '../graph.ts';
import type { FutureTimestampSpec, WatermarkGenerator, WatermarkSpec } from '../plan.ts';

export type { FutureTimestampSpec, WatermarkGenerator } from '../plan.ts';

/**
 * How far event time of a source's partitions is known to have come. A task's time is the minimum over its partitions that have a
 * strategy; its operators close windows and call records late by it. Without a strategy they go by stream time, as in Kafka Streams: the
 * highest timestamp seen. Repartition topics downstream go by the strategy of the first source upstream that has one.
 *
 * `Consumed.with(key, value, { watermarks: WatermarkStrategy.boundedOutOfOrderness(5_000).withIdleness(60_000) })`
 */
export interface WatermarkStrategy extends WatermarkSpec {
  /**
   * A partition read to its end that brings no record for `ms` milliseconds of the wall clock no longer holds time back. When all are
   * idle, time is that of the partition furthest on. Default: never. Results then hang on when records came, not only on what they say.
   */
  withIdleness(ms: number): WatermarkStrategy;
  /**
   * When all inputs of a task are read to their ends and bring nothing for `ms` milliseconds of the wall clock, event time moves on with
   * the wall clock from where it stood: windows close, timers fire. Default: time stands still, as in Kafka Streams.
   */
  withWallClockBound(ms: number): WatermarkStrategy;
}

class Strategy implements WatermarkStrategy {
  readonly generator: (() => WatermarkGenerator) | null;
  readonly idleAfterMs: number | null;
  readonly quietAfterMs: number | null;
  /** As it was given; `null`: none was. */
  readonly boundMs: number | null;

  constructor({ generator, idleAfterMs, quietAfterMs }: WatermarkSpec, boundMs: number | null) {
    this.boundMs = boundMs;
    this.generator = generator;
    this.idleAfterMs = idleAfterMs;
    this.quietAfterMs = quietAfterMs;
  }

  withIdleness(ms: number): WatermarkStrategy {
    return new Strategy({ ...this.spec(), idleAfterMs: ms }, this.boundMs);
  }

  withWallClockBound(ms: number): WatermarkStrategy {
    return new Strategy({ ...this.spec(), quietAfterMs: ms }, this.boundMs);
  }

  private spec(): WatermarkSpec {
    const { generator, idleAfterMs, quietAfterMs } = this;
    return { generator, idleAfterMs, quietAfterMs };
  }
}

function strategy(
  generator: (() => WatermarkGenerator) | null,
  boundMs: number | null = null,
): WatermarkStrategy {
  return new Strategy({ generator, idleAfterMs: null, quietAfterMs: null }, boundMs);
}

class BoundedOutOfOrderness implements WatermarkGenerator {
  private readonly boundMs: number;
  private highest = -1;

  constructor(boundMs: number) {
    this.boundMs = boundMs;
  }

  onRecord(timestamp: number): void {
    if (timestamp > this.highest) this.highest = timestamp;
  }

  watermark(): number {
    return Math.max(-1, this.highest - this.boundMs);
  }
}

export const WatermarkStrategy = {
  /** Timestamps of a partition never go back: the watermark is the highest of them. */
  monotonous: (): WatermarkStrategy => strategy(() => new BoundedOutOfOrderness(0)),
  /** Records come at most `ms` milliseconds of event time after one with a higher timestamp. */
  boundedOutOfOrderness: (ms: number): WatermarkStrategy =>
    strategy(() => new BoundedOutOfOrderness(ms), ms ?? NaN),
  /** A generator for each partition. What it knows is not kept over a restart; time does not go back for that. */
  custom: (generator: () => WatermarkGenerator): WatermarkStrategy =>
    // `null` would be stream time: what is no function is refused where it is used.
    strategy(generator ?? (undefined as never)),
  /** Kafka Streams' stream time, the default: to give it a wall-clock bound. */
  streamTime: (): Omit<WatermarkStrategy, 'withIdleness'> => strategy(null),
};

/** The options of time as they may be given with `Consumed`. */
export interface ConsumedTime {
  /** Default: stream time as in Kafka Streams. */
  readonly watermarks?: WatermarkSpec | undefined;
  /**
   * What happens to a record whose timestamp is further ahead of the wall clock than `aheadMsMax` milliseconds. It never moves time.
   * `fail`: as one that cannot be deserialized (MILLRACE_FUTURE_TIMESTAMP); `drop`: left out and counted; `clamp`: its timestamp is the
   * wall clock's. Default: any timestamp is believed.
   */
  readonly futureTimestamps?: FutureTimestampSpec | undefined;
}

/** What is wrong with the options. */
export function consumedTimeFaults(
  consumed: Partial<ConsumedTime> | undefined,
): readonly { readonly problem: string; readonly remedy: string }[] {
  const faults: { readonly problem: string; readonly remedy: string }[] = [];
  const { watermarks, futureTimestamps } = consumed ?? {};
  const milliseconds = (what: string, value: unknown, least: number): void => {
    if (typeof value === 'number' && Number.isFinite(value) && value >= least) return;
    faults.push({
      problem: `${what} is ${String(value)}.`,
      remedy: `Use a number of milliseconds from ${least} on.`,
    });
  };
  if (watermarks !== undefined) {
    const { generator, idleAfterMs, quietAfterMs } = (watermarks ?? {}) as Partial<WatermarkSpec>;
    if (generator === undefined || (generator !== null && typeof generator !== 'function')) {
      faults.push({ problem: 'watermarks is no strategy.', remedy: 'Use one of WatermarkStrategy.' });
    }
    if (watermarks instanceof Strategy && watermarks.boundMs !== null)
      milliseconds('the bound of watermarks', watermarks.boundMs, 0);
    if (idleAfterMs !== null && idleAfterMs !== undefined) milliseconds('the idleness', idleAfterMs, 1);
    if (quietAfterMs !== null && quietAfterMs !== undefined)
      milliseconds('the wall-clock bound', quietAfterMs, 1);
  }
  if (futureTimestamps !== undefined) {
    const { aheadMsMax, policy } = (futureTimestamps ?? {}) as Partial<FutureTimestampSpec>;
    milliseconds('futureTimestamps.aheadMsMax', aheadMsMax, 0);
    if (policy === undefined || !['fail', 'drop', 'clamp'].includes(policy)) {
      faults.push({
        problem: `futureTimestamps.policy is ${JSON.stringify(policy)}.`,
        remedy: 'Use "fail", "drop" or "clamp".',
      });
    }
  }
  return faults;
}

/** What a repartition topic behind `nodes` goes by: the strategy of the nearest source upstream that has one. */
export function watermarksUpstream(nodes: readonly GraphNode[]): WatermarkSpec | null {
  const waiting: GraphNode[] = [...nodes];
  const seen = new Set<GraphNode>(waiting);
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    if (next.kind === 'source' && next.watermarks !== undefined && next.watermarks !== null)
      return next.watermarks;
    for (const parent of next.parents) {
      if (seen.has(parent)) continue;
      seen.add(parent);
      waiting.push(parent);
    }
  }
  return null;
}
