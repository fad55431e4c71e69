// Owns what the benchmark prints: pure text from runs.
import type { Run } from './measure.ts';

export interface SystemResult {
  readonly name: string;
  readonly config: string;
  readonly runs: readonly Run[];
}

export interface BenchJson {
  readonly workload: string;
  /** Median of ours over median of the peer; null when one side did not run. */
  readonly ratio: number | null;
  readonly systems: readonly {
    readonly name: string;
    readonly config: string;
    readonly records_per_second: { readonly min: number; readonly median: number; readonly max: number };
    readonly cpu_seconds: number | null;
    readonly peak_rss_bytes: number | null;
    readonly running_after_seconds?: number;
  }[];
}

export function toJson(workload: string, results: readonly SystemResult[]): BenchJson {
  const systems = results.map(({ name, config, runs }) => {
    const rates = runs.map(({ recordsPerSecond }) => recordsPerSecond);
    const cpuSeconds = median(runs.map((run) => run.cpuSeconds));
    const runningAfter = median(runs.map((run) => run.runningAfterSeconds));
    return {
      name,
      config,
      records_per_second: {
        min: Math.round(Math.min(...rates)),
        median: Math.round(median(rates) ?? 0),
        max: Math.round(Math.max(...rates)),
      },
      cpu_seconds: cpuSeconds === undefined ? null : round(cpuSeconds, 2),
      // The worst run counts: memory is about what must be provided.
      peak_rss_bytes: Math.max(...runs.map((run) => run.peakRssBytes ?? 0)) || null,
      ...(runningAfter === undefined ? {} : { running_after_seconds: round(runningAfter, 2) }),
    };
  });
  const of = (name: string): number | undefined =>
    systems.find((system) => system.name === name)?.records_per_second.median;
  const ours = of('millrace');
  const theirs = of('kafka-streams');
  const ratio = ours === undefined || theirs === undefined ? null : round(ours / theirs, 2);
  return { workload, ratio, systems };
}

export function toTable(result: BenchJson): string {
  const rows = [['', 'records/s', 'min', 'max', 'CPU s', 'peak RSS', 'running after']];
  for (const system of result.systems) {
    const { min, median: middle, max } = system.records_per_second;
    rows.push([
      system.name,
      ...[middle, min, max].map((rate) => rate.toLocaleString('en')),
      system.cpu_seconds === null ? 'n/a' : system.cpu_seconds.toFixed(1),
      system.peak_rss_bytes === null ? 'n/a' : `${Math.round(system.peak_rss_bytes / 1048576)} MiB`,
      system.running_after_seconds === undefined ? '' : `${system.running_after_seconds} s`,
    ]);
  }
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  );
  for (const { name, config } of result.systems) lines.push(`${name}: ${config}`);
  if (result.ratio !== null) lines.push(`ratio of medians: ${result.ratio.toFixed(2)}`);
  return lines.join('\n');
}

/** The middle value; the mean of the two in the middle when they are even. */
export function median(values: readonly (number | undefined)[]): number | undefined {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  if (sorted.length === 0) return undefined;
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
