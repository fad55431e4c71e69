// Owns the plain recomputation of what the service publishes: straight over the file's rows, with no stream, no state
// store and no code shared with the topology, so that the two can be held against each other.
import { DELAYED_MINUTES } from '../data/flight.ts';
import type { AirportDelays } from '../data/flight.ts';
import type { Dataset } from '../data/dataset.ts';

/** The final value for each origin airport that the table of airports knows. */
export function recompute({ airports, flights }: Dataset): Map<string, AirportDelays> {
  const results = new Map<string, AirportDelays>();
  for (const { iata, name, city, state } of airports) {
    const delays = flights.filter(({ origin }) => origin === iata).map(({ delay }) => delay);
    if (delays.length === 0) continue;
    const totalDelay = delays.reduce((sum, delay) => sum + delay, 0);
    const delayed = delays.filter((delay) => delay > DELAYED_MINUTES).length;
    results.set(iata, {
      airport: iata,
      name,
      city,
      state,
      flights: delays.length,
      totalDelay,
      meanDelay: totalDelay / delays.length,
      worstDelay: Math.max(...delays),
      delayed,
      shareDelayed: delayed / delays.length,
    });
  }
  return results;
}

/** The sums over all airports, for one line at the end. */
export interface Totals {
  readonly airports: number;
  readonly flights: number;
  readonly totalDelay: number;
  readonly worstDelay: number;
  readonly delayed: number;
}

export function totalsOf(results: ReadonlyMap<string, AirportDelays>): Totals {
  let [flights, totalDelay, delayed] = [0, 0, 0];
  let worstDelay = -Infinity;
  for (const result of results.values()) {
    flights += result.flights;
    totalDelay += result.totalDelay;
    delayed += result.delayed;
    worstDelay = Math.max(worstDelay, result.worstDelay);
  }
  return { airports: results.size, flights, totalDelay, worstDelay, delayed };
}

/** A sentence for each airport and field in which the topic's final values are not the recomputed ones. */
export function differences(
  expected: ReadonlyMap<string, AirportDelays>,
  actual: ReadonlyMap<string, AirportDelays>,
): string[] {
  const found: string[] = [];
  for (const [airport, wanted] of expected) {
    const got = actual.get(airport);
    if (got === undefined) {
      found.push(`${airport}: missing from the topic`);
      continue;
    }
    for (const field of Object.keys(wanted) as (keyof AirportDelays)[]) {
      if (got[field] !== wanted[field]) {
        found.push(
          `${airport}.${field}: the topic has ${String(got[field])}, the file gives ${wanted[field]}`,
        );
      }
    }
  }
  for (const airport of actual.keys()) {
    if (!expected.has(airport)) found.push(`${airport}: in the topic, but the file has no such departures`);
  }
  return found;
}
