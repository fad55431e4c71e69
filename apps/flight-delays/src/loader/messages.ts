// Owns the data set as records of the two input topics. Who publishes them, and how fast, is the loaders' business.
import type { Dataset } from '../data/dataset.ts';
import { flightTime } from '../data/flight.ts';

export interface InputMessage {
  readonly key: string;
  /** JSON. */
  readonly value: string;
  /** Milliseconds since the Unix epoch, as text. */
  readonly timestamp: string;
}

const DAY_MS = 86_400_000;

/** Airports carry a time a day before the first flight, so that a join in the order of time finds them in place. */
export function airportMessages({ airports, flights }: Dataset): InputMessage[] {
  const [first] = flights;
  const timestamp = String(first === undefined ? 0 : flightTime(first) - DAY_MS);
  return airports.map((airport) => ({ key: airport.iata, value: JSON.stringify(airport), timestamp }));
}

export function flightMessages({ flights }: Dataset): InputMessage[] {
  return flights.map((flight) => ({
    key: flight.origin,
    value: JSON.stringify(flight),
    timestamp: String(flightTime(flight)),
  }));
}
