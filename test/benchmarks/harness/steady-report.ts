// Owns what the benchmarks under a steady load print: pure text from runs.
import { median } from './report.ts';
import type { LatencyRun, RebalanceRun, Scenario } from './steady-load.ts';

export interface LatencyJson {
  readonly workload: 'latency';
  readonly systems: readonly {
    readonly name: string;
    readonly config: string;
    readonly rates: readonly {
      readonly records_per_second: number;
      readonly p50_ms: number;
      readonly p99_ms: number;
      readonly max_ms: number;
    }[];
  }[];
}

export interface RebalanceJson {
  readonly workload: 'rebalance';
  readonly systems: readonly {
    readonly name: string;
    readonly config: string;
    readonly scenarios: readonly {
      readonly scenario: Scenario;
      readonly standbys: number;
      /** The longest of all runs: a pause is about the worst case. */
      readonly moved_gap_ms: number | null;
      readonly stayed_gap_ms: number | null;
      readonly p99_ms: number;
    }[];
  }[];
}

interface Results<R> {
  readonly name: string;
  readonly config: string;
  readonly runs: readonly R[];
}

/** Medians over the runs of a rate; the maximum is that of all. */
export function latencyJson(results: readonly Results<LatencyRun>[]): LatencyJson {
  return {
    workload: 'latency',
    systems: results.map(({ name, config, runs }) => ({
      name,
      config,
      rates: [...groups(runs, ({ rate }) => String(rate)).values()].map((of) => ({
        records_per_second: of[0]!.rate,
        p50_ms: tenths(median(of.map(({ latencyMs }) => latencyMs.p50)) ?? 0),
        p99_ms: tenths(median(of.map(({ latencyMs }) => latencyMs.p99)) ?? 0),
        max_ms: tenths(Math.max(...of.map(({ latencyMs }) => latencyMs.max))),
      })),
    })),
  };
}

export function rebalanceJson(results: readonly Results<RebalanceRun>[]): RebalanceJson {
  return {
    workload: 'rebalance',
    systems: results.map(({ name, config, runs }) => ({
      name,
      config,
      scenarios: [...groups(runs, ({ scenario, standbys }) => `${scenario} ${standbys}`).values()].map(
        (of) => ({
          scenario: of[0]!.scenario,
          standbys: of[0]!.standbys,
          moved_gap_ms: worst(of.map(({ movedGapMs }) => movedGapMs)),
          stayed_gap_ms: worst(of.map(({ stayedGapMs }) => stayedGapMs)),
          p99_ms: tenths(median(of.map(({ latencyMs }) => latencyMs.p99)) ?? 0),
        }),
      ),
    })),
  };
}

export function latencyTable({ systems }: LatencyJson): string {
  const rows = [['', 'records/s', 'p50 ms', 'p99 ms', 'max ms']];
  for (const { name, rates } of systems) {
    for (const { records_per_second: rate, p50_ms: p50, p99_ms: p99, max_ms: max } of rates)
      rows.push([name, rate.toLocaleString('en'), ...[p50, p99, max].map((ms) => ms.toFixed(1))]);
  }
  return [aligned(rows), ...systems.map(({ name, config }) => `${name}: ${config}`)].join('\n');
}

export function rebalanceTable({ systems }: RebalanceJson): string {
  const rows = [['', 'scenario', 'standbys', 'moved, ms', 'stayed, ms', 'p99 ms']];
  for (const { name, scenarios } of systems) {
    for (const { scenario, standbys, moved_gap_ms, stayed_gap_ms, p99_ms } of scenarios) {
      const gaps = [moved_gap_ms, stayed_gap_ms].map((ms) => (ms === null ? '-' : ms.toLocaleString('en')));
      rows.push([name, scenario, String(standbys), ...gaps, p99_ms.toFixed(1)]);
    }
  }
  return [aligned(rows), ...systems.map(({ name, config }) => `${name}: ${config}`)].join('\n');
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function groups<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const found = new Map<string, T[]>();
  for (const item of items) {
    const list = found.get(keyOf(item));
    if (list === undefined) found.set(keyOf(item), [item]);
    else list.push(item);
  }
  return found;
}

function worst(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
}

function tenths(value: number): number {
  return Number(value.toFixed(1));
}
