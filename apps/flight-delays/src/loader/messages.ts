// Owns the data set as records of the two input topics. Who publishes them, and how fast, is the loaders' business.
import type { Dataset } from '../data/dataset.ts';
import { flightTime } from '../data/flight.ts';
import type { Airport, Flight } from '../data/flight.ts';

export interface InputMessage {
  readonly key: string;
  /** JSON, unless they are encoded otherwise. */
  readonly value: string | Buffer;
  /** Milliseconds since the Unix epoch, as text. */
  readonly timestamp: string;
}

export interface InputMessages {
  readonly airports: readonly InputMessage[];
  readonly flights: readonly InputMessage[];
}

export type Encode<T> = (value: T, index: number) => string | Buffer;

const DAY_MS = 86_400_000;

/** Airports carry a time a day before the first flight, so that a join in the order of time finds them in place. */
export function airportMessages(
  { airports, flights }: Dataset,
  encode: Encode<Airport> = (airport) => JSON.stringify(airport),
): InputMessage[] {
  const [first] = flights;
  const timestamp = String(first === undefined ? 0 : flightTime(first) - DAY_MS);
  return airports.map((airport, index) => ({ key: airport.iata, value: encode(airport, index), timestamp }));
}

export function flightMessages(
  { flights }: Dataset,
  encode: Encode<Flight> = (flight) => JSON.stringify(flight),
): InputMessage[] {
  return flights.map((flight, index) => ({
    key: flight.origin,
    value: encode(flight, index),
    timestamp: String(flightTime(flight)),
  }));
}
