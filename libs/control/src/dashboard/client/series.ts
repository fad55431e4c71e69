// Owns what charts show: samples of a history as columns, cut to a window of time, with a gap where samples are missing. Pure.
import type { HistorySample } from './wire.ts';

/** As uPlot takes them: seconds, then one column per series; `null` draws nothing. */
export type Columns = [xs: number[], ...series: (number | null)[][]];

export type Field = (sample: HistorySample) => number | null;

export interface Window {
  readonly fromMs: number;
  readonly toMs: number;
}

/** A step without a sample for longer than this is a gap, not a line. */
const GAP_STEPS = 2.5;

/** A short history fills the chart too. */
const LENGTH_MS_MIN = 30_000;

export function windowOf(samples: readonly HistorySample[], lengthMs: number, nowMs: number): Window {
  const toMs = Math.max(nowMs, samples.at(-1)?.at ?? 0);
  const first = samples[0]?.at ?? toMs;
  return { fromMs: Math.max(toMs - lengthMs, Math.min(first, toMs - LENGTH_MS_MIN)), toMs };
}

export function columnsOf(
  samples: readonly HistorySample[],
  fields: readonly Field[],
  { fromMs, toMs }: Window,
  stepMs: number,
): Columns {
  const xs: number[] = [];
  const series: (number | null)[][] = fields.map(() => []);
  let before: number | null = null;
  for (const sample of samples) {
    if (sample.at < fromMs || sample.at > toMs) continue;
    if (before !== null && sample.at - before > stepMs * GAP_STEPS) {
      xs.push((before + stepMs) / 1_000);
      for (const column of series) column.push(null);
    }
    before = sample.at;
    xs.push(sample.at / 1_000);
    fields.forEach((field, index) => series[index]!.push(field(sample)));
  }
  return [xs, ...series];
}

/** The newest sample that has the field; `null`: none in the last `withinMs`. */
export function latest(samples: readonly HistorySample[], field: Field, withinMs: number): number | null {
  const end = samples.at(-1)?.at ?? 0;
  for (let i = samples.length - 1; i >= 0 && end - samples[i]!.at <= withinMs; i--) {
    const value = field(samples[i]!);
    if (value !== null) return value;
  }
  return null;
}
