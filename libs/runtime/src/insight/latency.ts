// Owns the time from a record's timestamp to its commit: samples of the open and of the sealed epoch, and a histogram of those that are
// committed. A sample is two numbers in an array that is kept; nothing is allocated for a record or a batch.
import type { HistogramFigures } from './figures.ts';

/** Upper bounds, milliseconds. */
export const LATENCY_BOUNDS_MS: readonly number[] = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 3_600_000,
];

/** Of one epoch; beyond, the weight of later samples goes to the last one. */
const SAMPLES_MAX = 1_024;

class Samples {
  readonly timestamps = new Float64Array(SAMPLES_MAX);
  readonly weights = new Float64Array(SAMPLES_MAX);
  count = 0;

  add(timestamp: number, weight: number): void {
    if (this.count === SAMPLES_MAX) {
      this.weights[SAMPLES_MAX - 1]! += weight;
      return;
    }
    this.timestamps[this.count] = timestamp;
    this.weights[this.count++] = weight;
  }
}

export class CommitLatency {
  private open = new Samples();
  private sealed = new Samples();
  private readonly counts = new Float64Array(LATENCY_BOUNDS_MS.length + 1);
  private count = 0;
  private sum = 0;
  private max = 0;

  /** A piece of a batch was processed: timestamps of its first and last record. */
  processed(first: number, last: number, records: number): void {
    if (records === 1) {
      this.open.add(first, 1);
      return;
    }
    const half = records >> 1;
    this.open.add(first, records - half);
    this.open.add(last, half);
  }

  seal(): void {
    const { open } = this;
    this.open = this.sealed;
    this.sealed = open;
    this.open.count = 0;
  }

  committed(now: number): void {
    const { timestamps, weights, count } = this.sealed;
    for (let i = 0; i < count; i++) {
      const weight = weights[i]!;
      // Clocks of producers differ from ours.
      const ms = Math.max(0, now - timestamps[i]!);
      let bucket = 0;
      while (bucket < LATENCY_BOUNDS_MS.length && ms > LATENCY_BOUNDS_MS[bucket]!) bucket++;
      this.counts[bucket]! += weight;
      this.count += weight;
      this.sum += ms * weight;
      if (ms > this.max) this.max = ms;
    }
    this.sealed.count = 0;
  }

  /** Nothing of what is open or sealed will be committed. */
  abandoned(): void {
    this.open.count = 0;
    this.sealed.count = 0;
  }

  get figures(): HistogramFigures {
    const { count, sum, max } = this;
    return { bounds: LATENCY_BOUNDS_MS, counts: [...this.counts], count, sum, max };
  }
}
