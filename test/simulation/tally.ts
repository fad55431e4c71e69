// Owns the account of many seeds: how many ran, what broke, which faults struck. And how it is shown.
import type { FaultCounts, Outcome } from './simulation.ts';

export interface Broken {
  readonly seed: number;
  readonly violation: string;
}

export class Tally {
  seeds = 0;
  readonly broken: Broken[] = [];
  readonly faults: FaultCounts = {};
  readonly #startedAt = performance.now();

  add({ seed, violation, faults }: Pick<Outcome, 'seed' | 'violation' | 'faults'>): void {
    this.seeds++;
    if (violation !== null) this.broken.push({ seed, violation });
    for (const [kind, count] of Object.entries(faults)) this.faults[kind] = (this.faults[kind] ?? 0) + count;
  }

  get perMinute(): number {
    return Math.round(this.seeds / ((performance.now() - this.#startedAt) / 60_000));
  }

  progress(of: number): string {
    return `${this.seeds} of ${of} seeds, ${this.broken.length} violations, ${this.perMinute} seeds a minute`;
  }

  json(): string {
    return JSON.stringify({
      seeds: this.seeds,
      violations: this.broken.length,
      seeds_per_minute: this.perMinute,
      faults_by_kind: Object.fromEntries(Object.entries(this.faults).sort(([a], [b]) => (a < b ? -1 : 1))),
    });
  }
}

export function explained({ seed, violation }: Broken): string {
  return `seed ${seed} broke a promise: ${violation}\n  replay it: npm run simulate -- --seed ${seed} --trace`;
}
