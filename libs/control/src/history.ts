// Owns what an application was at over the last minutes, in steps of two seconds: for charts, so that whoever opens one sees the past
// too. Each sample is a difference of totals that others count; nothing is counted here.
import type { ApplicationInsight, HistogramFigures } from '#libs/millrace';

/** Between two looks at the totals. */
export const SAMPLE_MS = 2_000;
/** Fifteen minutes. */
const SAMPLES_KEPT = 450;

/** Of the time since the sample before. */
export interface HistorySample {
  /** Wall clock, milliseconds since the Unix epoch. */
  readonly at: number;
  /** Of topics of the user's, without repartition and retry topics. */
  readonly recordsInPerSecond: number;
  /** Committed, to topics of the user's. */
  readonly recordsOutPerSecond: number;
  readonly bytesOutPerSecond: number;
  /** Offsets between positions and ends, at that moment; `null`: no end is known. */
  readonly lag: number | null;
  /** Age of the oldest record that waits. */
  readonly lagMs: number | null;
  /** From a record's timestamp to its commit; `null`: nothing was committed. */
  readonly latencyP50Ms: number | null;
  readonly latencyP99Ms: number | null;
  readonly committedEpochs: number;
  readonly abortedEpochs: number;
  /** From seal to end, on average; `null`: none was committed. */
  readonly commitMs: number | null;
  /** Share of the time in which records, timers and calls of operators held the event loop. */
  readonly busy: number;
}

export class History {
  private readonly samples: HistorySample[] = [];
  private last: ApplicationInsight | null = null;

  /** To be called every `SAMPLE_MS`. */
  note(insight: ApplicationInsight): void {
    const before = this.last;
    this.last = insight;
    // What began anew counts from nothing.
    if (before === null || insight.at <= before.at || insight.startedAt !== before.startedAt) return;
    this.samples.push(sampleOf(before, insight));
    if (this.samples.length > SAMPLES_KEPT) this.samples.shift();
  }

  /** Oldest first. */
  after(at: number): HistorySample[] {
    return this.samples.filter((sample) => sample.at > at);
  }
}

function sampleOf(before: ApplicationInsight, now: ApplicationInsight): HistorySample {
  const ms = now.at - before.at;
  const perSecond = (delta: number): number => Math.round((Math.max(0, delta) * 10_000) / ms) / 10;
  const partitions = now.tasks.flatMap((task) => task.partitions);
  const lags = partitions.map(({ lag }) => lag).filter((lag) => lag !== null);
  const ages = partitions.map(({ lagMs }) => lagMs).filter((age) => age !== null);
  const committedEpochs = Math.max(0, now.commits.committed - before.commits.committed);
  const commitMs = now.commits.totalMs - before.commits.totalMs;
  return {
    at: now.at,
    recordsInPerSecond: perSecond(recordsIn(now) - recordsIn(before)),
    recordsOutPerSecond: perSecond(recordsOut(now) - recordsOut(before)),
    bytesOutPerSecond: perSecond(sumOf(now.outputs, 'bytes') - sumOf(before.outputs, 'bytes')),
    lag: lags.length === 0 ? null : lags.reduce((sum, lag) => sum + lag, 0),
    lagMs: ages.length === 0 ? null : Math.max(...ages),
    latencyP50Ms: quantile(before.latency, now.latency, 0.5),
    latencyP99Ms: quantile(before.latency, now.latency, 0.99),
    committedEpochs,
    abortedEpochs: Math.max(0, now.commits.aborted - before.commits.aborted),
    commitMs: committedEpochs === 0 ? null : Math.round((commitMs / committedEpochs) * 100) / 100,
    busy: Math.min(1, Math.max(0, Math.round(((now.loop.busyMs - before.loop.busyMs) / ms) * 1_000) / 1_000)),
  };
}

/** From outside: what comes by repartition and retry topics was counted when it came in. */
function recordsIn({ inputs }: ApplicationInsight): number {
  return sumOf(
    inputs.filter(({ kind }) => kind === 'stream' || kind === 'table'),
    'records',
  );
}

function recordsOut({ outputs }: ApplicationInsight): number {
  return sumOf(
    outputs.filter(({ kind }) => kind === 'topic'),
    'records',
  );
}

function sumOf<Name extends string>(
  rows: readonly { readonly [name in Name]: number }[],
  name: Name,
): number {
  let sum = 0;
  for (const row of rows) sum += row[name];
  return sum;
}

/** Of what came between the two: as if it were spread evenly within a bucket. */
export function quantile(before: HistogramFigures, now: HistogramFigures, q: number): number | null {
  const counts = now.counts.map((count, bucket) => Math.max(0, count - (before.counts[bucket] ?? 0)));
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  let below = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) {
    const count = counts[bucket]!;
    if (count > 0 && below + count >= q * total) {
      const from = bucket === 0 ? 0 : now.bounds[bucket - 1]!;
      // The last bucket has no end but what was the longest ever.
      const to = Math.min(now.bounds[bucket] ?? Infinity, Math.max(from, now.max));
      return Math.round((from + ((to - from) * (q * total - below)) / count) * 10) / 10;
    }
    below += count;
  }
  return null;
}
